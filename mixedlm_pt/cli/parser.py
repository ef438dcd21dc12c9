"""Commands and options, with the help that explains them."""

import argparse
from collections.abc import Iterator

from mixedlm_pt import __version__
from mixedlm_pt.cli.files import READERS
from mixedlm_pt.families import FAMILIES, LINKS

EXIT_CODES = """exit codes:
  0    done
  1    an error; standard error says what is wrong and what to do
  2    the command itself is wrong
  3    fitted, but the fit did not converge or the chains cannot be trusted: see the warnings
  130  interrupted; what was finished by then is printed and written"""

EXAMPLES = """examples:
  {program} data cbpp --out cbpp.csv
  {program} fit cbpp.csv "incidence / size ~ period + (1 | herd)" --categorical period
  {program} fit --help"""

FIT_EXAMPLES = """examples:
  {program} fit cbpp.csv "incidence / size ~ period + (1 | herd)" --categorical period
  {program} fit ticks.tsv "TICKS ~ YEAR + (1 | BROOD)" --family poisson --nagq 10
  {program} fit cbpp.csv "incidence / size ~ period + (1 | herd)" --categorical period \\
      --confint profile --exponentiate --out fit.json
  {program} fit cbpp.csv "incidence / size ~ period + (1 | herd)" --categorical period \\
      --sample --seed 1 --quiet --out fit.json
  cat cbpp.csv | {program} fit - "incidence / size ~ period + (1 | herd)" --categorical period

"""

DATA_EXAMPLES = """examples:
  {program} data
  {program} data cbpp --describe
  {program} data cbpp --out cbpp.csv
  {program} data sleepstudy | head -3

"""

# Options that say something about another one: option, what must be given, and its values.
NEEDS: tuple[tuple[str, str, tuple[object, ...]], ...] = (
    ("draws", "sample", (True,)),
    ("tune", "sample", (True,)),
    ("chains", "sample", (True,)),
    ("cores", "sample", (True,)),
    ("target", "sample", (True,)),
    ("sample_priors", "sample", (True,)),
    ("nsim", "confint", ("boot",)),
    ("jobs", "confint", ("boot", "profile")),
)
OF_PREDICTIONS = ("predictions", "re_form", "interval", "allow_new_levels")


