"""Variances of which the data determine only a combination."""

import numpy as np
from scipy.linalg import eigh

from mixedlm_pt._typing import IntArray
from mixedlm_pt.fit import Fit

# Smallest eigenvalue of the correlation matrix of the estimates, from which on they count as
# tied: for two of them a correlation of 0.9999. Where only their sum of squares is determined,
# it is the rounding error of the information, 1e-7 to 4e-6.
TIED = 1e-4
# A parameter's share of that direction's largest.
NAMED_SHARE = 0.1


def tied_variances(fit: Fit) -> tuple[str, ...]:
    """Terms, and perhaps the dispersion, that the data do not tell apart; usually none.

    Two factors with the same levels in every row add their variances, and so do an effect for every
    row and the residual of a normal response: the likelihood is the same along a curve, and what
    the optimiser reports is one point of it. Terms of several columns are left out: their
    parameters are strongly correlated wherever a slope's zero lies far from the data.
    """
    places, names = scalar_parameters(fit)
    covariance = fit.estimate.covariance[np.ix_(places, places)]
    known = np.flatnonzero(np.diag(covariance) > 0.0)
    if len(known) < 2:
        return ()
    sd = np.sqrt(np.diag(covariance)[known])
    values, vectors = eigh(covariance[np.ix_(known, known)] / np.outer(sd, sd))
    lost = np.abs(vectors[:, values < TIED])
    concerned = (lost > NAMED_SHARE * lost.max(axis=0, initial=0.0)).any(axis=1)
    return tuple(names[j] for j in known[concerned])


def scalar_parameters(fit: Fit) -> tuple[IntArray, list[str]]:
    """Places in the parameter vector of terms with one column and of the dispersion; their names.

    Those on the boundary are left out.
    """
    model = fit.model
    places, names = [], []
    for term, part in zip(fit.design.terms, model.theta_slices, strict=True):
        if part.stop - part.start == 1 and not fit.boundary_theta[part.start]:
            places.append(model.p + part.start)
            names.append(f"({term.label})")
    if fit.family.estimates_phi and not fit.boundary_phi:
        places.append(model.n_par - 1)
        names.append(fit.family.phi_name)
    return np.array(places, np.intp), names


def tied_message(names: tuple[str, ...]) -> str:
    """Which variances cannot be told apart, and what to do."""
    return (
        f"The data do not tell the variances of {' and '.join(names)} apart: only a combination is "
        "determined, and other values fit as well as those reported. Every level of one goes "
        "with a level of the other, or is a single row. Drop one of them; coefficients and "
        "predictions stay."
    )
