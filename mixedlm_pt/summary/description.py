"""A fit in words: model, method, data, dispersion."""

from dataclasses import dataclass

import numpy as np

from mixedlm_pt.fit import Fit
from mixedlm_pt.formula import deparse


@dataclass(frozen=True)
class Description:
    """The lines of a summary that are not tables.

    Attributes
    ----------
    method : str
        "Generalized linear mixed model fit by maximum likelihood (Laplace Approximation)".
    family : str
        "binomial ( logit )".
    formula, data : str
    weights : str
        Empty without prior weights.
    n : int
        Number of rows used.
    dispersion, dropped, priors : str
        Empty where there is nothing to say.
    optimizer : str
    """

    method: str
    family: str
    formula: str
    data: str
    weights: str
    n: int
    dispersion: str
    dropped: str
    optimizer: str
    priors: str = ""


def describe(fit: Fit) -> Description:
    """The words for a fit."""
    design, outcome = fit.design, fit.outcome
    n = outcome.n_evaluations
    n_omitted = int(design.omitted.sum())
    omitted = f" ({n_omitted:,} more omitted: missing values)" if n_omitted else ""
    return Description(
        method=method(fit),
        family=f"{fit.family.name} ( {fit.family.link.name} )",
        formula=design.formula.strip(),
        data=f"{fit.model.n:,} rows{omitted}",
        weights=weights(fit),
        n=fit.n_obs,
        dispersion=dispersion(fit),
        dropped=", ".join(design.dropped),
        optimizer=f"{outcome.optimizer}, {n} evaluation{'' if n == 1 else 's'}",
        priors="" if fit.penalty is None else fit.penalty.in_words(fit.model),
    )


def method(fit: Fit) -> str:
    """What was maximised and how the random effects were integrated out."""
    criterion = "maximum likelihood" if fit.family.has_likelihood else "maximum quasi-likelihood"
    if fit.priors is not None:
        criterion = f"penalised {criterion}"
    if not fit.model.q:
        return f"Generalized linear model fit by {criterion}"
    nAGQ = fit.approximation.nAGQ
    integral = (
        "Laplace Approximation"
        if nAGQ == 1
        else f"Adaptive Gauss-Hermite Quadrature, nAGQ = {nAGQ}"
    )
    if nAGQ <= 1 and fit.approximation.laplace_weights == "expected":
        integral += ", expected information"
    if fit.estimate.loglik_se:
        integral += f", {estimated(fit)}"
    return f"Generalized linear mixed model fit by {criterion} ({integral})"


def estimated(fit: Fit) -> str:
    """How exact a log-likelihood is that random probes estimate."""
    n, se = fit.model.n_probes, fit.estimate.loglik_se
    return (
        f"log-determinants by {n} random probes: Monte-Carlo standard error of the log-likelihood "
        f"{se:.2g}, half of it with GlmerControl(n_probes={4 * n})"
    )


def weights(fit: Fit) -> str:
    """The weights argument as given."""
    argument = fit.design.specification.weights
    if argument.node is not None:
        return deparse(argument.node)
    return "" if argument.rows is None else "given as numbers"


def dispersion(fit: Fit) -> str:
    """The dispersion or shape with its standard error."""
    family = fit.family
    if family.has_pearson_dispersion:
        return (
            f"Dispersion of {family.name}: {fit.phi:.4g} (Pearson; standard errors are scaled by "
            "its square root)"
        )
    if not (family.has_dispersion or family.fixed_phi != 1.0):
        return ""
    what = "Dispersion" if family.phi_scales_variance else "Shape"
    if fit.boundary_phi:
        limit = "infinite" if fit.phi > 1.0 else "zero"
        return f"{what} of {family.name}, {family.phi_name}: {limit} (on the boundary)"
    how = "fixed"
    if family.estimates_phi:
        # The covariance is that of log(phi).
        how = f"Std. Error {fit.phi * np.sqrt(fit.estimate.covariance[-1, -1]):.3g}"
    return f"{what} of {family.name}, {family.phi_name}: {fit.phi:.4g} ({how})"
