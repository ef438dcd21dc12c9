"""Population-averaged means and coefficients: the random effects integrated out."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from mixedlm_pt._typing import FloatArray
from mixedlm_pt.design import Design, NewDesign
from mixedlm_pt.errors import ArgumentError
from mixedlm_pt.fit import Fit
from mixedlm_pt.limits import wald_columns
from mixedlm_pt.prediction.joint_covariance import parameter_covariance
from mixedlm_pt.prediction.normal_average import normal_average
from mixedlm_pt.prediction.random_part import random_variance
from mixedlm_pt.result_table import ResultTable


@dataclass(frozen=True, eq=False)
class MarginalMeans:
    """Means of m rows averaged over the distribution of the random effects.

    Attributes
    ----------
    mean : array, shape (m,)
        Response scale.
    gradient : array, shape (m, n_par)
        Derivative in (beta, theta, log phi); theta moves the variance that is averaged over.
    """

    mean: FloatArray
    gradient: FloatArray


def marginal_means(fit: Fit, design: Design | NewDesign) -> MarginalMeans:
    r"""``E_b g^{-1}(x'beta + offset + z'b)`` of every row, with all terms of the model.

    Given the row, ``z'b`` is normal with variance ``z'Lambda Lambda'z`` summed over the terms, so
    this is an integral in one dimension, whatever the number of terms.

    Parameters
    ----------
    fit : Fit
    design : Design or NewDesign
        With all terms; of new data the grouping factors are not used.

    Raises
    ------
    EstimationError
        If the average does not exist, as for the inverse link.
    """
    model = fit.model
    eta = design.offset + design.X @ fit.beta
    mean, slope, d_theta = averaged_mean(fit, design, eta)
    gradient = np.zeros((design.n, model.n_par))
    gradient[:, : model.p] = slope[:, None] * design.X
    gradient[:, model.p : model.p + model.n_theta] = d_theta
    return MarginalMeans(mean, gradient)


def averaged_mean(
    fit: Fit, design: Design | NewDesign, eta: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Means of rows with fixed part ``eta`` (m,), averaged over all random effects.

    Returns
    -------
    mean, slope : arrays, shape (m,)
        Response scale, and its derivative in ``eta``.
    d_theta : array, shape (m, n_theta)
    """
    variance, d_variance = random_variance(fit, design, range(len(fit.design.terms)))
    s = np.sqrt(variance)
    mean, slope, slope_s = normal_average(fit.compiled, eta, s)
    # Where s is zero so is the derivative of the variance: nothing depends on theta there.
    per_variance = np.divide(slope_s, 2.0 * s, out=np.zeros_like(s), where=s > 0.0)
    return mean, slope, per_variance[:, None] * d_variance


# A probability that rounds to one has an infinite link.
@np.errstate(divide="ignore")
def on_link_scale(fit: Fit, means: MarginalMeans) -> tuple[FloatArray, FloatArray]:
    """The link of marginal means, shape (m,), and its gradient (m, n_par)."""
    eta: FloatArray = fit.compiled.forward(means.mean)[0]
    slope = fit.compiled.mean_slope(eta)[0][:, None]
    gradient = np.divide(
        means.gradient, slope, out=np.zeros_like(means.gradient), where=slope != 0.0
    )
    return eta, gradient


def marginal_coefs(fit: Fit) -> ResultTable:
    """Population-averaged coefficients, beside the conditional ones.

    The random effects of a model with a nonlinear link make its coefficients those of one group;
    these are the coefficients of the average over groups: the least-squares solution of
    ``X beta_m + offset = g(marginal means)`` on the rows of the fit.

    Parameters
    ----------
    fit : Fit

    Returns
    -------
    ResultTable
        Columns Conditional, Estimate, Std. Error, z value, Pr(>|z|); one row a fixed effect, link
        scale. Standard errors by the delta method, the covariance parameters included.

    Raises
    ------
    ArgumentError
        For a model without fixed effects.
    EstimationError
        If the averages do not exist, as for the inverse link.

    References
    ----------
    .. [1] Hedeker, du Toit, Demirtas and Gibbons (2018), Biometrics 74, 354-361; the function of
       this name in the R package GLMMadaptive.

    Examples
    --------
    >>> import mixedlm_pt as mlm
    >>> fit = mlm.glmer("incidence / size ~ period + (1 | herd)", mlm.load_cbpp())
    >>> marginal_coefs(fit).table["Estimate"].round(3).tolist()
    [-1.289, -0.942, -1.073, -1.512]
    """
    if not fit.model.p:
        raise ArgumentError("marginal_coefs needs fixed effects; this model has none.")
    eta, gradient = on_link_scale(fit, marginal_means(fit, fit.design))
    solve = np.linalg.pinv(fit.design.X)
    beta, jacobian = solve @ (eta - fit.design.offset), solve @ gradient
    se = np.sqrt(((jacobian @ parameter_covariance(fit)) * jacobian).sum(axis=1))
    columns = {"Conditional": fit.beta, **wald_columns(beta, se)}
    table = pd.DataFrame(columns, index=pd.Index(fit.design.coef_names))
    heading = ("Population-averaged coefficients", f"Formula: {fit.design.formula}")
    notes = (
        "Averaged over the normal distribution of the random effects; standard errors by the "
        "delta method.",
    )
    return ResultTable(heading, table, notes)
