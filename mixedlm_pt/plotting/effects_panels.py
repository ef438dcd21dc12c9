"""The random effects that a plot shows: one panel a term of a group, with sorted levels."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from mixedlm_pt._typing import FloatArray
from mixedlm_pt.arguments import names_of, one_of
from mixedlm_pt.bayes.credible import credible_limits
from mixedlm_pt.bayes.posterior_tables import PosteriorEffects
from mixedlm_pt.errors import ArgumentError
from mixedlm_pt.fit import Fit
from mixedlm_pt.limits import normal_quantile
from mixedlm_pt.prediction import RandomEffects, ranef


@dataclass(frozen=True, eq=False)
class EffectPanel:
    """One effect of all levels of a group, link scale.

    Attributes
    ----------
    group, term : str
    levels : list of str
    mode, lower, upper : arrays, shape (n_levels,)
        Conditional modes or posterior means, and the limits of their intervals.
    """

    group: str
    term: str
    levels: list[str]
    mode: FloatArray
    lower: FloatArray
    upper: FloatArray

    @property
    def excludes_zero(self) -> np.ndarray:
        """Levels whose interval does not contain zero."""
        return (self.lower > 0.0) | (self.upper < 0.0)

    @property
    def title(self) -> str:
        """``(Intercept) | herd``."""
        return f"{self.term} | {self.group}"


def effect_panels(
    effects: Fit | RandomEffects, group: str | Sequence[str] | None, level: float
) -> list[EffectPanel]:
    """The panels of a fit or of its random effects, levels in their own order.

    Raises
    ------
    ArgumentError
        For an unknown group, a level outside (0, 1), or no random effects.
    """
    z = normal_quantile(level)
    modes = ranef(effects) if isinstance(effects, Fit) else effects
    if not isinstance(modes, RandomEffects):
        raise ArgumentError(
            f"a {type(effects).__name__} has no random effects; give a fit or ranef(fit)."
        )
    if not len(modes):
        raise ArgumentError("the model has no random effects to draw.")
    chosen = list(modes) if group is None else names_of("group", group)
    for name in chosen:
        one_of("group", name, modes)
    found = []
    for name in chosen:
        labels = [str(label) for label in modes[name].index]
        for k, term in enumerate(modes[name].columns):
            mode = modes[name][term].to_numpy(np.float64)
            if isinstance(modes, PosteriorEffects):
                lower, upper = credible_limits(modes.draws[name][:, k], level)
            else:
                half = z * np.asarray(modes.se[name][term], np.float64)
                lower, upper = mode - half, mode + half
            found.append(EffectPanel(name, str(term), labels, mode, lower, upper))
    return found


def percent(level: float) -> str:
    """``95 %``."""
    return f"{100.0 * level:.4g} %"


def orders(panels: Sequence[EffectPanel]) -> dict[str, pd.Index]:
    """Order of the levels of every group: by the first of its effects."""
    found: dict[str, pd.Index] = {}
    for panel in panels:
        if panel.group not in found:
            found[panel.group] = pd.Index(np.argsort(panel.mode, kind="stable"))
    return found
