"""New data are read as the fitted data were."""

import numpy as np
import pandas as pd
import pytest

from mixedlm_pt.datasets import load_cbpp
from mixedlm_pt.design import build_design, new_design, term_positions
from mixedlm_pt.errors import ArgumentError, ColumnNotFoundError, DataError, FormulaError
from mixedlm_pt.families import Binomial, Gaussian, Poisson

FORMULA = "incidence / size ~ period + (1 | herd) + (0 + size | herd) + (1 | period:herd)"


@pytest.fixture
def cbpp():
    return load_cbpp().assign(x=np.linspace(-1, 2, 56) ** 3)


def test_the_fitted_data_give_the_fitted_arrays(cbpp):
    formula = (
        "cbind(incidence, size - incidence) ~ scale(x) * period + bs(size, df = 4) + (x | herd) + "
    )
    design = build_design(formula + "(1 | period:herd) + offset(x)", cbpp, Binomial())
    new = new_design(design, cbpp, require_response=True)
    np.testing.assert_array_equal(new.X, design.X)
    np.testing.assert_array_equal(new.offset, design.offset)
    np.testing.assert_array_equal(new.response.y, design.response.y)
    np.testing.assert_array_equal(new.weights, design.response.weights)
    for old, other in zip(design.factors, new.factors, strict=True):
        assert old.name == other.name
        np.testing.assert_array_equal(other.codes, old.codes)
        assert other.levels.equals(old.levels)
    for old, other in zip(design.terms, new.terms, strict=True):
        assert (old.label, old.columns, old.factor) == (other.label, other.columns, other.factor)
        np.testing.assert_array_equal(other.Z, old.Z)


def test_rows_can_be_read_one_at_a_time(cbpp):
    design = build_design("x ~ poly(size, 2) + period + (1 | herd)", cbpp, Gaussian())
    for row in (0, 17, 55):
        new = new_design(design, cbpp.iloc[[row]])
        np.testing.assert_allclose(new.X, design.X[[row]], atol=1e-14)
        assert new.factors[0].codes == design.factors[0].codes[row]


def test_levels_match_by_their_text(cbpp):
    design = build_design("x ~ period + (1 | herd)", cbpp, Gaussian())
    new = new_design(design, {"period": [2, 4.0], "herd": [15.0, 2.0]})
    assert new.X.tolist() == [[1, 1, 0, 0], [1, 0, 0, 1]]
    assert design.factors[0].levels[new.factors[0].codes].astype(str).tolist() == ["15", "2"]


def test_an_unseen_level_of_a_fixed_factor_is_an_error(cbpp):
    design = build_design("x ~ period + (1 | herd)", cbpp, Gaussian())
    message = r"factor 'period' has the level '5' in the new data, .* known: 1, 2, 3, 4"
    with pytest.raises(DataError, match=message):
        new_design(design, {"period": ["1", "5"], "herd": [1, 1]}, allow_new_levels=True)


def test_an_unseen_group_is_an_error_unless_allowed(cbpp):
    design = build_design(FORMULA, cbpp, Binomial())
    new = pd.DataFrame({"period": ["1", "1", "2"], "herd": ["1", "99", "9"], "size": 3})
    message = r"'herd' .* not seen: '99' at row 1 \(1 of 3 rows\)\. Allow it with allow_new_levels"
    with pytest.raises(DataError, match=message):
        new_design(design, new)
    with pytest.raises(DataError, match=r"'period:herd' .* not seen: '4:8' at row 0"):
        new_design(design, {"period": ["4"], "herd": ["8"], "size": [3]})
    read = new_design(design, new, allow_new_levels=True)
    assert [factor.name for factor in read.factors] == ["period:herd", "herd"]
    n_fitted = [factor.n_levels for factor in design.factors]
    assert (read.factors[1].codes < n_fitted[1]).tolist() == [True, False, True]
    assert read.factors[0].codes[0] < n_fitted[0] <= read.factors[0].codes[1]
    assert read.factors[0].levels[n_fitted[0] :].tolist() == ["1:99"]
    assert read.factors[1].levels[n_fitted[1] :].tolist() == ["99"]


