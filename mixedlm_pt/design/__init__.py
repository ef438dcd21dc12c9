"""Formula and data in, the arrays of a model out."""

from mixedlm_pt.design.build import build_design
from mixedlm_pt.design.fixed_part import without_terms
from mixedlm_pt.design.new_data import new_design, term_positions
from mixedlm_pt.design.response import replace_response
from mixedlm_pt.design.subset import subset
from mixedlm_pt.design.types import (
    Design,
    GroupingFactor,
    NewDesign,
    RandomTerm,
    Response,
    Specification,
)

__all__ = [
    "Design",
    "GroupingFactor",
    "NewDesign",
    "RandomTerm",
    "Response",
    "Specification",
    "build_design",
    "new_design",
    "replace_response",
    "subset",
    "term_positions",
    "without_terms",
]
