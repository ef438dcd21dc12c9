"""The demo and the notebook run from end to end."""

import json
import re
from pathlib import Path

import pytest
from rich.console import Console

import mixedlm_pt as mlm
from mixedlm_pt import demo

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"


def code_cells(name):
    cells = json.loads((NOTEBOOKS / name).read_text())["cells"]
    return [cell for cell in cells if cell["cell_type"] == "code"]


def executed(name):
    names = {}
    for cell in code_cells(name):
        exec("".join(cell["source"]), names)  # noqa: S102
    return names


@pytest.mark.parametrize("name", ["cbpp.ipynb", "posterior.ipynb"])
def test_notebooks_are_committed_without_outputs(name):
    assert code_cells(name)
    assert not any(cell["outputs"] or cell["execution_count"] for cell in code_cells(name))


def test_glmer_posterior_and_comparison_take_twenty_lines():
    lines = [line for cell in code_cells("posterior.ipynb") for line in cell["source"]]
    assert sum(bool(line.strip()) for line in lines) <= 20


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
def test_the_notebook_of_the_posterior_runs():
    names = executed("posterior.ipynb")
    # The slope of urban varies by district: its sd lies far from zero.
    assert names["posterior"].confint().loc["sd_urbanY|district"].min() > 0.2


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
def test_the_notebook_of_cbpp_runs():
    names = executed("cbpp.ipynb")
    shifts = names["shifts"].loc["sd_(Intercept)|herd"]
    assert shifts["shift"] > 0.2
    assert shifts["shift_prior"] < 0.0
    assert isinstance(names["sceptical"], mlm.bayes.PosteriorResult)


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
def test_the_demo_fits_a_terminal_of_100_columns():
    console = Console(width=100, record=True, highlight=False)
    demo.main(draws=300, console=console)
    text = console.export_text()
    assert max(map(len, text.splitlines())) <= 100
    for fact in ("-1.3985", "nAGQ = 10", "normal(location = 0, scale = 5.722)", "ESS", "Shift"):
        assert fact in text
    assert re.search(r"done in \d+\.\d\d s", text)
