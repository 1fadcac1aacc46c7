"""Deprecations of a dbt project: what a manifest states, what it starts to read, and versions of its models."""

from datetime import UTC, datetime, timedelta
from typing import Any

from tessera_gql.policy.deprecation import DeprecationTerms
from tessera_gql.policy.enums import DeprecationOrigin
from tessera_gql.store.assets import AssetRef
from tessera_gql.store.tables import Asset, Deprecation
from tessera_gql.workflows.dbt.options import Purpose
from tessera_gql.workflows.deprecations import DeprecationRequest, deprecate
from tests.formats.manifests import column, manifest
from tests.workflows.dbt_syncs import BOARD, ask, plan, reading, run_sync, team_table
from tests.world import World

ORDERS = team_table("orders", "core-team", "id", "coupon", "discount")
FQN = "analytics.core.orders"
MESSAGE = "reads analytics.core.orders.coupon, which goes on 1 June 2026; use discount"


async def announce(world: World, *fields: str) -> None:
    async with world.database.write() as session:
        terms = DeprecationTerms(datetime(2026, 6, 1, tzinfo=UTC), "discount")
        await deprecate(session, world.actor, AssetRef(fqn=FQN), DeprecationRequest(fields or None, terms))


async def live(world: World) -> dict[str, Deprecation]:
    return {row.path: row for row in await world.rows(Deprecation) if row.ended_at is None}


async def messages(world: World, *tables: Any, purpose: Purpose = Purpose.IMPACT, **sections: Any) -> list[str]:
    impact = await plan(world, manifest(*tables, **sections), purpose=purpose)
    return [f"{read.fqn.rpartition('.')[2]} {read.message}" for read in impact.deprecated_reads]


async def test_a_manifest_that_starts_to_read_a_deprecated_column_warns_until_it_is_synced(world: World) -> None:
    await world.team("finance")
    old = reading("old_report", "finance", "id, coupon")
    await run_sync(world, manifest(ORDERS, old))
    await announce(world, "coupon")
    new, totals = reading("report", "finance", "coupon"), reading("totals", "finance", "id, discount")
    assert await messages(world, ORDERS, old) == []
    assert await messages(world, ORDERS, old, totals) == []
    assert await messages(world, ORDERS, old, new) == [f"report {MESSAGE}"]
    everything = reading("everything", "finance", "*")
    assert await messages(world, ORDERS, old, everything) == [f"everything {MESSAGE} (the query reads all its columns)"]
    preview = await plan(world, manifest(ORDERS, old, new), purpose=Purpose.PREVIEW)
    assert f"analytics.core.report {MESSAGE}" in preview.warnings
    report = await run_sync(world, manifest(ORDERS, old, new))
    assert f"analytics.core.report {MESSAGE}" in report.warnings
    assert await messages(world, ORDERS, old, new) == []
    assert (await run_sync(world, manifest(ORDERS, old, new))).warnings == ()


async def test_a_model_that_reads_one_more_column_warns_and_a_renamed_one_does_not(world: World) -> None:
    await world.team("finance")
    await run_sync(world, manifest(ORDERS, reading("report", "finance", "id")))
    await announce(world, "coupon")
    assert await messages(world, ORDERS, reading("report", "finance", "id, coupon")) == [f"report {MESSAGE}"]
    await run_sync(world, manifest(ORDERS, reading("report", "finance", "id, coupon")))
    assert await messages(world, ORDERS, reading("report_2", "finance", "id, coupon")) == []


async def test_an_exposure_that_starts_to_read_a_deprecated_table_warns_and_an_owner_is_not_warned(
    world: World,
) -> None:
    await world.team("finance")
    await run_sync(world, manifest(ORDERS))
    await announce(world)
    reads = await messages(world, ORDERS, exposures={"exposure.shop.board": BOARD})
    assert reads == ["board reads analytics.core.orders, which goes on 1 June 2026; use discount"]
    assert await messages(world, ORDERS, reading("own", "core-team", "coupon")) == []


async def test_an_ask_names_deprecated_reads_and_writes_nothing_of_deprecations(world: World) -> None:
    await world.team("finance")
    await run_sync(world, manifest(ORDERS))
    await announce(world, "coupon")
    size = await world.size()
    stated = {**ORDERS, "deprecation_date": "2027-01-01"}
    impact = await ask(world, manifest(stated, reading("report", "finance", "coupon")), None)
    assert [read.message for read in impact.deprecated_reads] == [MESSAGE]
    assert await world.size() == size
    assert list(await live(world)) == ["coupon"]


