"""A manifest and a catalog get no break past a team that reads the table, in whatever order they come."""

from typing import Any

from tessera_gql.diff import Mode
from tessera_gql.policy.enums import Outcome, ProposalStatus, Response
from tessera_gql.store.tables import Asset, Contract, Proposal, Team
from tessera_gql.workflows import registrations
from tessera_gql.workflows.dbt.report import SyncOutcome, SyncReport
from tests.formats.manifests import catalog, catalog_table, column, manifest, source, table
from tests.workflows.dbt_syncs import (
    BOARD,
    ask,
    asset_at,
    of_project,
    plan,
    reading,
    run_sync,
    states,
    team_actor,
    team_table,
)
from tests.world import World

FQN = "analytics.core.orders"
OWNED = {"config": {"materialized": "table", "meta": {"owner": "shop"}}}


def orders(*columns: dict[str, Any]) -> dict[str, Any]:
    return manifest(table("orders", *columns, **OWNED))


def observed(**types: str) -> dict[str, Any]:
    return catalog(**{"model.shop.orders": catalog_table("orders", **types)})


async def contract_of(world: World) -> tuple[Asset, Contract]:
    asset = await asset_at(world, FQN)
    contract = await world.active(asset)
    assert contract is not None
    return asset, contract


async def add_reader(world: World, *fields: str) -> None:
    world.consumers.append(await world.team("growth"))
    await world.register(await asset_at(world, FQN), world.consumers[0], *fields)


def outcome(report: SyncReport) -> SyncOutcome:
    return next(model.outcome for model in report.models if model.fqn == FQN)


async def test_a_plain_publish_between_two_catalogs_does_not_make_the_second_one_a_baseline(world: World) -> None:
    await run_sync(world, orders(), catalog=observed(id="integer", note="text"))
    await add_reader(world)
    asset, contract = await contract_of(world)
    plain = {**contract.schema_def, "title": "Orders"}
    assert (await world.publish(asset, plain)).outcome is Outcome.PUBLISHED
    assert outcome(await run_sync(world, orders(), catalog=observed(id="integer"))) is SyncOutcome.PROPOSED


async def test_a_column_of_a_plain_publish_is_not_dropped_by_a_manifest_alone(world: World) -> None:
    await run_sync(world, orders(), catalog=observed(id="integer"))
    await add_reader(world)
    asset, contract = await contract_of(world)
    properties = {**contract.schema_def["properties"], "extra": {"type": ["integer", "null"]}}
    assert (await world.publish(asset, {**contract.schema_def, "properties": properties})).outcome is Outcome.PUBLISHED
    assert outcome(await run_sync(world, orders(column("id")))) is SyncOutcome.PROPOSED


async def test_a_declared_type_between_two_catalogs_does_not_free_the_observed_type(world: World) -> None:
    numeric = column("total", "numeric(20,2)")
    await run_sync(world, orders(numeric), catalog=observed(total="numeric(20,2)"))
    await add_reader(world)
    narrower = orders(column("total", "numeric(10,2)"))
    assert outcome(await run_sync(world, narrower)) is SyncOutcome.PUBLISHED
    assert outcome(await run_sync(world, narrower, catalog=observed(total="text"))) is SyncOutcome.PROPOSED


async def test_a_manifest_in_another_case_does_not_hide_a_column_from_its_readers(world: World) -> None:
    shop = await world.team("shop")
    asset = await world.asset(FQN, shop)
    schema = {"type": "object", "properties": {"ID": {"type": "integer"}, "NOTE": {"type": ["string", "null"]}}}
    await world.publish(asset, schema, mode=Mode.CONSUMER)
    await add_reader(world, "NOTE")
    await run_sync(world, orders(column("id", "integer"), column("note", "text")))
    assert outcome(await run_sync(world, orders(column("id", "integer")))) is SyncOutcome.PROPOSED


async def test_two_columns_that_differ_in_case_alone_do_not_stand_for_each_other(world: World) -> None:
    shop = await world.team("shop")
    asset = await world.asset(FQN, shop)
    schema = {"type": "object", "properties": {name: {"type": ["string", "null"]} for name in ("note", "NOTE")}}
    await world.publish(asset, schema, mode=Mode.CONSUMER)
    await add_reader(world, "NOTE")
    await run_sync(world, orders(column("note", "text")))
    (proposal,) = await world.rows(Proposal)
    assert proposal.status is ProposalStatus.PENDING


SHOP = team_table("orders", "shop", "id", "note")


