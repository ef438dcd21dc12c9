"""Names of coefficients, groups and random effects for every formula of the reference fits.

The expected names and numbers of levels in reference_names.json are those that lme4 1.1-31 and
glmmTMB report.
"""

import json
import time
from pathlib import Path

import numpy as np
import pytest

from mixedlm_pt import datasets
from mixedlm_pt.design import build_design
from mixedlm_pt.families import Binomial, make_family

CASES = json.loads((Path(__file__).parent / "reference_names.json").read_text())


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["formula"])
def test_names_are_those_of_the_reference(case):
    data = datasets.load(case["data"])
    if "obs" in case["formula"]:
        data = data.assign(obs=np.arange(1, len(data) + 1))
    design = build_design(
        case["formula"], data, make_family(case["family"]), weights=case["weights"]
    )
    assert list(design.coef_names) == case["coefficients"]
    groups = {}
    for term in design.terms:
        factor = design.factors[term.factor]
        group = groups.setdefault(factor.name, {"levels": factor.n_levels, "columns": []})
        group["columns"].extend(term.columns)
    assert groups == case["groups"]
    assert design.n == len(data)


def test_a_large_data_set_is_read_at_once():
    data = datasets.load("InstEval")
    started = time.perf_counter()
    build_design("(y > 3) ~ service + (1 | s) + (1 | d)", data, Binomial())
    # 0.02 s on two cores; building an indicator matrix by mistake would take far over a second.
    assert time.perf_counter() - started < 1.0
