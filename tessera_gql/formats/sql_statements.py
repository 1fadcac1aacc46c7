"""Split a SQL file into statements, and leave out what is no SQL: commands of psql, data of COPY, delimiters.

A semicolon within quotes, comments, dollar quotes or the body of a routine ends no statement. The split doesn't need
the grammar of a dialect, so that a statement that can't be parsed leaves the other ones readable.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

_TOKEN_PATTERN = re.compile(
    r"""
    (?P<comment>--[^\n]*+|/\*.*?(?:\*/|\Z))
    |(?P<quoted>[eE]'(?:[^'\\]++|\\.|'')*+'?|'(?:[^']++|'')*+'?|"(?:[^"]++|"")*+"?|`[^`]*+`?
        |\$(?P<tag>[A-Za-z_]*+)\$.*?(?:\$(?P=tag)\$|\Z))
    |(?P<meta>^\\[^\n]*+)
    |(?P<separator>;|^[ \t]*+[gG][oO][ \t]*+$)
    |(?P<word>\w++)
    |[ \t(),.=<>*+\[\]{}:|&!?@%^~]++
    |.
    """,
    re.VERBOSE | re.DOTALL | re.MULTILINE,
)
_ESCAPED_QUOTES = re.compile(r"'(?:[^'\\]++|\\.|'')*+'?", re.DOTALL)
_ESCAPING_DIALECTS = frozenset({"mysql", "bigquery", "databricks", "spark", "hive", "clickhouse", "snowflake"})
_COPY_PATTERN = re.compile(r"\s*copy\b.*\bfrom\s+stdin\b", re.IGNORECASE | re.DOTALL)
_ROUTINE_PATTERN = re.compile(
    r"\s*create\s+(?:or\s+(?:replace|alter)\s+)?(?:definer\s*=\s*\S+\s+)?(?:constraint\s+)?"
    r"(?:function|procedure|proc|trigger|event|package)\b",
    re.IGNORECASE,
)
_DELIMITER_PATTERN = re.compile(r"(?ims)^delimiter[ \t]+(?!;).*?(?:^delimiter[ \t]+;[ \t]*$|\Z)")
_DUMP_HEADERS = {"-- PostgreSQL database dump": "postgres", "-- MySQL dump": "mysql", "-- MariaDB dump": "mysql"}
_HEADER_LENGTH = 2_000


@dataclass(frozen=True, slots=True)
class Statement:
    """The text of a statement without its comments, and the line at which it begins, counted from 1."""

    text: str
    line: int


def detect_dialect(text: str) -> str | None:
    """Return the dialect of a dump by its header, or None."""
    header = text[:_HEADER_LENGTH]
    return next((dialect for line, dialect in _DUMP_HEADERS.items() if line in header), None)


def split_statements(text: str, dialect: str | None = None) -> Iterator[Statement]:
    """Yield the statements of a SQL file in order."""
    text = _DELIMITER_PATTERN.sub(lambda match: _blank(match[0]), text)
    return _Splitter(text, escapes_quotes=dialect in _ESCAPING_DIALECTS).split()


def _blank(text: str) -> str:
    """Return white space with as many lines as the text."""
    return "\n" * text.count("\n") or " "


@dataclass
class _Splitter:
    text: str
    escapes_quotes: bool
    position: int = 0
    line: int = 1
    _parts: list[str] = field(default_factory=list[str])
    _first_line: int = 1
    _is_routine: bool | None = None
    _open_blocks: int = 0
    _last_word: str = ""

    def split(self) -> Iterator[Statement]:
        while match := self._next_token():
            if match.lastgroup == "separator" and (match[0] != ";" or self._open_blocks <= 0):
                yield from self._end_statement()
            elif match.lastgroup == "meta" and not self._parts:
                pass
            else:
                self._add(match)
            self.line += match[0].count("\n")
        yield from self._end_statement()

    def _next_token(self) -> re.Match[str] | None:
        if self.position >= len(self.text):
            return None
        pattern = _TOKEN_PATTERN
        if self.escapes_quotes and self.text[self.position] == "'":
            pattern = _ESCAPED_QUOTES
        match = pattern.match(self.text, self.position)
        self.position = match.end() if match else len(self.text)
        return match

    def _add(self, match: re.Match[str]) -> None:
        token = _blank(match[0]) if match.lastgroup == "comment" else match[0]
        if not self._parts:
            if token.isspace():
                return
            self._first_line = self.line
        self._parts.append(token)
        if match.lastgroup == "word":
            self._count_blocks(token.lower())

    def _count_blocks(self, keyword: str) -> None:
        """Count the blocks of a routine that are open. Outside of one, `begin` is the start of a transaction."""
        if self._is_routine is None and keyword in {"begin", "case"}:
            self._is_routine = _ROUTINE_PATTERN.match("".join(self._parts)) is not None
        if self._is_routine:
            if keyword in {"begin", "case"} and self._last_word != "end":
                self._open_blocks += 1
            elif keyword == "end":
                self._open_blocks -= 1
            elif keyword in {"if", "loop", "while", "repeat", "for"} and self._last_word == "end":
                self._open_blocks += 1
        self._last_word = keyword

    def _end_statement(self) -> Iterator[Statement]:
        text = "".join(self._parts).strip()
        self._parts, self._is_routine, self._open_blocks, self._last_word = [], None, 0, ""
        if text:
            yield Statement(text, self._first_line)
        if _COPY_PATTERN.match(text):
            self._skip_copied_rows()

    def _skip_copied_rows(self) -> None:
        end = self.text.find("\n\\.", self.position)
        end = len(self.text) if end < 0 else end + len("\n\\.")
        self.line += self.text.count("\n", self.position, end)
        self.position = end