def build_parser(program: str) -> argparse.ArgumentParser:
    """The parser of all commands; ``program`` is how the user calls it."""
    parser = argparse.ArgumentParser(
        prog=program,
        description="Generalized linear mixed models in the language of lme4.",
        epilog=f"{EXAMPLES}\n\n{EXIT_CODES}".format(program=program),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"mixedlm_pt {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    add_fit(commands, program)
    add_data(commands, program)
    return parser


def add_command(
    commands: "argparse._SubParsersAction[argparse.ArgumentParser]",
    name: str,
    summary: str,
    examples: str,
    program: str,
) -> argparse.ArgumentParser:
    """A command with its help."""
    return commands.add_parser(
        name,
        help=summary,
        description=f"{summary[0].upper()}{summary[1:]}.",
        epilog=f"{examples}{EXIT_CODES}".format(program=program),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )


def add_fit(commands: "argparse._SubParsersAction[argparse.ArgumentParser]", program: str) -> None:
    """The command that fits a model to a file."""
    summary = "fit a model to a table and print its summary"
    fit = add_command(commands, "fit", summary, FIT_EXAMPLES, program)
    suffixes = ", ".join(READERS)
    fit.add_argument("data", metavar="DATA", help=f"a file ({suffixes}), or - for CSV from stdin")
    fit.add_argument("formula", metavar="FORMULA", help='"incidence / size ~ period + (1 | herd)"')

    model = fit.add_argument_group("model")
    names, links = ", ".join(FAMILIES), ", ".join(LINKS).replace("%", "%%")
    model.add_argument("--family", default="binomial", help=f"{names} (default: binomial)")
    model.add_argument("--link", help=f"{links} (default: the family's own)")
    model.add_argument(
        "--nagq", type=int, default=1, metavar="N", help="quadrature nodes (default 1: Laplace)"
    )
    model.add_argument(
        "--weights", metavar="COLUMN", help="prior weights, or trials of proportions"
    )
    model.add_argument("--offset", metavar="COLUMN", help='column or expression, "log(exposure)"')
    model.add_argument(
        "--priors",
        metavar="PRESET",
        help="penalised ML: default, flat, rstanarm, brms or bambi; --sample then has them too",
    )

    table = fit.add_argument_group("table")
    table.add_argument(
        "--categorical",
        action="append",
        default=[],
        metavar="COLUMN",
        help="a column of numbers that are categories, read as they are written; may be repeated",
    )
    table.add_argument("--delimiter", metavar="TEXT", help="between columns of a text file")
    table.add_argument(
        "--missing",
        action="append",
        metavar="TEXT",
        help="what stands for a missing value, besides an empty field; may be repeated "
        "(default: NA, NaN, nan)",
    )

    limits = fit.add_argument_group("limits")
    limits.add_argument("--confint", choices=("wald", "profile", "boot"), help="print limits")
    limits.add_argument("--level", type=float, default=0.95, help="of all limits (default 0.95)")
    limits.add_argument(
        "--exponentiate", action="store_true", help="odds or rate ratios beside the coefficients"
    )
    limits.add_argument("--nsim", type=int, metavar="N", help="replicates of the bootstrap (500)")
    limits.add_argument("--jobs", type=int, metavar="N", help="processes of profile and boot (1)")

    posterior = fit.add_argument_group("posterior")
    posterior.add_argument("--sample", action="store_true", help="draw from the posterior too")
    posterior.add_argument("--draws", type=int, metavar="N", help="a chain (default 1000)")
    posterior.add_argument("--tune", type=int, metavar="N", help="steps of adaptation a chain")
    posterior.add_argument("--chains", type=int, metavar="N", help="(default 4)")
    posterior.add_argument("--cores", type=int, metavar="N", help="chains at a time (default: all)")
    posterior.add_argument("--target", help="full (default), laplace or agq")
    posterior.add_argument(
        "--sample-priors", metavar="PRESET", help="presets as --priors, for the posterior alone"
    )

    predictions = fit.add_argument_group("predictions, of the maximum-likelihood fit")
    predictions.add_argument("--predict", metavar="FILE", help="a table of new rows")
    predictions.add_argument("--predictions", metavar="FILE", help="CSV that is written")
    predictions.add_argument(
        "--re-form", metavar="FORMULA", help='"~0": without random effects; marginal: averaged'
    )
    predictions.add_argument(
        "--interval", choices=("confidence", "prediction"), help="of means, or of new observations"
    )
    predictions.add_argument(
        "--allow-new-levels",
        action="store_true",
        default=None,
        help="of grouping factors: those that the fit has not seen",
    )

    output = fit.add_argument_group("output")
    output.add_argument("--out", metavar="FILE", help="write everything as JSON")
    output.add_argument("--seed", type=int, metavar="N", help="of whatever is drawn at random")
    output.add_argument(
        "--quiet", action="store_true", help="print nothing but warnings and errors"
    )


def add_data(commands: "argparse._SubParsersAction[argparse.ArgumentParser]", program: str) -> None:
    """The command that writes a built-in data set."""
    summary = "list the built-in data sets, or write one as CSV"
    data = add_command(commands, "data", summary, DATA_EXAMPLES, program)
    data.add_argument("name", nargs="?", metavar="NAME", help="without it: a list of the names")
    data.add_argument("--describe", action="store_true", help="its columns and source instead")
    data.add_argument("--out", metavar="FILE", help="write there, not to standard output")


def parse(program: str, argv: list[str] | None) -> argparse.Namespace:
    """The command line as values.

    Raises
    ------
    SystemExit
        With 2 if it is wrong, with 0 after a help text.
    """
    parser = build_parser(program)
    arguments = parser.parse_args(argv)
    problem = next(problems(arguments), None)
    if problem is not None:
        parser.error(problem)
    return arguments


def problems(arguments: argparse.Namespace) -> Iterator[str]:
    """What is wrong with options that are each right."""
    if arguments.command == "data":
        if arguments.name is None and (arguments.describe or arguments.out):
            yield "--describe and --out need the NAME of a data set"
        return
    for name, other, values in NEEDS:
        if getattr(arguments, name) is not None and getattr(arguments, other) not in values:
            wanted = "" if values == (True,) else f" {' or '.join(map(str, values))}"
            yield f"{spelled(name)} is for --{other}{wanted}, which is not given"
    for name in OF_PREDICTIONS:
        if getattr(arguments, name) is not None and arguments.predict is None:
            yield f"{spelled(name)} is for --predict, which is not given"
    if arguments.predict is not None and arguments.predictions is None:
        yield "--predict needs --predictions, the file to write"


def spelled(name: str) -> str:
    """An option as the user writes it."""
    return f"--{name.replace('_', '-')}"
