"""What is done with a fit, timed beside lme4 and glmmTMB."""

import json
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import pandas as pd

import mixedlm_pt as mlm
from benchmarks.problems import PROBLEMS, Problem

FOLDER = Path(__file__).parent / "workers"

CONTRACEPTION = "use ~ age + urban + livch + (urban | district)"
MODELS = (
    PROBLEMS["cbpp"],
    Problem("Contraception", CONTRACEPTION, "binomial", 1934, mlm.load_contraception),
)
OURS: dict[str, Callable[[Any], Any]] = {
    "profile limits of all parameters": lambda fit: fit.confint(method="profile"),
    "drop1, likelihood ratios": lambda fit: fit.drop1(),
    "predictions with standard errors": lambda fit: fit.predict(se_fit=True),
    "refits without each group": lambda fit: fit.influence(fit.design.factors[0].name, exact=True),
}


def verbs(limit: float) -> str:
    """Markdown: seconds of every verb by every engine that has it.

    Parameters
    ----------
    limit : float
        Seconds that a process may take; what it has not finished by then is left out.
    """
    rows = []
    for problem in MODELS:
        seconds = {"mixedlm_pt": own_seconds(problem)}
        with tempfile.TemporaryDirectory() as folder:
            seconds |= rival_seconds(problem.write(Path(folder)), folder, limit)
        for verb in OURS:
            times = {engine: by_verb.get(verb) for engine, by_verb in seconds.items()}
            rows.append({"model": problem.name, "verb": verb, **times})
    return markdown(pd.DataFrame(rows))


def own_seconds(problem: Problem) -> dict[str, float]:
    """Medians of three calls after a first one."""
    fit = mlm.glmer(problem.formula, problem.data(), **problem.arguments)
    seconds = {}
    for verb, call in OURS.items():
        times = []
        for _ in range(4):
            start = perf_counter()
            call(fit)
            times.append(perf_counter() - start)
        seconds[verb] = median(times[1:])
    return seconds


def rival_seconds(task: dict[str, Any], folder: str, limit: float) -> dict[str, dict[str, float]]:
    """Seconds by engine and verb, as a worker reports them line by line."""
    request, report = Path(folder) / "task.json", Path(folder) / "report.jsonl"
    request.write_text(json.dumps(task))
    report.write_text("")
    command = ["Rscript", str(FOLDER / "verbs.R"), str(request), str(report)]
    try:
        subprocess.run(command, capture_output=True, timeout=limit, check=False)
    except (subprocess.TimeoutExpired, FileNotFoundError) as reason:
        print(f"{command[0]}: {reason}")
    seconds: dict[str, dict[str, float]] = {}
    for line in report.read_text().splitlines():
        found = json.loads(line)
        seconds.setdefault(found["engine"], {})[found["verb"]] = found["seconds"]
    return seconds


def markdown(table: pd.DataFrame) -> str:
    """A table in markdown, two significant digits."""
    header = f"| {' | '.join(table.columns)} |\n|---|---|{'---:|' * (len(table.columns) - 2)}"
    lines = [
        "| "
        + " | ".join(f"{x:.2g}" if isinstance(x, float) and x == x else str(x or "") for x in row)
        + " |"
        for row in table.astype(object).where(table.notna(), None).itertuples(index=False)
    ]
    return "\n".join([header, *lines])
