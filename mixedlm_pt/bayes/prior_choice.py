"""The priors that an argument ``priors=`` stands for: a preset, and changes to it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from pytensor.graph.basic import Variable

from mixedlm_pt.bayes.covariance_priors import LKJ
from mixedlm_pt.bayes.dispersion import Dispersion
from mixedlm_pt.bayes.distributions import Prior
from mixedlm_pt.bayes.presets import PRESETS
from mixedlm_pt.bayes.priors import Priors, effect_names, has_correlations, intercept_of, model_of
from mixedlm_pt.bayes.pymc_prior import PyMCPrior
from mixedlm_pt.errors import ArgumentError, unknown_name
from mixedlm_pt.model import GLMM

# Key of a mapping under which it names the preset that it changes.
PRESET = "preset"

type PriorsArgument = Priors | str | Mapping[str, Any] | None


def make_priors(model: GLMM, priors: PriorsArgument = None) -> Priors:
    """The priors that an argument ``priors=`` stands for.

    Parameters
    ----------
    model : GLMM
    priors : Priors, str or mapping, optional
        A preset by name (None: ``"default"``), or a mapping with changes to one: its ``"preset"``
        (``"default"`` if it has none, in `glmer` ``"flat"``), and by parameter a prior of
        `mixedlm_pt.bayes` or any univariate distribution of PyMC,
        ``pm.AsymmetricLaplace.dist(...)``. The parameters are

        - a coefficient's name, ``"period2"``; ``"coefficients"``, all but the intercept;
        - ``"sd"``, ``"sd_herd"`` by group, ``"sd_herd[(Intercept)]"`` by group and effect;
        - ``"corr"``, ``"corr_herd"``: `LKJ`;
        - the name of the dispersion: ``"sigma"``, ``"shape"``, ``"theta"``.

        What stands later in the mapping wins.

    Raises
    ------
    ArgumentError
        For an unknown preset or parameter, a prior that does not fit its parameter, or a preset
        that has no prior for a parameter of the model.

    Examples
    --------
    >>> import mixedlm_pt as mlm
    >>> from mixedlm_pt.bayes import Normal, prior_summary
    >>> fit = mlm.glmer("incidence / size ~ period + (1 | herd)", mlm.load_cbpp())
    >>> print(prior_summary(fit, {"preset": "brms", "period2": Normal(0.0, 1.0)}))
    Priors of incidence / size ~ period + (1 | herd)
    <BLANKLINE>
    Intercept (after predictors centered)
      (Intercept)  ~ student_t(df = 3, location = 0, scale = 2.5)
    <BLANKLINE>
    Coefficients
      period2      ~ normal(location = 0, scale = 1)
      period3      ~ flat
      period4      ~ flat
    <BLANKLINE>
    Standard deviations by herd
      (Intercept)  ~ half_student_t(df = 3, scale = 2.5)
    """
    model.require_unstructured(
        "there are priors, and so posteriors and penalised fits,",
        "Leave out covariance= for a posterior.",
    )
    if isinstance(priors, Priors):
        return priors
    changes: Mapping[str, Any] = {}
    if isinstance(priors, Mapping):
        changes = {name: prior for name, prior in priors.items() if name != PRESET}
        priors = priors.get(PRESET)
    preset = "default" if priors is None else priors
    if not isinstance(preset, str):
        raise ArgumentError(
            f"priors is {preset!r}; it must be a preset ({', '.join(PRESETS)}), a mapping from "
            "parameters to priors such as {'sd': Exponential(2.0)}, or None for the default."
        )
    if preset not in PRESETS:
        raise unknown_name("preset of priors", preset, PRESETS)
    own = changed(model, PRESETS[preset](model), changes)
    for factor, has, prior in zip(
        model.design.factors, has_correlations(model), own.correlations, strict=True
    ):
        if has and prior is None:
            raise ArgumentError(
                f"the priors of {preset!r} have none for the correlations by {factor.name!r}: "
                "effects are independent there. Write || instead of | in the formula, or add one: "
                f"{{'preset': {preset!r}, 'corr': LKJ(1.0)}}."
            )
    return own


def chosen_priors(fit_or_model: Any, priors: PriorsArgument = None) -> Priors:
    """The priors that were given, else those of a posterior or a penalised fit, else the default.

    Raises
    ------
    ArgumentError
        As `make_priors`, or for something that has no model.
    """
    own = getattr(fit_or_model, "priors", None) if priors is None else priors
    return make_priors(model_of(fit_or_model), own)


def changed(model: GLMM, base: Priors, changes: Mapping[str, Any]) -> Priors:
    """``base`` with the priors of some parameters replaced; ``changes`` as in `make_priors`."""
    places = places_by_name(model)
    coefficients, sds = list(base.coefficients), [list(priors) for priors in base.sds]
    correlations, of_dispersion = list(base.correlations), base.dispersion
    for name, given in changes.items():
        if name not in places:
            raise unknown_name("parameter in priors", name, [*places, PRESET])
        prior: Any = PyMCPrior(given) if isinstance(given, Variable) else given
        place = places[name]
        refuse_misfit(model, name, prior, place.kind)
        if place.kind == "coefficients":
            for j in place.positions:
                coefficients[j] = prior
        elif place.kind == "correlations":
            for f in place.positions:
                correlations[f] = prior
        elif place.kind == "dispersion":
            of_dispersion = prior
        elif place.effect is not None:
            own = sds[place.positions[0]]
            refuse_joint(name, own[place.effect])
            own[place.effect] = prior.for_term(1)
        else:
            for f in place.positions:
                widths = [model.term_widths[t] for t in model.factor_terms[f]]
                sds[f] = [prior.for_term(k) for k in widths for _ in range(k)]
    return replace(
        base,
        coefficients=tuple(coefficients),
        sds=tuple(tuple(priors) for priors in sds),
        correlations=tuple(correlations),
        dispersion=of_dispersion,
    )


@dataclass(frozen=True)
class Place:
    """Which priors of `Priors` a name stands for.

    Attributes
    ----------
    kind : {"coefficients", "sds", "correlations", "dispersion"}
    positions : sequence of int
        Of coefficients in beta, otherwise of grouping factors.
    effect : int, optional
        Of one standard deviation among those of its grouping factor.
    """

    kind: str
    positions: Sequence[int] = ()
    effect: int | None = None


def places_by_name(model: GLMM) -> dict[str, Place]:
    """Every name that a mapping of priors may have; a coefficient's name comes before another."""
    names, intercept = model.design.coef_names, intercept_of(model)
    groups = [factor.name for factor in model.design.factors]
    correlated = [f for f, has in enumerate(has_correlations(model)) if has]
    found = {name: Place("coefficients", [j]) for j, name in enumerate(names)}
    others = {"coefficients": Place("coefficients", [j for j in range(model.p) if j != intercept])}
    if groups:
        others["sd"] = Place("sds", range(len(groups)))
    for f, (group, effects) in enumerate(zip(groups, effect_names(model), strict=True)):
        others[f"sd_{group}"] = Place("sds", [f])
        others |= {f"sd_{group}[{name}]": Place("sds", [f], a) for a, name in enumerate(effects)}
    if correlated:
        others["corr"] = Place("correlations", correlated)
        others |= {f"corr_{groups[f]}": Place("correlations", [f]) for f in correlated}
    dispersion = Dispersion.of(model)
    if dispersion is not None:
        others[dispersion.name] = Place("dispersion")
    return found | {name: place for name, place in others.items() if name not in found}


