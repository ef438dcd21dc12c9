"""``python -m benchmarks run`` times fits, ``verbs`` what follows, ``coverage`` simulates."""

import argparse
import json
from pathlib import Path

from benchmarks.coverage import STUDIES, coverage
from benchmarks.engines import ENGINES
from benchmarks.problems import PROBLEMS
from benchmarks.run import run
from benchmarks.table import table
from benchmarks.verbs import verbs


def main() -> None:
    """Time fits or verbs, print the table of a run, or simulate the coverage of intervals."""
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
    timing = commands.add_parser("verbs", help="what is done with a fit, timed")
    timing.add_argument("--rivals", help="python with glmm and mixedlm")
    timing.add_argument("--limit", type=float, default=300.0, help="seconds a process may take")
    options = vars(parser.parse_args())
    command = options.pop("command")
    if command == "run":
        run(**options)
    elif command == "coverage":
        print(coverage(**options))
    elif command == "verbs":
        print(verbs(**options))
    else:
        print(table(json.loads(options["results"].read_text())))


if __name__ == "__main__":
    main()
