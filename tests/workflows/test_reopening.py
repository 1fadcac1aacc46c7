"""A team reopens an approved proposal by its registrations once, in whatever way they come back."""

from tessera_gql.formats import dbt
from tessera_gql.policy.access import ANONYMOUS, Actor, Scope
from tessera_gql.policy.enums import Intent, ProposalStatus, Response
from tessera_gql.policy.global_ids import encode_global_id
from tessera_gql.store.tables import Asset, Proposal, Team
from tessera_gql.store.teams import TeamRef
from tessera_gql.workflows.dbt.options import SyncOptions
from tessera_gql.workflows.dbt.report import SyncReport
from tessera_gql.workflows.dbt.sync import sync_manifest
from tests.formats.manifests import manifest, source
from tests.workflows.dbt_syncs import of_project, team_table
from tests.world import World, adding, without

LIMITED = "REOPENING_LIMITED"


async def sync(world: World, team: Team, *columns: str, actor: Actor | None = None) -> SyncReport:
    """Sync the manifest of a team that has one report, which reads these columns of the table, or none."""
    reads = {"nodes": ["source.shop.orders"] if columns else []}
    query = f"select {', '.join(columns)} from analytics.core.orders" if columns else "select 1 as id"
    report = team_table("report", team.name, "id", depends_on=reads, compiled_code=query)
    parsed = dbt.parse_manifest(of_project(manifest(source("orders"), report), team.name))
    async with world.database.write() as session:
        key = Actor(team.name, team.id, frozenset({Scope.READ, Scope.WRITE}))
        return await sync_manifest(session, actor or key, parsed, SyncOptions(owner=TeamRef(id=team.id)))


async def reopened(world: World) -> tuple[Asset, Proposal, Team]:
    """An approved proposal that a team's syncs have reopened once, and left again."""
    asset = await world.published(consumers=1)
    proposal = (await world.publish(asset, without("note"), intent=Intent.ASK)).proposal
    assert proposal is not None
    await world.answer(proposal, world.consumers[0], Response.APPROVED)
    team = await world.team("late")
    await sync(world, team, "note")
    assert await status(world, proposal) is ProposalStatus.PENDING
    await sync(world, team)
    assert await status(world, proposal) is ProposalStatus.APPROVED
    return asset, proposal, team


async def status(world: World, proposal: Proposal) -> ProposalStatus:
    return (await world.proposal(proposal.id)).status


async def is_asked(world: World, proposal: Proposal, team: Team) -> bool:
    return team.id in await world.asked(proposal)


async def test_a_sync_that_reads_again_is_written_and_its_team_informed_but_not_asked(world: World) -> None:
    _, proposal, team = await reopened(world)
    report = await sync(world, team, "note")
    (warning,) = report.warnings
    assert warning.startswith("late reads again what the approved proposal of analytics.core.orders breaks (")
    assert encode_global_id("Proposal", proposal.id) in warning
    assert team.id in {row.consumer_team_id for row in await world.registrations()}
    assert not await is_asked(world, proposal, team)
    assert await status(world, proposal) is ProposalStatus.APPROVED
    [event] = [item for item in await world.events() if item.kind == LIMITED]
    assert str(team.id) in event.teams
    assert (await sync(world, team, "note", "total")).warnings == ()
    assert (await world.kinds()).count(LIMITED) == 1


async def test_the_limit_holds_when_another_team_changes_its_registration(world: World) -> None:
    asset, proposal, team = await reopened(world)
    await sync(world, team, "note")
    await world.register(asset, await world.team("bystander"), "total")
    assert not await is_asked(world, proposal, team)
    assert await status(world, proposal) is ProposalStatus.APPROVED


async def test_an_administrator_and_a_proposal_that_is_open_anyway_ask_the_team(world: World) -> None:
    asset, proposal, team = await reopened(world)
    await sync(world, team, "note")
    await world.answer(proposal, world.consumers[0], Response.BLOCKED)
    await world.register(asset, await world.team("bystander"), "total")
    assert await is_asked(world, proposal, team)
    await sync(world, team)
    await world.answer(proposal, world.consumers[0], Response.APPROVED)
    await sync(world, team, "note", actor=ANONYMOUS)
    assert await is_asked(world, proposal, team)


async def test_a_rebase_asks_the_team_about_all_that_it_reads(world: World) -> None:
    asset, proposal, team = await reopened(world)
    await sync(world, team, "note")
    await world.publish(asset, adding("more"))
    await world.publish(asset, without("note"), intent=Intent.ASK)
    assert await is_asked(world, proposal, team)
