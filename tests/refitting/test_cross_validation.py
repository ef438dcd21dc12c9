"""`cross_validate` against integrals that are done by brute force."""

import numpy as np
import pandas as pd
import pytest
from scipy.integrate import quad
from scipy.stats import binom, multivariate_normal, norm

import mixedlm_pt as mlm
from mixedlm_pt.errors import ArgumentError, ColumnNotFoundError, EstimationError
from mixedlm_pt.refitting.cross_validation import trained_fit
from mixedlm_pt.refitting.predictive_density import (
    joint_log_density,
    log_densities,
    new_predictor,
    rows_beside,
)

FORMULA = "incidence / size ~ period + (1 | herd)"


@pytest.fixture(scope="module")
def cbpp():
    return mlm.glmer(FORMULA, mlm.load_cbpp(), nAGQ=25)


@pytest.fixture(scope="module")
def gaussian():
    rng = np.random.default_rng(2)
    data = pd.DataFrame({"g": np.arange(48) % 8, "h": np.arange(48) % 5, "x": rng.normal(size=48)})
    data["y"] = 1 + data["x"] + rng.normal(size=8)[data["g"]] + rng.normal(size=48)
    data["y"] += rng.normal(size=5)[data["h"]]
    return mlm.glmer("y ~ x + (x || g) + (1 | h)", data, "gaussian", control=QUIET)


QUIET = mlm.GlmerControl(check_singular=False)


def herd_density(fit, rows):
    """Marginal density of one herd's rows, given the estimates."""
    design = fit.design
    y, n = design.response.y[rows], design.response.weights[rows]
    eta = design.X[rows] @ fit.beta

    def integrand(z):
        p = 1.0 / (1.0 + np.exp(-(eta + fit.theta[0] * z)))
        return binom.pmf(np.round(y * n), n, p).prod() * norm.pdf(z)

    return np.log(quad(integrand, -9, 9, epsabs=0, epsrel=1e-11, limit=200)[0])


def test_a_left_out_group_has_its_marginal_density(cbpp):
    rows = np.flatnonzero(cbpp.design.factors[0].codes == 3)
    left = np.setdiff1d(np.arange(56), rows)
    trained = trained_fit(cbpp, left)
    # At the estimates of the others, which have not seen it.
    whole = cbpp.replace(estimate=trained.estimate)
    score = joint_log_density(trained, cbpp.design, rows, left)
    assert score == pytest.approx(herd_density(whole, rows), abs=1e-9)


def test_a_left_out_row_has_its_density_given_the_rest_of_its_group(cbpp):
    herd = np.flatnonzero(cbpp.design.factors[0].codes == 3)
    row = herd[:1]
    left = np.setdiff1d(np.arange(56), row)
    trained = trained_fit(cbpp, left)
    whole = cbpp.replace(estimate=trained.estimate)
    exact = herd_density(whole, herd) - herd_density(whole, herd[1:])
    assert joint_log_density(trained, cbpp.design, row, left) == pytest.approx(exact, abs=1e-9)
    # With the normal approximation of the herd's effect.
    design = rows_beside(cbpp.design, row, left)
    score = log_densities(trained, design, new_predictor(trained, design))
    assert score[0] == pytest.approx(exact, abs=0.02)


def gaussian_moments(fit, out, left):
    """Mean and covariance of left-out rows given the others: the multivariate normal."""
    design = fit.design
    V = fit.phi * np.eye(design.n)
    for term, Lambda in zip(design.terms, fit.Lambda, strict=True):
        same = np.equal.outer(*(design.factors[term.factor].codes,) * 2)
        V += same * (term.Z @ Lambda @ Lambda.T @ term.Z.T)
    residual = (design.response.y - design.X @ fit.beta)[left]
    weights = np.linalg.solve(V[np.ix_(left, left)], V[np.ix_(left, out)])
    mean = design.X[out] @ fit.beta + weights.T @ residual
    return mean, V[np.ix_(out, out)] - V[np.ix_(out, left)] @ weights


