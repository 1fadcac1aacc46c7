"""JSON values and times are read back as they were stored, on both databases."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from tessera_gql.diff import canonical_json
from tessera_gql.policy.enums import Outcome
from tessera_gql.store.database import Database
from tessera_gql.store.engine import from_json, to_json
from tessera_gql.store.tables import Team, new_id, table
from tests.world import World

VALUES: list[Any] = [
    {},
    {"a": [1, 1.5, -0.25, True, False, None, "", []]},
    {"text": 'é \U0001f600 \u2028 " \\ \\u0000 </script>'},
    {"int64": 2**63 - 1, "low": -(2**63), "uint64": 2**64 - 1},
    {"decimal(38)": 10**38 - 1, "odd": 2**70 + 1, "low": -(10**30) - 7},
    {"float": 0.1, "small": 5e-324, "third": 1 / 3, "wide": 123456789.123456789},
    {"int64 as a float": 9.223372036854775807e18, "17 digits": 1.2345678901234568e18, "large": 1.7976931348623157e308},
    {"whole": 1.0, "larger": 1e15, "largest": 1e16, "e23": 1e23},
    {"a": {"b": {"c": {"d": [[[[1]]]]}}}},
]

scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**80), 2**80),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=5),
)
documents = st.dictionaries(
    st.text(max_size=5), st.recursive(scalars, lambda inner: st.lists(inner, max_size=3), max_leaves=5), max_size=4
)


@pytest.mark.parametrize("value", VALUES, ids=lambda value: next(iter(value), "empty"))
async def test_json_is_read_back_unchanged(database: Database, value: dict[str, Any]) -> None:
    team = Team(id=new_id(), name="a", name_key="a", meta=value, row_version=1, created_at=datetime.now(UTC))
    async with database.write() as session:
        await session.insert(team)
    async with database.read() as session:
        stored = await session.value(select(table(Team).c.meta))
    assert canonical_json(stored) == canonical_json(value)


@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(documents)
def test_stored_values_are_read_as_the_same_values(value: dict[str, Any]) -> None:
    try:
        "".join(map(str, _texts(value))).encode()
    except UnicodeEncodeError:
        return
    assert canonical_json(from_json(to_json(value))) == canonical_json(value)


def _texts(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return [text for key, item in value.items() for text in (key, *_texts(item))]
    return [text for item in value for text in _texts(item)] if isinstance(value, list) else [value]


async def test_a_schema_with_large_numbers_published_again_is_unchanged(world: World) -> None:
    limits = {"maximum": 9.223372036854775807e18, "minimum": -(10**38) + 1, "multipleOf": 1e-7}
    schema = {"type": "object", "properties": {"a": {"type": "number", **limits}}}
    asset = await world.published(schema=schema)
    assert (await world.publish(asset, schema)).outcome is Outcome.UNCHANGED
    grown = {**schema, "properties": {**schema["properties"], "b": {"type": "string"}}}
    outcome = await world.publish(asset, grown)
    assert [change.kind for change in outcome.changes] == ["PROPERTY_ADDED"]


@pytest.mark.parametrize("zone", [UTC, timezone(timedelta(hours=-11, minutes=-30)), ZoneInfo("Asia/Tokyo")], ids=str)
async def test_moments_come_back_in_utc_with_their_microseconds(database: Database, zone: Any) -> None:
    moment = datetime(2026, 1, 1, 23, 59, 59, 999_999, tzinfo=zone)
    team = Team(id=new_id(), name="a", name_key="a", meta={}, row_version=1, created_at=moment)
    async with database.write() as session:
        await session.insert(team)
    async with database.read() as session:
        stored = await session.value(select(table(Team).c.created_at))
    assert stored == moment
    assert stored.utcoffset() == timedelta(0)


async def test_an_id_from_a_row_is_stored_in_json_as_text(database: Database, world: World) -> None:
    team = await world.team("shop")
    async with database.write() as session:
        identifier = await session.value(select(table(Team).c.id))
        for sibling in (1, 10**30, 9.2e18, "e1"):
            await session.update(
                Team, table(Team).c.id == team.id, meta={"ids": [{"id": identifier}], "beside": sibling}
            )
            stored = await session.value(select(table(Team).c.meta))
            assert stored == {"ids": [{"id": str(team.id)}], "beside": sibling}
