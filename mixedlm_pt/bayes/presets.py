"""Complete sets of priors: our default, flat ones, and those of rstanarm, brms and bambi."""

from collections.abc import Callable

import numpy as np
import pytensor.tensor as pt

from mixedlm_pt._typing import FloatArray
from mixedlm_pt.bayes.covariance_priors import LKJ, Decov, Relative
from mixedlm_pt.bayes.dispersion import Dispersion
from mixedlm_pt.bayes.distributions import (
    Flat,
    Normal,
    Prior,
    StudentT,
    standard_deviation,
)
from mixedlm_pt.bayes.positive_distributions import (
    Exponential,
    Gamma,
    HalfCauchy,
    HalfFlat,
    HalfNormal,
    HalfStudentT,
)
from mixedlm_pt.bayes.priors import (
    Priors,
    effect_names,
    intercept_of,
    link_unit,
    model_of,
)
from mixedlm_pt.compile.rewriting import NUMPY
from mixedlm_pt.families import Binomial, CustomFamily
from mixedlm_pt.families.links import Identity
from mixedlm_pt.fit import Fit
from mixedlm_pt.formula import deparse
from mixedlm_pt.model import GLMM

# Location 0 and this scale, as rstanarm, brms and bambi have it.
DEFAULT_SCALE = 2.5
# brms takes location and scale of the intercept from the response on these links only.
BRMS_LINKS = ("identity", "log", "inverse", "sqrt", "1/mu^2")
# bambi has narrower priors for the binomial with these.
BAMBI_LINKS = ("logit", "probit")
# brms' prior of shapes.
WIDE_SHAPE = Gamma(0.01, 0.01)
# R's mad: the median absolute deviation of a normal sample times this estimates its sd.
MAD = 1.4826


def default_priors(model: GLMM | Fit) -> Priors:
    """The default priors: rstanarm's, with every standard deviation on its own.

    Intercept normal(0, 2.5) after the predictors are centred, coefficients normal(0, 2.5 / sd(x)),
    standard deviations exponential(1), correlations lkj(1), and reciprocal dispersions (the
    ``theta`` of a negative binomial, the ``shape`` of a Gamma) exponential(1).

    With the identity link the linear predictor has the unit of the response: scales are then times
    sd(y) and the intercept's location is mean(y - offset). With every other link nothing is taken
    from y. A ``sigma`` always has the unit of the response: exponential(1 / sd(y)). The shape of a
    `CustomFamily`, about which nothing is known, has brms' wide gamma(0.01, 0.01).

    Parameters
    ----------
    model : GLMM or Fit

    Returns
    -------
    Priors
    """
    model = model_of(model)
    design = model.design
    y, unit, center = design.response.y, link_unit(model), 0.0
    if isinstance(model.family.link, Identity):
        center = float(np.mean(y - design.offset))
    dispersion = Dispersion.of(model)
    names = effect_names(model)
    of_dispersion: Prior | None = None
    if dispersion is not None:
        of_dispersion = Exponential(1.0)
        if dispersion.name == "sigma":
            of_dispersion = Exponential(1.0 / standard_deviation(y))
        elif isinstance(model.family, CustomFamily):
            of_dispersion = WIDE_SHAPE
    return Priors(
        coefficients=centred_normals(model, center, unit),
        sds=tuple((Exponential(1.0 / unit),) * len(columns) for columns in names),
        correlations=(LKJ(1.0),) * len(names),
        dispersion=of_dispersion,
    )


def flat_priors(model: GLMM | Fit) -> Priors:
    """Flat on beta, on the standard deviations, on correlation matrices and on the dispersion.

    Improper: the posterior may be improper, too. The joint density is then the likelihood's, and
    the mode of the marginal posterior is the maximum-likelihood estimate.
    """
    model = model_of(model)
    names = effect_names(model)
    return Priors(
        coefficients=(Flat(),) * model.p,
        sds=tuple((HalfFlat(),) * len(columns) for columns in names),
        correlations=(LKJ(1.0),) * len(names),
        dispersion=HalfFlat() if model.family.estimates_phi else None,
    )


