"""Strategies for tables, formulas and arguments that `glmer` may be given: good, odd and bad."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from hypothesis import strategies as st

from mixedlm_pt import families

SCALES = (1e-8, 1e-3, 1.0, 1.0, 1.0, 1.0, 1e3, 1e8)
LINKS = {
    "binomial": ("logit", "logit", "probit", "cloglog", "cauchit", "log"),
    "poisson": ("log", "log", "sqrt", "identity"),
    "nbinom2": ("log", "log", "sqrt"),
    "gamma": ("log", "log", "inverse", "identity"),
    "inverse_gaussian": ("log", "1/mu^2", "inverse"),
    "gaussian": ("identity", "identity", "log", "inverse"),
}
CLASSES = {
    "binomial": families.Binomial,
    "poisson": families.Poisson,
    "nbinom2": families.NegativeBinomial,
    "gamma": families.Gamma,
    "inverse_gaussian": families.InverseGaussian,
    "gaussian": families.Gaussian,
}
FIXED = """
1|x|x|z|f|h|x + z|x * f|f * h|f:x|x:z|(x + z)^2|x * f - x|0 + f|0 + x|x - 1|I(x^2)|log(x)|
sqrt(z)|scale(x) + f|poly(x, 2)|bs(x, df = 4)|x + offset(o)|offset(log(z))|f + f:h|x %in% f|
`a b` + x|factor(k)|x + x|x + I(2 * x)|C(f)|exp(x)|x / z|nothing|x +|.|bool|bool * x
""".replace("\n", "").split("|")
# Of the bars, "|" is written ";".
RANDOM = """
1 ; g|1 ; g|1 ; g|x ; g|x ;; g|0 + x ; g|f ; g|f ;; g|0 + f ; g|1 ; g / h|1 ; g:k|1 ; k|
1 ; k|x + z ; k|1 ; g * k|poly(x, 2) ; g|1 ; x|g ; g|1 ; f|bool ; g|scale(x) ; k|x * f ; g|
I(x > 0) ; g|1 ; factor(k)|1 ; nothing|0 ; g
""".replace("\n", "").split("|")


@dataclass
class Case:
    """A call of `glmer`."""

    formula: str
    data: pd.DataFrame
    family: str
    link: str
    arguments: dict[str, Any] = field(default_factory=dict)

    @property
    def declared(self) -> Any:
        """The family object."""
        return CLASSES[self.family](link=self.link)

    def __repr__(self) -> str:
        arguments = "".join(f", {name}={value!r}" for name, value in self.arguments.items())
        return (
            f"glmer({self.formula!r}, pd.DataFrame({self.data.to_dict('list')!r}), "
            f"{self.family!r}, link={self.link!r}{arguments})"
        )


seeds = st.integers(0, 2**32 - 1)


def numbers(rng: np.random.Generator, n: int, kind: str) -> Any:
    """A numeric column."""
    scale = SCALES[rng.integers(len(SCALES))]
    return {
        "normal": lambda: scale * rng.normal(size=n),
        "positive": lambda: scale * rng.gamma(2.0, 0.5, n),
        "integers": lambda: rng.integers(-3, 4, n),
        "two": lambda: rng.integers(0, 2, n),
        "constant": lambda: np.full(n, scale),
        "year": lambda: rng.integers(1990, 2020, n),
        "cauchy": lambda: scale * rng.standard_cauchy(n),
        "step": lambda: np.arange(n) * scale,
        "nearly constant": lambda: 1.0 + 1e-9 * rng.normal(size=n),
        "endless": lambda: np.where(rng.random(n) < 0.1, np.inf, 1.0),
        "huge": lambda: 1e200 * rng.normal(size=n),
        "tiny": lambda: 1e-200 * rng.normal(size=n),
        "float32": lambda: rng.normal(size=n).astype(np.float32),
        "nullable": lambda: pd.array(rng.integers(0, 9, n), dtype="Int64"),
    }[kind]()


NUMBERS = (
    ["normal"] * 6
    + ["positive"] * 3
    + """integers two constant year cauchy step endless huge
