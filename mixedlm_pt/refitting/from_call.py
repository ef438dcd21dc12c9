"""From a call to a fit: the body of `glmer`, and of `update`, which changes the call."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from mixedlm_pt._typing import FloatArray
from mixedlm_pt.arguments import one_of
from mixedlm_pt.compile import Approximation
from mixedlm_pt.covariance import Covariance, make_covariance
from mixedlm_pt.design import Design, build_design
from mixedlm_pt.diagnostics import with_warnings
from mixedlm_pt.errors import ArgumentError, unknown_name
from mixedlm_pt.estimation import GlmerControl, fit_model
from mixedlm_pt.families import make_family
from mixedlm_pt.fit import Call, Fit
from mixedlm_pt.formula import parse_formula, update_formula
from mixedlm_pt.model import GLMM
from mixedlm_pt.on_demand import function_on_demand
from mixedlm_pt.refitting.evaluation_display import EvaluationDisplay

MAX_NODES = 100
# Arguments of one run, which are not part of the call.
RUN = ("start", "verbose")

# The vocabulary of priors stands above this layer, and takes a second to import.
make_penalty = function_on_demand("mixedlm_pt.bayes.penalty", "make_penalty")

type StartingValues = Mapping[str, Any] | Fit | None


def fit_call[AnyFit: Fit](
    make: Callable[..., AnyFit],
    call: Call,
    *,
    start: StartingValues = None,
    verbose: int | None = None,
    model: GLMM | None = None,
) -> AnyFit:
    """The fit that a call describes, without warnings of its convergence.

    Parameters
    ----------
    make : callable
        Makes the result from the attributes of `Fit` by name: a class, or the ``replace`` of a
        fit, whose class is then kept.
    call : Call
    start, verbose
        As in `glmer`.
    model : GLMM, optional
        What `described_model` made of the call, if it is at hand.

    Raises
    ------
    MixedlmError
        As `glmer`.
    """
    given = dict(call.arguments)
    given["control"] = control = checked_control(given["control"])
    model = described_model(call) if model is None else model
    given["family"] = model.family
    approximation = Approximation(checked_nodes(given["nAGQ"], model), control.laplace_weights)
    penalty = None if given["priors"] is None else make_penalty(model, given["priors"])
    with EvaluationDisplay(verbose) as display:
        estimate = fit_model(
            model,
            approximation,
            control,
            start=starting_vector(start, model),
            backend=given["backend"],
            progress=display,
            penalty=penalty,
        )
    return make(
        model=model,
        approximation=approximation,
        control=control,
        backend=given["backend"],
        estimate=estimate,
        call=Call(call.formula, call.data, given),
        messages=(),
        penalty=penalty,
    )


def described_model(call: Call) -> GLMM:
    """The model that a call describes, unfitted.

    Raises
    ------
    MixedlmError
        As `glmer`.
    """
    given = call.arguments
    control, family = checked_control(given["control"]), make_family(given["family"])
    arguments = {name: given[name] for name in ("weights", "offset", "na_action", "contrasts")}
    design = build_design(call.formula, call.data, family, **arguments)
    covariances = checked_covariances(given["covariance"], design)
    algebra = None if control.structure == "auto" else control.structure
    return GLMM(design, family, covariances, algebra=algebra, n_probes=control.n_probes)


def checked_covariances(given: Any, design: Design) -> tuple[Covariance, ...]:
    """The covariance structure of every term: unstructured where none is given."""
    if given is None:
        given = {}
    if not isinstance(given, Mapping):
        raise ArgumentError(
            f"covariance is {given!r}; it must be a mapping from terms to structures, such as "
            "{'1 + x | g': CompoundSymmetry()}."
        )
    labels = [term.label for term in design.terms]
    for label in given:
        if label not in labels:
            raise unknown_name("random-effects term in covariance", label, labels)
    return tuple(make_covariance(given.get(label, "us")) for label in labels)


def checked_control(control: object) -> GlmerControl:
    """The options of the optimisation, the default ones for None."""
    if control is None:
        return GlmerControl()
    if not isinstance(control, GlmerControl):
        raise ArgumentError(
            f"control is {control!r}; it must be a GlmerControl, such as GlmerControl(maxfun=5000)."
        )
    return control


def checked_nodes(nAGQ: Any, model: GLMM) -> int:
    """The number of nodes, if the model allows it; 1 where there is nothing to integrate."""
    is_integer = isinstance(nAGQ, int | np.integer) and not isinstance(nAGQ, bool)
    if not (is_integer and 0 <= nAGQ <= MAX_NODES):
        raise ArgumentError(f"nAGQ is {nAGQ!r}; it must be an integer from 0 to {MAX_NODES}.")
    if nAGQ > 1 and model.term_widths != (1,):
        terms = ", ".join(f"({term.label})" for term in model.design.terms) or "none"
        raise ArgumentError(
            f"nAGQ={nAGQ} needs exactly one random-effects term with one column, such as (1 | g); "
            f"this model has {terms}. Use nAGQ=1, the Laplace approximation."
        )
    return int(nAGQ) if model.design.terms else 1


def starting_vector(start: StartingValues, model: GLMM) -> FloatArray | None:
    """Starting values as one vector (beta, theta, log phi), NaN where none is given."""
    if start is None:
        return None
    sizes = {"fixef": model.p, "theta": model.n_theta, "phi": int(model.family.estimates_phi)}
    parts = starting_parts(start)
    if isinstance(start, Fit) and not sizes["phi"]:
        parts.pop("phi", None)
    for name in parts:
        one_of("name in start", name, sizes)
    return np.concatenate([starting_part(name, parts.get(name), n) for name, n in sizes.items()])


def starting_parts(start: StartingValues) -> dict[str, Any]:
    """What ``start`` gives, by name: of a fit all its estimates."""
    if start is None:
        return {}
    if isinstance(start, Fit):
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


def update[AnyFit: Fit](fit: AnyFit, formula: str | None = None, **changes: Any) -> AnyFit:
    """The fit of a changed call, of the same class; R's ``update``.

    Parameters
    ----------
    fit : Fit
    formula : str, optional
        A dot stands for what was there: ``". ~ . + z - x"``, ``"~ . - (1 | g)"``. Columns are found
        in the data of the fit. Contrasts of factors that leave the formula are forgotten.
    **changes
        Other arguments of `glmer`: ``data=``, ``family=``, ``nAGQ=``, ``weights=``, ``control=``
        and so on, in place of the fit's own.

    Returns
    -------
    Fit
        What `glmer` makes of the new arguments: it starts afresh, so it does not depend on ``fit``
        unless ``start=fit`` says so. A fit of more or fewer rows than the old one is possible
        where the new columns have missing values.

    Raises
    ------
    ArgumentError
        If an argument is unknown.
    MixedlmError
        As `glmer`.

    Warns
    -----
    ConvergenceWarning, SingularFitWarning, RankDeficiencyWarning

    Examples
    --------
    >>> import mixedlm_pt as mlm
    >>> fit = mlm.glmer("incidence / size ~ period + (1 | herd)", mlm.load_cbpp())
    >>> fit.update(". ~ . - period").call.formula
    'incidence / size ~ 1 + (1 | herd)'
    """
    old = fit.call
    run = {name: changes.pop(name) for name in RUN if name in changes}
    data = changes.pop("data", old.data)
    for name in changes:
        if name not in old.arguments:
            raise unknown_name("argument", name, ["formula", "data", *old.arguments, *RUN])
    if not isinstance(formula, str | None):
        raise ArgumentError(f"formula is {formula!r}; it must be text such as '. ~ . + z'.")
    new = old.formula if formula is None else update_formula(old.formula, formula)
    kept = {"contrasts": remaining_contrasts(fit, new)}
    call = Call(new, data, {**old.arguments, **kept, **changes})
    return with_warnings(fit_call(fit.replace, call, **run))


def remaining_contrasts(fit: Fit, formula: str) -> dict[str, Any] | None:
    """The contrasts given for a fit, without those of factors that another formula drops."""
    given = fit.call.arguments["contrasts"]
    if not given:
        return None
    parsed = parse_formula(formula)
    used = {*parsed.fixed.atoms, *(name for bar in parsed.bars for name in bar.terms.atoms)}
    gone = fit.design.specification.contrasts.keys() - used
    return {name: contrast for name, contrast in given.items() if name not in gone}
