"""Families and links: declarations of a log density and of an inverse link."""

from mixedlm_pt.families.binomial import Binomial
from mixedlm_pt.families.custom import CustomFamily
from mixedlm_pt.families.family import Family, FamilyTable
from mixedlm_pt.families.gamma import Gamma
from mixedlm_pt.families.gaussian import Gaussian
from mixedlm_pt.families.inverse_gaussian import InverseGaussian
from mixedlm_pt.families.links import LINKS, Link, Mean, make_link
from mixedlm_pt.families.negative_binomial import NegativeBinomial
from mixedlm_pt.families.poisson import Poisson
from mixedlm_pt.families.quasi import QuasiBinomial, QuasiFamily, QuasiPoisson

FAMILIES = FamilyTable(
    Gaussian,
    Binomial,
    Poisson,
    NegativeBinomial,
    Gamma,
    InverseGaussian,
    QuasiBinomial,
    QuasiPoisson,
)
make_family = FAMILIES.make

__all__ = [
    "FAMILIES",
    "LINKS",
    "Binomial",
    "CustomFamily",
    "Family",
    "Gamma",
    "Gaussian",
    "InverseGaussian",
    "Link",
    "Mean",
    "NegativeBinomial",
    "Poisson",
    "QuasiBinomial",
    "QuasiFamily",
    "QuasiPoisson",
    "make_family",
    "make_link",
]
