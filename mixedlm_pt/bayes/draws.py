"""Draws as the arrays that the model's functions take: beta, theta, log phi and u."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mixedlm_pt._typing import FloatArray, IntArray
from mixedlm_pt.bayes.dispersion import Dispersion
from mixedlm_pt.bayes.pymc_model import term_columns
from mixedlm_pt.model import GLMM

if TYPE_CHECKING:
    import xarray as xr


@dataclass(frozen=True, eq=False)
class ParameterDraws:
    """Draws of everything that the likelihood depends on, chain after chain.

    Attributes
    ----------
    beta : array, shape (n_draws, p)
    theta : array, shape (n_draws, n_theta)
    log_phi : array, shape (n_draws,)
        The logarithm of the known dispersion where none is estimated.
    u : array, shape (n_draws, q)
    """

    beta: FloatArray
    theta: FloatArray
    log_phi: FloatArray
    u: FloatArray

    @classmethod
    def of(cls, model: GLMM, posterior: xr.Dataset) -> ParameterDraws:
        """From the group ``posterior`` (or ``prior``) of ArviZ's data."""
        draws = posterior.stack(sample=("chain", "draw"), create_index=False)

        def values(name: str) -> FloatArray:
            return np.asarray(draws[name].transpose("sample", ...).to_numpy(), np.float64)

        n = draws.sizes["sample"]
        theta, u = np.empty((n, model.n_theta)), np.empty((n, model.q))
        for f, factor in enumerate(model.design.factors):
            sd = values(f"sd_{factor.name}")
            u[:, model.u_slices[f]] = values(f"u_{factor.name}").reshape(n, -1)
            for t, columns in term_columns(model, f):
                k, Lambda = model.term_widths[t], sd[:, columns, None]
                if k > 1:
                    Lambda = Lambda * values(f"cholesky[{model.design.terms[t].label}]")
                places = zip(model.covariances[t].columns(k), range(k), strict=True)
                for entries, c in places:
                    theta[:, model.theta_slices[t]][:, entries] = Lambda[:, c:, c]
        dispersion = Dispersion.of(model)
        if dispersion is None:
            assert model.family.fixed_phi is not None, "a family either estimates phi or fixes it"
            log_phi = np.full(n, np.log(model.family.fixed_phi))
        else:
            log_phi = np.log(values(dispersion.name)) / dispersion.power
        return cls(values("beta"), theta, log_phi, u)

    def __len__(self) -> int:
        return len(self.log_phi)

    def take(self, which: slice | IntArray) -> ParameterDraws:
        """Some of the draws."""
        return ParameterDraws(
            self.beta[which], self.theta[which], self.log_phi[which], self.u[which]
        )

    def __iter__(self) -> Iterator[tuple[FloatArray, FloatArray, float, FloatArray]]:
        """``(beta, theta, log phi, u)`` draw by draw."""
        for beta, theta, log_phi, u in zip(
            self.beta, self.theta, self.log_phi, self.u, strict=True
        ):
            yield beta, theta, float(log_phi), u
