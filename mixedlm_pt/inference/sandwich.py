"""Cluster-robust covariance of the estimates, from the score of every cluster."""

from dataclasses import replace

import numpy as np

from mixedlm_pt._typing import FloatArray, IntArray
from mixedlm_pt.design import GroupingFactor, subset
from mixedlm_pt.diagnostics import Groups, row_groups
from mixedlm_pt.errors import ArgumentError, EstimationError
from mixedlm_pt.fit import Fit, likelihood


def sandwich_covariance(
    fit: Fit, cluster: Groups | None = None, cadjust: bool = False
) -> FloatArray:
    """``A^-1 (sum_g s_g s_g') A^-1`` of all parameters, shape (n_par, n_par).

    A is the observed information and ``s_g`` the exact gradient of a cluster's log-likelihood.

    Parameters
    ----------
    fit : Fit
    cluster : str or array, shape (n,), optional
        A grouping factor of the model, a column of the data, or the cluster of every row; see
        :func:`cluster_codes` for the default.
    cadjust : bool
        Multiply by ``G / (G - 1)`` for G clusters.

    Returns
    -------
    array
        NaN in the rows of parameters on the boundary.

    Raises
    ------
    ArgumentError
        If the clusters are not independent under the model, or the criterion of the fit is none of
        which the coefficients are the maximum (nAGQ = 0).

    References
    ----------
    .. [1] White (1982), Econometrica 50, 1-25, theorem 3.2.
    .. [2] Zeileis, Koell and Graham (2020), J. Stat. Softw. 95(1), eqs. 2 and 8.
    """
    if fit.approximation.nAGQ == 0 and fit.model.q:
        raise ArgumentError(
            "vcov(type='sandwich') needs nAGQ >= 1: with nAGQ=0 the coefficients do not maximise "
            "the likelihood, so no cluster has a score. Refit with nAGQ=1."
        )
    codes = cluster_codes(fit, cluster)
    n_clusters = int(codes.max()) + 1
    if n_clusters < 2:
        raise ArgumentError("vcov(type='sandwich') needs at least two clusters; there is one.")
    bread = fit.estimate.covariance
    is_free = np.isfinite(np.diag(bread))
    free = np.ix_(is_free, is_free)
    influence = cluster_scores(fit, codes)[:, is_free] @ bread[free]
    covariance = np.full_like(bread, np.nan)
    correction = n_clusters / (n_clusters - 1) if cadjust else 1.0
    covariance[free] = correction * influence.T @ influence
    return covariance


def cluster_codes(fit: Fit, cluster: Groups | None = None) -> IntArray:
    """The cluster of every row, numbered from 0, shape (n,).

    Parameters
    ----------
    fit : Fit
    cluster : str or array, optional
        Default: the coarsest grouping factor, if all others are nested in it; single rows for a
        model without random effects.

    Raises
    ------
    ArgumentError
        If a level of a grouping factor has rows in more than one cluster.
    """
    design = fit.design
    if cluster is None:
        if not design.factors:
            return np.arange(design.n)
        name, codes = design.factors[-1].name, design.factors[-1].codes
    else:
        name = cluster if isinstance(cluster, str) else "cluster"
        codes, _ = row_groups(fit, cluster, "cluster")
    for factor in design.factors:
        level = split_level(factor, codes)
        if level is None:
            continue
        if cluster is None:
            raise ArgumentError(
                f"the grouping factors {factor.name!r} and {name!r} are crossed, so no cluster "
                "holds whole levels of both; give cluster= if there is a coarser one."
            )
        raise ArgumentError(
            f"level {level!r} of {factor.name!r} has rows in more than one cluster of {name!r}; "
            "rows that share a random effect are dependent and must be in one cluster."
        )
    return np.unique(codes, return_inverse=True)[1].astype(np.int64)


def split_level(factor: GroupingFactor, codes: IntArray) -> object:
    """A level that has rows in more than one cluster; None if there is none."""
    one = np.zeros(factor.n_levels, np.int64)
    one[factor.codes] = codes
    is_split = one[factor.codes] != codes
    return factor.levels[factor.codes[is_split.argmax()]] if is_split.any() else None


def cluster_scores(fit: Fit, codes: IntArray) -> FloatArray:
    """Gradient of every cluster's log-likelihood at the estimates, shape (n_clusters, n_par).

    In (beta, theta, log phi); the columns add up to the gradient of the whole log-likelihood.
    """
    order = np.argsort(codes, kind="stable")
    parts = np.split(order, np.flatnonzero(np.diff(codes[order])) + 1)
    scores = np.empty((len(parts), fit.n_par))
    for g, rows in enumerate(parts):
        objective = likelihood(fit, replace(fit.model, design=subset(fit.design, rows)))
        objective.u = mode_of_rows(fit, rows)
        evaluation = objective(fit.par)
        if not np.isfinite(evaluation.loglik):
            raise EstimationError(
                f"the log-likelihood of the cluster of row {fit.design.index[rows[0]]} cannot be "
                "evaluated at the estimates."
            )
        scores[g] = evaluation.gradient
    return scores


def mode_of_rows(fit: Fit, rows: IntArray) -> FloatArray:
    """Conditional mode of the levels that occur in some rows, as `subset` orders them."""
    parts = [
        fit.u[part].reshape(factor.n_levels, -1)[np.unique(factor.codes[rows])].ravel()
        for factor, part in zip(fit.design.factors, fit.model.u_slices, strict=True)
    ]
    return np.concatenate([np.empty(0), *parts])
