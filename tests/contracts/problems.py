"""Small random problems, one for every family and link, on every kind of structure."""

from functools import cache

import numpy as np
import pandas as pd

from mixedlm_pt.compile import Approximation, compile_model
from mixedlm_pt.design import build_design
from mixedlm_pt.families import FAMILIES
from mixedlm_pt.model import GLMM

# Where eta must lie for the mean to be allowed, whatever the random effects below do.
CENTRES = {
    "logit": 0.2,
    "probit": 0.1,
    "cloglog": -0.3,
    "cauchit": 0.1,
    "log": -1.5,
    "identity": 3.0,
    "inverse": 3.0,
    "sqrt": 3.0,
    "1/mu^2": 3.0,
}

TERMS = {
    "none": "",
    "intercepts": " + (1 | g)",
    "slopes": " + (x | g)",
    "independent": " + (x || g)",
    "nested": " + (1 | g / h)",
    "crossed": " + (1 | g) + (1 | h)",
    "crossed slopes": " + (x | g) + (1 | h)",
}

FAMILY_LINKS = [(name, link) for name, cls in FAMILIES.items() for link in cls.links]

# Small noise: with much of it the optimum of a link that bounds eta lies on the bound.
NOISE = {"negative_binomial": 8.0}

N_ROWS = 48


@cache
def problem(family_name, link, structure, seed=0):
    """A model whose response is drawn from its family, and parameters near which it is regular."""
    rng = np.random.default_rng(seed)
    family = FAMILIES[family_name](link=link)
    table = pd.DataFrame(
        {
            "x": rng.normal(size=N_ROWS),
            "g": rng.integers(0, 7, N_ROWS).astype(str),
            "h": rng.integers(0, 4, N_ROWS).astype(str),
            "trials": rng.integers(3, 9, N_ROWS),
        }
    )
    is_binomial = "binomial" in family_name and "negative" not in family_name
    eta = CENTRES[link] + 0.15 * table["x"] + 0.1 * rng.normal(size=7)[table["g"].astype(int)]
    weights = table["trials"].to_numpy(float) if is_binomial else np.ones(N_ROWS)
    table["y"] = 0.5
    formula = ("successes / trials" if is_binomial else "y") + " ~ x" + TERMS[structure]
    table["successes"] = 1 + rng.integers(0, 2, N_ROWS)
    draft = GLMM(build_design(formula, perturbed(table, rng), family), family)
    mu = compile_model(draft, Approximation()).mean(np.asarray(eta))[0]
    # A quasi-family has no distribution: its namesake's serves.
    phi = NOISE.get(family_name, 0.5)
    distribution = FAMILIES[family_name.removeprefix("quasi")](link=link)
    y = distribution.random(rng, mu, phi, weights)
    table["y"], table["successes"] = y, np.rint(y * weights)
    model = GLMM(build_design(formula, table, family), family)
    theta = [0.12 + 0.03 * rng.random(model.n_theta)]
    log_phi = [[np.log(phi)]] if family.estimates_phi else []
    par = np.concatenate([[CENTRES[link], 0.12], *theta, *log_phi])
    return model, par


def perturbed(table, rng):
    """The table with a response that any family accepts, to build a first design."""
    return table.assign(y=rng.integers(1, 3, len(table)).astype(float))
