"""Which random effects a sampler draws themselves and which as multiples of their sd."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytensor.tensor as pt

from mixedlm_pt._typing import FloatArray
from mixedlm_pt.bayes.priors import link_unit
from mixedlm_pt.compile import Approximation, compile_model
from mixedlm_pt.compile.rewriting import NUMPY
from mixedlm_pt.errors import ArgumentError, unknown_name
from mixedlm_pt.fit import Fit
from mixedlm_pt.model import GLMM

# Where the data leave less than this share of the prior variance, centred effects mix better.
HALF = 0.5

type CentredArgument = bool | str | Mapping[str, bool] | Sequence[str]


def centred_factors(fit_or_model: Any, model: GLMM, centred: CentredArgument) -> tuple[bool, ...]:
    """Which grouping factors have centred effects.

    Parameters
    ----------
    fit_or_model : Fit, PosteriorResult or GLMM
        What ``"auto"`` decides by.
    model : GLMM
        Its model.
    centred : bool, "auto", mapping or sequence of str
        For all; by the rule of `prior_shares`; by group; or the groups that are centred.

    Raises
    ------
    ArgumentError
        For an unknown group or another value.
    """
    names = [factor.name for factor in model.design.factors]
    if isinstance(centred, bool):
        return (centred,) * len(names)
    if isinstance(centred, str):
        if centred != "auto":
            raise ArgumentError(
                f"centred is {centred!r}; it must be True, False, 'auto', or say so by group, such "
                f"as {dict.fromkeys(names, True)}."
            )
        return tuple(share < HALF for share in prior_shares(fit_or_model, model))
    if not isinstance(centred, Mapping | Sequence):
        raise ArgumentError(f"centred is {centred!r}; it must be True, False, 'auto' or a mapping.")
    chosen = dict(centred) if isinstance(centred, Mapping) else dict.fromkeys(centred, True)
    for name in chosen:
        if name not in names:
            raise unknown_name("grouping factor in centred", name, names)
    return tuple(bool(chosen.get(name, False)) for name in names)


def prior_shares(fit_or_model: Any, model: GLMM) -> list[float]:
    """Share of an effect's variance that the data leave, between 0 and 1, by grouping factor.

    ``1 / (1 + sd^2 I)``, averaged over levels and effects, with the information
    ``I = sum of W z^2`` of the level's rows about the effect. Of a normal model with known sd it is
    the rate at which Gibbs sampling converges if the effects are non-centred, and one minus the
    rate if they are centred: Papaspiliopoulos, Roberts and Skoeld (2007), Stat. Sci. 22, 59-73,
    section 2.

    A fit, or the fit behind a posterior, gives sd and W. Without one sd is that of a typical effect
    and W belongs to a model that has nothing but an intercept.
    """
    fit = getattr(fit_or_model, "fit", fit_or_model)
    W, sds = at_fit(fit) if isinstance(fit, Fit) else at_null(model)
    shares = []
    for f, factor in enumerate(model.design.factors):
        of_factor = []
        for t in model.factor_terms[f]:
            information = np.stack(
                [
                    np.bincount(factor.codes, W * z**2, factor.n_levels)
                    for z in model.design.terms[t].Z.T
                ]
            )
            of_factor.append(1.0 / (1.0 + sds[t][:, None] ** 2 * information))
        shares.append(float(np.concatenate(of_factor).mean()))
    return shares


def at_fit(fit: Fit) -> tuple[FloatArray, list[FloatArray]]:
    """Fisher information about eta by row (n,), and standard deviations by term."""
    response = fit.design.response
    information = fit.compiled.expected_information
    W = information(response.y, response.weights, fit.eta, np.log(fit.phi))[0]
    return W, [np.linalg.norm(Lambda, axis=1) for Lambda in fit.Lambda]


def at_null(model: GLMM) -> tuple[FloatArray, list[FloatArray]]:
    """The same where every mean is that of the response and effects have a typical size."""
    response, compiled = model.design.response, compile_model(model, Approximation())
    y, w = response.y, response.weights
    mean = np.average(y, weights=w)
    eta = np.full(model.n, model.family.link.forward(pt.constant(mean)).eval(mode=NUMPY))
    phi = model.family.fixed_phi or 1.0
    if model.family.estimates_phi and model.family.phi_scales_variance:
        V = compiled.variance(np.full(model.n, mean), np.asarray(1.0))[0]
        phi = float(np.mean(w * (y - mean) ** 2 / V))
    W = compiled.expected_information(y, w, eta, np.asarray(np.log(phi)))[0]
    return W, [link_unit(model) / term.size for term in model.design.terms]
