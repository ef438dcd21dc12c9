"""The shipped tables against R's: every value, every type, every order of levels."""

import hashlib
import inspect

import pandas as pd
import pytest

from mixedlm_pt import datasets
from mixedlm_pt.errors import ArgumentError

# Name, rows, types (f factor, o ordered, i int64, r float64), digest of all levels and values; from
# R's CSV exports and level lists, read with the csv module and not with this package.
TABLES = [
    ("Arabidopsis", 625, "ffiiiffi", "15b58488f8ce1016"),
    ("cbpp", 56, "fiif", "24bec593c4780501"),
    ("Contraception", 1934, "ffffrf", "eeb8908fb961987b"),
    ("culcitalogreg", 80, "fif", "c7fe9db5f122e117"),
    ("epil2", 236, "ifiiiiirrrrr", "a4a8f006e0f44f98"),
    ("grouseticks", 403, "fififfr", "a933d03fa6f93589"),
    ("guImmun", 2159, "ffffffffffffr", "a8e45b714e2aff8d"),
    ("InstEval", 73421, "ffooffi", "3af79a45f6822bfd"),
    ("Mmmec", 354, "fffirr", "0f868e23f338b858"),
    ("ohio", 2148, "iiii", "1d4ad7b850ff8bec"),
    ("Owls", 599, "fffriirr", "c378e0d8f4cd18ac"),
    ("petrol", 32, "frriir", "ed8dcd0589be6d17"),
    ("Salamanders", 644, "ofrirrrfi", "76c45d2723174a11"),
    ("sleepstudy", 180, "rif", "b41dc9fe8c0212c1"),
    ("VerbAgg", 7584, "iffofffff", "ce344ded1442ce30"),
    ("wine", 72, "ioffff", "628ce7bcecb60d77"),
]

LEVELS = {
    ("cbpp", "herd"): [str(i) for i in range(1, 16)],
    ("cbpp", "period"): ["1", "2", "3", "4"],
    ("culcitalogreg", "ttt"): ["none", "crabs", "shrimp", "both"],
    ("InstEval", "dept"): "15 5 10 12 6 7 4 8 9 14 1 3 11 2".split(),
    ("Mmmec", "nation"): (
        "Belgium W.Germany Denmark France UK Italy Ireland Luxembourg Netherlands".split()
    ),
    ("Salamanders", "mined"): ["yes", "no"],
    ("VerbAgg", "mode"): ["want", "do"],
    ("wine", "rating"): ["1", "2", "3", "4", "5"],
}

LME4 = "R package lme4 (Bates, Maechler, Bolker & Walker 2015, J. Stat. Softw. 67(1))"


def kinds(frame: pd.DataFrame) -> str:
    letters = {"int64": "i", "float64": "r"}
    return "".join(
        ("o" if dtype.ordered else "f")
        if isinstance(dtype, pd.CategoricalDtype)
        else letters[str(dtype)]
        for dtype in frame.dtypes
    )


def digest(frame: pd.DataFrame) -> str:
    sha = hashlib.sha256()
    for name, column in frame.items():
        levels = column.cat.categories if isinstance(column.dtype, pd.CategoricalDtype) else []
        sha.update("\n".join([str(name), *levels, *map(str, column.tolist())]).encode())
    return sha.hexdigest()[:16]


@pytest.mark.parametrize(("name", "n_rows", "types", "sha"), TABLES)
def test_loaded_table_has_the_values_types_and_levels_of_r(name, n_rows, types, sha):
    frame = datasets.load(name)
    assert (len(frame), kinds(frame), digest(frame)) == (n_rows, types, sha)
    assert not frame.isna().any(axis=None)
    assert isinstance(frame.index, pd.RangeIndex)


@pytest.mark.parametrize(("name", "column"), LEVELS)
def test_levels_are_strings_in_the_order_of_r(name, column):
    assert datasets.load(name)[column].cat.categories.tolist() == LEVELS[name, column]


@pytest.mark.parametrize("name", [table[0] for table in TABLES])
def test_every_data_set_has_a_documented_loader(name):
    load = getattr(datasets, f"load_{name.lower()}")
    assert f"load_{name.lower()}" in datasets.__all__
    assert load.__name__ == f"load_{name.lower()}"
    assert datasets.describe(name).source in " ".join(inspect.getdoc(load).split())
    pd.testing.assert_frame_equal(load(), datasets.load(name))


def test_names_are_those_of_r_in_alphabetical_order():
    assert datasets.names() == [table[0] for table in TABLES]


@pytest.mark.parametrize(("name", "n_rows", "types", "sha"), TABLES)
def test_description_agrees_with_the_table(name, n_rows, types, sha):
    dataset = datasets.describe(name)
    letters = {"integer": "i", "real": "r", "factor": "f", "ordered": "o"}
    assert dataset.n_rows == n_rows
    assert "".join(letters[column.kind] for column in dataset.columns.values()) == types
    assert list(dataset.columns) == list(datasets.load(name))
    assert all(column.meaning for column in dataset.columns.values())


def test_changing_a_loaded_frame_leaves_the_next_one_alone():
    frame = datasets.load_cbpp()
    frame.loc[0, "incidence"] = 99
    frame["herd"] = frame["herd"].cat.rename_categories(str.lower)
    assert datasets.load_cbpp().loc[0, "incidence"] == 2


def test_case_of_a_name_does_not_matter():
    assert datasets.describe("verbagg") is datasets.describe("VerbAgg")


@pytest.mark.parametrize("ask", [datasets.load, datasets.describe])
def test_unknown_name_suggests_the_nearest(ask):
    with pytest.raises(ArgumentError, match=r"unknown data set 'cbbp'.*Did you mean 'cbpp'\?"):
        ask("cbbp")


def test_description_reads_as_a_table():
    assert str(datasets.describe("cbpp")) == "\n".join(
        [
            "cbpp: Contagious bovine pleuropneumonia in herds of zebu cattle, Ethiopia",
            "56 rows, 4 columns; load_cbpp()",
            "",
            "  herd       factor  herd",
            "  incidence  integer new serological cases in the period",
            "  size       integer animals in the herd at the start of the period",
            "  period     factor  period of about three months",
            "",
            f"Source: {LME4};",
            "  Lesnoff et al. (2004) Preventive Veterinary Medicine 64:27-40",
        ]
    )


def test_description_lists_levels_that_are_not_numbers():
    table = datasets.describe("culcitalogreg").to_frame()
    assert table.loc["ttt"].tolist() == [
        "factor",
        "none, crabs, shrimp, both",
        "defenders present",
    ]
    assert "defenders present (none, crabs, shrimp, both)" in str(
        datasets.describe("culcitalogreg")
    )


def test_html_description_escapes_the_source():
    page = datasets.describe("cbpp")._repr_html_()
    assert "Bolker &amp; Walker" in page
    assert "<td>new serological cases in the period</td>" in page
