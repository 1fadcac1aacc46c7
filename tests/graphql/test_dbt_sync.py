"""The sync of a dbt manifest: dry run, first and repeated sync, retry, and breaking changes."""

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tessera_gql.store.tables import Asset
from tests.formats.manifests import column, table
from tests.formats.manifests import manifest as build_manifest
from tests.graphql.conftest import Ask
from tests.world import World

DATA = Path(__file__).resolve().parents[2] / "../shared/data/dbt_manifests"

SYNC = """
mutation ($input: SyncDbtManifestInput!) {
  syncDbtManifest(input: $input) {
    report {
      models {
        fqn outcome reason isRefused owner { name }
        asset { fqn owner { name } } contract { version } proposal { status } changes { path }
      }
      dependenciesAdded dependenciesRemoved teamsCreated warnings
      registrationsCreated registrationsUpdated registrationsEnded
      removed { fqn cause successor retired reason asset { fqn } proposal { status } asked { name } }
      reads { fqn upstream fields why }
    }
    errors { code field message }
  }
}
"""


@pytest.fixture
def manifest() -> Any:
    path = DATA / "jaffle_shop_v12.json"
    if not path.exists():
        pytest.skip(f"{path.name} is not there: real manifests are in shared/data, beside the checkout")
    return json.loads(path.read_text())


async def test_a_dry_run_reports_everything_and_writes_nothing(world: World, ask: Ask, manifest: Any) -> None:
    await world.team("analytics")
    before = await world.size()
    payload = (await ask(SYNC, input={"manifest": manifest, "owner": {"name": "analytics"}, "dryRun": True}))[
        "syncDbtManifest"
    ]
    assert payload["errors"] == []
    created = [model for model in payload["report"]["models"] if model["outcome"] == "CREATED"]
    assert created
    assert {(table["owner"]["name"], table["asset"]) for table in created} == {("analytics", None)}
    assert await world.size() == before


async def test_a_manifest_synchronised_twice_changes_nothing_the_second_time(
    world: World, ask: Ask, manifest: Any
) -> None:
    await world.team("analytics")
    arguments = {"manifest": manifest, "owner": {"name": "analytics"}}
    first = (await ask(SYNC, input=arguments))["syncDbtManifest"]["report"]
    assert first["dependenciesAdded"] > 0
    before = await world.size()
    second = (await ask(SYNC, input=arguments))["syncDbtManifest"]["report"]
    assert {model["outcome"] for model in second["models"]} <= {"UNCHANGED", "SKIPPED"}
    assert second["dependenciesAdded"] == 0
    assert await world.size() == before


async def test_a_retried_sync_gets_the_first_report(world: World, ask: Ask, manifest: Any) -> None:
    await world.team("analytics")
    arguments = {"manifest": manifest, "owner": {"name": "analytics"}, "idempotencyKey": "run 1"}
    first = await ask(SYNC, input=arguments)
    before = await world.size()
    assert await ask(SYNC, input=arguments) == first
    assert await world.size() == before


@pytest.mark.parametrize("junk", [{}, [], "text", None, {"metadata": {}}, {"nodes": 1}])
async def test_an_invalid_manifest_is_refused(junk: Any, world: World, answer: Ask) -> None:
    await world.team("analytics")
    reply = await answer(SYNC, input={"manifest": junk, "owner": {"name": "analytics"}})
    if "errors" in reply:
        assert reply["errors"][0]["extensions"]["code"] == "BAD_REQUEST"
        return
    error = reply["data"]["syncDbtManifest"]["errors"][0]
    assert error["code"] == "INVALID"
    assert error["field"] == ["input", "manifest"]


async def test_an_owner_of_the_manifest_is_mapped_to_a_team_whose_reads_are_registered(
    world: World, ask: Ask, manifest: Any
) -> None:
    await world.team("analytics")
    finance = await world.team("finance")
    mart = next(node for node in manifest["nodes"].values() if node["name"] == "customers")
    mart["config"]["meta"] = mart["meta"] = {"owner": "Finance & Controlling"}
    arguments = {
        "manifest": manifest,
        "owner": {"name": "analytics"},
        "owners": [{"owner": "Finance & Controlling", "team": "finance"}],
        "idempotencyKey": "mapped",
    }
    first = await ask(SYNC, input=arguments)
    report = first["syncDbtManifest"]["report"]
    owners = {model["fqn"]: model["asset"]["owner"]["name"] for model in report["models"]}
    (own_fqn,) = [fqn for fqn, owner in owners.items() if owner == finance.name]
    assert own_fqn.endswith(".customers")
    assert report["registrationsCreated"] > 0
    assert {edge["fqn"] for edge in report["reads"] if owners[edge["upstream"]] == "analytics"} == {own_fqn}
    assert await ask(SYNC, input=arguments) == first


