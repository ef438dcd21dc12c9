"""What is there before the input of a case is typed."""

from typing import Any

from tests.bayes.made_posterior import around

SETTING = """\
import numpy as np
import pandas as pd
import polars as pl

import mixedlm_pt as mlm
from mixedlm_pt import families
from mixedlm_pt.bayes import LKJ, HalfNormal, Normal, Uniform

cbpp = mlm.load_cbpp()  # herd, incidence, size, period
sleep = mlm.load_sleepstudy()  # Reaction, Days, Subject

formula = "incidence / size ~ period + (1 | herd)"
quiet = mlm.GlmerControl(check_singular=False)
fit = mlm.glmer(formula, cbpp)
reactions = mlm.glmer("Reaction ~ Days + (1 | Subject)", sleep, "gaussian")
crossed = mlm.glmer("incidence / size ~ (1 | herd) + (1 | period)", cbpp, control=quiet)
"""
# The tests make the draws themselves: no message depends on them.
SAMPLED = "posterior = fit.sample(random_seed=1)\n"


def names() -> dict[str, Any]:
    """The names that the input of every case finds."""
    found: dict[str, Any] = {}
    exec(SETTING, found)  # noqa: S102
    found["posterior"] = around(found["fit"])
    return found
