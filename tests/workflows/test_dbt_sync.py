"""A dbt manifest becomes assets, contracts and lineage, and a second sync of the same manifest changes nothing."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import orjson
import pytest
from sqlalchemy import func, select

from tessera_gql.diff import Mode
from tessera_gql.errors import Conflict, Invalid
from tessera_gql.formats import dbt
from tessera_gql.policy.access import ANONYMOUS, Actor, Scope
from tessera_gql.policy.enums import Evidence, Outcome
from tessera_gql.store import assets, lineage
from tessera_gql.store import labels as labels_of
from tessera_gql.workflows.dbt.options import Purpose, SyncOptions
from tessera_gql.workflows.dbt.report import SyncOutcome
from tessera_gql.workflows.dbt.sync import sync_batch, sync_manifest
from tessera_gql.workflows.dbt.sync_progress import SyncProgress
from tests.formats.manifests import column, table
from tests.formats.manifests import manifest as dbt_manifest
from tests.workflows.dbt_syncs import asset_at, find_readers, plan, run_sync, team_table
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
FQN = "analytics.core.orders"
needs_manifests = pytest.mark.skipif(not MANIFESTS.is_dir(), reason="the shared manifests are not beside this checkout")


def document(name: str) -> dict[str, Any]:
    manifest: dict[str, Any] = orjson.loads((MANIFESTS / f"{name}.json").read_bytes())
    return manifest


@needs_manifests
@pytest.mark.parametrize("name", NAMES)
async def test_a_real_manifest_becomes_assets_contracts_and_lineage_and_a_second_sync_writes_nothing(
    world: World, name: str
) -> None:
    await world.team("data-platform")
    manifest = document(name)
    report = await run_sync(world, manifest)
    models = dbt.parse_manifest(manifest).models
    assert len(report.models) == len(models) > 0
    assert {model.outcome for model in report.models} == {SyncOutcome.CREATED}
    size = await world.size()
    assert size["Asset"] == size["Contract"] == len(models)
    assert report.dependencies_added == sum(len(model.depends_on) for model in models) > 0
    again = await run_sync(world, manifest)
    assert {model.outcome for model in again.models} == {SyncOutcome.UNCHANGED}
    assert await world.size() == size


def orders_with_mode(mode: str | None, *columns: str) -> dict[str, Any]:
    meta = {"owner": "shop"} | ({"compatibility_mode": mode} if mode else {})
    return dbt_manifest(table("orders", *(column(name, "bigint") for name in columns or ("id",)), meta=meta))


@pytest.mark.parametrize(
    ("mode", "options", "expected"),
    [
        (None, {}, Mode.CONSUMER),
        (None, {"compatibility_mode": Mode.FORWARD}, Mode.FORWARD),
        ("full", {"compatibility_mode": Mode.FORWARD}, Mode.FULL),
    ],
)
async def test_a_new_asset_takes_the_mode_of_its_model_else_that_of_the_sync_else_consumer(
    world: World, mode: str | None, options: dict[str, Any], expected: Mode
) -> None:
    await run_sync(world, orders_with_mode(mode), **options)
    asset = await asset_at(world, FQN)
    (contract,) = await world.contracts(asset)
    assert asset.compatibility_mode is contract.compatibility_mode is expected


async def test_tags_and_labels_of_a_model_become_labels_and_follow_the_manifest(world: World) -> None:
    def tagged(*tags: str, labels: Sequence[str] = ()) -> dict[str, Any]:
        meta = {"owner": "shop", "tessera": {"labels": [*labels]}}
        return dbt_manifest(table("orders", column("id", "bigint"), tags=[*tags], meta=meta))

    async def names() -> list[str]:
        async with world.database.read() as session:
            return [row.name for row in await labels_of.list_by_assets(session, [(await asset_at(world, FQN)).id])]

    await run_sync(world, tagged("daily", labels=["domain:sales", "x" * 101]))
    assert await names() == ["daily", "domain:sales"]
    await run_sync(world, tagged("daily", "pii"))
    assert await names() == ["daily", "pii"]
    assert (await run_sync(world, tagged("daily", "pii"))).models[0].outcome is SyncOutcome.UNCHANGED


async def test_a_stronger_mode_in_the_manifest_is_published_and_a_weaker_one_asks(world: World) -> None:
    await run_sync(world, orders_with_mode("BACKWARD"))
    asset = await asset_at(world, FQN)
    await world.register(asset, await world.team("finance"), "id")
    assert (await run_sync(world, orders_with_mode("FULL"))).models[0].outcome is SyncOutcome.PUBLISHED
    assert (await run_sync(world, orders_with_mode("FULL"))).models[0].outcome is SyncOutcome.UNCHANGED
    assert (await run_sync(world, orders_with_mode(None))).models[0].outcome is SyncOutcome.UNCHANGED
    foreseen = (await plan(world, orders_with_mode("NONE"))).tables
    (model,) = (await run_sync(world, orders_with_mode("NONE"))).models
    assert (model.outcome, foreseen[FQN].outcome) == (SyncOutcome.PROPOSED, Outcome.PROPOSED)
    assert [change.kind for change in model.breaking] == ["MODE_WEAKENED"]
    assert model.proposal_id is not None
    assert len(await world.asked(await world.proposal(model.proposal_id))) == 1


async def test_a_sync_moves_an_asset_to_consumer_without_asking_only_for_an_administrator(world: World) -> None:
    await run_sync(world, orders_with_mode("BACKWARD"))
    asset = await asset_at(world, FQN)
    await world.register(asset, await world.team("finance"))
    owner = Actor("ci", asset.owner_team_id, frozenset({Scope.WRITE}))
    manifest = dbt.parse_manifest(orders_with_mode("CONSUMER"))
    impacts = [await plan(world, orders_with_mode("CONSUMER"), actor=actor) for actor in (owner, ANONYMOUS)]
    outcomes = [impact.tables[FQN].outcome for impact in impacts]
    assert outcomes == [Outcome.PROPOSED, Outcome.PUBLISHED]
    async with world.database.write() as session:
        (asking,) = (await sync_manifest(session, owner, manifest, SyncOptions())).models
    assert asking.outcome is SyncOutcome.PROPOSED
    (moved,) = (await run_sync(world, orders_with_mode("CONSUMER"))).models
    assert moved.outcome is SyncOutcome.PUBLISHED
    event = next(event for event in await world.events() if event.kind == "COMPATIBILITY_MODE_CHANGED")
    assert event.payload == {"before": "BACKWARD", "after": "CONSUMER", "without_asking": True}


@needs_manifests
async def test_the_next_release_of_a_real_project_is_published_without_a_proposal(world: World) -> None:
    await world.team("data-platform")
    await run_sync(world, document("netsuite_before"))
    report = await run_sync(world, document("netsuite_after"))
    changed = [model for model in report.models if model.outcome is SyncOutcome.PUBLISHED]
    added = [change for model in changed for change in model.changes if change.kind == "PROPERTY_ADDED"]
    assert len(added) == 20
    assert not [model.fqn for model in report.models if model.breaking or model.outcome is SyncOutcome.PROPOSED]


@needs_manifests
async def test_a_column_dropped_in_a_manifest_waits_for_its_readers(world: World) -> None:
    await world.team("data-platform")
    manifest = document("netsuite_before")
    await run_sync(world, manifest)
    consumer = await world.team("finance")
    model = next(
        model
        for model in dbt.parse_manifest(manifest).models
        if len(model.columns) > 3 and model.resource_type == "model"
    )
    column = model.columns[0]
    async with world.database.read() as session:
        asset = (await assets.by_fqns(session, [model.fqn]))[0]
    await world.register(asset, consumer, column)
    node = manifest["nodes"][model.unique_id]
    del node["columns"][column]
    report = await run_sync(world, manifest)
    waiting = [model for model in report.models if model.outcome is SyncOutcome.PROPOSED]
    assert [model.fqn for model in waiting] == [model.fqn]
    assert waiting[0].proposal_id is not None
    assert await world.asked(await world.proposal(waiting[0].proposal_id)) == {consumer.id}


@needs_manifests
async def test_an_edge_that_left_the_manifest_is_removed_and_a_declared_one_stays(world: World) -> None:
    await world.team("data-platform")
    manifest = document("jaffle_shop_v12")
    await run_sync(world, manifest)
    model = next(
        model for model in dbt.parse_manifest(manifest).models if model.depends_on and model.resource_type == "model"
    )
    manifest["nodes"][model.unique_id]["depends_on"]["nodes"] = []
    report = await run_sync(world, manifest)
    assert (report.dependencies_added, report.dependencies_removed) == (0, len(model.depends_on))
    async with world.database.read() as session:
        left = await session.value(select(func.count()).select_from(lineage.TABLE))
    assert left == sum(len(model.depends_on) for model in dbt.parse_manifest(manifest).models)


@needs_manifests
async def test_tables_without_an_owner_need_a_default_owner(world: World) -> None:
    before = await world.size()
    with pytest.raises(Invalid, match="no owner"):
        await run_sync(world, document("jaffle_shop_v1"), owner=None, create_teams=False)
    assert await world.size() == before


SHOP = team_table("orders", "shop", "id", "total", "note")
MART = team_table(
    "closing",
    "finance",
    "id",
    depends_on={"nodes": ["model.shop.orders"]},
    compiled_code="with o as (select * from analytics.core.orders) select id, total from o",
)
BOARD = {
    "unique_id": "exposure.shop.board",
    "name": "board",
    "type": "dashboard",
    "owner": {"name": "Ada Lovelace", "email": "ada@example.org"},
    "depends_on": {"nodes": ["model.shop.orders"]},
}


async def test_a_model_that_reads_a_table_of_another_team_registers_the_columns_of_its_query(world: World) -> None:
    report = await run_sync(world, dbt_manifest(SHOP, MART), owner=None)
    assert [(reading.fqn, reading.upstream, reading.fields) for reading in report.reads] == [
        ("analytics.core.closing", FQN, ("id", "total"))
    ]
    registration = (await find_readers(world))["finance", FQN]
    assert (registration.fields, registration.evidence, registration.consumer_asset_id) == (
        ["id", "total"],
        Evidence.DBT_MANIFEST,
        (await asset_at(world, "analytics.core.closing")).id,
    )
    size = await world.size()
    again = await run_sync(world, dbt_manifest(SHOP, MART), owner=None)
    assert (again.reads, again.registrations_created, await world.size()) == ((), 0, size)


async def test_an_unreadable_query_registers_for_all_columns_and_the_report_has_the_reason(world: World) -> None:
    report = await run_sync(world, dbt_manifest(SHOP, {**MART, "compiled_code": "selec oops from"}), owner=None)
    assert (await find_readers(world))["finance", FQN].fields is None
    assert report.reads[0].assumption is not None


async def test_a_registration_follows_its_query_and_ends_with_it(world: World) -> None:
    await run_sync(world, dbt_manifest(SHOP, MART), owner=None)
    rewritten = {**MART, "compiled_code": "select note from analytics.core.orders"}
    report = await run_sync(world, dbt_manifest(SHOP, rewritten), owner=None)
    assert (report.registrations_updated, (await find_readers(world))["finance", FQN].fields) == (1, ["note"])
    report = await run_sync(world, dbt_manifest(SHOP, {**MART, "depends_on": {"nodes": []}}), owner=None)
    assert (report.registrations_ended, await find_readers(world)) == (1, {})


async def test_a_registration_ends_with_its_model_and_a_declared_one_stays(world: World) -> None:
    await run_sync(world, dbt_manifest(SHOP, MART), owner=None)
    support = await world.team("support")
    await world.register(await asset_at(world, FQN), support, "note")
    report = await run_sync(world, dbt_manifest(SHOP), owner=None)
    assert [removal.fqn for removal in report.removed] == ["analytics.core.closing"]
    assert (report.registrations_ended, list(await find_readers(world))) == (1, [("support", FQN)])
    size = await world.size()
    await run_sync(world, dbt_manifest(SHOP), owner=None)
    assert await world.size() == size


async def test_a_team_that_stops_reading_a_column_in_the_manifest_that_drops_it_is_not_asked(world: World) -> None:
    await run_sync(world, dbt_manifest(SHOP, MART), owner=None)
    without_total = team_table("orders", "shop", "id", "note")
    adapted = {**MART, "compiled_code": "select id from analytics.core.orders"}
    report = await run_sync(world, dbt_manifest(without_total, adapted), owner=None)
    proposed = next(model for model in report.models if model.fqn == FQN)
    assert proposed.outcome is SyncOutcome.PUBLISHED
    assert proposed.proposal_id is not None
    assert await world.asked(await world.proposal(proposed.proposal_id)) == set()
    size = await world.size()
    assert proposed.outcome is SyncOutcome.PUBLISHED
    again = await run_sync(world, dbt_manifest(without_total, adapted), owner=None)
    assert {model.outcome for model in again.models} == {SyncOutcome.UNCHANGED}
    assert await world.size() == size


async def test_a_column_that_a_model_of_another_team_still_reads_waits_for_that_team(world: World) -> None:
    await run_sync(world, dbt_manifest(SHOP, MART), owner=None)
    report = await run_sync(world, dbt_manifest(team_table("orders", "shop", "id", "note"), MART), owner=None)
    proposed = next(model for model in report.models if model.fqn == FQN)
    assert proposed.proposal_id is not None
    finance = (await find_readers(world))["finance", FQN].consumer_team_id
    assert await world.asked(await world.proposal(proposed.proposal_id)) == {finance}


async def test_owners_are_mapped_to_teams_whatever_the_case(world: World) -> None:
    await world.team("Shop Platform")
    await world.team("money")
    names = {"SHOP": "shop platform", "finance": "money", "ada lovelace": "money"}
    options = {"owner": None, "create_teams": False, "owners": names}
    report = await run_sync(world, dbt_manifest(SHOP, MART, exposures={BOARD["unique_id"]: BOARD}), **options)
    assert report.count(SyncOutcome.CREATED) == 2
    assert {
        (team, registration.consumer_asset_id is None)
        for (team, _), registration in (await find_readers(world)).items()
    } == {("money", True)}
    assert (report.registrations_created, report.warnings) == (2, ())


async def test_an_exposure_registers_its_team_until_it_is_removed(world: World) -> None:
    await world.team("board")
    options = {"owner": None, "owners": {"Ada Lovelace": "board"}}
    manifest = dbt_manifest(SHOP, exposures={BOARD["unique_id"]: BOARD})
    await run_sync(world, manifest, **options)
    registration = (await find_readers(world))["board", FQN]
    assert (registration.fields, registration.purpose) == (None, "dbt exposure: board.")
    size = await world.size()
    await run_sync(world, manifest, **options)
    assert await world.size() == size
    report = await run_sync(world, dbt_manifest(SHOP), **options)
    assert (report.registrations_ended, await find_readers(world)) == (1, {})


async def test_an_exposure_of_an_unknown_owner_is_reported_and_skipped(world: World) -> None:
    report = await run_sync(world, dbt_manifest(SHOP, exposures={BOARD["unique_id"]: BOARD}), owner=None)
    assert report.warnings == (
        "The exposure board registers nobody: its owner Ada Lovelace is no team; map it to one.",
    )


async def test_removed_tables_are_retired_only_on_request_and_without_readers(world: World) -> None:
    await run_sync(world, dbt_manifest(SHOP, MART, team_table("old", "shop", "id")), owner=None)
    await world.register(await asset_at(world, "analytics.core.closing"), await world.team("support"))
    report = await run_sync(world, dbt_manifest(SHOP), owner=None)
    assert [(removal.fqn, removal.retired, removal.reason) for removal in report.removed] == [
        ("analytics.core.closing", False, None),
        ("analytics.core.old", False, None),
    ]
    report = await run_sync(world, dbt_manifest(SHOP), owner=None, retire_removed=True)
    assert [(removal.fqn, removal.retired) for removal in report.removed] == [
        ("analytics.core.closing", False),
        ("analytics.core.old", True),
    ]
    assert report.removed[0].proposal_id is not None
    support = (await find_readers(world))["support", "analytics.core.closing"].consumer_team_id
    assert await world.asked(await world.proposal(report.removed[0].proposal_id)) == {support}
    back = await run_sync(world, dbt_manifest(SHOP, team_table("old", "shop", "id")), owner=None)
    assert next(model for model in back.models if model.fqn.endswith("old")).outcome is SyncOutcome.PUBLISHED


async def test_a_sync_skips_refused_tables_and_applies_the_remaining_ones_unless_it_is_atomic(world: World) -> None:
    await run_sync(world, dbt_manifest(SHOP, team_table("other", "shop", "id")), owner=None)
    await world.register(await asset_at(world, FQN), await world.team("support"))
    await run_sync(world, dbt_manifest(team_table("orders", "shop", "id", "total")), owner=None)
    conflicting = dbt_manifest(team_table("orders", "shop", "id"), team_table("other", "shop", "id", "more"))
    size = await world.size()
    with pytest.raises(Conflict, match=f"{FQN}: "):
        await run_sync(world, conflicting, owner=None, atomic=True)
    assert await world.size() == size
    report = await run_sync(world, conflicting, owner=None)
    assert {model.fqn: model.outcome for model in report.models} == {
        FQN: SyncOutcome.SKIPPED,
        "analytics.core.other": SyncOutcome.PUBLISHED,
    }
    assert "open proposal" in (report.models[0].reason or "")
    assert report.models[0].is_refused


async def test_versions_and_the_date_of_deprecation_are_kept_with_the_asset(world: World) -> None:
    node = team_table("orders", "shop", "id", version=2, latest_version=3, deprecation_date="2027-01-01T00:00:00Z")
    await run_sync(world, dbt_manifest(node), owner=None)
    properties = (await asset_at(world, FQN)).meta["dbt"]
    assert (properties["version"], properties["latest_version"], properties["deprecation_date"]) == (
        "2",
        "3",
        "2027-01-01T00:00:00Z",
    )


async def test_a_contract_published_without_dbt_is_seen_by_the_next_sync(world: World) -> None:
    await run_sync(world, dbt_manifest(SHOP), owner=None)
    asset = await asset_at(world, FQN)
    active = await world.active(asset)
    assert active is not None
    await world.publish(asset, {**active.schema_def, "description": "By hand."})
    report = await run_sync(world, dbt_manifest(SHOP), owner=None)
    assert report.models[0].outcome is SyncOutcome.PUBLISHED


async def test_a_key_of_one_team_syncs_the_tables_of_that_team_only(world: World) -> None:
    await run_sync(world, dbt_manifest(SHOP, MART), owner=None)
    finance = (await find_readers(world))["finance", FQN].consumer_team_id
    actor = Actor("ci", finance, frozenset({Scope.WRITE}))
    changed = dbt_manifest(team_table("orders", "shop", "id"), {**MART, "description": "New."})
    async with world.database.write() as session:
        report = await sync_manifest(session, actor, dbt.parse_manifest(changed), SyncOptions())
    assert {model.fqn: model.outcome for model in report.models} == {
        FQN: SyncOutcome.SKIPPED,
        "analytics.core.closing": SyncOutcome.UNCHANGED,
    }
    assert (await asset_at(world, "analytics.core.closing")).description == "New."


async def test_a_plan_without_locks_is_made_again_if_something_was_written_since(world: World) -> None:
    await run_sync(world, dbt_manifest(SHOP), owner=None)
    owner = Actor("ci", (await asset_at(world, FQN)).owner_team_id, frozenset({Scope.WRITE}))
    manifest = dbt_manifest(team_table("orders", "shop", "id", "note"), team_table("b", "shop", "id"))
    draft = await plan(world, manifest, actor=owner, purpose=Purpose.RELEASE)
    assert {table.state for table in draft.tables.values()} == {"UNREAD", "NEW"}
    finance = await world.team("finance")
    await world.register(await asset_at(world, FQN), finance, "total")
    await world.asset("analytics.core.b", finance)
    async with world.database.write() as session:
        report = (await sync_batch(session, dbt.parse_manifest(manifest), SyncProgress(draft))).build_report()
    assert {model.fqn: (model.outcome, model.reason) for model in report.models} == {
        FQN: (SyncOutcome.PROPOSED, None),
        "analytics.core.b": (SyncOutcome.SKIPPED, "it belongs to another team than this key"),
    }
