"""Options of the optimisation."""

from dataclasses import dataclass
from numbers import Integral, Real

import numpy as np

from mixedlm_pt.errors import ArgumentError, unknown_name
from mixedlm_pt.estimation.optimizers import OPTIMIZERS

LAPLACE_WEIGHTS = ("observed", "expected")


@dataclass(frozen=True)
class GlmerControl:
    """Options of `glmer`.

    Parameters
    ----------
    optimizer : str
        ``"quasi-newton"`` (default) or a method of `scipy.optimize.minimize`: BFGS, L-BFGS-B,
        SLSQP, TNC, CG, Nelder-Mead, Powell, COBYQA. All work in coordinates scaled by standard
        errors; all but the last three use the exact gradient.
    maxfun : int
        Most evaluations of the criterion.
    tol : float
        The optimiser stops when the log-likelihood is expected to gain less than this.
    laplace_weights : {"observed", "expected"}
        Information in the log-determinant of the Laplace approximation. ``"observed"`` is the
        Laplace approximation proper (glmmTMB); ``"expected"`` reproduces lme4 for links that are
        not canonical. For canonical links both are the same number.
    nAGQ0initStep : bool
        Start beta at the joint mode of the penalised fit (True) or at the GLM's estimate.
    check_conv : float
        `ConvergenceWarning` where the log-likelihood could still gain more than this.
    check_singular : bool
        `SingularFitWarning` where a variance is zero or a correlation is one.

    Raises
    ------
    ArgumentError
        If a value is not allowed.
    """

    optimizer: str = "quasi-newton"
    maxfun: int = 2000
    tol: float = 1e-9
    laplace_weights: str = "observed"
    nAGQ0initStep: bool = True
    check_conv: float = 1e-4
    check_singular: bool = True

    def __post_init__(self) -> None:
        # A list: a value that cannot be hashed is unknown, too.
        if self.optimizer not in list(OPTIMIZERS):
            raise unknown_name("optimizer", self.optimizer, OPTIMIZERS)
        if self.laplace_weights not in LAPLACE_WEIGHTS:
            raise unknown_name("laplace_weights", self.laplace_weights, LAPLACE_WEIGHTS)
        is_integer = isinstance(self.maxfun, Integral) and not isinstance(self.maxfun, bool)
        if not (is_integer and self.maxfun > 0):
            raise ArgumentError(f"maxfun is {self.maxfun!r}; it must be a positive integer.")
        for name in ("tol", "check_conv"):
            value = getattr(self, name)
            if not (isinstance(value, Real) and 0.0 < float(value) < np.inf):
                raise ArgumentError(f"{name} is {value!r}; it must be a positive, finite number.")
        for name in ("nAGQ0initStep", "check_singular"):
            value = getattr(self, name)
            if not isinstance(value, bool | np.bool_):
                raise ArgumentError(f"{name} is {value!r}; it must be True or False.")