def test_gaussian_scores_are_those_of_the_multivariate_normal(gaussian):
    # Crossed factors: rows of a new level of g share the levels of h with the rest.
    out = np.flatnonzero(gaussian.design.factors[0].codes == 2)
    left = np.setdiff1d(np.arange(48), out)
    trained = trained_fit(gaussian, left)
    mean, V = gaussian_moments(gaussian.replace(estimate=trained.estimate), out, left)
    y = gaussian.design.response.y[out]
    joint = joint_log_density(trained, gaussian.design, out, left)
    assert joint == pytest.approx(multivariate_normal(mean, V).logpdf(y), abs=1e-8)
    design = rows_beside(gaussian.design, out, left)
    predictor = new_predictor(trained, design)
    np.testing.assert_allclose(predictor.eta, mean, atol=1e-8)
    np.testing.assert_allclose(predictor.sd**2 + trained.phi, np.diag(V), atol=1e-8)
    scores = log_densities(trained, design, predictor)
    np.testing.assert_allclose(scores, norm.logpdf(y, mean, np.sqrt(np.diag(V))), atol=1e-9)


def test_a_sharp_density_is_integrated_exactly():
    # A million trials know the mean a thousand times better than the random effect does.
    data = pd.DataFrame({"g": np.arange(12), "n": 1_000_000})
    data["s"] = np.linspace(200_000, 800_000, 12).astype(int)
    fit = mlm.glmer("s / n ~ 1 + (1 | g)", data)
    out, left = np.array([0]), np.arange(1, 12)
    trained = trained_fit(fit, left)
    design = rows_beside(fit.design, out, left)
    score = log_densities(trained, design, new_predictor(trained, design))[0]
    centre = (np.log(0.25) - trained.beta[0]) / trained.theta[0]

    def integrand(z):
        p = 1.0 / (1.0 + np.exp(-(trained.beta[0] + trained.theta[0] * z)))
        return binom.pmf(200_000, 1_000_000, p) * norm.pdf(z)

    exact = quad(integrand, centre - 0.05, centre + 0.05, epsabs=0, epsrel=1e-10, limit=400)[0]
    assert score == pytest.approx(np.log(exact), abs=1e-7)


def test_rows_are_predicted_once_each_and_the_metrics_are_their_means(cbpp):
    cv = cbpp.cross_validate(folds=7, seed=3)
    assert len(cv.rows) == len(cv.units) == 56
    assert cv.folds["rows"].tolist() == [8] * 7
    error = cv.rows["response"] - cv.rows["prediction"]
    assert cv.totals.loc["RMSE", "Estimate"] == pytest.approx(np.sqrt((error**2).mean()))
    assert cv.totals.loc["MAE", "Estimate"] == pytest.approx(error.abs().mean())
    assert cv.totals.loc["elpd", "Estimate"] == pytest.approx(cv.folds["elpd"].sum())
    standard_error = np.sqrt(56) * cv.units["elpd"].std()
    assert cv.totals.loc["elpd", "Std. Error"] == pytest.approx(standard_error)
    # Every trial is a success or a failure.
    n, y, p = mlm.load_cbpp()["size"], cv.rows["response"], cv.rows["prediction"]
    brier = (n * (y * (1 - p) ** 2 + (1 - y) * p**2)).sum() / n.sum()
    assert cv.totals.loc["Brier", "Estimate"] == pytest.approx(brier)
    p = p.to_numpy()
    deviance = -2 * n * (binom.logpmf(np.round(n * y), n, p) - binom.logpmf(np.round(n * y), n, y))
    assert cv.totals.loc["deviance", "Estimate"] == pytest.approx((deviance / n).mean(), rel=1e-6)


def test_leaving_out_groups_leaves_out_all_their_rows(cbpp):
    cv = cbpp.cross_validate(folds=5, groups="herd", seed=3)
    assert len(cv.units) == 15
    assert cv.units["rows"].sum() == 56
    fold = cv.rows.groupby(mlm.load_cbpp()["herd"].to_numpy())["fold"].nunique()
    assert (fold == 1).all()
    # A new herd is predicted at the population average, so rows of a period agree in a fold.
    period = mlm.load_cbpp()["period"].to_numpy()
    spread = cv.rows.groupby(["fold", period])["prediction"].std().dropna()
    assert spread.max() < 1e-12


def test_every_group_its_own_fold_gives_the_exact_densities(cbpp):
    cv = cbpp.cross_validate(folds=15, groups="herd", seed=3)
    herd = cbpp.design.factors[0]
    code = 6
    rows = np.flatnonzero(herd.codes == code)
    trained = trained_fit(cbpp, np.setdiff1d(np.arange(56), rows))
    expected = herd_density(cbpp.replace(estimate=trained.estimate), rows)
    assert cv.units.loc[herd.levels[code], "elpd"] == pytest.approx(expected, abs=1e-8)


