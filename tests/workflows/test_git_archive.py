"""Archived assets and teams, confirmed tiers and policies of asks are in files, and pulled as they were."""

import shutil
from pathlib import Path

import pytest

from tessera_gql.errors import Conflict, Invalid
from tessera_gql.policy.access import ANONYMOUS
from tessera_gql.policy.ask_policy import AskPolicy
from tessera_gql.policy.enums import AssetTier, OnSilence
from tessera_gql.store import ask_policies
from tessera_gql.store.assets import AssetRef
from tessera_gql.store.database import Database
from tessera_gql.store.tables import Asset, Team
from tessera_gql.store.teams import TeamRef
from tessera_gql.workflows import archiving, assets
from tessera_gql.workflows.ask_policies import set_policy
from tests.workflows.git_folders import ORDERS_FILE, pull, push
from tests.world import World


async def archived_world(world: World) -> None:
    """Two archived assets of a team, one made from the restored, an archived team, and tiers."""
    asset = await world.published()
    owner = next(iter(await world.rows(Team)))
    await world.team("idle")
    first = await world.asset("analytics.core.old", owner)
    second = await world.asset("analytics.core.older", owner, tier=AssetTier.LOW)
    await world.depend(first, second)
    async with world.database.write() as session:
        await assets.set_tier(session, ANONYMOUS, AssetRef(id=asset.id), AssetTier.NORMAL)
        await archiving.archive_asset(session, ANONYMOUS, AssetRef(id=first.id))
        await archiving.archive_asset(session, ANONYMOUS, AssetRef(id=second.id))
        await archiving.archive_team(session, ANONYMOUS, TeamRef(name="idle"))


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*.yaml")}


def remove_marks(folder: Path) -> None:
    for path in folder.rglob("*.yaml"):
        path.write_text(path.read_text().replace("archived: true\n", ""))


async def test_archived_assets_and_teams_survive_a_round_trip_through_files(
    world: World, tmp_path: Path, sqlite_template: Path
) -> None:
    await archived_world(world)
    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir(), second.mkdir()
    await push(world.database, first)
    assert "\narchived: true\n" in (first / "teams/idle.yaml").read_text()
    assert "\ntier: NORMAL\ntier_confirmed: true\n" in (first / ORDERS_FILE).read_text()
    copied = shutil.copy(sqlite_template, tmp_path / "copy.db")
    restored = Database(f"sqlite:///{copied}", clock=world.database.clock)
    try:
        await pull(restored, first)
        await push(restored, second)
    finally:
        await restored.dispose()
    assert contents(first) == contents(second)


async def test_a_pull_restores_what_a_file_no_longer_marks_and_repeats_without_a_change(
    world: World, tmp_path: Path
) -> None:
    await archived_world(world)
    await push(world.database, tmp_path)
    size = await world.size()
    await pull(world.database, tmp_path)
    assert await world.size() == size
    remove_marks(tmp_path)
    await pull(world.database, tmp_path)
    assert [row.fqn for row in await world.rows(Asset) if row.archived_at] == []
    assert [row.name for row in await world.rows(Team) if row.archived_at] == []


async def test_a_mark_on_an_asset_that_is_read_is_refused_with_its_file(world: World, tmp_path: Path) -> None:
    await world.published(consumers=1)
    await push(world.database, tmp_path)
    path = tmp_path / ORDERS_FILE
    path.write_text(path.read_text().replace("compatibility_mode:", "archived: true\ncompatibility_mode:", 1))
    size = await world.size()
    with pytest.raises(Conflict, match=rf"{ORDERS_FILE}, line \d+: .*its readers are consumer-0"):
        await pull(world.database, tmp_path)
    assert await world.size() == size


async def test_policies_of_asks_are_files_that_a_pull_sets(world: World, tmp_path: Path) -> None:
    await world.published()
    async with world.database.write() as session:
        changes = {
            "due_days": 14,
            "remind_days_before": (7, 1),
            "on_silence": OnSilence.BLOCK,
            "require_coverage_days": 30,
        }
        await set_policy(session, ANONYMOUS, AssetTier.CRITICAL, changes)
    await push(world.database, tmp_path)
    file = tmp_path / "policies/critical.yaml"
    assert [path.name for path in file.parent.iterdir()] == ["critical.yaml"]
    assert "tier: CRITICAL\ndue_days: 14\nremind_days_before:\n- 7\n- 1\non_silence: BLOCK\n" in file.read_text()
    assert (await pull(world.database, tmp_path)).policies_updated == 0
    file.write_text(file.read_text().replace("due_days: 14", "due_days: 20").replace("- 7\n", ""))
    assert (await pull(world.database, tmp_path)).policies_updated == 1
    async with world.database.read() as session:
        policies = await ask_policies.load(session)
    assert policies == {AssetTier.CRITICAL: AskPolicy(20, (1,), None, OnSilence.BLOCK, 30)}
    text = file.read_text()
    for old, new, fault in (
        ("due_days: 20", "due_days: 0", "policies/critical.yaml, line 2: `due_days` is 0"),
        ("require_coverage_days: 30", "require_coverage_days: 0", "`require_coverage_days` is 0"),
        ("due_days: 20", "due_days: true", "`due_days` must be a whole number"),
        ("- 1", "- soon", "`remind_days_before` must be a list of whole numbers"),
        ("tier: CRITICAL", "tier: HUGE", "`HUGE` is none of CRITICAL, HIGH, NORMAL, LOW"),
        ("kind: policy", "kind: team", "`tier` is not known here"),
    ):
        file.write_text(text.replace(old, new))
        with pytest.raises(Invalid, match=fault):
            await pull(world.database, tmp_path)
