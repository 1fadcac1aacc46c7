"""An upgrade from the release before keeps open proposals and their answers, and allows the mode CONSUMER."""

import hashlib
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from typing import Any

import pytest
import sqlalchemy as sa
from sqlmodel import SQLModel

from tessera_gql.diff import Mode, canonical_json
from tessera_gql.errors import Conflict
from tessera_gql.policy.enums import Outcome, ProposalStatus, Response
from tessera_gql.store import migration
from tessera_gql.store.database import Database
from tessera_gql.store.session import INTEGRITY_ERRORS
from tessera_gql.store.tables import JSON_TYPE, Acknowledgment, Answer, Asset, Contract, Proposal, new_id, table
from tests.conftest import FixedClock
from tests.workflows.test_usage import cover, migrating
from tests.world import ORDERS, World, without

RELEASE_BEFORE = "0006"


@pytest.fixture
async def old_world(bare_url: str) -> AsyncIterator[World]:
    """A world whose rows will be those of the release before: its tables are there once `upgrade` begins."""
    await migration.upgrade(bare_url)
    database = Database(bare_url)
    yield World(database)
    await database.dispose()


def old_fingerprint(change: dict[str, Any]) -> str:
    """The fingerprint that the release before computed: the hash without a version."""
    parts = [change[name] for name in ("kind", "pointer", "path", "before", "after")]
    return hashlib.sha256(canonical_json(parts).encode()).hexdigest()[:16]


async def store_as_before(world: World, proposal: Proposal, *kinds: str) -> None:
    """Store the changes of these kinds (all by default) with the fingerprints of the release before."""
    row = await world.proposal(proposal.id)
    records = [change for change in row.breaking_changes if not kinds or change["kind"] in kinds]
    renamed = {change["fingerprint"]: old_fingerprint(change) for change in records}
    async with world.database.write() as session:
        changes = [{**change, "fingerprint": renamed[change["fingerprint"]]} for change in records]
        await session.update_row(Proposal, row.id, breaking_changes=changes)
    for acknowledgment in await world.acknowledgments(row):
        fingerprints = [renamed[item] for item in acknowledgment.change_fingerprints if item in renamed]
        async with world.database.write() as session:
            await session.update_row(Acknowledgment, acknowledgment.id, change_fingerprints=fingerprints)


async def upgrade(world: World) -> list[str]:
    """Upgrade from the release before to the newest revision; returns what the upgrade reported."""
    messages: list[str] = []
    await migration.downgrade(world.database.url, RELEASE_BEFORE)
    await migration.upgrade(world.database.url, report_progress=messages.append)
    return messages


def without_new_columns(row: Any) -> dict[str, Any]:
    """The values of a row but for those that the release before did not store: its events have the informed teams."""
    new = {"updated_at", "informed_team_ids"}
    return {column.name: getattr(row, column.name) for column in table(Proposal).c if column.name not in new}


async def stored_values(world: World, name: str, column: str) -> list[Any]:
    """The values of one column, whatever other columns the table has at this revision."""
    schema: str | None
    schema, model = name.split(".")
    schema = None if world.database.url.startswith("sqlite") else schema
    values = sa.column(column, JSON_TYPE if column != "compatibility_mode" else sa.Text)
    rows_of_table = sa.select(values).select_from(sa.table(model, sa.column("id"), schema=schema))
    async with world.database.read() as session:
        return [row[0] for row in await session.rows(rows_of_table.order_by(sa.column("id")))]


def assert_kept(acknowledgments: list[Acknowledgment], before: list[Acknowledgment]) -> None:
    """Assert that an upgrade changed nothing but what the release before did not store."""
    assert [item.reads for item in acknowledgments] == [None for _ in before]
    names = [column.name for column in table(Acknowledgment).columns if column.name not in ("reads", "remind_at")]
    stored, expected = ([[getattr(row, name) for name in names] for row in rows] for rows in (acknowledgments, before))
    assert stored == expected