tiny float32 nullable""".split()
    + ["nearly constant"]
)


def labels(rng: np.random.Generator, n: int, kind: str) -> Any:
    """A column of labels."""
    n_levels = int(rng.integers(1, max(2, min(n, 12)) + 1))
    codes = rng.integers(0, n_levels, n)
    text = np.array([f"l{k}" for k in range(n_levels)], object)
    if kind == "text":
        return text[codes]
    if kind == "balanced":
        return text[rng.permutation(np.arange(n) % n_levels)]
    if kind == "categorical":
        return pd.Categorical.from_codes(codes, [*text, "never"])
    if kind == "ordered":
        return pd.Categorical.from_codes(codes, list(text), ordered=True)
    if kind == "bool":
        return codes % 2 == 0
    if kind == "own":
        return [f"row {k}" for k in range(n)]
    if kind == "mixed":
        return pd.Series([k if k % 2 else f"l{k}" for k in codes], dtype=object)
    return codes


LABELS = ["balanced"] * 5 + ["text"] * 3 + "categorical ordered bool own mixed codes".split()


def holes(rng: np.random.Generator, column: Any, share: float) -> pd.Series:
    """The column with missing values."""
    series = pd.Series(column)
    missing = rng.random(len(series)) < share
    return series.mask(missing) if missing.any() else series


def response(rng: np.random.Generator, n: int, family: str, kind: str, eta: Any) -> dict[str, Any]:
    """Response columns: s of n trials, and y."""
    trials = rng.integers(0 if kind == "empty trials" else 1, 9, n)
    probability = 1.0 / (1.0 + np.exp(-eta))
    mu = np.exp(eta)
    made = {
        "binomial": lambda: (rng.random(n) < probability).astype(float),
        "poisson": lambda: rng.poisson(mu).astype(float),
        "nbinom2": lambda: rng.poisson(mu * rng.gamma(1.5, 1 / 1.5, n)).astype(float),
        "gamma": lambda: mu * rng.gamma(2.0, 0.5, n),
        "inverse_gaussian": lambda: rng.wald(mu, 2.0),
        "gaussian": lambda: eta + rng.normal(size=n),
    }[family]()
    s = rng.binomial(trials, probability).astype(float)
    if kind == "equal":
        made = np.full(n, made[0])
    elif kind == "zeros":
        made, s = np.zeros(n), np.zeros(n)
    elif kind == "nearly all zero":
        made = np.where(np.arange(n) == 0, made, 0.0)
    elif kind == "large":
        made = made * (1.0 if family == "binomial" else 1e7)
    elif kind == "small":
        made = made * 1e-9
    elif kind == "negative":
        made[-1] = -1.0
    elif kind == "missing":
        made = np.where(rng.random(n) < 0.3, np.nan, made)
    elif kind == "separated":
        made = np.where(eta > np.median(eta), made.max() + 1.0 * (family != "binomial"), 0.0)
        s = np.where(eta > np.median(eta), trials, 0)
    return {"y": made, "s": s, "n": trials}


RESPONSES = ["simulated"] * 10 + [
    "equal", "zeros", "nearly all zero", "large", "small", "negative", "missing", "separated",
    "separated", "empty trials",
]  # fmt: skip


def table(rng: np.random.Generator, n: int, family: str, tame: float) -> pd.DataFrame:
    """A table; ``tame`` is the share of columns that are unremarkable."""

    def kind(kinds: list[str]) -> str:
        return kinds[0] if rng.random() < tame else kinds[rng.integers(len(kinds))]

    columns: dict[str, Any] = {}
    for name in ("x", "z", "a b", "o"):
        which = kind(NUMBERS)
        columns[name] = numbers(rng, n, which)
        if which == "normal" and rng.random() < tame:
            columns[name] = rng.normal(size=n)
    columns["z"] = columns["z"] if rng.random() > tame else rng.gamma(3.0, 0.4, n)
    columns["o"] = columns["o"] if rng.random() > tame else 0.3 * rng.normal(size=n)
    for name in ("f", "h", "g", "k"):
        columns[name] = labels(rng, n, kind(LABELS))
    columns["bool"] = rng.random(n) < 0.5
    if rng.random() > tame:
        columns["z"] = columns["x"]
    codes = pd.factorize(pd.Series(columns["g"]))[0]
    x = np.asarray(pd.Series(columns["x"]), float)
    with np.errstate(all="ignore"):
        x = (x - x.mean()) / (x.std() or 1.0)
    x = np.where(np.isfinite(x), x, 0.0)
    slope, sd = rng.normal(), rng.choice([0.0, 0.3, 1.0, 3.0])
    # Most responses can be fitted: no row far out rules the rest, no count is above some thousands.
    eta = 0.5 * rng.normal() + 0.5 * slope * np.clip(x, -3, 3) + sd * rng.normal(size=n)[codes]
    columns |= response(rng, n, family, kind(RESPONSES), np.clip(eta, -8.0, 8.0))
    columns["w"] = rng.choice([0.0, 0.5, 1.0, 1.0, 2.0, 1e6 if rng.random() > tame else 3.0], n)
    if rng.random() > tame:
        columns = {
            name: holes(rng, column, 0.1) if rng.random() < 0.4 else column
            for name, column in columns.items()
        }
    return pd.DataFrame(columns)


@st.composite
def cases(draw: Any, family: str | None = None) -> Case:
    """A call of `glmer` with random arguments."""
    family = draw(st.sampled_from(sorted(CLASSES))) if family is None else family
    link = draw(st.sampled_from(LINKS[family]))
    rng = np.random.default_rng(draw(seeds))
    n = draw(st.sampled_from((1, 2, 3, 5, 8, 12, 20, 30, 40, 60)))
    tame = draw(st.sampled_from((0.6, 0.9, 0.97)))
    data = table(rng, n, family, tame)
    left = "y"
    if family == "binomial":
        left = draw(st.sampled_from(("y", "s / n", "cbind(s, n - s)", "s")))
    fixed = draw(st.lists(st.sampled_from(FIXED), min_size=1, max_size=2))
    bars = draw(st.lists(st.sampled_from(RANDOM), min_size=0, max_size=2, unique=True))
    terms = [*fixed, *(f"({bar.replace(';', '|')})" for bar in bars)]
    arguments: dict[str, Any] = {}
    if draw(st.integers(0, 4)) == 0 and (family != "binomial" or rng.random() > tame):
        arguments["weights"] = "w"
    if draw(st.integers(0, 5)) == 0:
        arguments["offset"] = "o"
    if draw(st.integers(0, 5)) == 0:
        arguments["na_action"] = draw(st.sampled_from(("omit", "exclude", "fail")))
    nAGQ = draw(st.sampled_from((1, 1, 1, 1, 0, 7)))
    if nAGQ != 1:
        arguments["nAGQ"] = nAGQ
    return Case(f"{left} ~ {' + '.join(terms)}", data, family, link, arguments)
