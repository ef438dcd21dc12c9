"""Functions written as machine instructions are those of NumPy and SciPy, to a few roundings."""

import numpy as np
import pytest
from scipy import special

from mixedlm_pt.compile import arithmetic, scalar_code
from mixedlm_pt.compile.row_loop import RowLoop
from mixedlm_pt.families import kernels, scalar

RNG = np.random.default_rng(20261122)
NORMAL = RNG.normal(scale=3.0, size=4000)
WIDE = np.r_[RNG.uniform(-750.0, 712.0, 4000), NORMAL, NORMAL * 1e-9]
POSITIVE = np.r_[10.0 ** RNG.uniform(-323.0, 308.0, 4000), 1.0 + 1e-4 * NORMAL]
SPECIAL = np.array(
    [
        0.0,
        -0.0,
        np.inf,
        -np.inf,
        np.nan,
        -1.0,
        1.0,
        709.9,
        710.0,
        -745.2,
        -746.0,
        1e-310,
        -2.0,
        5e-324,
    ]
)
ABOVE_MINUS_ONE = np.r_[RNG.uniform(-1.0, 1.0, 4000), 10.0 ** RNG.uniform(-300.0, 300.0, 4000)]


def evaluated(function, x):
    """The function at every x, by a loop of its own."""
    loop = RowLoop()
    operand, result = loop.new_operand(), loop.new_result()
    (value,) = loop.doubles(operand, 1)
    loop.store(result, [function(value)])
    x, out = np.ascontiguousarray(x), np.empty(len(x))
    table = np.array([0, x.ctypes.data, out.ctypes.data], np.int64)
    loop.compiled()(len(x), table.ctypes.data)
    return out


def agree(found, expected, roundings):
    eps = np.finfo(float).eps
    np.testing.assert_allclose(found, expected, rtol=roundings * eps, atol=np.finfo(float).tiny)


@np.errstate(all="ignore")
@pytest.mark.parametrize(
    ("ours", "numpy", "x"),
    [
        (arithmetic.exp, np.exp, WIDE),
        (arithmetic.expm1, np.expm1, WIDE),
        (arithmetic.log, np.log, POSITIVE),
        (arithmetic.log1p, np.log1p, ABOVE_MINUS_ONE),
        (arithmetic.tanh, np.tanh, NORMAL),
        (arithmetic.erfcx, special.erfcx, NORMAL),
        (arithmetic.sigmoid, kernels.sigmoid, WIDE[np.abs(WIDE) < 700]),
        (arithmetic.softplus, kernels.softplus, NORMAL),
        (arithmetic.log_ndtr, special.log_ndtr, NORMAL),
        (arithmetic.mills, kernels.mills, NORMAL),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_values(ours, numpy, x):
    agree(evaluated(ours, x), numpy(x), 12)


@np.errstate(all="ignore")
@pytest.mark.parametrize("name", ["exp", "expm1", "log", "log1p", "tanh"])
def test_special_values(name):
    agree(evaluated(getattr(arithmetic, name), SPECIAL), getattr(np, name)(SPECIAL), 2)


@pytest.mark.parametrize(
    ("function", "x"),
    [
        (scalar.Sigmoid(), NORMAL),
        (scalar.SigmoidComplement(), NORMAL),
        (scalar.LogisticDensity(), NORMAL),
        (scalar.LogSigmoid(), NORMAL),
        (scalar.Log1mExp(), -np.abs(NORMAL)),
        (scalar.ExpOdds(), -np.abs(NORMAL)),
        (scalar.CloglogLogMean(), NORMAL),
        (scalar.CloglogSlope(), NORMAL),
        (scalar.CloglogBend(), NORMAL),
        (scalar.StirlingError(), 10.0 ** RNG.uniform(-2.0, 5.0, 4000)),
        (scalar.StirlingSlope(), 10.0 ** RNG.uniform(-2.0, 5.0, 4000)),
        (scalar.StirlingCurvature(), 10.0 ** RNG.uniform(-2.0, 5.0, 4000)),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_special_functions_expand_to_loops(function, x):
    # Not a few roundings: the kernels themselves lose two digits at large t and near x = 10.
    expected = function.impl(x)
    found = evaluated(scalar_code.expansion(function), x)
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-15)
