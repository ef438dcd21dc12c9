"""Options of the optimisation."""

from dataclasses import dataclass
from numbers import Integral, Real

import numpy as np

from mixedlm_pt.arguments import true_or_false
from mixedlm_pt.errors import ArgumentError, unknown_name
from mixedlm_pt.estimation.optimizers import OPTIMIZERS
from mixedlm_pt.linalg import N_PROBES

LAPLACE_WEIGHTS = ("observed", "expected")
# Fewer tell nothing about their own error.
LEAST_PROBES = 4
STRUCTURES = ("auto", "crossed", "sparse", "iterative")


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
    structure : {"auto", "crossed", "sparse", "iterative"}
        Linear algebra of several grouping factors. ``"crossed"`` (dense Cholesky of all but the
        largest factor) and ``"sparse"`` (sparse Cholesky) are exact; ``"iterative"`` takes neither
        their memory nor their time, and estimates log-determinants by random probes, always the
        same ones. ``"auto"`` is exact wherever that is feasible; docs/large_crossed.md has numbers.
    n_probes : int
        Random probes of ``"iterative"``. Four times as many halve the Monte-Carlo error, or better.
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
    structure: str = "auto"
    n_probes: int = N_PROBES
    check_conv: float = 1e-4
    check_singular: bool = True

    def __post_init__(self) -> None:
        # A list: a value that cannot be hashed is unknown, too.
        if self.optimizer not in list(OPTIMIZERS):
            raise unknown_name("optimizer", self.optimizer, OPTIMIZERS)
        if self.laplace_weights not in LAPLACE_WEIGHTS:
            raise unknown_name("laplace_weights", self.laplace_weights, LAPLACE_WEIGHTS)
        if self.structure not in STRUCTURES:
            raise unknown_name("structure", self.structure, STRUCTURES)
        if not (is_integer(self.maxfun) and self.maxfun > 0):
            raise ArgumentError(f"maxfun is {self.maxfun!r}; it must be a positive integer.")
        if not (is_integer(self.n_probes) and self.n_probes >= LEAST_PROBES):
            raise ArgumentError(
                f"n_probes is {self.n_probes!r}; it must be an integer from {LEAST_PROBES}."
            )
        for name in ("tol", "check_conv"):
            value = getattr(self, name)
            if not (isinstance(value, Real) and 0.0 < float(value) < np.inf):
                raise ArgumentError(f"{name} is {value!r}; it must be a positive, finite number.")
        for name in ("nAGQ0initStep", "check_singular"):
            true_or_false(name, getattr(self, name))


def is_integer(value: object) -> bool:
    """Whether a value is an integer, and no truth value."""
    return isinstance(value, Integral) and not isinstance(value, bool)
