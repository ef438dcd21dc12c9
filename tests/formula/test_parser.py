"""Reading formulas: R's precedences, R's deparse, and positions of mistakes."""

import pytest

from mixedlm_pt.errors import FormulaError
from mixedlm_pt.formula import deparse, parse_expression, parse_formula


@pytest.mark.parametrize(
    ("text", "deparsed"),
    [
        # The right column was printed by deparse(quote(...)) of R 4.2.2.
        ("I(x**2)", "I(x^2)"),
        ("-x^2", "-x^2"),
        ("y==2", "y == 2"),
        (
            "log(x+1,base=2)/x-3*y%%2+(a+b)^2:c | z&!q",
            "log(x + 1, base = 2)/x - 3 * y%%2 + (a + b)^2:c | z & !q",
        ),
        ("poly(x,2,raw=True)", "poly(x, 2, raw = TRUE)"),
        ("total.fruits+`my x`", "total.fruits + `my x`"),
        ("a^b^c", "a^b^c"),
        ("a-(b-c)", "a - (b - c)"),
        ("f(x, 'a')", 'f(x, "a")'),
        ("a%in%b:c", "a %in% b:c"),
        ("1e3*x+.5", "1000 * x + 0.5"),
    ],
)
def test_expressions_are_written_as_r_writes_them(text, deparsed):
    assert deparse(parse_expression(text)) == deparsed


@pytest.mark.parametrize("text", ["a - b - c", "a / b / c", "a^b^c", "-a^2", "!a & b", "a + b:c^2"])
def test_deparsed_text_parses_to_the_same_tree(text):
    tree = parse_expression(text)
    assert parse_expression(deparse(tree)) == tree


@pytest.mark.parametrize(
    ("formula", "message", "column"),
    [
        ("y ~ (x", "'\\(' is never closed", 4),
        ("y ~ x + log((z)", "'\\(' is never closed", 11),
        ("y ~ x)", "'\\)' without a matching '\\('", 5),
        ("y ~ x +", "expected a term after '\\+'", 7),
        ("y ~ x + + * z", "expected a term after '\\+'", 10),
        ("y ~ x z", "expected an operator between 'x' and 'z'", 6),
        ("y ~ (1 | )", "expected a grouping factor after '\\|'", 9),
        ("y ~ (1 | g) (1 | h)", "expected an operator between '\\)' and '\\('", 12),
        ("y ~", "expected the predictors after '~'", 3),
        ("", "the formula is empty", 0),
        ("~ x", "a formula cannot start with '~'", 0),
        ("y", "a formula needs a response and a '~'", 1),
        ("y ~ x ~ z", "a formula has one '~'", 2),
        ("y ~ x[1]", "'\\[' cannot be used in a formula", 5),
        ("y ~ d$x", "'\\$' cannot be used in a formula", 5),
        ("y ~ `x", "the quote ` is not closed", 4),
        ("y ~ ``", "empty name between backticks", 4),
        ("y ~ x # note", "unexpected character '#'", 6),
        ("y ~ f(x,)", "expected a term after ','", 8),
        ("y ~ log()", "log\\(\\) needs an argument", 4),
        ("y ~ 1 | g", "'\\|' outside parentheses; write a random-effects term as \\(x \\| g\\)", 6),
        ("y ~ x * (1 | g)", "can only be added or subtracted", 8),
        ("y ~ cs(1 | g)", "cs\\(\\) is not a known covariance structure; write \\(1 \\| g\\)", 4),
        ("y ~ (1 | a + b)", "a \\+ b is not a grouping factor; write one term for each", 9),
        ("y ~ (1 | 3)", "3 is not a grouping factor", 9),
        ("y ~ (0 | g)", "the random-effects term has no effects", 5),
        ("y ~ 2 + x", "2 is not a term; 0 and 1 stand alone", 4),
        ("y ~ x:0", "0 is not a term; 0 and 1 stand alone", 6),
        ("y ~ (a + b)^0.5", "a term's exponent is a positive integer", 12),
        ("y ~ offset(a, b)", "offset\\(\\) takes one argument", 4),
    ],
)
def test_a_mistake_is_marked_by_a_caret_below_it(formula, message, column):
    with pytest.raises(FormulaError, match=message) as caught:
        parse_formula(formula)
    _, line, caret = str(caught.value).split("\n")
    assert line == f"    {formula}"
    assert caret == " " * (4 + column) + "^"


def test_a_formula_over_several_lines_is_shown_on_one():
    with pytest.raises(FormulaError) as caught:
        parse_formula("y ~ x +\n  (1 | g")
    assert "\n    y ~ x +   (1 | g\n              ^" in str(caught.value)
