"""Posteriors: seconds from call to result, and effective draws a second, beside the rivals."""

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks.engines import OURS
from benchmarks.results import RESULTS, Record, machine, stamp
from benchmarks.samplers import PROBLEMS, SAMPLERS, Settings, process
from benchmarks.table import digits, markdown

OUT = RESULTS / "bayes.json"
TIMED = ("cbpp", "VerbAgg", "poisson-slopes", "binomial-400")


def bayes(
    problems: list[str],
    engines: list[str],
    rivals: str | None,
    draws: int,
    tune: int,
    limit: float,
    out: Path,
    document: Path,
) -> None:
    """Run all, merge the results into those of ``out`` after each, and write the page.

    Every engine runs in two processes on every problem: with empty caches, and with the caches that
    the first one left.
    """
    settings = Settings(draws=draws, tune=tune, limit=limit)
    found: Record = json.loads(out.read_text()) if out.exists() else {"results": {}}
    found["machine"] = machine()
    for problem in (PROBLEMS[name] for name in problems):
        cells = found["results"].setdefault(problem.name, {})
        with tempfile.TemporaryDirectory(prefix="bayes-") as folder:
            task = problem.write(Path(folder))
            for name in engines:
                engine, caches = SAMPLERS[name], Path(folder) / name
                command = engine.command(rivals)
                cell = stamp() | {"settings": vars(settings)}
                for start in ("cold", "warm"):
                    if command is None:
                        cell[start] = {"failure": "absent"}
                    else:
                        cell[start] = process(engine, command, task, settings, caches)
                    print(f"{problem.name}, {name}, {start}: {brief(cell[start])}", flush=True)
                    if cell[start]["failure"]:
                        break
                cells[name] = cell
                out.write_text(json.dumps(found, indent=1) + "\n")
    write_page(found, document)


def brief(record: Record) -> str:
    """One process in a few words."""
    if record["failure"]:
        return str(record["failure"])
    return (
        f"import {record['import_s']:.1f} s, call {record['total_s']:.1f} s, sampling "
        f"{record['sampling_s']:.1f} s, ESS {worst(record, 'ess_bulk'):.0f}"
    )


def worst(record: Record, diagnostic: str) -> float:
    """The diagnostic of the parameter that has the worst."""
    values: list[float] = [parameter[diagnostic] for parameter in record["parameters"].values()]
    return max(values) if diagnostic == "r_hat" else min(values)


def rate(record: Record, seconds: str) -> float:
    """Effective draws a second of the worst parameter."""
    return worst(record, "ess_bulk") / float(record[seconds])


def write_page(found: Record, document: Path) -> None:
    """Write the page."""
    results = {
        problem: {name: cells[name] for name in SAMPLERS if name in cells}
        for problem in PROBLEMS
        if (cells := found["results"].get(problem))
    }
    m, records = found["machine"], list(warm_records(results))
    versions = {f"{name} {v}": None for r in records for name, v in r["versions"].items()}
    loads = sorted(cell["load"] for cells in results.values() for cell in cells.values())
    origin = (
        f"{m['processor']}, {m['cores']} cores, {m['memory_GB']} GB, {m['system']}; load before a "
        f"process {loads[len(loads) // 2]:.1f} (median), {loads[-1]:.1f} (highest). "
        f"{', '.join(versions)}."
    )
    leads = [lead for problem, cells in results.items() for lead in lead_lines(problem, cells)]
    rows = [row(problem, name, cell) for problem, c in results.items() for name, cell in c.items()]
    header = [
        "problem", "engine", "draws + tune", "import", "call, empty caches", "call, warm",
        "sampling", "ESS", "tail ESS", "ESS/s, sampling", "ESS/s, call", "divergences", "R-hat",
    ]  # fmt: skip
    parts = [HEAD, origin, markdown(header, rows), "## Against the best rival", LEAD, *leads]
    document.write_text("\n\n".join(parts) + "\n")


def warm_records(results: dict[str, dict[str, Record]]) -> Iterator[Record]:
    """All records of processes that found their caches filled."""
    for cells in results.values():
        for cell in cells.values():
            if not cell.get("warm", {"failure": "none"})["failure"]:
                yield cell["warm"]


def row(problem: str, name: str, cell: Record) -> list[str]:
    """One engine on one problem."""
    failure = cell["cold"]["failure"] or cell["warm"]["failure"]
    if failure:
        return [problem, name, *[""] * 3, str(failure).replace("|", "\\|"), *[""] * 7]
    cold, warm = cell["cold"], cell["warm"]
    draws, tune = (cell["settings"][key] for key in ("draws", "tune"))
    return [
        problem,
        name,
        f"{draws} + {tune}",
        *(digits(s) for s in (warm["import_s"], cold["total_s"], warm["total_s"])),
        digits(warm["sampling_s"]),
        f"{worst(warm, 'ess_bulk'):.0f}",
        f"{worst(warm, 'ess_tail'):.0f}",
        *(f"{rate(warm, seconds):,.0f}" for seconds in ("sampling_s", "total_s")),
        str(warm["divergences"]),
        f"{worst(warm, 'r_hat'):.3f}",
    ]


def lead_lines(problem: str, cells: dict[str, Record]) -> Iterator[str]:
    """Our effective draws a second of sampling as multiples, one line a target and problem."""
    done = {
        name: cell["warm"]
        for name, cell in cells.items()
        if not cell["cold"]["failure"] and not cell["warm"]["failure"]
    }
    rates = {name: rate(record, "sampling_s") for name, record in done.items()}
    ours = {name: value for name, value in rates.items() if name.startswith(OURS)}
    rivals = {name: value for name, value in rates.items() if name not in ours}
    for name, value in ours.items():
        others = rivals if name == OURS else rivals | {OURS: rates[OURS]} if OURS in rates else {}
        multiples = ", ".join(f"{digits(value / other)} x {who}" for who, other in others.items())
        if multiples:
            yield f"- {problem}, {name}: {multiples}."


HEAD = """\
# Benchmarks of the posteriors

Made by `python -m benchmarks bayes`. 4 chains, 2 cores, every engine with its own default priors
and settings, but for the numbers of draws and of steps of adaptation; each in processes of its
own, on the same data. Seconds are those of the import, of the call (the model, ours with its ML
fit, to the draws) in a process with empty caches and in the next one, and of the sampling in the
latter, adaptation included, compilation not. ESS and R-hat are ArviZ's, of the worst parameter:
coefficients, standard deviations, correlations, dispersions.

`cbpp` and `VerbAgg` (main effects, crossed intercepts of 316 subjects and 24 items) are lme4's;
`poisson-slopes` are 20,000 simulated counts with correlated intercepts and slopes of 1,000
groups; `binomial-400` 4,000 simulated binary responses in 400 groups. `-laplace` is importance
sampling of the marginal posterior, with the random effects drawn afterwards. bambi
has no correlations of random effects, so that `poisson-slopes` has one parameter less for it."""
LEAD = "Effective draws a second of sampling, ours as a multiple of the others', worst parameter."
