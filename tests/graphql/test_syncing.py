"""A dbt manifest through the graph: dry, taken in, retried, and changed so that somebody is hurt."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.graphql.conftest import Ask
from tests.world import World

DATA = Path(__file__).resolve().parents[2] / "../shared/data/dbt_manifests"

SYNC = """
mutation ($input: SyncDbtManifestInput!) {
  syncDbtManifest(input: $input) {
    report {
      models {
        fqn outcome reason asset { fqn owner { name } } contract { version } proposal { status } changes { path }
      }
      dependenciesAdded dependenciesRemoved teamsCreated warnings
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


async def test_a_dry_run_tells_everything_and_writes_nothing(world: World, ask: Ask, manifest: Any) -> None:
    await world.team("analytics")
    before = await world.size()
    done = (await ask(SYNC, input={"manifest": manifest, "owner": {"name": "analytics"}, "dryRun": True}))[
        "syncDbtManifest"
    ]
    assert done["errors"] == []
    created = [one for one in done["report"]["models"] if one["outcome"] == "CREATED"]
    assert created
    assert all(one["asset"]["owner"] == {"name": "analytics"} for one in created)
    assert await world.size() == before


async def test_a_manifest_taken_in_twice_changes_nothing_the_second_time(world: World, ask: Ask, manifest: Any) -> None:
    await world.team("analytics")
    given = {"manifest": manifest, "owner": {"name": "analytics"}}
    first = (await ask(SYNC, input=given))["syncDbtManifest"]["report"]
    assert first["dependenciesAdded"] > 0
    before = await world.size()
    second = (await ask(SYNC, input=given))["syncDbtManifest"]["report"]
    assert {one["outcome"] for one in second["models"]} <= {"UNCHANGED", "SKIPPED"}
    assert second["dependenciesAdded"] == 0
    assert await world.size() == before


async def test_a_retried_sync_gets_the_first_report(world: World, ask: Ask, manifest: Any) -> None:
    await world.team("analytics")
    given = {"manifest": manifest, "owner": {"name": "analytics"}, "idempotencyKey": "run 1"}
    first = await ask(SYNC, input=given)
    before = await world.size()
    assert await ask(SYNC, input=given) == first
    assert await world.size() == before


@pytest.mark.parametrize("junk", [{}, [], "text", None, {"metadata": {}}, {"nodes": 1}])
async def test_what_is_no_manifest_is_refused(junk: Any, world: World, answer: Ask) -> None:
    await world.team("analytics")
    reply = await answer(SYNC, input={"manifest": junk, "owner": {"name": "analytics"}})
    if "errors" in reply:
        assert reply["errors"][0]["extensions"]["code"] == "BAD_REQUEST"
        return
    error = reply["data"]["syncDbtManifest"]["errors"][0]
    assert error["code"] == "INVALID"
    assert error["field"] == ["input", "manifest"]
