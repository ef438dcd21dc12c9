"""One engine in one process: import it, read the data, fit; a line of JSON for every step.

Run as ``python fit.py task.json report.jsonl``. It imports nothing at its head that an engine
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
class Run:
    """The fit to be timed, and where its result keeps what is reported of it."""

    fit: Callable[[], Any]
    loglik: Callable[[Any], float]
    evaluations: Callable[[Any], int | None]


def mixedlm_pt(mlm: Any, data: Any, task: Task) -> Run:
    """Our fit."""
    options = {name: task[name] for name in ("family", "weights", "nAGQ")}
    return Run(
        lambda: mlm.glmer(task["formula"], data, **options),
        lambda fit: fit.logLik(),
        lambda fit: fit.outcome.n_evaluations,
    )


def mixedlm(mlm: Any, data: Any, task: Task) -> Run:
    """Fit of mixedlm."""
    family = getattr(mlm.families, task["family"].capitalize())()
    options = {name: task[name] for name in ("weights", "nAGQ")}
    return Run(
        lambda: mlm.glmer(task["formula"], data, family=family, **options),
        lambda fit: fit.logLik().value,
        lambda fit: None,
    )


def glmm(glmm: Any, data: Any, task: Task) -> Run:
    """Fit of glmm; without the reduced models that it fits to counts for a later test."""
    weights = data[task["weights"]] if task["weights"] else None
    options = {"weights": weights, "nagq": task["nAGQ"], "anova_test": "Wald"}
    return Run(
        lambda: glmm.fit(data, task["formula"], task["family"], **options),
        lambda fit: fit.loglik,
        lambda fit: fit.n_eval + fit.n_grad,
    )


def gpboost(gpboost: Any, data: Any, task: Task) -> Run:
    """Fit of gpboost, which has no formulas: X is made for it, outside the timed part.

    Its own log-likelihood of several factors is a stochastic approximation (1.6 too high on
    grouseticks), so it is evaluated once more at the estimates, by Cholesky factorisation.
    """
    response, terms = task["formula"].split(" ~ ")
    groups = re.findall(r"\(1 \| (\w+)\)", terms)
    fixed = re.sub(r" \+ \(1 \| \w+\)", "", terms)
    X = import_module("formulaic").model_matrix(fixed, data).to_numpy(float)
    y = data[response].to_numpy(float)
    binomial = "binomial_logit" if task["weights"] else "bernoulli_logit"
    options = {
        "likelihood": {"binomial": binomial, "poisson": "poisson"}[task["family"]],
        "group_data": data[groups].astype(str),
        "weights": data[task["weights"]] if task["weights"] else None,
    }

    def fit() -> Any:
        model = gpboost.GPModel(**options)
        model.fit(y=y, X=X)
        return model

    def loglik(fit: Any) -> float:
        exact = gpboost.GPModel(**options, matrix_inversion_method="cholesky")
        beta, variances = (
            numbers.to_numpy()[0] for numbers in (fit.get_coef(), fit.get_cov_pars())
        )
        return -float(exact.neg_log_likelihood(cov_pars=variances, y=y, fixed_effects=X @ beta))

    return Run(fit, loglik, lambda fit: None)


ENGINES = {engine.__name__: engine for engine in (mixedlm_pt, mixedlm, glmm, gpboost)}


def versions(package: Any) -> dict[str, str]:
    """Versions of the engine, of Python, and of what the engine is built on."""
    name = package.__name__
    own = getattr(package, "__version__", None) or metadata.version(name)
    below = ("pytensor", "numba", "numpy", "scipy", "pandas") if name == "mixedlm_pt" else ()
    return {name: own, "Python": platform.python_version()} | {
        p: metadata.version(p) for p in below
    }


def main(task: Task, report: Callable[..., None]) -> None:
    """Fit until there are enough fits, or another one might pass the limit."""
    if find_spec(task["engine"]) is None:
        sys.exit("absent")
    start = perf_counter()
    package = import_module(task["engine"])
    seconds = perf_counter() - start
    report(import_s=seconds, versions=versions(package))
    pandas = import_module("pandas")
    data = pandas.read_csv(task["data"], dtype=dict.fromkeys(task["factors"], str))
    for name, levels in task["factors"].items():
        data[name] = pandas.Categorical(data[name], categories=levels)
    run = ENGINES[task["engine"]](package, data, task)
    fits, spent = 0, 0.0
    while fits == 0 or (fits < task["fits"] and spent + seconds < task["limit"]):
        start = perf_counter()
        fit = run.fit()
        seconds = perf_counter() - start
        fits, spent = fits + 1, spent + seconds
        # Evaluating the log-likelihood is no part of a user's script, which is timed as a whole.
        loglik = None if task["summary"] else float(run.loglik(fit))
        report(fit_s=seconds, loglik=loglik, evaluations=run.evaluations(fit))
    if task["summary"]:
        print(fit.summary())


if __name__ == "__main__":
    with Path(sys.argv[2]).open("w", buffering=1) as lines:
        main(
            json.loads(Path(sys.argv[1]).read_text()),
            lambda **step: print(json.dumps(step), file=lines),
        )
