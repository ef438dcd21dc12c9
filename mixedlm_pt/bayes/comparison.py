"""Maximum likelihood beside the posterior: estimates, uncertainty, and why they differ."""

import textwrap
from dataclasses import dataclass
from html import escape

import numpy as np
import pandas as pd
from scipy.special import ndtri

from mixedlm_pt.bayes.dispersion import Dispersion
from mixedlm_pt.bayes.penalized import penalized_fit
from mixedlm_pt.bayes.posterior import PosteriorResult
from mixedlm_pt.diagnostics.scales import scaled_parameters
from mixedlm_pt.errors import ArgumentError
from mixedlm_pt.fit import Fit
from mixedlm_pt.inference import confint
from mixedlm_pt.summary.description import method
from mixedlm_pt.tables import html_table, number, numbers, text_table

LEVEL = 0.95
Z = float(ndtri(0.5 * (1.0 + LEVEL)))
WIDTH = 100
LEGEND = (
    "Shift: posterior mean minus ML estimate, in standard errors; it is the sum of",
    "  Prior: mode of the marginal posterior minus ML estimate, what the prior does;",
    "  Mean-mode: posterior mean minus that mode, what the posterior's skewness does.",
)


@dataclass(frozen=True, eq=False)
class ComparisonTable:
    """ML estimates beside the posterior, one parameter a row.

    Attributes
    ----------
    table : DataFrame
        Also ``to_frame()``. Columns ``estimate``, ``se``, ``lower``, ``upper`` (ML, Wald limits),
        ``mean``, ``sd``, ``post_lower``, ``post_upper`` (posterior, equal-tailed), ``r_hat``,
        ``ess``, ``mode`` (of the marginal posterior), and in standard errors ``shift``,
        ``shift_prior`` and ``shift_mean``. Standard deviations, correlations and the dispersion are
        on their own scales, coefficients on the link scale.
    formula : str
    method : str
        What ML maximised and how it was approximated.
    sampling : tuple of str
        How the posterior was sampled and whether the chains agree.
    """

    table: pd.DataFrame
    formula: str
    method: str
    sampling: tuple[str, ...]

    def to_frame(self) -> pd.DataFrame:
        """The numbers, unrounded."""
        return self.table.copy()

    def cells(self) -> tuple[list[str], list[list[str]]]:
        """Header and rows, formatted: every row with decimals that suit its standard error."""
        header = ["", "ML", "SE", "95 % Wald", "Mean", "SD", "95 % posterior"]
        header += ["R-hat", "ESS", "Shift", "= Prior", "+ Mean-mode"]
        rows = []
        for name, row in self.table.iterrows():
            ml = numbers(row[["estimate", "se", "lower", "upper"]], 3)
            own = numbers(row[["mean", "sd", "post_lower", "post_upper"]], 3)
            shifts = [number(row[key], 2) for key in ("shift", "shift_prior", "shift_mean")]
            rows.append(
                [
                    *(str(name), ml[0], ml[1], f"{ml[2]} to {ml[3]}"),
                    *(own[0], own[1], f"{own[2]} to {own[3]}"),
                    *(f"{row['r_hat']:.3f}", f"{row['ess']:.0f}", *shifts),
                ]
            )
        return header, rows

    def __str__(self) -> str:
        header, rows = self.cells()
        estimates = text_table(header[:7], [row[:7] for row in rows], left=(0,))
        shifts = text_table(
            ["", *header[9:], *header[7:9]], [[row[0], *row[9:], *row[7:9]] for row in rows], (0,)
        )
        title = f"Maximum likelihood and posterior of {self.formula}"
        lines = [title, textwrap.fill(self.method, WIDTH, subsequent_indent="  "), *self.sampling]
        return "\n".join([*lines, "", estimates, "", shifts, "", *LEGEND])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        title = f"Maximum likelihood and posterior of <code>{escape(self.formula)}</code>"
        lines = "<br>".join(escape(line) for line in (self.method, *self.sampling))
        legend = "<br>".join(escape(line) for line in LEGEND)
        table = html_table(*self.cells(), left=(0,))
        return f"<p><strong>{title}</strong><br>{lines}</p>{table}<p>{legend}</p>"


