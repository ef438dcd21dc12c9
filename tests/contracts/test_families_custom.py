"""A user's own family: from one log density, or as a subclass."""

import numpy as np
import pytensor
import pytensor.tensor as pt
import pytest
from pytensor.compile.mode import Mode

from mixedlm_pt.errors import ArgumentError
from mixedlm_pt.families import CustomFamily, Family, NegativeBinomial, make_family
from mixedlm_pt.families.density import derivatives
from mixedlm_pt.families.support import Counts

PY = Mode(linker="py", optimizer="fast_compile")


def geometric(y, mean, phi):
    return y * mean.log_mu - (y + 1) * pt.log1p(mean.mu)


def student(y, mean, phi):
    return -2.5 * pt.log1p((y - mean.mu) ** 2 / (4 * phi)) - 0.5 * pt.log(phi)


def zero_inflated(y, mean, phi):
    zero = pt.log(0.3 + 0.7 * pt.exp(-mean.mu))
    return pt.switch(pt.eq(y, 0), zero, np.log(0.7) + y * mean.log_mu - mean.mu - pt.gammaln(y + 1))


def evaluate(family, y, eta, phi):
    symbols = pt.dvectors("y", "w", "eta")
    d = derivatives(family, *symbols, pt.constant(phi, dtype="float64"))
    outputs = [d.logp, d.score, d.observed, d.expected]
    return pytensor.function(symbols, outputs, mode=PY)(y, np.ones_like(y), eta)


def test_geometric_family_is_the_negative_binomial_of_shape_one():
    y, eta = np.array([0.0, 1.0, 7.0]), np.array([-1.0, 0.4, 1.2])
    own = CustomFamily(name="geometric", logp=geometric, link="log", support=Counts())
    for ours, theirs in zip(
        evaluate(own, y, eta, 1.0), evaluate(NegativeBinomial(theta=1.0), y, eta, 1.0), strict=True
    ):
        np.testing.assert_allclose(ours, theirs, rtol=1e-12)


@pytest.mark.parametrize("logp", [student, zero_inflated])
def test_expected_information_is_not_invented_where_the_score_is_not_linear(logp):
    family = CustomFamily(name="own", logp=logp, link="log", has_dispersion=True)
    y, w, eta = pt.dvectors("y", "w", "eta")
    assert derivatives(family, y, w, eta, pt.dscalar("phi")).expected is None


def test_custom_family_is_identified_by_its_density():
    same = [CustomFamily(name="g", logp=geometric, link="log") for _ in range(2)]
    assert same[0] == same[1]
    assert hash(same[0]) == hash(same[1])
    assert same[0] != CustomFamily(name="g", logp=student, link="log")
    assert same[0] != CustomFamily(name="g", logp=geometric, link="sqrt")


def test_custom_family_estimates_its_dispersion_only_if_it_has_one():
    assert CustomFamily(name="t", logp=student, link="identity", has_dispersion=True).estimates_phi
    assert CustomFamily(name="g", logp=geometric, link="log").fixed_phi == 1.0


def test_custom_family_draws_with_the_function_given():
    family = CustomFamily(
        name="g",
        logp=geometric,
        link="log",
        random=lambda rng, mu, phi, w: rng.geometric(1 / (1 + mu)) - 1.0,
    )
    y = family.random(np.random.default_rng(1), np.full(50_000, 2.0), 1.0, np.ones(50_000))
    assert y.mean() == pytest.approx(2.0, abs=5 * np.sqrt(6 / 50_000))


def test_custom_family_without_a_sampler_says_how_to_give_one():
    family = CustomFamily(name="g", logp=geometric, link="log")
    with pytest.raises(ArgumentError, match=r"family 'g' cannot simulate: pass .*random=function"):
        family.random(np.random.default_rng(1), np.ones(2), 1.0, np.ones(2))


def test_log_density_that_is_no_function_is_refused():
    with pytest.raises(ArgumentError, match=r"logp of family 'g' is 3; it must be a function of"):
        CustomFamily(name="g", logp=3, link="log")


class Borel(Family):
    """Total progeny of a branching process, with mean ``mu > 1``, written as a subclass."""

    name = "borel"
    default_link = "log"
    links = ("log",)
    support = Counts()

    def logp(self, y, mean, phi):
        rate = 1 - mean.power(-1)
        return -rate * y + (y - 1) * (pt.log(rate) + pt.log(y)) - pt.gammaln(y + 1)


def test_a_subclass_works_as_a_class_and_as_an_instance():
    assert make_family(Borel) == make_family(Borel())
    eta = 0.8
    y = np.arange(1.0, 3000.0)
    logp, score, observed, expected = evaluate(make_family(Borel), y, np.full(y.size, eta), 1.0)
    p = np.exp(logp)
    assert p.sum() == pytest.approx(1, rel=1e-10)
    assert (p * y).sum() == pytest.approx(np.exp(eta), rel=1e-10)
    assert (p * score).sum() == pytest.approx(0, abs=1e-10)
    assert (p * observed).sum() == pytest.approx(expected[0], rel=1e-8)
