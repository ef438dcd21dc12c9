"""Coverage of confidence intervals in small clusters, by simulation."""

import json
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from itertools import batched
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import pandas as pd

import mixedlm_pt as mlm
from mixedlm_pt.errors import MixedlmError, MixedlmWarning
from mixedlm_pt.tasks import run_tasks, spawn_seeds

LEVEL = 0.95
METHODS = ("Wald", "profile", "boot")
NODES = (1, 10)
# Written to the file together; as many are lost when a run is stopped.
BATCH = 10

Record = dict[str, Any]


@dataclass(frozen=True)
class Study:
    """A model of few, small groups: ``eta = beta_0 + beta_1 x + b`` with ``b ~ N(0, sd^2)``.

    x takes the same equidistant values from -1 to 1 in every group.
    """

    family: str
    beta: tuple[float, float]
    sd: float
    groups: int = 12
    rows: int = 4
    trials: int = 1

    @property
    def formula(self) -> str:
        """As the user would write it."""
        return f"{'y / trials' if self.trials > 1 else 'y'} ~ x + (1 | g)"

    @property
    def truth(self) -> dict[str, float]:
        """The parameters by their names in `confint`."""
        return {"(Intercept)": self.beta[0], "x": self.beta[1], "sd_(Intercept)|g": self.sd}

    def __str__(self) -> str:
        kind = {"poisson": "Poisson", "binomial": f"binomial({self.trials})"}[self.family]
        return (
            f"{kind}, {self.groups} groups of {self.rows} rows, beta = {self.beta}, sd = {self.sd}"
        )

    def simulate(self, rng: np.random.Generator) -> pd.DataFrame:
        """Data with new random effects and responses."""
        g = np.repeat(np.arange(self.groups), self.rows)
        x = np.tile(np.linspace(-1.0, 1.0, self.rows), self.groups)
        eta = self.beta[0] + self.beta[1] * x + self.sd * rng.standard_normal(self.groups)[g]
        if self.family == "poisson":
            y = rng.poisson(np.exp(eta))
        else:
            y = rng.binomial(self.trials, 1.0 / (1.0 + np.exp(-eta)))
        return pd.DataFrame({"y": y, "trials": self.trials, "x": x, "g": g})


STUDIES = {
    "binary": Study("binomial", (0.5, 1.0), 1.0),
    "binomial": Study("binomial", (-0.5, 1.0), 0.8, trials=5),
    "poisson": Study("poisson", (0.5, 0.5), 0.6),
}


def coverage(design: str, replicates: int, boot: int, jobs: int, seed: int, out: Path) -> str:
    """Run the replicates that ``out`` does not have yet, and make the table of all.

    Parameters
    ----------
    design : str
        Name of a study.
    replicates : int
    boot : int
        Refits of every bootstrap; 0 leaves it out.
    jobs : int
        Processes; the results do not depend on them.
    seed : int
    out : Path
        One JSON line an interval; an interrupted run goes on from here.
    """
    study, settings = STUDIES[design], {"design": design, "boot": boot, "seed": seed}
    lines = out.read_text().splitlines() if out.exists() else []
    if lines and json.loads(lines[0]) != settings:
        raise SystemExit(f"{out} is from another run ({lines[0]}); give another --out.")
    if not lines:
        out.write_text(json.dumps(settings) + "\n")
    records: list[Record] = [json.loads(line) for line in lines[1:]]
    done = {record["replicate"] for record in records}
    children = dict(enumerate(spawn_seeds(seed, replicates)))
    left = [(i, child) for i, child in children.items() if i not in done]
    work = partial(replicate, study=study, boot=boot)
    for batch in batched(left, BATCH * jobs):
        start = perf_counter()
        found = run_tasks(work, batch, label=design, n_jobs=jobs)
        new = [record for intervals in found for record in intervals]
        with out.open("a") as file:
            file.writelines(json.dumps(record) + "\n" for record in new)
        records += new
        print(f"{len(found)} replicates in {perf_counter() - start:.0f} s", flush=True)
        if len(found) < len(batch):
            break
    kept = [record for record in records if record["replicate"] < replicates]
    return table(study, boot, kept)


def replicate(task: tuple[int, np.random.SeedSequence], *, study: Study, boot: int) -> list[Record]:
    """All intervals of one simulated data set; failures have none."""
    number, seed = task
    data = study.simulate(np.random.default_rng(seed))
    records = []
    for nAGQ in NODES:
        for method in METHODS if boot else METHODS[:2]:
            start, failure, limits = perf_counter(), None, None
            try:
                with warnings.catch_warnings():
                    # Singular fits and separation are to be expected in such data.
                    warnings.simplefilter("ignore", MixedlmWarning)
                    fit = mlm.glmer(study.formula, data, study.family, nAGQ=nAGQ)
                    limits = fit.confint(level=LEVEL, method=method, nsim=max(boot, 1), seed=number)
            except MixedlmError as error:
                failure = f"{type(error).__name__}: {error}"
            for name in study.truth:
                lower, upper = (np.nan, np.nan) if limits is None else limits.loc[name]
                records.append(
                    {
                        "replicate": number,
                        "nAGQ": nAGQ,
                        "method": method,
                        "parameter": name,
                        "lower": float(lower),
                        "upper": float(upper),
                        "failure": failure,
                        "seconds": perf_counter() - start,
                    }
                )
    return records


def table(study: Study, boot: int, records: Sequence[Record]) -> str:
    """Markdown: coverage and median width by parameter, method and number of nodes."""
    frame = pd.DataFrame(records)
    frame["covers"] = frame.lower.le(frame.parameter.map(study.truth)) & frame.upper.ge(
        frame.parameter.map(study.truth)
    )
    frame["width"] = frame.upper - frame.lower
    n = frame.replicate.nunique()
    header = ["parameter", "interval"]
    for nAGQ in NODES:
        header += [f"coverage, nAGQ={nAGQ}", "median width", "undefined", "unbounded", "s"]
    rows = [header, ["---", "---", *["---:"] * (len(header) - 2)]]
    for name, method in ((name, method) for name in study.truth for method in METHODS):
        cells = [name.replace("|", "\\|"), method]
        for nAGQ in NODES:
            own = frame[(frame.parameter == name) & (frame.method == method) & (frame.nAGQ == nAGQ)]
            if own.empty:
                break
            undefined = own.lower.isna() | own.upper.isna()
            unbounded = np.isinf(own.lower) | np.isinf(own.upper)
            cells += [
                f"{100 * own.covers.mean():.1f} %",
                f"{own.width.median():.2f}",
                f"{100 * undefined.mean():.1f} %",
                f"{100 * unbounded.mean():.1f} %",
                f"{own.seconds.mean():.2f}",
            ]
        if len(cells) == len(header):
            rows.append(cells)
    body = "\n".join(f"| {' | '.join(row)} |" for row in rows)
    error = 100 * np.sqrt(LEVEL * (1 - LEVEL) / n)
    return (
        f"{study}; {n} replicates, {boot} refits a bootstrap (percentile), nominal 95 %: the "
        f"simulation error of a coverage is {error:.1f} %.\n\n{body}\n\n"
        "An undefined interval counts as one that misses: Wald has none for an sd estimated as "
        "zero. Seconds: a fit and all its intervals."
    )
