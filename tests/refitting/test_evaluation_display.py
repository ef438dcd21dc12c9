"""What a fit shows while it runs."""

import re

import nbclient
import nbformat
import pytest

import mixedlm_pt as mlm
from mixedlm_pt.refitting import evaluation_display

FORMULA = "incidence / size ~ period + (1 | herd)"


@pytest.fixture
def impatient(monkeypatch):
    monkeypatch.setattr(evaluation_display, "PATIENCE", 0.0)


@pytest.fixture
def terminal(monkeypatch):
    # rich's own way of saying that the output is a terminal.
    monkeypatch.setenv("TTY_COMPATIBLE", "1")
    monkeypatch.setenv("TTY_INTERACTIVE", "1")


def shown(capsys, **arguments):
    fit = mlm.glmer(FORMULA, mlm.load_cbpp(), **arguments)
    return fit, capsys.readouterr()


def test_verbose_prints_a_line_for_every_evaluation(capsys):
    fit, printed = shown(capsys, verbose=1)
    lines = printed.out.splitlines()
    assert len(lines) == fit.outcome.n_evaluations
    values = [float(re.search(r"log-likelihood (\S+)", line)[1]) for line in lines]
    assert max(values) == pytest.approx(fit.logLik(), abs=1e-5)


def test_a_short_fit_shows_nothing(capsys, terminal):
    _, printed = shown(capsys)
    assert printed.out == printed.err == ""


def test_a_long_fit_shows_its_course_on_a_terminal(capsys, impatient, terminal):
    _, printed = shown(capsys)
    assert printed.out == ""
    assert "log-likelihood -92.02" in printed.err


def test_a_long_fit_shows_nothing_where_its_output_is_a_file(capsys, impatient):
    _, printed = shown(capsys)
    assert printed.out == printed.err == ""


def test_a_long_fit_can_be_silenced(capsys, impatient, terminal):
    _, printed = shown(capsys, verbose=0)
    assert printed.out == printed.err == ""


def interrupted(display):
    with display:
        display(1, -3.0)
        assert display.live.live.is_started
        raise KeyboardInterrupt


def test_the_line_is_gone_after_an_interruption(capsys, impatient, terminal):
    display = evaluation_display.EvaluationDisplay(None)
    with pytest.raises(KeyboardInterrupt):
        interrupted(display)
    assert not display.live.live.is_started


# What a fit and a bootstrap leave below a cell of a notebook whose kernel has no ipywidgets.
CELL = """
import importlib.util as util
from mixedlm_pt import tasks
import mixedlm_pt as mlm
from mixedlm_pt.refitting import evaluation_display
evaluation_display.PATIENCE = 0.0
tasks.find_spec = lambda name: None if name == "ipywidgets" else util.find_spec(name)
fit = mlm.glmer("incidence / size ~ period + (1 | herd)", mlm.load_cbpp())
boot = fit.bootMer(nsim=2, seed=1, progress=True)
"""


def test_a_notebook_without_widgets_gets_text_and_no_warning():
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(CELL)])
    nbclient.NotebookClient(notebook, timeout=120, kernel_name="python3").execute()
    outputs = notebook.cells[0].outputs
    assert {output.get("name") for output in outputs} == {"stdout"}
    assert "100%" in outputs[0].text
