"""What follows from a family's log density: score, informations, unit deviance, variance."""

from dataclasses import dataclass

import pytensor.tensor as pt
from pytensor.gradient import DisconnectedInputError, grad
from pytensor.graph.basic import Variable
from pytensor.graph.replace import clone_replace

from mixedlm_pt._typing import Scalar, Vector
from mixedlm_pt.errors import ArgumentError
from mixedlm_pt.families.family import Family
from mixedlm_pt.families.links import Identity, Mean, Saturated


@dataclass(frozen=True, eq=False)
class Derivatives:
    """Log density of every row and its derivatives in eta, weights included.

    Attributes
    ----------
    logp : vector, shape (n,)
        Log density, with all constants.
    score : vector, shape (n,)
        ``d logp / d eta``.
    observed : vector, shape (n,)
        Observed information ``-d2 logp / d eta2``.
    expected : vector, shape (n,), or None
        Fisher information in eta, ``(d mu / d eta) (d2 logp / dy d eta)``, given that mu is the
        mean of y. None where the score is not, as written, linear in y: mu alone does not tell it.
    """

    logp: Vector
    score: Vector
    observed: Vector
    expected: Vector | None


def log_density(family: Family, y: Vector, w: Vector, eta: Vector, phi: Scalar) -> Vector:
    """Log density of every row, shape (n,): ``w`` times that of unit weight plus its constant.

    Parameters
    ----------
    family : Family
    y, w : vector, shape (n,)
        Response (a proportion for the binomial) and prior weights (then the trials).
    eta : vector, shape (n,)
        Linear predictor.
    phi : scalar
        Dispersion; ignored by families without one.
    """
    return w * family.logp(y, family.link.inverse(eta), phi) + family.log_normalizer(y, w)


def derivatives(family: Family, y: Vector, w: Vector, eta: Vector, phi: Scalar) -> Derivatives:
    """Log density of every row, its score and its informations in eta, all still differentiable.

    Parameters are those of `log_density`.
    """
    y, w, eta = (pt.cast(pt.as_tensor_variable(v), "float64") for v in (y, w, eta))
    # Rows are independent, so the gradient of a sum in a vector of its own is the vector of the
    # derivatives: only dummies guarantee that no row enters another row's eta.
    e, r = eta.type("eta"), y.type("y")
    mean = family.link.inverse(e)
    unit = pt.as_tensor_variable(family.logp(r, mean, phi))
    if unit.ndim != 1:
        raise ArgumentError(
            f"logp of family {family.name!r} gives one number for all rows; it must give one value "
            "a row, without sums over rows."
        )
    try:
        score = grad(unit.sum(), e)
        information = -grad(score.sum(), e)
        cross = grad(score.sum(), r)
    except DisconnectedInputError:
        raise ArgumentError(
            f"logp of family {family.name!r} has no term in which y meets the mean, so the "
            "response would say nothing about it. Check the expression."
        ) from None
    outputs = [w * unit + family.log_normalizer(r, w), w * score, w * information]
    if not _depends_on(cross, r):
        outputs.append(w * cross * grad(mean.mu.sum(), e))
    logp, score, observed, *expected = clone_replace(outputs, {e: eta, r: y}, rebuild_strict=False)
    return Derivatives(logp, score, observed, expected[0] if expected else None)


def _depends_on(output: Variable, source: Variable) -> bool:
    """Whether the values of ``output`` can depend on those of ``source``, its shape aside."""
    pending, seen = [output], set()
    while pending:
        variable = pending.pop()
        if variable is source:
            return True
        node = variable.owner
        if node is None or node in seen:
            continue
        seen.add(node)
        if hasattr(node.op, "connection_pattern"):
            uses = [any(row) for row in node.op.connection_pattern(node)]
        else:
            uses = [True] * len(node.inputs)
        pending.extend(i for i, used in zip(node.inputs, uses, strict=True) if used)
    return False


def unit_deviance(family: Family, y: Vector, mu: Vector | Mean, phi: Scalar) -> Vector:
    """Deviance of every row for unit weight, shape (n,), on the deviance scale.

    Twice the gap between the log density at ``mu = y`` and at ``mu``, times phi where phi scales
    the variance: free of phi then, and R's ``family$dev.resids``.

    Parameters
    ----------
    mu : vector, shape (n,), or Mean
        A `Mean` (``family.link.inverse(eta)``) keeps the tails that ``mu`` alone has rounded off.
    """
    mean = mu if isinstance(mu, Mean) else Identity().inverse(mu)
    gap = family.logp(y, Saturated().inverse(y), phi) - family.logp(y, mean, phi)
    return 2.0 * (phi * gap if family.phi_scales_variance else gap)


def variance(family: Family, mu: Vector, phi: Scalar) -> Vector:
    """Variance function of every row for unit weight, shape (n,).

    The family's own or, from ``d2 logp / (dy dmu)``, that of an exponential family. Without phi
    where phi scales the variance (``mu^2`` for the Gamma), with it otherwise
    (``mu + mu^2 / theta``).

    Raises
    ------
    ArgumentError
        If the family states none and its score is not linear in the response.
    """
    mu = pt.cast(pt.as_tensor_variable(mu), "float64")
    own = family.variance(mu, phi)
    if own is not None:
        return own
    m, r = mu.type("mu"), mu.type("y")
    precision = _precision(family, m, r, phi)
    if _depends_on(precision, r):
        raise ArgumentError(
            f"the score of family {family.name!r} is not linear in the response, so its variance "
            "does not follow from the log density: pass CustomFamily(..., variance=function) or "
            "write variance(mu, phi) in the family."
        )
    total = clone_replace(1.0 / precision, {m: mu, r: mu}, rebuild_strict=False)
    return total / phi if family.phi_scales_variance else total


def has_variance(family: Family) -> bool:
    """Whether `variance` is known."""
    m, r, phi = pt.dvector("mu"), pt.dvector("y"), pt.dscalar("phi")
    if family.variance(m, phi) is not None:
        return True
    return not _depends_on(_precision(family, m, r, phi), r)


def _precision(family: Family, m: Vector, r: Vector, phi: Scalar) -> Vector:
    """``d2 logp / (dy dmu)``: 1 / variance in an exponential family."""
    score = grad(family.logp(r, Identity().inverse(m), phi).sum(), m)
    return grad(score.sum(), r, disconnected_inputs="ignore")
