"""Plots of a fit; each returns its matplotlib figure."""

from mixedlm_pt.plotting.comparison_plot import compare, plot_comparison
from mixedlm_pt.plotting.diagnostics_panel import plot, plot_diagnostics
from mixedlm_pt.plotting.dotplot import dotplot
from mixedlm_pt.plotting.effects_plot import plot_effects
from mixedlm_pt.plotting.laplace_plot import check_laplace, plot_laplace
from mixedlm_pt.plotting.posterior_checks_plot import plot_loo_pit, plot_posterior_check
from mixedlm_pt.plotting.posterior_plot import plot_posterior, sample
from mixedlm_pt.plotting.prior_plot import plot_prior_predictive, prior_predictive
from mixedlm_pt.plotting.profile_plot import plot_profile, profile
from mixedlm_pt.plotting.qqmath import qqmath
from mixedlm_pt.plotting.residual_plots import plot_simulated_residuals, simulate_residuals

__all__ = [
    "check_laplace",
    "compare",
    "dotplot",
    "plot",
    "plot_comparison",
    "plot_diagnostics",
    "plot_effects",
    "plot_laplace",
    "plot_loo_pit",
    "plot_posterior",
    "plot_posterior_check",
    "plot_prior_predictive",
    "plot_profile",
    "plot_simulated_residuals",
    "prior_predictive",
    "profile",
    "qqmath",
    "sample",
    "simulate_residuals",
]
