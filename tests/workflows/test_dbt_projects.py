"""A project owns what it builds: the manifest of another project, or of another team, changes none of it."""

from collections.abc import Sequence
from typing import Any

import pytest

from tessera_gql.errors import Conflict, Forbidden, Invalid
from tessera_gql.policy.access import Actor, Scope
from tessera_gql.policy.enums import ResourceType
from tessera_gql.store import projects as project_store
from tessera_gql.store.teams import TeamRef
from tessera_gql.workflows import projects
from tessera_gql.workflows.dbt.report import SyncOutcome
from tessera_gql.workflows.projects import ProjectDetails
from tests.formats.manifests import column, manifest, source, table
from tests.workflows.dbt_syncs import (
    BOARD,
    ask,
    asset_at,
    find_readers,
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
ORDERS = team_table("orders", "shop", "id", "total", "note")
WITH_BOARD = manifest(ORDERS, exposures={BOARD["unique_id"]: BOARD})


def finance_project(*columns: str, query: str | None = "select total from analytics.core.orders") -> dict[str, Any]:
    """A project of the team finance that declares `orders` as a source and reads it."""
    orders = source("orders", *(column(name, "text") for name in columns), meta={"owner": "finance"})
    upstream = {"nodes": ["source.shop.orders"]}
    closing = team_table("closing", "finance", "id", depends_on=upstream, compiled_code=query)
    return of_project(manifest(orders, closing), "finance")


async def create_project(world: World, name: str, *owners: str, schemas: Sequence[str] = ()) -> None:
    async with world.database.write() as session:
        details = ProjectDetails(name=name, owners=[TeamRef(name=owner) for owner in owners], schemas=schemas)
        await projects.create(session, world.actor, details)


async def state_of(world: World, fqn: str) -> tuple[Any, ...]:
    asset = await asset_at(world, fqn)
    active = await world.active(asset)
    assert active is not None
    return asset.owner_team_id, asset.resource_type, asset.meta, asset.row_version, active.id


async def test_a_source_that_another_project_builds_is_read_and_never_changed(world: World) -> None:
    await run_sync(world, manifest(ORDERS))
    before = await state_of(world, FQN)
    report = await run_sync(world, finance_project("id", "total", "invented"))
    assert await state_of(world, FQN) == before
    assert {model.fqn: model.outcome for model in report.models} == {
        "analytics.core.closing": SyncOutcome.CREATED,
        FQN: SyncOutcome.UNCHANGED,
    }
    assert report.dependencies_added == 1
    assert {key: row.fields for key, row in (await find_readers(world)).items()} == {("finance", FQN): ["total"]}
    assert states(await plan(world, manifest(team_table("orders", "shop", "id", "note")))) == {"orders": "ASK"}


async def test_a_source_that_was_published_without_dbt_keeps_its_contract(world: World) -> None:
    asset = await world.published()
    before = await world.active(asset)
    await run_sync(world, finance_project("id"))
    assert await world.active(asset) == before
    assert (await asset_at(world, FQN)).meta == {}


async def test_a_source_that_nobody_builds_belongs_to_the_team_of_the_mapping(world: World) -> None:
    await run_sync(world, finance_project("id"), sources={"landing.*": "none", "ORDERS": "ingestion"})
    asset = await asset_at(world, FQN)
    assert asset.resource_type is ResourceType.SOURCE
    assert asset.owner_team_id == (await team_actor(world, "ingestion")).team_id


@pytest.mark.parametrize("pattern", ["shop", "shop.orders", "analytics.core.*", "*"])
async def test_a_source_is_mapped_by_its_name_by_its_table_or_by_its_fqn(world: World, pattern: str) -> None:
    orders = {**source("orders"), "unique_id": "source.finance.shop.orders"}
    await run_sync(world, of_project(manifest(orders), "finance"), sources={pattern: "ingestion"})
    owner = (await asset_at(world, FQN)).owner_team_id
    assert owner == (await team_actor(world, "ingestion")).team_id


async def test_a_project_that_begins_to_build_a_source_takes_it_over_if_it_may_act_for_its_owner(world: World) -> None:
    await run_sync(world, finance_project("id"), sources={"*": "shop"})
    stranger = await team_actor(world, "finance")
    report = await run_sync(world, manifest(team_table("orders", "shop", "id", "total")), actor=stranger, owner=None)
    assert [(model.outcome, model.is_refused) for model in report.models] == [(SyncOutcome.SKIPPED, False)]
    owner = await team_actor(world, "shop")
    await run_sync(world, manifest(team_table("orders", "shop", "id", "total")), actor=owner, owner=None)
    asset = await asset_at(world, FQN)
    assert (asset.resource_type, asset.meta["dbt"]["project"]) == (ResourceType.MODEL, "shop")
    before = await state_of(world, FQN)
    await run_sync(world, finance_project("id", "more"))
    assert await state_of(world, FQN) == before


async def test_two_projects_that_build_one_table_conflict_in_a_row_of_the_second_one(world: World) -> None:
    await run_sync(world, manifest(ORDERS))
    before = await state_of(world, FQN)
    second = of_project(manifest({**ORDERS, "unique_id": "model.finance.orders"}, team_table("b", "shop", "id")), "b")
    report = await run_sync(world, second)
    assert {model.fqn[15:]: (model.outcome, model.is_refused) for model in report.models} == {
        "b": (SyncOutcome.CREATED, False),
        "orders": (SyncOutcome.SKIPPED, True),
    }
    assert "the project shop builds it" in (report.models[1].reason or "")
    assert await state_of(world, FQN) == before


async def test_a_key_that_writes_for_one_team_cannot_end_the_exposures_of_another_team(world: World) -> None:
    await world.team("finance")
    await run_sync(world, WITH_BOARD)
    before = await find_readers(world)
    assert list(before) == [("finance", FQN)]
    await world.team("stranger")
    stranger = await team_actor(world, "stranger")
    size = await world.size()
    with pytest.raises(Invalid, match="has no models, but the project shop is known"):
        await run_sync(world, manifest(), actor=stranger)
    await run_sync(world, manifest(), actor=stranger, owner=None, allow_empty=True)
    await run_sync(world, manifest(team_table("new", "stranger", "id")), actor=stranger, owner=None)
    assert await find_readers(world) == before
    assert (await world.size())["Registration"] == size["Registration"]


async def test_a_partial_manifest_ends_the_reads_of_the_callers_teams_only(world: World) -> None:
    growth = reading("funnel", "growth", "note")
    await world.team("finance")
    await run_sync(world, manifest(ORDERS, growth, reading("closing", "finance", "total")))
    finance = await team_actor(world, "finance")
    await run_sync(world, manifest(ORDERS), actor=finance, owner=None)
    assert list(await find_readers(world)) == [("growth", FQN)]


async def test_an_exposure_whose_owner_is_no_longer_mapped_keeps_its_registration(world: World) -> None:
    await world.team("board")
    await run_sync(world, WITH_BOARD, owners={"finance": "board"})
    before = await find_readers(world)
    report = await run_sync(world, WITH_BOARD)
    assert await find_readers(world) == before
    assert report.warnings == ("The exposure board registers nobody: its owner finance is no team; map it to one.",)


async def test_a_team_outside_a_project_ends_nothing_of_it(world: World) -> None:
    await run_sync(world, manifest(ORDERS, reading("closing", "finance", "total")))
    await create_project(world, "shop", "shop")
    finance = await team_actor(world, "finance")
    before = await find_readers(world)
    report = await run_sync(world, manifest(ORDERS), actor=finance, owner=None)
    assert await find_readers(world) == before
    assert [(removal.fqn[15:], removal.reason) for removal in report.removed] == [
        ("closing", "it belongs to a project for which this key may not act")
    ]


async def test_two_projects_with_exposures_of_one_team_keep_their_own_registrations(world: World) -> None:
    await world.team("finance")
    await run_sync(world, WITH_BOARD)
    before = await find_readers(world)
    second = finance_project()
    second["exposures"] = {"exposure.finance.pulse": {**BOARD, "depends_on": {"nodes": ["source.shop.orders"]}}}
    await run_sync(world, second)
    await run_sync(world, {**second, "exposures": {}})
    (row,) = [item for item in await world.registrations() if item.consumer_asset_id is None]
    assert row.id == before["finance", FQN].id
    assert row.meta["dbt"] == {**before["finance", FQN].meta["dbt"], "also_read": None}


@pytest.mark.parametrize("is_empty", [True, False])
async def test_an_empty_manifest_of_an_unknown_project_is_accepted(world: World, is_empty: bool) -> None:
    nodes = [] if is_empty else [team_table("orders", "shop", "id")]
    assert len((await run_sync(world, manifest(*nodes))).models) == len(nodes)


async def test_a_model_without_compiled_query_keeps_what_is_known_of_its_reads(world: World) -> None:
    closing = reading("closing", "finance", "total")
    await run_sync(world, manifest(ORDERS, closing))
    uncompiled = {**closing, "compiled_code": None, "description": "Parsed only."}
    impact = await plan(world, manifest(team_table("orders", "shop", "id", "total"), uncompiled))
    assert states(impact) == {"orders": "UNREAD"}
    report = await run_sync(world, manifest(ORDERS, uncompiled))
    assert (await find_readers(world))["finance", FQN].fields == ["total"]
    assert (report.registrations_updated, report.registrations_ended) == (0, 0)
    assert report.reads[0].assumption == "the manifest holds no compiled query, so what an earlier one said stays"
    await run_sync(world, manifest(ORDERS, {**uncompiled, "depends_on": {"nodes": []}}))
    assert await find_readers(world) == {}


async def test_a_new_upstream_without_compiled_query_counts_as_everything(world: World) -> None:
    refunds = team_table("refunds", "shop", "id", "amount")
    closing = reading("closing", "finance", "total")
    await run_sync(world, manifest(ORDERS, refunds, closing))
    both = {"nodes": ["model.shop.orders", "model.shop.refunds"]}
    report = await run_sync(world, manifest(ORDERS, refunds, {**closing, "compiled_code": None, "depends_on": both}))
    fields = {fqn[15:]: row.fields for (_, fqn), row in (await find_readers(world)).items()}
    assert fields == {"orders": ["total"], "refunds": None}
    assert [read.assumption for read in report.reads if read.upstream.endswith("refunds")] == [
        "the manifest holds no compiled query"
    ]


async def project_actor(world: World, name: str) -> Actor:
    """The key of a project that may write."""
    async with world.database.read() as session:
        scope = await project_store.find_scope(session, name)
    return Actor("ci", scopes=frozenset({Scope.WRITE}), project=scope)


async def test_a_project_key_syncs_the_tables_of_its_owners_and_skips_the_others(world: World) -> None:
    for name in ("shop", "finance"):
        await world.team(name)
    await create_project(world, "shop", "shop")
    actor = await project_actor(world, "shop")
    report = await run_sync(world, manifest(ORDERS, reading("closing", "finance", "total")), actor=actor, owner=None)
    assert {model.fqn[15:]: model.outcome for model in report.models} == {
        "closing": SyncOutcome.SKIPPED,
        "orders": SyncOutcome.CREATED,
    }


async def test_a_table_without_an_owner_is_a_row_of_the_report_and_the_other_tables_are_synced(world: World) -> None:
    for name in ("shop", "finance"):
        await world.team(name)
    await create_project(world, "shop", "shop", "finance")
    actor = await project_actor(world, "shop")
    unowned = table("unowned", column("id", "bigint"))
    tables = manifest(ORDERS, unowned, team_table("foreign", "nobody", "id"), source("raw"))
    report = await run_sync(world, tables, actor=actor, owner=None)
    assert {model.fqn[15:]: (model.outcome, model.is_refused, model.reason) for model in report.models} == {
        "foreign": (
            SyncOutcome.SKIPPED,
            True,
            "its owner nobody is no team: give `owner` (--owner), or map it in `owners` (--owners)",
        ),
        "orders": (SyncOutcome.CREATED, False, None),
        "raw": (SyncOutcome.SKIPPED, False, "it has no owner: name a team in `sources` (--sources)"),
        "unowned": (
            SyncOutcome.SKIPPED,
            True,
            "the manifest names no owner: give `owner` (--owner), or map it in `owners` (--owners)",
        ),
    }
    with pytest.raises(Invalid, match=r"foreign: its owner nobody is no team"):
        await run_sync(world, tables, actor=actor, owner=None, atomic=True)


async def test_a_source_outside_of_the_schemas_of_a_project_needs_no_owner(world: World) -> None:
    for name in ("shop", "finance"):
        await world.team(name)
    await create_project(world, "shop", "shop", "finance", schemas=["analytics.core"])
    report = await run_sync(
        world, manifest(ORDERS, source("raw", schema="landing")), actor=await project_actor(world, "shop"), owner=None
    )
    assert {model.fqn[10:]: (model.outcome, model.reason) for model in report.models} == {
        "core.orders": (SyncOutcome.CREATED, None),
        "landing.raw": (SyncOutcome.SKIPPED, "it belongs to no schema of this key's project"),
    }


async def test_a_manifest_without_any_owner_is_refused_and_its_tables_are_named(world: World) -> None:
    await world.team("shop")
    message = r"such as analytics\.core\.orders\. The manifest names nobody, which are no teams"
    with pytest.raises(Invalid, match=message):
        await run_sync(world, manifest(team_table("orders", "nobody", "id")), owner=None, create_teams=False)


async def test_an_ask_by_a_key_that_may_sync_none_of_the_tables_is_refused_instead_of_passing(world: World) -> None:
    await run_sync(world, manifest(ORDERS))
    finance = await world.team("finance")
    await world.register(await asset_at(world, FQN), finance, "total")
    dropped = manifest(team_table("orders", "shop", "id", "note"))
    with pytest.raises(Forbidden, match="may ask for none of the tables that the manifest builds"):
        await ask(world, dropped, actor=await team_actor(world, "finance"))
    own = team_table("closing", "finance", "id")
    impact = await ask(
        world,
        {**dropped, "nodes": {**dropped["nodes"], own["unique_id"]: own}},
        actor=await team_actor(world, "finance"),
    )
    assert states(impact) == {"closing": "NEW", "orders": "SKIPPED"}


async def test_two_models_of_one_relation_conflict_in_a_row_and_the_other_tables_are_synced(world: World) -> None:
    twin = team_table("twin", "shop", "id", alias="orders")
    report = await run_sync(world, manifest(ORDERS, twin, team_table("other", "shop", "id")))
    assert {model.fqn[15:]: (model.outcome, model.is_refused) for model in report.models} == {
        "orders": (SyncOutcome.SKIPPED, True),
        "other": (SyncOutcome.CREATED, False),
    }
    assert "model.shop.orders and model.shop.twin build it" in (report.models[0].reason or "")
    size = await world.size()
    with pytest.raises(Conflict, match=r"analytics\.core\.orders: model\.shop\.orders and model\.shop\.twin"):
        await run_sync(world, manifest(ORDERS, twin, team_table("more", "shop", "id")), atomic=True)
    assert await world.size() == size
