"""Results: one JSON file a machine, and how its records compare."""

import json
import os
import platform
import re
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.engines import ENGINES, OURS
from benchmarks.problems import PROBLEMS

RESULTS = Path(__file__).with_name("results")
# A fit this far below the best log-likelihood is a failure, however fast: its estimates may be
# sqrt(2 * 0.01) = 0.14 standard errors away.
LOGLIK_TOLERANCE = 0.01

Record = dict[str, Any]


def machine() -> Record:
    """Processor, memory and system."""
    info = Path("/proc/cpuinfo")
    models = [line for line in info.read_text().splitlines() if line.startswith("model name")]
    return {
        "processor": models[0].split(": ")[1] if models else platform.processor(),
        "cores": os.cpu_count(),
        "memory_GB": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9, 1),
        "system": platform.platform(),
    }


def results_file() -> Path:
    """Where this machine's results are kept."""
    found = machine()
    words = re.findall(r"[a-z0-9]+", f"{found['processor']} {found['cores']} cores".lower())
    return RESULTS / f"{'-'.join(words)}.json"


def read_results(out: Path) -> Record:
    """Earlier results of this machine, or none."""
    empty: Record = {"results": {}, "floor": {}}
    return (json.loads(out.read_text()) if out.exists() else empty) | {"machine": machine()}


def write_results(document: Record, out: Path) -> None:
    """Keep the results, problems in the order of their list."""
    for part in ("results", "floor"):
        document[part] = {name: document[part][name] for name in PROBLEMS if name in document[part]}
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(document, indent=1) + "\n")


def stamp() -> Record:
    """When, and how busy the machine was."""
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "load": round(os.getloadavg()[0], 2),
    }


def seconds_of(record: Record) -> float | None:
    """Median of the later fits; the first fit where the limit left no time for another."""
    if record["failure"]:
        return None
    times: list[float] = record["fit_s"] or record["first_fit_s"]
    return median(times)


class Results:
    """Records by problem and engine, and how each compares with the others of its problem."""

    def __init__(self, document: Record) -> None:
        self.machine, self.floor = document["machine"], document["floor"]
        self.records: dict[str, dict[str, Record]] = document["results"]

    @property
    def problems(self) -> list[str]:
        """Those that anything is known of."""
        return list(self.records)

    @property
    def engines(self) -> list[str]:
        """Those that fitted anything, ours first."""
        return [e for e in ENGINES if any(self.seconds(p, e) for p in self.problems)]

    def record(self, problem: str, engine: str) -> Record | None:
        """The record of a fit; None where there is none."""
        found = self.records[problem].get(engine)
        return None if found is None or found["failure"] else found

    def seconds(self, problem: str, engine: str) -> float | None:
        """Of a second fit; of the first where there was no time for another."""
        found = self.record(problem, engine)
        return None if found is None else seconds_of(found)

    def peak_memory(self, problem: str, engine: str) -> float | None:
        """MB of a process that read the data and fitted once."""
        found = self.record(problem, engine)
        peak: float | None = None if found is None else found["peak_MB"]
        return peak

    def below(self, problem: str, engine: str) -> float:
        """Log-likelihood minus the highest of all engines that maximise the same criterion."""
        same = self.criterion(problem, engine)
        logliks = [
            record["loglik"]
            for name, record in self.records[problem].items()
            if not record["failure"] and self.criterion(problem, name) == same
        ]
        return float(self.records[problem][engine]["loglik"] - max(logliks))

    def criterion(self, problem: str, engine: str) -> str:
        """Which Laplace approximation it is, where there is a difference."""
        return "observed" if PROBLEMS[problem].is_canonical else ENGINES[engine].information

    def is_wrong(self, problem: str, engine: str) -> bool:
        """Whether the fit missed the optimum."""
        return self.below(problem, engine) < -LOGLIK_TOLERANCE

    def ranking(self, problem: str) -> list[tuple[float, str]]:
        """Seconds and names of the engines at the optimum, the fastest first."""
        timed = ((self.seconds(problem, engine), engine) for engine in self.engines)
        return sorted(
            (seconds, engine)
            for seconds, engine in timed
            if seconds is not None and not self.is_wrong(problem, engine)
        )

    def lead(self, problem: str) -> tuple[float, str] | None:
        """How many times as fast as the fastest rival at the optimum we are, and its name."""
        ours = self.seconds(problem, OURS)
        rivals = [(seconds, name) for seconds, name in self.ranking(problem) if name != OURS]
        if ours is None or not rivals:
            return None
        seconds, name = rivals[0]
        return seconds / ours, name
