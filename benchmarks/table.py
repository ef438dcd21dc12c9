"""Tables: results as markdown."""

from collections.abc import Sequence
from itertools import groupby
from statistics import median
from typing import Any

from benchmarks.engines import OURS

# A fit this far below the best log-likelihood is a failure, however fast: its estimates may be
# sqrt(2 * 0.01) = 0.14 standard errors away.
LOGLIK_TOLERANCE = 0.01

HEADER = (
    "problem", "engine", "fit, s", "ratio", "logLik", "to best", "evaluations",
    "import, s", "first fit, s", "cold import + first fit, s", "script, s",
)  # fmt: skip

Record = dict[str, Any]


def table(document: Record) -> str:
    """Markdown: where the results are from, a row for every problem and engine, the rules."""
    rows = [HEADER, ("---", "---", *["---:"] * (len(HEADER) - 2))]
    for _, records in groupby(document["results"], lambda record: record["problem"]):
        rows.extend(problem_rows(list(records)))
    body = "\n".join(f"| {' | '.join(row)} |" for row in rows)
    return f"{origin(document)}\n\n{body}\n\n{NOTES}"


def origin(document: Record) -> str:
    """Date, machine and versions."""
    m, versions = document["machine"], document["versions"]
    lists = [" ".join(f"{name} {v}" for name, v in found.items()) for found in versions.values()]
    return (
        f"{document['date']}; {m['processor']}, {m['cores']} cores, {m['memory_GB']} GB, "
        f"{m['system']}, load {m['load_at_start']:.1f}. {'; '.join(lists)}."
    )


def fit_seconds(record: Record) -> float | None:
    """Median of the later fits; the first fit where the limit left no time for another."""
    if record["failure"]:
        return None
    return median(record["fit_s"]) if record["fit_s"] else float(record["first_fit_s"])


def problem_rows(records: Sequence[Record]) -> list[tuple[str, ...]]:
    """Rows of one problem, each with its ratio to ours and its distance from the best."""
    best = max((r["loglik"] for r in records if not r["failure"]), default=0.0)
    ours = next((fit_seconds(r) for r in records if r["engine"] == OURS), None)
    rows = []
    for r in records:
        fit = fit_seconds(r)
        if fit is None:
            failure = r["failure"].replace("|", "\\|")
            rows.append((r["problem"], r["engine"], failure, *[""] * (len(HEADER) - 3)))
            continue
        below = r["loglik"] - best
        has_failed = below < -LOGLIK_TOLERANCE
        ratio = "failed" if has_failed else f"{fit / ours:.2f}" if ours else ""
        rows.append(
            (
                r["problem"],
                r["engine"],
                seconds(fit) + ("" if r["fit_s"] else " (1)"),
                ratio,
                f"{r['loglik']:.5f}",
                f"**{below:.4f}**" if has_failed else f"{below:z.5f}",
                "" if r["evaluations"] is None else str(r["evaluations"]),
                seconds(r["import_s"]),
                seconds(r["first_fit_s"]),
                seconds(median(r["cold_s"])) if r["cold_s"] else "",
                seconds(median(r["script_s"])) if r["script_s"] else "",
            )
        )
    return rows


def seconds(value: float) -> str:
    """Three significant digits."""
    return f"{value:#.3g}".rstrip(".")


NOTES = f"""\
Fit: median of the second and later fits in a process; (1): the limit left time for one only.
Ratio: the engine's median / ours. To best: the log-likelihood minus the highest of the problem;
a fit more than {LOGLIK_TOLERANCE} below has failed, however fast. Cold: a new process with empty
caches. Script: a process from start to end that imports, reads, fits once and prints the summary;
its caches, and those of the first fit, are warm."""
