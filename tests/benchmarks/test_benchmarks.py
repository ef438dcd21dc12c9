import re

import pytest

from benchmarks.engines import ENGINES, OURS
from benchmarks.problems import PROBLEMS
from benchmarks.results import Results
from benchmarks.run import hopeless

SMALL = [problem for problem in PROBLEMS.values() if problem.n <= 10_000]


def record(seconds, loglik):
    return {"failure": None, "first_fit_s": [2 * seconds], "fit_s": [seconds], "loglik": loglik}


def results(problem, **records):
    return Results({"machine": {}, "floor": {}, "results": {problem: records}})


@pytest.mark.parametrize("problem", SMALL, ids=lambda problem: problem.name)
def test_data_have_the_rows_and_columns_that_the_problem_names(problem):
    data = problem.data()
    assert len(data) == problem.n
    assert set(re.findall(r"[A-Za-z_]\w*", problem.formula)) <= set(data.columns)
    assert problem.weights is None or problem.weights in data


def test_a_fast_wrong_optimum_does_not_lead():
    found = results(
        "cbpp",
        **{
            OURS: record(0.2, -92.02628),
            "glmm": record(0.3, -92.02629),
            "lme4": record(0.1, -92.1),
        },
    )
    assert found.is_wrong("cbpp", "lme4")
    assert [name for _, name in found.ranking("cbpp")] == [OURS, "glmm"]
    lead, rival = found.lead("cbpp")
    assert (round(lead, 9), rival) == (1.5, "glmm")


def test_logliks_of_different_criteria_are_not_compared():
    records = {
        OURS: record(0.2, -100.0),
        "lme4": record(1.0, -101.0),
        "mixedlm": record(1.0, -99.0),
    }
    found = results("probit-1e4", **records)
    assert not found.is_wrong("probit-1e4", OURS)
    assert found.below("probit-1e4", "lme4") == -2.0


def test_a_larger_n_is_left_out_only_after_a_smaller_that_was_slow():
    larger = PROBLEMS["binomial-1e5"]

    def said(smaller):
        return hopeless({"results": {"binomial-1e4": {"lme4": smaller}}}, larger, "lme4", 40.0)

    assert said(record(3.9, -1.0)) is None
    assert said(record(4.1, -1.0)) == "> 40 s (not run: 4.1 s at n = 10,000)"
    assert said({"failure": "> 40 s"}) == "> 40 s (not run: so at n = 10,000)"
    assert said({"failure": "absent"}) is None


def test_engines_say_what_they_cannot_express():
    said = {name: ENGINES["gpboost"].obstacle(problem) for name, problem in PROBLEMS.items()}
    assert said["cbpp-agq11"] == "no quadrature"
    assert said["poisson-slopes-1e4"] == said["slopes-3-1e4"] == "no correlated slopes"
    assert said["cloglog-1e4"] == "no cloglog link"
    assert said["nested-1e4"] is None
    assert said["probit-1e4"] is None