async def test_a_table_removed_from_the_manifest_is_reported_and_retired_only_on_request(
    world: World, ask: Ask, manifest: Any
) -> None:
    await world.team("analytics")
    arguments = {"manifest": manifest, "owner": {"name": "analytics"}}
    await ask(SYNC, input=arguments)
    removed_key = next(key for key, node in manifest["nodes"].items() if node["name"] == "customers")
    del manifest["nodes"][removed_key]
    removed = (await ask(SYNC, input=arguments))["syncDbtManifest"]["report"]["removed"]
    assert [(item["fqn"].split(".")[-1], item["retired"]) for item in removed] == [("customers", False)]
    payload = await ask(SYNC, input={**arguments, "retireRemoved": True})
    assert [table["retired"] for table in payload["syncDbtManifest"]["report"]["removed"]] == [True]


async def test_a_preview_and_an_unchanged_sync_leave_other_writers_alone(
    world: World, ask: Ask, counted: Callable[[], Any], manifest: Any
) -> None:
    await world.team("analytics")
    arguments = {"manifest": manifest, "owner": {"name": "analytics"}}
    await ask(SYNC, input=arguments)
    async with world.database.write():  # on SQLite this is the only writer that there may be
        await ask(SYNC, input={**arguments, "dryRun": True})
        changed = {**manifest, "nodes": dict(list(manifest["nodes"].items())[:-1])}
        await ask(SYNC, input={**arguments, "manifest": changed, "dryRun": True})
    with counted() as statements:
        await ask(SYNC, input=arguments)
    assert len(statements) < 12


async def test_a_sync_of_many_changed_tables_takes_several_transactions_and_reports_all_of_them(
    world: World, ask: Ask
) -> None:
    names = [f"table_{number:03}" for number in range(80)]

    def project(*columns: str) -> dict[str, Any]:
        return build_manifest(*(table(name, *(column(key, "bigint") for key in columns)) for name in names))

    await world.team("analytics")
    arguments = {"owner": {"name": "analytics"}, "idempotencyKey": "first"}
    await ask(SYNC, input={**arguments, "manifest": project("id", "total")})
    reader = await world.team("growth")
    for asset in (await world.rows(Asset))[:3]:
        await world.register(asset, reader, "total")
    second = {**arguments, "manifest": project("id"), "idempotencyKey": "second"}
    payload = (await ask(SYNC, input=second))["syncDbtManifest"]
    assert payload["errors"] == []
    outcomes = Counter(model["outcome"] for model in payload["report"]["models"])
    assert outcomes == {"PUBLISHED": len(names) - 3, "PROPOSED": 3}
    assert (await world.kinds()).count("MANIFEST_SYNCED") > 2
    size = await world.size()
    assert (await ask(SYNC, input=second))["syncDbtManifest"] == payload
    assert await world.size() == size


async def test_a_late_retry_of_a_sync_of_many_tables_writes_nothing_over_what_came_after_it(
    world: World, ask: Ask
) -> None:
    names = [f"table_{number:03}" for number in range(80)]

    def request(key: str, *columns: str) -> dict[str, Any]:
        tables = [table(name, *(column(each, "bigint") for each in columns)) for name in names]
        return {"owner": {"name": "analytics"}, "idempotencyKey": key, "manifest": build_manifest(*tables)}

    await world.team("analytics")
    for arguments in (request("first", "id"), request("second", "id", "total"), request("third", "id", "note")):
        await ask(SYNC, input=arguments)
    size = await world.size()
    retried = (await ask(SYNC, input=request("second", "id", "total")))["syncDbtManifest"]
    assert retried["errors"] == []
    (error,) = (await ask(SYNC, input=request("third", "id", "total")))["syncDbtManifest"]["errors"]
    assert error["code"] == "CONFLICT"
    assert await world.size() == size


async def test_an_atomic_sync_of_many_changed_tables_takes_one_transaction(world: World, ask: Ask) -> None:
    names = [f"table_{number:03}" for number in range(80)]
    wide, narrow = (
        build_manifest(*(table(name, *(column(key, "bigint") for key in columns)) for name in names))
        for columns in (("id", "total"), ("id",))
    )
    await world.team("analytics")
    await ask(SYNC, input={"owner": {"name": "analytics"}, "manifest": wide})
    await ask(SYNC, input={"owner": {"name": "analytics"}, "manifest": narrow, "atomic": True})
    assert (await world.kinds()).count("MANIFEST_SYNCED") == 2