async def test_an_open_proposal_keeps_its_answers_under_new_fingerprints(old_world: World) -> None:
    world = old_world
    asset = await world.published()
    everything, note = await world.team("everything"), await world.team("note")
    await world.register(asset, everything)
    await world.register(asset, note, "note")
    result = await world.publish(asset, without("note", "total"))
    assert result.proposal is not None
    await world.answer(result.proposal, note, Response.APPROVED)
    before, asked = await world.proposal(result.proposal.id), await world.acknowledgments(result.proposal)
    await store_as_before(world, result.proposal)
    assert await upgrade(world) == []
    assert without_new_columns(await world.proposal(before.id)) == without_new_columns(before)
    assert_kept(await world.acknowledgments(before), asked)
    assert [len(item.change_fingerprints) for item in asked] == [2, 1]
    assert all(change["fingerprint"].startswith("2:") for change in before.breaking_changes)
    answered = await world.answer(before, everything, Response.APPROVED)
    assert answered.proposal.status is ProposalStatus.APPROVED
    assert (await world.publish_proposal(before)).contract is not None


async def test_a_proposal_with_a_break_that_nobody_was_asked_about_is_stale_with_its_answers(old_world: World) -> None:
    world = old_world
    asset = await world.published(consumers=1)
    result = await world.publish(asset, without("note"), mode=Mode.NONE)
    assert result.proposal is not None
    await world.answer(result.proposal, world.consumers[0], Response.APPROVED)
    await store_as_before(world, result.proposal, "PROPERTY_REMOVED")
    stored = await world.proposal(result.proposal.id)
    (message,) = await upgrade(world)
    assert message.startswith("1 of 1 open proposals are stale")
    assert without_new_columns(await world.proposal(stored.id)) == without_new_columns(stored)
    with pytest.raises(Conflict, match="stale: an earlier version of Tessera GQL found"):
        await world.publish_proposal(stored)
    newcomer = await world.team("newcomer")
    await world.register(asset, newcomer)
    answers = {item.consumer_team_id: item.response for item in await world.acknowledgments(stored)}
    assert answers == {world.consumers[0].id: Response.APPROVED, newcomer.id: None}
    again = await world.publish(asset, without("note"), mode=Mode.NONE, supersede=True)
    assert again.proposal is not None
    assert (await world.proposal(stored.id)).status is ProposalStatus.SUPERSEDED
    assert await world.asked(again.proposal) == {world.consumers[0].id, newcomer.id}


async def test_a_schema_that_can_no_longer_be_compared_does_not_stop_the_upgrade(old_world: World) -> None:
    world = old_world
    asset, proposal = await world.proposed(consumers=1)
    await store_as_before(world, proposal)
    async with world.database.write() as session:
        await session.update_row(Contract, proposal.base_contract_id, schema_def={"type": "no such type"})
    stored = await world.proposal(proposal.id)
    assert len(await upgrade(world)) == 1
    assert without_new_columns(await world.proposal(proposal.id)) == without_new_columns(stored)
    assert (await world.answer(stored, world.consumers[0], Response.APPROVED)).contract is None
    async with world.database.write() as session:
        await session.update_row(Contract, proposal.base_contract_id, schema_def=ORDERS)
    assert (await world.publish(asset, without("note"), supersede=True)).outcome is Outcome.PROPOSED


async def test_a_proposal_that_has_ended_stays_as_it_was(old_world: World) -> None:
    world = old_world
    _, proposal = await world.proposed(consumers=1)
    await world.withdraw(proposal)
    await store_as_before(world, proposal)
    stored, asked = await world.proposal(proposal.id), await world.acknowledgments(proposal)
    assert await upgrade(world) == []
    assert without_new_columns(await world.proposal(proposal.id)) == without_new_columns(stored)
    assert_kept(await world.acknowledgments(proposal), asked)


async def test_a_downgrade_restores_the_fingerprints_of_before(old_world: World) -> None:
    world = old_world
    _, proposal = await world.proposed(consumers=1)
    await store_as_before(world, proposal)
    columns = (("workflow.proposals", "breaking_changes"), ("workflow.acknowledgments", "change_fingerprints"))
    stored = [await stored_values(world, *column) for column in columns]
    await upgrade(world)
    assert [await stored_values(world, *column) for column in columns] != stored
    await migration.downgrade(world.database.url, RELEASE_BEFORE)
    assert [await stored_values(world, *column) for column in columns] == stored


def copy_values(model: type[SQLModel], row: Any, **values: Any) -> dict[str, Any]:
    """The columns of a row as those of another row with a new id."""
    return {column.name: getattr(row, column.name) for column in table(model).columns} | {"id": new_id(), **values}


