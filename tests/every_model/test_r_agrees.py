"""Verbs on models picked at random, against R 4.2 (glmmTMB 1.1.5, lme4 1.1-31, emmeans, car)."""

import numpy as np
import pytest

import mixedlm_pt as mlm
from mixedlm_pt.errors import SingularFitWarning


def test_profile_of_crossed_poisson():
    """glmmTMB(TICKS ~ YEAR + I(HEIGHT/100) + (1|BROOD) + (1|LOCATION), family = poisson);
    confint(m, parm = "beta_", method = "profile"), which interpolates a coarse profile.
    """
    fit = mlm.glmer(
        "TICKS ~ YEAR + I(HEIGHT / 100) + (1 | BROOD) + (1 | LOCATION)",
        mlm.load_grouseticks(),
        "poisson",
    )
    limits = fit.confint(["YEAR96", "YEAR97"], method="profile")
    expected = [[0.7150215, 1.62883837], [-1.4873718, -0.47535413]]
    np.testing.assert_allclose(limits, expected, atol=2e-3)


@pytest.fixture(scope="module")
def seizures():
    return mlm.load_epil2()


def test_emmeans_and_drop1_of_a_negative_binomial_with_offset(seizures):
    """m <- glmmTMB(y ~ Base * trt + offset(log(Age)) + (1|subject), family = nbinom2);
    emmeans(m, ~trt); emmeans(m, ~trt, offset = 0); drop1(m, test = "Chisq").
    """
    fit = mlm.glmer("y ~ Base * trt + offset(log(Age)) + (1 | subject)", seizures, "nbinom2")
    means = fit.emmeans("trt").to_frame()
    np.testing.assert_allclose(means["emmean"], [1.8188964, 1.4786376], rtol=1e-5)
    np.testing.assert_allclose(means["SE"], [0.10460074, 0.10464919], rtol=1e-4)
    at_zero = fit.emmeans("trt", offset=0).to_frame()
    np.testing.assert_allclose(at_zero["emmean"], [0.61899682, 0.27873802], rtol=1e-5)
    table = fit.drop1().table
    assert list(table.index) == ["<none>", "Base:trt"]
    assert table.loc["Base:trt", "LRT"] == pytest.approx(2.49725, rel=1e-4)


def test_drop1_keeps_main_effects_of_an_interaction(seizures):
    """drop1(glmmTMB(y ~ Base + trt + Visit * Age + (1|subject), family = nbinom2))."""
    fit = mlm.glmer("y ~ Base + trt + Visit * Age + (1 | subject)", seizures, "nbinom2")
    table = fit.drop1().table
    assert list(table.index) == ["<none>", "Base", "trt", "Visit:Age"]
    np.testing.assert_allclose(table["LRT"].iloc[1:], [58.5266, 4.3191, 1.3543], rtol=1e-4)
    np.testing.assert_allclose(table["AIC"], [1266.46, 1322.99, 1268.78, 1265.81], atol=6e-3)


def test_influence_by_group_is_the_fit_without_the_group():
    """glmer(round(Reaction/20) ~ Days + (1|Subject), poisson) without subjects 308 and 335."""
    data = mlm.load_sleepstudy().assign(y=lambda d: (d["Reaction"] / 20).round())
    fit = mlm.glmer("y ~ Days + (1 | Subject)", data, "poisson")
    change = fit.influence(groups="Subject", exact=True).to_frame().filter(like="change.")
    without = fit.fixef().to_numpy() + change[["change.(Intercept)", "change.Days"]]
    np.testing.assert_allclose(without.loc["308"], [2.536677859, 0.033110005], rtol=1e-5)
    np.testing.assert_allclose(without.loc["335"], [2.533504894, 0.037502751], rtol=1e-5)


def test_standard_errors_of_predictions_for_new_levels_of_nested_factors():
    """glmmTMB(SiblingNegotiation ~ FoodTreatment + ArrivalTime + (1|SexParent/Nest), nbinom2);
    predict(m, nd, se.fit = TRUE, type = "link", allow.new.levels = TRUE), rows 1 to 3 of the data
    with new nests in 2 and 3 and a new parent in 3.
    """
    data = mlm.load_owls()
    formula = "SiblingNegotiation ~ FoodTreatment + ArrivalTime + (1 | SexParent / Nest)"
    with pytest.warns(SingularFitWarning, match=r"\(1 \| SexParent\) is zero"):
        fit = mlm.glmer(formula, data, "nbinom2")
    new = data.head(3).astype({"Nest": object, "SexParent": object})
    new.loc[new.index[1:], "Nest"], new.loc[new.index[2], "SexParent"] = "new", "x"
    found = fit.predict(new, type="link", se_fit=True, allow_new_levels=True)
    np.testing.assert_allclose(found["fit"], [2.0140362, 1.6761592, 2.3416601], rtol=1e-4)
    np.testing.assert_allclose(found["se_fit"], [0.24712125, 0.43716253, 0.43404724], rtol=1e-3)


def test_wald_tables_of_sum_contrasts():
    """car::Anova(glmmTMB(cbind(incidence, size - incidence) ~ period * x + (1|herd), binomial,
    contrasts = list(period = "contr.sum")), type = 3), and type = 2.
    """
    data = mlm.load_cbpp()
    data = data.assign(x=np.linspace(-1, 1, len(data)) ** 2)
    fit = mlm.glmer("incidence / size ~ period * x + (1 | herd)", data, contrasts={"period": "sum"})
    third, second = (fit.anova(type=k).table["Chisq"] for k in (3, 2))
    np.testing.assert_allclose(third, [51.67551, 15.16295, 0.02555, 4.31989], rtol=1e-3)
    np.testing.assert_allclose(second, [22.19488, 0.07343, 4.31989], rtol=1e-3)


def test_moments_of_simulated_gamma_responses():
    """Mean and variance of a Gamma with log-normal group effects, by the laws of total moments."""
    data = mlm.load_sleepstudy()
    fit = mlm.glmer("Reaction ~ Days + (Days | Subject)", data, "gamma")
    y = fit.simulate(nsim=4000, seed=1).to_numpy()
    Z = np.column_stack([np.ones(len(data)), data["Days"]])
    variance = ((Z @ fit.Lambda[0]) ** 2).sum(axis=1)
    eta = fit.design.X @ fit.beta
    mean = np.exp(eta + variance / 2)
    second = (1 + fit.phi) * np.exp(2 * eta + 2 * variance)
    np.testing.assert_allclose(y.mean(axis=1), mean, rtol=0.02)
    np.testing.assert_allclose(y.std(axis=1), np.sqrt(second - mean**2), rtol=0.06)
