"""Programs compute what NumPy does, whatever the structure, the family and the compiler."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
import pytensor.tensor as pt
import pytest

import mixedlm_pt as mlm
from mixedlm_pt.compile import Approximation, compile_model, tape
from mixedlm_pt.compile.program import BoundProgram
from mixedlm_pt.compile.rewriting import NUMPY
from mixedlm_pt.compile.tape import Tape
from mixedlm_pt.families import Binomial
from mixedlm_pt.graph import data_of


def nested_slopes():
    rng = np.random.default_rng(3)
    school, classroom = np.repeat(np.arange(15), 40), np.tile(np.repeat(np.arange(4), 10), 15)
    x, (outer, inner) = rng.normal(size=600), rng.normal(0.0, 0.5, (2, 2, 60))
    within = 4 * school + classroom
    b, slope = outer[:, school] + inner[:, within]
    y = rng.poisson(np.exp(0.4 + b + (0.3 + slope) * x))
    return pd.DataFrame({"y": y, "x": x, "school": school, "classroom": classroom})


MODELS = {
    "one factor": ("incidence / size ~ period + (1 | herd)", mlm.load_cbpp, {}),
    "no fixed effects": ("incidence / size ~ 0 + (1 | herd)", mlm.load_cbpp, {}),
    "many fixed effects": ("incidence / size ~ 0 + herd + (1 | period)", mlm.load_cbpp, {}),
    "quadrature": ("incidence / size ~ period + (1 | herd)", mlm.load_cbpp, {"nAGQ": 7}),
    "slopes": ("use ~ age + (age | district)", mlm.load_contraception, {}),
    "independent slopes": ("use ~ age + (age || district)", mlm.load_contraception, {}),
    "three nested": (
        "TICKS ~ YEAR + (1 | BROOD) + (1 | INDEX) + (1 | LOCATION)",
        mlm.load_grouseticks,
        {"family": "poisson"},
    ),
    "nested slopes": ("y ~ x + (x | school/classroom)", nested_slopes, {"family": "poisson"}),
    "dispersion": ("Reaction ~ Days + (Days | Subject)", mlm.load_sleepstudy, {"family": "Gamma"}),
    "shape": ("TICKS ~ YEAR + (1 | BROOD)", mlm.load_grouseticks, {"family": "nbinom2"}),
    "probit": (
        "incidence / size ~ period + (1 | herd)",
        mlm.load_cbpp,
        {"family": Binomial(link="probit")},
    ),
}
COMPILERS = pytest.mark.parametrize("quick_below", [0, np.inf], ids=["optimised", "quick"])


@pytest.fixture(params=MODELS, scope="module")
def criterion(request):
    """Inputs and outputs of the criterion's graph, the data, and other arguments."""
    formula, load, arguments = MODELS[request.param]
    fit = mlm.glmer(formula, load(), **{"family": "binomial"} | arguments)
    compiled = compile_model(fit.model, fit.approximation)
    graph, log_phi = compiled.graph, np.asarray(np.log(fit.estimate.phi))
    inputs = [*graph.data, *graph.parameters, graph.u]
    given = [fit.beta + 0.05, fit.theta + 0.1, log_phi, fit.u - 0.1]
    return inputs, list(compiled.criterion), data_of(fit.model), given


def programmed(inputs, outputs):
    return Tape(inputs, outputs, NUMPY.optimizer, program_below=np.inf)


@COMPILERS
def test_it_agrees_with_numpy_and_changes_no_argument(criterion, quick_below, monkeypatch):
    monkeypatch.setattr(tape, "QUICK_BELOW", quick_below)
    inputs, outputs, data, given = criterion
    copies = [np.array(array) for array in given]
    bound = programmed(inputs, outputs).bind(*data)
    assert isinstance(bound, BoundProgram)
    found = bound(*given)
    expected = Tape(inputs, outputs, NUMPY.optimizer).bind(*data)(*given)
    for one, other in zip(found, expected, strict=True):
        assert one.shape == other.shape
        np.testing.assert_allclose(one, other, rtol=1e-10, atol=1e-9)
    for array, copy in zip(given, copies, strict=True):
        np.testing.assert_array_equal(array, copy)


