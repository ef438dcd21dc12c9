"""What verbs say about every trusted fit, beside what lme4, glmmTMB or plain R say about it."""

import numpy as np
import pandas as pd
import pytest

import mixedlm_pt as mlm
from tests.reference import trusted

COMPARABLE = [name for name in trusted.names() if name not in trusted.NOT_A_LIKELIHOOD]


def having(*keys):
    """Names of the fits with all these keys."""
    return [name for name in COMPARABLE if all(trusted.record(name).get(key) for key in keys)]


REGULAR = [name for name in COMPARABLE if trusted.record(name).get("singular") is not True]

# Both optima are Newton-polished: ours is within a decrement of 1e-9 of the maximum
# (test_convergence_is_certain), which is 5e-5 standard errors, theirs has Newton steps of that size
# or less. Relative to the largest value of a vector that is far below this.
RTOL = 1e-5
# Second derivatives: theirs are finite differences, good to 1.2e-5 in the worst case (SOURCE.md).
RTOL_COVARIANCE = 1e-3


def assert_close(ours, theirs, rtol=RTOL):
    theirs = np.asarray(theirs, np.float64)
    # Modes of a variance of zero are zero up to rounding error.
    atol = rtol * max(np.abs(theirs).max(), 1e-3)
    np.testing.assert_allclose(ours, theirs, rtol=rtol, atol=atol)


def effects(name):
    """The blocks of random effects of one fit, with the rows of ours that they name."""
    for block in trusted.record(name)["ranef"]:
        group = block["group"].split(".")[0]
        frame = trusted.fit(name).ranef()[group]
        labels = [str(label) for label in frame.index]
        yield group, block, [labels.index(str(level)) for level in block["levels"]]


@pytest.mark.parametrize("name", COMPARABLE)
def test_fitted_values_are_theirs(name):
    assert_close(trusted.fit(name).fitted()[:10], trusted.record(name)["fitted"])


@pytest.mark.parametrize("name", having("predict"))
def test_predictions_are_theirs_on_both_scales_with_and_without_random_effects(name):
    fit = trusted.fit(name)
    expected = trusted.record(name)["predict"]
    asked = {
        "link": {"type": "link"},
        "response": {"type": "response"},
        "link_population": {"type": "link", "re_form": "~0"},
        "response_population": {"type": "response", "re_form": "~0"},
    }
    assert expected.keys() <= asked.keys()
    for key, values in expected.items():
        assert_close(fit.predict(**asked[key])[:10], values)


@pytest.mark.parametrize("name", having("residuals"))
def test_residuals_of_every_type_are_theirs(name):
    expected = trusted.record(name)["residuals"]
    assert "response" in expected
    for type, values in expected.items():
        assert_close(trusted.fit(name).residuals(type)[:10], values)


@pytest.mark.parametrize("name", COMPARABLE)
def test_conditional_modes_are_theirs(name):
    for group, block, rows in effects(name):
        assert_close(
            trusted.fit(name).ranef()[group][block["terms"]].to_numpy()[rows], block["values"]
        )


@pytest.mark.parametrize("name", REGULAR)
def test_conditional_standard_deviations_are_theirs(name):
    ours = trusted.fit(name).ranef(condVar=True)
    for group, block, rows in effects(name):
        if block.get("cond_sd") is not None:
            assert_close(ours.se[group][block["terms"]].to_numpy()[rows], block["cond_sd"])


@pytest.mark.parametrize("name", REGULAR)
def test_variances_and_correlations_are_theirs(name):
    fit = trusted.fit(name)
    components = fit.VarCorr()
    for t, key in enumerate(components):
        expected = trusted.covariance(trusted.record(name), fit.model, t)
        sd = np.sqrt(np.diag(expected))
        assert_close(components[key], expected, 1e-4)
        assert_close(components.sd[key], sd, 1e-4)
        # epil2_nbinom2_slope: our correlation is -1, where glmmTMB's parameters cannot go.
        if not fit.isSingular():
            assert_close(components.corr[key], expected / np.outer(sd, sd), 1e-4)


@pytest.mark.parametrize("name", [name for name in having("vcov") if name in REGULAR])
def test_the_covariance_of_the_coefficients_is_theirs(name):
    expected = trusted.record(name)["vcov"]
    ours = trusted.fit(name).vcov()
    order = [column for column in expected["names"] if column in ours]
    where = [expected["names"].index(column) for column in order]
    theirs = np.array(expected["values"], np.float64)[np.ix_(where, where)]
    assert_close(ours.loc[order, order], theirs, RTOL_COVARIANCE)


