import numpy as np
import pytest

import mixedlm_pt as mlm
from mixedlm_pt.bayes.draws import ParameterDraws

FAST = {"draws": 8, "tune": 40, "chains": 2, "cores": 1, "random_seed": 1, "progressbar": False}


@pytest.mark.parametrize(
    ("formula", "load", "family"),
    [
        ("use ~ age + urban + (urban | district)", mlm.load_contraception, "binomial"),
        ("TICKS ~ YEAR + (1 | BROOD) + (1 | LOCATION)", mlm.load_grouseticks, "nbinom2"),
    ],
)
def test_draws_of_theta_and_u_give_the_draws_of_the_effects(formula, load, family):
    fit = mlm.glmer(formula, load(), family)
    data = fit.sample(**FAST).data["posterior"].dataset
    draws = ParameterDraws.of(fit.model, data)
    assert len(draws) == 16
    for s, (beta, theta, log_phi, u) in enumerate(draws):
        chain, draw = divmod(s, 8)
        one = data.isel(chain=chain, draw=draw)
        np.testing.assert_array_equal(beta, one["beta"])
        if family == "nbinom2":
            np.testing.assert_allclose(np.exp(log_phi), one["theta"])
        factors = fit.compiled.covariance_factors(theta)
        for f, factor in enumerate(fit.design.factors):
            (t,) = fit.model.factor_terms[f]
            b = u[fit.model.u_slices[f]].reshape(factor.n_levels, -1) @ factors[t].T
            np.testing.assert_allclose(b, one[f"b_{factor.name}"], rtol=1e-10, atol=1e-12)
