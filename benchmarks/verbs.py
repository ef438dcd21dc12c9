"""What is done with a fit, timed beside lme4, glmmTMB and the Python rivals."""

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

FOLDER = Path(__file__).parent / "workers"
N_BOOT = 200

MODELS = {
    "cbpp": ("proportion ~ period + (1 | herd)", "size"),
    "Contraception": ("use ~ age + urban + livch + (urban | district)", None),
}
OURS: dict[str, Callable[[Any], Any]] = {
    f"{N_BOOT} bootstrap refits": lambda fit: fit.bootMer(nsim=N_BOOT, seed=1),
    "profile limits of all parameters": lambda fit: fit.confint(method="profile"),
    "drop1, likelihood ratios": lambda fit: fit.drop1(),
    "predictions with standard errors": lambda fit: fit.predict(se_fit=True),
    "refits without each group": lambda fit: fit.influence(fit.design.factors[0].name, exact=True),
}


def verbs(rivals: str | None, limit: float) -> str:
    """Markdown: seconds of every verb by every engine that has it.

    Parameters
    ----------
    rivals : str, optional
        A Python with glmm and mixedlm.
    limit : float
        Seconds that a process may take; what it has not finished by then is left out.
    """
    rows = []
    for name, (formula, weights) in MODELS.items():
        data = cbpp() if name == "cbpp" else mlm.load_contraception()
        seconds = {"mixedlm_pt": own_seconds(formula, data, weights)}
        with tempfile.TemporaryDirectory() as folder:
            task = {
                "formula": formula,
                "weights": weights,
                "data": str(Path(folder) / "data.csv"),
                "factors": {
                    column: list(map(str, data[column].cat.categories))
                    for column in data.select_dtypes("category")
                },
                "n_boot": N_BOOT,
            }
            data.to_csv(task["data"], index=False)
            seconds |= rival_seconds(["Rscript", str(FOLDER / "verbs.R")], task, folder, limit)
            if rivals is not None:
                python = [rivals, str(FOLDER / "verbs.py")]
                seconds |= rival_seconds(python, task, folder, limit)
        for verb in OURS:
            times = {engine: by_verb.get(verb) for engine, by_verb in seconds.items()}
            rows.append({"model": name, "verb": verb, **times})
    return markdown(pd.DataFrame(rows))


def cbpp() -> pd.DataFrame:
    """cbpp with the incidence as a proportion, the one form that every engine reads."""
    data = mlm.load_cbpp()
    return data.assign(proportion=data["incidence"] / data["size"])


def own_seconds(formula: str, data: pd.DataFrame, weights: str | None) -> dict[str, float]:
    """Medians of three calls after a first one."""
    fit = mlm.glmer(formula, data, weights=weights)
    seconds = {}
    for verb, call in OURS.items():
        times = []
        for _ in range(4):
            start = perf_counter()
            call(fit)
            times.append(perf_counter() - start)
        seconds[verb] = median(times[1:])
    return seconds


def rival_seconds(
    command: list[str], task: dict[str, Any], folder: str, limit: float
) -> dict[str, dict[str, float]]:
    """Seconds by engine and verb, as a worker reports them line by line."""
    request, report = Path(folder) / "task.json", Path(folder) / "report.jsonl"
    request.write_text(json.dumps(task))
    report.write_text("")
    try:
        subprocess.run(
            [*command, str(request), str(report)], capture_output=True, timeout=limit, check=False
        )
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
