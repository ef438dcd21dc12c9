"""What the command line prints and writes: lme4's numbers, and those of the library."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import mixedlm_pt as mlm
from mixedlm_pt.cli import main

FITS = Path(__file__).parents[1] / "reference" / "fits"
FORMULA = "incidence / size ~ period + (1 | herd)"


def lme4(name):
    return json.loads((FITS / f"{name}.json").read_text())


def by_name(rows, name):
    return {row[name]: row for row in rows}


def test_the_document_holds_the_numbers_of_lme4(cbpp_fit, document):
    code, found = document(*cbpp_fit, "--nagq", "25")
    expected = lme4("cbpp_logit_agq25_lme4")
    assert code == 0
    coefficients = by_name(found["coefficients"], "term")
    for name, value in expected["fixef"].items():
        assert coefficients[name]["estimate"] == pytest.approx(value, abs=1e-4)
        assert coefficients[name]["std_error"] == pytest.approx(expected["se"][name], rel=1e-3)
    (herd,) = found["VarCorr"]
    assert herd["grp"] == "herd"
    assert herd["sdcor"] == pytest.approx(found["theta"][0])
    assert found["groups"] == {"herd": 15}
    assert found["data"]["rows_used"] == 56
    assert found["model"]["nAGQ"] == 25
    assert found["convergence"]["ok"]
    assert found["posterior"] is None


def test_the_summary_on_the_terminal_is_that_of_the_library(cbpp_fit, capsys):
    assert main(["fit", *cbpp_fit]) == 0
    printed = capsys.readouterr()
    fit = mlm.glmer(FORMULA, mlm.load_cbpp())
    assert printed.out == f"{fit.summary()}\n\n"
    assert printed.err == ""


def test_limits_by_profile_are_those_of_lme4_and_ratios_their_exponentials(
    cbpp_fit, document, capsys
):
    code, found = document(*cbpp_fit, "--confint", "profile", "--exponentiate")
    assert code == 0
    assert capsys.readouterr().out == ""
    expected = lme4("cbpp_confint")["profile_95"]
    rows = by_name(found["random_effects"], "parameter") | by_name(found["coefficients"], "term")
    limits = zip(rows.values(), *expected["columns"].values(), strict=True)
    for row, lower, upper in limits:
        # lme4 interpolates its profile.
        assert row["conf_low"] == pytest.approx(lower, abs=5e-4)
        assert row["conf_high"] == pytest.approx(upper, abs=5e-4)
    rows = by_name(found["coefficients"], "term")
    for row in rows.values():
        assert row["ratio"] == pytest.approx(np.exp(row["estimate"]))
        assert row["ratio_low"] == pytest.approx(np.exp(row["conf_low"]))
    assert found["limits"] == {"method": "profile", "level": 0.95}


def test_tables_of_limits_have_the_names_of_confint(cbpp_fit, capsys):
    assert main(["fit", *cbpp_fit, "--confint", "wald", "--level", "0.9", "--exponentiate"]) == 0
    _, limits, ratios, end = capsys.readouterr().out.rsplit("\n\n", 3)
    assert end == ""
    assert limits.splitlines()[0] == "Limits of 90 % (Wald)"
    assert limits.splitlines()[1].split() == ["Estimate", "5", "%", "95", "%"]
    assert limits.splitlines()[2].split()[0] == "sd_(Intercept)|herd"
    assert ratios.splitlines()[-1].split()[:2] == ["period4", "0.2059"]


def test_predictions_are_those_of_lme4(cbpp_fit, tmp_path):
    expected = lme4("cbpp_newdata")
    new, out = tmp_path / "new.csv", tmp_path / "out.csv"
    pd.DataFrame(expected["newdata"]).to_csv(new, index=False)
    options = ["--predict", str(new), "--predictions", str(out)]
    for others, key in (
        (["--allow-new-levels"], "response"),
        (["--re-form", "~0"], "response_population"),
    ):
        assert main(["fit", *cbpp_fit, "--quiet", *options, *others]) == 0
        found = pd.read_csv(out)
        assert list(found) == ["herd", "period", "fit", "se_fit", "lower", "upper"]
        assert np.allclose(found["fit"], expected[key], rtol=1e-6)
        assert (found["lower"] < found["fit"]).all()
        assert (found["fit"] < found["upper"]).all()


def test_families_links_weights_and_offsets_reach_the_model(document, tmp_path):
    ticks = mlm.load_grouseticks()
    ticks.assign(exposure=2.0, once=1.0).to_csv(tmp_path / "ticks.csv", index=False)
    options = ["--family", "poisson", "--offset", "log(exposure)", "--weights", "once"]
    formula = "TICKS ~ YEAR + (1 | BROOD)"
    _, found = document(str(tmp_path / "ticks.csv"), formula, *options, "--categorical", "YEAR")
    fit = mlm.glmer(formula, ticks, family="poisson")
    shift = found["coefficients"][0]["estimate"] - fit.fixef()["(Intercept)"]
    assert shift == pytest.approx(-np.log(2.0), abs=1e-6)
    assert (found["model"]["offset"], found["model"]["weights"]) == ("log(exposure)", "once")
    _, probit = document(str(tmp_path / "ticks.csv"), "TICKS > 0 ~ (1 | BROOD)", "--link", "probit")
    assert (probit["model"]["family"], probit["model"]["link"]) == ("binomial", "probit")


def test_what_does_not_exist_is_null(cbpp_fit, document):
    _, found = document(*cbpp_fit, "--family", "quasibinomial")
    assert found["criteria"]["logLik"] is None
    assert found["criteria"]["AIC"] is None
    assert found["criteria"]["nobs"] == 56


def test_bootstrap_limits_repeat_with_their_seed(cbpp_fit, document):
    options = ["--confint", "boot", "--nsim", "30", "--seed", "4"]
    _, first = document(*cbpp_fit, *options)
    _, again = document(*cbpp_fit, *options)
    assert first == again
    limits = mlm.glmer(FORMULA, mlm.load_cbpp()).confint(method="boot", nsim=30, seed=4)
    row = by_name(first["coefficients"], "term")["period2"]
    assert [row["conf_low"], row["conf_high"]] == pytest.approx(limits.loc["period2"].tolist())


def test_a_posterior_is_printed_and_written_and_doubts_end_with_3(cbpp_fit, tmp_path, capsys):
    out = tmp_path / "fit.json"
    sizes = ["--draws", "60", "--tune", "150", "--chains", "2", "--cores", "1", "--seed", "2"]
    code = main(["fit", *cbpp_fit, "--sample", *sizes, "--out", str(out)])
    found = json.loads(out.read_text())["posterior"]
    assert code == 3
    assert not found["ok"]
    printed = capsys.readouterr()
    assert "Few effective draws" in printed.err or "do not agree" in printed.err
    assert "Posterior of incidence / size" in printed.out
    assert (found["draws"], found["tune"], found["chains"]) == (60, 150, 2)
    rows = by_name(found["parameters"], "parameter")
    assert list(rows) == ["sd_(Intercept)|herd", "(Intercept)", "period2", "period3", "period4"]
    assert rows["period2"]["conf_low"] < rows["period2"]["mean"] < rows["period2"]["conf_high"]
    # Six Monte Carlo errors around rstanarm's posterior mean of the same model, -1.0.
    assert rows["period2"]["mean"] == pytest.approx(-1.0, abs=6 * 0.3 / np.sqrt(60))


def keys_of(value):
    """The keys of a document, of all its parts."""
    if isinstance(value, list):
        return set().union(*map(keys_of, value))
    if isinstance(value, dict):
        return set(value).union(*map(keys_of, value.values()))
    return set()


def test_the_page_explains_every_key_of_the_document(cbpp_fit, document):
    page = (Path(__file__).parents[2] / "docs" / "command_line.md").read_text()
    _, found = document(*cbpp_fit, "--exponentiate")
    assert f'"{found["schema"]}"' in page
    names = {*found["groups"], *found["versions"]} - {"mixedlm_pt", "python"}
    missing = {key for key in keys_of(found) - names if f"`{key}`" not in page}
    assert missing == set()
