"""Subscriptions deliver missed and new events in order, without a loss or a duplicate."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing
from typing import Any

import pytest

from tessera_gql.config import Profile
from tessera_gql.executor import core_schema
from tessera_gql.graphql import context
from tessera_gql.graphql.events import decode_cursor
from tessera_gql.graphql.ids import global_id
from tessera_gql.graphql.schema import schema
from tessera_gql.notifications.event_relay import EventRelay
from tessera_gql.policy.access import ANONYMOUS
from tessera_gql.policy.enums import Response
from tessera_gql.policy.event_cursors import encode_cursor
from tessera_gql.server.http import Transport
from tessera_gql.server.operations import stream_replies
from tessera_gql.store.database import Database
from tests.graphql.conftest import Ask, anyone
from tests.world import World, adding, without

STATUS = """
subscription ($proposal: ID, $asset: AssetRef, $team: TeamRef, $after: String) {
  proposalStatusChanged(proposal: $proposal, asset: $asset, team: $team, after: $after) {
    cursor before after event { sequence kind } proposal { id status acknowledgments { nodes { response } } }
  }
}
"""

ASKED = """
subscription ($team: TeamRef, $after: String) {
  acknowledgmentRequested(team: $team, after: $after) {
    cursor team { name } acknowledgment { response because { path } } proposal { asset { fqn } }
    event { occurredAt payload }
  }
}
"""

EVENTS = """
subscription ($filter: EventFilter, $after: String) {
  events(filter: $filter, after: $after) { sequence cursor kind actor entityType entityId asset { fqn } teams { name } }
}
"""

Listen = Callable[..., AsyncGenerator[dict[str, Any]]]


@pytest.fixture
async def listen(database: Database) -> AsyncIterator[Listen]:
    """Subscribe and return the replies as they arrive."""
    async with EventRelay(database, poll_seconds=0.05) as relay:
        transport = Transport(
            schema=core_schema(schema),
            authenticate=anyone,
            open_operation_context=lambda identity: context.Context(
                database, identity, context.Resources(event_relay=relay)
            ),
            profile=Profile.OPEN,
        )

        async def run(query: str, **variables: Any) -> AsyncGenerator[dict[str, Any]]:
            prepared = transport.document_cache.prepare(query, variables)
            async with aclosing(stream_replies(transport, prepared, ANONYMOUS)) as replies:
                async for item in replies:
                    yield item.reply

        yield run


async def take(replies: AsyncGenerator[dict[str, Any]], number: int) -> list[dict[str, Any]]:
    async with asyncio.timeout(15):
        messages = [await anext(replies) for _ in range(number)]
    assert all("errors" not in reply for reply in messages), messages
    return [next(iter(reply["data"].values())) for reply in messages]


async def test_each_change_of_a_status_is_delivered(world: World, listen: Listen) -> None:
    _, proposal = await world.proposed(consumers=2)
    identity = global_id("Proposal", proposal.id)
    async with aclosing(listen(STATUS, proposal=identity, after=encode_cursor(0))) as replies:
        waiting = asyncio.create_task(take(replies, 1))
        await world.answer(proposal, world.consumers[0], Response.BLOCKED)
        (first,) = await waiting
        assert (first["before"], first["after"]) == ("PENDING", "REJECTED")
        assert [node["response"] for node in first["proposal"]["acknowledgments"]["nodes"]] == ["BLOCKED", None]
        await world.answer(proposal, world.consumers[0], Response.APPROVED)
        await world.answer(proposal, world.consumers[1], Response.APPROVED)
        second, third = await take(replies, 2)
    assert (second["before"], second["after"]) == ("REJECTED", "PENDING")
    assert third["after"] == "APPROVED"
    assert third["proposal"]["status"] == "APPROVED"
    assert [node["response"] for node in third["proposal"]["acknowledgments"]["nodes"]] == ["APPROVED", "APPROVED"]


async def test_a_reconnected_subscriber_resumes_after_its_cursor(world: World, listen: Listen) -> None:
    asset, proposal = await world.proposed(consumers=1)
    async with aclosing(listen(EVENTS, after=encode_cursor(0))) as replies:
        first_messages = await take(replies, 3)
    await world.answer(proposal, world.consumers[0], Response.APPROVED)
    await world.publish_proposal(proposal)
    async with aclosing(listen(EVENTS, after=first_messages[-1]["cursor"])) as replies:
        everything = await world.events()
        remaining = await take(replies, len(everything) - 3)
        await world.publish(asset, adding("extra", schema=without("note")))
        (live,) = await take(replies, 1)
    assert [event["sequence"] for event in first_messages + remaining] == [event.sequence for event in everything]
    assert live["kind"] == "CONTRACT_PUBLISHED"
    assert live["asset"] == {"fqn": "analytics.core.orders"}


async def test_a_team_receives_only_its_own_acknowledgment_requests(world: World, listen: Listen) -> None:
    await world.proposed(consumers=2)
    async with aclosing(listen(ASKED, team={"name": "CONSUMER-1"}, after=encode_cursor(0))) as replies:
        (asked,) = await take(replies, 1)
    assert asked["team"] == {"name": "consumer-1"}
    assert asked["acknowledgment"] == {"response": None, "because": [{"path": "note"}]}
    assert asked["proposal"] == {"asset": {"fqn": "analytics.core.orders"}}


async def test_a_change_set_is_one_request_with_and_without_a_team(world: World, listen: Listen) -> None:
    asset = await world.published(consumers=2)
    change_set = await world.change_set("org/repo#1")
    await world.publish(asset, without("note"), change_set_id=change_set.id)
    query = ASKED.replace("cursor team", "changeSet { key } team")
    for arguments, number in (({"team": {"name": "consumer-1"}}, 1), ({}, 2)):
        async with aclosing(listen(query, after=encode_cursor(0), **arguments)) as replies:
            requests = await take(replies, number)
            await world.register(asset, await world.team(f"late {number}"))
            late = (await take(replies, 1))[0] if number == 2 else requests[0]
        assert {item["changeSet"]["key"] for item in (*requests, late)} == {"org/repo#1"}
        assert all(item["acknowledgment"] is None for item in requests)
        assert requests[-1]["team"]["name"].startswith("consumer-")
        assert requests[0]["event"]["payload"]["tables"] == [asset.fqn]


async def test_messages_can_be_filtered_by_asset_or_team(world: World, listen: Listen) -> None:
    asset, proposal = await world.proposed(consumers=1)
    other_asset = await world.asset("shop.core.other", await world.team("other"))
    await world.publish(other_asset)
    await world.register(other_asset, world.consumers[0], "note")
    second = await world.publish(other_asset, without("note"))
    assert second.proposal is not None
    await world.withdraw(second.proposal)
    await world.withdraw(proposal)
    for narrowed in ({"asset": {"fqn": asset.fqn}}, {"team": {"name": "producers"}}):
        async with aclosing(listen(STATUS, after=encode_cursor(0), **narrowed)) as replies:
            (message,) = await take(replies, 1)
        assert message["proposal"]["id"] == global_id("Proposal", proposal.id)


async def test_a_filter_means_the_same_live_as_in_the_list(world: World, listen: Listen, ask: Ask) -> None:
    asset, proposal = await world.proposed(consumers=2)
    team = global_id("Team", world.consumers[0].id)
    filters: list[dict[str, Any]] = [
        {"kind": {"in": ["PROPOSAL_OPENED", "CONTRACT_PUBLISHED"]}},
        {"kind": {"eq": "TEAM_CREATED"}},
        {"asset": {"eq": global_id("Asset", asset.id)}},
        {"proposal": {"in": [global_id("Proposal", proposal.id)]}},
        {"teams": {"has": team}},
        {"teams": {"has": team}, "kind": {"eq": "ACKNOWLEDGMENT_REQUESTED"}},
        {"actor": {"contains": "SYS"}},
        {"occurredAt": {"gte": "2026-01-01T12:00:00Z", "lt": "2026-01-01T12:00:01Z"}},
    ]
    query = "query ($filter: EventFilter) { events(filter: $filter, first: 100) { nodes { sequence } } }"
    for asked in filters:
        listed = [node["sequence"] for node in (await ask(query, filter=asked))["events"]["nodes"]]
        assert listed, asked
        async with aclosing(listen(EVENTS, filter=asked, after=encode_cursor(0))) as replies:
            assert [event["sequence"] for event in await take(replies, len(listed))] == listed


async def test_only_new_events_are_delivered_without_a_cursor(world: World, listen: Listen) -> None:
    await world.team("before")
    async with aclosing(listen(EVENTS)) as replies:
        waiting = asyncio.create_task(take(replies, 1))
        await asyncio.sleep(0.3)
        await world.team("after")
        (message,) = await waiting
    assert message["teams"] == [{"name": "after"}]


@pytest.mark.parametrize("junk", ["junk", "", "ZXZlbnQ6LTE=", "ZXZlbnQ6eA==", "💥"])
async def test_a_junk_cursor_is_a_coded_error(junk: str, listen: Listen) -> None:
    for query in (STATUS, ASKED, EVENTS):
        async with aclosing(listen(query, after=junk)) as replies, asyncio.timeout(10):
            reply = await anext(replies)
        assert reply["errors"][0]["extensions"]["code"] == "INVALID"


async def test_a_subscription_to_a_missing_object_is_refused(listen: Listen) -> None:
    for query, narrowed in (
        (STATUS, {"asset": {"fqn": "no.such"}}),
        (STATUS, {"team": {"name": "nobody"}}),
        (ASKED, {"team": {"name": "nobody"}}),
    ):
        async with aclosing(listen(query, **narrowed)) as replies, asyncio.timeout(10):
            reply = await anext(replies)
        assert reply["errors"][0]["extensions"]["code"] == "NOT_FOUND"


async def test_a_waiting_subscriber_holds_no_database_connection(
    world: World, listen: Listen, database: Database
) -> None:
    await world.proposed(consumers=1)
    crowd = [listen(ASKED, team={"name": "consumer-0"}, after=encode_cursor(0)) for _ in range(30)]
    try:
        for replies in crowd:
            await take(replies, 1)
        async with asyncio.timeout(10), database.read() as session:
            assert session.now is not None
        last = (await world.events())[-1].sequence
        await world.team("still writes")
        crowd.append(listen(EVENTS, after=encode_cursor(last)))
        assert (await take(crowd[-1], 1))[0]["kind"] == "TEAM_CREATED"
    finally:
        for replies in crowd:
            await replies.aclose()


def test_a_cursor_is_the_position_of_its_event() -> None:
    assert decode_cursor(encode_cursor(42)) == 42


async def test_the_list_of_events_shares_its_cursors_with_the_subscriptions(
    world: World, ask: Ask, listen: Listen
) -> None:
    await world.proposed(consumers=1)
    query = """query ($first: Int, $after: String, $last: Int, $before: String, $order: EventOrder) {
      events(first: $first, after: $after, last: $last, before: $before, orderBy: $order) {
        totalCount edges { cursor node { cursor sequence } }
        pageInfo { hasNextPage hasPreviousPage endCursor startCursor }
      }
    }"""
    page = (await ask(query, first=3))["events"]
    assert [edge["cursor"] for edge in page["edges"]] == [edge["node"]["cursor"] for edge in page["edges"]]
    assert page["pageInfo"]["hasNextPage"] is True
    remaining = (await ask(query, after=page["pageInfo"]["endCursor"]))["events"]
    assert remaining["edges"][0]["node"]["sequence"] == 4
    assert remaining["pageInfo"]["hasPreviousPage"] is True
    assert remaining["totalCount"] == page["totalCount"] == 3 + len(remaining["edges"])
    latest = (await ask(query, last=2))["events"]
    assert latest["edges"][-1]["node"]["sequence"] == page["totalCount"]
    assert latest["pageInfo"]["hasPreviousPage"] is True
    newest = (await ask(query, first=2, order={"field": "SEQUENCE", "direction": "DESC"}))["events"]
    assert [edge["node"]["sequence"] for edge in newest["edges"]] == [page["totalCount"], page["totalCount"] - 1]
    older = await ask(
        query, first=1, order={"field": "SEQUENCE", "direction": "DESC"}, after=newest["pageInfo"]["endCursor"]
    )
    assert older["events"]["edges"][0]["node"]["sequence"] == page["totalCount"] - 2
    async with aclosing(listen(EVENTS, after=page["pageInfo"]["endCursor"])) as replies:
        assert (await take(replies, 1))[0]["sequence"] == 4


async def test_an_empty_id_does_not_subscribe_to_everything(listen: Listen) -> None:
    async with aclosing(listen(STATUS, proposal="")) as replies, asyncio.timeout(15):
        reply = await anext(replies)
    assert reply["errors"][0]["extensions"]["code"] == "INVALID"
