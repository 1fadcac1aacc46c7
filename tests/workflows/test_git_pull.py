"""Edited files are pulled into the database, or refused with file and line."""

from pathlib import Path
from typing import Any

import pytest

from tessera_gql.diff import Mode
from tessera_gql.errors import Conflict, Invalid, Refusal
from tessera_gql.formats import git_files
from tessera_gql.policy.enums import Response
from tessera_gql.store import assets
from tessera_gql.store.assets import AssetRef
from tessera_gql.store.database import Database
from tessera_gql.store.tables import Team
from tessera_gql.workflows.git import folder as git_folder
from tessera_gql.workflows.git.state import PullResult
from tests.workflows.git_folders import ORDERS_FILE, pull, push
from tests.workflows.test_lineage_asks import chain, link, propose
from tests.world import ORDERS, World, adding, without


def edit(folder: Path, asset: str = "analytics.core.orders", /, **changes: Any) -> None:
    """Change values in the file of an asset."""
    path = folder / f"assets/{asset}.yaml"
    file = git_files.parse_file(path.read_text())
    assert isinstance(file, git_files.AssetFile)
    path.write_text(git_files.render_file(git_files.AssetFile(**(vars(file) | changes))))


def registrations_of(folder: Path, fqn: str, **changes: Any) -> tuple[git_files.RegistrationEntry, ...]:
    """The registrations in the file of an asset, with changed values."""
    file = git_files.parse_file((folder / f"assets/{fqn}.yaml").read_text())
    assert isinstance(file, git_files.AssetFile)
    return tuple(git_files.RegistrationEntry(**(vars(entry) | changes)) for entry in file.registrations)


def newer(folder: Path, schema: Any, version: str, **changes: Any) -> None:
    file = git_files.parse_file((folder / ORDERS_FILE).read_text())
    assert isinstance(file, git_files.AssetFile)
    last = file.contracts[-1]
    before = [git_files.ContractEntry(**(vars(entry) | {"status": "DEPRECATED"})) for entry in file.contracts]
    values = vars(last) | {"version": version, "schema": schema} | changes
    edit(folder, contracts=(*before, git_files.ContractEntry(**values)))


async def test_a_newer_compatible_contract_in_a_file_is_published(world: World, tmp_path: Path) -> None:
    asset = await world.published(consumers=1)
    await push(world.database, tmp_path)
    newer(tmp_path, adding("coupon"), "1.1.0")
    assert (await pull(world.database, tmp_path)).contracts_published == 1
    active = await world.active(asset)
    assert active is not None
    assert active.version == "1.1.0"
    assert await pull(world.database, tmp_path) == PullResult()


async def test_a_breaking_contract_in_a_file_waits_for_its_readers(world: World, tmp_path: Path) -> None:
    asset = await world.published(consumers=2)
    await push(world.database, tmp_path)
    newer(tmp_path, without("note"), "2.0.0")
    assert (await pull(world.database, tmp_path)).proposals_opened == 1
    active = await world.active(asset)
    assert active is not None
    assert active.version == "1.0.0"
    size = await world.size()
    assert await pull(world.database, tmp_path) == PullResult()
    assert await world.size() == size


async def test_a_weaker_mode_in_a_file_waits_for_its_readers(world: World, tmp_path: Path) -> None:
    asset = await world.published(consumers=2)
    await push(world.database, tmp_path)
    newer(tmp_path, ORDERS, "2.0.0", compatibility_mode="NONE")
    assert (await pull(world.database, tmp_path)).proposals_opened == 1
    active = await world.active(asset)
    assert active is not None
    assert (active.version, active.compatibility_mode) == ("1.0.0", Mode.BACKWARD)


async def test_a_version_with_too_small_a_bump_is_refused_with_its_line(world: World, tmp_path: Path) -> None:
    await world.published(consumers=1)
    await push(world.database, tmp_path)
    newer(tmp_path, without("note"), "1.0.1")
    size = await world.size()
    with pytest.raises(Invalid, match=rf"{ORDERS_FILE}, line \d+: Version 1.0.1 promises less"):
        await pull(world.database, tmp_path)
    assert await world.size() == size


async def test_a_published_contract_can_not_be_rewritten_in_a_file(world: World, tmp_path: Path) -> None:
    await world.published()
    await push(world.database, tmp_path)
    text = (tmp_path / ORDERS_FILE).read_text()
    (tmp_path / ORDERS_FILE).write_text(text.replace("type: number", "type: string"))
    with pytest.raises(Conflict, match="never changes"):
        await pull(world.database, tmp_path)


