"""`glmer` and `glmer_nb`: from a formula and a table to a fitted model."""

from collections.abc import Mapping
from numbers import Real
from typing import Any

import numpy as np

from mixedlm_pt._typing import FloatArray
from mixedlm_pt.compile import Approximation
from mixedlm_pt.design import build_design
from mixedlm_pt.diagnostics import with_warnings
from mixedlm_pt.errors import ArgumentError, unknown_name
from mixedlm_pt.estimation import GlmerControl, fit_model
from mixedlm_pt.families import Family, NegativeBinomial, make_family
from mixedlm_pt.fit import Call
from mixedlm_pt.model import GLMM
from mixedlm_pt.results import GlmerResult

MAX_NODES = 100


def glmer(
    formula: str,
    data: Any,
    family: str | Family | type[Family] = "binomial",
    *,
    nAGQ: int = 1,
    weights: Any = None,
    offset: Any = None,
    na_action: str = "omit",
    contrasts: Mapping[str, Any] | None = None,
    control: GlmerControl | None = None,
    start: Mapping[str, Any] | GlmerResult | None = None,
    backend: str = "auto",
    verbose: int = 0,
) -> GlmerResult:
    """A generalized linear mixed model fitted by maximum likelihood.

    Parameters
    ----------
    formula : str
        R's formula language with lme4's random-effects terms:
        ``"incidence / size ~ period + (1 | herd)"``.
    data : pandas or polars data frame, or mapping of columns
    family : str, Family or Family class
        ``"binomial"``, ``families.Poisson(link="sqrt")``, ...
    nAGQ : int
        1: Laplace approximation. 2 to 100: adaptive Gauss-Hermite quadrature, for one scalar
        random-effects term. 0: Laplace with beta at the joint mode, faster and less accurate. The
        log-likelihood has the same scale for all of them.
    weights : str or array, optional
        Prior weights, by which each row's log density is multiplied; for the binomial with a
        proportion as response, the numbers of trials.
    offset : str or array, optional
        Known part of the linear predictor, link scale; added to ``offset()`` in the formula.
    na_action : {"omit", "exclude", "fail"}
        Rows with missing values: left out; left out and padded with NaN in results; an error.
    contrasts : mapping, optional
        Column to ``"treatment"``, ``"sum"``, ``"helmert"``, ``"poly"`` or a matrix.
    control : GlmerControl, optional
    start : mapping or GlmerResult, optional
        Starting values: ``"fixef"``, ``"theta"`` (absolute), ``"phi"``, any of them.
    backend : {"auto", "numpy", "numba"}
        How the graphs run. "auto" compiles nothing.
    verbose : int
        1 prints every evaluation of the criterion.

    Returns
    -------
    GlmerResult

    Raises
    ------
    FormulaError, DataError, ColumnNotFoundError, ArgumentError
        If an argument is wrong; the message names it.
    EstimationError
        If the log-likelihood cannot be evaluated at the starting values.

    Warns
    -----
    ConvergenceWarning, SingularFitWarning, RankDeficiencyWarning

    Examples
    --------
    >>> import mixedlm_pt as mlm
    >>> fit = mlm.glmer("incidence / size ~ period + (1 | herd)", mlm.load_cbpp())
    >>> round(fit.logLik(), 5)
    -92.02628
    """
    control = GlmerControl() if control is None else control
    if not isinstance(control, GlmerControl):
        raise ArgumentError(
            f"control is {control!r}; it must be a GlmerControl, such as GlmerControl(maxfun=5000)."
        )
    distribution = make_family(family)
    design = build_design(
        formula,
        data,
        distribution,
        weights=weights,
        offset=offset,
        na_action=na_action,
        contrasts=contrasts,
    )
    model = GLMM(design, distribution)
    approximation = Approximation(checked_nodes(nAGQ, model), control.laplace_weights)
    estimate = fit_model(
        model,
        approximation,
        control,
        start=starting_vector(start, model),
        backend=backend,
        progress=print_progress if verbose else None,
    )
    arguments = {
        "family": distribution,
        "nAGQ": nAGQ,
        "weights": weights,
        "offset": offset,
        "na_action": na_action,
        "contrasts": contrasts,
        "control": control,
        "backend": backend,
    }
    fit = GlmerResult(
        model, approximation, control, backend, estimate, Call(formula, data, arguments)
    )
    return with_warnings(fit)


