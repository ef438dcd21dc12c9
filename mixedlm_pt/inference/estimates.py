"""Fixed effects and the covariance matrix of the estimates."""

import numpy as np
import pandas as pd

from mixedlm_pt._typing import FloatArray
from mixedlm_pt.arguments import one_of
from mixedlm_pt.diagnostics import Groups, parameter_names
from mixedlm_pt.errors import ArgumentError
from mixedlm_pt.fit import Fit
from mixedlm_pt.inference.sandwich import sandwich_covariance

TYPES = ("hessian", "rx", "sandwich")

type Covariance = str | pd.DataFrame | FloatArray | None


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


def vcov(
    fit: Fit,
    full: bool = False,
    type: str = "hessian",
    cluster: Groups | None = None,
    cadjust: bool = False,
) -> pd.DataFrame:
    """Covariance matrix of the estimates.

    Parameters
    ----------
    fit : Fit
    full : bool
        Include theta (``herd.(Intercept)``: entries of Lambda, so sds for scalar terms) and
        ``log(phi)`` where phi is estimated.
    type : {"hessian", "rx", "sandwich"}
        Inverse of the observed information of all parameters; of beta alone with the others held
        at their estimates (lme4's ``use.hessian=FALSE``); or robust to a wrong distribution and to
        dependence within clusters, from the exact score of every cluster.
    cluster : str or array, shape (n,), optional
        For the sandwich: a grouping factor, a column of the data, or the cluster of every row.
        Default: the grouping factor in which all others are nested; single rows for a model
        without random effects.
    cadjust : bool
        For the sandwich: multiply by ``G / (G - 1)`` for G clusters.

    Returns
    -------
    DataFrame, shape (p, p) or (n_par, n_par)
        Quasi-families: multiplied by Pearson's dispersion, but for the sandwich, which needs none.
        NaN in the rows of parameters on the boundary of the parameter space, and everywhere if the
        information is not positive definite.

    Raises
    ------
    ArgumentError
        For an unknown type, for ``full`` with ``"rx"``, which concerns beta alone, for clusters
        that split the levels of a grouping factor, and for a sandwich with nAGQ = 0.

    Examples
    --------
    >>> import mixedlm_pt as mlm
    >>> fit = mlm.glmer("incidence / size ~ period + (1 | herd)", mlm.load_cbpp())
    >>> [round(v**0.5, 3) for v in fit.vcov(type="sandwich").to_numpy().diagonal().tolist()]
    [0.286, 0.454, 0.513, 0.362]
    """
    one_of("type", type, TYPES)
    if full and type == "rx":
        raise ArgumentError("vcov(full=True) needs another type than 'rx', which has beta alone.")
    if type != "sandwich" and (cluster is not None or cadjust):
        raise ArgumentError(f"cluster and cadjust belong to type='sandwich', not to {type!r}.")
    names = parameter_names(fit)[: None if full else fit.model.p]
    if type == "sandwich":
        covariance = sandwich_covariance(fit, cluster, cadjust)
    else:
        scale = fit.phi if fit.family.has_pearson_dispersion else 1.0
        estimate = fit.estimate
        covariance = scale * (estimate.covariance_rx if type == "rx" else estimate.covariance)
    labels = pd.Index(names)
    values = np.array(covariance[: len(names), : len(names)])
    return pd.DataFrame(values, index=labels, columns=labels)


def chosen_vcov(fit: Fit, wanted: Covariance) -> FloatArray:
    """Covariance of beta, shape (p, p), as an argument ``vcov=`` asks for it.

    Parameters
    ----------
    fit : Fit
    wanted : None, str, DataFrame or array
        A type of :func:`vcov`, None for its default; or the matrix itself, a DataFrame with the
        names of the coefficients.

    Raises
    ------
    ArgumentError
        For an unknown type, and for a matrix of other coefficients.
    """
    if wanted is None or isinstance(wanted, str):
        return vcov(fit, type=wanted or "hessian").to_numpy()
    names = list(fit.design.coef_names)
    if isinstance(wanted, pd.DataFrame):
        absent = [name for name in names if name not in wanted.index or name not in wanted.columns]
        if absent:
            raise ArgumentError(f"vcov has no row or no column for the coefficient {absent[0]!r}.")
        return wanted.loc[names, names].to_numpy(np.float64)
    matrix = np.asarray(wanted, dtype=np.float64)
    if matrix.shape != (len(names), len(names)):
        raise ArgumentError(
            f"vcov has shape {matrix.shape}; the model has {len(names)} coefficients, so it must "
            f"be {(len(names), len(names))}."
        )
    return matrix
