"""A team gets one message for all that a change set asks it: who asks, what of its breaks, why, until when, and how."""

import asyncio
from datetime import timedelta

import pytest

from tessera_gql.notifications import deadlines
from tessera_gql.notifications.message_text import render_text
from tessera_gql.notifications.webhook_worker import create_deliveries
from tessera_gql.policy.enums import Response
from tessera_gql.policy.messages import Pages, TeamMessage, Tone
from tessera_gql.store.assets import AssetRef
from tessera_gql.store.database import Database
from tessera_gql.store.tables import Asset, Team, WebhookDelivery
from tessera_gql.store.teams import TeamRef
from tessera_gql.workflows import assets as asset_verbs
from tessera_gql.workflows import registrations
from tessera_gql.workflows.assets import AssetDetails
from tessera_gql.workflows.publishing import PublishRequest, publish_contract
from tessera_gql.workflows.registrations import RegistrationDetails
from tests.conftest import FixedClock
from tests.notifications.channel_messages import Channel
from tests.world import ORDERS, World, without

KEY = "github.com/acme/shop#17"


async def ask_in_change_set(world: World, *, tables: int, reason: str | None = "Totals move.") -> tuple[Team, Team]:
    """Propose to drop a column of tables in one change set; returns their owner and the team that reads them."""
    shop, finance = await world.team("shop"), await world.team("finance")
    assets = [await world.asset(f"wh.marts.table_{number}", shop) for number in range(tables)]
    for asset in assets:
        await world.publish(asset)
        await world.register(asset, finance, "total")
    change_set = await world.change_set(KEY, title="Drop totals", url="https://github.com/acme/shop/pull/17")
    async with world.database.write() as session:
        for asset in assets:
            request = PublishRequest(schema=without("total"), change_set_id=change_set.id, reason=reason)
            await publish_contract(session, world.actor, AssetRef(id=asset.id), request)
    return shop, finance


async def test_an_ask_says_who_asks_what_breaks_why_until_when_and_how_to_answer(
    world: World, database: Database
) -> None:
    finance = await world.team("finance")
    channel = await Channel.open(database, finance)
    shop = await world.team("shop")
    asset = await world.asset("wh.marts.orders", shop)
    await world.publish(asset)
    await world.register(asset, finance, "total")
    await channel.read()
    change_set = await world.change_set(KEY, title="Drop totals", url="https://github.com/acme/shop/pull/17")
    await world.publish(asset, without("total"), change_set_id=change_set.id, reason="Totals move to invoices.")
    message = await channel.read_one()
    assert message.tone is Tone.ASK
    assert message.title == "shop asks finance about wh.marts.orders"
    assert message.summary == "shop proposes version 2.0.0 of wh.marts.orders in github.com/acme/shop#17 (Drop totals)."
    assert [(item.name, item.details) for item in message.subjects] == [("wh.marts.orders", ("total was removed.",))]
    assert message.reason == "Totals move to invoices."
    assert message.deadline == ("Answer before Sat 31 Jan 2026, 12:00 UTC. Without an answer, the proposal expires.")
    assert [answer.label for answer in message.answers] == ["Approve", "Migrate until a date", "Block, with the reason"]
    assert message.answers[0].command == f"tessera ack --change-set '{KEY}' --team finance --approve"
    assert message.link is not None
    assert message.link.url.startswith("https://data.example.com/tessera/change-sets/")
    assert message.source is not None
    assert message.source.url == "https://github.com/acme/shop/pull/17"


@pytest.mark.long
async def test_five_hundred_tables_in_one_change_set_are_one_message_for_each_team(
    world: World, database: Database
) -> None:
    finance = await world.team("finance")
    own, everyone = await Channel.open(database, finance), await Channel.open(database, None)
    proposer = await ask_from(world, finance, tables=500)
    informed = await Channel.open(database, proposer)
    assert await informed.read() == []
    (delivered,) = [item for item in await own.read() if item.message.tone is Tone.ASK]
    assert delivered.message.title == "shop asks finance about 500 tables"
    assert (delivered.message.subject_count, len(delivered.message.subjects)) == (500, 100)
    assert "and 400 more tables: the link has all" in render_text(delivered.message)
    about_asks = [item for item in await everyone.read() if "PROPOSAL_OPENED" in item.kinds]
    assert len(about_asks) == 1
    assert about_asks[0].message.title == "shop asks finance about 500 tables"


async def ask_from(world: World, reader: Team, *, tables: int) -> Team:
    """Propose to drop a column that a team reads of many tables; each step is one transaction."""
    shop = await world.team("shop")
    change_set = await world.change_set(KEY, title="Drop totals")
    async with world.database.write() as session:
        details = AssetDetails(owner=TeamRef(id=shop.id))
        fqns = [f"wh.marts.table_{number:03}" for number in range(tables)]
        assets = [await asset_verbs.create(session, world.actor, fqn=fqn, details=details) for fqn in fqns]
        for asset in assets:
            ref, fields = AssetRef(id=asset.id), RegistrationDetails(fields=("total",))
            await publish_contract(session, world.actor, ref, PublishRequest(schema=ORDERS))
            await registrations.register(session, world.actor, ref, team=TeamRef(id=reader.id), details=fields)
    async with world.database.write() as session:
        for asset in assets:
            request = PublishRequest(schema=without("total"), change_set_id=change_set.id)
            await publish_contract(session, world.actor, AssetRef(id=asset.id), request)
    return shop


