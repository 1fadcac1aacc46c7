"""Reads the part of ECMA-262 regular expressions that describes regular languages; anything else is `Unsupported`."""

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


class Unsupported(Exception):  # noqa: N818 - not an error: the language is beyond a finite automaton, or the dialects disagree
    """Lookaround, backreferences, word boundaries and the like."""


class Malformed(Exception):  # noqa: N818 - becomes a SchemaError where the pattern's place is known
    """Not a regular expression."""


class Chars(NamedTuple):
    ranges: Ranges


class Sequence(NamedTuple):
    parts: "tuple[Expression, ...]"


class Choice(NamedTuple):
    options: "tuple[Expression, ...]"


class Repeat(NamedTuple):
    part: "Expression"
    least: int
    most: int | None


class Anchor(NamedTuple):
    at_start: bool


Expression: TypeAlias = Chars | Sequence | Choice | Repeat | Anchor


def union(ranges: list[tuple[int, int]]) -> Ranges:
    merged: list[tuple[int, int]] = []
    for low, high in sorted(ranges):
        if merged and low <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(high, merged[-1][1]))
        else:
            merged.append((low, high))
    return tuple(merged)


def complement(ranges: Ranges) -> Ranges:
    found: list[tuple[int, int]] = []
    start = 0
    for low, high in ranges:
        if start < low:
            found.append((start, low - 1))
        start = high + 1
    return (*found, (start, LAST)) if start <= LAST else tuple(found)


CLASSES = {
    "d": DIGIT,
    "D": complement(DIGIT),
    "w": WORD,
    "W": complement(WORD),
    "s": SPACE,
    "S": complement(SPACE),
}


def parse(pattern: str) -> Expression:
    """Raises `Unsupported` or `Malformed`."""
    if len(pattern) > MAX_LENGTH:
        raise Unsupported(pattern[:MAX_LENGTH])
    reader = _Reader(pattern)
    found = reader.choice(0)
    if not reader.done:
        raise Malformed(pattern)
    return found


class _Reader:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0

    @property
    def done(self) -> bool:
        return not self.text[self.at :]

    def peek(self, what: str) -> bool:
        return self.text.startswith(what, self.at)

    def take(self, what: str) -> bool:
        if self.peek(what):
            self.at += len(what)
            return True
        return False

    def next(self) -> str:
        if self.done:
            raise Malformed(self.text)
        self.at += 1
        return self.text[self.at - 1]

    def choice(self, depth: int) -> Expression:
        if depth > 50:
            raise Unsupported(self.text)
        options = [self.sequence(depth)]
        while self.take("|"):
            options.append(self.sequence(depth))
        return options[0] if len(options) == 1 else Choice(tuple(options))

    def sequence(self, depth: int) -> Expression:
        parts: list[Expression] = []
        while not self.done and not self.peek("|") and not self.peek(")"):
            parts.append(self.quantified(self.atom(depth)))
        return parts[0] if len(parts) == 1 else Sequence(tuple(parts))

    def atom(self, depth: int) -> Expression:
        match self.next():
            case "^" | "$" as sign:
                return Anchor(at_start=sign == "^")
            case ".":
                return Chars(complement(LINE_ENDS))
            case "(":
                return self.group(depth)
            case "[":
                return Chars(self.chars())
            case "\\":
                return Chars(self.escape(in_class=False))
            case "*" | "+" | "?":
                raise Malformed(self.text)
            case "{" | "}" | "]":  # literal in some dialects, an error in others
                raise Unsupported(self.text)
            case char:
                return Chars(((ord(char), ord(char)),))

    def group(self, depth: int) -> Expression:
        if self.take("?") and not self.take(":"):
            raise Unsupported(self.text)
        inside = self.choice(depth + 1)
        if not self.take(")"):
            raise Malformed(self.text)
        return inside

    def quantified(self, part: Expression) -> Expression:
        bounds = self.bounds()
        if bounds is None:
            return part
        least, most = bounds
        self.take("?")
        if isinstance(part, Anchor) or self.bounds() is not None:
            raise Unsupported(self.text)
        if most is not None and most < least:
            raise Malformed(self.text)
        if max(least, most or 0) > MAX_REPEAT:
            raise Unsupported(self.text)
        return Repeat(part, least, most)

    def bounds(self) -> tuple[int, int | None] | None:
        for sign, bounds in (("*", (0, None)), ("+", (1, None)), ("?", (0, 1))):
            if self.take(sign):
                return bounds
        if not self.peek("{"):
            return None
        found = BOUNDS.match(self.text, self.at)
        if found is None:
            raise Unsupported(self.text)
        self.at = found.end()
        least, comma, most = found.groups()
        return int(least), (int(most) if most else None) if comma else int(least)

    def escape(self, *, in_class: bool) -> Ranges:
        char = self.next()
        if char in CLASSES:
            return CLASSES[char]
        code = self.code(char, in_class=in_class)
        return ((code, code),)

    def code(self, char: str, *, in_class: bool) -> int:
        if char == "0" and self.text[self.at : self.at + 1].isdecimal():
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
            return self.hexadecimal(2 if char == "x" else 4)
        if char.isalnum():
            raise Unsupported(self.text)
        return ord(char)

    def hexadecimal(self, digits: int) -> int:
        found = self.text[self.at : self.at + digits]
        if len(found) < digits or any(char not in "0123456789abcdefABCDEF" for char in found):
            raise Unsupported(self.text)
        if int(found, 16) in SURROGATES:  # two of them are one character, or none
            raise Unsupported(self.text)
        self.at += digits
        return int(found, 16)

    def chars(self) -> Ranges:
        negated = self.take("^")
        if self.peek("]"):  # empty in ECMA, a literal in Python
            raise Unsupported(self.text)
        ranges: list[tuple[int, int]] = []
        while not self.take("]"):
            left = self.member()
            if self.peek("-") and not self.peek("-]"):
                self.next()
                right = self.member()
                (low, *more), (high, *others) = left, right
                if more or others or low[0] != low[1] or high[0] != high[1]:
                    raise Unsupported(self.text)
                if low > high:
                    raise Malformed(self.text)
                ranges.append((low[0], high[1]))
            else:
                ranges += left
        found = union(ranges)
        return complement(found) if negated else found

    def member(self) -> Ranges:
        char = self.next()
        return self.escape(in_class=True) if char == "\\" else ((ord(char), ord(char)),)
