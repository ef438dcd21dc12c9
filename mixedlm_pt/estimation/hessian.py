"""Observed information of all parameters, by differences of the exact gradient."""

import numpy as np

from mixedlm_pt._typing import FloatArray
from mixedlm_pt.estimation.objective import Objective

# In standard errors. The truncation error is of order STEP^2 = 1e-6 and so is the rounding error
# of gradients that are good to 1e-9.
STEP = 1e-3


def information(objective: Objective, par: FloatArray, scale: FloatArray) -> FloatArray:
    """Negative Hessian of the log-likelihood in scaled coordinates.

    Parameters
    ----------
    objective : Objective
    par : array, shape (n_par,)
    scale : array, shape (n_par, n_free)
        Directions to differentiate in, about one standard error long.

    Returns
    -------
    array, shape (n_free, n_free)
        NaN where the criterion cannot be evaluated next to ``par``.
    """
    n = scale.shape[1]
    H = np.empty((n, n))
    for j in range(n):
        ahead = objective(par + STEP * scale[:, j]).gradient
        behind = objective(par - STEP * scale[:, j]).gradient
        H[j] = -(ahead - behind) @ scale / (2.0 * STEP)
    return 0.5 * (H + H.T)
