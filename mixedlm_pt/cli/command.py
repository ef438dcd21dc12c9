"""What the commands do, and how they end."""

import argparse
import io
import os
import shlex
import signal
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import FrameType
from typing import Any, TextIO

import pandas as pd

from mixedlm_pt.api import glmer
from mixedlm_pt.cli.document import (
    SCHEMA,
    fit_document,
    parameter_frame,
    posterior_document,
    ratio_frame,
    to_json,
    versions,
)
from mixedlm_pt.cli.files import check_categorical, check_folder, read_table, write_text
from mixedlm_pt.cli.parser import parse
from mixedlm_pt.datasets import describe, load, names
from mixedlm_pt.diagnostics import checkConv
from mixedlm_pt.errors import DataError, MixedlmError, MixedlmWarning
from mixedlm_pt.families import Family, make_family
from mixedlm_pt.inference import confint
from mixedlm_pt.limits import tail_names
from mixedlm_pt.prediction import predict
from mixedlm_pt.result_table import ResultTable
from mixedlm_pt.results import GlmerResult
from mixedlm_pt.summary import summary

DONE, FAILED, DOUBTFUL, INTERRUPTED = 0, 1, 3, 130
METHODS = {"wald": "Wald", "profile": "profile likelihood", "boot": "parametric bootstrap"}
PREDICTED = ("fit", "se_fit", "lower", "upper")


@dataclass
class Course:
    """What happened on the way: warnings, and whether the user pressed Ctrl-C."""

    warnings: list[str] = field(default_factory=list)
    interrupted: bool = False

    def warn(self, message: object) -> None:
        """Tell the user, and remember it for the document."""
        self.warnings.append(str(message))
        tell("warning", message)


def main(argv: list[str] | None = None, program: str = "mixedlm_pt") -> int:
    """Run the command line.

    Parameters
    ----------
    argv : list of str, optional
        Arguments; those of the process by default.
    program : str
        How the user calls it, for the help texts.

    Returns
    -------
    int
        The exit code: 0 done, 1 error, 3 fitted with doubts, 130 interrupted.

    Raises
    ------
    SystemExit
        With 2 if the command line is wrong, with 0 after a help text.
    """
    arguments = parse(program, argv)
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A terminal that lacks a letter of a table shows a question mark instead of failing.
        sys.stdout.reconfigure(errors="replace")
    course = Course()
    command = sys.argv[1:] if argv is None else argv
    try:
        with watched(course):
            code = run(arguments, f"{program} {shlex.join(command)}", course)
            sys.stdout.flush()
    except MixedlmError as error:
        tell("error", error)
        return FAILED
    except KeyboardInterrupt:
        tell("error", "interrupted before there was a result")
        return INTERRUPTED
    except BrokenPipeError:
        # The reader, such as head, has had enough; Python would complain again when it flushes.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return DONE
    return code


def run(arguments: argparse.Namespace, command: str, course: Course) -> int:
    """Do what a command line says."""
    if arguments.command == "fit":
        return run_fit(arguments, command, course)
    return run_data(arguments)


def run_data(arguments: argparse.Namespace) -> int:
    """List the data sets, or describe or write one."""
    if arguments.name is None:
        width = max(map(len, names()))
        for name in names():
            dataset = describe(name)
            print(f"{name:{width}}  {dataset.n_rows:>6,} rows  {dataset.title}")
    elif arguments.describe:
        print(describe(arguments.name))
    elif arguments.out is None:
        load(arguments.name).to_csv(sys.stdout, index=False)
    else:
        check_folder(arguments.out)
        write_text(arguments.out, load(arguments.name).to_csv(index=False))
    return DONE


def run_fit(arguments: argparse.Namespace, command: str, course: Course) -> int:
    """Fit, print and write."""
    for name in (arguments.out, arguments.predictions):
        if name is not None:
            check_folder(name)
    data, new = tables(arguments)
    fit = glmer(
        arguments.formula,
        data,
        family_of(arguments),
        nAGQ=arguments.nagq,
        weights=arguments.weights,
        offset=arguments.offset,
        priors=arguments.priors,
        verbose=0 if arguments.quiet else None,
    )
    show(arguments, summary(fit))
    parameters = limits(fit, arguments)
    if new is not None:
        write_text(arguments.predictions, predicted(fit, new, arguments).to_csv(index=False))
    posterior = sampled(fit, arguments) if arguments.sample else None
    problems = () if posterior is None else posterior.problems()
    for problem in problems:
        course.warn(problem)
    if course.interrupted:
        tell("warning", "interrupted; the results are of what was finished by then")
    if arguments.out is not None:
        document = {
            "schema": SCHEMA,
            "command": command,
            "data": {
                "file": arguments.data,
                "rows": len(data),
                "rows_used": fit.model.n,
                "rows_omitted": int(fit.design.omitted.sum()),
                "columns": [str(name) for name in data],
            },
            **fit_document(fit, parameters, exponentiate=arguments.exponentiate),
            "limits": {"method": arguments.confint or "wald", "level": arguments.level},
            "posterior": posterior and posterior_document(posterior, arguments.level, problems),
            "warnings": course.warnings,
            "interrupted": course.interrupted,
            "versions": versions(posterior is not None),
        }
        write_text(arguments.out, to_json(document))
    if course.interrupted:
        return INTERRUPTED
    return DONE if checkConv(fit).ok and not problems else DOUBTFUL


