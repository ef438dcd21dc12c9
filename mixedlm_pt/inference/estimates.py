"""Fixed effects and the covariance matrix of the estimates."""

import numpy as np
import pandas as pd

from mixedlm_pt.diagnostics import parameter_names
from mixedlm_pt.errors import ArgumentError, unknown_name
from mixedlm_pt.fit import Fit

TYPES = ("hessian", "rx")


def fixef(fit: Fit) -> pd.Series:
    """Fixed-effects estimates by name, link scale.

    Parameters
    ----------
    fit : Fit

    Returns
    -------
    Series, length p
        Columns that were dropped because others determine them are absent.

    Examples
    --------
    >>> import mixedlm_pt as mlm
    >>> fit = mlm.glmer("incidence / size ~ period + (1 | herd)", mlm.load_cbpp())
    >>> round(float(fixef(fit)["period2"]), 4)
    -0.9923
    """
    return pd.Series(fit.beta, index=pd.Index(fit.design.coef_names), name="fixef")


def vcov(fit: Fit, full: bool = False, type: str = "hessian") -> pd.DataFrame:
    """Covariance matrix of the estimates.

    Parameters
    ----------
    fit : Fit
    full : bool
        Include theta (``herd.(Intercept)``: entries of Lambda, so sds for scalar terms) and
        ``log(phi)`` where phi is estimated.
    type : {"hessian", "rx"}
        Inverse of the observed information of all parameters, or of beta alone with the others
        held at their estimates (lme4's ``use.hessian=FALSE``).

    Returns
    -------
    DataFrame, shape (p, p) or (n_par, n_par)
        Quasi-families: multiplied by Pearson's dispersion. NaN in the rows of parameters on the
        boundary of the parameter space, and everywhere if the information is not positive definite.

    Raises
    ------
    ArgumentError
        For an unknown type, and for ``full`` with ``"rx"``, which concerns beta alone.
    """
    if type not in TYPES:
        raise unknown_name("type", type, TYPES)
    if full and type == "rx":
        raise ArgumentError("vcov(full=True) needs type='hessian'; 'rx' concerns beta alone.")
    names = parameter_names(fit)[: None if full else fit.model.p]
    estimate = fit.estimate
    covariance = estimate.covariance_rx if type == "rx" else estimate.covariance
    scale = fit.phi if fit.family.has_pearson_dispersion else 1.0
    labels = pd.Index(names)
    values = scale * covariance[: len(names), : len(names)]
    return pd.DataFrame(np.array(values), index=labels, columns=labels)
