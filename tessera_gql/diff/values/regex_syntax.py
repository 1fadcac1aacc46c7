"""Parse ECMA-262 regular expressions, restricted to those that describe regular languages."""

import re
from typing import NamedTuple, TypeAlias

Ranges: TypeAlias = tuple[tuple[int, int], ...]
LAST = 0x10FFFF
MAX_REPEAT = 500
MAX_LENGTH = 2_000

DIGIT: Ranges = ((48, 57),)
WORD: Ranges = ((48, 57), (65, 90), (95, 95), (97, 122))
SPACE: Ranges = (
    (9, 13),
    (32, 32),
    (160, 160),
    (0x1680, 0x1680),
    (0x2000, 0x200A),
    (0x2028, 0x2029),
    (0x202F, 0x202F),
    (0x205F, 0x205F),
    (0x3000, 0x3000),
    (0xFEFF, 0xFEFF),
)
BOUNDS = re.compile("{([0-9]+)(,?)([0-9]*)}")
LINE_ENDS: Ranges = ((10, 10), (13, 13), (0x2028, 0x2029))
SURROGATES = range(0xD800, 0xE000)
CONTROL = {"t": 9, "n": 10, "v": 11, "f": 12, "r": 13, "0": 0}


class Unsupported(Exception):  # noqa: N818 - an unsupported pattern is valid input
    """Raised for lookaround, backreferences, word boundaries and syntax that dialects read differently."""


class Malformed(Exception):  # noqa: N818 - callers raise a SchemaError with the pointer of the pattern
    """The regular expression is invalid."""


class Chars(NamedTuple):
    """An expression that matches one character of some ranges."""

    ranges: Ranges


class Sequence(NamedTuple):
    parts: "tuple[Expression, ...]"


class Choice(NamedTuple):
    options: "tuple[Expression, ...]"


class Repeat(NamedTuple):
    """An expression repeated between `minimum` and `maximum` times."""

    part: "Expression"
    minimum: int
    maximum: int | None


class Anchor(NamedTuple):
    """The start or the end of the text."""

    at_start: bool


Expression: TypeAlias = Chars | Sequence | Choice | Repeat | Anchor


def union(ranges: list[tuple[int, int]]) -> Ranges:
    """Merge overlapping and adjacent ranges."""
    merged: list[tuple[int, int]] = []
    for low, high in sorted(ranges):
        if merged and low <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(high, merged[-1][1]))
        else:
            merged.append((low, high))
    return tuple(merged)


def complement(ranges: Ranges) -> Ranges:
    """Return the ranges of all other code points."""
    gaps: list[tuple[int, int]] = []
    start = 0
    for low, high in ranges:
        if start < low:
            gaps.append((start, low - 1))
        start = high + 1
    return (*gaps, (start, LAST)) if start <= LAST else tuple(gaps)


def _choose(options: list[Expression]) -> Expression:
    """Return an expression for one of the options. Single characters become one class: `a|b` is `[ab]`."""
    characters = [option.ranges for option in options if isinstance(option, Chars)]
    if len(options) > 1 and len(characters) == len(options):
        return Chars(union([bounds for ranges in characters for bounds in ranges]))
    return options[0] if len(options) == 1 else Choice(tuple(options))


CLASSES = {"d": DIGIT, "D": complement(DIGIT), "w": WORD, "W": complement(WORD), "s": SPACE, "S": complement(SPACE)}


def parse(pattern: str) -> Expression:
    """Parse a pattern. Raises `Unsupported` or `Malformed`."""
    if len(pattern) > MAX_LENGTH:
        raise Unsupported(pattern[:MAX_LENGTH])
    parser = _Parser(pattern)
    expression = parser.parse_choice(0)
    if not parser.is_at_end:
        raise Malformed(pattern)
    return expression


