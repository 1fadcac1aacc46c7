"""Examine and compare schemas without holding the event loop: what could take long runs where it can be ended."""

from typing import Any, Protocol, TypeVar

from tessera_gql.diff import SchemaError, weight
from tessera_gql.errors import Invalid
from tessera_gql.policy import publish
from tessera_gql.policy.publish import Judgement, Terms

T = TypeVar("T")


class Compute(Protocol):
    """`Session.compute`, or `Computer.run` of an operation."""

    async def __call__(self, function: Any, *args: Any, key: Any = None, here: Any = None) -> Any: ...


async def examined(compute: Compute, schema: Any) -> str:
    """Return the hash of a schema; raises Invalid if it can't be a contract."""
    if weight(schema) is not None:
        return require_contract(schema)
    try:
        result: str = await compute(publish.examine, schema, key=("examine", Same(schema)))
    except SchemaError as error:
        raise _no_contract(error) from error
    return result


def require_contract(schema: Any) -> str:
    """As `examined`, at once: for small schemas, and where no event loop is held up."""
    try:
        return publish.examine(schema)
    except SchemaError as error:
        raise _no_contract(error) from error


def _no_contract(error: SchemaError) -> Invalid:
    return Invalid(f"The schema can't be a contract: {error}", field=("schema",))


async def judged(compute: Compute, current: Terms | None, offered: Terms) -> Judgement:
    """As `publish.judge`, with refused input as Invalid."""
    if current is None or _is_unchanged(current, offered):
        return publish.judge(current, offered)
    try:
        here = None
        if (values := publish.work(current, offered)) is not None:
            judgement = publish.judge(current, offered)
            if publish.has_light_evidence(judgement, values):
                return judgement
            here = lambda: judgement  # noqa: E731 - one expression
        key = ("judge", _key(current), _key(offered))
        result: Judgement = await compute(publish.judge, current, offered, key=key, here=here)
    except SchemaError as error:
        raise Invalid(f"The schemas can't be compared: {error}", field=(error.side or "schema",)) from error
    return result


def _is_unchanged(current: Terms, offered: Terms) -> bool:
    """Whether the terms are known to be equal. Neither hash is computed here: that may take long."""
    if current.known_hash is None or current.known_hash != offered.known_hash:
        return False
    return all(weight({"default": each.guarantees}) is not None for each in (current, offered)) and (
        current.fingerprint == offered.fingerprint
    )


def _key(terms: Terms) -> tuple[Any, ...]:
    return terms.known_hash or Same(terms.schema), Same(terms.guarantees), terms.mode


class Same:
    """A key for one object: equal to the key of the same object only."""

    def __init__(self, value: object) -> None:
        self.value = value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Same) and other.value is self.value

    def __hash__(self) -> int:
        return id(self.value)