def rstanarm_priors(model: GLMM | Fit) -> Priors:
    """The default priors of rstanarm 2.21's ``stan_glmer``.

    As `default_priors`, but for gaussian families scales are times sd(y) whatever the link; the
    standard deviations of a term are `Decov`, and relative to the family's parameter of dispersion
    (``sigma``; in rstanarm also the ``shape`` of a Gamma and the reciprocal dispersion of a
    negative binomial) where there is one.

    Read in rstanarm's Stan code (``make_theta_L``) and its ``prior_summary``.
    """
    model = model_of(model)
    design, dispersion = model.design, Dispersion.of(model)
    y, unit, center, rate = design.response.y, 1.0, 0.0, 1.0
    if dispersion is not None and dispersion.name == "sigma":
        unit = standard_deviation(y)
        rate = 1.0 / unit
        center = float(y.mean()) if isinstance(model.family.link, Identity) else 0.0
    sds = []
    for terms in model.factor_terms:
        joint = [Decov().for_term(model.term_widths[t]) for t in terms]
        sds.append(
            tuple(
                prior if dispersion is None else Relative(prior)
                for prior in joint
                for _ in range(prior.width)
            )
        )
    return Priors(
        coefficients=centred_normals(model, center, unit),
        sds=tuple(sds),
        correlations=(LKJ(1.0),) * len(sds),
        dispersion=None if dispersion is None else Exponential(rate),
    )


def centred_normals(model: GLMM, center: float, unit: float) -> tuple[Prior, ...]:
    """Of an intercept normal(center, 2.5 unit), of the others normal(0, 2.5 unit / sd(x))."""
    intercept, scale = intercept_of(model), DEFAULT_SCALE * unit
    return tuple(
        Normal(center, scale) if j == intercept else Normal(0.0, scale / standard_deviation(x))
        for j, x in enumerate(model.design.X.T)
    )


def brms_priors(model: GLMM | Fit) -> Priors:
    """The default priors of brms 2.18.

    Coefficients flat; the intercept (of centred predictors) student_t(3, m, s), standard deviations
    and ``sigma`` half_student_t(3, s), correlations lkj(1), shapes gamma(0.01, 0.01). With the
    links identity, log, inverse, sqrt and 1/mu^2 m is the median and s the mad of link(y), at least
    2.5, both rounded to one decimal, and the mean offset is taken off m; otherwise 0 and 2.5.

    Read in brms' ``def_scale_prior``.
    """
    model = model_of(model)
    design, link, names = model.design, model.family.link, effect_names(model)
    location, scale = 0.0, DEFAULT_SCALE
    if link.name in BRMS_LINKS:
        # R's response of a binomial with trials is the number of successes.
        is_binomial = isinstance(model.family, Binomial)
        y = design.response.y * (design.response.weights if is_binomial else 1.0)
        if link.name not in ("identity", "sqrt"):
            y = np.where(y == 0.0, 0.1, y)
        on_link = link.forward(pt.constant(y)).eval(mode=NUMPY)
        location = float(np.round(np.median(on_link), 1) - design.offset.mean())
        deviation = MAD * np.median(np.abs(on_link - np.median(on_link)))
        scale = float(max(DEFAULT_SCALE, np.round(deviation, 1)))
    dispersion, of_dispersion = Dispersion.of(model), None
    if dispersion is not None:
        is_sigma = dispersion.name == "sigma"
        of_dispersion = HalfStudentT(3.0, scale) if is_sigma else WIDE_SHAPE
    intercept = intercept_of(model)
    return Priors(
        coefficients=tuple(
            StudentT(3.0, location, scale) if j == intercept else Flat() for j in range(model.p)
        ),
        sds=tuple((HalfStudentT(3.0, scale),) * len(columns) for columns in names),
        correlations=(LKJ(1.0),) * len(names),
        dispersion=of_dispersion,
    )