def glmer_nb(
    formula: str, data: Any, *, theta: float | None = None, link: str = "log", **arguments: Any
) -> GlmerResult:
    """A negative binomial mixed model with its shape theta estimated jointly by ML.

    Parameters
    ----------
    formula, data
        As in `glmer`.
    theta : float, optional
        Starting value of the shape; the variance is ``mu + mu^2 / theta``.
    link : str
        ``"log"``, ``"sqrt"`` or ``"identity"``.
    **arguments
        Other arguments of `glmer`.

    Returns
    -------
    GlmerResult
        theta counts in the degrees of freedom; ``fit.phi`` is its estimate.
    """
    start = arguments.pop("start", None)
    if theta is not None:
        if not (isinstance(theta, Real) and 0.0 < float(theta) < np.inf):
            raise ArgumentError(f"theta is {theta!r}; it must be a positive, finite number.")
        start = {**starting_parts(start), "phi": theta}
    return glmer(formula, data, NegativeBinomial(link=link), start=start, **arguments)


def checked_nodes(nAGQ: int, model: GLMM) -> int:
    """The number of nodes, if the model allows it; 1 where there is nothing to integrate."""
    is_integer = isinstance(nAGQ, int | np.integer) and not isinstance(nAGQ, bool)
    if not is_integer or not 0 <= nAGQ <= MAX_NODES:
        raise ArgumentError(f"nAGQ is {nAGQ!r}; it must be an integer from 0 to {MAX_NODES}.")
    if nAGQ > 1 and model.term_widths != (1,):
        terms = ", ".join(f"({term.label})" for term in model.design.terms) or "none"
        raise ArgumentError(
            f"nAGQ={nAGQ} needs exactly one random-effects term with one column, such as (1 | g); "
            f"this model has {terms}. Use nAGQ=1, the Laplace approximation."
        )
    return int(nAGQ) if model.design.terms else 1


def starting_vector(
    start: Mapping[str, Any] | GlmerResult | None, model: GLMM
) -> FloatArray | None:
    """Starting values as one vector (beta, theta, log phi), NaN where none is given."""
    if start is None:
        return None
    sizes = {"fixef": model.p, "theta": model.n_theta, "phi": int(model.family.estimates_phi)}
    parts = starting_parts(start)
    if isinstance(start, GlmerResult) and not sizes["phi"]:
        parts.pop("phi", None)
    for name in parts:
        if name not in sizes:
            raise unknown_name("name in start", name, sizes)
    return np.concatenate([starting_part(name, parts.get(name), n) for name, n in sizes.items()])


def starting_parts(start: Mapping[str, Any] | GlmerResult | None) -> dict[str, Any]:
    """What ``start`` gives, by name: of a fit all its estimates."""
    if start is None:
        return {}
    if isinstance(start, GlmerResult):
        phi = {"phi": start.phi} if start.family.estimates_phi else {}
        return {"fixef": start.beta, "theta": start.theta, **phi}
    if not isinstance(start, Mapping):
        raise ArgumentError(
            f"start is {start!r}; it must be a fit or a mapping such as {{'theta': [0.5]}}."
        )
    return dict(start)


def starting_part(name: str, given: Any, size: int) -> FloatArray:
    """Starting values of fixef, theta or log phi; NaN where none is given."""
    if given is None:
        return np.full(size, np.nan)
    try:
        values = np.asarray(given, np.float64).reshape(-1)
    except (TypeError, ValueError):
        raise ArgumentError(f"start[{name!r}] is {given!r}; it must hold numbers.") from None
    if len(values) != size:
        raise ArgumentError(f"start[{name!r}] has {len(values)} values; this model has {size}.")
    lowest = 0.0 if name == "phi" else -np.inf
    if not (np.isfinite(values) & (values > lowest)).all():
        kind = "positive and finite" if name == "phi" else "finite"
        raise ArgumentError(f"start[{name!r}] is {given!r}; its values must be {kind}.")
    return np.log(values) if name == "phi" else values


def print_progress(n_evaluations: int, loglik: float) -> None:
    """One line an evaluation."""
    print(f"evaluation {n_evaluations:3d}: log-likelihood {loglik:.6f}")
