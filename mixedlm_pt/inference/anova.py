"""Likelihood ratio tests between fits, and Wald tests of the terms of one."""

from collections.abc import Mapping
from itertools import pairwise

import numpy as np
import pandas as pd

from mixedlm_pt.errors import ArgumentError
from mixedlm_pt.fit import Fit
from mixedlm_pt.inference.comparability import model_lines, named_fits, refuse_incomparable
from mixedlm_pt.inference.estimates import Covariance
from mixedlm_pt.inference.likelihood import AIC, BIC
from mixedlm_pt.inference.likelihood_ratio import P_MIXTURE, P_NAIVE, likelihood_ratio_test
from mixedlm_pt.inference.wald_tests import wald_tests
from mixedlm_pt.result_table import ResultTable


def anova(*fits: Fit, type: int | str = 2, vcov: Covariance = None, **named: Fit) -> ResultTable:
    """Likelihood ratio tests of nested fits; for a single fit, Wald tests of its terms.

    Parameters
    ----------
    *fits, **named : Fit
        Several: they are sorted by their number of parameters and each is tested against the one
        before, if that is nested in it. ``anova(null=m0, full=m1)`` names them, others are m1, m2.
        One: every fixed-effects term is tested by ``b' V^-1 b``.
    type : {2, 3}
        For one fit, as ``car::Anova``. 2: a term after all terms that do not contain it; 3: after
        all others, and the intercept too, which depends on the contrasts.
    vcov : str, DataFrame or array, optional
        For one fit: V, a type of :func:`vcov` such as ``"sandwich"``, or the matrix itself.

    Returns
    -------
    ResultTable
        Columns npar, AIC, BIC, logLik, ``-2*log(L)``, Chisq, Df, ``Pr(>Chisq)``; for one fit the
        last three. A variance added is zero under the null, on the boundary: the usual p-value is
        then too large, and ``Pr(>Chibarsq)`` has that of a mixture of chi-squares. For one more
        effect of a term, with its covariances, the mixture is half Df - 1 and half Df degrees of
        freedom [1]_; for one each of m terms its weights are binomial (1/4, 1/2, 1/4 for two),
        which takes their estimates as independent [2]_: near enough for crossed factors, while
        those of nested ones compete. Nothing simple holds where a term adds two variances with
        their correlation. `pb_lrt` simulates in all these cases.

    Raises
    ------
    ArgumentError
        If the fits do not have the same response, rows, weights, family, link, and approximation
        of the likelihood, or have no likelihood; for an unknown type.

    References
    ----------
    .. [1] Stram and Lee (1994), Biometrics 50, 1171-1177, cases 1 to 3.
    .. [2] Self and Liang (1987), J. Am. Stat. Assoc. 82, 605-610, cases 5 to 9.

    Examples
    --------
    >>> import mixedlm_pt as mlm
    >>> data = mlm.load_cbpp()
    >>> small, large = (
    ...     mlm.glmer(f"incidence / size ~ {x} + (1 | herd)", data) for x in ("1", "period")
    ... )
    >>> mlm.anova(small, large).to_frame()["Chisq"].round(4).tolist()
    [nan, 25.6101]
    """
    models = named_fits(fits, named, "anova()")
    if not models:
        raise ArgumentError("anova() needs at least one fit.")
    if len(models) == 1:
        (fit,) = models.values()
        return wald_tests(fit, type, vcov)
    if type != 2 or vcov is not None:
        raise ArgumentError("type and vcov are for the Wald tests of one fit; anova() got several.")
    return likelihood_ratio_tests(models)


def likelihood_ratio_tests(models: Mapping[str, Fit]) -> ResultTable:
    """Each fit against the one before, which has no more parameters."""
    fits = list(models.values())
    refuse_incomparable(fits, "anova() of several fits")
    table = pd.DataFrame(
        {
            "npar": [fit.n_par for fit in fits],
            "AIC": [AIC(fit) for fit in fits],
            "BIC": [BIC(fit) for fit in fits],
            "logLik": [fit.estimate.loglik for fit in fits],
            "-2*log(L)": [-2.0 * fit.estimate.loglik for fit in fits],
        },
        index=pd.Index(list(models)),
    )
    table[["Chisq", "Df", P_NAIVE, P_MIXTURE]] = np.nan
    notes = []
    for (small_name, small), (large_name, large) in pairwise(models.items()):
        test = likelihood_ratio_test(small, large)
        if test.df == 0 or test.relation.obstacle:
            reason = test.relation.obstacle or f"has as many parameters as {small_name}"
            said = [f"no test, the models are not nested ({large_name} {reason})."]
        else:
            table.loc[large_name, ["Chisq", "Df", P_NAIVE]] = [test.statistic, test.df, test.p]
            table.loc[large_name, P_MIXTURE] = test.p_mixture
            said = test.remarks()
        notes += [f"{large_name} against {small_name}: {remark}" for remark in said]
    if table[P_MIXTURE].isna().all():
        table = table.drop(columns=P_MIXTURE)
    heading = ("Likelihood ratio tests", "Models:", *model_lines(models))
    return ResultTable(heading, table, tuple(notes))
