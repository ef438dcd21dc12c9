"""Several models side by side by an information criterion."""

import numpy as np
import pandas as pd

from mixedlm_pt.arguments import one_of
from mixedlm_pt.errors import ArgumentError
from mixedlm_pt.fit import Fit
from mixedlm_pt.inference.comparability import model_lines, named_fits, refuse_incomparable
from mixedlm_pt.inference.likelihood import CRITERIA
from mixedlm_pt.result_table import ResultTable


def model_selection(*fits: Fit, criterion: str = "AICc", **named: Fit) -> ResultTable:
    """Models of the same response ranked by an information criterion.

    Parameters
    ----------
    *fits, **named : Fit
        ``model_selection(null=m0, full=m1)`` names them, others are m1, m2, ... by their number of
        parameters. They need not be nested; families may differ.
    criterion : {"AICc", "AIC", "BIC"}

    Returns
    -------
    ResultTable
        Best first. Columns npar, logLik, the criterion, ``delta`` (difference from the best),
        ``weight`` (``exp(-delta / 2)``, divided by its sum [1]_), ``evidence`` (how many times the
        weight of the best is that of the model).

    Raises
    ------
    ArgumentError
        If the fits do not have the same response, rows, weights and approximation of the
        likelihood, or have no likelihood, or if the criterion is unknown or infinite for all.

    References
    ----------
    .. [1] Burnham and Anderson (2002), Model Selection and Multimodel Inference, 2.9 and 2.10.

    Examples
    --------
    >>> import mixedlm_pt as mlm
    >>> data = mlm.load_cbpp()
    >>> null, full = (
    ...     mlm.glmer(f"incidence / size ~ {x} + (1 | herd)", data) for x in ("1", "period")
    ... )
    >>> mlm.model_selection(null=null, full=full)
    Model selection by AICc
     null: incidence / size ~ 1 + (1 | herd)
     full: incidence / size ~ period + (1 | herd)
         npar   logLik   AICc delta weight evidence
    full    5  -92.026 195.25  0.00  1.000      1.0
    null    2 -104.831 213.89 18.64  0.000  11139.4
    """
    one_of("criterion", criterion, CRITERIA)
    models = named_fits(fits, named, "model_selection()")
    if not models:
        raise ArgumentError("model_selection() needs at least one fit.")
    refuse_incomparable(list(models.values()), "model_selection()", same_family=False)
    values = np.array([CRITERIA[criterion](fit) for fit in models.values()])
    if not np.isfinite(values).any():
        raise ArgumentError(
            f"{criterion} is infinite for every model, as there are hardly more rows than "
            "parameters; use criterion='AIC'."
        )
    delta = values - values.min()
    likelihood = np.exp(-0.5 * delta)
    # Beyond 1e308 the evidence is infinite.
    with np.errstate(over="ignore"):
        evidence = np.exp(0.5 * delta)
    table = pd.DataFrame(
        {
            "npar": [fit.n_par for fit in models.values()],
            "logLik": [fit.estimate.loglik for fit in models.values()],
            criterion: values,
            "delta": delta,
            "weight": likelihood / likelihood.sum(),
            "evidence": evidence,
        },
        index=pd.Index(list(models)),
    ).sort_values(criterion, kind="stable")
    return ResultTable((f"Model selection by {criterion}", *model_lines(models)), table)
