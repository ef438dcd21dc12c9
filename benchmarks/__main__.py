"""``python -m benchmarks run --out FILE`` fits, ``python -m benchmarks table FILE`` prints."""

import argparse
import json
from pathlib import Path

from benchmarks.engines import ENGINES
from benchmarks.problems import PROBLEMS
from benchmarks.run import run
from benchmarks.table import table


def main() -> None:
    """Run the benchmarks, or print the table of a run."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=main.__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    running = commands.add_parser("run", help="problems crossed with engines")
    running.add_argument("--problems", nargs="+", choices=PROBLEMS, default=tuple(PROBLEMS))
    running.add_argument("--engines", nargs="+", choices=ENGINES, default=tuple(ENGINES))
    running.add_argument("--repeats", type=int, default=5, help="timed fits after the first")
    running.add_argument("--limit", type=float, default=60.0, help="seconds an engine may take")
    running.add_argument("--rivals", help="python with glmm, mixedlm, gpboost and formulaic")
    running.add_argument("--out", type=Path, required=True)
    printing = commands.add_parser("table", help="markdown of a run")
    printing.add_argument("results", type=Path)
    options = vars(parser.parse_args())
    if options.pop("command") == "run":
        run(**options)
    else:
        print(table(json.loads(options["results"].read_text())))


if __name__ == "__main__":
    main()
