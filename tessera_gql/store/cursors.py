"""Cursors: the position of a row in the order of a list, as an opaque text that clients pass back."""

import base64
import binascii
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import orjson

from tessera_gql.errors import Invalid
from tessera_gql.store.sql_functions import encode_position
from tessera_gql.store.tables import UTCDateTime


def encode_cursor(row: Any, order_by: str) -> str:
    """Encode the position just after a row as an opaque cursor."""
    return encode_position(order_by, getattr(row, order_by), row.id)


def decode_cursor(text: str, order_by: str, name: str) -> tuple[Any, UUID]:
    """Return the sort key and the id in a cursor; raise Invalid for one of another order. `name` is its argument."""
    problem = Invalid(
        f"The cursor in `{name}` does not belong to this list and order. Start without it and use the cursors you get.",
        field=(name,),
    )
    try:
        cursor_order, value, identity = orjson.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        position = (value, UUID(identity))
    except (ValueError, TypeError, AttributeError, binascii.Error):
        raise problem from None
    if cursor_order != order_by or not isinstance(value, str | int):
        raise problem
    return position


def to_column_value(column: Any, value: Any, name: str) -> Any:
    """Convert a cursor's value to the column's type; raise Invalid if it does not fit."""
    try:
        if isinstance(column.type, UTCDateTime):
            return datetime.fromisoformat(value).astimezone(UTC)
        if type(value) is column.type.python_type and ("\0" not in value if isinstance(value, str) else value < 2**63):
            return value
    except (ValueError, TypeError, OverflowError):
        pass
    raise Invalid(f"The cursor in `{name}` is damaged. Start without it.", field=(name,))
