"""SQL expressions whose values are JSON text, with the same bytes as the server encodes.

Text is concatenated because that is the fastest way on PostgreSQL: its function for objects takes one and a half times
as long, and nested subqueries four times. A `Piece` is a part of the text that is known, or an expression.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Protocol, TypeAlias, TypeVar

import orjson
import sqlalchemy as sa
from sqlalchemy import ColumnElement, Text, func, literal_column
from sqlalchemy.dialects.postgresql import aggregate_order_by
from sqlalchemy.sql.elements import Grouping

from tessera_gql.store.tables import UTCDateTime

T = TypeVar("T")
Piece: TypeAlias = str | ColumnElement[Any]

GROUP_SIZE = 10
"""Maximum pieces of one concatenation, whose value is copied with each piece; SQLite limits the depth as well."""


def constant(text: str) -> ColumnElement[str]:
    """Return a text as a literal of the statement."""
    return literal_column("'" + text.replace("'", "''") + "'", Text())


def quote(text: str) -> str:
    return orjson.dumps(text).decode()


def label_members(members: Iterable[tuple[str, T]]) -> Iterator[tuple[str, T]]:
    """Yield the members of an object, each with the text before it: a comma unless it is the first, and its name."""
    for index, (name, member) in enumerate(members):
        yield f"{',' if index else ''}{quote(name)}:", member


def concatenate(pieces: Iterable[Piece]) -> ColumnElement[str]:
    """Join pieces of JSON text."""
    merged: list[Piece] = []
    for piece in pieces:
        if isinstance(piece, str) and merged and isinstance(merged[-1], str):
            merged[-1] += piece
        else:
            merged.append(piece)
    parts = [constant(piece) if isinstance(piece, str) else piece for piece in merged]
    if len(parts) == 1:
        return sa.cast(parts[0], Text) if isinstance(merged[0], str) else parts[0]
    while len(parts) > GROUP_SIZE:
        groups = [parts[start : start + GROUP_SIZE] for start in range(0, len(parts), GROUP_SIZE)]
        parts = [Grouping(_chain(group)) if len(group) > 1 else group[0] for group in groups]
    return _chain(parts)


def _chain(parts: Sequence[ColumnElement[Any]]) -> ColumnElement[str]:
    chained = parts[0]
    for part in parts[1:]:
        chained = chained.concat(part)
    return chained


def or_null(value: ColumnElement[Any]) -> ColumnElement[str]:
    """Return the text, or `null` for a missing value."""
    return func.coalesce(value, constant("null"))


def flag(condition: ColumnElement[bool]) -> ColumnElement[str]:
    return sa.case((condition, constant("true")), else_=constant("false"))


class JsonText(Protocol):
    """The expressions in the SQL of one database."""

    def string(self, column: ColumnElement[Any]) -> ColumnElement[str]:
        """Encode a text as a JSON string."""
        ...

    def number(self, value: ColumnElement[Any]) -> ColumnElement[str]: ...

    def boolean(self, column: ColumnElement[Any]) -> ColumnElement[str]: ...

    def time(self, column: ColumnElement[Any], suffix: str) -> ColumnElement[str]:
        """Format a time as ISO 8601, with microseconds if it has any; without quotes."""
        ...

    def global_id(self, type_name: str, column: ColumnElement[Any]) -> ColumnElement[str]:
        """Encode a UUID as a global id; without quotes, as it needs no escapes."""
        ...

    def cursor(self, order_by: str, value: ColumnElement[Any], row_id: ColumnElement[Any]) -> ColumnElement[str]:
        """Encode a position as `store.sql_functions` does; without quotes."""
        ...

    def array(self, item: ColumnElement[Any], order: Sequence[Any], only: Any = None) -> ColumnElement[str]:
        """Join the items of a group with commas; null if there are none."""
        ...


class PostgreSQLText:
    def string(self, column: ColumnElement[Any]) -> ColumnElement[str]:
        return sa.cast(func.to_json(sa.type_coerce(column, Text)), Text)

    def number(self, value: ColumnElement[Any]) -> ColumnElement[str]:
        return sa.cast(value, Text)

    def boolean(self, column: ColumnElement[Any]) -> ColumnElement[str]:
        return sa.cast(column, Text)

    def time(self, column: ColumnElement[Any], suffix: str) -> ColumnElement[str]:
        seconds, microseconds = f'YYYY-MM-DD"T"HH24:MI:SS"{suffix}"', f'YYYY-MM-DD"T"HH24:MI:SS.US"{suffix}"'
        is_whole = column == func.date_trunc(constant("second"), column)
        template = sa.case((is_whole, constant(seconds)), else_=constant(microseconds))
        return func.to_char(column.op("AT TIME ZONE")(constant("UTC")), template)

    def global_id(self, type_name: str, column: ColumnElement[Any]) -> ColumnElement[str]:
        return self._base64(constant(f"{type_name}:").concat(sa.cast(column, Text)))

    def cursor(self, order_by: str, value: ColumnElement[Any], row_id: ColumnElement[Any]) -> ColumnElement[str]:
        is_time = isinstance(value.type, UTCDateTime)
        text = concatenate(['"', self.time(value, "+00:00"), '"']) if is_time else self.string(value)
        position = concatenate([f'["{order_by}",', text, ',"', sa.cast(row_id, Text), '"]'])
        encoded = func.rtrim(self._base64(position), constant("="))
        return func.translate(encoded, literal_column(r"E'+/\n'"), constant("-_"))  # lines end after 76 characters

    def _base64(self, text: ColumnElement[Any]) -> ColumnElement[str]:
        return func.encode(func.convert_to(text, constant("UTF8")), constant("base64"))

    def array(self, item: ColumnElement[Any], order: Sequence[Any], only: Any = None) -> ColumnElement[str]:
        joined = func.string_agg(item, aggregate_order_by(constant(","), *order))
        return joined if only is None else joined.filter(only)


class SQLiteText:
    def string(self, column: ColumnElement[Any]) -> ColumnElement[str]:
        return func.json_quote(sa.type_coerce(column, Text))

    def number(self, value: ColumnElement[Any]) -> ColumnElement[str]:
        return sa.cast(value, Text)

    def boolean(self, column: ColumnElement[Any]) -> ColumnElement[str]:
        return sa.case((column.is_(None), sa.null()), (column, constant("true")), else_=constant("false"))

    def time(self, column: ColumnElement[Any], suffix: str) -> ColumnElement[str]:
        stored = sa.type_coerce(column, Text)  # `2026-01-01 12:00:00.000000`, or without a fraction and with an offset
        fraction = func.substr(stored, 20, 7)
        has_fraction = fraction.like(constant(".%")) & (fraction != constant(".000000"))
        seconds = func.replace(func.substr(stored, 1, 19), constant(" "), constant("T"))
        return concatenate([seconds, sa.case((has_fraction, fraction), else_=constant("")), suffix])

    def global_id(self, type_name: str, column: ColumnElement[Any]) -> ColumnElement[str]:
        return func.global_id(constant(type_name), sa.type_coerce(column, Text))

    def cursor(self, order_by: str, value: ColumnElement[Any], row_id: ColumnElement[Any]) -> ColumnElement[str]:
        text = self.time(value, "+00:00") if isinstance(value.type, UTCDateTime) else sa.type_coerce(value, Text)
        return func.list_cursor(constant(order_by), text, sa.type_coerce(row_id, Text))

    def array(self, item: ColumnElement[Any], order: Sequence[Any], only: Any = None) -> ColumnElement[str]:
        del order  # the rows come in their order, since `group_concat` keeps that of a subquery
        joined = func.group_concat(item, constant(","))
        return joined if only is None else joined.filter(only)


JSON_TEXT: dict[str, JsonText] = {"postgresql": PostgreSQLText(), "sqlite": SQLiteText()}


def leaf(writer: JsonText, column: ColumnElement[Any], *, is_nullable: bool) -> list[Piece]:
    """Encode the value of a column by its type."""
    match column.type:
        case sa.Enum():
            quoted: list[Piece] = ['"', sa.type_coerce(column, Text), '"']
        case UTCDateTime():
            quoted = ['"', writer.time(column, "Z"), '"']
        case sa.Boolean():
            quoted = [writer.boolean(column)]
        case sa.Integer():
            quoted = [writer.number(column)]
        case _:
            quoted = [writer.string(column)]
    return [or_null(concatenate(quoted))] if is_nullable else quoted
