"""``python -m benchmarks run --out FILE`` fits, ``table FILE`` prints, ``coverage`` simulates."""

import argparse
import json
from pathlib import Path

from benchmarks.coverage import STUDIES, coverage
from benchmarks.engines import ENGINES
from benchmarks.problems import PROBLEMS
from benchmarks.run import run
from benchmarks.table import table


def main() -> None:
    """Run the benchmarks, print the table of a run, or simulate the coverage of intervals."""
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
    covering = commands.add_parser("coverage", help="coverage of confidence intervals")
    covering.add_argument("--design", choices=STUDIES, default="binomial")
    covering.add_argument("--replicates", type=int, default=500)
    covering.add_argument("--boot", type=int, default=200, help="refits a bootstrap; 0: none")
    covering.add_argument("--jobs", type=int, default=2)
    covering.add_argument("--seed", type=int, default=1)
    covering.add_argument("--out", type=Path, required=True, help="an interrupted run goes on here")
    options = vars(parser.parse_args())
    command = options.pop("command")
    if command == "run":
        run(**options)
    elif command == "coverage":
        print(coverage(**options))
    else:
        print(table(json.loads(options["results"].read_text())))


if __name__ == "__main__":
    main()
