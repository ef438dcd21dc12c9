"""Large crossed factors: the iterative structure against the exact one, and at its full size.

    python -m benchmarks.large_crossed accuracy
    python -m benchmarks.large_crossed large [--rival RIVALS/bin/python]

prints the numbers of docs/large_crossed.md. Every fit has a process of its own.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import mixedlm_pt as mlm
from mixedlm_pt.linalg import structure

SIZES = {"simulated": (2_000, 1_500, 40_000), "large": (100_000, 100_000, 1_000_000)}
SEEDS = range(1, 11)


def insteval() -> tuple[str, pd.DataFrame]:
    """InstEval with the ratings above 3 as the binary response."""
    data = mlm.load_insteval()
    return "good ~ 1 + (1 | s) + (1 | d)", data.assign(good=(data["y"] > 3).astype(int))


def simulated(n_first: int, n_second: int, n: int) -> tuple[str, pd.DataFrame]:
    """Binary responses of factors that cross at random, with effects of sd 1 and 0.7."""
    rng = np.random.default_rng(7)
    first, second, x = rng.integers(0, n_first, n), rng.integers(0, n_second, n), rng.normal(size=n)
    eta = 0.5 * x - 0.5
    eta += rng.normal(0, 1, n_first)[first] + rng.normal(0, 0.7, n_second)[second]
    y = rng.binomial(1, 1 / (1 + np.exp(-eta)))
    data = pd.DataFrame({"y": y, "x": x, "first": first, "second": second})
    return "y ~ x + (1 | first) + (1 | second)", data.astype(
        {"first": "category", "second": "category"}
    )


def problem(name: str) -> tuple[str, pd.DataFrame]:
    """Formula and data of a problem."""
    return insteval() if name == "InstEval" else simulated(*SIZES[name])


def fit(name: str, kind: str, n_probes: int, seed: int) -> dict[str, Any]:
    """One fit in this process, in numbers."""
    formula, data = problem(name)
    structure.PROBE_SEED = seed
    start, cpu = time.perf_counter(), time.process_time()
    result = mlm.glmer(formula, data, control=mlm.GlmerControl(structure=kind, n_probes=n_probes))
    return {
        "seconds": time.perf_counter() - start,
        "cpu_seconds": time.process_time() - cpu,
        "peak_GB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6,
        "loglik": result.logLik(),
        "loglik_se": result.estimate.loglik_se,
        "par": result.par.tolist(),
        "se": np.sqrt(np.diag(result.estimate.covariance)).tolist(),
        "evaluations": result.outcome.n_evaluations + result.outcome.n_hessian,
        "structure": result.model.structure.description,
    }


def in_process(*arguments: Any, python: str = sys.executable, script: str | None = None) -> Any:
    """What a process prints as JSON."""
    module = ["-m", "benchmarks.large_crossed"] if script is None else [script]
    command = [python, *module, *map(str, arguments)]
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return json.loads(printed.splitlines()[-1])


def accuracy() -> None:
    """Errors of ten fits with different probes."""
    for name in ("InstEval", "simulated"):
        exact = in_process("fit", name, "crossed", 32, 0)
        print(f"{name}: exact {exact['loglik']:.4f} in {exact['cpu_seconds']:.1f} s of CPU")
        par, se = np.array(exact["par"]), np.array(exact["se"])
        for n_probes in (8, 32, 128):
            fits = [in_process("fit", name, "iterative", n_probes, seed) for seed in SEEDS]
            seconds = np.median([found["cpu_seconds"] for found in fits])
            error = np.array([found["loglik"] for found in fits]) - exact["loglik"]
            claimed = np.array([found["loglik_se"] for found in fits])
            estimates = (np.array([found["par"] for found in fits]) - par) / se
            spread = np.array([found["se"] for found in fits]) / se - 1.0
            print(
                f"  {n_probes:4d} probes: {seconds:.1f} s of CPU, log-likelihood off by "
                f"{root_mean_square(error):.4f} (claimed {root_mean_square(claimed):.4f}, at most "
                f"{np.abs(error / claimed).max():.1f} times), estimates by at most "
                f"{np.abs(estimates).max():.4f} SE, SEs by at most {np.abs(spread).max():.1e}"
            )


def root_mean_square(values: np.ndarray) -> float:
    """Root of the mean square."""
    return float(np.sqrt((values**2).mean()))


RIVAL = """
import json, resource, sys, time
import gpboost as gpb, numpy as np
data = np.load(sys.argv[1])
X = np.column_stack([np.ones(len(data["x"])), data["x"]])
groups = np.column_stack([data["first"], data["second"]])
start = time.perf_counter()
model = gpb.GPModel(group_data=groups, likelihood="bernoulli_logit",
                    matrix_inversion_method="iterative")
model.fit(y=data["y"], X=X)
print(json.dumps({
    "seconds": time.perf_counter() - start,
    "peak_GB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6,
    "loglik": -float(model.get_current_neg_log_likelihood()),
    "coef": np.asarray(model.get_coef()).ravel().tolist(),
    "sd": np.sqrt(np.asarray(model.get_cov_pars()).ravel()).tolist(),
}))
"""


def large(rival: str | None) -> None:
    """The fit of 100,000 by 100,000 levels, and a rival's."""
    print(json.dumps(in_process("fit", "large", "auto", 32, structure.PROBE_SEED), indent=1))
    if rival is None:
        return
    with tempfile.TemporaryDirectory() as folder:
        data, script = Path(folder) / "data.npz", Path(folder) / "rival.py"
        _, table = problem("large")
        columns = table.astype({"first": int, "second": int, "y": float})
        np.savez(data, **{name: columns[name].to_numpy() for name in columns})
        script.write_text(RIVAL)
        print(json.dumps(in_process(data, python=rival, script=str(script)), indent=1))


def main() -> None:
    """Read the arguments and run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("accuracy", "large", "fit"))
    parser.add_argument("rest", nargs="*")
    parser.add_argument("--rival")
    given = parser.parse_args()
    if given.what == "fit":
        name, kind, n_probes, seed = given.rest
        print(json.dumps(fit(name, kind, int(n_probes), int(seed))))
    elif given.what == "accuracy":
        accuracy()
    else:
        large(given.rival)


if __name__ == "__main__":
    main()
