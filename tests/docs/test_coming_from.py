"""Every snippet that the page for newcomers says to write here runs."""

import re
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "coming_from.md"
TEXT = PAGE.read_text(encoding="utf-8")
CELL = re.compile(r"^```\{code-cell\} ipython3\n(.*?)^```$", re.DOTALL | re.MULTILINE)
TAB = re.compile(r"^:::\{tab-item\} (\w+)\n(.*?)^:::$", re.DOTALL | re.MULTILINE)
BAR = re.compile(r"(?<!\\)\|")


def rows():
    """Tab and code of every row that has some in the column "here"."""
    for tab, body in TAB.findall(TEXT):
        for line in body.splitlines():
            if line.startswith("| ") and not line.startswith(f"| {tab} |"):
                cells = [cell.strip() for cell in BAR.split(line)[1:-1]]
                assert len(cells) == 3, line
                if cells[1]:
                    yield tab, cells[1].strip("`").replace(r"\|", "|")


ROWS = list(rows())


@pytest.fixture(scope="module")
def objects():
    names = {}
    exec("\n".join(CELL.findall(TEXT)), names)  # noqa: S102
    return names


def test_every_package_has_rows():
    assert {tab for tab, _ in ROWS} == {"lme4", "glmmTMB", "bambi", "statsmodels"}
    assert len(ROWS) > 60


@pytest.mark.filterwarnings("ignore::mixedlm_pt.errors.SingularFitWarning")
@pytest.mark.parametrize("code", sorted({code for _, code in ROWS}))
def test_a_snippet_runs(objects, code):
    assert eval(code, dict(objects)) is not None  # noqa: S307
