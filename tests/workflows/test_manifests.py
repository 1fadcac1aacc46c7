"""Real manifests become assets, contracts and lineage, and a second sync of the same file writes nothing."""

from pathlib import Path
from typing import Any

import orjson
import pytest
from sqlalchemy import func, select

from tessera_gql.errors import Invalid
from tessera_gql.formats import dbt
from tessera_gql.policy.access import OPEN_ACTOR
from tessera_gql.store import assets, lineage
from tessera_gql.store.teams import TeamRef
from tessera_gql.workflows.manifests import SyncOptions, SyncOutcome, SyncReport, sync
from tests.world import World

MANIFESTS = Path(__file__).resolve().parents[2] / "../shared/data/dbt_manifests"
NAMES = [
    "jaffle_shop_v1",
    "jaffle_shop_v6",
    "jaffle_shop_v12",
    "jaffle_shop_v12_typed",
    "netsuite_before",
    "netsuite_after",
]
needs_manifests = pytest.mark.skipif(not MANIFESTS.is_dir(), reason="the shared manifests are not beside this checkout")


def document(name: str) -> dict[str, Any]:
    found: dict[str, Any] = orjson.loads((MANIFESTS / f"{name}.json").read_bytes())
    return found


async def synced(world: World, manifest: Any, **options: Any) -> SyncReport:
    async with world.database.write() as session:
        wanted = SyncOptions(**{"owner": TeamRef(name="data-platform"), "create_teams": True, **options})
        return await sync(session, OPEN_ACTOR, dbt.read(manifest), wanted)


@needs_manifests
@pytest.mark.parametrize("name", NAMES)
async def test_a_real_manifest_becomes_assets_contracts_and_lineage_and_a_second_sync_writes_nothing(
    world: World, name: str
) -> None:
    await world.team("data-platform")
    manifest = document(name)
    report = await synced(world, manifest)
    models = dbt.read(manifest).models
    assert len(report.models) == len(models) > 0
    assert {one.outcome for one in report.models} == {SyncOutcome.CREATED}
    size = await world.size()
    assert size["Asset"] == size["Contract"] == len(models)
    assert report.dependencies_added == sum(len(model.depends_on) for model in models) > 0
    again = await synced(world, manifest)
    assert {one.outcome for one in again.models} == {SyncOutcome.UNCHANGED}
    assert await world.size() == size


@needs_manifests
async def test_the_next_release_of_a_real_project_passes_without_a_question(world: World) -> None:
    await world.team("data-platform")
    await synced(world, document("netsuite_before"))
    report = await synced(world, document("netsuite_after"))
    changed = [one for one in report.models if one.outcome is SyncOutcome.PUBLISHED]
    added = [change for one in changed for change in one.changes if change.kind == "PROPERTY_ADDED"]
    assert len(added) == 20
    assert not [one.fqn for one in report.models if one.breaking or one.outcome is SyncOutcome.PROPOSED]


@needs_manifests
async def test_a_column_dropped_in_a_manifest_waits_for_its_readers(world: World) -> None:
    await world.team("data-platform")
    manifest = document("netsuite_before")
    await synced(world, manifest)
    consumer = await world.team("finance")
    model = next(one for one in dbt.read(manifest).models if len(one.columns) > 3 and one.resource_type == "model")
    column = model.columns[0]
    async with world.database.read() as session:
        asset = (await assets.by_fqns(session, [model.fqn]))[0]
    await world.register(asset, consumer, column)
    node = manifest["nodes"][model.unique_id]
    del node["columns"][column]
    report = await synced(world, manifest)
    waiting = [one for one in report.models if one.outcome is SyncOutcome.PROPOSED]
    assert [one.fqn for one in waiting] == [model.fqn]
    assert waiting[0].proposal_id is not None
    assert await world.asked(await world.proposal(waiting[0].proposal_id)) == {consumer.id}


@needs_manifests
async def test_an_edge_that_left_the_manifest_is_removed_and_a_declared_one_stays(world: World) -> None:
    await world.team("data-platform")
    manifest = document("jaffle_shop_v12")
    await synced(world, manifest)
    model = next(one for one in dbt.read(manifest).models if one.depends_on and one.resource_type == "model")
    manifest["nodes"][model.unique_id]["depends_on"]["nodes"] = []
    report = await synced(world, manifest)
    assert (report.dependencies_added, report.dependencies_removed) == (0, len(model.depends_on))
    async with world.database.read() as session:
        left = (await session.execute(select(func.count()).select_from(lineage.rows))).scalar_one()
    assert left == sum(len(one.depends_on) for one in dbt.read(manifest).models)


@needs_manifests
async def test_tables_without_an_owner_need_one_named(world: World) -> None:
    before = await world.size()
    with pytest.raises(Invalid, match="no owner"):
        await synced(world, document("jaffle_shop_v1"), owner=None, create_teams=False)
    assert await world.size() == before