class _Parser:
    """A recursive descent parser over one pattern."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.position = 0

    @property
    def is_at_end(self) -> bool:
        return self.position >= len(self.text)

    def peek(self, token: str) -> bool:
        return self.text.startswith(token, self.position)

    def take(self, token: str) -> bool:
        if self.peek(token):
            self.position += len(token)
            return True
        return False

    def next(self) -> str:
        if self.is_at_end:
            raise Malformed(self.text)
        self.position += 1
        return self.text[self.position - 1]

    def parse_choice(self, depth: int) -> Expression:
        if depth > 50:
            raise Unsupported(self.text)
        options = [self.parse_sequence(depth)]
        while self.take("|"):
            options.append(self.parse_sequence(depth))
        return _choose(options)

    def parse_sequence(self, depth: int) -> Expression:
        parts: list[Expression] = []
        while not self.is_at_end and not self.peek("|") and not self.peek(")"):
            parts.append(self.parse_quantifier(self.parse_atom(depth)))
        return parts[0] if len(parts) == 1 else Sequence(tuple(parts))

    def parse_atom(self, depth: int) -> Expression:
        match self.next():
            case "^" | "$" as sign:
                return Anchor(at_start=sign == "^")
            case ".":
                return Chars(complement(LINE_ENDS))
            case "(":
                return self.parse_group(depth)
            case "[":
                return Chars(self.parse_class())
            case "\\":
                return Chars(self.parse_escape(in_class=False))
            case "*" | "+" | "?":
                raise Malformed(self.text)
            case "{" | "}" | "]":  # literal in some dialects, an error in others
                raise Unsupported(self.text)
            case char:
                return Chars(((ord(char), ord(char)),))

    def parse_group(self, depth: int) -> Expression:
        if self.take("?") and not self.take(":"):
            raise Unsupported(self.text)
        choice = self.parse_choice(depth + 1)
        if not self.take(")"):
            raise Malformed(self.text)
        return choice

    def parse_quantifier(self, part: Expression) -> Expression:
        bounds = self.parse_bounds()
        if bounds is None:
            return part
        minimum, maximum = bounds
        self.take("?")
        if isinstance(part, Anchor) or self.parse_bounds() is not None:
            raise Unsupported(self.text)
        if maximum is not None and maximum < minimum:
            raise Malformed(self.text)
        if max(minimum, maximum or 0) > MAX_REPEAT:
            raise Unsupported(self.text)
        return Repeat(part, minimum, maximum)

    def parse_bounds(self) -> tuple[int, int | None] | None:
        for sign, bounds in (("*", (0, None)), ("+", (1, None)), ("?", (0, 1))):
            if self.take(sign):
                return bounds
        if not self.peek("{"):
            return None
        match = BOUNDS.match(self.text, self.position)
        if match is None:
            raise Unsupported(self.text)
        self.position = match.end()
        minimum, comma, maximum = match.groups()
        return int(minimum), (int(maximum) if maximum else None) if comma else int(minimum)

    def parse_escape(self, *, in_class: bool) -> Ranges:
        char = self.next()
        if char in CLASSES:
            return CLASSES[char]
        code = self.parse_code(char, in_class=in_class)
        return ((code, code),)

    def parse_code(self, char: str, *, in_class: bool) -> int:
        if char == "0" and self.text[self.position : self.position + 1].isdecimal():
            raise Unsupported(self.text)
        if char in CONTROL:
            return CONTROL[char]
        if char == "b" and in_class:
            return 8
        if char == "c":
            letter = self.next()
            if not (letter.isascii() and letter.isalpha()):
                raise Unsupported(self.text)
            return ord(letter) % 32
        if char in "xu":
            return self.parse_hexadecimal(2 if char == "x" else 4)
        if char.isalnum():
            raise Unsupported(self.text)
        return ord(char)

    def parse_hexadecimal(self, digits: int) -> int:
        code_text = self.text[self.position : self.position + digits]
        if len(code_text) < digits or any(char not in "0123456789abcdefABCDEF" for char in code_text):
            raise Unsupported(self.text)
        if int(code_text, 16) in SURROGATES:  # a pair is one character, a single one is none
            raise Unsupported(self.text)
        self.position += digits
        return int(code_text, 16)

    def parse_class(self) -> Ranges:
        negated = self.take("^")
        if self.peek("]"):  # an empty class in ECMA, a literal in Python
            raise Unsupported(self.text)
        ranges: list[tuple[int, int]] = []
        while not self.take("]"):
            left = self.parse_class_member()
            if self.peek("-") and not self.peek("-]"):
                self.next()
                right = self.parse_class_member()
                (low, *low_tail), (high, *high_tail) = left, right
                if low_tail or high_tail or low[0] != low[1] or high[0] != high[1]:
                    raise Unsupported(self.text)
                if low > high:
                    raise Malformed(self.text)
                ranges.append((low[0], high[1]))
            else:
                ranges += left
        merged = union(ranges)
        return complement(merged) if negated else merged

    def parse_class_member(self) -> Ranges:
        char = self.next()
        return self.parse_escape(in_class=True) if char == "\\" else ((ord(char), ord(char)),)
