"""The tape computes what PyTensor's own linker does, and leaves its arguments alone."""

import numpy as np
import pytensor
import pytensor.tensor as pt
import pytest
from hypothesis import given
from hypothesis import strategies as st

import mixedlm_pt as mlm
from mixedlm_pt.compile.backends import NUMPY, numpy_function
from mixedlm_pt.compile.tape import Tape
from mixedlm_pt.families import Binomial
from mixedlm_pt.graph import GLMMGraph, data_of, laplace, parameter_gradient

MODELS = {
    "binomial": ("incidence / size ~ period + (1 | herd)", mlm.load_cbpp, {}),
    "slopes": ("use ~ age + (age | district)", mlm.load_contraception, {}),
    "crossed": (
        "TICKS ~ YEAR + (1 | BROOD) + (1 | LOCATION)",
        mlm.load_grouseticks,
        {"family": "nbinom2"},
    ),
    "probit": (
        "r2 ~ Anger + (1 | id) + (1 | item)",
        lambda: mlm.load_verbagg().iloc[:900],
        {"family": Binomial(link="probit")},
    ),
    "cloglog": (
        "incidence / size ~ period + (1 | herd)",
        mlm.load_cbpp,
        {"family": Binomial(link="cloglog")},
    ),
    "gamma": ("Reaction ~ Days + (1 | Subject)", mlm.load_sleepstudy, {"family": "Gamma"}),
}


def criterion(fit):
    graph = GLMMGraph.of(fit.model)
    parts = laplace(graph, "observed")
    outputs = [parts.loglik, parameter_gradient(graph, parts.surrogate)]
    data = data_of(fit.model)
    # Beside the optimum, where the gradient is more than rounding errors.
    arguments = [fit.beta + 0.05, fit.theta + 0.1, np.asarray(np.log(fit.estimate.phi)), fit.u]
    return [*graph.data, *graph.parameters, graph.u], outputs, data, arguments


def looped_function(inputs, outputs):
    return Tape(inputs, outputs, NUMPY.optimizer, loops_from=0)


FUNCTIONS = pytest.mark.parametrize("compiled", [numpy_function, looped_function])


@FUNCTIONS
@pytest.mark.parametrize("name", MODELS)
def test_it_agrees_with_pytensor_and_changes_no_argument(name, compiled):
    formula, load, arguments = MODELS[name]
    fit = mlm.glmer(formula, load(), **arguments)
    inputs, outputs, data, values = criterion(fit)
    expected = pytensor.function(
        inputs, outputs, mode=NUMPY, trust_input=True, on_unused_input="ignore"
    )(*data, *values)
    tape = compiled(inputs, outputs)
    before = [np.array(value) for value in (*data, *values)]
    bound = tape.bind(*data)
    # Twice: a step that overwrote what was bound would spoil the second call.
    first, second, unbound = bound(*values), bound(*values), tape(*data, *values)
    for found in (first, second, unbound):
        for mine, theirs in zip(found, expected, strict=True):
            np.testing.assert_allclose(mine, theirs, rtol=1e-12, atol=1e-12)
    for value, old in zip((*data, *values), before, strict=True):
        np.testing.assert_array_equal(value, old)
    assert not np.shares_memory(first[1], second[1])


def test_what_is_bound_is_computed_once():
    x, y = pt.dvector("x"), pt.dvector("y")
    tape = numpy_function([x, y], [pt.gammaln(x + 1.0) + y])
    values = np.array([0.5, 3.0]), np.array([1.0, 2.0])
    bound = tape.bind(values[0])
    (plan,) = tape._plans.values()
    assert len(plan.first) == 2
    assert len(plan.then) == 1
    np.testing.assert_array_equal(bound(values[1])[0], tape(*values)[0])


def test_an_output_that_needs_no_step_is_a_copy():
    x, y = pt.dvector("x"), pt.dvector("y")
    bound = numpy_function([x, y], [x, y]).bind(np.ones(2))
    given = np.zeros(2)
    for value in bound(given):
        value[:] = 7.0
    np.testing.assert_array_equal(given, 0.0)
    np.testing.assert_array_equal(bound(given)[0], 1.0)


@given(st.permutations(range(3)), st.lists(st.integers(0, 3), max_size=2))
def test_axes_are_rearranged_as_pytensor_does(order, new):
    x = pt.tensor("x", shape=(None, 1, None))
    pattern = [axis for axis in order if axis != 1]
    for place in new:
        pattern.insert(min(place, len(pattern)), "x")
    value = np.arange(6.0).reshape(2, 1, 3)
    found = numpy_function([x], [x.dimshuffle(pattern) * 1.5])(value)[0]
    expected = np.transpose(value[:, 0, :], [0, 1] if pattern_sorted(pattern) else [1, 0])
    for axis, entry in enumerate(pattern):
        if entry == "x":
            expected = np.expand_dims(expected, axis)
    np.testing.assert_array_equal(found, 1.5 * expected)


def pattern_sorted(pattern):
    kept = [axis for axis in pattern if axis != "x"]
    return kept == sorted(kept)
