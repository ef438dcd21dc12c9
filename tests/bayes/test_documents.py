"""The demo and the notebook run from end to end."""

import json
import re
from pathlib import Path

import pytest
from rich.console import Console

import mixedlm_pt as mlm
from mixedlm_pt import demo

NOTEBOOK = Path(__file__).parents[2] / "notebooks" / "cbpp.ipynb"


def cells():
    return json.loads(NOTEBOOK.read_text())["cells"]


def test_the_notebook_is_committed_without_outputs():
    code = [cell for cell in cells() if cell["cell_type"] == "code"]
    assert code
    assert not any(cell["outputs"] or cell["execution_count"] for cell in code)


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
def test_the_notebook_runs():
    names = {}
    for cell in cells():
        if cell["cell_type"] == "code":
            exec("".join(cell["source"]), names)  # noqa: S102
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
