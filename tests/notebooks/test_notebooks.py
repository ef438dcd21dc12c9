"""Every notebook runs from scratch, opens with what it answers, and is kept without outputs."""

import os
from pathlib import Path
from textwrap import dedent

import nbformat
import pytest
from nbclient import NotebookClient

ROOT = Path(__file__).parents[2]
NOTEBOOKS = {path.stem: path for path in sorted((ROOT / "notebooks").glob("*.ipynb"))}

# A busy machine takes several times the 30 s that a notebook may take on a quiet one.
BUDGET = 120

# Checked in the notebook's own kernel after its last cell.
FACTS = {
    "cbpp": """
        shift = shifts.loc["sd_(Intercept)|herd"]
        assert shift["shift"] > 0.2 and shift["shift_prior"] < 0.0
        assert isinstance(sceptical, mlm.bayes.PosteriorResult)
    """,
    # glmmTMB 1.1.5: logLik of beta_family().
    "custom_family": """
        assert abs(fit.logLik() - 60.59313104) < 1e-6
        assert abs(posterior.fixef()["EP"] - fit.fixef()["EP"]) < 2e-4
    """,
    # glmmTMB 1.1.5: AIC of poisson, nbinom2, nbinom1 and of poisson with (1 | row).
    "counts": """
        expected = [5009.005652743, 3529.937062790, 3474.739444119, 3358.475762250]
        np.testing.assert_allclose([fit.AIC() for fit in models.values()], expected, rtol=1e-7)
        assert ratios.round(2).loc["linear variance"].tolist() == [0.44, 0.37, 0.52]
    """,
    "large_crossed": """
        assert str(best.index[0]) == "1866"
        assert 0.1 < wins.iloc[0] < 0.2
        assert fit.model.structure.layout.kind == "crossed"
        assert large.model.structure.layout.kind == "iterative"
    """,
    # The slope of urban varies by district: its sd lies far from zero.
    "posterior": """
        assert posterior.confint().loc["sd_urbanY|district"].min() > 0.2
    """,
    # Profile limits under separation exist on one side; the prior gives the other.
    "separation": """
        assert np.isinf(ml.profile("tttboth")["tttboth"].limits[0.95][0])
        assert posterior.confint().loc["tttboth", "97.5 %"] < -2
        shares = tables["share eaten"].loc[3:]
        assert np.ptp(shares[["crabs", "shrimp", "both"]], axis=0).max() < 0.06
    """,
    # glmmTMB 1.1.5 and, for the fifteen districts, lme4 1.1-31.
    "slopes": """
        assert abs(fit.logLik() + 1180.305) < 1e-3 and abs(small.logLik() + 262.3843) < 1e-4
        assert abs(fit.VarCorr().to_frame()["sdcor"].iloc[2] + 0.793) < 1e-3
        correlation = comparison.to_frame().loc["cor_town.(Intercept)|district"]
        assert correlation["LKJ(4)", "estimate"] > correlation["LKJ(1)", "estimate"] + 0.1
    """,
    # glmmTMB 1.1.5 by Laplace, lme4 1.1-31 with 20 nodes.
    "toenail": """
        assert abs(laplace.logLik() + 602.0802) < 1e-4 and abs(fits[20].logLik() + 603.139) < 1e-3
        np.testing.assert_allclose(table["sd"].loc[[1, 20]], [4.9532, 3.96009], atol=1e-4)
        shift = comparison.to_frame()["posterior"]["shift"]
        assert shift.abs().max() < 0.4 and not check.is_good
    """,
    "verbagg": """
        table = comparison.to_frame()["posterior"]
        assert table.loc["(Intercept)":, "shift"].abs().max() < 0.25
        assert table.loc["sd_(Intercept)|item", "shift"] > 0.8
        assert table.loc["GenderM:modedo", "lower"] > 0.3
    """,
}

every_notebook = pytest.mark.parametrize("name", NOTEBOOKS)


def read(name):
    return nbformat.read(NOTEBOOKS[name], as_version=nbformat.NO_CONVERT)


def code_cells(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def executed(name):
    notebook = read(name)
    notebook.cells.append(nbformat.v4.new_code_cell(dedent(FACTS.get(name, ""))))
    # Without the tests' own display: figures are shown in the notebook, as for its reader.
    environment = {key: value for key, value in os.environ.items() if key != "MPLBACKEND"}
    environment["PYTHONPATH"] = str(ROOT)
    client = NotebookClient(notebook, timeout=BUDGET, kernel_name="python3")
    return client.execute(cwd=str(NOTEBOOKS[name].parent), env=environment)


def test_the_facts_are_of_notebooks_that_exist():
    assert set(FACTS) <= set(NOTEBOOKS)


@every_notebook
def test_a_notebook_is_valid_and_committed_without_outputs(name):
    notebook = read(name)
    nbformat.validate(notebook)
    assert (notebook.nbformat, notebook.nbformat_minor) == (4, 5)
    assert notebook.metadata.kernelspec.name == "python3"
    assert code_cells(notebook)
    assert not any(cell.outputs or cell.execution_count for cell in code_cells(notebook))


@every_notebook
def test_a_notebook_opens_with_one_title_and_the_question_it_answers(name):
    notebook = read(name)
    opening = notebook.cells[0]
    assert opening.cell_type == "markdown"
    assert opening.source.startswith("# ")
    assert "?" in opening.source
    markdown = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    assert sum(line.startswith("# ") for line in markdown.splitlines()) == 1


@every_notebook
def test_a_notebook_uses_the_public_interface_alone(name):
    code = "\n".join(cell.source for cell in code_cells(read(name)))
    imported = [line for line in code.splitlines() if "mixedlm_pt" in line]
    assert imported == ["import mixedlm_pt as mlm"]


@every_notebook
def test_the_list_of_notebooks_has_it(name):
    assert f"]({name}.ipynb)" in (ROOT / "notebooks" / "README.md").read_text()


@every_notebook
def test_a_notebook_runs_from_scratch_without_a_warning(name):
    outputs = [output for cell in code_cells(executed(name)) for output in cell.outputs]
    assert [output for output in outputs if output.get("name") == "stderr"] == []


def test_glmer_posterior_and_comparison_take_twenty_lines():
    lines = [line for cell in code_cells(read("posterior")) for line in cell.source.splitlines()]
    assert sum(bool(line.strip()) for line in lines) <= 20
