"""Vectors of parameters in a PyMC model, each entry with its own prior."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pytensor.tensor as pt

from mixedlm_pt._typing import FloatArray, Scalar, Vector
from mixedlm_pt.bayes.distributions import POSITIVE, REAL, Prior, sum_logp
from mixedlm_pt.errors import ArgumentError

if TYPE_CHECKING:
    from pymc.logprob.transforms import Transform


def random_vector(
    name: str,
    priors: Sequence[Prior],
    labels: Sequence[str],
    dim: str,
    dispersion: Scalar | None = None,
) -> Vector:
    """A vector of parameters in the PyMC model on the stack, each with its own prior.

    Priors of one class are that distribution of PyMC, with a vector of numbers. Priors of several
    classes, and joint ones, make one variable whose log density is the sum of theirs. PyMC has no
    vector whose entries lie in different intervals: those are one scalar ``name[label]`` each, and
    the vector is deterministic.
    """
    import pymc as pm

    if len({prior.support for prior in priors}) > 1:
        entries = zip(priors, labels, strict=True)
        scalars = [random_scalar(f"{name}[{label}]", prior, dispersion) for prior, label in entries]
        return pm.Deterministic(name, pt.stack(scalars), dims=dim)
    first = priors[0]
    if first.distribution and all(type(prior) is type(first) for prior in priors):
        columns = zip(*(prior.numbers for prior in priors), strict=True)
        values = [np.array(column, np.float64) for column in columns]
        arguments = dict(zip(first.keywords, values, strict=True))
        return getattr(pm, first.distribution)(name, **arguments, dims=dim)
    return custom(name, priors, dispersion, dim)


def random_scalar(name: str, prior: Prior, dispersion: Scalar | None = None) -> Scalar:
    """One parameter in the PyMC model on the stack."""
    import pymc as pm

    if prior.distribution:
        arguments = dict(zip(prior.keywords, prior.numbers, strict=True))
        return getattr(pm, prior.distribution)(name, **arguments)
    return custom(name, [prior], dispersion, None)


def custom(
    name: str, priors: Sequence[Prior], dispersion: Scalar | None, dim: str | None
) -> Vector:
    """A variable whose log density is the sum of those of its entries; without dim a scalar."""
    import pymc as pm

    is_relative = any(prior.is_relative for prior in priors)

    def logp(value: Vector, _: Vector, *given: Scalar) -> Scalar:
        # PyMC broadcasts the dispersion, and its transforms are by entry: it wants the density by
        # entry, of which only the sum matters.
        given = tuple(one.reshape((-1,))[0] for one in given)
        total = sum_logp(priors, value.reshape((-1,)), *given)
        return total if dim is None else pt.zeros_like(value)[0].set(total)

    def random(
        centre: FloatArray, *given: FloatArray, rng: np.random.Generator, size: Any
    ) -> FloatArray:
        dispersion = np.ravel(given[0])[:1] if given else None
        values: FloatArray = draw_vector(priors, rng, 1, dispersion)[0].reshape(np.shape(centre))
        return values

    centre = np.array([inner_point(prior) for prior in priors])
    return pm.CustomDist(
        name,
        centre[0] if dim is None else centre,
        *([dispersion] if is_relative else []),
        logp=logp,
        random=random,
        support_point=lambda rv, size, centre, *given: pt.as_tensor_variable(centre),
        default_transform=transform_to(priors[0].support),
        class_name="_".join(dict.fromkeys(prior.title for prior in priors)),
        dims=dim,
    )


def transform_to(support: tuple[float, float]) -> Transform | None:
    """PyMC's transform whose values are in the support."""
    from pymc.distributions.transforms import Interval, log

    if support == REAL:
        return None
    return log if support == POSITIVE else Interval(*support)


def inner_point(prior: Prior) -> float:
    """Some value inside the support."""
    lower, upper = prior.support
    if np.isfinite(upper):
        return 0.5 * (lower + upper)
    return lower + 1.0 if np.isfinite(lower) else 0.0


def draw_vector(
    priors: Sequence[Prior],
    rng: np.random.Generator,
    size: int,
    dispersion: FloatArray | None = None,
) -> FloatArray:
    """Random values of a vector of parameters, shape (size, len(priors)).

    Parameters
    ----------
    priors : sequence of Prior, one an entry
    rng : Generator
    size : int
    dispersion : array, shape (size,), optional
        Of the draws that priors relative to the dispersion belong to.

    Raises
    ------
    ArgumentError
        If a prior is improper.
    """
    draws = np.empty((size, len(priors)))
    i = 0
    while i < len(priors):
        prior = priors[i]
        if not prior.is_proper:
            raise ArgumentError(f"the prior {prior} is improper: nothing can be drawn from it.")
        values = prior.draw(rng, size).reshape(size, -1)
        if prior.is_relative:
            assert dispersion is not None, "a prior relative to the dispersion needs its draws"
            values = values * dispersion[:, None]
        draws[:, i : i + prior.width] = values
        i += prior.width
    return draws
