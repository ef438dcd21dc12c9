"""From text to terms: R's algebra for the fixed part, lme4's for the random part."""

import pytest

from mixedlm_pt.errors import FormulaError
from mixedlm_pt.formula import deparse, parse_formula, parse_random, update_formula


@pytest.mark.parametrize(
    ("right", "intercept", "labels"),
    [
        # attr(terms(f), "term.labels") and "intercept" of R 4.2.2.
        ("a * b * c - a:b", True, ["a", "b", "c", "a:c", "b:c", "a:b:c"]),
        ("(a + b + c)^2", True, ["a", "b", "c", "a:b", "a:c", "b:c"]),
        ("a/b - 1", False, ["a", "a:b"]),
        ("(a + b)/c", True, ["a", "b", "a:b:c"]),
        ("a %in% b + c", True, ["c", "a:b"]),
        ("(b * d) %in% (a * c) + c", True, ["c", "b:a:c", "d:a:c", "b:d:a:c"]),
        ("(a + b) * (c + d)", True, ["a", "b", "c", "d", "a:c", "a:d", "b:c", "b:d"]),
        ("(a * b)^2 - a:b", True, ["a", "b"]),
        ("(a + b + c)^9", True, ["a", "b", "c", "a:b", "a:c", "b:c", "a:b:c"]),
        ("x + b:a:x + a * c - a", True, ["x", "c", "a:c", "x:b:a"]),
        ("a:b:c + a * b", True, ["a", "b", "a:b", "a:b:c"]),
        ("0 + a + 1", True, ["a"]),
        ("(a + b - 1)", False, ["a", "b"]),
        ("a^2 + a:a", True, ["a"]),
        ("-1", False, []),
        ("1", True, []),
        ("a + b - (a + b)", True, []),
        ("I(x**2) + I(x^2)", True, ["I(x^2)"]),
    ],
)
def test_fixed_terms_are_those_of_r(right, intercept, labels):
    fixed = parse_formula(f"y ~ {right}").fixed
    assert fixed.intercept is intercept
    assert list(fixed.labels) == labels


@pytest.mark.parametrize(
    ("bar", "expanded"),
    [
        ("(1 | g)", ["1 | g"]),
        ("(x|g)", ["x | g"]),
        ("(x || g)", ["1 | g", "0 + x | g"]),
        ("(0 + x || g)", ["0 + x | g"]),
        ("(x * f || g)", ["1 | g", "0 + x | g", "0 + f | g", "0 + x:f | g"]),
        ("(1 | a/b)", ["1 | b:a", "1 | a"]),
        ("(x | a/b/c)", ["x | c:(b:a)", "x | b:a", "x | a"]),
        ("(1 | a:b)", ["1 | a:b"]),
        ("(1 | a*b)", ["1 | a", "1 | b", "1 | a:b"]),
        ("(x || a/b)", ["1 | b:a", "0 + x | b:a", "1 | a", "0 + x | a"]),
        ("(1 | (a:b)/c)", ["1 | c:(a:b)", "1 | a:b"]),
        ("(1 | factor(g))", ["1 | factor(g)"]),
        ("((1 | g) + (x | h))", ["1 | g", "x | h"]),
        ("(1 | g) + (x | g) - (1 | g)", ["x | g"]),
        ("(1 | `my g`)", ["1 | my g"]),
    ],
)
def test_bars_expand_as_in_lme4(bar, expanded):
    assert [term.label for term in parse_formula(f"y ~ {bar}").bars] == expanded


def test_parts_of_a_nested_group_run_slowest_first():
    (group,) = (bar.group for bar in parse_formula("y ~ (1 | a/b/c)").bars[:1])
    assert [deparse(part) for part in group.parts] == ["c", "b", "a"]


def test_the_response_is_kept_as_written():
    formula = parse_formula(" cbind(s,  n - s)~x")
    assert formula.response_text == "cbind(s,  n - s)"
    assert deparse(formula.response) == "cbind(s, n - s)"


def test_offsets_are_no_terms():
    formula = parse_formula("y ~ offset(log(e)) + x + offset(z)")
    assert formula.fixed.labels == ("x",)
    assert [deparse(offset) for offset in formula.offsets] == ["log(e)", "z"]


def test_a_bar_inside_a_call_is_a_logical_or():
    assert parse_formula("y ~ I(a | b) + (1 | g)").fixed.labels == ("I(a | b)",)


def test_random_terms_alone():
    assert [bar.label for bar in parse_random("~ (1 | g) + (x || h)")] == [
        "1 | g",
        "1 | h",
        "0 + x | h",
    ]
    assert parse_random("~ 0") == ()
    with pytest.raises(FormulaError, match="x is no random-effects term"):
        parse_random("~ x + (1 | g)")


@pytest.mark.parametrize(
    ("new", "result"),
    [
        (". ~ . + z", "y ~ x + f + z + (1 | g)"),
        ("~ . + z", "y ~ x + f + z + (1 | g)"),
        (". ~ . - x", "y ~ f + (1 | g)"),
        ("log(.) ~ .", "log(y) ~ x + f + (1 | g)"),
        (". ~ . - (1|g) + (x | g)", "y ~ x + f + (x | g)"),
        (". ~ . - 1", "y ~ 0 + x + f + (1 | g)"),
        (". ~ . - x - f", "y ~ 1 + (1 | g)"),
        (". ~ . * z - x:z", "y ~ x + f + z + f:z + (1 | g)"),
        (". ~ . + offset(log(e))", "y ~ x + f + offset(log(e)) + (1 | g)"),
        ("q ~ z", "q ~ z"),
    ],
)
def test_update_replaces_the_dots(new, result):
    if "*" in new:
        with pytest.raises(FormulaError, match="can only be added or subtracted"):
            update_formula("y ~ x + f + (1 | g)", new)
        assert update_formula("y ~ x + f", new) + " + (1 | g)" == result
    else:
        assert update_formula("y ~ x + f + (1 | g)", new) == result


@pytest.mark.parametrize("power", ["0", "-1", "1.5", "n"])
def test_an_exponent_of_terms_is_a_positive_integer(power):
    with pytest.raises(FormulaError, match="exponent is a positive integer"):
        parse_formula(f"y ~ (a + b)^{power}")


def test_what_is_no_text_is_no_formula():
    with pytest.raises(FormulaError, match="a formula is text"):
        parse_formula(["y ~ x"])
