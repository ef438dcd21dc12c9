"""``python -m benchmarks run`` times fits, ``floor`` evaluations; ``table`` makes the docs."""

import argparse
from collections.abc import Callable
from pathlib import Path

from benchmarks.accuracy import OUT as ACCURACY
from benchmarks.accuracy import accuracy
from benchmarks.agreement import PAIRS, agreement
from benchmarks.bayes import OUT as BAYES
from benchmarks.bayes import TIMED, bayes
from benchmarks.calibration import OUT as CALIBRATION
from benchmarks.calibration import STUDIES as CALIBRATED
from benchmarks.calibration import TARGETS, calibration
from benchmarks.coverage import STUDIES, coverage
from benchmarks.engines import ENGINES, ROOT
from benchmarks.floor import floor
from benchmarks.problems import PROBLEMS
from benchmarks.results import results_file
from benchmarks.run import run
from benchmarks.samplers import SAMPLERS
from benchmarks.table import DOCUMENT, write_document
from benchmarks.verbs import verbs

COMMANDS: dict[str, Callable[..., str | None]] = {
    "run": run,
    "floor": floor,
    "table": write_document,
    "coverage": coverage,
    "verbs": verbs,
    "accuracy": accuracy,
    "bayes": bayes,
    "agreement": agreement,
    "calibration": calibration,
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
    comparing = commands.add_parser("accuracy", help="the trusted fits beside ours")
    comparing.add_argument("--out", type=Path, default=ACCURACY)
    comparing.add_argument("--document", type=Path, default=ROOT / "docs" / "accuracy.md")
    sampling = commands.add_parser("bayes", parents=[rivals], help="posteriors, timed")
    sampling.add_argument("--problems", nargs="*", choices=TIMED, default=TIMED)
    sampling.add_argument("--engines", nargs="+", choices=SAMPLERS, default=tuple(SAMPLERS))
    sampling.add_argument("--draws", type=int, default=1000)
    sampling.add_argument("--tune", type=int, default=1000)
    sampling.add_argument("--limit", type=float, default=1800.0, help="seconds of a process")
    sampling.add_argument("--out", type=Path, default=BAYES, help="results are merged into it")
    sampling.add_argument("--document", type=Path, default=ROOT / "docs" / "bayes_benchmarks.md")
    agreeing = commands.add_parser("agreement", parents=[rivals], help="posteriors, compared")
    stored = {pair.problem for pair in PAIRS}
    agreeing.add_argument("--remake", nargs="*", choices=stored, default=(), help="run the rivals")
    agreeing.add_argument("--draws", type=int, default=4000, help="ours a chain")
    agreeing.add_argument("--document", type=Path, default=ROOT / "docs" / "bayes_agreement.md")
    calibrating = commands.add_parser("calibration", help="ranks of true values in posteriors")
    calibrating.add_argument("--studies", nargs="+", choices=CALIBRATED, default=tuple(CALIBRATED))
    calibrating.add_argument("--targets", nargs="+", choices=TARGETS, default=TARGETS)
    calibrating.add_argument("--replicates", type=int, default=200)
    calibrating.add_argument("--jobs", type=int, default=2)
    calibrating.add_argument("--seed", type=int, default=1)
    calibrating.add_argument("--out", type=Path, default=CALIBRATION, help="is continued")
    calibrating.add_argument("--document", type=Path, default=ROOT / "docs" / "calibration.md")
    options = vars(parser.parse_args())
    command = options.pop("command")
    done = COMMANDS[command](**options)
    if done is not None:
        print(done)


if __name__ == "__main__":
    main()
