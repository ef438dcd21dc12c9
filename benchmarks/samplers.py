"""Samplers of the same models: each in a process of its own, its draws summarised by ArviZ."""

import json
import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from time import perf_counter

import numpy as np
import pandas as pd

import mixedlm_pt as mlm
from benchmarks.engines import ROOT, Engine
from benchmarks.problems import CBPP, INTERCEPTS, SEED, Problem, binomial_intercepts, cbpp, verbagg
from benchmarks.results import Record
from mixedlm_pt._typing import FloatArray

QUANTILES = (0.05, 0.5, 0.95)


@dataclass(frozen=True)
class Sampler(Engine):
    """A package that samples posteriors, with the options of one run.

    Attributes
    ----------
    package : str
        What it is imported as.
    sampler : str, optional
        Its name in the package, where the package has several.
    target : str
        Density that NUTS draws from.
    """

    worker: str = "sample"
    package: str = ""
    sampler: str | None = None
    target: str = "full"

    def environment(self, caches: Path) -> Mapping[str, str]:
        """Environment of its processes: compiled code of Python packages is kept in caches."""
        checkout = {"PYTHONPATH": str(ROOT)} if self.home == "checkout" else {}
        kept = {
            "PYTENSOR_FLAGS": f"base_compiledir={caches / 'pytensor'}",
            "NUMBA_CACHE_DIR": str(caches / "numba"),
            "XDG_CACHE_HOME": str(caches),
        }
        return os.environ | checkout | kept


@dataclass(frozen=True)
class Settings:
    """What every sampler is asked for; ``limit`` in seconds is for a process."""

    draws: int = 1000
    tune: int = 1000
    chains: int = 4
    cores: int = 2
    seed: int = 1
    limit: float = 600.0


def process(
    engine: Sampler, command: list[str], task: Record, settings: Settings, caches: Path
) -> Record:
    """Run a worker once: its seconds and the summary of its draws, or why there are none."""
    folder = Path(task["data"]).parent
    request, report = folder / "task.json", folder / "report.json"
    options = {name: getattr(engine, name) for name in ("package", "sampler", "target")}
    posterior = folder / "draws.csv"
    fixed = {"posterior": str(posterior), "priors": None}
    request.write_text(json.dumps(fixed | task | options | vars(settings)))
    start = perf_counter()
    try:
        subprocess.run(
            [*command, str(request), str(report)],
            cwd=folder,
            env=engine.environment(caches),
            capture_output=True,
            text=True,
            timeout=settings.limit,
            check=True,
        )
    except subprocess.TimeoutExpired:
        return {"failure": f"> {settings.limit:g} s"}
    except subprocess.CalledProcessError as error:
        said = error.stderr.strip().splitlines() or [f"exit status {error.returncode}"]
        return {"failure": said[-1]}
    record: Record = {"failure": None, "process_s": perf_counter() - start}
    record |= json.loads(report.read_text())
    names: list[str] = record.pop("names")
    table = pd.read_csv(posterior, names=names, header=0)
    chains = {name: table[name].to_numpy(float).reshape(settings.chains, -1) for name in names}
    return record | {"parameters": summary(chains)}


def summary(draws: Mapping[str, FloatArray]) -> dict[str, dict[str, float]]:
    """Moments, quantiles, Monte Carlo errors and diagnostics of all draws (chains, draws)."""
    import arviz as az

    found = az.summary(az.from_dict({"posterior": dict(draws)}), round_to="none")
    columns = ["mean", "sd", "mcse_mean", "mcse_sd", "ess_bulk", "ess_tail", "r_hat"]
    return {
        name: {column: float(found.loc[name, column]) for column in columns}
        | {f"q{100 * p:02.0f}": float(np.quantile(draws[name], p)) for p in QUANTILES}
        for name in draws
    }


def poisson_slopes(n: int, groups: int) -> pd.DataFrame:
    """Counts with random intercepts of sd 0.5 and slopes of sd 0.3, correlation 0.3."""
    rng = np.random.default_rng(SEED)
    g, x = np.repeat(np.arange(groups), n // groups), rng.normal(size=n)
    sd = np.array([0.5, 0.3])
    covariance = np.outer(sd, sd) * np.where(np.eye(2), 1.0, 0.3)
    b = rng.multivariate_normal(np.zeros(2), covariance, size=groups)[g]
    y = rng.poisson(np.exp(0.5 + b[:, 0] + (0.3 + b[:, 1]) * x))
    return pd.DataFrame({"y": y, "x": x, "g": pd.Categorical(g)})


MAIN = "r2 ~ Anger + Gender + btype + situ + (1 | id) + (1 | item)"
# fmt: off
PROBLEMS = {
    problem.name: problem
    for problem in (
        Problem("cbpp", CBPP, "binomial", 56, cbpp, weights="size"),
        Problem("VerbAgg", MAIN, "binomial", 7584, verbagg),
        Problem("poisson-slopes", "y ~ x + (x | g)", "poisson", 20_000,
                partial(poisson_slopes, 20_000, 1_000)),
        Problem("binomial-400", INTERCEPTS, "binomial", 4_000, partial(binomial_intercepts, 4_000)),
        Problem("sleepstudy", "Reaction ~ Days + (Days | Subject)", "gaussian", 180,
                mlm.load_sleepstudy),
        Problem("sleepstudy-independent", "Reaction ~ Days + (1 | Subject) + (0 + Days | Subject)",
                "gaussian", 180, mlm.load_sleepstudy),
    )
}
SAMPLERS = {
    engine.name: engine
    for engine in (
        Sampler("mixedlm_pt", "checkout", package="mixedlm_pt"),
        Sampler("mixedlm_pt-laplace", "checkout", package="mixedlm_pt", target="laplace"),
        Sampler("bambi", package="bambi", sampler="pymc"),
        Sampler("bambi-nutpie", package="bambi", sampler="nutpie"),
        Sampler("rstanarm", "R", package="rstanarm"),
    )
}
# fmt: on