def tables(arguments: argparse.Namespace) -> tuple[pd.DataFrame, pd.DataFrame | None]:
    """The rows to fit, and those to predict."""
    options = {"delimiter": arguments.delimiter, "missing": arguments.missing}
    data = read_table(arguments.data, arguments.categorical, **options)
    check_categorical(data, arguments.categorical)
    if arguments.predict is None:
        return data, None
    new = read_table(arguments.predict, arguments.categorical, **options)
    taken = [name for name in PREDICTED if name in new]
    if taken:
        raise DataError(
            f"{arguments.predict!r} has a column {taken[0]!r}, which --predictions would write; "
            "rename it."
        )
    return data, new


def family_of(arguments: argparse.Namespace) -> Family:
    """The family with its link."""
    family = make_family(arguments.family)
    return family if arguments.link is None else type(family)(link=arguments.link)


def limits(fit: GlmerResult, arguments: argparse.Namespace) -> pd.DataFrame:
    """All parameters with their limits, which are printed if they were asked for."""
    method = arguments.confint or "wald"
    options: dict[str, Any] = {"level": arguments.level, "progress": shows_progress(arguments)}
    if arguments.nsim is not None:
        options["nsim"] = arguments.nsim
    found = confint(fit, method=method, seed=arguments.seed, n_jobs=arguments.jobs, **options)
    parameters = parameter_frame(fit, found)
    tail = tail_names(arguments.level)
    title = f"Limits of {100.0 * arguments.level:g} % ({METHODS[method]})"
    if arguments.confint is not None:
        shown = parameters[["estimate", "conf_low", "conf_high"]]
        show(arguments, titled(title, shown.set_axis(["Estimate", *tail], axis=1)))
    if arguments.exponentiate:
        shown = ratio_frame(parameters, fit.model.p)
        show(
            arguments,
            titled(f"Ratios, exp(Estimate). {title}", shown.set_axis(["Ratio", *tail], axis=1)),
        )
    return parameters


def titled(title: str, frame: pd.DataFrame) -> ResultTable:
    """A table to print."""
    return ResultTable((title,), frame)


def predicted(fit: GlmerResult, new: pd.DataFrame, arguments: argparse.Namespace) -> pd.DataFrame:
    """The new rows with their means, standard errors and limits."""
    found = predict(
        fit,
        new,
        re_form=arguments.re_form,
        allow_new_levels=bool(arguments.allow_new_levels),
        se_fit=True,
        interval=arguments.interval or "confidence",
        level=arguments.level,
        seed=arguments.seed,
    )
    return pd.concat([new, pd.DataFrame(found)], axis=1)


def sampled(fit: GlmerResult, arguments: argparse.Namespace) -> Any:
    """The posterior, printed."""
    named = {
        "draws": arguments.draws,
        "tune": arguments.tune,
        "chains": arguments.chains,
        "cores": arguments.cores,
        "target": arguments.target,
        "priors": arguments.sample_priors,
    }
    given = {name: value for name, value in named.items() if value is not None}
    posterior = fit.sample(
        random_seed=arguments.seed, progressbar=shows_progress(arguments), **given
    )
    show(arguments, posterior.summary(arguments.level))
    return posterior


def shows_progress(arguments: argparse.Namespace) -> bool:
    """Whether someone is watching."""
    return sys.stderr.isatty() and not arguments.quiet


def show(arguments: argparse.Namespace, table: object) -> None:
    """Print a table and an empty line below it; at once, before the next step takes its time."""
    if not arguments.quiet:
        print(table, end="\n\n", flush=True)


def tell(kind: str, message: object) -> None:
    """A message on standard error; that of a formula has more lines, which point to the place."""
    print(f"mixedlm_pt: {kind}: {message}", file=sys.stderr)


@contextmanager
def watched(course: Course) -> Iterator[None]:
    """Note Ctrl-C, also where a verb keeps what it has; print our warnings on one line each."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        course.interrupted = True
        signal.default_int_handler(number, frame)

    def warned(
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        file: TextIO | None = None,
        line: str | None = None,
    ) -> None:
        course.warn(message)

    before = signal.signal(signal.SIGINT, interrupt)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("always", MixedlmWarning)
            warnings.showwarning = warned
            yield
    finally:
        signal.signal(signal.SIGINT, before)
