"""``python -m benchmarks run`` times fits, ``floor`` evaluations; ``table`` makes the docs."""

import argparse
from collections.abc import Callable
from pathlib import Path

from benchmarks.coverage import STUDIES, coverage
from benchmarks.engines import ENGINES
from benchmarks.floor import floor
from benchmarks.problems import PROBLEMS
from benchmarks.results import results_file
from benchmarks.run import run
from benchmarks.table import DOCUMENT, write_document
from benchmarks.verbs import verbs

COMMANDS: dict[str, Callable[..., str | None]] = {
    "run": run,
    "floor": floor,
    "table": write_document,
    "coverage": coverage,
    "verbs": verbs,
}


def main() -> None:
    """Time fits, evaluations or verbs, write docs/benchmarks.md, or simulate coverage."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=main.__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    chosen = argparse.ArgumentParser(add_help=False)
    chosen.add_argument("--problems", nargs="+", choices=PROBLEMS, default=tuple(PROBLEMS))
    kept = argparse.ArgumentParser(add_help=False)
    kept.add_argument("--out", type=Path, default=results_file(), help="this machine's results")
    rivals = argparse.ArgumentParser(add_help=False)
    rivals.add_argument("--rivals", help="python with glmm, mixedlm, gpboost and formulaic")

    running = commands.add_parser(
        "run", parents=[chosen, rivals, kept], help="problems crossed with engines"
    )
    running.add_argument("--engines", nargs="+", choices=ENGINES, default=tuple(ENGINES))
    running.add_argument("--repeats", type=int, default=3, help="timed fits after the first")
    running.add_argument("--limit", type=float, default=40.0, help="seconds an engine may take")
    running.add_argument(
        "--quick", action="store_true", help="n <= 10,000, one repetition, a limit of 10 s"
    )
    commands.add_parser(
        "floor", parents=[chosen, kept], help="our evaluations beside the least they can cost"
    )
    printing = commands.add_parser(
        "table", parents=[kept], help="markdown and figures of all results"
    )
    printing.add_argument("--document", type=Path, default=DOCUMENT)
    covering = commands.add_parser("coverage", help="coverage of confidence intervals")
    covering.add_argument("--design", choices=STUDIES, default="binomial")
    covering.add_argument("--replicates", type=int, default=500)
    covering.add_argument("--boot", type=int, default=200, help="refits a bootstrap; 0: none")
    covering.add_argument("--jobs", type=int, default=2)
    covering.add_argument("--seed", type=int, default=1)
    covering.add_argument("--out", type=Path, required=True, help="an interrupted run goes on here")
    timing = commands.add_parser("verbs", help="what is done with a fit, timed")
    timing.add_argument("--limit", type=float, default=300.0, help="seconds a process may take")
    options = vars(parser.parse_args())
    command = options.pop("command")
    done = COMMANDS[command](**options)
    if done is not None:
        print(done)


if __name__ == "__main__":
    main()
