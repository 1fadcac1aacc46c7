"""Evaluate the expressions of GitHub Actions that workflows of this repository use.

An expression has property accesses, strings, `==`, `!=`, `&&`, `||`, `!` and parentheses; an unknown property is empty.
"""

import re
from collections.abc import Mapping
from typing import Any

Value = str | int | bool | Mapping[str, Any] | None

TOKEN = re.compile(r"\s*('(?:[^']|'')*'|&&|\|\||==|!=|[!()]|[A-Za-z_][\w.-]*)")
EMBEDDED = re.compile(r"\$\{\{(.*?)\}\}", re.DOTALL)


def interpolate(text: str, context: Mapping[str, Any]) -> str:
    """Replace the expressions of a text by their values."""
    return EMBEDDED.sub(lambda match: to_text(evaluate(match[1], context)), text)


def evaluate(expression: str, context: Mapping[str, Any]) -> Value:
    """Return the value of an expression, with or without its `${{ }}`."""
    embedded = EMBEDDED.fullmatch(expression.strip())
    parser = _Parser(_tokenize(embedded[1] if embedded else expression), context)
    value = parser.parse_or()
    if parser.tokens:
        raise ValueError(f"{expression!r} goes on with {parser.tokens[0]!r}")
    return value


def to_text(value: Value) -> str:
    match value:
        case None:
            return ""
        case bool():
            return str(value).lower()
        case _:
            return str(value)


def _tokenize(text: str) -> list[str]:
    tokens: list[str] = []
    position, text = 0, text.rstrip()
    while position < len(text):
        match = TOKEN.match(text, position)
        if match is None:
            raise ValueError(f"{text!r} has no token at {text[position:]!r}")
        tokens.append(match[1])
        position = match.end()
    return tokens


class _Parser:
    """A parser by recursive descent, which evaluates both sides of every operator."""

    def __init__(self, tokens: list[str], context: Mapping[str, Any]) -> None:
        self.tokens = tokens
        self._context = context

    def parse_or(self) -> Value:
        value = self._parse_and()
        while self._accept("||"):
            right = self._parse_and()
            value = value or right
        return value

    def _parse_and(self) -> Value:
        value = self._parse_comparison()
        while self._accept("&&"):
            right = self._parse_comparison()
            value = value and right
        return value

    def _parse_comparison(self) -> Value:
        value = self._parse_operand()
        if self._accept("=="):
            return to_text(value) == to_text(self._parse_operand())
        if self._accept("!="):
            return to_text(value) != to_text(self._parse_operand())
        return value

    def _parse_operand(self) -> Value:
        if self._accept("!"):
            return not self._parse_operand()
        if self._accept("("):
            value = self.parse_or()
            if not self._accept(")"):
                raise ValueError("a parenthesis is not closed")
            return value
        token = self.tokens.pop(0)
        return token[1:-1].replace("''", "'") if token.startswith("'") else self._look_up(token)

    def _look_up(self, path: str) -> Value:
        value: Any = {"true": True, "false": False, **self._context}
        for name in path.split("."):
            value = value.get(name) if isinstance(value, Mapping) else None
        result: Value = value
        return result

    def _accept(self, token: str) -> bool:
        is_next = self.tokens[:1] == [token]
        if is_next:
            del self.tokens[0]
        return is_next
