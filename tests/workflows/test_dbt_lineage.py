"""A sync stores the column lineage of compiled queries, and an ask follows it, on both databases."""

from typing import Any

import pytest

from tessera_gql.formats import dbt
from tessera_gql.policy.enums import ColumnEdgeKind, Intent
from tessera_gql.store import column_edges
from tessera_gql.store.tables import Asset, Proposal, Team
from tessera_gql.workflows.dbt.column_lineage import read_lineage
from tessera_gql.workflows.dbt.state import ManifestCache, ManifestState
from tests.formats.manifests import column, manifest, table
from tests.workflows.dbt_syncs import ask, asset_at, plan, run_sync
from tests.world import World, without

COPIED, DERIVED, FILTER = ColumnEdgeKind.COPIED, ColumnEdgeKind.DERIVED, ColumnEdgeKind.FILTER


def model(name: str, query: str | None, *columns: str, reads: tuple[str, ...] = (), **fields: Any) -> dict[str, Any]:
    described = [column(item, "integer") for item in columns]
    upstream = {"nodes": [f"model.shop.{item}" for item in reads]}
    return table(name, *described, compiled_code=query, depends_on=upstream, meta={"owner": "shop"}, **fields)


ORDERS = model("orders", "select 1", "id", "coupon", "total")
STAGING = model("stg", "select id, coupon from core.orders where total > 0", "id", "coupon", reads=("orders",))
MART = model("mart", "select s.id, upper(s.coupon) as discount from core.stg s", "id", "discount", reads=("stg",))
CHANGED = model("orders", "select 1", "id", "total")


async def edges_of(world: World) -> set[tuple[str, str, ColumnEdgeKind]]:
    names = {asset.id: asset.fqn.rpartition(".")[2] for asset in await world.rows(Asset)}
    async with world.database.read() as session:
        rows = await column_edges.list_by_sources(session, [*names])
    return {
        (
            f"{names[row.source_asset_id]}.{row.source_column}",
            f"{names[row.target_asset_id]}.{row.target_column}",
            row.kind,
        )
        for row in rows
    }


async def synced(world: World) -> tuple[Asset, Team]:
    await run_sync(world, manifest(ORDERS, STAGING, MART))
    (mart,) = [asset for asset in await world.rows(Asset) if asset.fqn.endswith(".mart")]
    finance = await world.team("finance")
    await world.register(mart, finance, "discount")
    return mart, finance


async def test_a_sync_stores_the_edges_of_its_queries_once(world: World) -> None:
    await synced(world)
    assert await edges_of(world) == {
        ("orders.id", "stg.id", COPIED),
        ("orders.coupon", "stg.coupon", COPIED),
        ("orders.total", "stg.", FILTER),
        ("stg.id", "mart.id", COPIED),
        ("stg.coupon", "mart.discount", DERIVED),
    }
    events = len(await world.events())
    await run_sync(world, manifest(ORDERS, STAGING, MART))
    assert len(await world.events()) == events


async def test_a_changed_query_changes_its_edges_and_a_missing_one_keeps_them(world: World) -> None:
    await synced(world)
    edges = await edges_of(world)
    await run_sync(world, manifest(ORDERS, STAGING, {**MART, "compiled_code": None}))
    assert await edges_of(world) == edges
    query = "select s.id, 1 as discount from core.stg s"
    await run_sync(world, manifest(ORDERS, STAGING, {**MART, "compiled_code": query}))
    assert await edges_of(world) == edges - {("stg.coupon", "mart.discount", DERIVED)}
    await run_sync(world, manifest(ORDERS, STAGING, {**MART, "depends_on": {"nodes": []}}))
    assert {target for _, target, _ in await edges_of(world)} == {"stg.id", "stg.coupon", "stg."}


async def test_a_query_that_cannot_be_read_has_unknown_lineage_and_a_warning(world: World) -> None:
    report = await run_sync(world, manifest(ORDERS, {**STAGING, "compiled_code": "select from from"}))
    assert await edges_of(world) == set()
    assert any("column lineage of 1 tables is unknown" in warning for warning in report.warnings)


