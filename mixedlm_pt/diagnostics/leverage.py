"""What each row has to say about its own fitted value, and what leaving it out would change."""

from dataclasses import dataclass

import numpy as np

from mixedlm_pt._typing import FloatArray
from mixedlm_pt.errors import ArgumentError, EstimationError
from mixedlm_pt.fit import Fit


def hatvalues(fit: Fit) -> FloatArray:
    r"""Leverages: the diagonal of the projection that linearises the fit at the modes.

    Parameters
    ----------
    fit : Fit

    Returns
    -------
    array, shape (n,)
        The diagonal of ``W^1/2 A (A'WA + P)^-1 A' W^1/2`` with ``A = [X, Z Lambda]``, the working
        weights W (Fisher's information in eta) and P the identity for the spherical effects, zero
        for beta. Between 0 and 1; their sum is the effective number of parameters of the linear
        predictor given theta, between p and p + q [1]_. R's ``hatvalues`` of a glm for a model
        without random effects. (Those of lme4 weight by more than W and can sum to more than n.)
        With ``na_action="exclude"`` one value for every row of the data, NaN where it was left
        out.

    References
    ----------
    .. [1] Lu, Hodges and Carlin (2007), Can. J. Stat. 35, 337-352.

    Examples
    --------
    >>> import mixedlm_pt as mlm
    >>> fit = mlm.glmer("incidence / size ~ period + (1 | herd)", mlm.load_cbpp())
    >>> round(float(hatvalues(fit).sum()), 2)
    13.29
    """
    return fit.design.pad(leverage(fit).total)


def cooks_distance(fit: Fit) -> FloatArray:
    r"""Cook's distance of every row, for the fixed effects.

    Parameters
    ----------
    fit : Fit

    Returns
    -------
    array, shape (n,)
        ``d' V^-1 d / p`` with d the change in beta when the row is left out: one Newton step of
        the joint density of (beta, u), leverage included, with the covariance parameters held
        [1]_, and V the covariance of beta given these. Without random effects this is R's
        ``cooks.distance`` of a glm. Computed for all rows at once; `influence` also moves theta,
        takes groups, and refits on request. With ``na_action="exclude"`` one value for every row
        of the data, NaN where it was left out.

    Raises
    ------
    ArgumentError
        For a model without fixed effects.

    References
    ----------
    .. [1] Pinho, Nobre and Singer (2015), Comput. Stat. Data Anal. 85, 126-137.

    Examples
    --------
    >>> import mixedlm_pt as mlm
    >>> fit = mlm.glmer("incidence / size ~ period + (1 | herd)", mlm.load_cbpp())
    >>> int(cooks_distance(fit).argmax())
    36
    """
    if not fit.model.p:
        raise ArgumentError(
            "the model has no fixed effects, whose change Cook's distance measures."
        )
    part, phi = leverage(fit), fit.estimate.phi
    score = fit.finder.density(fit.eta, fit.log_phi)[1]
    # A row that alone determines a coefficient has leverage 1 and no distance: NaN or infinite.
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
        distance = (score / (1.0 - part.total)) ** 2 * part.fixed / fit.model.p
    # Score and information of a quasi-family are those at phi = 1.
    return fit.design.pad(distance * phi / fit.phi)


@dataclass(frozen=True, eq=False)
class Leverage:
    """Variances of the linear predictors at the modes, given theta and phi, each (n,).

    Attributes
    ----------
    W : array
        Working weights.
    fixed : array
        From beta, with what it shares with the random effects.
    random : array
        From the random effects given beta.
    """

    W: FloatArray
    fixed: FloatArray
    random: FloatArray

    @property
    def total(self) -> FloatArray:
        """The hat values."""
        return self.W * (self.fixed + self.random)


def leverage(fit: Fit) -> Leverage:
    """Leverages of the rows used, row by row from the structured factorisation.

    With the information of (u, beta) in blocks ``H``, ``B = Lambda'Z'WX`` and the Schur complement
    ``C^-1``, a row (x, m) of [X, Z Lambda] has the variance
    ``m'H^-1 m + r'C r`` with ``r = x - B'H^-1 m``.
    """
    finder, M = fit.finder, fit.scaled_design
    log_phi = np.asarray(fit.log_phi)
    information = fit.compiled.working_weights(finder.y, finder.w, fit.eta, log_phi)[0]
    # The observed information, which stands in for some custom families, can be negative.
    W = np.maximum(information, 0.0)
    _, packed = finder.factor(W, M)
    block = finder.beta_block(M, packed, W, finder.prior_information(fit.beta))
    if block is None:
        raise EstimationError(
            "the information of the fixed effects is singular at the estimates, so that rows have "
            "no leverage. print(checkConv(fit)) says what is wrong with the fit."
        )
    r = finder.X.copy()
    if fit.model.structure is not None:
        for column, position in zip(M.T, fit.model.structure.cols.T, strict=True):
            r -= column[:, None] * block.correction[position]
    random = (M * finder.row_inverse(packed, M)).sum(axis=1)
    fixed = np.einsum("np,pr,nr->n", r, block.covariance, r)
    return Leverage(W, fixed, random)
