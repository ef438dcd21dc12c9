"""Tables: all results as one page of markdown, with figures beside it."""

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from statistics import median

from benchmarks.engines import OURS, ROOT
from benchmarks.figures import draw_series
from benchmarks.problems import PROBLEMS
from benchmarks.results import LOGLIK_TOLERANCE, Results, seconds_of

DOCUMENT = ROOT / "docs" / "benchmarks.md"
# Where a rival is ahead: what holds us back, by problem or series.
OVERHEAD = (
    "On few rows our time goes into Python: one millisecond for the formula and the design, four "
    "for the start, the search and the standard errors between some forty calls of machine code, "
    "which themselves take half a millisecond."
)
HELD_BACK = dict.fromkeys(
    ("cbpp", "cbpp-agq11", "cbpp-agq25", "grouseticks", "binomial-1e3", "poisson-slopes-1e3"),
    OVERHEAD,
)

Cell = Callable[[str, str], str]


def write_document(out: Path, document: Path) -> None:
    """Write the page and, in a folder beside it, its figures."""
    results = Results(json.loads(out.read_text()))
    figures = document.parent / "figures" / document.stem
    figures.mkdir(parents=True, exist_ok=True)
    drawn = draw_series(results, figures)
    parts = [
        HEAD.format(tolerance=LOGLIK_TOLERANCE),
        origin(results),
        *second_fits(results),
        *(f"![{title}]({path.relative_to(document.parent)})" for title, path in drawn.items()),
        *starts(results),
        *by_engine(results, "## Memory", MEMORY, memory_cell(results)),
        *logliks(results),
        *by_engine(results, "## Evaluations", EVALUATIONS, evaluations_cell(results)),
        *floor(results),
    ]
    document.write_text("\n\n".join(parts) + "\n")


def origin(results: Results) -> str:
    """Date, machine and versions."""
    m = results.machine
    records = [r for by_name in results.records.values() for r in by_name.values()]
    dates = sorted({record["date"][:10] for record in records})
    loads = sorted(record["load"] for record in records)
    versions = {
        f"{name} {version}": None
        for record in records
        for name, version in record.get("versions", {}).items()
    }
    period = " to ".join(dict.fromkeys((dates[0], dates[-1])))
    return (
        f"{period}; {m['processor']}, {m['cores']} cores, "
        f"{m['memory_GB']} GB, {m['system']}; load before a problem {median(loads):.1f} (median), "
        f"{loads[-1]:.1f} (highest). {', '.join(versions)}."
    )


def second_fits(results: Results) -> list[str]:
    """Times of a second fit, and where a rival is ahead."""
    rows, behind = [], []
    for problem in results.problems:
        fastest = (results.ranking(problem) or [(0.0, "")])[0][1]
        cells = []
        for engine in results.engines:
            cell = fit_cell(results, problem, engine)
            cells.append(f"**{cell}**" if engine == fastest else cell)
        lead = results.lead(problem)
        rows.append([problem, *cells, "" if lead is None else f"{lead[0]:.2g}, {lead[1]}"])
        if lead is not None and lead[0] < 1.0:
            series = PROBLEMS[problem].series or problem
            reason = HELD_BACK.get(problem) or HELD_BACK.get(series)
            line = f"- {problem}: {lead[1]} is {1 / lead[0]:.2g} times as fast."
            behind.append(f"{line} {reason}" if reason else line)
    ahead = "Where a rival is ahead:\n\n" + "\n".join(behind) if behind else "No rival is ahead."
    header = ["problem", *results.engines, "lead"]
    return ["## A second fit, seconds", SECOND, markdown(header, rows), ahead]


def fit_cell(results: Results, problem: str, engine: str) -> str:
    """Seconds, marked where the optimum was missed or there was one fit only."""
    found = results.records[problem].get(engine)
    if found is None:
        return ""
    if found["failure"]:
        return str(found["failure"]).split(" (not run")[0].replace("|", "\\|")
    text = digits(seconds_of(found)) + ("" if found["fit_s"] else "¹")
    return f"~~{text}~~" if results.is_wrong(problem, engine) else text


def starts(results: Results) -> list[str]:
    """First fits in a new process, with empty and with warm caches, and whole scripts."""
    rows = []
    for problem in results.problems:
        ours = results.record(problem, OURS)
        if ours is None:
            continue
        kinds = ("cold_import_s", "cold_fit_s", "first_fit_s", "script_s")
        rivals = [
            middle(record["script_s"])
            for engine in results.engines
            if engine != OURS
            for record in [results.record(problem, engine) or {"script_s": []}]
        ]
        rows.append([problem, *(middle(ours[kind]) for kind in kinds), *rivals])
    header = ["problem", "import", "first fit, empty caches", "first fit, warm", "script"]
    header += [f"script, {engine}" for engine in results.engines if engine != OURS]
    return ["## A new process, seconds", STARTS, markdown(header, rows)]


