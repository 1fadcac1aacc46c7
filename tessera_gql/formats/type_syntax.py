"""Parse the text of a column type of any warehouse into its name, arguments and nested types."""

import re
from dataclasses import dataclass, replace

ARRAY, STRUCT, MAP = "array", "struct", "map"
MAX_TYPE_LENGTH = 100_000
_MAX_DEPTH = 24
_STRUCT_NAMES = frozenset({"struct", "record", "row", "object", "nested", "tuple"})
_ARRAY_NAMES = frozenset({"array", "list"})
_CONTAINER_NAMES = {**dict.fromkeys(_STRUCT_NAMES, STRUCT), **dict.fromkeys(_ARRAY_NAMES, ARRAY), "map": MAP}
_WRAPPERS = frozenset({"nullable", "lowcardinality"})  # ClickHouse
_SYMBOL_PATTERN = re.compile(r"""\s*(?:("[^"]*"|`[^`]*`|'[^']*'|[\w$.-]+|[<>()\[\],:]))""")
_CLOSING_SYMBOLS = frozenset({"", ",", ">", ")", "]"})
_OPENING_SYMBOLS = frozenset({"<", "(", "["})
_IGNORED_CLAUSES = frozenset({"collate", "comment", "options", "default"})


class TypeSyntaxError(ValueError):
    """The text of a column type can't be parsed."""


@dataclass(frozen=True, slots=True)
class TypeSyntax:
    """A column type as it is spelled."""

    name: str
    """The words in lower case, such as `timestamp with time zone`; `array`, `struct` and `map` for all their names."""
    arguments: tuple[str, ...] = ()
    parts: "tuple[tuple[str | None, TypeSyntax], ...]" = ()
    """The fields of a struct with their names; the element of an array, or the key and the value of a map, without."""
    is_unsigned: bool = False
    is_required: bool = False
    """Whether the type contains `not null`."""


def parse_type_syntax(text: str) -> TypeSyntax:
    """Parse a column type. Raises TypeSyntaxError, also for one that is too long or nested too deeply."""
    cursor = _Cursor(_split_symbols(text))
    syntax = _parse_type(cursor, 0)
    cursor.expect("")
    return syntax


def _split_symbols(text: str) -> list[str]:
    stripped = text.strip()
    if len(stripped) > MAX_TYPE_LENGTH:
        raise TypeSyntaxError
    symbols: list[str] = []
    position = 0
    while position < len(stripped):
        match = _SYMBOL_PATTERN.match(stripped, position)
        if match is None:
            raise TypeSyntaxError
        symbols.append(match[1])
        position = match.end()
    return symbols


@dataclass(slots=True)
class _Cursor:
    """A position in the symbols of a type."""

    symbols: list[str]
    position: int = 0
    array_suffixes: int = 0

    @property
    def next_symbol(self) -> str:
        """The symbol that `take` returns next; empty at the end."""
        return self._symbol_at(self.position)

    @property
    def following_symbol(self) -> str:
        return self._symbol_at(self.position + 1)

    def _symbol_at(self, position: int) -> str:
        return self.symbols[position] if position < len(self.symbols) else ""

    def take(self) -> str:
        symbol = self.next_symbol
        self.position += 1
        return symbol

    def expect(self, *symbols: str) -> None:
        if self.take() not in symbols:
            raise TypeSyntaxError


def _parse_type(cursor: _Cursor, depth: int) -> TypeSyntax:
    """Parse one type up to its `,`, closing symbol or end."""
    if depth > _MAX_DEPTH or cursor.next_symbol in _CLOSING_SYMBOLS | {"["}:
        raise TypeSyntaxError
    name = cursor.next_symbol.lower()
    is_nested = cursor.following_symbol in ("<", "(")
    if name in _WRAPPERS and is_nested:
        syntax = _parse_wrapped(cursor, depth)
    elif name in _CONTAINER_NAMES and is_nested:
        syntax = _parse_container(cursor, depth)
    else:
        syntax = TypeSyntax("")
    return _parse_array_suffix(cursor, _parse_keywords(cursor, syntax))


def _parse_wrapped(cursor: _Cursor, depth: int) -> TypeSyntax:
    cursor.take()
    cursor.take()
    syntax = _parse_type(cursor, depth + 1)
    cursor.expect(">", ")")
    return syntax


