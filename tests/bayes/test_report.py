from dataclasses import replace

import arviz as az
import numpy as np
import pandas as pd
import pytest

import mixedlm_pt as mlm
from mixedlm_pt.bayes.report import (
    Trouble,
    autocorrelation,
    effect_convergence,
    mixing_lines,
    worst_mixed,
)
from tests.bayes.made_posterior import around, made_posterior

N = 4000


@pytest.fixture(scope="module")
def cbpp():
    return mlm.glmer("incidence / size ~ period + (1 | herd)", mlm.load_cbpp())


def statistics(**own):
    rng = np.random.default_rng(1)
    fine = {"diverging": np.zeros(N, bool), "energy": rng.standard_normal(N)}
    return fine | {"maxdepth_reached": np.zeros(N, bool)} | own


def said(fit, **own):
    return around(fit, n=N, chains=4, stats=statistics(**own)).diagnosis()


def test_three_lines_say_that_all_is_well(cbpp):
    lines = said(cbpp)
    assert len(lines) == 3
    assert lines[0].startswith("nutpie (NUTS): 4 chains of 1,000 draws after 1,000 steps")
    assert lines[2].startswith("No divergences, largest R-hat 1.00")


def test_what_the_sampler_reported_is_said_with_what_helps(cbpp):
    few = np.arange(N) < 12
    (divergences,) = said(cbpp, diverging=few)[3:]
    assert divergences.startswith("Divergences (0.3 % of the draws) bias the posterior: raise")
    assert "target='laplace'" in divergences
    many = np.arange(N) < 900
    (depth,) = said(cbpp, maxdepth_reached=many)[3:]
    assert depth.startswith("900 draws needed the longest trajectory")
    slow = np.tile(np.cumsum(np.random.default_rng(1).standard_normal(N // 4)), 4)
    (energy,) = said(cbpp, energy=slow)[3:]
    assert energy.startswith("The energy barely moves (E-BFMI 0.0")


def test_problems_are_what_the_diagnosis_says_beyond_its_statements(cbpp):
    fine = around(cbpp, n=N, chains=4, stats=statistics())
    assert fine.problems() == ()
    bad = around(cbpp, n=N, chains=4, stats=statistics(diverging=np.arange(N) < 12))
    assert bad.problems() == bad.diagnosis()[3:] != ()


def test_statistics_have_the_names_of_nutpie_and_of_pymc_and_may_be_absent(cbpp):
    many = np.arange(N) < 900
    nutpie = around(cbpp, n=N, chains=4, stats={"maxdepth_reached": many})
    pymc = around(cbpp, n=N, chains=4, stats={"reached_max_treedepth": many})
    assert Trouble.of(nutpie) == Trouble.of(pymc) == Trouble(None, 900, None)
    silent = around(cbpp, n=N, chains=4)
    assert Trouble.of(silent) == Trouble(None, None, None)
    assert silent.diagnosis()[2].startswith("Largest R-hat 1.00")


def test_the_energy_fraction_is_arviz_s(cbpp):
    walk = np.random.default_rng(1).standard_normal(N).cumsum()
    posterior = around(cbpp, n=N, chains=4, stats=statistics(energy=walk))
    expected = az.bfmi(posterior.data)["energy"].min()
    assert Trouble.of(posterior).bfmi == pytest.approx(float(expected), rel=2e-3)


def test_parameters_that_do_not_mix_are_named(cbpp):
    posterior = around(cbpp, n=N, chains=4)
    beta = posterior.parameter_draws.beta.copy()
    beta[: N // 4, 2] += 3.0 * beta[:, 2].std()
    draws = posterior.data["posterior"].dataset
    apart = made_posterior(
        cbpp, beta, {"herd": draws["sd_herd"].to_numpy().reshape(N, 1)},
        {"herd": draws["b_herd"].to_numpy().reshape(N, 15, 1)}, chains=4,
    )  # fmt: skip
    line = apart.diagnosis()[3]
    assert line.startswith("The chains do not agree (R-hat above 1.01) on period3 (1.")


def test_few_effective_draws_are_told_apart_from_chains_that_do_not_agree(cbpp):
    posterior = around(cbpp, n=N, chains=4)
    columns = {"r_hat": [1.0, 1.004], "ess_bulk": [900.0, 350.4], "ess_tail": [399.0, 800.0]}
    agreement = pd.DataFrame(columns, index=["a", "b"])
    assert list(mixing_lines(posterior, agreement)) == [
        "Few effective draws (below 400) of b (350): raise draws."
    ]
    agreement["ess_bulk"] = 500.0
    assert list(mixing_lines(posterior, agreement)) == [
        "Few effective draws in the tails (below 400) of a (399): raise draws."
    ]
    stuck = agreement.assign(r_hat=[np.nan, 1.0])
    (line,) = mixing_lines(posterior, stuck)
    assert line.startswith("The chains do not agree (R-hat above 1.01) on a (inf)")


@pytest.fixture(scope="module")
def many_levels():
    rng = np.random.default_rng(5)
    g = np.repeat(np.arange(3000), 2)
    table = pd.DataFrame({"y": rng.poisson(np.exp(0.5 * rng.standard_normal(3000)[g])), "g": g})
    return mlm.glmer("y ~ 1 + (1 | g)", table.astype({"g": str}), "poisson")


def test_the_levels_that_do_not_mix_are_found_among_thousands(many_levels):
    n, rng = 800, np.random.default_rng(6)
    b = rng.standard_normal((n, 3000, 1))
    b[:200, 2000] += 1.0
    b[:200, 2100] *= 3.0
    b[:, 2200, 0] = np.convolve(rng.standard_normal(n + 99), np.ones(100), "valid")
    draws = rng.standard_normal((n, 1))
    posterior = made_posterior(many_levels, draws, {"g": np.ones((n, 1))}, {"g": b}, chains=4)
    levels = many_levels.design.factors[0].levels
    names = [f"(0)|g[{levels[j]}]".replace("(0)", "0") for j in (2000, 2100, 2200)]
    found = effect_convergence(posterior)
    assert set(names) <= set(found.index)
    assert len(found) <= 21
    exact = az.from_dict({"posterior": {"x": b[:, 2000, 0].reshape(4, -1)}})
    assert found.loc[names[0], "r_hat"] == pytest.approx(float(az.rhat(exact)["x"]))
    assert found.loc[names[0], "ess_bulk"] == pytest.approx(float(az.ess(exact)["x"]))
    assert (found.loc[names, "r_hat"] > 1.01).all()


def test_the_screen_sees_location_spread_and_autocorrelation():
    rng = np.random.default_rng(7)
    draws = rng.standard_normal((4, 500, 200))
    draws[0, :, 3] += 2.0
    draws[0, :, 50] *= 4.0
    walk = rng.standard_normal((4, 500)).cumsum(axis=1)
    draws[:, :, 120] = walk - walk.mean(axis=1, keepdims=True)
    assert {3, 50, 120} <= set(worst_mixed(draws, 6))
    assert autocorrelation(draws).argmax() == 120


def test_the_weights_of_a_marginal_target_are_said_and_judged(cbpp):
    posterior = around(cbpp, n=N, chains=4, stats=statistics())
    marginal = replace(posterior, target="laplace", sampler="importance")
    attrs = marginal.data["sample_stats"].attrs
    attrs |= {"khat": 0.31, "efficiency": 0.925}
    lines = marginal.diagnosis()
    assert "Importance sampling" in lines[0]
    assert "4 chains of 1,000 weighted draws, resampled." in lines[0]
    good = "Weights towards the exact posterior: Pareto k 0.31, 92 % of the draws effective."
    assert good in lines
    assert marginal.problems() == ()
    attrs["khat"] = 0.9
    (problem,) = marginal.problems()
    assert problem == (
        "Pareto k is above 0.7: these draws miss a part of the posterior. Use target='full'."
    )


def test_a_marginal_target_is_not_advised_to_who_has_it(cbpp):
    stats = statistics(diverging=np.arange(N) < 12)
    marginal = replace(around(cbpp, n=N, chains=4, stats=stats), target="laplace")
    assert "target='laplace'" not in " ".join(marginal.problems())