def test_terms_left_out_need_no_columns(cbpp):
    design = build_design(FORMULA, cbpp, Binomial())
    new = new_design(design, {"period": ["1", "2"]}, terms=())
    assert new.terms == new.factors == ()
    assert new.weights.tolist() == [1, 1]
    chosen = [term.label for term in design.terms].index("1 | herd")
    one = new_design(design, {"period": ["1"], "herd": ["3"]}, terms=[chosen])
    assert [term.label for term in one.terms] == ["1 | herd"]
    assert [factor.name for factor in one.factors] == ["herd"]
    with pytest.raises(ColumnNotFoundError, match="no column 'herd'"):
        new_design(design, {"period": ["1"]}, terms=[chosen])


def test_re_form_chooses_terms(cbpp):
    design = build_design(FORMULA, cbpp, Binomial())
    labels = [term.label for term in design.terms]
    assert labels == ["1 | period:herd", "1 | herd", "0 + size | herd"]
    assert term_positions(design, None) == (0, 1, 2)
    assert term_positions(design, "~0") == term_positions(design, "NA") == ()
    assert term_positions(design, "~ (1 | herd)") == (1,)
    assert term_positions(design, "~ (size || herd)") == (1, 2)
    with pytest.raises(FormulaError, match=r"has the term \(size \| herd\), .* it has \(1 \| per"):
        term_positions(design, "~ (size | herd)")


def test_rows_with_missing_values_are_padded(cbpp):
    design = build_design("x ~ size + (1 | herd)", cbpp, Gaussian())
    new = new_design(design, pd.DataFrame({"size": [1, None, 2], "herd": [1, 1, None]}))
    assert new.omitted.tolist() == [False, True, True]
    np.testing.assert_array_equal(new.pad(np.array([7.0])), [7, np.nan, np.nan])


def test_trials_and_offsets_are_evaluated_in_new_data(cbpp):
    design = build_design("incidence / size ~ offset(log(x + 2))", cbpp, Binomial())
    new = new_design(design, {"x": [0.0, 1], "size": [5, 7]})
    np.testing.assert_array_equal(new.offset, np.log([2.0, 3]))
    assert new.weights.tolist() == [5, 7]
    by_weights = build_design("I(incidence / size) ~ 1 + x", cbpp, Binomial(), weights="size")
    assert new_design(by_weights, {"x": [0.0, 1], "size": [5, 7]}).weights.tolist() == [5, 7]
    assert new_design(by_weights, {"x": [0.0, 1]}, weights=[3, 4]).weights.tolist() == [3, 4]


def test_an_offset_array_has_to_be_given_again(cbpp):
    design = build_design("size ~ x", cbpp, Poisson(), offset=np.ones(56))
    with pytest.raises(ArgumentError, match="fitted with an array as offset; give offset="):
        new_design(design, {"x": [1.0]})
    assert new_design(design, {"x": [1.0]}, offset=[0.5]).offset == 0.5
    named = build_design("size ~ 1", cbpp, Poisson(), offset="x")
    assert new_design(named, {"x": [1.0]}).offset == 1.0


def test_kinds_of_columns_are_those_of_the_fit(cbpp):
    design = build_design("size ~ x", cbpp, Poisson())
    with pytest.raises(DataError, match="column 'x' was numeric in the fit and is categorical"):
        new_design(design, {"x": ["1", "2"]})


def test_a_new_response_uses_the_fitted_levels():
    data = {"s": ["no", "yes", "no"], "x": [1, 2, 4]}
    design = build_design("s ~ x", data, Binomial())
    new = new_design(design, {"s": ["yes", "yes"], "x": [0, 1]}, require_response=True)
    assert new.response.y.tolist() == [1, 1]
    with pytest.raises(
        DataError, match="response 's' has the value 'maybe'; the fit knows no, yes"
    ):
        new_design(design, {"s": ["maybe"], "x": [0]}, require_response=True)


def test_reading_new_data_does_not_change_the_specification(cbpp):
    design = build_design("x ~ scale(size)", cbpp, Gaussian())
    first = new_design(design, {"size": [100.0, 200.0]}).X
    np.testing.assert_array_equal(new_design(design, {"size": [100.0, 200.0]}).X, first)
    sizes = cbpp["size"]
    np.testing.assert_allclose(first[:, 1], ([100, 200] - sizes.mean()) / sizes.std())