async def test_the_answers_and_the_release_of_a_change_set_are_one_message_each(
    world: World, database: Database
) -> None:
    shop, finance = await ask_in_change_set(world, tables=12)
    channel = await Channel.open(database, shop)
    proposals = [row for asset in await world.rows(Asset) for row in await world.proposals_of(asset)]
    for proposal in proposals:
        await world.answer(proposal, finance, Response.APPROVED)
    (answered,) = await channel.read()
    assert answered.message.title == "finance agreed to the change of 12 tables"
    assert (answered.message.tone, answered.message.subject_count) == (Tone.GOOD, 12)
    await world.publish_change_set(KEY)
    released = [item.message.title for item in await channel.read()]
    assert released == ["New contracts of 12 tables", "finance has 12 new debts"]


async def test_a_block_names_the_team_and_its_notes(world: World, database: Database) -> None:
    shop, finance = await ask_in_change_set(world, tables=1)
    channel = await Channel.open(database, shop)
    (asset,) = await world.rows(Asset)
    (proposal,) = await world.proposals_of(asset)
    await world.answer(proposal, finance, Response.BLOCKED)
    message = await channel.read_one()
    assert (message.tone, message.title) == (Tone.BAD, "finance blocked the change of wh.marts.table_0")
    assert message.subjects[0].details[0] == "finance blocks: not before the migration"
    assert "The proposal is blocked." in message.summary


async def test_time_is_announced_once_for_a_change_set(world: World, database: Database, clock: FixedClock) -> None:
    _, finance = await ask_in_change_set(world, tables=3)
    channel = await Channel.open(database, finance)
    clock.advance(days=27)
    await deadlines.apply_due_deadlines(database)
    message = await channel.read_one()
    assert message.title == "An answer about 3 tables is due in 3 days"
    assert message.deadline is not None
    assert "Without an answer, the proposal expires." in message.deadline
    assert len(message.answers) == 3
    clock.advance(days=4)
    await deadlines.apply_due_deadlines(database)
    ended = [item.message.title for item in await channel.read()]
    assert ended == ["The proposal for 3 tables has expired"]


async def test_a_single_proposal_is_answered_by_the_name_of_its_table(world: World, database: Database) -> None:
    finance = await world.team("finance")
    channel = await Channel.open(database, finance)
    asset = await world.published()
    await world.register(asset, finance, "note")
    await channel.read()
    await world.publish(asset, without("note"))
    (delivered,) = await channel.read()
    assert delivered.kinds == ("ACKNOWLEDGMENT_REQUESTED",), "the opened proposal says no more to an asked team"
    assert delivered.message.answers[0].command == f"tessera ack {asset.fqn} APPROVED --team finance"
    assert delivered.message.reason == "No reason was given."
    assert delivered.message.thread is not None


async def test_without_an_address_of_the_server_a_message_has_the_command(world: World, database: Database) -> None:
    _, finance = await ask_in_change_set(world, tables=1)
    channel = await Channel.open(database, finance)
    (asset,) = await world.rows(Asset)
    await world.publish(asset, without("total", "note"), supersede=True, change_set_id=await change_set_id(world))
    messages = [item.message for item in await channel.read(pages=Pages())]
    assert messages
    assert all(message.link is None and message.command for message in messages)
    assert f"tessera change-set show '{KEY}'" in {message.command for message in messages}


async def change_set_id(world: World) -> object:
    return (await world.change_set(KEY)).id


async def test_events_that_follow_within_a_moment_join_a_delivery_that_no_worker_has_begun(
    world: World, database: Database, clock: FixedClock
) -> None:
    channel = await Channel.open(database, None, kinds=["TEAM_CREATED"])
    wait = timedelta(seconds=5)
    for number in range(3):
        await world.team(f"team-{number}")
        await create_deliveries(database, wait=wait)
        clock.advance(seconds=2)
    (delivery,) = await world.rows(WebhookDelivery)
    first = delivery.sequence or 0
    assert delivery.covered_events == {"TEAM_CREATED": {"count": 3, "sequences": [first, first + 1, first + 2]}}
    assert delivery.due_at - delivery.created_at == timedelta(seconds=9)
    assert (await channel.read_one()).title == "Team created (3 times)"
    await world.team("later")
    await create_deliveries(database, wait=wait)
    assert len(await world.rows(WebhookDelivery)) == 2


async def test_a_stream_of_events_holds_no_message_up(world: World, database: Database, clock: FixedClock) -> None:
    await Channel.open(database, None, kinds=["TEAM_CREATED"])
    for number in range(40):
        await world.team(f"team-{number}")
        await create_deliveries(database, wait=timedelta(seconds=5))
        clock.advance(seconds=4)
    first = min(await world.rows(WebhookDelivery), key=lambda row: row.created_at)
    assert first.due_at - first.created_at == timedelta(seconds=60)


async def test_two_workers_group_the_same_events_once(world: World, database: Database) -> None:
    channel = await Channel.open(database, None, kinds=["TEAM_CREATED"])
    for number in range(20):
        await world.team(f"team-{number}")
    await asyncio.gather(*(create_deliveries(database) for _ in range(4)))
    delivered = await channel.read()
    assert sum(item.event_count for item in delivered) == 20


def test_a_message_names_the_subjects_that_it_leaves_out() -> None:
    message = TeamMessage(Tone.NEUTRAL, "title", "summary", subject_count=3, command="tessera inbox")
    assert "and 3 more tables: `tessera inbox` has all" in render_text(message)
