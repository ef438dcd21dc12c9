"""One sampler in one process: import it, read the data, sample; draws as CSV, seconds as JSON.

Run as ``python sample.py task.json report.jsonl``. It imports nothing at its head that an engine
imports, so that the time of the engine's import is its own.
"""

import json
import platform
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module, metadata
from importlib.util import find_spec
from pathlib import Path
from time import perf_counter
from typing import Any

Task = dict[str, Any]


@dataclass(frozen=True)
class Sampled:
    """Draws of all parameters, each (chains, draws), by our names; seconds without compilation."""

    draws: dict[str, Any]
    sampling_s: float
    divergences: int


def mixedlm_pt(mlm: Any, data: Any, task: Task) -> Callable[[], Sampled]:
    """Our fit and the posterior that starts at it."""
    family = task["family"].replace(" ", "_")
    target = {} if task["target"] == "full" else {"target": task["target"]}

    def call() -> Sampled:
        fit = mlm.glmer(task["formula"], data, family, weights=task["weights"])
        posterior = fit.sample(
            task["draws"],
            task["tune"],
            task["chains"],
            task["cores"],
            task["seed"],
            task["priors"],
            progressbar=False,
            **target,
        )
        return Sampled(dict(posterior.draws), posterior.sampling_seconds, posterior.n_divergences)

    return call


def bambi(bmb: Any, data: Any, task: Task) -> Callable[[], Sampled]:
    """Bambi, whose group-specific effects are independent: (x | g) has no correlation."""
    formula, family = task["formula"], task["family"].replace(" ", "")
    if task["weights"]:
        response = formula.split(" ~ ")[0]
        successes = (data[response] * data[task["weights"]]).round().astype(int)
        data = data.assign(successes=successes)
        formula = formula.replace(f"{response} ~", f"p(successes, {task['weights']}) ~")
    elif family == "binomial":
        family = "bernoulli"

    def call() -> Sampled:
        found = bmb.Model(formula, data, family=family).fit(
            draws=task["draws"],
            tune=task["tune"],
            chains=task["chains"],
            cores=task["cores"],
            random_seed=task["seed"],
            inference_method=task["sampler"],
            progressbar=False,
        )
        posterior = found["posterior"].dataset
        draws = dict(named_draws(posterior, task))
        divergences = int(found["sample_stats"]["diverging"].sum())
        return Sampled(draws, float(posterior.attrs["sampling_time"]), divergences)

    return call


def named_draws(posterior: Any, task: Task) -> Any:
    """Bambi's parameters by our names, random effects left out."""
    dispersion = {"negative binomial": "theta", "gamma": "shape"}.get(task["family"], "sigma")
    for name, values in posterior.data_vars.items():
        effect = re.fullmatch(r"(.*)\|(\w+)_sigma", name)
        if effect:
            term = "(Intercept)" if effect[1] == "1" else effect[1]
            yield f"sd_{term}|{effect[2]}", values.to_numpy()
        elif "|" in name:
            continue
        elif name in ("sigma", "alpha"):
            yield dispersion, values.to_numpy()
        elif values.ndim == 2:
            yield "(Intercept)" if name == "Intercept" else name, values.to_numpy()
        else:
            for j, level in enumerate(values[values.dims[2]].to_numpy()):
                yield f"{name}{level}", values.to_numpy()[:, :, j]


ENGINES = {engine.__name__: engine for engine in (mixedlm_pt, bambi)}
BELOW = ("pymc", "pytensor", "nutpie", "numba", "numpy")


def main(task: Task, report: Path) -> None:
    """Sample once."""
    name = task["package"]
    if find_spec(name) is None:
        sys.exit("absent")
    pandas = import_module("pandas")
    data = pandas.read_csv(task["data"], dtype=dict.fromkeys(task["factors"], str))
    for factor, levels in task["factors"].items():
        data[factor] = pandas.Categorical(data[factor], categories=levels)
    began = perf_counter()
    package = import_module(name)
    imported = perf_counter()
    sampled = ENGINES[name](package, data, task)()
    ended = perf_counter()
    table = pandas.DataFrame({key: draws.ravel() for key, draws in sampled.draws.items()})
    table.to_csv(task["posterior"], index=False)
    versions = {name: package.__version__} | {p: metadata.version(p) for p in BELOW}
    seconds = {"import_s": imported - began, "total_s": ended - imported}
    done = {
        "sampling_s": sampled.sampling_s,
        "divergences": sampled.divergences,
        "names": list(table),
        "versions": versions | {"Python": platform.python_version()},
    }
    report.write_text(json.dumps(seconds | done))


if __name__ == "__main__":
    main(json.loads(Path(sys.argv[1]).read_text()), Path(sys.argv[2]))
