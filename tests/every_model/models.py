"""A dozen models that differ in as much as possible, on one simulated table."""

import numpy as np
import pandas as pd

import mixedlm_pt as mlm
from mixedlm_pt import families


def simulated():
    """120 rows in 12 groups: every kind of response and of predictor."""
    rng = np.random.default_rng(0)
    n_groups, size = 12, 10
    n, group = n_groups * size, np.repeat(np.arange(n_groups), size)
    x, treated = rng.normal(size=n), rng.integers(0, 2, n)
    effects = 0.6 * rng.normal(size=n_groups)[group], 0.3 * rng.normal(size=n_groups)[group]
    eta = 0.3 + 0.5 * x + 0.4 * treated + effects[0] + effects[1] * x
    mu, p, trials = np.exp(eta), 1 / (1 + np.exp(-eta)), rng.integers(1, 12, n)
    return pd.DataFrame(
        {
            "g": [f"g{k}" for k in group],
            "number": 10 * group,
            "side": [f"s{k}" for k in rng.integers(0, 6, n)],
            "block": [f"b{k // 4}" for k in group],
            "plot": [f"p{k % 4}" for k in group],
            "x": x,
            "x 2": 2.0 * x + 1.0,
            "z": rng.uniform(1, 3, n),
            "e": rng.uniform(0.5, 2.0, n),
            "t": np.array(["ctl", "trt"])[treated],
            "f": pd.Categorical(
                np.array(["lo", "mid", "hi"])[rng.integers(0, 3, n)], ["lo", "mid", "hi", "never"]
            ),
            "yes": pd.Categorical(np.where(rng.uniform(size=n) < p, "yes", "no"), ["no", "yes"]),
            "n": trials,
            "s": rng.binomial(trials, p),
            "count": rng.poisson(mu),
            "clumped": rng.poisson(mu * rng.gamma(1.5, 1 / 1.5, n)),
            "noise": rng.poisson(2.0, n),
            "size": rng.gamma(4, mu / 4),
            "score": eta + rng.normal(size=n),
            "w": np.where(np.arange(n) % 7 == 0, 0.0, 1.0),
        }
    )


def with_holes():
    """Missing responses, predictors and groups, and an index of its own."""
    data = simulated().astype({"g": object, "s": float})
    data.loc[3, "s"] = np.nan
    data.loc[[10, 11], "x"] = np.nan
    data.loc[20, "g"] = None
    return data.set_index(pd.Index([f"row {k}" for k in range(len(data))]))


def exponential():
    """A family from its log density alone: nothing can be simulated."""
    return families.CustomFamily(
        name="exponential", logp=lambda y, mean, phi: -mean.log_mu - y / mean.mu, link="log"
    )


# A name that says what is special: formula, family, other arguments.
MODELS = {
    "no random effects": ("size ~ x + f", "gamma", {}),
    "factor response, probit": (
        "yes ~ x + t + (1 | g)",
        families.Binomial(link="probit"),
        {"control": mlm.GlmerControl(laplace_weights="expected")},
    ),
    "missing values, sum contrasts": (
        "cbind(s, n - s) ~ x * t + (1 | g)",
        "binomial",
        {"data": with_holes, "na_action": "exclude", "contrasts": {"t": "sum"}},
    ),
    "quadrature, intercept only": ("s / n ~ 1 + (1 | number)", "binomial", {"nAGQ": 7}),
    "joint mode": ("s / n ~ poly(x, 2) + t + (1 | g)", "binomial", {"nAGQ": 0}),
    "crossed, offset, zero weights": (
        "count ~ x + t + offset(log(e)) + (1 | g) + (1 | side)",
        "poisson",
        {"weights": "w"},
    ),
    "rank deficient, backticks, no intercept": (
        "count ~ 0 + t + x + `x 2` + (1 | g)",
        "poisson",
        {},
    ),
    "nested, shape at its limit": (
        "noise ~ bs(x, df = 4) + t + (1 | block / plot)",
        "nbinom2",
        {},
    ),
    "factor slopes": ("clumped ~ scale(x) + t + (t | g)", "nbinom2", {}),
    "correlated slopes": ("score ~ x + log(z) + I(z^2) + f + (x | g)", "gaussian", {}),
    "uncorrelated slopes": (
        "size ~ x + t + (x || g)",
        families.Gamma(link="log"),
        {},
    ),
    "means that can leave their range": ("size ~ t + (1 | g)", families.Gamma("inverse"), {}),
    "quasi-likelihood": (
        "clumped ~ x + t + (1 | g)",
        families.QuasiFamily(variance_func="mu^1.5", link="log"),
        {},
    ),
    "family of one's own": ("size ~ x + t + (1 | g)", exponential, {}),
}


def fitted(name):
    """The fit of a model, and what `glmer` had to say is in its messages."""
    formula, family, arguments = MODELS[name]
    arguments = dict(arguments)
    data = arguments.pop("data", simulated)()
    family = family() if family is exponential else family
    return mlm.glmer(formula, data, family, **arguments)
