"""Archived assets and teams and confirmed tiers are marked in files, and pulled as they were."""

import shutil
from pathlib import Path

import pytest

from tessera_gql.errors import Conflict
from tessera_gql.policy.access import ANONYMOUS
from tessera_gql.policy.enums import AssetTier
from tessera_gql.store.assets import AssetRef
from tessera_gql.store.database import Database
from tessera_gql.store.tables import Asset, Team
from tessera_gql.store.teams import TeamRef
from tessera_gql.workflows import archiving, assets
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