async def test_a_consumer_in_a_file_is_asked_by_the_open_proposal(world: World, tmp_path: Path) -> None:
    _, proposal = await world.proposed(consumers=1)
    late = await world.team("late")
    await push(world.database, tmp_path)
    file = git_files.parse_file((tmp_path / ORDERS_FILE).read_text())
    assert isinstance(file, git_files.AssetFile)
    entry = git_files.RegistrationEntry(**(vars(file.registrations[0]) | {"consumer": "LATE"}))
    edit(tmp_path, registrations=(*file.registrations, entry))
    assert (await pull(world.database, tmp_path)).registrations_created == 1
    assert late.id in await world.asked(proposal)
    await world.answer(proposal, late, Response.BLOCKED)


async def test_a_consumer_in_a_file_is_asked_by_the_open_proposal_of_a_source(world: World, tmp_path: Path) -> None:
    orders, staging, _, finance = await chain(world)
    (owner,) = [team for team in await world.rows(Team) if team.id == orders.owner_team_id]
    bare = await world.asset("staging.bare", owner)
    for asset in (staging, bare):
        await link(world, orders, asset, ("note", "note"))
        await world.register(asset, finance, "total")
    proposal = await propose(world, orders, "note")
    assert await world.asked(proposal) == set()
    await world.team("late")
    await push(world.database, tmp_path)
    for asset, consumers in ((staging, ("finance",)), (bare, ("finance", "late"))):
        entries = registrations_of(tmp_path, asset.fqn, fields=("note",))
        further = [git_files.RegistrationEntry(**(vars(entries[0]) | {"consumer": name})) for name in consumers[1:]]
        edit(tmp_path, asset.fqn, registrations=(*entries, *further))
        await pull(world.database, tmp_path)
        names = {team.id: team.name for team in await world.rows(Team)}
        assert {names[team] for team in await world.asked(proposal)} == {*consumers}
    for asset in (staging, bare):
        edit(tmp_path, asset.fqn, registrations=registrations_of(tmp_path, asset.fqn, fields=("total",)))
    await pull(world.database, tmp_path)
    assert await world.asked(proposal) == set()
    proofs = [row.released_by for row in await world.acknowledgments(proposal)]
    assert {(proof or {})["kind"] for proof in proofs} == {"REGISTRATION"}


async def test_what_one_registration_of_a_file_no_longer_reads_and_another_one_does_is_still_asked(
    world: World, tmp_path: Path
) -> None:
    asset = await world.published()
    finance = await world.team("finance")
    reports = [await world.asset(f"finance.report_{number}", finance) for number in range(2)]
    for report, column in zip(reports, ("note", "total"), strict=True):
        await world.register(asset, finance, column, via=report)
    proposal = await propose(world, asset, "note")
    await world.answer(proposal, finance, Response.APPROVED)
    await push(world.database, tmp_path)
    entries = registrations_of(tmp_path, asset.fqn)
    swapped = [
        git_files.RegistrationEntry(**(vars(entry) | {"fields": peer.fields}))
        for entry, peer in zip(entries, reversed(entries), strict=True)
    ]
    edit(tmp_path, registrations=tuple(swapped))
    assert (await pull(world.database, tmp_path)).registrations_updated == 2
    (row,) = await world.acknowledgments(proposal)
    assert (row.response, row.released_at) == (Response.APPROVED, None)
    assert "ACKNOWLEDGMENT_RELEASED" not in await world.kinds()


async def test_descriptions_owners_and_readings_follow_the_files(world: World, tmp_path: Path) -> None:
    asset = await world.published(consumers=1)
    await world.team("heirs")
    await push(world.database, tmp_path)
    file = git_files.parse_file((tmp_path / ORDERS_FILE).read_text())
    assert isinstance(file, git_files.AssetFile)
    entry = git_files.RegistrationEntry(**(vars(file.registrations[0]) | {"fields": ("note",), "purpose": "Tax."}))
    edit(tmp_path, owner="heirs", description="Orders.", registrations=(entry,))
    result = await pull(world.database, tmp_path)
    assert (result.assets_updated, result.registrations_updated) == (1, 1)
    async with world.database.read() as session:
        now = await assets.get(session, AssetRef(id=asset.id))
    assert (now.description, now.owner_team_id == asset.owner_team_id) == ("Orders.", False)


