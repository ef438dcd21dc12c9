"""Every public function documents every parameter and what it returns."""

import inspect
import re
from inspect import Parameter

import pytest

import mixedlm_pt as mlm
from mixedlm_pt.results import GlmerResult

HEADING = re.compile(r"^(\S.*)\n-+$", re.MULTILINE)


def public_functions():
    found = {name: getattr(mlm, name) for name in mlm.__all__}
    found |= {n: getattr(GlmerResult, n) for n in vars(GlmerResult).copy() if not n.startswith("_")}
    return {name: verb for name, verb in found.items() if inspect.isfunction(verb)}


FUNCTIONS = public_functions()


def sections(function):
    """Headings of a numpydoc docstring with their text."""
    _, *parts = HEADING.split(inspect.getdoc(function))
    return dict(zip(parts[::2], parts[1::2], strict=True))


def documented(text):
    """Names before the colon of every line that is not indented, stars left out."""
    lines = [line for line in text.splitlines() if line and not line.startswith(" ")]
    return [name.strip(" *") for line in lines for name in line.split(" : ")[0].split(",")]


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_every_parameter_of_a_public_function_is_documented(name):
    parameters = set(inspect.signature(FUNCTIONS[name]).parameters)
    assert set(documented(sections(FUNCTIONS[name]).get("Parameters", ""))) == parameters


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_every_public_function_says_what_it_returns(name):
    assert sections(FUNCTIONS[name]).get("Returns", "").strip()


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_the_first_line_of_a_docstring_is_one_sentence(name):
    first, *rest = inspect.getdoc(FUNCTIONS[name]).splitlines()
    assert first.endswith(".")
    assert not rest or not rest[0]


# The same argument has the same name, and so the same default, wherever it occurs.
DEFAULTS = {
    "level": {0.95, None},
    "n_jobs": {None},
    "progress": {False},
    "seed": {None, 1},
    "newdata": {None},
    "vcov": {None},
    "allow_new_levels": {False},
}


@pytest.mark.parametrize("argument", sorted(DEFAULTS))
def test_an_argument_has_the_same_default_everywhere(argument):
    signatures = (inspect.signature(verb).parameters for verb in FUNCTIONS.values())
    found = [parameters[argument] for parameters in signatures if argument in parameters]
    assert found
    assert {parameter.default for parameter in found} <= DEFAULTS[argument]


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_long_work_takes_its_workers_and_progress_by_name(name):
    parameters = inspect.signature(FUNCTIONS[name]).parameters
    long = {"n_jobs", "progress"} & set(parameters)
    assert long in (set(), {"n_jobs", "progress"})
    assert all(parameters[argument].kind is Parameter.KEYWORD_ONLY for argument in long)
