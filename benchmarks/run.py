"""Runs: every engine, in processes of its own, on every problem."""

import json
import re
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from time import perf_counter

from benchmarks.engines import ENGINES, OURS, Engine
from benchmarks.problems import PROBLEMS, Problem
from benchmarks.results import Record, read_results, seconds_of, stamp, write_results

# Seconds that a process may need beside its fits: start, import, reading, the log-likelihood.
GRACE = 15.0
# A process that fits once is run again where all until then took less than this share of the limit.
QUICK = 0.1
# A larger n is left out only after fits longer than this, which are no longer overhead.
SECONDS = 1.0
# Nothing larger, one repetition and this limit in seconds with --quick.
QUICK_ROWS, QUICK_LIMIT = 10_000, 10.0


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
                env=self.engine.environment(self.folder / self.engine.name / caches),
                capture_output=True,
                text=True,
                timeout=self.limit + GRACE,
                check=True,
            )
        except subprocess.TimeoutExpired:
            failure = f"> {self.limit:g} s"
        except subprocess.CalledProcessError as error:
            # R says where an error was after it has said which.
            said = re.split(r"^(?:Calls:|Execution halted)", error.stderr, flags=re.M)[0].strip()
            failure = said.splitlines()[-1] if said else f"exit status {error.returncode}"
        script_s = perf_counter() - start
        opening: Record
        opening, *steps = [json.loads(line) for line in report.read_text().splitlines()] or [{}]
        last = {"loglik": None, "evaluations": None} | (steps[-1] if steps else {})
        times = {
            "fit_s": [step["fit_s"] for step in steps],
            # Before the log-likelihood was evaluated once more, which may need more memory.
            "peak_MB": steps[0]["peak_MB"] if steps else None,
        }
        return opening | last | times | {"script_s": script_s, "failure": failure}

    def processes(self, caches: str, has_summary: bool = False) -> Iterator[Record]:
        """Processes that fit once: as many as the repeats where they are quick, else one."""
        spent = 0.0
        for i in range(self.repeats):
            done = self.process(1, caches.format(i), has_summary)
            if done["failure"]:
                return
            yield done
            spent += done["script_s"]
            if spent > QUICK * self.limit:
                return

    def record(self) -> Record:
        """All times of the engine on the problem; empty caches only for ours.

        The first fit with warm caches is that of all processes but those; a whole script is not
        run where a fit takes more than half of the limit.
        """
        cold = list(self.processes("caches-{}")) if self.engine.name == OURS else []
        # The caches that the first process left are the warm ones.
        main = self.process(self.repeats + 1, "caches-0")
        first, later = main["fit_s"][:1], main["fit_s"][1:]
        is_whole = not main["failure"] and first[0] < self.limit / 2
        scripts = list(self.processes("caches-0", has_summary=True)) if is_whole else []
        first += [done["fit_s"][0] for done in scripts]
        return main | {
            "failure": main["failure"] if not first or main["loglik"] is None else None,
            "first_fit_s": first,
            "fit_s": later,
            "script_s": [done["script_s"] for done in scripts],
            "cold_fit_s": [done["fit_s"][0] for done in cold],
            "cold_import_s": [done["import_s"] for done in cold],
        }


def run(
    problems: list[str],
    engines: list[str],
    rivals: str | None,
    repeats: int,
    limit: float,
    quick: bool,
    out: Path,
) -> None:
    """Run all; merge the results into those of ``out`` after each, and say how it went."""
    if quick:
        problems = [name for name in problems if PROBLEMS[name].n <= QUICK_ROWS]
        repeats, limit = 1, min(limit, QUICK_LIMIT)
    document = read_results(out)
    commands = {name: ENGINES[name].command(rivals) for name in engines}
    for problem in (PROBLEMS[name] for name in problems):
        cells = document["results"].setdefault(problem.name, {})
        with tempfile.TemporaryDirectory(prefix="benchmark-") as folder:
            task = problem.write(Path(folder))
            for name, command in commands.items():
                engine, record = ENGINES[name], stamp()
                obstacle = engine.obstacle(problem) or hopeless(document, problem, name, limit)
                if command is None:
                    record["failure"] = "absent"
                elif obstacle:
                    record["failure"] = obstacle
                else:
                    record |= Bench(engine, command, task, Path(folder), repeats, limit).record()
                print(f"{problem.name}, {name}: {brief(record)}", flush=True)
                cells[name] = record
                write_results(document, out)


def hopeless(document: Record, problem: Problem, engine: str, limit: float) -> str | None:
    """Why a fit cannot end within the limit, from the next smaller n; None where it may.

    Where a fit takes seconds, no engine's time grows more slowly than n.
    """
    smaller = [
        other
        for other in PROBLEMS.values()
        if other.series == problem.series is not None and other.n < problem.n
    ]
    if not smaller:
        return None
    other = smaller[-1]
    record = document["results"].get(other.name, {}).get(engine, {"failure": "absent"})
    seconds = seconds_of(record)
    if seconds is not None and seconds > SECONDS and seconds * problem.n / other.n > limit:
        return f"> {limit:g} s (not run: {seconds:.2g} s at n = {other.n:,})"
    if seconds is None and record["failure"].startswith(">"):
        return f"> {limit:g} s (not run: so at n = {other.n:,})"
    return None


def brief(record: Record) -> str:
    """One engine on one problem in a few words."""
    if record["failure"]:
        return str(record["failure"])
    first = median(record["first_fit_s"])
    again = f", again {median(record['fit_s']):.3f} s" if record["fit_s"] else ""
    return f"first fit {first:.3f} s{again}, log-likelihood {record['loglik']:.5f}"
