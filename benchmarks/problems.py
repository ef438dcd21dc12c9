"""Problems: a model and its data, the same for every engine."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import mixedlm_pt as mlm

SEED = 20250101


@dataclass(frozen=True)
class Problem:
    """A model, and a function that makes its data.

    A binomial response of several trials is a proportion, with the trials as ``weights``: the one
    form that every engine reads.
    """

    name: str
    formula: str
    family: str
    data: Callable[[], pd.DataFrame]
    weights: str | None = None
    nAGQ: int = 1

    def write(self, folder: Path) -> dict[str, Any]:
        """Write the data as CSV; the task for a worker, with the level order of every factor."""
        data, path = self.data(), folder / f"{self.name}.csv"
        data.to_csv(path, index=False)
        factors = data.select_dtypes("category")
        return {
            "formula": self.formula,
            "family": self.family,
            "weights": self.weights,
            "nAGQ": self.nAGQ,
            "data": str(path),
            "factors": {name: list(map(str, factors[name].cat.categories)) for name in factors},
        }


def cbpp() -> pd.DataFrame:
    """cbpp with the incidence as a proportion."""
    data = mlm.load_cbpp()
    return data.assign(proportion=data["incidence"] / data["size"])


def verbagg() -> pd.DataFrame:
    """VerbAgg with a response of 0 and 1."""
    data = mlm.load_verbagg()
    return data.assign(r2=(data["r2"] == "Y").astype(int))


def insteval() -> pd.DataFrame:
    """InstEval with the ratings above 3 as the binary response."""
    data = mlm.load_insteval()
    return data.assign(good=(data["y"] > 3).astype(int))[["good", "s", "d"]]


def binomial_intercepts(n: int) -> pd.DataFrame:
    """Binary responses in groups of 10 rows with random intercepts of sd 1."""
    rng = np.random.default_rng(SEED)
    g, x = np.repeat(np.arange(n // 10), 10), rng.normal(size=n)
    eta = -0.5 + x + rng.normal(size=n // 10)[g]
    y = rng.binomial(1, 1 / (1 + np.exp(-eta)))
    return pd.DataFrame({"y": y, "x": x, "g": pd.Categorical(g)})


def poisson_slopes(n: int) -> pd.DataFrame:
    """Counts in groups of 10 rows: intercepts of sd 0.5, slopes of sd 0.3, correlation 0.3."""
    rng = np.random.default_rng(SEED)
    g, x = np.repeat(np.arange(n // 10), 10), rng.normal(size=n)
    b = rng.multivariate_normal([0, 0], [[0.25, 0.045], [0.045, 0.09]], size=n // 10)[g]
    y = rng.poisson(np.exp(0.5 + b[:, 0] + (0.3 + b[:, 1]) * x))
    return pd.DataFrame({"y": y, "x": x, "g": pd.Categorical(g)})


def simulated(name: str, slope: str, family: str, make: Callable[[int], pd.DataFrame]) -> Any:
    """The same simulated problem at growing n."""
    formula = f"y ~ x + ({slope} | g)"
    return (
        Problem(f"{name}-{n:.0e}".replace("+0", ""), formula, family, partial(make, n))
        for n in (10_000, 100_000)
    )


CBPP = "proportion ~ period + (1 | herd)"
TICKS = "TICKS ~ YEAR + cHEIGHT + (1 | BROOD) + (1 | INDEX) + (1 | LOCATION)"
# (Anger + Gender + btype + situ)^2, written out for the engines that do not read the power.
SITUATION = ("Anger", "Gender", "btype", "situ")
CROSSED = [*SITUATION, *map(":".join, combinations(SITUATION, 2))]
VERBAGG = f"r2 ~ {' + '.join(CROSSED)} + (1 | id) + (1 | item)"

PROBLEMS = {
    problem.name: problem
    for problem in (
        Problem("cbpp", CBPP, "binomial", cbpp, weights="size"),
        Problem("cbpp-agq25", CBPP, "binomial", cbpp, weights="size", nAGQ=25),
        Problem("grouseticks", TICKS, "poisson", mlm.load_grouseticks),
        Problem("VerbAgg", VERBAGG, "binomial", verbagg),
        Problem("InstEval", "good ~ 1 + (1 | s) + (1 | d)", "binomial", insteval),
        *simulated("binomial", "1", "binomial", binomial_intercepts),
        *simulated("poisson-slopes", "1 + x", "poisson", poisson_slopes),
    )
}