async def test_the_gate_and_the_ask_name_the_same_readers_behind_own_tables(world: World) -> None:
    mart, finance = await synced(world)
    broken = manifest(CHANGED, STAGING, MART)
    impact = await plan(world, broken)
    (reasons,) = impact.tables["analytics.core.orders"].affected.asked.values()
    assert [column for _, column in reasons.paths[0].steps] == ["coupon", "coupon", "discount"]
    await ask(world, broken)
    (proposal,) = await world.rows(Proposal)
    assert await world.asked(proposal) == {finance.id}
    (acknowledgment,) = await world.acknowledgments(proposal)
    assert acknowledgment.reads == {item: [f"{mart.id}:discount"] for item in acknowledgment.change_fingerprints}


@pytest.mark.parametrize(
    ("query", "columns", "states"),
    [
        ("select id, null as coupon from core.orders where total > 0", ("id", "coupon"), {"orders": "UNREAD"}),
        ("select id, coupon from core.orders", ("id", "coupon"), {"orders": "ASK"}),
        ("select id from core.orders", ("id",), {"orders": "ASK", "stg": "ASK"}),
    ],
)
async def test_an_ask_stops_at_own_tables_that_no_longer_read_the_column_and_stay_compatible(
    world: World, query: str, columns: tuple[str, ...], states: dict[str, str]
) -> None:
    await synced(world)
    broken = manifest(CHANGED, model("stg", query, *columns, reads=("orders",)), MART)
    impact = await plan(world, broken)
    states_by_name = {fqn.rpartition(".")[2]: str(item.state) for fqn, item in impact.tables.items()}
    assert {name: state for name, state in states_by_name.items() if state != "UNCHANGED"} == states
    await ask(world, broken)
    asked = [len(await world.asked(proposal)) for proposal in await world.rows(Proposal)]
    assert sum(asked) == sum(state == "ASK" for state in states.values())


async def test_a_release_publishes_what_its_own_queries_no_longer_read_and_frees_the_asked_team(world: World) -> None:
    mart, _ = await synced(world)
    await ask(world, manifest(CHANGED, STAGING, MART))
    (proposal,) = await world.rows(Proposal)
    adapted = {**MART, "compiled_code": "select s.id, 1 as discount from core.stg s"}
    await run_sync(world, manifest(ORDERS, STAGING, adapted))
    assert await world.asked(proposal) == set()
    (acknowledgment,) = await world.acknowledgments(proposal)
    assert acknowledgment.released_by["kind"] == "MANIFEST"  # type: ignore[index]
    contracts = await world.contracts(mart)
    assert len(contracts) == 1


async def test_a_new_edge_of_known_columns_asks_no_team_that_reads_other_columns(world: World) -> None:
    await synced(world)
    orders = await asset_at(world, "analytics.core.orders")
    sales, (contract,) = await world.team("sales"), await world.contracts(orders)
    await world.register(orders, sales, "coupon")
    unread = model("mart", "select s.id, 1 as discount from core.stg s", "id", "discount", reads=("stg",))
    await run_sync(world, manifest(ORDERS, STAGING, unread))
    proposal = (await world.publish(orders, without("coupon", schema=contract.schema_def), intent=Intent.ASK)).proposal
    assert proposal is not None
    events = len(await world.events())
    query = "select s.id, o.total as discount from core.stg s, core.orders o"
    await run_sync(world, manifest(ORDERS, STAGING, model("mart", query, "id", "discount", reads=("stg", "orders"))))
    assert ("orders.total", "mart.discount", COPIED) in await edges_of(world)
    kinds = {event.kind for event in (await world.events())[events:]}
    assert not kinds & {"ACKNOWLEDGMENT_REQUESTED", "ACKNOWLEDGMENT_RELEASED"}


def test_a_model_without_a_query_does_not_get_the_lineage_of_another_model() -> None:
    """Neither has a hash of what its lineage depends on: one has no upstream tables, the other no query."""
    parsed = dbt.parse_manifest(manifest(ORDERS, model("empty", None, "id", reads=("orders",))))
    state, (orders, empty) = ManifestState(parsed, {}), sorted(parsed.models, key=lambda item: item.name, reverse=True)
    assert read_lineage(state, orders, ManifestCache()).reason is None
    assert read_lineage(state, empty, ManifestCache()).reason == "the manifest holds no compiled query"