def refuse_misfit(model: GLMM, name: str, prior: Any, kind: str) -> None:
    """Raise unless the prior fits the parameter."""
    support = {
        "coefficients": "the real line or an interval",
        "correlations": "correlation matrices: LKJ",
        "sds": "positive numbers",
        "dispersion": "positive numbers",
    }[kind]
    if not isinstance(prior, Prior):
        fits = False
    elif kind == "correlations" or isinstance(prior, LKJ):
        fits = kind == "correlations" and isinstance(prior, LKJ)
    elif kind == "coefficients":
        fits = prior.is_two_sided and not prior.is_relative
    else:
        fits = prior.is_positive and not (kind == "dispersion" and prior.is_relative)
    if not fits:
        raise ArgumentError(
            f"the prior of {name!r} is {prior!r}; it must be a distribution on {support}."
        )
    if prior.is_relative and not model.family.estimates_phi:
        raise ArgumentError(
            f"the prior of {name!r} is {prior!r}, relative to a dispersion, but the family "
            f"{model.family.name} has none to estimate; give the prior itself."
        )


def refuse_joint(name: str, prior: Prior) -> None:
    """Raise if a standard deviation shares its prior with others of its term."""
    if prior.width > 1:
        raise ArgumentError(
            f"{name!r} shares the joint prior {prior} with the other effects of its term; change "
            f"all of them by {name.partition('[')[0]!r} first."
        )
