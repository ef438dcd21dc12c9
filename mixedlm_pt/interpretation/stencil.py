"""Finite differences in a predictor, through whatever the formula computes from it."""

import numpy as np

from mixedlm_pt.errors import ArgumentError
from mixedlm_pt.interpretation.predictors import Predictor

# Steps and weights of the central difference of fourth order: f' = sum w f(x + s h) / h, with the
# error h^4 f''''' / 30.
DERIVATIVE = ((-2.0, 1.0 / 12.0), (-1.0, -2.0 / 3.0), (1.0, 2.0 / 3.0), (2.0, -1.0 / 12.0))
# In units of the range of the data: for eta that moves by 20 over this range both the truncation
# and the rounding error are below 1e-11.
RELATIVE_STEP = 1e-4


def step_of(predictor: Predictor) -> float:
    """Step of the finite difference in a numeric predictor.

    Raises
    ------
    ArgumentError
        For a factor.
    """
    if predictor.values is None:
        raise ArgumentError(
            f"{predictor.name!r} is not numeric, so it has no slope; compare its levels instead."
        )
    return RELATIVE_STEP * float(np.ptp(predictor.values))
