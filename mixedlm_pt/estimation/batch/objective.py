"""Log-likelihoods with gradients of R responses, each at parameters and a mode of its own."""

from dataclasses import dataclass

import numpy as np

from mixedlm_pt._typing import BoolArray, FloatArray, IntArray
from mixedlm_pt.compile import Approximation, compile_model
from mixedlm_pt.estimation.batch.modes import Modes, Responses, Taken, find_modes
from mixedlm_pt.estimation.objective import Objective
from mixedlm_pt.model import GLMM


@dataclass(frozen=True, eq=False)
class Points(Taken):
    """One evaluation a response.

    Attributes
    ----------
    par, gradient : arrays, shape (R, n_par)
    loglik : array, shape (R,)
        Minus infinity, with a gradient of NaN, where it cannot be evaluated.
    u : array, shape (R, q)
        The modes.
    """

    par: FloatArray
    loglik: FloatArray
    gradient: FloatArray
    u: FloatArray

    def replaced(self, where: IntArray | BoolArray, others: "Points") -> "Points":
        """With the points of some responses, (m,), replaced by m others."""
        arrays = {}
        for name in ("par", "loglik", "gradient", "u"):
            arrays[name] = getattr(self, name).copy()
            arrays[name][where] = getattr(others, name)
        return Points(**arrays)


class BatchedObjective:
    """As `Objective`, for responses (R, n) of one model.

    Attributes
    ----------
    alone : Objective
        Of the model's own response.
    u : array, shape (R, q)
        Last mode of each response.
    n_evaluations, n_newton : arrays of int, shape (R,)
    """

    def __init__(
        self, model: GLMM, approximation: Approximation, backend: str, Y: FloatArray
    ) -> None:
        self.model, self.approximation = model, approximation
        self.compiled = compile_model(model, approximation, backend)
        self.alone = Objective(model, approximation, backend)
        self.all = Responses.of(model, self.compiled, Y)
        self.u = np.zeros((len(Y), model.q))
        self.n_evaluations, self.n_newton = np.zeros((2, len(Y)), np.int64)
        self._rows, self._some = np.arange(len(Y)), self.all

    def responses(self, rows: IntArray) -> Responses:
        """Some responses; the last ones asked for are kept, with their functions."""
        if not np.array_equal(rows, self._rows):
            is_all = len(rows) == len(self.u)
            self._rows, self._some = rows, self.all if is_all else self.all.take(rows)
        return self._some

    def split(self, par: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        """beta (R, p), theta (R, n_theta) and log phi (R,)."""
        fixed_phi = self.model.family.fixed_phi
        log_phi = par[:, -1] if fixed_phi is None else np.full(len(par), np.log(fixed_phi))
        return par[:, : self.model.p], par[:, self.alone.theta_slice], log_phi

    def __call__(self, par: FloatArray, rows: IntArray, active: BoolArray | None = None) -> Points:
        """Evaluate the responses ``rows`` (m,) at ``par`` (m, n_par).

        Those that are not ``active`` (m,) are there because it is cheaper than to leave them out;
        nothing of them is remembered.
        """
        active = np.ones(len(rows), np.bool_) if active is None else active
        self.n_evaluations[rows] += active
        responses = self.responses(rows)
        beta, theta, log_phi = self.split(par)
        modes = self.modes(responses, beta, theta, log_phi, self.u[rows])
        self.n_newton[rows] += np.where(active, modes.n_newton, 0)
        loglik, gradient = responses.criterion(beta, theta, log_phi, modes.u)
        is_good = modes.converged & np.isfinite(loglik) & np.isfinite(gradient).all(axis=1)
        kept = modes.converged & active
        self.u[rows[kept]] = modes.u[kept]
        return Points(
            par,
            np.where(is_good, loglik, -np.inf),
            np.where(is_good[:, None], gradient, np.nan),
            modes.u,
        )

    def modes(
        self,
        responses: Responses,
        beta: FloatArray,
        theta: FloatArray,
        log_phi: FloatArray,
        u: FloatArray,
    ) -> Modes:
        """Modes from the given points, or from u = 0 where that fails."""
        fixed, M = responses.fixed_part(beta), responses.scaled_design(theta)
        modes = find_modes(responses, fixed, M, log_phi, u)
        lost = ~modes.converged
        if lost.any():
            some, zero = responses.take(lost), np.zeros_like(u[lost])
            again = find_modes(some, fixed[lost], M[lost], log_phi[lost], zero)
            modes.u[lost], modes.converged[lost] = again.u, again.converged
            modes.n_newton[lost] += again.n_newton
        return modes
