"""Plots of a fit; each returns its matplotlib figure."""

from mixedlm_pt.plotting.diagnostics_panel import plot, plot_diagnostics
from mixedlm_pt.plotting.dotplot import dotplot
from mixedlm_pt.plotting.effects_plot import plot_effects
from mixedlm_pt.plotting.profile_plot import plot_profile, profile
from mixedlm_pt.plotting.qqmath import qqmath
from mixedlm_pt.plotting.residual_plots import plot_simulated_residuals, simulate_residuals

__all__ = [
    "dotplot",
    "plot",
    "plot_diagnostics",
    "plot_effects",
    "plot_profile",
    "plot_simulated_residuals",
    "profile",
    "qqmath",
    "simulate_residuals",
]