def bambi_priors(model: GLMM | Fit) -> Priors:
    """The default priors of bambi 0.21.

    Coefficients normal(0, 2.5 s / sd(x)), where s is sd(y) for gaussian families and 1 for others;
    the intercept (of centred predictors) normal(m, sqrt((2.5 s)^2 + sum of (scale mean(x))^2))
    with m = mean(y) or 0; standard deviations half_normal with the scale of the intercept or of
    the same slope; ``sigma`` half_student_t(4, s), shapes half_cauchy(1). The binomial with logit
    or probit link instead has intercept normal(0, 1.5), coefficients of categorical terms
    normal(0, 1) and of others normal(0, 1 / sd(x)). All sds are those of n values, not n - 1.

    bambi has no correlations: effects of a term in ``(x | g)`` are independent there, as with
    ``(x || g)`` here. There is no prior for correlations, so a model that has them needs one:
    ``{"preset": "bambi", "corr": LKJ(1.0)}``.

    Read in bambi's ``priors/scaler.py``.
    """
    model = model_of(model)
    design, dispersion = model.design, Dispersion.of(model)
    is_sigma = dispersion is not None and dispersion.name == "sigma"
    y = design.response.y
    unit, center = (float(y.std()), float(y.mean())) if is_sigma else (1.0, 0.0)
    narrow = isinstance(model.family, Binomial) and model.family.link.name in BAMBI_LINKS
    scales = bambi_narrow_scales(model) if narrow else bambi_scales(design.X, unit)
    intercept, slopes = intercept_of(model), np.ones(model.p, bool)
    if intercept is not None:
        slopes[intercept] = False
    means = design.X.mean(axis=0)
    wide = float(np.hypot(DEFAULT_SCALE * unit, np.linalg.norm((scales * means)[slopes])))
    of_intercept = Normal(0.0, 1.5) if narrow else Normal(center, wide)
    coefficients = [
        of_intercept if j == intercept else Normal(0.0, float(scale))
        for j, scale in enumerate(scales)
    ]
    sds = []
    for terms in model.factor_terms:
        of_factor: list[Prior] = []
        for term in (design.terms[t] for t in terms):
            slope = bambi_scales(term.Z, unit)
            of_factor += [
                HalfNormal(wide if name == "(Intercept)" else float(scale))
                for name, scale in zip(term.columns, slope, strict=True)
            ]
        sds.append(tuple(of_factor))
    of_dispersion = HalfStudentT(4.0, unit) if is_sigma else HalfCauchy(1.0)
    return Priors(
        coefficients=tuple(coefficients),
        sds=tuple(sds),
        correlations=(None,) * len(sds),
        dispersion=None if dispersion is None else of_dispersion,
    )


def bambi_scales(columns: FloatArray, unit: float) -> FloatArray:
    """``2.5 unit / sd(x)`` of every column; infinite for a constant one."""
    with np.errstate(divide="ignore"):
        return DEFAULT_SCALE * unit / columns.std(axis=0)


def bambi_narrow_scales(model: GLMM) -> FloatArray:
    """Scales of the coefficients in the binomial: 1 for categorical terms, else 1 / sd(x).

    x is the sum of the columns where a numeric variable interacts with a categorical one.
    """
    design, scales = model.design, np.ones(model.p)
    for k, term in enumerate(design.specification.formula.fixed.terms, 1):
        columns = np.flatnonzero(design.assign == k)
        is_categorical = [deparse(atom) in design.specification.levels for atom in term]
        if all(is_categorical):
            continue
        x = design.X[:, columns]
        scales[columns] = 1.0 / (x.sum(axis=1).std() if any(is_categorical) else x.std(axis=0))
    return scales


PRESETS: dict[str, Callable[[GLMM], Priors]] = {
    "default": default_priors,
    "flat": flat_priors,
    "rstanarm": rstanarm_priors,
    "brms": brms_priors,
    "bambi": bambi_priors,
}
