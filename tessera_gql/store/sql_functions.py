"""Functions of SQLite that encode ids and cursors in statements, and the encoding of cursors."""

import base64
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson

from tessera_gql.policy.global_ids import encode_global_id


def encode_position(order_by: str, value: Any, row_id: object) -> str:
    """Encode the position just after a row, by the value of the column of the order and its id, as an opaque cursor."""
    if isinstance(value, datetime):
        value = value.isoformat()
    return base64.urlsafe_b64encode(orjson.dumps([order_by, value, str(row_id)])).decode().rstrip("=")


def _global_id(type_name: str, digits: str | None) -> str | None:
    return None if digits is None else encode_global_id(type_name, UUID(digits))


def _list_cursor(order_by: str, value: Any, digits: str | None) -> str | None:
    return None if digits is None else encode_position(order_by, value, UUID(digits))


def _lower(value: object) -> object:
    """Lower all letters; SQLite's own function knows only A to Z."""
    return value.lower() if isinstance(value, str) else value


def add_functions(connection: Any) -> None:
    """Add the functions to a connection of SQLite."""
    connection.create_function("lower", 1, _lower, deterministic=True)
    connection.create_function("global_id", 2, _global_id, deterministic=True)
    connection.create_function("list_cursor", 3, _list_cursor, deterministic=True)
