"""Every id that an event shows to a client is a global id, which `node(id:)` accepts."""

import dataclasses
import re
import typing
from collections.abc import Callable
from datetime import datetime
from enum import StrEnum
from types import UnionType
from typing import Any
from uuid import UUID

import orjson
import pytest

from tessera_gql.notifications.webhook_messages import event_to_json
from tessera_gql.policy import event_changes, events
from tessera_gql.policy.global_ids import ENTITY_TYPES, PAYLOAD_TYPES, decode_global_id, encode_global_id
from tessera_gql.store.tables import new_id
from tests.conftest import START
from tests.graphql.conftest import Ask
from tests.world import World

UUID_PATTERN = re.compile("[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
EVENT_TYPES = events.Event.__subclasses__()
OWN_ID_FIELDS = {"sync_id", "policy_id"}
"""Ids of entities that are no objects of the schema: clients get the id of the event."""

SAMPLES: dict[type, Callable[[], Any]] = {
    UUID: new_id,
    str: lambda: "text",
    int: lambda: 3,
    bool: lambda: True,
    datetime: lambda: START,
    dict: lambda: {"owner": {"before": str(new_id()), "after": str(new_id())}, "name": {"before": None, "after": "b"}},
}

EVENTS = """{ events(last: 1) { nodes {
  id kind entityId payload teams { id } asset { id } proposal { id }
} } }"""


def sample_value(annotation: Any) -> Any:
    """A value of the type of a field of an event."""
    kind, options = typing.get_origin(annotation) or annotation, typing.get_args(annotation)
    if kind in {frozenset, tuple}:
        return kind([sample_value(options[0])])
    if kind is UnionType:
        return sample_value(options[0])
    if issubclass(kind, StrEnum):
        return next(iter(kind))
    return SAMPLES[kind]()


def sample_event(event_type: type[events.Event]) -> events.Event:
    hints = typing.get_type_hints(event_type)
    names = [item.name for item in dataclasses.fields(event_type)]
    return event_type(**{name: sample_value(hints[name]) for name in names})


def id_fields(event_type: type[events.Event]) -> set[str]:
    """The payload fields of an event that hold ids."""
    hints = typing.get_type_hints(event_type)
    names = {item.name for item in dataclasses.fields(event_type)} - events.ENVELOPE_FIELDS
    return {name for name in names if "UUID" in str(hints[name])}


@pytest.mark.parametrize("event_type", EVENT_TYPES, ids=lambda event_type: event_type.__name__)
async def test_the_graph_and_webhooks_show_ids_that_node_accepts(
    event_type: type[events.Event], world: World, ask: Ask
) -> None:
    event = sample_event(event_type)
    async with world.database.write() as session:
        session.record(event)
    (node,) = (await ask(EVENTS))["events"]["nodes"]
    row = (await world.events())[-1]
    message = orjson.loads(orjson.dumps(event_to_json(row)))
    assert node["kind"] == event.kind
    assert (message["id"], message["entityId"], message["payload"]) == (node["id"], node["entityId"], node["payload"])
    assert message["teams"] == [encode_global_id("Team", team) for team in sorted(map(str, event.audience_team_ids))]
    assert not UUID_PATTERN.search(str(node) + str(message))
    ids = {name: node["payload"][name] for name in id_fields(event_type)}
    shown_ids = [node["entityId"], message["assetId"], message["proposalId"], *flatten(ids.values())]
    if "changes" in node["payload"] and isinstance(node["payload"]["changes"], dict):
        shown_ids += node["payload"]["changes"]["owner"].values()
    for shown_id in shown_ids:
        assert await ask("query($id: ID!) { node(id: $id) { id } }", id=shown_id) is not None
    for name in ids.keys() - OWN_ID_FIELDS:
        stored = row.payload[name] if isinstance(row.payload[name], list) else [row.payload[name]]
        assert [decode_global_id(item) for item in flatten([ids[name]])] == [
            (PAYLOAD_TYPES[name], UUID(item)) for item in stored
        ]


def flatten(values: typing.Iterable[Any]) -> list[str]:
    return [item for value in values for item in (value if isinstance(value, list) else [value])]


def test_every_id_of_every_event_has_a_type() -> None:
    for event_type in EVENT_TYPES:
        assert id_fields(event_type) <= PAYLOAD_TYPES.keys() | OWN_ID_FIELDS, event_type
        entity = event_type.entity_field.removesuffix("_id")
        assert entity in ENTITY_TYPES or event_type.entity_field in OWN_ID_FIELDS


def test_a_global_id_is_decoded_to_what_was_encoded() -> None:
    row_id = new_id()
    assert decode_global_id(encode_global_id("Asset", row_id)) == ("Asset", row_id)
    assert decode_global_id(str(row_id)) is None


def test_a_long_value_of_an_event_is_cut_and_marked_with_its_length() -> None:
    assert event_changes.shorten("a" * 500) == "a" * 500
    assert event_changes.shorten("a" * 501) == f"{'a' * 500}… (501 characters)"
    assert event_changes.shorten({"a": 1}) == {"a": 1}
    assert event_changes.shorten({"a": "b" * 1_000}).endswith("… (1008 characters)")
    assert event_changes.shorten(list(range(1_000))).startswith("[0,1,2,")
    assert event_changes.shorten(7) == 7
