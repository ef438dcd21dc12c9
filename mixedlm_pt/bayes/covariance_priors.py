"""Priors of the covariance matrix of a term: correlations, and joint ones of its sds."""

from dataclasses import dataclass, replace
from typing import Self

import numpy as np
import pytensor.tensor as pt
from scipy.special import betaln

from mixedlm_pt._typing import FloatArray, Matrix, Scalar, Vector
from mixedlm_pt.bayes.distributions import (
    LOG_TWO,
    POSITIVE,
    Prior,
)
from mixedlm_pt.bayes.positive_distributions import (
    Gamma,
)
from mixedlm_pt.errors import ArgumentError


@dataclass(frozen=True)
class LKJ(Prior):
    """Distribution of a correlation matrix with density proportional to ``|R|^(eta - 1)``.

    With ``eta = 1`` all correlation matrices are equally likely. Lewandowski, Kurowicka and Joe
    (2009), J. Multivar. Anal. 100, 1989-2001.
    """

    eta: float

    distribution = "LKJCorr"
    keywords = ("eta",)
    support = (-1.0, 1.0)
    stacks = False
    label = "lkj"

    def cholesky(self, name: str, k: int) -> Matrix:
        """A random variable: the Cholesky factor, shape (k, k), of the correlation matrix."""
        import pymc as pm

        return pm.LKJCorr(name, n=k, eta=self.eta)

    def logp(self, value: Matrix) -> Scalar:
        """Log density of the correlation matrix with this Cholesky factor, symbolic, normalised.

        It is the density of the entries below the diagonal of the matrix, equation 16 there.
        """
        k = value.type.shape[-1]
        assert k is not None, "a factor has as many rows as its term has effects"
        return 2.0 * (self.eta - 1.0) * pt.log(pt.diagonal(value)).sum() - self.log_volume(k)

    def log_volume(self, k: int) -> float:
        """Log of the integral of ``|R|^(eta - 1)`` over the correlation matrices."""
        rest = k - np.arange(1, k)
        half = self.eta + 0.5 * (rest - 1)
        powers = (2.0 * self.eta - 2.0 + rest) * LOG_TWO
        return float(np.sum(rest * (powers + betaln(half, half))))

    def draw_cholesky(self, rng: np.random.Generator, size: int, k: int) -> FloatArray:
        """Random Cholesky factors, shape (size, k, k), from their partial correlations.

        Section 2.4 there: partial correlations given j variables are symmetric beta on (-1, 1).
        """
        L = np.zeros((size, k, k))
        L[:, 0, 0] = 1.0
        rest = np.ones((size, k))
        for j in range(k):
            L[:, j, j] = np.sqrt(rest[:, j])
            half = self.eta + 0.5 * (k - 2 - j)
            if j < k - 1:
                partial = 2.0 * rng.beta(half, half, (size, k - 1 - j)) - 1.0
                L[:, j + 1 :, j] = partial * np.sqrt(rest[:, j + 1 :])
                rest[:, j + 1 :] *= 1.0 - partial**2
        return L


@dataclass(frozen=True)
class Decov(Prior):
    r"""rstanarm's joint prior of the standard deviations of one term.

    With k effects the variances are ``k tau^2 pi``, where ``pi ~ Dirichlet(concentration)`` shares
    them out and ``tau ~ Gamma(shape, rate=1 / scale)`` is their root mean square. With one effect
    tau is the standard deviation; with ``shape = 1`` it is exponential with mean ``scale``.

    Goodrich, Gabry, Ali and Brilleman, rstanarm, help page "priors", section "Covariance matrices".

    Attributes
    ----------
    concentration, shape, scale : float
    n_effects : int
        Is set by the term for which the prior is used.
    """

    concentration: float = 1.0
    shape: float = 1.0
    scale: float = 1.0
    n_effects: int = 1

    support = POSITIVE
    stacks = False

    @property
    def width(self) -> int:
        """The number of effects."""
        return self.n_effects

    def for_term(self, k: int) -> Self:
        """The prior of a term with k effects."""
        return replace(self, n_effects=k)

    @property
    def tau(self) -> Gamma:
        """Prior of the root mean square of the standard deviations."""
        return Gamma(self.shape, 1.0 / self.scale)

    def density(self, value: Vector) -> Scalar:
        """Log density of the k standard deviations.

        ``d(sds) = k^(k/2) tau^(k-1) 2^(1-k) prod(pi)^(-1/2) d(tau) d(pi)``.
        """
        k, variances = self.n_effects, value**2
        total = variances.sum()
        log_tau = 0.5 * (pt.log(total) - np.log(k))
        log_share = pt.log(variances) - pt.log(total)
        a = np.full(1, self.concentration)
        dirichlet = (pt.gammaln(k * a) - k * pt.gammaln(a)).sum() + ((a - 1.0) * log_share).sum()
        jacobian = 0.5 * k * np.log(k) + (k - 1) * (log_tau - LOG_TWO) - 0.5 * log_share.sum()
        return self.tau.logp(pt.exp(log_tau)) + dirichlet - jacobian

    def draw(self, rng: np.random.Generator, size: int) -> FloatArray:
        k = self.n_effects
        shares = rng.dirichlet(np.full(k, self.concentration), size)
        return self.tau.draw(rng, size)[:, None] * np.sqrt(k * shares)

    def __str__(self) -> str:
        tau = f"shape = {self.shape:.4g}, scale = {self.scale:.4g}"
        return f"decov(concentration = {self.concentration:.4g}, {tau})"


@dataclass(frozen=True)
class Relative(Prior):
    """Prior of a standard deviation divided by the model's dispersion.

    ``Relative(Exponential(1.0))`` for ``sd`` in a gaussian model: ``sd / sigma`` is exponential.

    Attributes
    ----------
    prior : Prior
        Of the ratio.
    """

    prior: Prior

    support = POSITIVE
    stacks = False
    is_relative = True

    def __post_init__(self) -> None:
        is_prior = isinstance(self.prior, Prior) and not self.prior.is_relative
        if not is_prior or self.prior.support != POSITIVE:
            raise ArgumentError(
                f"prior of Relative is {self.prior!r}; it must be a prior of all positive numbers."
            )

    @property
    def is_proper(self) -> bool:  # type: ignore[override]
        """That of the ratio's prior."""
        return self.prior.is_proper

    @property
    def width(self) -> int:
        """That of the ratio's prior."""
        return self.prior.width

    def for_term(self, k: int) -> Self:
        """The prior of a term with k effects."""
        return replace(self, prior=self.prior.for_term(k))

    def draw(self, rng: np.random.Generator, size: int) -> FloatArray:
        """Random ratios."""
        return self.prior.draw(rng, size)

    def __str__(self) -> str:
        return str(self.prior)