def test_groups_may_be_a_column_or_labels(cbpp):
    by_column = cbpp.cross_validate(folds=3, groups="herd", seed=1)
    labels = mlm.load_cbpp()["herd"].to_numpy()
    by_labels = cbpp.cross_validate(folds=3, groups=labels, seed=1)
    pd.testing.assert_frame_equal(by_column.totals, by_labels.totals)
    with pytest.raises(ColumnNotFoundError, match="no column 'heard'"):
        cbpp.cross_validate(groups="heard")


def test_a_fold_with_all_rows_of_a_category_fails_and_is_named(cbpp):
    data = mlm.load_cbpp()
    parity = np.where(data["herd"].astype(int) % 2 == 0, "even", "odd")
    groups = np.where(data["period"] == "4", "late", parity)
    cv = cbpp.cross_validate(folds=3, groups=groups, seed=1)
    ((fold, reason),) = cv.failures.items()
    assert reason == "the other folds do not determine the coefficients period4."
    assert len(cv.folds) == 2
    assert f"Fold {fold} failed: the other folds" in str(cv)
    # The folds are shuffled: any of the four categories may be the first left out.
    with pytest.raises(EstimationError, match=r"every fold failed, .* the coefficients .*period\d"):
        cbpp.cross_validate(groups="period", seed=1)


def test_a_better_model_has_the_higher_elpd(cbpp):
    cv, flat = (
        fit.cross_validate(seed=1, groups="herd") for fit in (cbpp, cbpp.update(". ~ . - period"))
    )
    assert cv.rows["fold"].tolist() == flat.rows["fold"].tolist()
    assert cv.totals.loc["elpd", "Estimate"] > flat.totals.loc["elpd", "Estimate"] + 3.0


def test_the_seed_alone_decides_the_folds(cbpp):
    one = cbpp.cross_validate(folds=3, seed=5)
    pd.testing.assert_frame_equal(one.totals, cbpp.cross_validate(folds=3, seed=5).totals)
    again = cbpp.cross_validate(folds=3)
    pd.testing.assert_frame_equal(again.units, cbpp.cross_validate(folds=3, seed=again.seed).units)


def test_quasi_families_have_no_elpd_and_others_no_brier(gaussian):
    quasi = mlm.glmer(FORMULA, mlm.load_cbpp(), "quasibinomial")
    assert quasi.cross_validate(folds=2, seed=1).totals.index.to_list() == [
        "deviance",
        "Brier",
        "RMSE",
        "MAE",
    ]
    with pytest.raises(ArgumentError, match="unknown metric 'elpd'"):
        quasi.cross_validate(metrics=["elpd"])
    with pytest.raises(ArgumentError, match="unknown metric 'Brier'"):
        gaussian.cross_validate(metrics=["Brier"])
    only = gaussian.cross_validate(folds=2, metrics=["RMSE"], seed=1)
    assert list(only.folds) == ["rows", "units", "RMSE"]
    with pytest.raises(ArgumentError, match="folds is 1; there must be at least 2, of 48 units"):
        gaussian.cross_validate(folds=1)


def test_without_predicted_means_there_is_elpd():
    # The mean 1 / eta has no average over a normal eta.
    rng = np.random.default_rng(0)
    data = pd.DataFrame({"g": np.arange(80) % 8})
    data["y"] = rng.gamma(3.0, np.exp(0.6 * rng.normal(size=8)[data["g"]]) / 3.0)
    family = mlm.families.Gamma(link="inverse")
    fit = mlm.glmer("y ~ 1 + (1 | g)", data, family, control=QUIET)
    with pytest.raises(EstimationError, match="'inverse' has no mean"):
        fit.cross_validate(folds=2, seed=1)
    cv = fit.cross_validate(folds=2, metrics=["elpd"], seed=1)
    assert np.isfinite(cv.totals.loc["elpd", "Estimate"])
    assert cv.totals.index.to_list() == ["elpd"]


def test_it_prints_as_text_and_html(cbpp):
    cv = cbpp.cross_validate(folds=3, groups="herd", seed=1)
    assert str(cv).startswith("Cross-validation: 15 groups of herd in 3 folds")
    assert "<table" in cv._repr_html_()
    frame = cv.to_frame()
    assert frame.index.to_list() == [1, 2, 3, "total"]
    assert frame.loc["total", "rows"] == 56
