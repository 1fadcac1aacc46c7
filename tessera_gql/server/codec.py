"""JSON codec for requests and replies. Every value that it decodes can also be encoded."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any, cast

import orjson

from tessera_gql.executor import JsonFragment

_DIGITS = bytes(ord("0") if chr(byte).isdigit() and byte < 128 else 0 for byte in range(256))
"""Translation table of digits to 0 and other bytes to NUL, so that a long number is found in linear time."""
_LONG_NUMBER = b"0" * 19
_SHA256 = re.compile("[0-9a-fA-F]{64}")
MAX_CONTAINERS = 200_000
"""Maximum objects and lists in one message, since decoding more would block the event loop."""


class MalformedRequest(Exception):  # noqa: N818 - a refusal, like those of tessera_gql.errors
    """The message is not a valid GraphQL request. The text is for the client."""


@dataclass(frozen=True)
class PersistedQuery:
    """The member `persistedQuery` of `extensions`, by which a client names a document instead of sending it."""

    version: int
    sha256_hash: str


@dataclass(frozen=True)
class RequestParams:
    """The members of a GraphQL request. Of `extensions` only `persistedQuery` is read."""

    query: str
    """The document; empty if the client sends only its hash."""
    variables: dict[str, Any]
    operation_name: str | None
    persisted_query: PersistedQuery | None = None


def decode(text: bytes, subject: str = "The body", *, exact: bool = True) -> Any:
    """Decode JSON: strict UTF-8, no NaN, at most 254 levels. With `exact`, integers of any size stay exact.

    Raises MalformedRequest with `subject` in its message.
    """
    if (containers := text.count(b"[") + text.count(b"{")) > MAX_CONTAINERS:
        raise MalformedRequest(f"{subject} has more than {MAX_CONTAINERS:,} objects and lists. Send less at once.")
    try:
        value = orjson.loads(text)
        if containers > 254:
            orjson.dumps(value)  # fails for deeper values, which a reply could not contain either
        # orjson reads an integer beyond 64 bits as a float
        return json.loads(text) if exact and _LONG_NUMBER in text.translate(_DIGITS) else value
    except (ValueError, TypeError, RecursionError) as error:
        raise MalformedRequest(f"{subject} is not JSON that can be read: {error}. Send one JSON object.") from error


def encode(value: object) -> bytes:
    """Encode JSON, including integers beyond 64 bits and deep values, which orjson does not support."""
    try:
        return orjson.dumps(value, default=_to_fragment)
    except TypeError:
        separators = (",", ":")
        return json.dumps(
            value, ensure_ascii=False, allow_nan=False, separators=separators, default=_decode_fragment
        ).encode()


def _to_fragment(value: object) -> orjson.Fragment:
    """Return a fragment of a reply as text that orjson copies."""
    if isinstance(value, JsonFragment):
        return orjson.Fragment(value.text)
    raise TypeError(f"{type(value).__name__} is not a value of JSON")


def _decode_fragment(value: object) -> Any:
    if isinstance(value, JsonFragment):
        return value.decode()
    raise TypeError(f"{type(value).__name__} is not a value of JSON")


def parse_params(payload: object) -> RequestParams:
    """Validate the members of a GraphQL request. Raises MalformedRequest."""
    if isinstance(payload, list):
        raise MalformedRequest("Batching is off: send one operation per request.")
    if not isinstance(payload, dict):
        raise MalformedRequest('Send a JSON object: {"query": "...", "variables": {...}}.')
    members = cast("dict[str, Any]", payload)
    extensions = _read_member(members, "extensions", dict, "an object")
    persisted_query = _read_persisted_query(extensions or {})
    query = members.get("query")
    if query is None and persisted_query is not None:
        query = ""
    if not isinstance(query, str):
        raise MalformedRequest("`query` must be a string with the GraphQL document.")
    variables = _read_member(members, "variables", dict, "an object")
    operation_name = _read_member(members, "operationName", str, "a string") or None
    return RequestParams(query, variables or {}, operation_name, persisted_query)


def _read_persisted_query(extensions: dict[str, Any]) -> PersistedQuery | None:
    persisted = extensions.get("persistedQuery")
    if persisted is None:
        return None
    match persisted:
        case {"version": int(version), "sha256Hash": str(sha256_hash)} if _SHA256.fullmatch(sha256_hash):
            return PersistedQuery(version, sha256_hash.lower())
        case _:
            example = '{"version": 1, "sha256Hash": "..."}'
            raise MalformedRequest(f"`extensions.persistedQuery` must be {example}, with 64 hexadecimal digits.")


def _read_member(members: dict[str, Any], name: str, type_: type, expected: str) -> Any:
    value = members.get(name)
    if value is not None and not isinstance(value, type_):
        raise MalformedRequest(f"`{name}` must be {expected}, null or absent.")
    return value
