"""The likelihood once more, dense and slow: densities by name, complex steps, plain Newton.

Nothing here is of the package but the numbers of a fit (X, Z, Lambda, y, weights, offset).
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import betaln, gammaln, log_ndtr

H_COMPLEX, H_REAL = 1e-150, 1e-4


def log_logistic(eta: Any) -> Any:
    positive = np.real(eta) > 0
    small = np.where(positive, -eta, eta)
    return np.where(positive, 0.0, eta) - np.log1p(np.exp(small))


# Of (log mu, log(1 - mu)) by eta.
PROBABILITIES = {
    "logit": lambda eta: (log_logistic(eta), log_logistic(-eta)),
    "probit": lambda eta: (log_ndtr(eta), log_ndtr(-eta)),
    "cloglog": lambda eta: (np.log(-np.expm1(-np.exp(eta))), -np.exp(eta)),
    "cauchit": lambda eta: (log_cauchy(eta), log_cauchy(-eta)),
    "log": lambda eta: (eta, np.log(-np.expm1(eta))),
}
MEANS = {
    "log": np.exp,
    "sqrt": np.square,
    "identity": lambda eta: eta,
    "inverse": lambda eta: 1.0 / eta,
    "1/mu^2": lambda eta: 1.0 / np.sqrt(eta),
}


def log_cauchy(eta: Any) -> Any:
    """Log of the Cauchy distribution function, exact in the lower tail."""
    low = np.real(eta) < 0
    tail = np.where(low, eta, -1.0)
    return np.where(
        low, np.log(np.arctan(-1.0 / tail) / np.pi), np.log(0.5 + np.arctan(eta) / np.pi)
    )


def log_densities(family: str, link: str, y: Any, w: Any, phi: float) -> Any:
    """A function of eta (n,): the log density of every row with its prior weight."""
    if family == "binomial":
        s = w * y
        constant = gammaln(w + 1) - gammaln(s + 1) - gammaln(w - s + 1)

        def binomial(eta: Any) -> Any:
            log_mu, log1m = PROBABILITIES[link](eta)
            return constant + times(s, log_mu) + times(w - s, log1m)

        return binomial
    mean = MEANS[link]

    def log_mean(eta: Any) -> Any:
        return eta if link == "log" else np.log(mean(eta))

    def poisson(eta: Any) -> Any:
        return times(y, log_mean(eta)) - mean(eta) - gammaln(y + 1)

    def nbinom2(eta: Any) -> Any:
        # Gamma(y + phi) / (Gamma(phi) y!), which would cancel for a large phi.
        constant = np.where(y > 0, -betaln(np.maximum(y, 1), phi) - np.log(np.maximum(y, 1)), 0.0)
        ratio = mean(eta) / phi
        return constant + times(y, np.log(ratio)) - (y + phi) * np.log1p(ratio)

    def gamma(eta: Any) -> Any:
        a = 1.0 / phi
        return (
            (a - 1) * np.log(y) - a * y / mean(eta) + a * (np.log(a) - log_mean(eta)) - gammaln(a)
        )

    def inverse_gaussian(eta: Any) -> Any:
        square = (y - mean(eta)) ** 2 / (mean(eta) ** 2 * y)
        return -0.5 * (square / phi + np.log(2 * np.pi * phi * y**3))

    def gaussian(eta: Any) -> Any:
        return -0.5 * ((y - mean(eta)) ** 2 / phi + np.log(2 * np.pi * phi))

    density = {f.__name__: f for f in (poisson, nbinom2, gamma, inverse_gaussian, gaussian)}[family]
    return lambda eta: times(w, density(eta))


def times(factor: Any, value: Any) -> Any:
    """The product, zero where the factor is."""
    return np.where(factor == 0.0, 0.0, np.where(factor == 0.0, 1.0, factor) * value)


@dataclass
class PlainLikelihood:
    """Laplace's approximation and quadrature for the numbers of one fit."""

    X: Any
    Z: Any
    offset: Any
    densities: Any
    y: Any
    w: Any

    @classmethod
    def of(cls, fit: Any, family: str, link: str) -> "PlainLikelihood":
        response = fit.design.response

        def densities(phi: float) -> Any:
            return log_densities(family, link, response.y, response.weights, phi)

        Z = fit.getME("Z").toarray() if fit.model.q else np.zeros((fit.model.n, 0))
        offset = fit.design.offset
        return cls(fit.design.X, Z, offset, densities, response.y, response.weights)

    @staticmethod
    def factor(fit: Any) -> Any:
        """Lambda in units of the linear predictor, (q, q); lme4's own is in units of sigma."""
        Lambda = fit.getME("Lambda").toarray() if fit.model.q else np.zeros((0, 0))
        return Lambda * fit.sigma if fit.has_scale else Lambda

    @staticmethod
    def effects(fit: Any) -> Any:
        """u in the order of Z's columns, (q,); where a factor has two terms ``fit.u`` has another.

        lme4's own is in units of sigma.
        """
        u = np.asarray(fit.getME("u") if fit.model.q else ())
        return u / fit.sigma if fit.has_scale else u

    def parts(self, eta: Any, phi: float) -> tuple[Any, Any, Any]:
        """Log density, its slope, and minus its second derivative, each (n,)."""
        f = self.densities(phi)

        def slope(at: Any) -> Any:
            return np.imag(f(at + 1j * H_COMPLEX)) / H_COMPLEX

        # Relative, as for 1 / eta; a slope by complex steps allows differences as short as these.
        h = H_REAL * np.maximum(np.abs(eta), 1e-3)
        with np.errstate(all="ignore"):
            return f(eta), slope(eta), -(slope(eta + h) - slope(eta - h)) / (2 * h)

    def joint(self, beta: Any, Lambda: Any, phi: float, u: Any) -> tuple[float, Any, Any]:
        """Value, gradient and negative Hessian in u."""
        M = self.Z @ Lambda
        logp, slope, D = self.parts(self.offset + self.X @ beta + M @ u, phi)
        H = np.eye(len(u)) + M.T @ (D[:, None] * M)
        return logp.sum() - 0.5 * u @ u, M.T @ slope - u, H

    def mode(self, beta: Any, Lambda: Any, phi: float, u: Any) -> tuple[Any, float, Any, float]:
        """u, value and H there, and the Newton decrement that is left."""
        value, gradient, H = self.joint(beta, Lambda, phi, u)
        decrement = np.inf
        for _ in range(100):
            if not np.isfinite(H).all():
                break
            values, vectors = np.linalg.eigh(H)
            step = vectors @ ((vectors.T @ gradient) / np.maximum(values, 1e-3))
            decrement = 0.5 * float(step @ gradient)
            if decrement < 1e-14:
                break
            length = 1.0
            while length > 1e-8:
                moved = self.joint(beta, Lambda, phi, u + length * step)
                if moved[0] >= value - 1e-12 * abs(value):
                    break
                length *= 0.5
            else:
                break
            u, (value, gradient, H) = u + length * step, moved
        return u, value, H, decrement

    def laplace(self, beta: Any, Lambda: Any, phi: float, u: Any) -> tuple[float, float]:
        """Laplace's log-likelihood with the observed information, and the decrement left."""
        if not self.Z.shape[1]:
            return float(self.densities(phi)(self.offset + self.X @ beta).sum()), 0.0
        u, value, H, decrement = self.mode(beta, Lambda, phi, u)
        sign, logdet = np.linalg.slogdet(H)
        return (value - 0.5 * logdet if sign > 0 else np.nan), decrement

    def least_error(self, beta: Any, Lambda: Any, phi: float, u: Any) -> Any:
        """Standard error of every effect from its own rows alone, at most 1; shape (q,)."""
        _, _, D = self.parts(self.offset + self.X @ beta + self.Z @ Lambda @ u, phi)
        return np.maximum(1.0, np.maximum(D, 0.0) @ self.Z**2) ** -0.5

    def quadrature(self, beta: Any, Lambda: Any, phi: float, u: Any, nodes: int) -> float:
        """Adaptive Gauss-Hermite quadrature for one effect a level."""
        u, _, H, _ = self.mode(beta, Lambda, phi, u)
        x, weight = np.polynomial.hermite.hermgauss(nodes)
        sd, level = np.diag(H) ** -0.5, np.argmax(self.Z != 0.0, axis=1)
        f, fixed, theta = self.densities(phi), self.offset + self.X @ beta, np.diag(Lambda)
        terms = np.empty((nodes, len(u)))
        for k in range(nodes):
            at = u + np.sqrt(2.0) * sd * x[k]
            z = self.Z.sum(axis=1)
            rows = f(fixed + z * theta[level] * at[level])
            terms[k] = np.bincount(level, rows, len(u)) - 0.5 * at**2 + x[k] ** 2
            terms[k] += np.log(weight[k])
        top = terms.max(axis=0)
        total = top + np.log(np.exp(terms - top).sum(axis=0)) + np.log(sd) - 0.5 * np.log(np.pi)
        return float(total.sum())
