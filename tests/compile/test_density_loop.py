import numpy as np
import pytensor
import pytensor.tensor as pt
import pytest
from pytensor.gradient import grad

from mixedlm_pt.compile.density_loop import density_loop
from mixedlm_pt.compile.rewriting import NUMPY
from mixedlm_pt.compile.row_loop import compiled
from mixedlm_pt.compile.written_out import NotCompilableError
from mixedlm_pt.families import (
    Binomial,
    Gamma,
    Gaussian,
    InverseGaussian,
    NegativeBinomial,
    Poisson,
)
from mixedlm_pt.families.density import log_density

N = 300
LOG_PHI = 0.3


def responses(family, rng):
    w = rng.integers(1, 9, N).astype(float)
    if family.name == "binomial":
        return rng.binomial(w.astype(int), 0.3) / w, w
    if family.name in ("poisson", "negative_binomial"):
        return rng.poisson(3.0, N).astype(float), w
    return rng.gamma(2.0, 1.0, N), w


@pytest.mark.parametrize(
    "family",
    [
        Binomial(),
        Binomial("probit"),
        Binomial("cloglog"),
        Poisson(),
        Poisson("sqrt"),
        NegativeBinomial(),
        Gamma("log"),
        Gamma("inverse"),
        Gaussian(),
        InverseGaussian("log"),
    ],
    ids=lambda family: f"{family.name}-{family.link.name}",
)
def test_the_loop_yields_density_score_and_slope(family):
    rng = np.random.default_rng(1)
    y, w = responses(family, rng)
    eta = 0.4 * rng.normal(size=N) + 2.0 * (family.link.name == "inverse")
    loop = density_loop(family)
    score, totals = np.zeros(N), np.zeros(2)
    held = [np.array([LOG_PHI]), loop.columns(y, w), eta, score, totals]
    table = np.array([array.ctypes.data for array in held])
    compiled(loop.text)(N, table.ctypes.data)

    inputs = [pt.dvector(), pt.dvector(), pt.dvector(), pt.dscalar()]
    logp = log_density(family, *inputs[:3], pt.exp(inputs[3])).sum()
    slopes = grad(logp, inputs[2:], disconnected_inputs="ignore")
    function = pytensor.function(inputs, [logp, *slopes], mode=NUMPY, on_unused_input="ignore")
    expected = function(y, w, eta, LOG_PHI)
    np.testing.assert_allclose(totals, [expected[0], expected[2]], rtol=1e-11, atol=1e-9)
    np.testing.assert_allclose(score, expected[1], rtol=1e-11, atol=1e-12)


def test_a_link_without_instructions_is_refused():
    with pytest.raises(NotCompilableError, match=r"(?i)arctan"):
        density_loop(Binomial("cauchit"))
