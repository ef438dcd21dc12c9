"""``getME``: every piece of a fit by lme4's name."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from mixedlm_pt.arguments import names_of
from mixedlm_pt.errors import unknown_name
from mixedlm_pt.extraction.frames import model_matrix
from mixedlm_pt.extraction.information import cholesky_blocks, working_information
from mixedlm_pt.extraction.random_design import (
    block_starts,
    conditional_modes,
    random_matrix,
    relative_factor,
    relative_factors,
    relative_scale,
    relative_theta,
    spherical_effects,
    term_keys,
    theta_index,
    theta_names,
    transposed_columns,
)
from mixedlm_pt.fit import Fit

ALL = "ALL"


def getME(fit: Fit, name: str | Sequence[str]) -> Any:
    """A piece of a fit by lme4's name.

    Parameters
    ----------
    fit : Fit
    name : str or sequence of str
        ``"ALL"`` stands for every name.

        - Fixed effects: ``X`` (n, p), ``beta`` (array), ``fixef`` (Series).
        - Random effects: ``Z`` (n, q), ``Zt``, ``Ztlist`` (Z' of every column of every term),
          ``mmList`` (raw model matrices), ``u`` and ``b`` (q,), ``theta``, ``lower`` (its lower
          bounds), ``Lambda`` (q, q), ``Lambdat``, ``Lind``, ``Tlist`` (Lambda of one level),
          ``A`` (``Lambda'Z'``), ``Gp``, ``Tp`` (where terms start in b and in theta), ``flist``,
          ``cnms``.
        - Factors at the estimates: ``L`` (q, q), ``RZX`` (q, p), ``RX`` (p, p).
        - Rows: ``y``, ``mu``, ``eta``, ``offset``, ``weights`` (prior), ``W`` (working).
        - Numbers: ``n``, ``N``, ``p``, ``q``, ``k`` (terms, also ``n_rtrms``), ``n_rfacs``, ``m``
          (theta), ``m_i``, ``p_i``, ``l_i``, ``q_i`` (parameters, columns, levels and effects of
          every term; levels of every factor), ``sigma``, ``phi``, ``glmer.nb.theta``, ``devcomp``,
          ``is_REML``, ``REML``.

    Returns
    -------
    object
        A copy: numpy array, labelled Series or DataFrame, or `scipy.sparse.csc_array`; for several
        names a dict. Effects are ordered as lme4's: term after term, level after level. Lambda
        and theta are lme4's relative ones, in units of sigma where that exists; then u has the
        variance ``sigma**2``. L belongs to the order of the columns of Z: there is no fill-reducing
        permutation. L, RZX, RX and W take the information that the fit's own Laplace
        approximation has, which is lme4's for canonical links. Indices count from 0.

    Raises
    ------
    ArgumentError
        For an unknown name; the nearest is suggested.

    Examples
    --------
    >>> import mixedlm_pt as mlm
    >>> fit = mlm.glmer("incidence / size ~ period + (1 | herd)", mlm.load_cbpp())
    >>> getME(fit, "theta").round(4)
    herd.(Intercept)    0.6423
    Name: theta, dtype: float64
    """
    if not isinstance(name, str):
        return {one: getME(fit, one) for one in names_of("name", name)}
    if name == ALL:
        return {one: accessor(fit) for one, accessor in COMPONENTS.items()}
    if name not in COMPONENTS:
        raise unknown_name("name", name, [*COMPONENTS, ALL])
    return COMPONENTS[name](fit)


def by_term(fit: Fit, values: Sequence[Any], name: str) -> pd.Series:
    """A number of every term, by the term's label."""
    labels = [term.label for term in fit.design.terms]
    return pd.Series(list(values), index=pd.Index(labels, dtype="str"), name=name, dtype="int64")


def named_theta(fit: Fit, values: Any, name: str) -> pd.Series:
    """One number for every entry of theta."""
    labels = pd.Index(theta_names(fit), dtype="str")
    return pd.Series(np.array(values), index=labels, name=name, dtype="float64")


def lower_bounds(fit: Fit) -> pd.Series:
    """Zero for the diagonal of Lambda, minus infinity below it."""
    is_diagonal = [a == b for k in fit.model.term_widths for b in range(k) for a in range(b, k)]
    return named_theta(fit, np.where(is_diagonal, 0.0, -np.inf), "lower")


def theta_starts(fit: Fit) -> pd.Series:
    """Where every term's parameters start in theta, and their number."""
    ends = np.cumsum([0, *(k * (k + 1) // 2 for k in fit.model.term_widths)])
    return pd.Series(ends, index=pd.Index(["beg__", *term_keys(fit.design)]), name="Tp")


def grouping_factors(fit: Fit) -> dict[str, pd.Categorical]:
    """The level of every row, by grouping factor."""
    return {
        group.name: pd.Categorical.from_codes(group.codes, group.levels)
        for group in fit.design.factors
    }


def deviance_components(fit: Fit) -> Mapping[str, pd.Series]:
    """lme4's ``cmp`` and ``dims``."""
    response, model, phi = fit.design.response, fit.model, np.asarray(fit.estimate.phi)
    blocks = cholesky_blocks(fit)
    V = fit.compiled.variance(fit.mu, phi)[0]
    wrss = float((response.weights * (response.y - fit.mu) ** 2 / V).sum())
    deviances = response.weights * fit.compiled.unit_deviance(response.y, fit.eta, phi)[0]
    ussq = float(spherical_effects(fit) @ spherical_effects(fit))
    cmp = {
        "ldL2": 2.0 * float(np.log(blocks.L.diagonal()).sum()),
        "ldRX2": 2.0 * float(np.log(np.diag(blocks.RX)).sum()),
        "wrss": wrss,
        "ussq": ussq,
        "pwrss": wrss + ussq,
        "drsum": float(deviances.sum()),
        "dev": -2.0 * fit.estimate.loglik,
        "sigmaML": fit.sigma if fit.has_scale else np.nan,
    }
    dims = {
        "N": model.n,
        "n": model.n,
        "p": model.p,
        "nmp": model.n - model.p,
        "q": model.q,
        "nth": int(theta_starts(fit).iloc[-1]),
        "nAGQ": fit.approximation.nAGQ,
        "useSc": int(fit.has_scale),
        "reTrms": len(fit.design.terms),
        "REML": 0,
        "GLMM": 1,
    }
    return {"cmp": pd.Series(cmp, name="cmp"), "dims": pd.Series(dims, name="dims")}


def term_blocks(fit: Fit) -> dict[str, Any]:
    """Relative Lambda of one level of every term."""
    return dict(zip(term_keys(fit.design), relative_factors(fit), strict=True))


def effect_columns(fit: Fit) -> dict[str, list[str]]:
    """Names of the columns of every term."""
    keys = term_keys(fit.design)
    return {key: list(term.columns) for key, term in zip(keys, fit.design.terms, strict=True)}


def numbers_of_levels(fit: Fit) -> pd.Series:
    """Levels of every grouping factor."""
    sizes = {group.name: group.n_levels for group in fit.design.factors}
    return pd.Series(sizes, name="l_i", dtype="int64")


COMPONENTS: dict[str, Callable[[Fit], Any]] = {
    "X": lambda fit: fit.design.X.copy(),
    "Z": random_matrix,
    "Zt": lambda fit: random_matrix(fit).T.tocsc(),
    "Ztlist": transposed_columns,
    "mmList": lambda fit: model_matrix(fit, "randomListRaw"),
    "y": lambda fit: fit.design.response.y.copy(),
    "mu": lambda fit: fit.mu.copy(),
    "eta": lambda fit: fit.eta.copy(),
    "u": spherical_effects,
    "b": conditional_modes,
    "Gp": lambda fit: block_starts(fit.design),
    "Tp": theta_starts,
    "L": lambda fit: cholesky_blocks(fit).L,
    "Lambda": relative_factor,
    "Lambdat": lambda fit: relative_factor(fit).T.tocsc(),
    "Lind": theta_index,
    "Tlist": term_blocks,
    "A": lambda fit: (random_matrix(fit) @ relative_factor(fit)).T.tocsc(),
    "RX": lambda fit: cholesky_blocks(fit).RX,
    "RZX": lambda fit: cholesky_blocks(fit).RZX,
    "W": lambda fit: relative_scale(fit) ** 2 * working_information(fit),
    "weights": lambda fit: fit.design.response.weights.copy(),
    "offset": lambda fit: fit.design.offset.copy(),
    "sigma": lambda fit: fit.sigma,
    "phi": lambda fit: fit.phi,
    "glmer.nb.theta": lambda fit: fit.phi if fit.family.name == "negative_binomial" else np.nan,
    "flist": grouping_factors,
    "cnms": effect_columns,
    "fixef": lambda fit: pd.Series(
        fit.beta.copy(), index=pd.Index(fit.design.coef_names), name="fixef"
    ),
    "beta": lambda fit: fit.beta.copy(),
    "theta": lambda fit: named_theta(fit, relative_theta(fit), "theta"),
    "lower": lower_bounds,
    "n": lambda fit: fit.model.n,
    "N": lambda fit: fit.model.n,
    "p": lambda fit: fit.model.p,
    "q": lambda fit: fit.model.q,
    "k": lambda fit: len(fit.design.terms),
    "n_rtrms": lambda fit: len(fit.design.terms),
    "n_rfacs": lambda fit: len(fit.design.factors),
    "m": lambda fit: len(theta_names(fit)),
    "m_i": lambda fit: by_term(fit, [k * (k + 1) // 2 for k in fit.model.term_widths], "m_i"),
    "p_i": lambda fit: by_term(fit, fit.model.term_widths, "p_i"),
    "l_i": numbers_of_levels,
    "q_i": lambda fit: by_term(fit, np.diff(block_starts(fit.design)).tolist(), "q_i"),
    "devcomp": deviance_components,
    "is_REML": lambda _: False,
    "REML": lambda _: 0,
}
