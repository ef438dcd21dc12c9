"""The pages of the documentation: reachable, with links that lead somewhere and names that exist.

What their code prints is checked by ``make docs``, which runs it.
"""

import functools
import inspect
import json
import re
from importlib import import_module
from pathlib import Path

import pytest

import mixedlm_pt as mlm
from benchmarks import accuracy, table
from mixedlm_pt import bayes, covariance, errors, families
from mixedlm_pt.results import GlmerResult

ROOT = Path(__file__).parents[2]
DOCS, NOTEBOOKS = ROOT / "docs", ROOT / "notebooks"
PAGES = [
    *(path for path in DOCS.glob("*.md") if path.name != "README.md"),
    *DOCS.glob("reference/*.md"),
]
PAGE = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(DOCS)))
TOCTREE = re.compile(r"^```\{toctree\}\n(.*?)^```", re.M | re.S)
LINK = re.compile(r"\]\((?!https?://|mailto:|#)([^)\s#]+)(?:#[^)\s]*)?\)")
ROLE = re.compile(r"\{py:(?:func|class|meth|mod|attr|exc|obj|data)\}`(?:[^`<]*<)?[~!]?([\w.]+)")
# `mlm.load_...` stands for many.
REFERRED = re.compile(r"\bmlm\.([A-Za-z]\w*[A-Za-z0-9])(?!\w)")
CODE = re.compile(r"```.*?```|`[^`\n]*`", re.S)


def toctree_entries(page):
    """The pages that a page lists, as paths without an ending."""
    lines = "\n".join(TOCTREE.findall(page.read_text())).splitlines()
    entries = [line.strip() for line in lines if line.strip() and not line.startswith(":")]
    return [page.parent / entry for entry in entries]


LISTED = [entry for page in PAGES for entry in toctree_entries(page)]


@functools.cache
def named(dotted):
    """What a dotted name stands for; the shortest module first, as a function may hide a folder."""
    parts = dotted.split(".")
    for end in range(1, len(parts)):
        try:
            return functools.reduce(attribute, parts[end:], import_module(".".join(parts[:end])))
        except AttributeError:
            continue
    return import_module(dotted)


def attribute(owner, name):
    """A field of a data class need not be an attribute of the class."""
    fields = getattr(owner, "__dataclass_fields__", {})
    return fields[name] if name in fields else getattr(owner, name)


@PAGE
def test_every_page_is_in_a_table_of_contents(page):
    assert page == DOCS / "index.md" or page.with_suffix("") in LISTED


def test_tables_of_contents_list_pages_that_exist_once():
    pages = [page.with_suffix("") for page in PAGES]
    notebooks = [entry for entry in LISTED if entry.parent.name == "notebooks"]
    assert notebooks == [DOCS / "notebooks" / "*"]
    listed = [entry for entry in LISTED if entry not in notebooks]
    assert set(listed) <= set(pages)
    assert len(set(listed)) == len(listed)


@PAGE
def test_links_between_pages_lead_to_files(page):
    text = CODE.sub("", page.read_text())
    for target in LINK.findall(text):
        path = (page.parent / target).resolve()
        if path.parent == DOCS / "notebooks":
            path = NOTEBOOKS / path.with_suffix(".ipynb").name
        assert path.is_relative_to(ROOT), target
        assert path.exists(), target


@PAGE
def test_pages_refer_to_names_that_exist(page):
    for target in ROLE.findall(page.read_text()):
        if target.startswith(("mixedlm_pt", "mlm")):
            named(re.sub(r"^mlm\b", "mixedlm_pt", target))


@PAGE
def test_code_on_pages_calls_functions_that_exist(page):
    code = "\n".join(CODE.findall(page.read_text()))
    for name in REFERRED.findall(code):
        assert hasattr(mlm, name), f"mlm.{name}"


@functools.cache
def documented():
    """Objects in the reference, by identity: a method is the function of the same name."""
    lines = [
        line.strip()
        for page in DOCS.glob("reference/*.md")
        for block in re.findall(r"\.\. api::\n(.*?)```", page.read_text(), re.S)
        for line in block.splitlines()
    ]
    return {name: named(name) for name in lines if name.startswith("mixedlm_pt.")}


MODULES = {"datasets", "errors", "families"}
TABLES = {"COVARIANCES", "FAMILIES", "LINKS", "PRESETS"}
ERRORS = [
    f"errors.{name}"
    for name, value in vars(errors).items()
    if inspect.isclass(value) and issubclass(value, (errors.MixedlmError, errors.MixedlmWarning))
]
PUBLIC = [
    *(name for name in mlm.__all__ if name not in MODULES and not name.startswith("__")),
    *(f"bayes.{name}" for name in bayes.__all__ if name not in TABLES),
    *(f"covariance.{name}" for name in covariance.__all__ if name not in TABLES),
    *(f"families.{name}" for name in families.__all__ if name not in TABLES),
    *ERRORS,
    *(f"GlmerResult.{name}" for name in vars(GlmerResult) if not name.startswith("_")),
]


@pytest.mark.parametrize("name", PUBLIC)
def test_the_reference_has_every_public_name(name):
    known, found = documented(), named(f"mixedlm_pt.{name}")
    # Functions that a plot is added to come in two folders, under one name.
    last = name.rpartition(".")[2]
    assert any(found is one for one in known.values()) or f"mixedlm_pt.{last}" in known


def test_the_page_on_accuracy_is_that_of_the_results_file():
    found = json.loads(accuracy.OUT.read_text())
    assert (DOCS / "accuracy.md").read_text() == accuracy.page(found)


def test_the_page_of_the_benchmarks_has_its_present_head():
    head = table.HEAD.split("{")[0]
    assert head in table.DOCUMENT.read_text()
