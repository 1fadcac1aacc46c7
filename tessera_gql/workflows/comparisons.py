"""Validate and compare schemas without blocking the event loop: long work runs in a process that can be killed."""

import hashlib
from typing import Any, Protocol, TypeVar

from tessera_gql.diff import SchemaError, small_schema_size
from tessera_gql.errors import Invalid
from tessera_gql.policy import compatibility
from tessera_gql.policy.compatibility import Judgement, Terms

T = TypeVar("T")


class RunCompute(Protocol):
    """Runs a function in a worker process, like `Session.compute`."""

    async def __call__(self, function: Any, *args: Any, key: Any = None, local_function: Any = None) -> Any: ...


async def validate_schema(compute: RunCompute, schema: Any) -> str:
    """Validate a schema and return its hash; raises Invalid if it can't be a contract."""
    if small_schema_size(schema) is not None:
        return validate_schema_now(schema)
    try:
        result: str = await compute(compatibility.validate_schema, schema, key=("examine", IdentityKey(schema)))
    except SchemaError as error:
        raise _invalid_schema(error) from error
    return result


def validate_schema_now(schema: Any) -> str:
    """Validate a schema at once, for small schemas and where no event loop is blocked; returns its hash."""
    try:
        return compatibility.validate_schema(schema)
    except SchemaError as error:
        raise _invalid_schema(error) from error


def _invalid_schema(error: SchemaError) -> Invalid:
    return Invalid(f"The schema can't be a contract: {error}", field=("schema",))


async def compare_terms(compute: RunCompute, current: Terms | None, proposed: Terms) -> Judgement:
    """Compare terms like `compatibility.judge`; raises Invalid for schemas that can't be compared."""
    if current is None or _is_unchanged(current, proposed):
        return compatibility.judge(current, proposed)
    try:
        known_result = None
        if (values := compatibility.count_values(current, proposed)) is not None:
            judgement = compatibility.judge(current, proposed)
            if compatibility.is_evidence_cheap(judgement, values, current, proposed):
                return judgement
            known_result = lambda: judgement  # noqa: E731 - one expression
        key = ("judge", _key(current), _key(proposed))
        result: Judgement = await compute(compatibility.judge, current, proposed, key=key, local_function=known_result)
    except SchemaError as error:
        raise Invalid(f"The schemas can't be compared: {error}", field=(error.side or "schema",)) from error
    return result


def _is_unchanged(current: Terms, proposed: Terms) -> bool:
    """Whether the terms are known to be equal. No hash is computed here, because that may take long."""
    if current.known_hash is None or current.known_hash != proposed.known_hash:
        return False
    return all(small_schema_size({"default": terms.guarantees}) is not None for terms in (current, proposed)) and (
        current.has_same_terms(proposed)
    )


def _key(terms: Terms) -> tuple[Any, ...]:
    """Return a cache key that the next attempt has as well, although it reads the contract from the database again."""
    schema_key = terms.known_hash or IdentityKey(terms.schema)
    text = compatibility.canonical_bytes([terms.guarantees, terms.known_columns])
    return schema_key, hashlib.blake2b(text, digest_size=16).digest(), terms.mode


class IdentityKey:
    """A cache key that compares an object by identity."""

    def __init__(self, value: object) -> None:
        self.value = value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, IdentityKey) and other.value is self.value

    def __hash__(self) -> int:
        return id(self.value)
