import numpy as np
import pytest
from scipy.stats import chi2

import mixedlm_pt as mlm
from mixedlm_pt.errors import ArgumentError

FORMULA = "use ~ age * urban + urban * livch + (1 | district)"


@pytest.fixture(scope="module")
def fit():
    return mlm.glmer(FORMULA, mlm.load_contraception())


def test_type_two_and_three_tables_are_cars(fit):
    # R 4.2, glmmTMB 1.1.5 with rel.tol = 1e-15, car 3.1-1:
    # a <- glmmTMB(use ~ age*urban + urban*livch + (1|district), Contraception, binomial)
    # Anova(a, type = 2); Anova(a, type = 3). glmmTMB stops 1e-5 standard errors short.
    two = fit.anova().to_frame()
    assert list(two.index) == ["age", "urban", "livch", "age:urban", "urban:livch"]
    assert two["Df"].tolist() == [1, 1, 3, 1, 3]
    assert two["Chisq"].tolist() == pytest.approx(
        [12.003488198, 37.802772163, 79.186868604, 0.116972753, 1.826034194], rel=1e-4
    )
    three = fit.anova(type=3).to_frame()
    assert list(three.index) == ["(Intercept)", *two.index]
    assert three["Chisq"].tolist() == pytest.approx(
        [104.627130166, 7.478800370, 14.809356179, 60.427163178, 0.116972753, 1.826034194], rel=1e-4
    )
    assert three["Pr(>Chisq)"].tolist() == pytest.approx(
        chi2.sf(three["Chisq"], three["Df"]).tolist()
    )


def test_type_three_depends_on_the_contrasts_and_says_so(fit):
    contrasts = {"urban": "sum", "livch": "sum"}
    centred = mlm.glmer(FORMULA, mlm.load_contraception(), contrasts=contrasts)
    # R: the same with contrasts = list(urban = "contr.sum", livch = "contr.sum")
    assert centred.anova(type="III").to_frame()["Chisq"].tolist() == pytest.approx(
        [17.552086631, 10.900360110, 32.566311614, 70.333913115, 0.116927319, 1.826227395],
        rel=1e-3,
    )
    assert fit.anova().to_frame()["Chisq"].tolist() == pytest.approx(
        centred.anova().to_frame()["Chisq"].tolist(), rel=1e-6
    )
    assert not centred.anova(type=3).notes
    assert "contrasts={'urban': 'sum', 'livch': 'sum'}" in fit.anova(type=3).notes[0]


def test_a_factor_without_interaction_needs_no_note():
    cbpp = mlm.glmer("incidence / size ~ period + (1 | herd)", mlm.load_cbpp())
    assert not cbpp.anova(type=3).notes


def test_a_robust_covariance_gives_robust_tests(fit):
    V = fit.vcov(type="sandwich").to_numpy()
    own = fit.design.assign == 3
    expected = fit.beta[own] @ np.linalg.solve(V[np.ix_(own, own)], fit.beta[own])
    table = fit.anova(type=3, vcov="sandwich").to_frame()
    assert table.loc["livch", "Chisq"] == pytest.approx(expected)
    assert fit.anova(type=3, vcov=V).to_frame().equals(table)


def test_bad_arguments_are_refused(fit):
    with pytest.raises(ArgumentError, match="type is 1; Wald tables are of type 2 or 3"):
        fit.anova(type=1)
    with pytest.raises(ArgumentError, match="anova\\(\\) got several"):
        fit.anova(fit, type=3)
    with pytest.raises(ArgumentError, match=r"vcov has shape \(2, 2\); the model has 10"):
        fit.anova(vcov=np.eye(2))
