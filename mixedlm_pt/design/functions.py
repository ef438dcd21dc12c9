"""The functions that a formula may call; nothing else is ever evaluated."""

from collections.abc import Callable, MutableMapping
from typing import Any

import numpy as np

from mixedlm_pt._typing import FloatArray
from mixedlm_pt.design.splines import natural_spline, spline_knots
from mixedlm_pt.design.values import Basis
from mixedlm_pt.errors import DataError

type State = MutableMapping[str, Any]


def _log(x: FloatArray, base: float | None = None) -> FloatArray:
    return np.asarray(np.log(x) if base is None else np.log(x) / np.log(base))


def _round(x: FloatArray, digits: float = 0) -> FloatArray:
    return np.round(x, int(digits))


ELEMENTWISE: dict[str, Callable[..., Any]] = {
    "abs": np.abs,
    "sqrt": np.sqrt,
    "exp": np.exp,
    "expm1": np.expm1,
    "log": _log,
    "log2": np.log2,
    "log10": np.log10,
    "log1p": np.log1p,
    "sin": np.sin,
    "cos": np.cos,
    "tan": np.tan,
    "asin": np.arcsin,
    "acos": np.arccos,
    "atan": np.arctan,
    "sinh": np.sinh,
    "cosh": np.cosh,
    "tanh": np.tanh,
    "floor": np.floor,
    "ceiling": np.ceil,
    "ceil": np.ceil,
    "round": _round,
    "trunc": np.trunc,
    "sign": np.sign,
    "pmin": np.minimum,
    "pmax": np.maximum,
    "minimum": np.minimum,
    "maximum": np.maximum,
    "ifelse": np.where,
    "where": np.where,
    "as.numeric": np.asarray,
    "as.integer": np.trunc,
}


def scale(x: FloatArray, state: State, center: bool = True, scale: bool = True) -> FloatArray:
    """R's ``scale``: centred, then divided by the root mean square (n - 1), of the fitted data."""
    if "center" not in state:
        state["center"] = _number(center, np.mean(x))
        deviations = x - state["center"]
        spread = np.sqrt(np.sum(deviations**2) / max(len(x) - 1, 1))
        state["scale"] = _number(scale, spread, otherwise=1.0)
        if state["scale"] == 0:
            raise DataError("scale() of a column without variation")
    return np.asarray((x - state["center"]) / state["scale"])


def _number(wanted: bool | float, computed: float, otherwise: float = 0.0) -> float:
    """The number given, or the one computed when the argument is TRUE."""
    if isinstance(wanted, bool):
        return float(computed) if wanted else otherwise
    return float(wanted)


def center(x: FloatArray, state: State) -> FloatArray:
    """``x`` less its mean in the fitted data."""
    return scale(x, state, scale=False)


def poly(x: FloatArray, state: State, degree: float = 1, raw: bool = False) -> Basis:
    """R's ``poly``: polynomials orthogonal over the fitted data, or raw powers."""
    if not raw and not state and degree >= len(np.unique(x)):
        raise DataError(
            f"poly() of degree {degree:g} needs more than {degree:g} different values, "
            f"there are {len(np.unique(x))}"
        )
    # Not at the head: formulaic takes longer to import than many a fit.
    from formulaic.transforms import poly as orthogonal_polynomial

    columns = np.asarray(orthogonal_polynomial(x, int(degree), raw=raw, _state=state))
    return Basis(columns, _numbered(columns.shape[1]))


def bs(
    x: FloatArray,
    state: State,
    df: float | None = None,
    knots: Any = None,
    degree: float = 3,
    intercept: bool = False,
    **bounds: Any,
) -> Basis:
    """R's ``bs``: a B-spline basis with the knots of the fitted data."""
    from formulaic.transforms import basis_spline

    fewest = int(degree) + intercept
    if df is not None and df < fewest:
        raise DataError(f"this spline needs a df of {fewest} or more, not {df:g}")
    limits = bounds.get("Boundary.knots", (None, None))
    columns = basis_spline(
        x,
        df=None if df is None else int(df),
        knots=None if knots is None else np.atleast_1d(knots),
        degree=int(degree),
        include_intercept=intercept,
        lower_bound=limits[0],
        upper_bound=limits[1],
        # R, too, goes on with the polynomials of the outermost intervals.
        extrapolation="extend",
        _state=state,
    )
    values = [np.asarray(columns[key]) for key in columns if isinstance(key, int)]
    return Basis(np.column_stack(values), _numbered(len(values)))


def ns(
    x: FloatArray,
    state: State,
    df: float | None = None,
    knots: Any = None,
    intercept: bool = False,
    **bounds: Any,
) -> Basis:
    """R's ``ns``: natural cubic splines with the knots of the fitted data."""
    if "knots" not in state:
        state["knots"] = spline_knots(x, df, knots, bounds, intercept)
    columns = natural_spline(x, state["knots"], intercept)
    return Basis(columns, _numbered(columns.shape[1]))


def _numbered(count: int) -> tuple[str, ...]:
    return tuple(str(k) for k in range(1, count + 1))


# These remember what they computed from the fitted data and apply it to new data.
STATEFUL: dict[str, Callable[..., FloatArray | Basis]] = {
    "scale": scale,
    "center": center,
    "poly": poly,
    "bs": bs,
    "ns": ns,
}

FACTORS = ("factor", "as.factor", "ordered", "C")
KNOWN = (*ELEMENTWISE, *STATEFUL, *FACTORS, "I", "cbind", "c")
