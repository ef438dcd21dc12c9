"""How families are called, compared and refused, and what their supports say."""

import re

import numpy as np
import pytest

from mixedlm_pt.errors import ArgumentError
from mixedlm_pt.families import FAMILIES, LINKS, Binomial, NegativeBinomial, make_family


@pytest.mark.parametrize(
    ("spelling", "name"),
    [
        ("binomial", "binomial"),
        ("Bernoulli", "binomial"),
        ("poisson", "poisson"),
        ("nbinom2", "negative_binomial"),
        ("negative_binomial", "negative_binomial"),
        ("gaussian", "gaussian"),
        ("normal", "gaussian"),
        ("Gamma", "gamma"),
        ("gamma", "gamma"),
        ("inverse_gaussian", "inverse_gaussian"),
        ("inverse.gaussian", "inverse_gaussian"),
        ("quasibinomial", "quasibinomial"),
    ],
)
def test_a_family_answers_to_its_usual_names(spelling, name):
    family = make_family(spelling)
    assert type(family) is FAMILIES[name]
    assert family.link.name == FAMILIES[name].default_link


@pytest.mark.parametrize("name", FAMILIES)
def test_name_class_and_instance_make_the_same_family(name):
    assert make_family(name) == make_family(FAMILIES[name]) == make_family(FAMILIES[name]())
    assert hash(make_family(name)) == hash(FAMILIES[name]())
    assert make_family(name).name == name


def test_families_differ_by_link_and_by_fixed_shape():
    assert Binomial() != Binomial(link="probit")
    assert Binomial() != make_family("poisson")
    assert NegativeBinomial() != NegativeBinomial(theta=2.0) != NegativeBinomial(theta=3.0)
    # One graph serves every fixed shape, because the shape is an input of it.
    assert NegativeBinomial(theta=2.0).key == NegativeBinomial(theta=3.0).key
    assert NegativeBinomial(theta=2.0).key != NegativeBinomial().key


def test_a_fixed_shape_is_not_estimated():
    assert NegativeBinomial().estimates_phi
    assert not NegativeBinomial(theta=2.0).estimates_phi
    assert NegativeBinomial(theta=2.0).fixed_phi == 2.0
    assert Binomial().fixed_phi == 1.0


def test_unknown_family_suggests_the_nearest():
    with pytest.raises(ArgumentError, match=r"unknown family 'binomal'; known: .* 'binomial'\?"):
        make_family("binomal")


def test_something_that_is_no_family_is_refused():
    with pytest.raises(ArgumentError, match=r"family is 3; it must be a name \(gaussian, .*Family"):
        make_family(3)


@pytest.mark.parametrize("name", FAMILIES)
def test_a_link_of_another_family_is_refused_with_the_allowed_ones(name):
    other = next(link for link in LINKS if link not in FAMILIES[name].links)
    allowed = re.escape(", ".join(FAMILIES[name].links))
    with pytest.raises(ArgumentError, match=rf"link '{other}' is not available .*{allowed}\. For"):
        FAMILIES[name](link=other)


@pytest.mark.parametrize("theta", [0.0, -1.0, np.inf, np.nan])
def test_shape_that_is_not_positive_is_refused(theta):
    with pytest.raises(ArgumentError, match="it must be positive and finite, or None to estimate"):
        NegativeBinomial(theta=theta)


def test_link_given_as_the_shape_is_explained():
    with pytest.raises(ArgumentError, match="theta is 'log', not a number; a link is given as li"):
        NegativeBinomial("log")


@pytest.mark.parametrize(
    ("name", "inside", "outside", "text"),
    [
        ("gaussian", [-2.0, 0.0], [np.nan, np.inf], "finite real numbers"),
        ("binomial", [0.0, 0.5, 1.0], [-0.1, 1.1, np.nan], "proportions between 0 and 1"),
        ("poisson", [0.0, 3.0], [-1.0, 0.5, np.inf], "non-negative integers"),
        ("negative_binomial", [0.0, 3.0], [-1.0, 0.5], "non-negative integers"),
        ("gamma", [1e-9, 3.0], [0.0, -1.0], "positive numbers"),
        ("inverse_gaussian", [1e-9, 3.0], [0.0, -1.0], "positive numbers"),
    ],
)
def test_support_marks_what_lies_outside_and_names_itself(name, inside, outside, text):
    support = make_family(name).support
    mask = support.check(np.array([*inside, *outside]))
    assert mask.tolist() == [False] * len(inside) + [True] * len(outside)
    assert str(support) == text
