"""The database itself refuses every row and change that breaks an invariant."""

import re
from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import insert, select, text
from sqlmodel import SQLModel

from tessera_gql.errors import Conflict
from tessera_gql.policy.enums import ContractStatus, DependencyType, Evidence, ProposalStatus, RegistrationStatus
from tessera_gql.store.database import Database
from tessera_gql.store.session import INTEGRITY_ERRORS
from tessera_gql.store.tables import (
    Acknowledgment,
    Asset,
    AssetDependency,
    Contract,
    EventRow,
    Proposal,
    Registration,
    Team,
    new_id,
    table,
)
from tests.world import World, without

Row = dict[str, Any]
Edit = Callable[[Row], Row]


async def first(database: Database, model: type[SQLModel]) -> Row:
    async with database.read() as session:
        (row,) = await session.rows(select(table(model)).limit(1)) or [None]
        return {column.key: getattr(row, column.key) for column in table(model).columns} if row else {}


async def insert_copy(database: Database, model: type[SQLModel], row: Row) -> None:
    async with database.write() as session:
        await session.execute(insert(table(model)), [{**row, "id": new_id()}])


FORBIDDEN: list[tuple[str, type[SQLModel], Edit]] = [
    ("a second team of the name", Team, lambda row: row),
    ("a second asset of the fqn", Asset, lambda row: row),
    ("an asset of no team", Asset, lambda row: {**row, "fqn_key": "other", "owner_team_id": UUID(int=1)}),
    ("a second active contract", Contract, lambda row: {**row, "version": "9.0.0"}),
    ("a version twice", Contract, lambda row: {**row, "status": ContractStatus.RETIRED}),
    ("a second live registration", Registration, lambda row: row),
    ("a second one that migrates", Registration, lambda row: {**row, "status": RegistrationStatus.MIGRATING}),
    ("a second open proposal", Proposal, lambda row: row),
    ("a second one that is approved", Proposal, lambda row: {**row, "status": ProposalStatus.APPROVED}),
    ("a second place of a team in a proposal", Acknowledgment, lambda row: row),
    ("a dependency twice", AssetDependency, lambda row: row),
    ("a sequence twice", EventRow, lambda row: row),
]

CHANGES = [
    "UPDATE core.assets SET resource_type = 'THING'",
    "UPDATE core.assets SET compatibility_mode = 'SIDEWAYS'",
    "UPDATE core.assets SET owner_team_id = id",
    "UPDATE core.contracts SET status = 'active'",
    "UPDATE core.contracts SET schema_def = NULL",
    "UPDATE core.asset_dependencies SET dependency_asset_id = dependent_asset_id",
    "UPDATE workflow.registrations SET consumer_asset_id = id",
    "UPDATE workflow.proposals SET resolved_at = proposed_at",
    "UPDATE workflow.proposals SET status = 'WITHDRAWN'",
    "UPDATE workflow.proposals SET status = 'PUBLISHED', resolved_at = proposed_at",
    "UPDATE workflow.proposals SET contract_id = base_contract_id",
    "UPDATE workflow.acknowledgments SET response = 'APPROVED'",
    "UPDATE workflow.acknowledgments SET responded_at = created_at",
    "UPDATE workflow.acknowledgments SET response = 'MIGRATING', responded_at = created_at",
    "UPDATE workflow.acknowledgments SET response = 'PERHAPS', responded_at = created_at",
    "DELETE FROM core.teams",
    "DELETE FROM core.assets",
    "DELETE FROM core.contracts",
    "DELETE FROM workflow.proposals",
]


async def create_rows(world: World) -> None:
    asset, _ = await world.proposed(consumers=1)
    team = await world.team("other")
    second = await world.asset("analytics.core.other", team)
    edge = AssetDependency(
        id=new_id(),
        dependent_asset_id=second.id,
        dependency_asset_id=asset.id,
        dependency_type=DependencyType.CONSUMES,
        evidence=Evidence.DECLARED,
        created_at=asset.created_at,
    )
    async with world.database.write() as session:
        await session.insert(edge)


async def test_each_forbidden_row_is_refused(world: World, database: Database) -> None:
    await create_rows(world)
    for description, model, edit in FORBIDDEN:
        row = {**edit(await first(database, model)), "id": new_id()}
        async with database.write(dry_run=True) as session:
            with pytest.raises(INTEGRITY_ERRORS):
                assert not await session.execute(insert(table(model)), [row]), description


async def test_each_forbidden_change_is_refused(world: World, database: Database) -> None:
    await create_rows(world)
    for statement in CHANGES:
        plain = re.sub(r"\b(core|workflow)\.", "", statement) if database.dialect == "sqlite" else statement
        async with database.write(dry_run=True) as session:
            with pytest.raises(INTEGRITY_ERRORS):
                assert not await session.execute(text(plain)), statement


async def test_an_ended_row_no_longer_blocks_a_new_row(world: World, database: Database) -> None:
    await create_rows(world)
    contract, registration, proposal = [await first(database, model) for model in (Contract, Registration, Proposal)]
    await insert_copy(database, Contract, {**contract, "version": "0.9.0", "status": ContractStatus.DEPRECATED})
    await insert_copy(database, Registration, {**registration, "status": RegistrationStatus.INACTIVE})
    ended = {"status": ProposalStatus.SUPERSEDED, "resolved_at": proposal["proposed_at"]}
    await insert_copy(database, Proposal, {**proposal, **ended})
    await insert_copy(database, Proposal, {**proposal, **ended})


async def test_a_team_registers_once_itself_and_once_for_each_of_its_assets(world: World, database: Database) -> None:
    await create_rows(world)
    row = await first(database, Registration)
    async with database.read() as session:
        ids = [row.id for row in await session.rows(select(table(Asset).c.id))]
    for identity in ids:
        await insert_copy(database, Registration, {**row, "consumer_asset_id": identity})
    for identity in ids:
        with pytest.raises(INTEGRITY_ERRORS):
            await insert_copy(database, Registration, {**row, "consumer_asset_id": identity})


async def test_losing_a_race_for_a_unique_value_is_a_conflict(world: World, database: Database) -> None:
    first_team, second_team = await world.team("one"), await world.team("other")
    clone = Team(id=new_id(), name="x", name_key=first_team.name_key, meta={}, created_at=first_team.created_at)
    async with database.write(dry_run=True) as session:
        with pytest.raises(Conflict, match=r"at this moment\. Read it again"):
            await session.insert(clone)
    async with database.write(dry_run=True) as session:
        with pytest.raises(Conflict, match=r"at this moment\. Read it again"):
            await session.update(Team, table(Team).c.id == second_team.id, name_key=first_team.name_key)


async def test_active_contracts_of_two_assets_do_not_conflict(world: World) -> None:
    asset = await world.published()
    async with world.database.read() as session:
        (owner,) = await session.rows(select(table(Team)))
    second = await world.asset("analytics.core.other", owner)  # type: ignore[arg-type] # a row is as good
    await world.publish(second)
    assert (await world.publish(asset, without("note"))).contract is not None
