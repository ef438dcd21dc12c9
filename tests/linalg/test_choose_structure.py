"""The structure follows from how the grouping factors meet, and says so in words."""

import numpy as np
import pytest

from mixedlm_pt.linalg import choose_structure, structure

LEAF = np.arange(24)
NAMES = ["pupil", "class", "school"]


def choose(*codes, columns=None, kind=None):
    n_levels = [int(g.max()) + 1 for g in codes]
    columns = columns or [1] * len(codes)
    return choose_structure(list(codes), n_levels, columns, NAMES[: len(codes)], kind)


@pytest.mark.parametrize(
    ("codes", "columns", "words"),
    [
        ([LEAF], [2], "block diagonal: pupil (24 x 2)"),
        ([LEAF, LEAF // 4], [2, 1], "block diagonal: pupil (24 x 2) nested in class (6 x 1)"),
        (
            [LEAF, LEAF // 4, LEAF // 12],
            [1, 2, 1],
            "block diagonal: pupil (24 x 1) nested in class (6 x 2) nested in school (2 x 1)",
        ),
    ],
)
def test_one_factor_and_nested_factors_are_a_tree(codes, columns, words):
    chosen = choose(*codes, columns=columns)
    assert chosen.layout.kind == "tree"
    assert chosen.description == words
    assert chosen.q == sum((g.max() + 1) * k for g, k in zip(codes, columns, strict=True))


def test_crossed_factors_eliminate_the_largest():
    chosen = choose(LEAF, LEAF % 5, columns=[1, 2])
    assert chosen.layout.kind == "tree"
    chosen = choose(LEAF // 2, LEAF % 5, columns=[1, 2])
    assert chosen.layout.kind == "crossed"
    assert chosen.description == (
        "crossed: pupil (12 x 1) eliminated, dense Cholesky of class (5 x 2)"
    )


def test_one_factor_that_crosses_a_nested_pair_is_crossed():
    chosen = choose(LEAF // 2, LEAF // 8, LEAF % 2)
    assert chosen.layout.kind == "crossed"
    assert chosen.description.endswith("dense Cholesky of class (3 x 1) and school (2 x 1)")


def test_sparse_is_chosen_above_the_limit_of_the_dense_rest(monkeypatch):
    monkeypatch.setattr(structure, "DENSE_REST_LIMIT", 10)
    assert choose(LEAF // 2, LEAF % 5, columns=[1, 2]).layout.kind == "crossed"
    monkeypatch.setattr(structure, "DENSE_REST_LIMIT", 9)
    chosen = choose(LEAF // 2, LEAF % 5, columns=[1, 2])
    assert chosen.layout.kind == "sparse"
    assert chosen.description == "sparse Cholesky of pupil (12 x 1) and class (5 x 2)"


@pytest.mark.parametrize(("meets", "kind"), [("neighbours", "sparse"), ("any", "crossed")])
def test_levels_that_meet_few_others_are_sparse_below_the_limit_too(monkeypatch, meets, kind):
    monkeypatch.setattr(structure, "ANALYSED_REST", 100)
    row = np.arange(1200)
    partner = np.random.default_rng(0).permutation(row) if meets == "any" else row + 1
    chosen = choose(row // 4, partner // 5 % 240)
    assert chosen.layout.kind == kind


def test_index_arrays_are_contiguous_whatever_the_codes_are():
    level, column = np.nonzero(np.ones((5, 4)))
    assert not level.flags.c_contiguous
    for kind in ("crossed", "sparse", "dense"):
        assert all(array.flags.c_contiguous for array in choose(level, column, kind=kind).index)


@pytest.mark.parametrize("least", [0, 10**6])
def test_keys_are_found_in_a_table_and_by_sorting(monkeypatch, least):
    monkeypatch.setattr(structure, "TABLE_PER_NUMBER", 0)
    monkeypatch.setattr(structure, "TABLE_LEAST", least)
    keys = np.random.default_rng(0).integers(0, 10**5, (50, 2))
    distinct, place = structure.located(keys, 10**5)
    np.testing.assert_array_equal(distinct, np.unique(keys))
    np.testing.assert_array_equal(distinct[place], keys)


def test_nested_factors_stay_a_tree_above_the_limit(monkeypatch):
    monkeypatch.setattr(structure, "DENSE_REST_LIMIT", 1)
    assert choose(LEAF, LEAF // 4).layout.kind == "tree"


def test_columns_lie_factor_after_factor_and_level_after_level():
    chosen = choose(np.array([1, 0, 2]), np.array([0, 1, 0]), columns=[2, 1])
    np.testing.assert_array_equal(chosen.cols, [[2, 3, 6], [0, 1, 7], [4, 5, 6]])


@pytest.mark.parametrize("kind", ["tree", "crossed", "sparse", "dense"])
def test_layouts_of_equal_columns_are_equal_whatever_the_data(kind):
    step = 4 if kind == "tree" else 1
    first = choose(LEAF, LEAF // 4, kind=kind)
    second = choose(LEAF[:20], LEAF[:20] // step % 5, kind=kind)
    assert first.layout == second.layout
    assert hash(first.layout) == hash(second.layout)
    assert first.layout.n_index == len(first.index)
