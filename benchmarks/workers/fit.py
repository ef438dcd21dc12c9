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
from functools import partial
from importlib import import_module, metadata
from importlib.util import find_spec
from pathlib import Path
from time import perf_counter
from typing import Any

Task = dict[str, Any]
# A second fit is made where both take less than this share of the limit; third and later ones
# where all take less than that.
SECOND, QUICK = 0.75, 0.25


@dataclass(frozen=True)
class Run:
    """The call to be timed, and where its result keeps what is reported of it.

    Attributes
    ----------
    fit : callable
        The fit; takes a response in place of the data's own, or nothing.
    loglik, evaluations : callables
        Of a fit.
    bootstrap : callable, optional
        Refits of a fit to as many responses as the task says, drawn by the engine itself. Without
        it the responses of the task are fitted in a loop.
    """

    fit: Callable[..., Any]
    loglik: Callable[[Any], float]
    evaluations: Callable[[Any], int | None]
    bootstrap: Callable[[Any], Any] | None = None


def mixedlm_pt(mlm: Any, data: Any, task: Task) -> Run:
    """Our fit."""
    options = {"weights": task["weights"], "nAGQ": task["nAGQ"]}
    family = task["family"].replace(" ", "_")
    if task["link"]:
        family = mlm.families.Binomial(link=task["link"])
    return Run(
        lambda: mlm.glmer(task["formula"], data, family, **options),
        lambda fit: fit.logLik(),
        lambda fit: fit.outcome.n_evaluations + fit.outcome.n_hessian,
        lambda fit: fit.bootMer(nsim=task["refits"], seed=1),
    )


def mixedlm(mlm: Any, data: Any, task: Task) -> Run:
    """Fit of mixedlm."""
    families = {"binomial": mlm.families.Binomial, "poisson": mlm.families.Poisson}
    family = families[task["family"]](link=task["link"])
    options = {name: task[name] for name in ("weights", "nAGQ")}
    return Run(
        lambda: mlm.glmer(task["formula"], data, family=family, **options),
        lambda fit: fit.logLik().value,
        lambda fit: fit.n_iter,
        lambda fit: mlm.bootMer(fit, nsim=task["refits"], seed=1),
    )


def glmm(glmm: Any, data: Any, task: Task) -> Run:
    """Fit of glmm; without the reduced models that it fits to counts for a later test."""
    weights = data[task["weights"]] if task["weights"] else None
    options = {"weights": weights, "nagq": task["nAGQ"], "anova_test": "Wald"}
    family, name = task["family"].replace(" ", ""), response_name(task)

    def fit(y: Any = None) -> Any:
        table = data if y is None else data.assign(**{name: y})
        return glmm.fit(table, task["formula"], family, link=task["link"], **options)

    return Run(fit, lambda fit: fit.loglik, lambda fit: fit.n_eval + fit.n_grad)


def gpboost(gpboost: Any, data: Any, task: Task) -> Run:
    """Fit of gpboost, which has no formulas: X is made for it, outside the timed part.

    Its own log-likelihood of several factors is a stochastic approximation (1.6 too high on
    grouseticks), so it is evaluated once more at the estimates, by Cholesky factorisation. Its
    standard errors come only when asked for; those of all others belong to the fit.
    """
    terms = task["formula"].split(" ~ ")[1]
    fixed = re.sub(r" \+ \(1 \| [\w/]+\)", "", terms)
    X = import_module("formulaic").model_matrix(fixed, data).to_numpy(float)
    response = data[response_name(task)].to_numpy(float)
    likelihood = task["family"].replace(" ", "_")
    if task["family"] == "binomial":
        trials = "binomial" if task["weights"] else "bernoulli"
        likelihood = f"{trials}_{task['link'] or 'logit'}"
    options = {
        "likelihood": likelihood,
        "group_data": group_data(re.findall(r"\(1 \| ([\w/]+)\)", terms), data),
        "weights": data[task["weights"]] if task["weights"] else None,
    }

    def fit(y: Any = None) -> Any:
        model = gpboost.GPModel(**options)
        model.fit(y=response if y is None else y, X=X)
        if y is None:
            model.get_coef(std_err=True)
        return model

    def loglik(fit: Any) -> float:
        exact = gpboost.GPModel(**options, matrix_inversion_method="cholesky")
        beta, variances = (
            numbers.to_numpy()[0] for numbers in (fit.get_coef(), fit.get_cov_pars())
        )
        shape = fit.get_aux_pars().to_numpy()[0] if fit._get_num_aux_pars() else None
        return -float(
            exact.neg_log_likelihood(
                cov_pars=variances, y=response, fixed_effects=X @ beta, aux_pars=shape
            )
        )

    return Run(fit, loglik, lambda fit: fit._get_num_optim_iter())


def group_data(factors: list[str], data: Any) -> Any:
    """Columns of labels; ``a/b`` is the factor a and that of b within a."""
    columns = {}
    for name in factors:
        labels = None
        for part in name.split("/"):
            own = data[part].astype(str)
            labels = own if labels is None else labels + ":" + own
            columns[f"{name}.{part}"] = labels
    return import_module("pandas").DataFrame(columns)


def response_name(task: Task) -> str:
    """The column left of the tilde."""
    return str(task["formula"].split(" ~ ")[0])


def refit(run: Run, fit: Any, draws: Any) -> Any:
    """What is timed where the task is a bootstrap; returns the fit itself."""
    if run.bootstrap is not None:
        run.bootstrap(fit)
    else:
        for name in draws:
            run.fit(draws[name].to_numpy(float))
    return fit


def peak_mb() -> float | None:
    """Peak resident memory of this process so far; None where the system does not tell."""
    status = Path("/proc/self/status")
    if not status.exists():
        return None
    (line,) = [line for line in status.read_text().splitlines() if line.startswith("VmHWM:")]
    return int(line.split()[1]) / 1024


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
    timed = run.fit
    if task["refits"]:
        timed = partial(refit, run, run.fit(), pandas.read_csv(task["draws"]))
    times: list[float] = []
    while has_time(times, task):
        start = perf_counter()
        fit = timed()
        times.append(perf_counter() - start)
        step = {"fit_s": times[-1], "peak_MB": peak_mb()}
        # Evaluating the log-likelihood is no part of a user's script, which is timed as a whole.
        loglik = None if task["summary"] else float(run.loglik(fit))
        report(**step, loglik=loglik, evaluations=run.evaluations(fit))
    if task["summary"]:
        print(fit.summary())


def has_time(times: list[float], task: Task) -> bool:
    """Whether to fit again: a second time if the limit leaves time, more often if that is quick."""
    share = SECOND if len(times) < 2 else QUICK
    return not times or (
        len(times) < task["fits"] and sum(times) + times[-1] < share * task["limit"]
    )


if __name__ == "__main__":
    with Path(sys.argv[2]).open("w", buffering=1) as lines:
        main(
            json.loads(Path(sys.argv[1]).read_text()),
            lambda **step: print(json.dumps(step), file=lines),
        )
