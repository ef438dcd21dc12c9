"""Means over a reference grid, and what they were made of."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from mixedlm_pt._typing import FloatArray, IntArray
from mixedlm_pt.design.levels import level_label
from mixedlm_pt.interpretation.back_transform import BackTransform
from mixedlm_pt.interpretation.estimate_table import EstimateTable
from mixedlm_pt.interpretation.estimates import Estimates
from mixedlm_pt.limits import normal_quantile

LIMITS = ("asymp.LCL", "asymp.UCL")


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class Means(EstimateTable):
    """Estimated means or slopes, one a row; see `emmeans` and `emtrends`.

    Attributes
    ----------
    cells_of : DataFrame, k rows
        Levels of the factors that a row stands for.
    by : tuple of str
        Factors within whose levels comparisons are made.
    estimates : Estimates
        On the link scale, or on the response scale once regridded.
    back : BackTransform or None
        To the response scale; None where there is no further scale.
    type : str
        Scale of the table.
    level : float
        Of the limits.
    """

    cells_of: pd.DataFrame
    by: tuple[str, ...]
    estimates: Estimates
    back: BackTransform | None
    type: str
    level: float

    def by_groups(self) -> list[IntArray]:
        """Positions of the rows of every group of ``by``."""
        if not self.by:
            return [np.arange(len(self.cells_of))]
        codes = self.cells_of.groupby(list(self.by), sort=False).ngroup().to_numpy()
        return [np.flatnonzero(codes == code) for code in range(int(codes.max()) + 1)]

    def level_names(self, rows: IntArray) -> list[str]:
        """What contrasts call some rows; levels that are numbers get the name of their factor."""
        parts = []
        for name in self.cells_of.columns:
            if name in self.by:
                continue
            labels = [level_label(level) for level in self.cells_of[name]]
            prefix = name if all(is_number(label) for label in labels) else ""
            parts.append([f"{prefix}{labels[row]}" for row in rows])
        return [" ".join(words) for words in zip(*parts, strict=True)]


def is_number(label: str) -> bool:
    """Whether a level reads as a number."""
    try:
        float(label)
    except ValueError:
        return False
    return True


def means_table(
    cells: pd.DataFrame,
    estimates: Estimates,
    back: BackTransform | None,
    type: str,
    level: float,
    name: str,
) -> pd.DataFrame:
    """Levels, estimate, SE, df and limits, on the link scale or transformed back."""
    value, se = estimates.estimate, estimates.se
    half = normal_quantile(level) * se
    limits = [value - half, value + half]
    if type == "response" and back is not None:
        value, slope = back.apply(value)
        se = np.abs(slope) * se
        ends = [back.apply(limit)[0] for limit in limits]
        # A decreasing inverse link, as the inverse one, turns the limits around.
        limits = [np.minimum(*ends), np.maximum(*ends)]
    return pd.concat([cells, estimate_columns(name, value, se, limits)], axis=1)


def estimate_columns(
    name: str, value: FloatArray, se: FloatArray, limits: list[FloatArray]
) -> pd.DataFrame:
    """The columns of numbers as emmeans names them; df is infinite, as all tests are normal."""
    return pd.DataFrame(
        {
            name: value,
            "SE": se,
            "df": np.full(len(value), np.inf),
            LIMITS[0]: limits[0],
            LIMITS[1]: limits[1],
        }
    )
