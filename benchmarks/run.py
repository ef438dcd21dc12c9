"""Runs: every engine, in processes of its own, on every problem."""

import json
import os
import platform
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter
from typing import Any

from benchmarks.engines import ENGINES, OURS, Engine
from benchmarks.problems import PROBLEMS

# Seconds that a process may need beside its fits: start, import, reading, a last unfinished fit.
GRACE = 30.0

Record = dict[str, Any]


@dataclass(frozen=True)
class Bench:
    """One engine on one problem; ``limit`` in seconds is for the fits of one process."""

    engine: Engine
    command: list[str]
    task: Record
    folder: Path
    repeats: int
    limit: float

    def process(self, fits: int, caches: str, has_summary: bool = False) -> Record:
        """Run a worker: what it reported, the seconds of the whole, why it ended too early."""
        request, report = self.folder / "task.json", self.folder / "report.jsonl"
        own = {"engine": self.engine.name, "fits": fits, "limit": self.limit}
        request.write_text(json.dumps(self.task | own | {"summary": has_summary}))
        report.write_text("")
        start, failure = perf_counter(), None
        try:
            subprocess.run(
                [*self.command, str(request), str(report)],
                cwd=self.folder,
                env=self.engine.environment(self.folder / caches),
                capture_output=True,
                text=True,
                timeout=self.limit + GRACE,
                check=True,
            )
        except subprocess.TimeoutExpired:
            failure = f"> {self.limit:g} s"
        except subprocess.CalledProcessError as error:
            said = error.stderr.strip().removesuffix("Execution halted")
            failure = said.strip().splitlines()[-1] if said else f"exit status {error.returncode}"
        script_s = perf_counter() - start
        opening: Record
        opening, *steps = [json.loads(line) for line in report.read_text().splitlines()] or [{}]
        last = {"loglik": None, "evaluations": None} | (steps[-1] if steps else {})
        fit_s = [step["fit_s"] for step in steps]
        return opening | last | {"fit_s": fit_s, "script_s": script_s, "failure": failure}

    def processes(self, caches: str, has_summary: bool = False) -> Iterator[Record]:
        """Processes that fit once, as many as the repeats and the limit allow."""
        spent = last = 0.0
        for i in range(self.repeats):
            if i and spent + last > self.limit:
                return
            done = self.process(1, caches.format(i), has_summary)
            if done["failure"]:
                return
            last = done["script_s"]
            spent += last
            yield done

    def record(self) -> Record:
        """All times of the engine on the problem; cold starts only of ours."""
        is_ours = self.engine.name == OURS
        cold = list(self.processes("caches-{}")) if is_ours else []
        # The caches that the first cold start left are the warm ones.
        main = self.process(self.repeats + 1, "caches-0")
        is_whole = not main["failure"]
        first, later = main["fit_s"][:1], main["fit_s"][1:]
        scripts = self.processes("caches-0", has_summary=True) if is_whole else ()
        return main | {
            "failure": None if first else main["failure"],
            "first_fit_s": first[0] if first else None,
            "fit_s": later,
            "script_s": [done["script_s"] for done in scripts],
            "cold_s": [done["import_s"] + done["fit_s"][0] for done in cold],
        }


def machine() -> Record:
    """Processor, memory, system, and how busy it was."""
    info = Path("/proc/cpuinfo")
    models = [line for line in info.read_text().splitlines() if line.startswith("model name")]
    return {
        "processor": models[0].split(": ")[1] if models else platform.processor(),
        "cores": os.cpu_count(),
        "memory_GB": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9, 1),
        "system": platform.platform(),
        "load_at_start": os.getloadavg()[0],
    }


def run(
    problems: list[str],
    engines: list[str],
    rivals: str | None,
    repeats: int,
    limit: float,
    out: Path,
) -> None:
    """Run all; write the results after each, and say how it went."""
    document: Record = {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": machine(),
        "settings": {"repeats": repeats, "limit_s": limit},
        "versions": {},
        "results": [],
    }
    commands = {name: ENGINES[name].command(rivals) for name in engines}
    for problem in (PROBLEMS[name] for name in problems):
        with tempfile.TemporaryDirectory(prefix="benchmark-") as folder:
            task = problem.write(Path(folder))
            for name, command in commands.items():
                engine = ENGINES[name]
                record: Record = {"failure": engine.obstacle(problem)}
                if command is None:
                    record["failure"] = "absent"
                elif record["failure"] is None:
                    record = Bench(engine, command, task, Path(folder), repeats, limit).record()
                    document["versions"][name] = record.pop("versions", {})
                print(f"{problem.name}, {name}: {brief(record)}", flush=True)
                document["results"].append({"problem": problem.name, "engine": name} | record)
                out.write_text(json.dumps(document, indent=1) + "\n")


def brief(record: Record) -> str:
    """One engine on one problem in a few words."""
    if record["failure"]:
        return str(record["failure"])
    return f"first fit {record['first_fit_s']:.3f} s, log-likelihood {record['loglik']:.5f}"