@pytest.mark.parametrize("name", having("vcov_rx"))
def test_the_conditional_covariance_of_the_coefficients_is_lme4s(name):
    # Exact on both sides: no differences are taken.
    expected = trusted.record(name)["vcov_rx"]
    ours = trusted.fit(name).vcov(type="rx").loc[expected["names"], expected["names"]]
    assert_close(ours, expected["values"], 1e-4)


@pytest.mark.parametrize("name", COMPARABLE)
def test_criteria_and_counts_are_theirs(name):
    expected, fit = trusted.record(name), trusted.fit(name)
    assert fit.logLik() == pytest.approx(expected["logLik"], abs=1e-4)
    assert fit.npar() == expected["df"]
    assert fit.nobs() == expected["nobs"]
    assert fit.AIC() == pytest.approx(expected["AIC"], abs=2e-4)
    assert fit.BIC() == pytest.approx(expected["BIC"], abs=2e-4)
    assert fit.ngrps().to_dict() == expected["ngrps"]


@pytest.mark.parametrize("name", having("lme4_reported"))
def test_the_conditional_deviance_is_lme4s(name):
    expected = trusted.record(name)["lme4_reported"]
    if "deviance_conditional_residual" in expected:
        assert_close(trusted.fit(name).deviance(), expected["deviance_conditional_residual"])


@pytest.fixture(scope="module", params=["cbpp_lrt", "Contraception_lrt"])
def tests_of_lme4(request):
    """lme4's likelihood ratio tables, with our fits of the full and the reduced model."""
    record = trusted.record(request.param)
    data = mlm.datasets.load(record["dataset"])
    full, reduced = (
        mlm.glmer(record[f"formula_py_{which}"], data, record["family"])
        for which in ("full", "reduced")
    )
    return record, full, reduced


def theirs(record, table, renamed):
    """One of lme4's tables as a frame."""
    frame = pd.DataFrame(record[table]["columns"], index=record[table]["rows"], dtype=float)
    return frame.rename(columns=renamed)


def test_likelihood_ratio_tests_are_lme4s(tests_of_lme4):
    record, full, reduced = tests_of_lme4
    expected = theirs(record, "anova", {"deviance": "-2*log(L)", "Pr..Chisq.": "Pr(>Chisq)"})
    ours = mlm.anova(m0=reduced, m1=full).to_frame()
    # Statistics of lme4 are good to 1e-6 (SOURCE.md).
    pd.testing.assert_frame_equal(
        ours, expected[ours.columns], rtol=1e-4, atol=2e-6, check_dtype=False
    )
    assert ours["Chisq"].iloc[1] == pytest.approx(expected["Chisq"].iloc[1], abs=2e-6)


def test_single_term_deletions_are_lme4s(tests_of_lme4):
    record, full, _ = tests_of_lme4
    expected = theirs(record, "drop1", {"Pr.Chi.": "Pr(Chi)"})
    ours = full.drop1().to_frame()
    pd.testing.assert_frame_equal(ours, expected, rtol=1e-4, atol=2e-6, check_dtype=False)
    assert ours["LRT"].to_list()[1:] == pytest.approx(expected["LRT"].to_list()[1:], abs=2e-6)
    assert ours["AIC"].to_list() == pytest.approx(expected["AIC"].to_list(), abs=2e-6)


@pytest.fixture(scope="module")
def cbpp():
    return trusted.record("cbpp_confint"), trusted.fit("cbpp_logit_lme4")


def test_wald_limits_are_lme4s(cbpp):
    # lme4 has no limits for the sd, and a covariance by finite differences (1e-3 relative).
    record, fit = cbpp
    expected = theirs(record, "wald_95", {}).drop(index=".sig01")
    ours = fit.confint("beta_")
    np.testing.assert_allclose(ours.loc[expected.index], expected, rtol=2e-3)


def test_profile_limits_are_lme4s(cbpp):
    record, fit = cbpp
    expected = theirs(record, "profile_95_root", {})
    ours = fit.confint(method="profile")
    assert ours.index.tolist() == ["sd_(Intercept)|herd", *expected.index[1:]]
    np.testing.assert_allclose(ours, expected, atol=1e-5)


def test_predictions_for_new_data_are_lme4s(cbpp):
    record, (_, fit) = trusted.record("cbpp_newdata"), cbpp
    new = pd.DataFrame(record["newdata"])
    asked = {"newdata": new, "allow_new_levels": True}
    assert_close(fit.predict(type="link", **asked), record["link.1"])
    assert_close(fit.predict(type="response", **asked), record["response"])
    assert_close(fit.predict(type="link", re_form="~0", **asked), record["link_population"])
    assert_close(fit.predict(re_form="NA", **asked), record["response_population"])
