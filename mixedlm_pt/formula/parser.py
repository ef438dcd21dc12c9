"""Reads one expression of the formula language: R's operators with R's precedences."""

from mixedlm_pt.errors import FormulaError
from mixedlm_pt.formula.nodes import (
    PRECEDENCE,
    UNARY_PRECEDENCE,
    Binary,
    Call,
    Logical,
    Name,
    Node,
    Number,
    Paren,
    Text,
    Unary,
)
from mixedlm_pt.formula.tokens import Token, syntax_error, tokenize

# Of parentheses, calls and signs; Python's own limit of recursion is some way above it.
MAX_DEPTH = 100
_LOGICALS = {"TRUE": True, "True": True, "FALSE": False, "False": False}


def parse_expression(text: str) -> Node:
    """The syntax tree of a formula or of one expression, such as a ``weights`` argument.

    Raises
    ------
    FormulaError
        With the text and a caret below the place where reading stopped.
    """
    if not isinstance(text, str):
        raise FormulaError(f"a formula is text such as 'y ~ x + (1 | g)', not {text!r}")
    return _Parser(text).parse()


class _Parser:
    """Precedence climbing over the tokens of one text."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens = list(tokenize(text))
        self.place = 0
        self.open: list[Token] = []
        self.depth = 0

    def parse(self) -> Node:
        node = self.expression(0)
        if self.now.kind != "end":
            raise self.unexpected()
        return node

    @property
    def now(self) -> Token:
        return self.tokens[self.place]

    def advance(self) -> Token:
        token = self.now
        self.place += 1
        return token

    def at(self, operator: str) -> bool:
        return self.now.kind == "operator" and self.now.text == operator

    def error(self, message: str, position: int) -> FormulaError:
        return syntax_error(message, self.text, position)

    def unexpected(self) -> FormulaError:
        token = self.now
        if token.kind == "end" and self.open:
            return self.error("'(' is never closed", self.open[-1].position)
        if token.text == ")" and not self.open:
            return self.error("')' without a matching '('", token.position)
        previous = self.tokens[self.place - 1] if self.place else None
        if previous is not None and previous.kind == "operator" and previous.text != ")":
            return self.error(_expected_after(previous), token.position)
        if token.kind == "end":
            return self.error("the formula is empty", token.position)
        if previous is None:
            hint = "; write the response before it" if token.text == "~" else ""
            return self.error(f"a formula cannot start with {token.text!r}{hint}", token.position)
        hint = "; between response and predictors stands '~'" if token.text == "=" else ""
        return self.error(
            f"expected an operator between {previous.text!r} and {token.text!r}{hint}",
            token.position,
        )

    def expression(self, level: int) -> Node:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise self.error(f"nested more than {MAX_DEPTH} deep", self.now.position)
        left = self.operand()
        while self.now.kind == "operator" and PRECEDENCE.get(self.now.text, -1) >= level:
            token = self.advance()
            binding = PRECEDENCE[token.text]
            right = self.expression(binding if token.text == "^" else binding + 1)
            left = Binary(token.position, token.text, left, right)
        self.depth -= 1
        return left

    def operand(self) -> Node:
        token = self.now
        if token.kind == "operator":
            if token.text in UNARY_PRECEDENCE:
                self.advance()
                return Unary(
                    token.position, token.text, self.expression(UNARY_PRECEDENCE[token.text])
                )
            if token.text == "(":
                self.open.append(self.advance())
                inner = self.expression(0)
                self.close()
                return Paren(token.position, inner)
            raise self.unexpected()
        if token.kind == "end":
            raise self.unexpected()
        self.advance()
        if token.kind == "number":
            return Number(token.position, float(token.text))
        if token.kind == "string":
            return Text(token.position, token.text[1:-1])
        if self.at("("):
            return self.call(token)
        if token.text in _LOGICALS and self.text[token.position] != "`":
            return Logical(token.position, _LOGICALS[token.text])
        return Name(token.position, token.text)

    def call(self, function: Token) -> Call:
        self.open.append(self.advance())
        arguments: list[Node] = []
        keywords: list[tuple[str, Node]] = []
        while not self.at(")"):
            following = self.tokens[min(self.place + 1, len(self.tokens) - 1)]
            if self.now.kind == "name" and following.text == "=":
                key = self.advance().text
                self.advance()
                keywords.append((key, self.expression(0)))
            else:
                arguments.append(self.expression(0))
            if not self.at(","):
                break
            self.advance()
            if self.at(")"):
                raise self.unexpected()
        self.close()
        if not arguments:
            raise self.error(f"{function.text}() needs an argument", function.position)
        return Call(function.position, function.text, tuple(arguments), tuple(keywords))

    def close(self) -> None:
        if not self.at(")"):
            raise self.unexpected()
        self.advance()
        self.open.pop()


def _expected_after(previous: Token) -> str:
    if previous.text in ("|", "||"):
        return f"expected a grouping factor after {previous.text!r}"
    if previous.text == "~":
        return "expected the predictors after '~'; write '~ 1' for an intercept alone"
    return f"expected a term after {previous.text!r}"