MISTAKES: list[tuple[dict[str, Any], str]] = [
    ({"owner": "nobody"}, "no team nobody"),
    ({"fqn": "orders"}, "not a fully qualified name"),
    ({"resource_type": "SHEET"}, "none of TABLE"),
    ({"metadata": {"a": "x" * 70_000}}, "larger than"),
    ({"dependencies": (git_files.DependencyEntry(asset="a.b", type="CONSUMES", evidence="DECLARED"),)}, "no asset a.b"),
    (
        {
            "dependencies": (
                git_files.DependencyEntry(asset="analytics.core.orders", type="CONSUMES", evidence="DECLARED"),
            )
        },
        "depend on itself",
    ),
]


async def test_a_mistake_is_refused_with_file_and_line_and_changes_nothing(world: World, tmp_path: Path) -> None:
    await world.published()
    await push(world.database, tmp_path)
    good = (tmp_path / ORDERS_FILE).read_text()
    size = await world.size()
    for changes, message in MISTAKES:
        edit(tmp_path, **changes)
        with pytest.raises(Refusal, match=rf"{ORDERS_FILE}, line \d+: .*{message}"):
            await pull(world.database, tmp_path)
        (tmp_path / ORDERS_FILE).write_text(good)
    assert await world.size() == size


async def test_a_history_with_two_active_versions_or_an_invalid_schema_is_refused(
    world: World, empty_database: Database, tmp_path: Path
) -> None:
    await world.published()
    await push(world.database, tmp_path)
    file = git_files.parse_file((tmp_path / ORDERS_FILE).read_text())
    assert isinstance(file, git_files.AssetFile)
    contract = file.contracts[0]
    for entry, message in (
        (git_files.ContractEntry(**(vars(contract) | {"version": "2.0.0"})), "second version is ACTIVE"),
        (
            git_files.ContractEntry(**(vars(contract) | {"version": "two", "status": "RETIRED"})),
            "not a semantic version",
        ),
        (
            git_files.ContractEntry(
                **(vars(contract) | {"version": "2.0.0", "status": "RETIRED", "schema": {"type": 7}})
            ),
            "can't be a contract",
        ),
        (git_files.ContractEntry(**(vars(contract) | {"status": "RETIRED"})), "the same stands"),
    ):
        edit(tmp_path, contracts=(contract, entry))
        with pytest.raises(Refusal, match=rf"{ORDERS_FILE}, line \d+: .*{message}"):
            await pull(empty_database, tmp_path)


def test_every_file_that_is_no_yaml_is_named_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "teams").mkdir()
    (tmp_path / "teams/a.yaml").write_text("kind: team\nformat: 1\nname: a\n  b: c\n")
    (tmp_path / "teams/b.yaml").write_bytes(b"kind: team\nname: \xff\n")
    (tmp_path / "teams/c.yaml").write_text(
        git_files.render_file(git_files.AssetFile(fqn="a.b", owner="a", resource_type="X", compatibility_mode="Y"))
    )
    with pytest.raises(Invalid) as refused:
        git_folder.load_files(tmp_path)
    lines = refused.value.message.splitlines()[1:]
    assert [line.split(":")[0] for line in lines] == [
        "teams/a.yaml, line 4",
        "teams/b.yaml, line 2",
        "teams/c.yaml, line 2",
    ]


async def test_the_schema_in_a_file_is_plain_json(world: World, tmp_path: Path) -> None:
    await world.published()
    await push(world.database, tmp_path)
    file = git_files.parse_file((tmp_path / ORDERS_FILE).read_text())
    assert isinstance(file, git_files.AssetFile)
    assert file.contracts[0].schema == ORDERS


@pytest.mark.parametrize(
    "known_columns", [{"id": "bigint"}, {"id": {"declared": 7}}, {"id": {"type": "bigint"}}, {"id": None}]
)
async def test_known_columns_of_another_shape_are_refused_with_file_and_line(
    world: World, empty_database: Database, tmp_path: Path, known_columns: Any
) -> None:
    await world.published()
    await push(world.database, tmp_path)
    newer(tmp_path, ORDERS, "1.0.1", known_columns=known_columns)
    for database in (world.database, empty_database):
        with pytest.raises(Invalid, match=rf"{ORDERS_FILE}, line \d+: `known_columns` has for 'id'"):
            await pull(database, tmp_path)


async def test_a_file_without_known_columns_leaves_those_of_the_database(world: World, tmp_path: Path) -> None:
    await world.published(known_columns={"id": {"observed": "bigint"}})
    await push(world.database, tmp_path)
    path = tmp_path / ORDERS_FILE
    file = git_files.parse_file(path.read_text())
    assert isinstance(file, git_files.AssetFile)
    entry = git_files.ContractEntry(**(vars(file.contracts[0]) | {"known_columns": None}))
    edit(tmp_path, contracts=(entry,))
    assert await pull(world.database, tmp_path) == PullResult()