async def test_deprecations_of_a_manifest_follow_it_and_declared_ones_stay(world: World) -> None:
    await world.team("finance")
    reader = reading("report", "finance", "coupon")
    await run_sync(world, manifest(ORDERS, reader))
    await announce(world, "id")
    coupon = column("COUPON", "bigint", meta={"deprecation_date": "2026-06-01", "replacement": "discount"})
    columns = {**ORDERS["columns"], "coupon": {**coupon, "name": "coupon"}}
    config = {**ORDERS["config"], "meta": {**ORDERS["config"]["meta"], "replacement": "orders_v2"}}
    stated = {**ORDERS, "columns": columns, "config": config, "deprecation_date": "2027-01-01T00:00:00+02:00"}
    await run_sync(world, manifest(stated, reader))
    rows = await live(world)
    assert {path: (row.origin, row.sunset_at, row.replacement) for path, row in rows.items()} == {
        "": (DeprecationOrigin.DBT_MANIFEST, datetime(2026, 12, 31, 22, tzinfo=UTC), "orders_v2"),
        "coupon": (DeprecationOrigin.DBT_MANIFEST, datetime(2026, 6, 1, tzinfo=UTC), "discount"),
        "id": (DeprecationOrigin.DECLARED, datetime(2026, 6, 1, tzinfo=UTC), "discount"),
    }
    before = await world.kinds()
    await run_sync(world, manifest(stated, reader))
    assert await world.kinds() == before
    await run_sync(world, manifest({**stated, "deprecation_date": None}, reader))
    assert set(await live(world)) == {"coupon", "id"}
    await run_sync(world, manifest(ORDERS, reader))
    assert set(await live(world)) == {"id"}


async def test_a_new_table_brings_its_deprecations_and_a_bad_date_only_loses_the_date(world: World) -> None:
    marked = {**ORDERS["columns"]["coupon"], "meta": {"deprecated": True, "deprecation_date": "soon"}}
    stated = {**ORDERS, "columns": {**ORDERS["columns"], "coupon": marked}, "deprecation_date": "2027-01-01"}
    await run_sync(world, manifest(stated))
    assert {path: row.sunset_at for path, row in (await live(world)).items()} == {
        "": datetime(2027, 1, 1, tzinfo=UTC),
        "coupon": None,
    }


def version(number: int, latest: int) -> dict[str, Any]:
    return team_table(
        f"prices_v{number}",
        "core-team",
        "id",
        unique_id=f"model.shop.prices.v{number}",
        version=number,
        latest_version=latest,
    )


async def successors(world: World) -> dict[str, str | None]:
    names = {asset.id: asset.fqn.rpartition(".")[2] for asset in await world.rows(Asset)}
    rows = await world.rows(Asset)
    return {names[row.id]: row.superseded_by_id and names[row.superseded_by_id] for row in rows}


async def test_versions_of_a_model_are_superseded_by_the_latest_one(world: World) -> None:
    await run_sync(world, manifest(version(1, 2), version(2, 2), team_table("other", "core-team", "id")))
    assert await successors(world) == {"other": None, "prices_v1": "prices_v2", "prices_v2": None}
    before = await world.kinds()
    await run_sync(world, manifest(version(1, 2), version(2, 2), team_table("other", "core-team", "id")))
    assert await world.kinds() == before
    await run_sync(world, manifest(version(1, 3), version(2, 3), version(3, 3)))
    expected = {"prices_v1": "prices_v3", "prices_v2": "prices_v3", "prices_v3": None}
    assert (await successors(world)).items() >= expected.items()
    await run_sync(world, manifest(version(1, 2), version(2, 2), version(3, 2)))
    expected = {"prices_v1": "prices_v2", "prices_v2": None, "prices_v3": "prices_v2"}
    assert (await successors(world)).items() >= expected.items()


async def test_readers_of_a_versioned_model_are_informed_by_its_deprecation_date(world: World) -> None:
    finance = await world.team("finance")
    reader = reading("report", "finance", "id", "prices.v1", compiled_code="select id from analytics.core.prices_v1")
    await run_sync(world, manifest(version(1, 2), version(2, 2), reader))
    sunset = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=90)
    await run_sync(world, manifest({**version(1, 2), "deprecation_date": sunset.isoformat()}, version(2, 2), reader))
    (declared,) = [event for event in await world.events() if event.kind == "DEPRECATION_DECLARED"]
    assert str(finance.id) in declared.teams
