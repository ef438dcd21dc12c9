"""Counts that are all zero in some cells of a design: the coefficients run to minus infinity."""

import numpy as np
import pytest

import mixedlm_pt as mlm
from mixedlm_pt.errors import ConvergenceWarning


@pytest.mark.parametrize("nAGQ", [0, 1])
@pytest.mark.parametrize("family", ["poisson", "nbinom2"])
def test_empty_cells_cost_no_likelihood_and_are_named(family, nAGQ):
    data = mlm.load_salamanders()
    rng = np.random.default_rng(16)
    cell = data["spp"].astype(str) + data["mined"].astype(str)
    empty = cell.isin(["GPyes", "PRyes", "DFyes", "ECAyes", "EC-Ayes"])
    mean = np.where(empty, 0.0, np.exp(rng.normal(0.0, 0.8, 23))[data["site"].cat.codes])
    data["count"] = rng.poisson(mean * rng.gamma(2.0, 0.5, len(data)))
    formula = "count ~ spp * mined + (1 | site)"
    with pytest.warns(ConvergenceWarning, match=r"rises without end in the coefficients of .*spp"):
        fit = mlm.glmer(formula, data, family, nAGQ=nAGQ)
    # A row whose mean runs to zero tells nothing more: the others have the whole likelihood.
    others = data[~empty].assign(cell=cell[~empty])
    reduced = mlm.glmer("count ~ cell + (1 | site)", others, family, nAGQ=nAGQ)
    assert fit.logLik() == pytest.approx(reduced.logLik(), abs=1e-5)
    assert fit.theta == pytest.approx(reduced.theta, rel=1e-4)
