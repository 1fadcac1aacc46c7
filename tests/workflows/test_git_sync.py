"""Push and pull write a database to files and read it back without loss."""

import os
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tessera_gql.diff import Mode
from tessera_gql.errors import Conflict, Forbidden, Invalid, Refusal
from tessera_gql.formats import dbt, git_files
from tessera_gql.formats.schema_documents import SchemaDocument, SchemaFormat
from tessera_gql.policy.access import ANONYMOUS, Actor, Scope
from tessera_gql.policy.deprecation import DeprecationTerms
from tessera_gql.policy.enums import ChangeType, DependencyType, ProposalKind, ProposalStatus
from tessera_gql.store import contracts
from tessera_gql.store.assets import AssetRef
from tessera_gql.store.database import Database
from tessera_gql.store.tables import Asset, Proposal, new_id
from tessera_gql.store.teams import TeamRef
from tessera_gql.workflows import assets as asset_verbs
from tessera_gql.workflows import contracts as contract_verbs
from tessera_gql.workflows import dependencies, deprecations, registrations
from tessera_gql.workflows import teams as team_verbs
from tessera_gql.workflows.assets import AssetDetails
from tessera_gql.workflows.dbt import sync
from tessera_gql.workflows.dbt.options import SyncOptions
from tessera_gql.workflows.dbt.report import SyncOutcome
from tessera_gql.workflows.deprecations import DeprecationRequest
from tessera_gql.workflows.git import folder as git_folder
from tessera_gql.workflows.git import sync as git_verbs
from tessera_gql.workflows.git.folder import Commit
from tessera_gql.workflows.git.state import PullResult
from tessera_gql.workflows.registrations import RegistrationDetails
from tessera_gql.workflows.teams import DelegateChange, EscalationChange, SubstituteChanges
from tests.conftest import FixedClock
from tests.workflows.git_folders import pull, push
from tests.world import World, adding

DEMO = Path(__file__).resolve().parents[2] / "tessera_gql/cli/shop_manifest.json"


