import matplotlib.pyplot as plt
import numpy as np
import pytest

import mixedlm_pt as mlm
from mixedlm_pt.errors import ArgumentError


@pytest.fixture(autouse=True)
def close():
    yield
    plt.close("all")


@pytest.fixture(scope="module")
def use():
    return mlm.glmer(
        "use ~ (age + I(age^2)) * urban + livch + (1 | district)", mlm.load_contraception()
    )


def test_a_curve_is_the_estimated_mean(use):
    ax = use.plot_effects(["age", "urban"], points=False).axes[0]
    assert [line.get_label() for line in ax.lines] == ["N", "Y"]
    x, y = ax.lines[1].get_data()
    expected = use.emmeans("urban", at={"age": [x[30]]}, type="response").to_frame()
    assert y[30] == pytest.approx(expected["prob"].iloc[1])
    assert ax.get_xlabel() == "age"
    assert ax.get_ylabel() == "use (probability)"
    assert ax.get_legend().get_title().get_text() == "urban"
    band = ax.collections[1].get_paths()[0].vertices
    assert band[:, 1].min() > 0
    assert band[:, 1].max() < 1


def test_levels_are_points_in_the_order_of_the_factor():
    fit = mlm.glmer("incidence / size ~ period + (1 | herd)", mlm.load_cbpp())
    ax = fit.plot_effects("period").axes[0]
    assert [label.get_text() for label in ax.get_xticklabels()] == ["1", "2", "3", "4"]
    line = next(line for line in ax.lines if len(line.get_xdata()) == 4)
    expected = fit.emmeans("period", type="response").to_frame()["prob"]
    assert line.get_ydata().tolist() == pytest.approx(expected.tolist())
    data = ax.collections[0].get_offsets()
    assert len(data) == 56
    assert np.abs(np.asarray(data)[:, 0] - np.round(np.asarray(data)[:, 0])).max() < 0.1


def test_outlying_counts_are_counted_instead_of_flattening_the_curve():
    data = mlm.load_grouseticks()
    fit = mlm.glmer("TICKS ~ YEAR * HEIGHT + (1 | BROOD)", data, "poisson")
    ax = fit.plot_effects(["HEIGHT", "YEAR"]).axes[0]
    top = ax.get_ylim()[1]
    assert ax.texts[0].get_text() == f"{(data['TICKS'] > top).sum()} observations above"
    groups = fit.plot_effects(["YEAR", "HEIGHT"]).axes[0].get_legend().get_texts()
    assert len(groups) == 3


def test_the_link_scale_has_no_data(use):
    ax = use.plot_effects("livch", type="link").axes[0]
    assert ax.get_ylabel() == "use (linear predictor)"
    assert not any(len(part.get_offsets()) == 1934 for part in ax.collections)


def test_axes_and_values_can_be_given(use):
    figure, ax = plt.subplots()
    assert use.plot_effects("age", at={"age": [-10, 0, 10]}, ax=ax) is figure
    assert ax.lines[0].get_xdata().tolist() == [-10, 0, 10]
    shown = use.plot_effects(["livch", "urban"], at={"livch": ["0", "2"], "urban": ["Y"]}).axes[0]
    assert [label.get_text() for label in shown.get_xticklabels()] == ["0", "2"]


def test_bad_arguments_are_refused(use):
    with pytest.raises(ArgumentError, match="one or two predictors, not 3"):
        use.plot_effects(["age", "urban", "livch"])
    with pytest.raises(ArgumentError, match="unknown predictor 'district'"):
        use.plot_effects("district")
