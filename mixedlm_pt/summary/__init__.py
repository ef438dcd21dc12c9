"""What is printed: variance components and the summary of a fit, as text and as HTML."""

from mixedlm_pt.summary.rendering import fit_html, print_fit
from mixedlm_pt.summary.summary import Summary, summary
from mixedlm_pt.summary.tidy import augment, glance, tidy
from mixedlm_pt.summary.varcorr import VarCorr, VarianceComponents

__all__ = [
    "Summary",
    "VarCorr",
    "VarianceComponents",
    "augment",
    "fit_html",
    "glance",
    "print_fit",
    "summary",
    "tidy",
]
