"""`allFit`: every optimiser, and whether they agree."""

import numpy as np
import pytest

import mixedlm_pt as mlm
from mixedlm_pt.errors import ArgumentError, EstimationError
from mixedlm_pt.estimation import OPTIMIZERS

FORMULA = "incidence / size ~ period + (1 | herd)"


@pytest.fixture(scope="module")
def cbpp():
    return mlm.glmer(FORMULA, mlm.load_cbpp())


@pytest.fixture(scope="module")
def everything(cbpp):
    return cbpp.allFit(cbpp.call.data)


def test_all_optimisers_find_the_maximum(cbpp, everything):
    assert set(everything.fits) == set(OPTIMIZERS)
    assert everything.agree
    assert everything.table["ok"].all()
    assert everything.table["max_diff"].max() < 1e-3
    for name, fit in everything.fits.items():
        assert fit.outcome.optimizer == fit.control.optimizer == name
        assert fit.logLik() == pytest.approx(cbpp.logLik(), abs=1e-8)
        assert type(fit) is type(cbpp)
    # lme4 1.1-31: allFit(fm); its seven optimisers find -92.02628 to -92.02657.
    assert everything.best.logLik() == pytest.approx(-92.02628, abs=5e-6)


def test_the_table_is_ordered_and_measured_against_the_best(everything):
    table = everything.table
    columns = ["logLik", "gap", "max_diff", "evaluations", "time", "ok", "message"]
    assert list(table) == columns
    assert table["logLik"].is_monotonic_decreasing
    assert table["gap"].iloc[0] == table["max_diff"].iloc[0] == 0.0
    assert (table["time"] > 0.0).all()
    frame = everything.to_frame()
    assert list(frame)[:7] == columns
    assert list(frame)[7:] == list(everything.best.confint().index)


def test_without_the_gradient_more_evaluations_are_needed(everything):
    evaluations = everything.table["evaluations"]
    assert evaluations["Nelder-Mead"] > 10 * evaluations["quasi-newton"]


def test_one_that_stops_early_is_named():
    # Forty evaluations are enough with the gradient, and too few without.
    control = mlm.GlmerControl(maxfun=40)
    formula = "use ~ age + urban + (urban | district)"
    fit = mlm.glmer(formula, mlm.load_contraception(), control=control)
    tried = fit.allFit(optimizers=["quasi-newton", "Nelder-Mead"])
    assert not tried.agree
    assert tried.others == ["Nelder-Mead"]
    assert "Nelder-Mead stopped elsewhere than quasi-newton" in tried.verdict
    assert not tried.table.loc["Nelder-Mead", "ok"]
    assert "could still gain" in tried.fits["Nelder-Mead"].messages[0]


def test_an_optimiser_that_fails_is_recorded(cbpp, monkeypatch):
    def failing(f, z, tol, maxfun, guide):
        raise EstimationError("it fell over")

    monkeypatch.setitem(OPTIMIZERS, "CG", failing)
    tried = cbpp.allFit(optimizers=["CG", "BFGS"])
    assert list(tried.fits) == ["BFGS"]
    assert tried.table.loc["CG", "message"] == "it fell over"
    assert not tried.table.loc["CG", "ok"]
    assert "CG failed: it fell over" in str(tried)
    with pytest.raises(EstimationError, match=r"every optimiser failed. CG: it fell over"):
        cbpp.allFit(optimizers=["CG"])


def test_other_data_are_fitted(cbpp):
    half = mlm.load_cbpp().iloc[:30]
    tried = cbpp.allFit(half, ["BFGS"])
    assert tried.best.nobs() == 30
    assert cbpp.nobs() == 56


def test_what_is_unknown_is_refused_by_name(cbpp):
    with pytest.raises(ArgumentError, match="unknown optimizer 'bobyqa'"):
        cbpp.allFit(optimizers=["bobyqa"])
    with pytest.raises(ArgumentError, match="optimizers is empty"):
        cbpp.allFit(optimizers=[])


def test_it_prints_as_text_and_html(everything):
    text = str(everything)
    assert text.startswith(f"All optimisers: {FORMULA}")
    assert "All 9 optimisers agree: log-likelihoods differ by" in text
    assert "<table" in everything._repr_html_()


def test_results_do_not_depend_on_the_others(cbpp, everything):
    alone = cbpp.allFit(optimizers=["SLSQP"]).fits["SLSQP"]
    np.testing.assert_array_equal(alone.beta, everything.fits["SLSQP"].beta)
