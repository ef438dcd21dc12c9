"""The catalogue: every area with its cases."""

import inspect

from tests.errors.areas import (
    control,
    data,
    environment,
    families,
    formula,
    interpretation,
    newdata,
    posterior,
    priors,
    verbs,
    weights,
)

_AREAS = (
    formula,
    data,
    weights,
    families,
    control,
    priors,
    newdata,
    verbs,
    interpretation,
    posterior,
)
# Title to cases, in the order of the page.
AREAS = {inspect.getdoc(area).splitlines()[0].removesuffix("."): area.CASES for area in _AREAS}
FAULTS = environment.CASES
