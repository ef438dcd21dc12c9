"""What all results have in common: how they print and how they compare."""

import numpy as np
import pytest

import mixedlm_pt as mlm


@pytest.fixture(scope="module")
def cbpp():
    return mlm.glmer("incidence / size ~ period + (1 | herd)", mlm.load_cbpp())


@pytest.mark.parametrize(
    "verb",
    [
        mlm.ranef,
        mlm.VarCorr,
        mlm.rePCA,
        lambda fit: mlm.refit(fit, np.column_stack([fit.design.response.y] * 2)),
    ],
    ids=["ranef", "VarCorr", "rePCA", "refit"],
)
def test_a_result_that_is_a_mapping_is_equal_to_itself_only(cbpp, verb):
    found = verb(cbpp)
    assert found == found
    assert found != verb(cbpp)
    assert len({found, found}) == 1
    assert dict(found).keys() == found.keys()


@pytest.mark.parametrize(
    ("verb", "what"),
    [
        (lambda fit: fit.bootMer(nsim=3, seed=1), "replicates"),
        (lambda fit: fit.cross_validate(folds=3, seed=1), "folds"),
        (lambda fit: fit.power("period4", nsim=3, seed=1), "simulations"),
        (lambda fit: fit.refit(fit.simulate(nsim=3, seed=1)), "responses"),
        (lambda fit: fit.allFit(optimizers=["BFGS", "SLSQP", "CG"]), "optimisers"),
        (lambda fit: fit.influence("herd", exact=True), "deletions"),
        (lambda fit: fit.profile("beta_"), "parameters"),
    ],
    ids=["bootMer", "cross_validate", "power", "refit", "allFit", "influence", "profile"],
)
def test_long_work_that_is_interrupted_keeps_what_is_done_and_says_so(
    cbpp, verb, what, monkeypatch
):
    def stopped(work, tasks, **options):
        return [work(task) for task in list(tasks)[:2]]

    def stopped_batches(work, tasks, size, **options):
        return list(work(list(tasks)[:2]))

    module = {
        "replicates": "refitting.bootstrap",
        "folds": "refitting.cross_validation",
        "simulations": "refitting.power_simulation",
        "responses": "refitting.responses",
        "optimisers": "refitting.all_optimizers",
        "deletions": "diagnostics.deletion",
        "parameters": "inference.profile_likelihood",
    }[what]
    whole = verb(cbpp)
    together = what in ("replicates", "simulations", "responses")
    monkeypatch.setattr(
        f"mixedlm_pt.{module}.{'run_batches' if together else 'run_tasks'}",
        stopped_batches if together else stopped,
    )
    part = verb(cbpp)
    asked = {"deletions": 15, "parameters": 4}.get(what, 3)
    assert f"Interrupted after 2 of {asked} {what}." in str(part)
    assert "Interrupted" not in str(whole)
    assert part.interrupted
    assert not whole.interrupted
