"""A fit as it prints itself."""

import textwrap

from mixedlm_pt.diagnostics import checkConv
from mixedlm_pt.fit import Fit
from mixedlm_pt.inference import fixef, ngrps
from mixedlm_pt.summary.description import describe
from mixedlm_pt.summary.html import summary_html
from mixedlm_pt.summary.summary import criteria, summary
from mixedlm_pt.summary.text import columns_of, counts, criteria_line, heading
from mixedlm_pt.summary.varcorr import VarCorr
from mixedlm_pt.tables import WIDTH


def print_fit(fit: Fit) -> str:
    """A fit in brief, as lme4 prints it; ``summary(fit)`` has standard errors and tests.

    Parameters
    ----------
    fit : Fit

    Returns
    -------
    str
    """
    description, convergence = describe(fit), checkConv(fit)
    lines = [heading(description), criteria_line(criteria(fit), 4)]
    if fit.design.terms:
        lines += ["Random effects:", str(VarCorr(fit)), counts(fit.n_obs, ngrps(fit))]
    lines += ["Fixed effects:", columns_of(fixef(fit))]
    lines.append(textwrap.fill(description.dispersion, WIDTH))
    if description.dropped:
        lines.append(f"Dropped, because other columns determine them: {description.dropped}")
    lines += [textwrap.fill(message, WIDTH) for message in convergence.messages]
    return "\n".join(line for line in lines if line)


def fit_html(fit: Fit) -> str:
    """A fit as HTML: its summary.

    Parameters
    ----------
    fit : Fit

    Returns
    -------
    str
    """
    return summary_html(summary(fit))