def _parse_container(cursor: _Cursor, depth: int) -> TypeSyntax:
    name = _CONTAINER_NAMES[cursor.take().lower()]
    cursor.take()
    parts: list[tuple[str | None, TypeSyntax]] = []
    while not parts or cursor.next_symbol == ",":
        if parts:
            cursor.take()
        field_name = _parse_field_name(cursor) if name == STRUCT else None
        parts.append((field_name, _parse_type(cursor, depth + 1)))
    cursor.expect(">", ")")
    if (name == ARRAY and len(parts) != 1) or (name == MAP and len(parts) != 2):
        raise TypeSyntaxError
    return TypeSyntax(name, parts=tuple(parts))


def _parse_field_name(cursor: _Cursor) -> str | None:
    """Parse the name in `a int64`, `b: string` or `"c d" array<int>`. A field may have none."""
    following = cursor.following_symbol
    if cursor.next_symbol in _CLOSING_SYMBOLS or following in _CLOSING_SYMBOLS | _OPENING_SYMBOLS:
        return None
    name = cursor.take()
    if cursor.next_symbol == ":":
        cursor.take()
    return name.strip('"`')


def _parse_keywords(cursor: _Cursor, syntax: TypeSyntax) -> TypeSyntax:
    """Parse the words and arguments of a plain type, such as `timestamp(6) with time zone`, or after a nested one."""
    keywords: list[str] = []
    arguments: list[str] = []
    while (symbol := cursor.next_symbol) not in _CLOSING_SYMBOLS and symbol != "[":
        cursor.take()
        if symbol == "(" and keywords and not arguments and not syntax.name:
            arguments = _parse_arguments(cursor)
        elif symbol in {*_OPENING_SYMBOLS, ":"}:
            raise TypeSyntaxError
        elif symbol.lower() in _IGNORED_CLAUSES:
            _skip_clause(cursor)
        else:
            keywords.append(symbol.lower())
    is_required = syntax.is_required or keywords[-2:] == ["not", "null"]
    if syntax.name:
        return replace(syntax, is_required=is_required)
    names = [keyword for keyword in keywords if keyword not in {"not", "null", "signed", "unsigned"}]
    name = _CONTAINER_NAMES.get(" ".join(names), " ".join(names))
    return _unfold_array_name(
        TypeSyntax(name, tuple(arguments), is_unsigned="unsigned" in keywords, is_required=is_required)
    )


def _unfold_array_name(syntax: TypeSyntax) -> TypeSyntax:
    """Replace the internal name of an array type in PostgreSQL, such as `_int4`."""
    if not re.fullmatch("_[a-z][a-z0-9]*", syntax.name):
        return syntax
    element = TypeSyntax(syntax.name[1:], syntax.arguments)
    return TypeSyntax(ARRAY, parts=((None, element),), is_required=syntax.is_required)


def _parse_arguments(cursor: _Cursor) -> list[str]:
    arguments: list[str] = []
    while (symbol := cursor.take()) != ")":
        if symbol in _CLOSING_SYMBOLS - {","} or symbol in _OPENING_SYMBOLS:
            raise TypeSyntaxError
        if symbol != ",":
            arguments.append(symbol.lower())
    return arguments


def _skip_clause(cursor: _Cursor) -> None:
    """Skip the word or bracket that follows `collate`, `comment`, `options` or `default`."""
    if cursor.take() == "(":
        while cursor.take() != ")":
            if not cursor.next_symbol:
                raise TypeSyntaxError


def _parse_array_suffix(cursor: _Cursor, syntax: TypeSyntax) -> TypeSyntax:
    """Parse `[]` and `[3]` after a type."""
    is_required = syntax.is_required
    while cursor.next_symbol == "[":
        cursor.array_suffixes += 1
        if cursor.array_suffixes > _MAX_DEPTH:
            raise TypeSyntaxError
        cursor.take()
        length = cursor.take()
        if length != "]":
            cursor.expect("]")
        arguments = () if length == "]" else (length,)
        syntax = TypeSyntax(ARRAY, arguments, ((None, replace(syntax, is_required=False)),), is_required=is_required)
    return syntax
