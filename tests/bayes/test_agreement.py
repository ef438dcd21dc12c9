"""Our posteriors beside long chains of bambi and rstanarm under the same priors."""

import json

import pytest

from benchmarks.agreement import PAIRS, STORED, differences, own_posterior

RIVALS = json.loads(STORED.read_text())
# Two-sided probability of one: 6e-5. There are about 100 numbers, and seeds are fixed.
MAX_Z = 4.0
SMALL = [pair for pair in PAIRS if pair.problem == "cbpp"]
LARGE = [pair for pair in PAIRS if pair.problem != "cbpp"]


def theirs(pair):
    return RIVALS[pair.problem][pair.rival]["parameters"]


def largest_z(posterior, pair):
    return max(
        abs(z)
        for _, _, z_mean, _, _, z_sd in differences(posterior, theirs(pair)).values()
        for z in (z_mean, z_sd)
    )


@pytest.mark.parametrize("pair", PAIRS, ids=str)
def test_the_rivals_have_converged(pair):
    for summary in theirs(pair).values():
        assert summary["r_hat"] < 1.01
        assert summary["ess_bulk"] > 1000.0


@pytest.mark.parametrize("pair", SMALL, ids=str)
def test_a_small_posterior_has_the_rival_s_means_and_sds(pair):
    posterior = own_posterior(pair, draws=2000)
    assert set(posterior.draws) == set(theirs(pair))
    assert largest_z(posterior, pair) < MAX_Z


def test_other_priors_are_noticed():
    bambi, rstanarm = SMALL
    assert largest_z(own_posterior(rstanarm, draws=1000), bambi) > 2.0 * MAX_Z


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize("pair", LARGE, ids=str)
def test_a_posterior_has_the_rival_s_means_and_sds(pair):
    assert largest_z(own_posterior(pair, draws=2000), pair) < MAX_Z


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
def test_the_posterior_of_the_marginal_has_the_rival_s_means_and_sds():
    for pair in SMALL:
        assert largest_z(own_posterior(pair, draws=2000, target="agq"), pair) < MAX_Z
