"""A notebook shows a plot once, however its cell ends."""

import pickle

import matplotlib as mpl
import matplotlib.pyplot as plt
import nbclient
import nbformat
import pytest

import mixedlm_pt as mlm
from mixedlm_pt.plotting.style import panels

SETUP = """import matplotlib.pyplot as plt
import mixedlm_pt as mlm
fit = mlm.glmer("incidence / size ~ period + (1 | herd)", mlm.load_cbpp())"""
CELLS = {
    "value": "fit.dotplot()",
    "semicolon": "fit.dotplot();",
    "assigned": "figure = fit.dotplot()",
    "named again": "figure",
    "user's axes": "fit.dotplot(ax=plt.subplots()[1])",
    "two plots": "fit.dotplot()\nfit.qqmath()",
    "displayed": "from IPython.display import display\ndisplay(fit.dotplot())",
}


@pytest.fixture(scope="module")
def images():
    """How many images every cell shows."""
    sources = [SETUP, *CELLS.values()]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(s) for s in sources])
    # The kernel chooses the backend of notebooks, as it does for a user.
    with pytest.MonkeyPatch.context() as environment:
        environment.delenv("MPLBACKEND", raising=False)
        nbclient.NotebookClient(notebook, timeout=120, kernel_name="python3").execute()
    outputs = [cell.outputs for cell in notebook.cells[1:]]
    counts = [sum("image/png" in out.get("data", {}) for out in cell) for cell in outputs]
    return dict(zip(CELLS, counts, strict=True))


@pytest.mark.parametrize("cell", CELLS)
def test_a_notebook_shows_every_plot_once(images, cell):
    assert images[cell] == (2 if cell == "two plots" else 1)


def test_outside_a_notebook_pyplot_keeps_the_figure_for_plt_show():
    fit = mlm.glmer("incidence / size ~ period + (1 | herd)", mlm.load_cbpp())
    figure = fit.dotplot()
    assert figure._repr_mimebundle_(include=None, exclude=None) is None
    assert mpl.get_backend().lower() == "agg"
    assert plt.fignum_exists(figure.number)
    plt.close(figure)


def test_figures_can_be_pickled():
    figure, (ax,) = panels()
    ax.plot([1.0, 2.0])
    again = pickle.loads(pickle.dumps(figure))
    drawn = [line.get_ydata().tolist() for line in again.axes[0].lines]
    assert drawn == [[1.0, 2.0]]
    plt.close("all")
