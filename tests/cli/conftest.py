"""The file and the model that most commands of these tests are about."""

import json

import pytest

from mixedlm_pt.cli import main


@pytest.fixture(scope="session")
def cbpp(tmp_path_factory):
    """The name of a file with cbpp's rows."""
    path = tmp_path_factory.mktemp("data") / "cbpp.csv"
    assert main(["data", "cbpp", "--out", str(path)]) == 0
    return str(path)


@pytest.fixture
def cbpp_fit(cbpp):
    """The arguments of ``fit`` for the model of cbpp in lme4's examples."""
    return [cbpp, "incidence / size ~ period + (1 | herd)", "--categorical", "period"]


@pytest.fixture
def document(tmp_path):
    """A function of the arguments of ``fit``: the exit code and what ``--out`` writes."""

    def fitted(*arguments):
        out = tmp_path / "fit.json"
        code = main(["fit", *arguments, "--quiet", "--out", str(out)])
        # Strict: Python alone would read NaN and Infinity, which are not JSON.
        return code, json.loads(out.read_text(), parse_constant=pytest.fail)

    return fitted
