"""Tables of confidence limits: their columns, and the choice of their rows."""

from collections.abc import Iterable, Sequence

import pandas as pd

from mixedlm_pt._typing import FloatArray
from mixedlm_pt.errors import ArgumentError, unknown_name
from mixedlm_pt.fit import Fit

# lme4's names for all fixed effects and for everything else.
GROUPS = ("beta_", "theta_")


def limits_frame(
    names: Sequence[str], lower: FloatArray, upper: FloatArray, level: float
) -> pd.DataFrame:
    """Limits by parameter, the columns named by their tails.

    Raises
    ------
    ArgumentError
        If the level is not between 0 and 1.
    """
    index = pd.Index(list(names), dtype="str")
    return pd.DataFrame(dict(zip(tail_names(level), (lower, upper), strict=True)), index=index)


def tail_names(level: float) -> tuple[str, str]:
    """The tails in percent, ``"2.5 %"`` and ``"97.5 %"``, with the digits that the lower needs.

    Raises
    ------
    ArgumentError
        If the level is not between 0 and 1.
    """
    lower, upper = tails(level)
    first = f"{100.0 * lower:.3g}"
    places = len(first.partition(".")[2]) if "e" not in first else 10
    return f"{first} %", f"{100.0 * upper:.{places}f} %"


def tails(level: float) -> tuple[float, float]:
    """Probabilities below the limits of a level.

    Raises
    ------
    ArgumentError
        If the level is not between 0 and 1.
    """
    if not 0.0 < level < 1.0:
        raise ArgumentError(f"level is {level!r}; it must lie between 0 and 1.")
    return 0.5 * (1.0 - level), 0.5 * (1.0 + level)


def chosen_rows(fit: Fit, parm: str | Sequence[str], known: Iterable[str]) -> list[str]:
    """Names of the rows wanted, lme4's ``beta_`` and ``theta_`` expanded.

    Raises
    ------
    ArgumentError
        For an unknown name.
    """
    names = list(known)
    fixed = set(fit.design.coef_names)
    groups = {
        "beta_": [name for name in names if name in fixed],
        "theta_": [name for name in names if name not in fixed],
    }
    rows: list[str] = []
    for name in [parm] if isinstance(parm, str) else parm:
        if name not in names and name not in groups:
            raise unknown_name("parm", name, [*names, *GROUPS])
        rows += groups.get(name, [name])
    return rows