def memory_cell(results: Results) -> Cell:
    """Peak memory."""

    def cell(problem: str, engine: str) -> str:
        peak = results.peak_memory(problem, engine)
        return "" if peak is None else f"{peak:.0f}"

    return cell


def logliks(results: Results) -> list[str]:
    """The best log-likelihood of every problem, and what the engines lack."""
    rows = []
    for problem in results.problems:
        found = [engine for engine in results.engines if results.record(problem, engine)]
        best = [
            results.records[problem][engine]["loglik"] - results.below(problem, engine)
            for engine in found
            if results.criterion(problem, engine) == "observed"
        ]
        cells = [loglik_cell(results, problem, engine) for engine in results.engines]
        rows.append([problem, f"{best[0]:.5f}" if best else "", *cells])
    header = ["problem", "best", *results.engines]
    return ["## Log-likelihoods", LOGLIK, markdown(header, rows)]


def loglik_cell(results: Results, problem: str, engine: str) -> str:
    """Distance from the best, marked where the optimum was missed or is another criterion's."""
    if results.record(problem, engine) is None:
        return ""
    text = f"{results.below(problem, engine):z.5f}"
    marked = f"**{text}**" if results.is_wrong(problem, engine) else text
    return marked if results.criterion(problem, engine) == "observed" else f"{marked}²"


def evaluations_cell(results: Results) -> Cell:
    """Evaluations of the criterion, where the engine says."""

    def cell(problem: str, engine: str) -> str:
        record = results.record(problem, engine)
        return "" if record is None or record["evaluations"] is None else str(record["evaluations"])

    return cell


def by_engine(results: Results, title: str, note: str, cell: Cell) -> list[str]:
    """A section with a table of problems by engines."""
    rows = [
        [problem, *(cell(problem, engine) for engine in results.engines)]
        for problem in results.problems
    ]
    return [title, note, markdown(["problem", *results.engines], rows)]


def floor(results: Results) -> list[str]:
    """Our evaluations beside the least that reading the data costs."""
    rows = [
        [
            problem,
            *(str(r[size]) for size in ("n", "p", "q")),
            *(digits(1e3 * r[kind]) for kind in ("evaluation_s", "exp_s", "product_s")),
            *(f"{r['evaluation_s'] / r[kind]:.0f}" for kind in ("exp_s", "product_s")),
            f"{r['newton']:.1f}",
            str(r["evaluations"]),
            f"{r['evaluations'] * r['evaluation_s'] / r['fit_s']:.0%}",
        ]
        for problem, r in results.floor.items()
    ]
    header = [
        "problem", "n", "p", "q", "evaluation, ms", "exp, ms", "X'WX, ms", "in passes of exp",
        "in products", "Newton steps each", "evaluations", "share of the fit",
    ]  # fmt: skip
    return ["## Close to the limit", FLOOR, markdown(header, rows)] if rows else []


def markdown(header: list[str], rows: Iterable[list[str]]) -> str:
    """A table, the first column to the left."""
    lines = [header, ["---", *["---:"] * (len(header) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def middle(values: list[float]) -> str:
    """Their median, or nothing."""
    return digits(median(values)) if values else ""


def digits(value: float | None) -> str:
    """Three significant digits."""
    return "" if value is None else f"{value:#.3g}".rstrip(".")


HEAD = """\
# Benchmarks

Made by `python -m benchmarks run`, `floor` and `table`;
`benchmarks/README.md` says how, and what each problem is. Every engine
runs in processes of its own, on the same data. A fit whose log-likelihood lies more than
{tolerance} below the best has missed the optimum: it is struck out, and no time to compare with."""
SECOND = """\
A model of the same structure fitted again in a process: median. Bold: the fastest at the optimum.
¹ One fit only, the first: there was no time for another. `> 40 s`: cut at the limit, or left out
because a fit to fewer rows was too slow already. The last column is the fastest rival's time at
the optimum divided by ours, and its name. The `-boot` problems are 200 parametric-bootstrap
refits."""
STARTS = """\
Ours: the import, the first fit after it with empty caches, the first fit with the caches of an
earlier process. A script is a process from its start to its end: import, read a CSV file, fit
once, print the summary; warm caches. Scripts whose fit takes more than half of the limit were not
timed."""
MEMORY = "Highest resident memory of a process that read the data and fitted once, in MB."
LOGLIK = """\
The best of all engines, and what each lacks; bold: the optimum was missed. ² The Laplace
approximation with the expected in place of the observed information, another criterion where the
link is not canonical: compared with the best of the engines that use it."""
EVALUATIONS = """\
Of the criterion, those for standard errors among them; `glmm`: and of its gradient; `mixedlm` and
`gpboost`: iterations of the optimiser. `lme4` and `glmm` without gradients count values, ours are
values with gradient."""
FLOOR = """\
One evaluation of the criterion with its exact gradient, inner Newton iteration included, between
points 0.3 standard errors apart; beside it one pass of `exp` over n numbers, and one product
X'WX. The share is that of all evaluations in a second fit; the rest is reading the formula, the
design and the result."""