def compare(fit: Fit, posterior: PosteriorResult) -> ComparisonTable:
    """ML estimates beside the posterior, and what makes them differ.

    The shift from the ML estimate to the posterior mean is split in two. First to the mode of the
    marginal posterior, the maximum of ``log-likelihood + log prior`` over coefficients, standard
    deviations, correlations and dispersion on their own scales, with the random effects integrated
    out as in the fit: that is the prior's work, and zero with flat priors. Then from there to the
    mean: the skewness of the posterior, the price of reporting a mean, and what Laplace's
    approximation misses.

    Parameters
    ----------
    fit : Fit
        Any approximation of the same model; a better one (nAGQ) makes the split more exact.
    posterior : PosteriorResult
        From ``fit.sample()``.

    Returns
    -------
    ComparisonTable

    Raises
    ------
    ArgumentError
        If the posterior is of another model or of other data.
    """
    refuse_other_model(fit, posterior)
    estimates, modes = parameters(fit), parameters(penalized_fit(fit, posterior.priors))
    table = estimates.join(posterior.summary(LEVEL))
    table = pd.DataFrame(
        {
            "estimate": table["estimate"],
            "se": table["se"],
            "lower": table["lower"],
            "upper": table["upper"],
            "mean": table["mean"],
            "sd": table["sd"],
            "post_lower": table["eti95_lb"],
            "post_upper": table["eti95_ub"],
            "r_hat": table["r_hat"],
            "ess": table["ess_bulk"],
            "mode": modes["estimate"],
        }
    )
    table["shift"] = (table["mean"] - table["estimate"]) / table["se"]
    table["shift_prior"] = (table["mode"] - table["estimate"]) / table["se"]
    table["shift_mean"] = (table["mean"] - table["mode"]) / table["se"]
    return ComparisonTable(table, fit.design.formula, method(fit), posterior.diagnosis())


def parameters(fit: Fit) -> pd.DataFrame:
    """Estimates of all parameters, standard errors and Wald limits; rows as in ``confint``.

    The limits are those of ``confint``: normal on the log scale for standard deviations and the
    dispersion, on Fisher's for correlations. Standard errors are on the parameter's own scale.
    """
    scaled, limits = scaled_parameters(fit), confint(fit, level=LEVEL).to_numpy()
    n = len(scaled.names)
    values = scaled.back(scaled.values)
    with np.errstate(divide="ignore", invalid="ignore"):
        ends = np.where(scaled.is_sd[:, None], np.log(limits[:n]), np.arctanh(limits[:n]))
    slope = np.where(scaled.is_sd, values, 1.0 - values**2)
    se = slope * (ends[:, 1] - ends[:, 0]) / (2.0 * Z)
    frame = pd.DataFrame(
        {"estimate": values, "se": se, "lower": limits[:n, 0], "upper": limits[:n, 1]},
        index=pd.Index(scaled.names, dtype="str"),
    )
    dispersion, rows = Dispersion.of(fit.model), {}
    if dispersion is not None:
        value = dispersion.from_phi(fit.phi)
        relative = abs(dispersion.power) * np.sqrt(fit.estimate.covariance[-1, -1])
        ends = value * np.exp(relative * Z * np.array([-1.0, 1.0]))
        rows[dispersion.name] = [value, value * relative, *ends]
    fixed = limits[len(limits) - fit.model.p :]
    for name, estimate, (lower, upper) in zip(fit.design.coef_names, fit.beta, fixed, strict=True):
        rows[name] = [estimate, (upper - lower) / (2.0 * Z), lower, upper]
    rest = pd.DataFrame.from_dict(rows, orient="index", columns=frame.columns)
    return pd.concat([frame, rest]) if n else rest


def refuse_other_model(fit: Fit, posterior: PosteriorResult) -> None:
    """Refuse a posterior that is not of the fit's model and data.

    Raises
    ------
    ArgumentError
    """
    if not isinstance(fit, Fit) or not isinstance(posterior, PosteriorResult):
        raise ArgumentError(
            "compare() takes a fit and its posterior, compare(fit, fit.sample()); it got "
            f"{type(fit).__name__} and {type(posterior).__name__}."
        )
    a, b = fit.design, posterior.fit.design
    differences = [
        ("formulas", a.formula.split() == b.formula.split()),
        ("families", fit.family == posterior.fit.family),
        ("responses", np.array_equal(a.response.y, b.response.y)),
        ("weights", np.array_equal(a.response.weights, b.response.weights)),
        ("predictors", np.array_equal(a.X, b.X) and np.array_equal(a.offset, b.offset)),
    ]
    for what, is_same in differences:
        if not is_same:
            raise ArgumentError(
                f"the fit and the posterior have different {what}; compare(fit, fit.sample()) "
                "compares one model with itself."
            )
