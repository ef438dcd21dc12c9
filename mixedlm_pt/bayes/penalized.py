"""Mode of the marginal posterior: the likelihood that ML maximises, times the prior."""

from dataclasses import replace

from mixedlm_pt.bayes.penalty import PriorPenalty, bounded
from mixedlm_pt.bayes.priors import Priors
from mixedlm_pt.fit import Fit, refitted


def penalized_fit[AnyFit: Fit](fit: AnyFit, priors: Priors) -> AnyFit:
    """The fit of the same model with other priors: the mode of the marginal posterior.

    As ``glmer(..., priors=priors)``, for any priors of `sample`, and with beta at the maximum of
    the marginal likelihood, which nAGQ = 0 only approaches.

    Raises
    ------
    EstimationError
        If the search fails.
    """
    approximation = replace(fit.approximation, nAGQ=max(fit.approximation.nAGQ, 1))
    penalty = PriorPenalty.of(fit.model, priors)
    # Other starting values may lie outside of bounds.
    start = fit.restart if bounded(fit.model, priors) else None
    penalised = fit.replace(approximation=approximation, penalty=penalty)
    return refitted(penalised, fit.model, start=start)
