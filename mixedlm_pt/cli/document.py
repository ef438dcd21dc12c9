"""What ``--out`` writes: a fit, and its posterior, as JSON."""

import json
import math
import platform
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from typing import Any

import numpy as np
import pandas as pd

from mixedlm_pt import __version__
from mixedlm_pt.diagnostics import checkConv
from mixedlm_pt.diagnostics.natural_parameters import natural_parameters, natural_standard_errors
from mixedlm_pt.inference import ngrps
from mixedlm_pt.results import GlmerResult
from mixedlm_pt.summary import VarCorr, glance
from mixedlm_pt.summary.description import describe
from mixedlm_pt.summary.summary import coefficient_table

# Of the layout: the first number changes with a key that is removed or means something else, the
# second with one that is added.
SCHEMA = "mixedlm_pt.fit 1.0"
PACKAGES = ("numpy", "pandas", "scipy", "pytensor")
SAMPLING_PACKAGES = ("pymc", "nutpie", "arviz")
RATIO_COLUMNS = {"estimate": "ratio", "conf_low": "ratio_low", "conf_high": "ratio_high"}


def parameter_frame(fit: GlmerResult, limits: pd.DataFrame) -> pd.DataFrame:
    """Estimates of all parameters with their limits.

    Parameters
    ----------
    fit : GlmerResult
    limits : DataFrame
        From `confint`.

    Returns
    -------
    DataFrame
        Rows as in `confint`; columns estimate, std_error, conf_low, conf_high.
    """
    frame = pd.DataFrame(
        {"estimate": natural_parameters(fit), "std_error": natural_standard_errors(fit)}
    )
    frame[["conf_low", "conf_high"]] = limits.reindex(frame.index).to_numpy()[:, :2]
    return frame


def ratio_frame(parameters: pd.DataFrame, p: int) -> pd.DataFrame:
    """The p coefficients and their limits as ``exp``: odds ratios, rate ratios."""
    coefficients = parameters[list(RATIO_COLUMNS)].iloc[len(parameters) - p :]
    ratios = np.exp(coefficients.to_numpy())
    return pd.DataFrame(ratios, coefficients.index, pd.Index(list(RATIO_COLUMNS.values())))


def fit_document(
    fit: GlmerResult, parameters: pd.DataFrame, *, exponentiate: bool = False
) -> dict[str, Any]:
    """A fit as a mapping of what JSON can hold, numbers unrounded.

    Parameters
    ----------
    fit : GlmerResult
    parameters : DataFrame
        From `parameter_frame`.
    exponentiate : bool
        Add the coefficients as ratios.
    """
    words, convergence = describe(fit), checkConv(fit)
    tests = coefficient_table(fit, fit.vcov().to_numpy())[["z value", "Pr(>|z|)"]]
    p = fit.model.p
    coefficients = parameters.iloc[len(parameters) - p :].assign(
        z=tests["z value"], p_value=tests["Pr(>|z|)"]
    )
    if exponentiate:
        coefficients = coefficients.join(ratio_frame(parameters, p))
    return {
        "model": {
            "formula": words.formula,
            "family": fit.family.name,
            "link": fit.family.link.name,
            "method": words.method,
            "nAGQ": fit.approximation.nAGQ,
            "weights": fit.call.arguments["weights"],
            "offset": fit.call.arguments["offset"],
            "priors": words.priors or None,
        },
        "groups": {str(name): int(n) for name, n in ngrps(fit).items()},
        "coefficients": records(coefficients, "term"),
        "random_effects": records(parameters.iloc[: len(parameters) - p], "parameter"),
        "VarCorr": VarCorr(fit).to_frame().to_dict("records"),
        "theta": fit.theta.tolist(),
        "criteria": glance(fit).to_dict("records")[0],
        "convergence": {
            "ok": convergence.ok,
            "problems": convergence.problems,
            "singular": convergence.singular,
            "gain_left": convergence.decrement,
            "optimizer": fit.outcome.optimizer,
            "evaluations": fit.outcome.n_evaluations,
        },
        "dropped_columns": fit.design.dropped,
    }


def posterior_document(posterior: Any, level: float, problems: Sequence[str]) -> dict[str, Any]:
    """A posterior as a mapping of what JSON can hold.

    Parameters
    ----------
    posterior : PosteriorResult
    level : float
        Probability of the equal-tailed limits.
    problems : sequence of str
        From `PosteriorResult.problems`, which takes a while.
    """
    table = posterior.summary(level).to_frame()
    columns = ["mean", "sd", "conf_low", "conf_high", *table.columns[4:]]
    return {
        "sampler": posterior.sampler,
        "target": posterior.target,
        "chains": posterior.n_chains,
        "draws": posterior.n_draws,
        "tune": posterior.tune,
        "priors": str(posterior.prior_summary()),
        "diagnosis": posterior.diagnosis(),
        "ok": not problems,
        "parameters": records(table.set_axis(columns, axis=1), "parameter"),
    }


def versions(has_posterior: bool) -> dict[str, str]:
    """Python and the packages that the numbers depend on."""
    own = {"mixedlm_pt": __version__, "python": platform.python_version()}
    names = PACKAGES + (SAMPLING_PACKAGES if has_posterior else ())
    return own | {name: version(name) for name in names}


def records(frame: pd.DataFrame, name: str) -> list[dict[Any, Any]]:
    """Rows as mappings, the index under a name."""
    rows = frame.to_dict("records")
    return [{name: label} | row for label, row in zip(frame.index, rows, strict=True)]


def to_json(document: Mapping[str, Any]) -> str:
    """JSON that every reader accepts: null for what is missing, undefined or infinite."""
    return json.dumps(plain(document), indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def plain(value: Any) -> Any:
    """A value as JSON's own types."""
    if isinstance(value, Mapping):
        return {str(key): plain(one) for key, one in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [plain(one) for one in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value