def test_results_are_the_callers_own(criterion):
    inputs, outputs, data, given = criterion
    bound = programmed(inputs, outputs).bind(*data)
    first = bound(*given)
    kept = [np.array(result) for result in first]
    bound(given[0] + 1.0, *given[1:])
    for one, other in zip(first, kept, strict=True):
        np.testing.assert_array_equal(one, other)


def test_threads_do_not_disturb_each_other(criterion):
    inputs, outputs, data, given = criterion
    bound = programmed(inputs, outputs).bind(*data)
    starts = [given[0] + 0.01 * k for k in range(8)]
    alone = [bound(start, *given[1:]) for start in starts]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(lambda start: bound(start, *given[1:]), 50 * starts))
    for k, results in enumerate(together):
        for one, other in zip(results, alone[k % 8], strict=True):
            np.testing.assert_array_equal(one, other)


def test_an_information_that_is_not_definite_has_no_log_determinant():
    fit = mlm.glmer("y ~ x + (x | school/classroom)", nested_slopes(), family="poisson")
    compiled = compile_model(fit.model, Approximation())
    graph = compiled.graph
    inputs = [*graph.data, *graph.parameters, graph.u]
    data = data_of(fit.model)
    # Negative weights turn the information round.
    data[1] = -data[1]
    given = [fit.beta, fit.theta + 1.0, np.asarray(0.0), fit.u]
    value, _ = programmed(inputs, list(compiled.criterion)).bind(*data)(*given)
    assert np.isnan(value)


def test_arguments_may_have_another_length_at_the_next_call():
    a, x = pt.dvector("a"), pt.dvector("x")
    bound = programmed([a, x], [pt.exp(x).sum() * a[0], x * 2.0 + 1.0]).bind(np.array([3.0, 4.0]))
    assert isinstance(bound, BoundProgram)
    for values in (np.arange(4.0), np.arange(9.0), np.arange(4.0) - 1.0):
        total, line = bound(values)
        np.testing.assert_allclose(total, 3.0 * np.exp(values).sum(), rtol=1e-13)
        np.testing.assert_array_equal(line, values * 2.0 + 1.0)


def test_arguments_of_other_layouts_and_types_are_read_as_they_are():
    a, X, v = pt.dvector("a"), pt.dmatrix("X"), pt.dvector("v")
    bound = programmed([a, X, v], [X @ v, a * 2.0]).bind(np.ones(2))
    assert isinstance(bound, BoundProgram)
    matrix, vector = np.arange(12.0).reshape(4, 3), np.array([1, 2, 3])
    for given in (matrix, np.asfortranarray(matrix), np.repeat(matrix, 2, axis=0)[::2]):
        np.testing.assert_array_equal(bound(given, vector)[0], matrix @ vector)


def test_what_has_no_code_is_left_to_numpy():
    a, x = pt.dvector("a"), pt.dvector("x")
    bound = programmed([a, x], [pt.sort(x) + a]).bind(np.zeros(3))
    assert not isinstance(bound, BoundProgram)
    np.testing.assert_array_equal(bound(np.array([2.0, 1.0, 3.0]))[0], [1.0, 2.0, 3.0])


@pytest.mark.parametrize("n", [400, 3000])
def test_a_fit_is_that_of_numpy(n):
    rng = np.random.default_rng(n)
    g, x = np.repeat(np.arange(n // 10), 10), rng.normal(size=n)
    eta = 0.3 * x + rng.normal(size=n // 10)[g]
    data = pd.DataFrame({"y": rng.binomial(1, 1 / (1 + np.exp(-eta))), "x": x, "g": g})
    fits = [
        mlm.glmer("y ~ x + (1 | g)", data, family="binomial", backend=backend)
        for backend in ("auto", "numpy")
    ]
    for name in ("beta", "theta", "u"):
        np.testing.assert_allclose(*(getattr(fit, name) for fit in fits), rtol=1e-8, atol=1e-9)
