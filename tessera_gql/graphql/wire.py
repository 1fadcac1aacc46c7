"""What travels: JSON in and out, and the members of a GraphQL request; what is accepted can be written back."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, cast

import orjson

_DIGITS = bytes(ord("0") if chr(byte).isdigit() and byte < 128 else 0 for byte in range(256))
"""Turns every digit to 0 and all else to NUL: a long number is then found without looking at any byte twice."""
_LONG_NUMBER = b"0" * 19
MOST_CONTAINERS = 200_000
"""Objects and lists of one message: decoding more of them would hold up other clients."""


class Malformed(Exception):  # noqa: N818 - a refusal, like those of tessera_gql.errors
    """The message is not a GraphQL request; says what is wrong with it and what to send."""


@dataclass(frozen=True)
class Params:
    """The members of a request. `extensions` is checked and then ignored: we define none."""

    query: str
    variables: dict[str, Any]
    operation_name: str | None


def decode(text: bytes, what: str = "The body", *, exact: bool = True) -> Any:
    """JSON at its door: strict UTF-8, no NaN, at most 254 levels; if `exact`, integers of any size as they are."""
    if (containers := text.count(b"[") + text.count(b"{")) > MOST_CONTAINERS:
        raise Malformed(f"{what} has more than {MOST_CONTAINERS:,} objects and lists. Send less at once.")
    try:
        value = orjson.loads(text)
        if containers > 254:
            orjson.dumps(value)  # refuses deeper values, whose answer could not be written either
        # orjson reads an integer beyond 64 bits as a float
        return json.loads(text) if exact and _LONG_NUMBER in text.translate(_DIGITS) else value
    except (ValueError, TypeError, RecursionError) as error:
        raise Malformed(f"{what} is not JSON that can be read: {error}. Send one JSON object.") from error


def encode(value: object) -> bytes:
    """JSON, integers beyond 64 bits and deep values included, which orjson does not write."""
    try:
        return orjson.dumps(value)
    except TypeError:
        return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()


def params(payload: object) -> Params:
    match payload:
        case dict():
            members = cast("dict[str, Any]", payload)
        case list():
            raise Malformed("Batching is off: send one operation per request.")
        case _:
            raise Malformed('Send a JSON object: {"query": "...", "variables": {...}}.')
    query = members.get("query")
    if not isinstance(query, str):
        raise Malformed("`query` must be a string with the GraphQL document.")
    variables = _member(members, "variables", dict, "an object")
    _member(members, "extensions", dict, "an object")
    return Params(query, variables or {}, _member(members, "operationName", str, "a string") or None)


def _member(members: dict[str, Any], name: str, kind: type, what: str) -> Any:
    value = members.get(name)
    if value is not None and not isinstance(value, kind):
        raise Malformed(f"`{name}` must be {what}, null or absent.")
    return value
