"""The visibility rules in SQL agree with those in Python."""

from typing import Any
from uuid import uuid4

import pytest

from tessera_gql.policy.events import Event, TeamUpdated
from tessera_gql.policy.private_events import ApiKeyRevoked
from tessera_gql.policy.visibility import (
    TYPE_AUDIENCES,
    UNRESTRICTED,
    Visibility,
    format_key_actor,
    is_private_type,
    redact_event,
)
from tessera_gql.store import events, pagination, visibility
from tessera_gql.store.database import Database
from tessera_gql.store.pagination import PageRequest
from tests.world import World

OURS, THEIRS = uuid4(), uuid4()
ACTORS = (
    format_key_actor("ci", "tsr_AbCd"),
    format_key_actor("", "tsr_AbCd"),
    format_key_actor("ü (tsr_AbCd)", "tsr_-_%Z"),
    "x (TSR_AbCd)",
    "x (tsr_AbC)",
    "x (tsr_AbCde)",
    "(tsr_AbCd)",
    "oidc:ann",
    ")",
)


def sample_events() -> list[Event]:
    """A public event and private events of both teams and of no team."""
    public = TeamUpdated(team_id=OURS, changed=("name",), audience_team_ids=frozenset({THEIRS}))
    whose = [frozenset({OURS}), frozenset({THEIRS}), frozenset({OURS, THEIRS}), frozenset[Any]()]
    return [public, *(ApiKeyRevoked(api_key_id=uuid4(), name="ci", audience_team_ids=teams) for teams in whose)]


@pytest.mark.parametrize("view", [Visibility(), Visibility(team_id=OURS), Visibility(team_id=THEIRS), UNRESTRICTED])
async def test_the_database_and_the_event_stream_show_the_same_events_and_names(
    world: World, database: Database, view: Visibility
) -> None:
    for actor in ACTORS:
        async with database.write(actor) as session:
            for event in sample_events():
                session.record(event)
    rows = await world.events()
    streamed = [redacted for row in rows if (redacted := redact_event(view, row, events.with_actor)) is not None]
    request = PageRequest("sequence", first=100)
    async with database.read() as session:
        result = await pagination.load_page(session, events.TABLE, request, view)
        number = await pagination.count(session, events.TABLE, request, view)
        by_id = await visibility.load_visible_rows(session, events.TABLE.c.id, [row.id for row in rows], view)
    expected = [(row.sequence, row.actor) for row in streamed]
    assert [(row.sequence, row.actor) for row in result.rows] == expected
    assert sorted((row.sequence, row.actor) for row in by_id) == expected
    assert number == len(expected)
    expected_count = 5 if view.is_unrestricted else 3 if view.team_id else 1
    assert number == expected_count * len(ACTORS)


def test_every_private_type_is_restricted_in_the_database() -> None:
    nouns = {"ApiKey": "api_keys", "Webhook": "webhooks", "WebhookDelivery": "webhook_deliveries", "Event": "events"}
    private = {kind for kind in TYPE_AUDIENCES if is_private_type(kind)}
    assert private == {*nouns, "DeliveryAttempt"}  # which is a part of its delivery
    assert {str(source.name) for source in visibility.VISIBILITY_CONDITIONS} == {*nouns.values()}  # type: ignore[attr-defined] # tables
