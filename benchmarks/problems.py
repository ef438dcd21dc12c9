"""Problems: a model and its data, the same for every engine."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import chain, combinations
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import expit, ndtr

import mixedlm_pt as mlm

SEED = 20250101
# Refits of the bootstrap problems.
N_BOOT = 200


@dataclass(frozen=True)
class Problem:
    """A model, and a function that makes its data.

    A binomial response of several trials is a proportion, with the trials as ``weights``: the one
    form that every engine reads.

    Attributes
    ----------
    name, formula : str
    family : {"binomial", "poisson", "negative binomial"}
        The last with its shape theta estimated.
    n : int
        Rows.
    data : callable
    link : {"probit", "cloglog"}, optional
        Default: the family's own.
    weights : str, optional
    nAGQ : int
    refits : int
        What is timed is this many parametric-bootstrap refits; 0: the fit itself.
    series : str, optional
        Problems of one series differ in n only.
    """

    name: str
    formula: str
    family: str
    n: int
    data: Callable[[], pd.DataFrame]
    link: str | None = None
    weights: str | None = None
    nAGQ: int = 1
    refits: int = 0
    series: str | None = None

    @property
    def is_canonical(self) -> bool:
        """Whether observed and expected information agree, and with them all engines' criteria."""
        return self.link is None and self.family != "negative binomial"

    @property
    def arguments(self) -> dict[str, Any]:
        """What our `glmer` is called with, beside formula and data."""
        family: Any = self.family.replace(" ", "_")
        if self.link is not None:
            family = mlm.families.Binomial(link=self.link)
        return {"family": family, "weights": self.weights, "nAGQ": self.nAGQ}

    def write(self, folder: Path) -> dict[str, Any]:
        """Write the data as CSV; the task for a worker, with the level order of every factor."""
        data, path = self.data(), folder / f"{self.name}.csv"
        data.to_csv(path, index=False)
        draws = path.with_suffix(".draws.csv")
        if self.refits:
            fit = mlm.glmer(self.formula, data, **self.arguments)
            fit.simulate(nsim=self.refits, seed=SEED).to_csv(draws, index=False)
        factors = data.select_dtypes("category")
        return {
            "formula": self.formula,
            "family": self.family,
            "link": self.link,
            "weights": self.weights,
            "nAGQ": self.nAGQ,
            "refits": self.refits,
            "data": str(path),
            "draws": str(draws),
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


def binomial_intercepts(n: int, rows: int = 10) -> pd.DataFrame:
    """Binary responses in groups of some rows with random intercepts of sd 1."""
    rng = np.random.default_rng(SEED)
    g, x = np.repeat(np.arange(n // rows), rows), rng.normal(size=n)
    eta = -0.5 + x + rng.normal(size=n // rows)[g]
    return pd.DataFrame({"y": rng.binomial(1, expit(eta)), "x": x, "g": pd.Categorical(g)})


def poisson_slopes(n: int, k: int = 1) -> pd.DataFrame:
    """Counts in groups of 10 rows: intercepts of sd 0.5, k slopes; all correlations are 0.3."""
    rng = np.random.default_rng(SEED)
    g, X = np.repeat(np.arange(n // 10), 10), rng.normal(size=(n, k))
    sd = np.array([0.5, 0.3, 0.2])[: k + 1]
    correlation = np.where(np.eye(k + 1), 1.0, 0.3)
    b = rng.multivariate_normal(np.zeros(k + 1), np.outer(sd, sd) * correlation, size=n // 10)[g]
    y = rng.poisson(np.exp(0.5 + b[:, 0] + ((0.3 + b[:, 1:]) * X).sum(axis=1)))
    names = ["x"] if k == 1 else [f"x{j}" for j in range(1, k + 1)]
    return pd.DataFrame({"y": y, **dict(zip(names, X.T, strict=True)), "g": pd.Categorical(g)})


def crossed(n: int, mean: Callable[[Any], Any] = expit) -> pd.DataFrame:
    """Binary responses of n / 50 subjects to sqrt(n) / 2 items drawn anew for every row."""
    rng = np.random.default_rng(SEED)
    n_subjects, n_items = n // 50, round(np.sqrt(n) / 2)
    subject, item = np.repeat(np.arange(n_subjects), 50), rng.integers(n_items, size=n)
    x = rng.normal(size=n)
    b = rng.normal(size=n_subjects)[subject] + 0.7 * rng.normal(size=n_items)[item]
    y = rng.binomial(1, mean(-0.5 + 0.5 * x + b))
    factors = {"subject": pd.Categorical(subject), "item": pd.Categorical(item)}
    return pd.DataFrame({"y": y, "x": x, **factors})


def cloglog_mean(eta: Any) -> Any:
    """``1 - exp(-exp(eta))``."""
    return -np.expm1(-np.exp(eta))


def nested(n: int) -> pd.DataFrame:
    """Binary responses of 10 pupils in each of the 10 classes, numbered within, of a school."""
    rng = np.random.default_rng(SEED)
    classroom, school = np.arange(n) // 10, np.arange(n) // 100
    x = rng.normal(size=n)
    b = 0.5 * rng.normal(size=n // 100)[school] + 0.8 * rng.normal(size=n // 10)[classroom]
    y = rng.binomial(1, expit(-0.5 + x + b))
    factors = {"school": pd.Categorical(school), "class": pd.Categorical(classroom % 10)}
    return pd.DataFrame({"y": y, "x": x, **factors})


def overdispersed(n: int, theta: float = 2.0) -> pd.DataFrame:
    """Negative binomial counts in groups of 10 rows with random intercepts of sd 0.5."""
    rng = np.random.default_rng(SEED)
    g, x = np.repeat(np.arange(n // 10), 10), rng.normal(size=n)
    mu = np.exp(1.0 + 0.3 * x + 0.5 * rng.normal(size=n // 10)[g])
    y = rng.negative_binomial(theta, theta / (theta + mu))
    return pd.DataFrame({"y": y, "x": x, "g": pd.Categorical(g)})


def many_effects(n: int, p: int = 30) -> pd.DataFrame:
    """Binary responses in groups of 10 rows, with p fixed effects."""
    rng = np.random.default_rng(SEED)
    g, X = np.repeat(np.arange(n // 10), 10), rng.normal(size=(n, p - 1))
    eta = -0.5 + X @ np.linspace(-0.3, 0.3, p - 1) + rng.normal(size=n // 10)[g]
    y = rng.binomial(1, expit(eta))
    columns = {f"x{j}": x for j, x in enumerate(X.T, start=1)}
    return pd.DataFrame({"y": y, **columns, "g": pd.Categorical(g)})


def simulated(
    series: str,
    formula: str,
    family: str,
    make: Callable[[int], pd.DataFrame],
    sizes: tuple[int, ...],
    **options: Any,
) -> Iterator[Problem]:
    """The same simulated problem at growing n."""
    for n in sizes:
        name = f"{series}-{n:.0e}".replace("+0", "")
        yield Problem(name, formula, family, n, partial(make, n), series=series, **options)


CBPP = "proportion ~ period + (1 | herd)"
TICKS = "TICKS ~ YEAR + cHEIGHT + (1 | BROOD) + (1 | INDEX) + (1 | LOCATION)"
# (Anger + Gender + btype + situ)^2, written out for the engines that do not read the power.
SITUATION = ("Anger", "Gender", "btype", "situ")
PAIRS = [*SITUATION, *map(":".join, combinations(SITUATION, 2))]
VERBAGG = f"r2 ~ {' + '.join(PAIRS)} + (1 | id) + (1 | item)"
INTERCEPTS, CROSSED = "y ~ x + (1 | g)", "y ~ x + (1 | subject) + (1 | item)"
MANY = f"y ~ {' + '.join(f'x{j}' for j in range(1, 30))} + (1 | g)"
TO_1E5 = (10_000, 100_000)
TO_1E6 = (*TO_1E5, 1_000_000)
FROM_1E3 = (1_000, *TO_1E6)

# fmt: off
SERIES = (
    simulated("binomial", INTERCEPTS, "binomial", binomial_intercepts, FROM_1E3),
    simulated("poisson-slopes", "y ~ x + (1 + x | g)", "poisson", poisson_slopes, FROM_1E3),
    simulated("slopes-3", "y ~ x1 + x2 + (1 + x1 + x2 | g)", "poisson",
              partial(poisson_slopes, k=2), TO_1E5),
    simulated("crossed", CROSSED, "binomial", crossed, TO_1E6),
    simulated("nested", "y ~ x + (1 | school/class)", "binomial", nested, TO_1E6),
    simulated("negative-binomial", INTERCEPTS, "negative binomial", overdispersed, TO_1E5),
    simulated("probit", CROSSED, "binomial", partial(crossed, mean=ndtr), TO_1E5, link="probit"),
    simulated("cloglog", CROSSED, "binomial", partial(crossed, mean=cloglog_mean), TO_1E5,
              link="cloglog"),
    simulated("agq11", INTERCEPTS, "binomial", partial(binomial_intercepts, rows=4), TO_1E5,
              nAGQ=11),
    simulated("fixed-30", MANY, "binomial", many_effects, TO_1E5),
)
PROBLEMS = {
    problem.name: problem
    for problem in (
        Problem("cbpp", CBPP, "binomial", 56, cbpp, weights="size"),
        Problem("cbpp-agq11", CBPP, "binomial", 56, cbpp, weights="size", nAGQ=11),
        Problem("cbpp-agq25", CBPP, "binomial", 56, cbpp, weights="size", nAGQ=25),
        Problem("cbpp-boot", CBPP, "binomial", 56, cbpp, weights="size", refits=N_BOOT),
        Problem("grouseticks", TICKS, "poisson", 403, mlm.load_grouseticks),
        Problem("VerbAgg", VERBAGG, "binomial", 7584, verbagg),
        Problem("InstEval", "good ~ 1 + (1 | s) + (1 | d)", "binomial", 73421, insteval),
        *chain.from_iterable(SERIES),
    )
}
# fmt: on
