"""Every case of the catalogue: the class and all of the message, and that the advice works."""

import inspect
import re
import warnings
from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt
import pytest

from mixedlm_pt import errors
from mixedlm_pt.errors import MixedlmError, MixedlmWarning
from tests.errors import setting
from tests.errors.catalogue import AREAS, FAULTS
from tests.errors.page import PAGE, page

ROOT = Path(__file__).parents[2]
CASES = [
    pytest.param(case, id=f"{area}: {case.what}") for area, cases in AREAS.items() for case in cases
]
ADVICE = [param for param in CASES if param.values[0].instead]


@pytest.fixture(scope="module")
def names():
    mpl.use("Agg")
    yield setting.names()
    plt.close("all")


def run(source, names):
    exec(source, dict(names))  # noqa: S102


@pytest.mark.parametrize("case", CASES)
def test_bad_input_is_told_what_is_wrong(case, names):
    if issubclass(case.error, Warning):
        with pytest.warns(case.error) as caught:
            run(case.typed, names)
        (text,) = {str(warning.message) for warning in caught}
    else:
        with pytest.raises(case.error) as raised:
            run(case.typed, names)
        assert type(raised.value) is case.error
        text = str(raised.value)
    assert re.fullmatch(case.pattern, text), text


@pytest.mark.parametrize("case", ADVICE)
def test_what_the_page_advises_works_without_a_warning(case, names):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        run(case.instead, names)


def test_the_catalogue_holds_all_classes_and_names_every_case_once():
    used = {case.error for cases in AREAS.values() for case in cases}
    assert all(issubclass(error, MixedlmError | MixedlmWarning) for error in used)
    ours = {kind for kind in vars(errors).values() if inspect.isclass(kind)}
    ours = {kind for kind in ours if kind.__module__ == errors.__name__}
    bases = {MixedlmError, MixedlmWarning, errors.MissingPackageError}
    assert ours - used == bases
    for cases in AREAS.values():
        named = [case.what for case in cases]
        assert len(set(named)) == len(named)


def test_a_fault_of_the_surroundings_is_brought_about_by_the_test_it_names():
    for fault in FAULTS:
        path, _, name = fault.test.partition("::")
        assert re.search(rf"^def {name}\(", (ROOT / path).read_text(), re.MULTILINE)


def test_the_page_is_made_from_the_catalogue():
    assert PAGE.read_text() == page(), "run: python -m tests.errors"
