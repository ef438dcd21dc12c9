"""The formula language of lme4: text in, syntax tree and terms out."""

from mixedlm_pt.formula.algebra import Terms
from mixedlm_pt.formula.bars import Bar, Group
from mixedlm_pt.formula.formula import Formula, parse_formula, parse_random
from mixedlm_pt.formula.nodes import Node, deparse, variables
from mixedlm_pt.formula.parser import parse_expression
from mixedlm_pt.formula.update import update_formula

__all__ = [
    "Bar",
    "Formula",
    "Group",
    "Node",
    "Terms",
    "deparse",
    "parse_expression",
    "parse_formula",
    "parse_random",
    "update_formula",
    "variables",
]