async def test_a_long_upgrade_reports_its_progress(old_world: World) -> None:
    world = old_world
    asset, proposal = await world.proposed(consumers=1)
    await store_as_before(world, proposal)
    base, stored = await world.active(asset), await world.proposal(proposal.id)
    names = [f"a.b{number}" for number in range(100)]
    assets = [copy_values(Asset, asset, fqn=name, fqn_key=name) for name in names]
    contracts = [copy_values(Contract, base, asset_id=values["id"]) for values in assets]
    proposals = [
        copy_values(Proposal, stored, asset_id=contract["asset_id"], base_contract_id=contract["id"])
        for contract in contracts
    ]
    async with world.database.write() as session:
        await session.insert_many(Asset, assets)
        await session.insert_many(Contract, contracts)
        await session.insert_many(Proposal, proposals)
    assert await upgrade(world) == ["Compared the terms of 100 of 101 open proposals again."]
    for row in await world.rows(Proposal):
        assert [change["fingerprint"][:2] for change in row.breaking_changes] == ["2:"]


async def test_the_tables_allow_consumer_after_the_upgrade_and_full_takes_its_place_after_a_downgrade(
    old_world: World,
) -> None:
    world = old_world
    asset = await world.published()

    async def set_mode() -> None:
        async with world.database.write() as session:
            assets = table(Asset)
            await session.execute(
                sa.update(assets).where(assets.c.id == asset.id).values(compatibility_mode=Mode.CONSUMER)
            )

    await migration.downgrade(world.database.url, RELEASE_BEFORE)
    with pytest.raises(INTEGRITY_ERRORS):
        await set_mode()
    await migration.upgrade(world.database.url)
    if world.database.url.startswith("sqlite"):
        with closing(sqlite3.connect(world.database.url.removeprefix("sqlite:///"))) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    await set_mode()
    assert (await world.publish(asset, mode=Mode.CONSUMER)).outcome is Outcome.PUBLISHED
    await migration.downgrade(world.database.url, RELEASE_BEFORE)
    assert await stored_values(world, "core.assets", "compatibility_mode") == ["FULL"]
    assert await stored_values(world, "core.contracts", "compatibility_mode") == ["BACKWARD", "FULL"]
    with pytest.raises(INTEGRITY_ERRORS):
        await set_mode()


async def answers_in(world: World) -> list[Answer]:
    async with world.database.read() as session:
        return await session.list(sa.select(table(Answer)), Answer)


async def test_answers_to_changes_that_were_published_since_do_not_outlive_the_upgrade(old_world: World) -> None:
    world = old_world
    asset, first = await world.proposed(consumers=2)
    await world.answer(first, world.consumers[0], Response.APPROVED)
    second = (await world.publish(asset, without("note", "total"), supersede=True)).proposal
    assert second is not None
    for team in world.consumers:
        await world.answer(second, team, Response.APPROVED)
    await world.publish_proposal(second)
    assert await answers_in(world) == []
    await upgrade(world)
    assert await answers_in(world) == []


async def test_a_migration_that_was_proven_is_no_answer_after_the_upgrade(old_world: World) -> None:
    world = old_world
    _, proposal = await world.proposed(consumers=2)
    deadline = (await world.proposal(proposal.id)).expires_at
    for team in world.consumers:
        await world.answer(proposal, team, Response.MIGRATING, deadline)
    await world.unregister((await world.registrations())[0])
    (before,) = await answers_in(world)
    await upgrade(world)
    (after,) = await answers_in(world)
    assert (after.team_id, after.response) == (before.team_id, Response.MIGRATING)


async def test_proofs_of_open_proposals_hold_after_the_upgrade(old_world: World, clock: FixedClock) -> None:
    world = World(Database(old_world.database.url, clock=clock))
    asset, proposal, _ = await migrating(world, clock)
    await cover(world, clock, 16)
    (before,) = await answers_in(world)
    await world.database.dispose()
    await migration.downgrade(world.database.url, "0010")
    await migration.upgrade(world.database.url)
    (after,) = await answers_in(world)
    assert (after.released_at, after.released_by, after.reads) == (before.released_at, before.released_by, before.reads)
    await world.register(asset, await world.team("other"), "total")
    assert await world.asked(proposal) == set()
    await world.database.dispose()
