"""docs/coverage.md from coverage's JSON report: ``python tests/coverage_page.py REPORT PAGE``."""

import json
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

# Files below this share of lines and branches are named, with the reason.
ENOUGH = 95.0

# Pattern of files: what their missed lines are. The first pattern that fits is the reason.
REASONS: Mapping[str, str] = {
    "linalg/numba_*.py": "kernels that Numba compiles: the tests run them as machine code",
    "linalg/sparse.py": "kernels that Numba compiles: the tests run them as machine code",
    "linalg/dispatch_numba.py": "bodies that Numba compiles; the whole backend is a slow test",
    "linalg/loops.py": "bodies of loops that LLVM compiles",
    "__main__.py": "runs in a process of its own",
}

INTRODUCTION = """# Coverage

Which lines and branches of the package the tests run. `make coverage` runs the tests under
coverage.py, processes of joblib and of the command line included, and writes this page; tests that
are marked slow are not in it. What runs as machine code, made by LLVM or Numba, is not seen:
coverage.py watches the Python interpreter. Such code is tested by its results, against plain Python
and against R. "Covered" is coverage.py's figure for lines and branches together.
"""


def page(report: Mapping[str, Any]) -> str:
    """The page, in Markdown."""
    total = report["totals"]
    lines = [
        INTRODUCTION,
        f"All: {total['num_statements']:,} statements, {total['missing_lines']:,} of them missed; "
        f"{total['num_branches']:,} branches, {total['missing_branches']:,} of them missed: "
        f"**{total['percent_covered']:.1f} % covered**. coverage.py "
        f"{report['meta']['version']}, {report['meta']['timestamp'][:10]}.\n",
        "| part | statements | missed | branches | missed | covered |",
        "|---|---:|---:|---:|---:|---:|",
        *(row(name, summaries) for name, summaries in parts(report["files"])),
        f"\n## Files below {ENOUGH:g} %\n",
        *gaps(report["files"]),
    ]
    return "\n".join(lines) + "\n"


def parts(files: Mapping[str, Any]) -> Iterator[tuple[str, list[Mapping[str, int]]]]:
    """The folders of the package, and its own modules together, with their files' figures."""
    found = defaultdict(list)
    for name, facts in files.items():
        inside = Path(name).parts[1:]
        part = f"`{inside[0]}/`" if len(inside) > 1 else "modules of the package itself"
        found[part].append(facts["summary"])
    yield from sorted(found.items())


def row(name: str, summaries: Iterable[Mapping[str, int]]) -> str:
    """A line of the table: the figures of some files together."""
    keys = ("num_statements", "missing_lines", "num_branches", "missing_branches")
    sums = [sum(one[key] for one in summaries) for key in keys]
    possible = sums[0] + sums[2]
    covered = 100.0 * (possible - sums[1] - sums[3]) / possible if possible else 100.0
    cells = [name, *(f"{value:,}" for value in sums), f"{covered:.1f} %"]
    return f"| {' | '.join(cells)} |"


def gaps(files: Mapping[str, Any]) -> Iterator[str]:
    """A table of the files that are covered too little, and why."""
    low = {
        name: facts for name, facts in files.items() if facts["summary"]["percent_covered"] < ENOUGH
    }
    if not low:
        yield "None."
        return
    yield "| file | covered | lines missed | what they are |"
    yield "|---|---:|---|---|"
    for name, facts in sorted(low.items(), key=lambda one: one[1]["summary"]["percent_covered"]):
        short = name.removeprefix("mixedlm_pt/")
        percent = facts["summary"]["percent_covered"]
        missed = ranges(facts["missing_lines"]) or "branches only"
        yield f"| `{short}` | {percent:.1f} % | {missed} | {reason(short)} |"


def reason(name: str) -> str:
    """What the missed lines of a file are."""
    return next((why for pattern, why in REASONS.items() if fnmatch(name, pattern)), "not yet said")


def ranges(numbers: Iterable[int]) -> str:
    """Line numbers, those that follow each other as ``first-last``."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    return ", ".join(f"{a}-{b}" if b > a else f"{a}" for a, b in runs)


if __name__ == "__main__":
    source, target = map(Path, sys.argv[1:])
    target.write_text(page(json.loads(source.read_text())), encoding="utf-8")
