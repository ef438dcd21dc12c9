"""How close an evaluation of the criterion is to what reading the data costs at least."""

from collections.abc import Callable
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import numpy as np

import mixedlm_pt as mlm
from benchmarks.problems import PROBLEMS, Problem
from benchmarks.results import Record, read_results, stamp, write_results
from mixedlm_pt.estimation import Objective
from mixedlm_pt.linalg.threads import on_one_thread

# Points between which the criterion is evaluated lie this many standard errors apart: about the
# steps of the optimiser's second half.
STEP = 0.3
EVALUATIONS, SECONDS = 30, 3.0


def floor(problems: list[str], out: Path) -> None:
    """Measure the problems, in this process; merge the results into those of ``out``."""
    document = read_results(out)
    for problem in (PROBLEMS[name] for name in problems if not PROBLEMS[name].refits):
        record = stamp() | measure(problem)
        document["floor"][problem.name] = record
        write_results(document, out)
        print(f"{problem.name}: {1e3 * record['evaluation_s']:.3g} ms an evaluation", flush=True)


# As in a fit.
@on_one_thread
def measure(problem: Problem) -> Record:
    """Seconds of an evaluation and of its floor, and how many evaluations a second fit makes."""
    data = problem.data()

    def glmer() -> Any:
        return mlm.glmer(problem.formula, data, **problem.arguments)

    glmer()
    start = perf_counter()
    fit = glmer()
    fit_s = perf_counter() - start
    model, outcome = fit.model, fit.outcome
    objective = Objective(model, fit.approximation, fit.backend)
    sides = [fit.par + sign * STEP / 2 * standard_errors(fit) for sign in (-1.0, 1.0)]
    objective(sides[1])
    before = objective.n_newton, objective.n_evaluations
    times = timed(lambda i: objective(sides[i % 2]))
    n_newton, n_evaluations = objective.n_newton - before[0], objective.n_evaluations - before[1]
    X, eta, W = model.design.X, np.linspace(-3.0, 3.0, model.n), np.linspace(0.1, 1.0, model.n)
    return {
        "n": model.n,
        "p": model.p,
        "q": model.q,
        "fit_s": fit_s,
        "evaluations": outcome.n_evaluations + outcome.n_hessian,
        "newton": n_newton / n_evaluations,
        "evaluation_s": median(times),
        "exp_s": median(timed(lambda _: np.exp(eta))),
        "product_s": median(timed(lambda _: X.T @ (W[:, None] * X))),
    }


def standard_errors(fit: Any) -> Any:
    """Of (beta, theta, log phi), shape (n_par,); 0 on the boundary."""
    variances = np.diag(fit.estimate.covariance)
    return np.sqrt(np.where(np.isfinite(variances), variances, 0.0))


def timed(call: Callable[[int], Any]) -> list[float]:
    """Seconds of repeated calls, after a first one; fewer of slow ones."""
    call(0)
    times: list[float] = []
    while len(times) < 2 or (len(times) < EVALUATIONS and sum(times) < SECONDS):
        start = perf_counter()
        call(len(times) + 1)
        times.append(perf_counter() - start)
    return times