def tree(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


async def create_catalog(world: World, clock: FixedClock) -> None:
    """Create everything that files contain, with unusual names."""
    async with world.database.write() as session:
        await team_verbs.create(session, ANONYMOUS, name="Équipe ✨", metadata={"slack": "#a", "on": ["no", 1.5, None]})
    asset = await world.published(consumers=2, guarantees={"freshness": {"hours": 24}})
    clock.advance(hours=1)
    await world.publish(asset, adding("coupon"), metadata={"ticket": "A-1"})
    clock.advance(days=2, microseconds=7)
    team = await world.team("con")
    substitutes = SubstituteChanges(
        DelegateChange(TeamRef(name="Équipe ✨"), clock.now + timedelta(days=30)),
        EscalationChange(TeamRef(name="producers")),
    )
    async with world.database.write() as session:
        await team_verbs.update(session, ANONYMOUS, TeamRef(id=team.id), substitutes=substitutes)
    twins = [
        await world.asset(fqn, team, description=text)
        for fqn, text in (("a.b_c", "One.\n\nTwo: x # y"), ("a_b.c", "no"))
    ]
    await world.publish(
        twins[0], {"type": "object", "properties": {"Ünï": {"enum": ["yes", "1e3", 1e-7, "\t"]}}}, mode=Mode.FULL
    )
    published = await world.publish(twins[1], True, version="3.0.0-rc.1+build.5")
    text = '{"type": "object",\n  "title": "kept: as # it is"}'
    drawn = await world.asset("drawn.t", team)
    await world.publish(drawn, {"type": "object"}, source=SchemaDocument(SchemaFormat.JSON_SCHEMA, text, part="a"))
    async with world.database.write() as session:
        assert published.contract is not None
        await contract_verbs.retire(session, ANONYMOUS, published.contract.id)
        reading = RegistrationDetails(("customer_id",), "1.0.0", "Because: tax.\nTwice a year.", {"jira": 7})
        await registrations.register(
            session,
            ANONYMOUS,
            AssetRef(id=asset.id),
            team=TeamRef(name="con"),
            consumer_asset=AssetRef(fqn="a.b_c"),
            details=reading,
        )
        await dependencies.add(
            session,
            ANONYMOUS,
            dependent=AssetRef(fqn="a.b_c"),
            dependency=AssetRef(id=asset.id),
            type_=DependencyType.CONSUMES,
        )
    await announce(world, clock, asset, twins[0])
    clock.advance(hours=1)
    ended = await world.register(twins[0], world.consumers[0])
    await world.unregister(ended)


async def announce(world: World, clock: FixedClock, asset: Asset, superseded: Asset) -> None:
    """Declare deprecations and a successor, and let schemas state others."""
    async with world.database.write() as session:
        details = AssetDetails(superseded_by=AssetRef(fqn="drawn.t"))
        await asset_verbs.update(session, ANONYMOUS, AssetRef(fqn="a.b_c"), details=details)
        terms = DeprecationTerms(clock.now + timedelta(days=20), "total: net", "Twice\nstored.")
        for fields in (("coupon", "note"), None):
            await deprecations.deprecate(session, ANONYMOUS, AssetRef(id=asset.id), DeprecationRequest(fields, terms))
    clock.advance(hours=1)
    await world.publish(asset, adding("coupon", {"type": "string", "deprecated": True, "x-sunset": "2030-01-01"}))
    await world.publish(
        superseded, {"type": "object", "deprecated": True, "x-sunset": "2029-02-03"}, force=True, reason="r"
    )


async def test_push_pull_into_an_empty_database_and_push_again_are_the_same_bytes(
    world: World, clock: FixedClock, empty_database: Database, tmp_path: Path
) -> None:
    await create_catalog(world, clock)
    empty_database.clock = clock
    first, second = tmp_path / "first", tmp_path / "second"
    result = await push(world.database, first)
    assert set(result.changed) == set(tree(first))
    assert {"assets/a.b_c.yaml", "assets/a_b.c.yaml"} < set(result.changed)
    pulled = await pull(empty_database, first)
    assert (pulled.teams_created, pulled.assets_created, pulled.contracts_restored) == (5, 4, 7)
    assert b"superseded_by: drawn.t" in tree(first)["assets/a.b_c.yaml"]
    assert pulled.deprecations_added == 4
    assert (pulled.registrations_created, pulled.dependencies_added) == (3, 1)
    await push(empty_database, second)
    assert tree(second) == tree(first)


async def test_a_dbt_project_survives_a_round_trip_through_files(
    world: World, empty_database: Database, tmp_path: Path
) -> None:
    manifest = dbt.parse_manifest(DEMO.read_bytes())
    await world.team("shop")
    async with world.database.write() as session:
        await sync.sync_manifest(
            session, ANONYMOUS, manifest, SyncOptions(owner=TeamRef(name="shop"), create_teams=True)
        )
    await push(world.database, tmp_path / "first")
    await pull(empty_database, tmp_path / "first")
    await push(empty_database, tmp_path / "second")
    assert tree(tmp_path / "first") == tree(tmp_path / "second")
    async with empty_database.write() as session:
        report = await sync.sync_manifest(session, ANONYMOUS, manifest, SyncOptions())
        assert {model.outcome for model in report.models} == {SyncOutcome.UNCHANGED}
        assert {event.kind for event in session.events} <= {"MANIFEST_SYNCED"}  # the files hold no column lineage
    async with empty_database.write() as session:
        await sync.sync_manifest(session, ANONYMOUS, manifest, SyncOptions())
        assert not session.events


async def test_a_second_push_writes_nothing_and_a_second_pull_writes_no_row(
    world: World, clock: FixedClock, tmp_path: Path
) -> None:
    await create_catalog(world, clock)
    await push(world.database, tmp_path)
    again = await push(world.database, tmp_path)
    assert (again.changed, again.removed) == ((), ())
    size = await world.size()
    assert await pull(world.database, tmp_path) == PullResult()
    assert await world.size() == size


async def test_files_of_unknown_assets_stay_and_are_named_until_they_are_pruned(world: World, tmp_path: Path) -> None:
    await world.published()
    await push(world.database, tmp_path)
    (tmp_path / "assets/README.md").write_text("mine")
    (tmp_path / "assets/mine.yaml").write_text("mine: true")
    unknown = git_files.AssetFile(fqn="x.y", owner="producers", resource_type="TABLE", compatibility_mode="NONE")
    text = git_files.render_file(unknown)
    (tmp_path / "assets/x.y.yaml").write_text(text)
    (tmp_path / "assets/new.yml").write_text(text.removeprefix(git_files.FILE_HEADER).replace("x.y", "x.z"))
    result = await push(world.database, tmp_path)
    assert (result.changed, result.removed, result.unknown) == ((), (), ("assets/new.yml", "assets/x.y.yaml"))
    pruned = await push(world.database, tmp_path, prune=True)
    assert (pruned.removed, pruned.unknown) == (("assets/x.y.yaml",), ("assets/new.yml",)), (
        "written by hand, not pulled yet"
    )
    assert {"assets/README.md", "assets/mine.yaml", "assets/new.yml"} < set(tree(tmp_path))


async def test_a_push_from_an_empty_database_removes_nothing(
    world: World, empty_database: Database, tmp_path: Path
) -> None:
    folder = tmp_path / "git"
    await world.published()
    await push(world.database, folder)
    before = tree(folder)
    result = await push(empty_database, folder)
    assert (result.changed, result.removed, result.unknown) == ((), (), tuple(sorted(before)))
    with pytest.raises(Conflict, match="every file would be removed"):
        await push(empty_database, folder, prune=True)
    assert tree(folder) == before


async def test_a_file_that_was_moved_is_pulled_and_updated_where_it_is(world: World, tmp_path: Path) -> None:
    folder = tmp_path / "git"
    asset = await world.published()
    await push(world.database, folder)
    (folder / "assets/shop/core").mkdir(parents=True)
    moved = "assets/shop/core/orders.yml"
    (folder / "assets/analytics.core.orders.yaml").rename(folder / moved)
    by_hand = (folder / moved).read_text().removeprefix(git_files.FILE_HEADER)
    (folder / moved).write_text(f"# By hand.\n{by_hand}")
    assert await pull(world.database, folder) == PullResult()
    await world.publish(asset, adding("coupon"))
    result = await push(world.database, folder)
    assert (result.changed, result.unknown) == ((moved,), ())
    assert set(tree(folder)) == {moved, "teams/producers.yaml"}
    assert b"coupon" in tree(folder)[moved]
    assert (await push(world.database, folder)).changed == ()


async def test_a_file_whose_edits_can_not_be_read_is_named_with_its_line_and_not_overwritten(
    world: World, tmp_path: Path
) -> None:
    folder = tmp_path / "git"
    await world.published()
    await push(world.database, folder)
    file = folder / "assets/analytics.core.orders.yaml"
    file.write_text(file.read_text().replace("owner: producers", "<<<<<<< ours\nowner: producers"))
    (folder / "teams/copy.yaml").write_text((folder / "teams/producers.yaml").read_text() + "metadata: {a: 1}\n")
    before = tree(folder)
    await world.team("later")
    with pytest.raises(Conflict) as refused:
        await push(world.database, folder)
    message = refused.value.message
    assert "assets/analytics.core.orders.yaml, line 6: " in message
    assert "teams/producers.yaml, line 1: the same team or asset is in teams/copy.yaml" in message
    assert tree(folder) == before


async def test_a_file_at_the_path_of_another_asset_is_not_overwritten(world: World, tmp_path: Path) -> None:
    team = await world.team("producers")
    await world.asset("a.b", team)
    await push(world.database, tmp_path)
    (tmp_path / "assets/a.b.yaml").rename(tmp_path / "assets/a.c.yaml")
    await world.asset("a.c", team)
    with pytest.raises(Conflict, match=r"assets/a\.c\.yaml is there already, for another team or asset"):
        await push(world.database, tmp_path)


@pytest.mark.parametrize(
    "known_columns", [{}, {"id": {"declared": None, "observed": "bigint"}, "b": {"observed": "text"}}]
)
async def test_known_columns_and_an_open_retirement_survive_a_round_trip(
    world: World, empty_database: Database, tmp_path: Path, known_columns: Any
) -> None:
    asset = await world.published(consumers=1, known_columns=known_columns)
    await propose_retirement(world, asset)
    await push(world.database, tmp_path / "first")
    await pull(empty_database, tmp_path / "first")
    await push(empty_database, tmp_path / "second")
    assert tree(tmp_path / "first") == tree(tmp_path / "second")
    async with empty_database.read() as session:
        (contract,) = await contracts.list_all(session)
    assert contract.known_columns == known_columns
    assert await pull(world.database, tmp_path / "first") == PullResult()
    (proposal,) = await world.rows(Proposal)
    assert (proposal.kind, proposal.status) == (ProposalKind.RETIREMENT, ProposalStatus.PENDING)


async def propose_retirement(world: World, asset: Asset) -> None:
    contract = await world.active(asset)
    assert contract is not None
    async with world.database.write() as session:
        proposal = Proposal(
            id=new_id(),
            asset_id=asset.id,
            base_contract_id=contract.id,
            kind=ProposalKind.RETIREMENT,
            compatibility_mode=contract.compatibility_mode,
            change_type=ChangeType.MAJOR,
            breaking_changes=[],
            fingerprint="f",
            status=ProposalStatus.PENDING,
            proposed_by=asset.owner_team_id,
            proposed_at=session.now,
            expires_at=session.now + timedelta(days=30),
            meta={},
            row_version=1,
            created_at=session.now,
        )
        await session.insert(proposal)


async def test_a_foreign_file_is_never_overwritten(world: World, tmp_path: Path) -> None:
    await world.published()
    (tmp_path / "assets").mkdir()
    (tmp_path / "assets/analytics.core.orders.yaml").write_text("mine: true")
    with pytest.raises(Conflict, match="is not the file of a team or asset"):
        await push(world.database, tmp_path)
    assert tree(tmp_path / "assets") == {"analytics.core.orders.yaml": b"mine: true"}


def test_a_failure_half_way_leaves_the_old_tree(tmp_path: Path) -> None:
    files = {f"teams/{name}.yaml": git_files.render_file(git_files.TeamFile(name=name)) for name in "abcde"}
    git_folder.save_files(tmp_path, {name: text for name, text in files.items() if name != "teams/c.yaml"})
    before = tree(tmp_path)
    left = 2

    def failing(source: Path, target: Path) -> None:
        nonlocal left
        left -= 1
        if left < 0:
            raise OSError(28, "No space left on device")
        source.replace(target)

    changed = {name: text + "metadata:\n  a: 1\n" for name, text in files.items() if name != "teams/e.yaml"}
    with pytest.raises(Conflict, match="as it was before"):
        git_folder.save_files(tmp_path, changed, prune=True, rename=failing)
    assert tree(tmp_path) == before
    git_folder.save_files(tmp_path, changed, prune=True)
    assert {name: text.encode() for name, text in changed.items()} == tree(tmp_path)


def test_concurrent_pushes_exclude_each_other_and_a_killed_push_is_recovered(tmp_path: Path) -> None:
    staging = tmp_path / git_folder.STAGING
    staging.mkdir()
    with pytest.raises(Conflict, match="Another push"):
        git_folder.save_files(tmp_path, {})
    long_ago = (datetime.now(UTC) - timedelta(hours=1)).timestamp()
    os.utime(staging, (long_ago, long_ago))
    git_folder.save_files(tmp_path, {})
    assert not staging.exists()


@pytest.mark.parametrize("location", ["assets", "assets/analytics.core.orders.yaml", "assets/shop"])
async def test_links_are_not_followed(world: World, tmp_path: Path, location: str) -> None:
    await world.published()
    outside, inside = tmp_path / "outside", tmp_path / "inside"
    await push(world.database, outside)
    (outside / "assets/shop").mkdir()
    inside.mkdir()
    (inside / location).parent.mkdir(exist_ok=True)
    (inside / location).symlink_to(outside / location)
    before = tree(outside)
    for verb in (push, pull):
        with pytest.raises(Refusal, match="link"):
            await verb(world.database, inside)
    assert tree(outside) == before


async def test_a_commit_contains_only_the_pushed_files(world: World, tmp_path: Path) -> None:
    def run_git(*words: str) -> str:
        return subprocess.run(["git", "-C", str(tmp_path), *words], capture_output=True, text=True, check=True).stdout

    await world.published()
    commit = Commit("Contracts as of today", "Ada <ada@example.org>")
    with pytest.raises(Conflict, match="git rev-parse says"):
        await push(world.database, tmp_path, commit=commit)
    assert not (tmp_path / "assets").exists()
    run_git("init", "-q")
    (tmp_path / "README.md").write_text("mine")
    result = await push(world.database, tmp_path, commit=commit)
    assert result.commit == run_git("rev-parse", "HEAD").strip()
    assert run_git("log", "-1", "--format=%s|%an <%ae>").strip() == "Contracts as of today|Ada <ada@example.org>"
    assert set(run_git("ls-files").split()) == {"assets/analytics.core.orders.yaml", "teams/producers.yaml"}
    assert (await push(world.database, tmp_path, commit=commit)).commit is None
    await world.team("later")
    await push(world.database, tmp_path)
    assert (await push(world.database, tmp_path, commit=commit)).commit == run_git("rev-parse", "HEAD").strip()


@pytest.mark.parametrize("author", ["--amend", "Ada", "Ada <a\nb>", "<a@b>"])
async def test_an_author_that_git_would_misread_is_refused(world: World, tmp_path: Path, author: str) -> None:
    with pytest.raises(Invalid, match="author"):
        await push(world.database, tmp_path, commit=Commit("x", author))


async def test_only_administrators_push_and_pull_and_only_where_a_folder_is_set(world: World, tmp_path: Path) -> None:
    team = await world.team("a")
    writer = Actor("writer", team.id, frozenset({Scope.WRITE}))
    async with world.database.read() as session:
        with pytest.raises(Forbidden):
            await git_verbs.push(session, writer, tmp_path)
        with pytest.raises(Forbidden):
            await git_verbs.pull(session, writer, [])
    with pytest.raises(Forbidden):
        await git_verbs.read_files(writer, tmp_path)
    with pytest.raises(Invalid, match="GIT_SYNC_PATH"):
        await push(world.database, None)
    with pytest.raises(Invalid, match="Push first"):
        await pull(world.database, tmp_path)
