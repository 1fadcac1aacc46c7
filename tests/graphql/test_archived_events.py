"""Over the API archived events are missing plainly: a cursor before them is refused with the place to start anew."""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest

from tessera_gql.executor import core_schema
from tessera_gql.graphql import context
from tessera_gql.graphql.schema import schema
from tessera_gql.notifications.event_relay import EventRelay
from tessera_gql.policy.access import ANONYMOUS
from tessera_gql.policy.event_cursors import encode_cursor
from tessera_gql.policy.global_ids import encode_global_id
from tessera_gql.server.http import Transport
from tessera_gql.server.operations import stream_replies
from tests.conftest import FixedClock
from tests.graphql.conftest import Ask, anyone
from tests.graphql.test_asks import format_moment
from tests.workflows.archives import BEFORE, OldLog, old_log

EVENTS = "query($after: String, $before: String) { events(after: $after, before: $before) { nodes { sequence } } }"
OF_ASSETS = """
query($after: String) { assets { nodes {
  events(after: $after) { nodes { sequence } } history(after: $after) { nodes { sequence } }
} } }
"""
LOG = """
{ eventLog { startCursor archivedSequence archivedHash archivedBefore archivedAt lastSequence isIntact } events {
  totalCount
} }
"""
PROPOSAL = """
query($id: ID!) { node(id: $id) { ... on Proposal {
  status informed { name } unasked { totalCount } acknowledgments { totalCount } events { totalCount }
} } }
"""
FIELDS = """
{ assets { nodes {
  fields { nodes { path addedIn { kind changedAt contract { version } } } } history { totalCount }
} } }
"""


@pytest.fixture
async def log(database_url: str, clock: FixedClock, tmp_path: Path) -> AsyncIterator[OldLog]:
    async with old_log(database_url, clock, tmp_path / "archive") as instance:
        yield instance


def sequences(reply: dict[str, Any]) -> list[int]:
    return [node["sequence"] for node in reply["data"]["events"]["nodes"]]


async def test_a_list_after_an_archived_event_is_refused(log: OldLog, answer: Ask) -> None:
    await log.archive()
    start = encode_cursor(log.old)
    for name in ("after", "before"):
        for sequence in (0, 1, log.old - 1):
            reply = await answer(EVENTS, **{name: encode_cursor(sequence)})
            (error,) = reply["errors"]
            assert error["extensions"] == {"code": "CURSOR_EXPIRED", "field": [name], "cursor": start}
            assert start in error["message"]
    assert sequences(await answer(EVENTS, after=start)) == [log.old + 1, log.old + 2]
    assert sequences(await answer(EVENTS, after=encode_cursor(log.old + 1))) == [log.old + 2]
    assert sequences(await answer(EVENTS, before=start)) == []
    assert sequences(await answer(EVENTS)) == [log.old + 1, log.old + 2]
    nested = await answer(OF_ASSETS, after=encode_cursor(1))
    assert {error["extensions"]["code"] for error in nested["errors"]} == {"CURSOR_EXPIRED"}


async def test_before_an_archive_each_cursor_is_good(log: OldLog, answer: Ask) -> None:
    assert sequences(await answer(EVENTS, after=encode_cursor(0))) == [*range(1, log.old + 3)]
    assert sequences(await answer(EVENTS, before=encode_cursor(0))) == []


async def test_the_event_log_says_what_is_archived(log: OldLog, ask: Ask, clock: FixedClock) -> None:
    nothing = {"archivedSequence": 0, "archivedHash": None, "archivedBefore": None, "archivedAt": None}
    assert nothing.items() <= (await ask(LOG))["eventLog"].items()
    end = (await log.world.events())[log.old - 1]
    await log.archive()
    assert await ask(LOG) == {
        "eventLog": {
            "startCursor": encode_cursor(log.old),
            "archivedSequence": log.old,
            "archivedHash": end.hash,
            "archivedBefore": format_moment(BEFORE),
            "archivedAt": format_moment(clock.now),
            "lastSequence": log.old + 2,
            "isIntact": True,
        },
        "events": {"totalCount": 2},
    }


async def test_what_a_proposal_and_the_history_of_fields_say_does_not_rest_on_events(log: OldLog, ask: Ask) -> None:
    variables = {"id": encode_global_id("Proposal", log.proposal.id)}
    before, fields = (await ask(PROPOSAL, **variables))["node"], await ask(FIELDS)
    assert before["informed"] == [{"name": "informed"}]
    await log.archive()
    after = (await ask(PROPOSAL, **variables))["node"]
    assert before.pop("events")["totalCount"] > 0
    assert after.pop("events") == {"totalCount": 0}
    assert after == before
    (asset,) = (await ask(FIELDS))["assets"]["nodes"]
    assert asset["history"] == {"totalCount": 0}
    assert asset["fields"] == fields["assets"]["nodes"][0]["fields"]


async def test_a_subscription_after_an_archived_event_ends_with_the_place_to_start_anew(log: OldLog) -> None:
    await log.archive()
    async with EventRelay(log.database) as relay:
        resources = context.Resources(event_relay=relay)
        transport = Transport(
            schema=core_schema(schema),
            authenticate=anyone,
            open_operation_context=lambda identity: context.Context(log.database, identity, resources),
        )

        async def listen(cursor: str) -> AsyncGenerator[dict[str, Any]]:
            query = "subscription($after: String) { events(after: $after) { sequence } }"
            prepared = transport.document_cache.prepare(query, {"after": cursor})
            async with aclosing(stream_replies(transport, prepared, ANONYMOUS)) as replies:
                async for item in replies:
                    yield item.reply

        (reply,) = [reply async for reply in listen(encode_cursor(2))]
        (error,) = reply["errors"]
        assert error["extensions"] == {"code": "CURSOR_EXPIRED", "field": ["after"], "cursor": encode_cursor(log.old)}
        async with aclosing(listen(error["extensions"]["cursor"])) as replies:
            assert (await anext(replies))["data"]["events"]["sequence"] == log.old + 1
