"""Exceptions and warnings of mixedlm_pt; each also is the builtin a caller would catch."""

import difflib
import warnings
from collections.abc import Iterable
from pathlib import Path

_PACKAGE = str(Path(__file__).parent)


class MixedlmError(Exception):
    """Base class of every exception that mixedlm_pt raises on purpose."""


class FormulaError(MixedlmError, ValueError):
    """The formula cannot be parsed or names something impossible."""


class DataError(MixedlmError, ValueError):
    """The data do not fit the model; the message names the column and the first offending row."""


class ColumnNotFoundError(MixedlmError, KeyError):
    """The formula or an argument names a column that the data do not have."""

    def __str__(self) -> str:
        # KeyError would print the repr of the message, quotes and all.
        return str(self.args[0])


class ArgumentError(MixedlmError, ValueError):
    """An argument has a value that is not allowed."""


class EstimationError(MixedlmError, ArithmeticError):
    """The criterion cannot be evaluated, so there is nothing to report."""


class MissingPackageError(MixedlmError, ImportError):
    """A verb needs a package that is not installed; the message says how to install it."""


class MixedlmWarning(UserWarning):
    """Base class of every warning that mixedlm_pt issues."""


class ConvergenceWarning(MixedlmWarning, RuntimeWarning):
    """The optimiser stopped where the expected gain in log-likelihood is not negligible."""


class SingularFitWarning(MixedlmWarning):
    """A random-effect variance is zero, a correlation is +-1 or a shape is infinite."""


class RankDeficiencyWarning(MixedlmWarning):
    """Columns of the fixed-effects design were dropped because others determine them."""


def warn(message: str, category: type[Warning]) -> None:
    """Warn at the line outside this package that led here, however deep the call is."""
    warnings.warn(message, category, skip_file_prefixes=(_PACKAGE,))


def unknown_name(kind: str, name: object, known: Iterable[str]) -> ArgumentError:
    """The error for a name that is not in a table; it suggests the nearest known one."""
    names = list(known)
    by_lower = {known_name.lower(): known_name for known_name in names}
    near = difflib.get_close_matches(str(name).lower(), by_lower, n=1)
    hint = f" Did you mean {by_lower[near[0]]!r}?" if near else ""
    return ArgumentError(f"unknown {kind} {name!r}; known: {', '.join(names)}.{hint}")