async def test_a_manifest_that_reads_a_table_leaves_the_proposal_of_its_builder_in_a_shared_change_set(
    world: World,
) -> None:
    await run_sync(world, manifest(SHOP))
    await add_reader(world)
    finance = of_project(manifest(source("orders", column("id")), team_table("closing", "finance", "id")), "finance")
    await run_sync(world, finance)
    await ask(world, manifest(team_table("orders", "shop", "id")), "org/mono#1")
    (proposal,) = await world.rows(Proposal)
    actor = await team_actor(world, "finance")
    await ask(world, finance, "org/mono#1", actor=actor)
    await ask(world, finance, "org/mono#1")
    assert (await world.proposal(proposal.id)).status is ProposalStatus.PENDING


async def test_a_sync_leaves_the_retirement_that_a_pull_request_asks_for(world: World) -> None:
    customers = team_table("customers", "shop", "id")
    await run_sync(world, manifest(SHOP, customers))
    await add_reader(world)
    await ask(world, manifest(customers))
    (proposal,) = await world.rows(Proposal)
    wider = team_table("orders", "shop", "id", "note", "extra")
    assert outcome(await run_sync(world, manifest(wider, customers))) is SyncOutcome.PUBLISHED
    assert (await world.proposal(proposal.id)).status is ProposalStatus.PENDING


async def test_a_node_without_a_usual_id_over_the_table_of_another_project_is_a_conflict(world: World) -> None:
    await run_sync(world, manifest(SHOP))
    forged = of_project(manifest({**SHOP, "unique_id": "orders"}), "other")
    (model,) = (await run_sync(world, forged)).models
    assert (model.outcome, model.is_refused) == (SyncOutcome.SKIPPED, True)


async def test_an_exposure_over_a_declared_registration_still_asks_its_team(world: World) -> None:
    finance = await world.team("finance")
    await run_sync(world, manifest(SHOP))
    await world.register(await asset_at(world, FQN), finance, "id")
    await run_sync(world, manifest(SHOP, exposures={BOARD["unique_id"]: BOARD}))
    report = await run_sync(world, manifest(team_table("orders", "shop", "id"), exposures={BOARD["unique_id"]: BOARD}))
    assert outcome(report) is SyncOutcome.PROPOSED


async def test_the_reads_of_two_projects_by_one_registration_stay_whichever_is_synced_last(world: World) -> None:
    await world.team("finance")
    first = manifest(SHOP, exposures={BOARD["unique_id"]: BOARD})
    await run_sync(world, first)
    pulse = {**BOARD, "unique_id": "exposure.finance.pulse", "depends_on": {"nodes": ["source.shop.orders"]}}
    of_finance = of_project(manifest(source("orders", column("id")), exposures={pulse["unique_id"]: pulse}), "finance")
    await run_sync(world, of_finance, sources={"*": "shop"})
    for document in (first, manifest(SHOP)):
        await run_sync(world, document)
        dropped = {**document, "nodes": {"model.shop.orders": team_table("orders", "shop", "id")}}
        assert states(await plan(world, dropped)) == {"orders": "ASK"}


async def test_a_registration_whose_metadata_its_team_replaced_gets_the_fields_that_it_lacks(world: World) -> None:
    await world.team("finance")
    document = manifest(SHOP, exposures={BOARD["unique_id"]: BOARD})
    await run_sync(world, document)
    (row,) = await world.registrations()
    async with world.database.write() as session:
        await registrations.update(session, world.actor, row.id, changes={"fields": ("id",), "metadata": {}})
    await run_sync(world, document)
    (row,) = await world.registrations()
    assert (row.fields, row.meta) == (None, {"dbt": {"also_read": None}})


async def test_a_team_outside_a_project_registers_what_its_tables_read_from_now_on(world: World) -> None:
    shop = team_table("orders", "shop", "id", "total", "note")
    await run_sync(world, manifest(shop, reading("closing", "finance", "total")))
    owner = next(team for team in await world.rows(Team) if team.name == "shop")
    await world.project("shop", owner)
    finance = await team_actor(world, "finance")
    await run_sync(world, manifest(shop, reading("closing", "finance", "total, note")), actor=finance, owner=None)
    await run_sync(world, manifest(shop, reading("closing", "finance", "note")), actor=finance, owner=None)
    (row,) = await world.registrations()
    assert row.fields == ["note", "total"]


async def test_a_proposal_from_before_the_first_catalog_does_not_make_the_next_one_a_baseline(world: World) -> None:
    declared = orders(column("id", "integer"), column("note", "text"))
    await run_sync(world, declared)
    await add_reader(world)
    await ask(world, orders(column("id", "integer")))
    (proposal,) = await world.rows(Proposal)
    await run_sync(world, declared, catalog=observed(id="integer", note="text"))
    await world.answer(proposal, world.consumers[0], Response.APPROVED)
    assert (await world.publish_proposal(proposal)).contract is not None
    report = await run_sync(world, orders(column("id")), catalog=observed(id="text"))
    assert outcome(report) is SyncOutcome.PROPOSED
