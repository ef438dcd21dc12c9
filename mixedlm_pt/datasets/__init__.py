"""Classic data sets of generalized linear mixed models, each with its source."""

from mixedlm_pt.datasets.dataset import Column, Dataset, Factor, Integer, Real
from mixedlm_pt.datasets.loading import describe, load, loader, names

load_arabidopsis = loader("Arabidopsis")
load_cbpp = loader("cbpp")
load_contraception = loader("Contraception")
load_culcitalogreg = loader("culcitalogreg")
load_epil2 = loader("epil2")
load_grouseticks = loader("grouseticks")
load_guimmun = loader("guImmun")
load_insteval = loader("InstEval")
load_mmmec = loader("Mmmec")
load_ohio = loader("ohio")
load_owls = loader("Owls")
load_petrol = loader("petrol")
load_salamanders = loader("Salamanders")
load_sleepstudy = loader("sleepstudy")
load_verbagg = loader("VerbAgg")
load_wine = loader("wine")

__all__ = [
    "Column",
    "Dataset",
    "Factor",
    "Integer",
    "Real",
    "describe",
    "load",
    "load_arabidopsis",
    "load_cbpp",
    "load_contraception",
    "load_culcitalogreg",
    "load_epil2",
    "load_grouseticks",
    "load_guimmun",
    "load_insteval",
    "load_mmmec",
    "load_ohio",
    "load_owls",
    "load_petrol",
    "load_salamanders",
    "load_sleepstudy",
    "load_verbagg",
    "load_wine",
    "names",
]
