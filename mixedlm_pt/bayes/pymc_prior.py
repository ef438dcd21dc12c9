"""Any univariate distribution of PyMC as a prior."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from pytensor.graph.basic import Variable
from pytensor.graph.replace import clone_replace
from pytensor.graph.traversal import toposort

from mixedlm_pt._typing import FloatArray, Scalar, Vector
from mixedlm_pt.bayes.distributions import POSITIVE, REAL, Prior
from mixedlm_pt.compile.rewriting import NUMPY
from mixedlm_pt.errors import ArgumentError


@dataclass(frozen=True, repr=False)
class PyMCPrior(Prior):
    """A distribution of PyMC, as its ``dist`` makes it.

    Wherever a prior is expected the distribution itself does as well:
    ``{"period2": pm.AsymmetricLaplace.dist(b=1.0, kappa=1.5, mu=0.0)}``.

    Attributes
    ----------
    variable : TensorVariable
        A scalar, continuous random variable that belongs to no model.
    """

    variable: Variable

    stacks = False

    def __post_init__(self) -> None:
        import pymc as pm

        given = self.variable
        is_random = isinstance(given, Variable) and given.owner is not None
        if not is_random or given.name is not None:
            raise ArgumentError(
                f"{given!r} is no prior; give a distribution that belongs to no model, such as "
                "pm.Laplace.dist(mu=0.0, b=1.0)."
            )
        if given.type.ndim != 0 or given.type.dtype != "float64":
            raise ArgumentError(
                f"{self} has {given.type.ndim} dimensions and type {given.type.dtype}; a prior is "
                "a distribution of one real number."
            )
        try:
            pm.logp(given, 0.5).eval(mode=NUMPY)
        except (NotImplementedError, ValueError) as error:
            raise ArgumentError(f"{self} has no log density: {error}") from None

    @property
    def title(self) -> str:
        """PyMC's name of the distribution."""
        return str(self).removeprefix("pm.").partition("(")[0]

    @cached_property
    def support(self) -> tuple[float, float]:  # type: ignore[override]
        """From the transform that PyMC samples it by."""
        from pymc.distributions.transforms import _default_transform
        from pymc.logprob.transforms import IntervalTransform, LogOddsTransform, LogTransform

        transform = _default_transform(self.variable.owner.op, self.variable)
        if transform is None:
            return REAL
        if isinstance(transform, LogTransform):
            return POSITIVE
        if isinstance(transform, LogOddsTransform):
            return (0.0, 1.0)
        if isinstance(transform, IntervalTransform):
            ends = transform.args_fn(*self.variable.owner.inputs)
            values = [None if end is None else float(end.eval(mode=NUMPY)) for end in ends]
            lower, upper = values
            return (-np.inf if lower is None else lower, np.inf if upper is None else upper)
        raise ArgumentError(f"{self} is neither on the real line nor on an interval.")

    def density(self, value: Vector) -> Scalar:
        import pymc as pm
        from pymc.logprob.utils import CheckParameterValue

        logp = pm.logp(self.variable, value[0])
        # Its numbers are known and were checked when the prior was made.
        checks = [n for n in toposort([logp]) if isinstance(n.op, CheckParameterValue)]
        return clone_replace(logp, {n.outputs[0]: n.inputs[0] for n in reversed(checks)})

    def draw(self, rng: np.random.Generator, size: int) -> FloatArray:
        import pymc as pm

        seed = int(rng.integers(2**31))
        return np.reshape(pm.draw(self.variable, draws=size, random_seed=seed, mode=NUMPY), size)

    def __str__(self) -> str:
        from pymc.printing import str_for_dist

        return f"pm.{str_for_dist(self.variable).removeprefix('~ ')}"

    __repr__ = __str__
