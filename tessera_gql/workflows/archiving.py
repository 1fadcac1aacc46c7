"""Archive and restore assets and teams. What is still in use can't be archived, and history stays."""

from uuid import UUID

from tessera_gql.policy.access import Action, Actor, authorize
from tessera_gql.policy.archive import require_live_team, require_unused
from tessera_gql.policy.catalog_events import AssetArchived, AssetUnarchived, TeamArchived, TeamUnarchived
from tessera_gql.policy.retirement import judge_retirement
from tessera_gql.store import archive, assets, contracts, proposals, teams
from tessera_gql.store.assets import AssetRef
from tessera_gql.store.session import Session
from tessera_gql.store.tables import Asset, Team
from tessera_gql.store.teams import TeamRef
from tessera_gql.workflows.affected_teams import lock_with_sources
from tessera_gql.workflows.coverage_holds import load_missing
from tessera_gql.workflows.proposal_lifecycle import update_upstream_proposals
from tessera_gql.workflows.teams import require_owning_team, require_row_version


async def archive_asset(
    session: Session, actor: Actor, ref: AssetRef, *, expected_row_version: int | None = None
) -> Asset:
    """Archive an asset as its owner; raises Conflict with all that still uses it. An archived one stays as it is.

    Its contracts, debts and events stay, and so does its name.
    """
    asset = await assets.lock(session, ref)
    await require_owning_team(session, actor, Action.ARCHIVE_ASSET, asset, f"archive {asset.fqn}")
    require_row_version(asset.row_version, expected_row_version, "asset")
    if asset.archived_at is not None:
        return asset
    await lock_with_sources(session, [asset.id])
    await require_unused_asset(session, asset)
    await mark_asset_archived(session, asset)
    await update_upstream_proposals(session, [asset.id])
    return await assets.get(session, AssetRef(id=asset.id))


async def mark_asset_archived(session: Session, asset: Asset) -> None:
    """Archive an asset that the caller has locked; `require_unused_asset` decides whether that is possible."""
    await session.update_row(Asset, asset.id, archived_at=session.now, row_version=asset.row_version + 1)
    audience = frozenset({asset.owner_team_id})
    session.record(AssetArchived(audience_team_ids=audience, asset_id=asset.id, fqn=asset.fqn))


async def require_unused_asset(session: Session, asset: Asset) -> None:
    """Raise Conflict with all that still uses an asset."""
    waiting = await proposals.find_open(session, asset.id)
    uses = [
        ("it has an open proposal ({})", [waiting.status.value] if waiting else []),
        ("its readers are {}", await archive.list_readers(session, asset.id)),
        ("{} were seen to read it", await archive.list_observed_teams(session, asset.id)),
        ("it is the source of {}", await archive.list_dependents(session, asset.id)),
        ("it is registered as a reader of {}", await archive.list_read_assets(session, asset.id)),
    ]
    if (contract := await contracts.find_active(session, asset.id)) is not None:
        missing = await load_missing(session, asset, judge_retirement(contract.compatibility_mode).breaking)
        uses.append(("its policy demands coverage that is missing ({})", [item.message for item in missing]))
    require_unused(asset.fqn, uses, "End these first; proposeRetirement asks the readers of an asset.")


async def unarchive_asset(
    session: Session, actor: Actor, ref: AssetRef, *, expected_row_version: int | None = None
) -> Asset:
    """Restore an archived asset as its owner, with its last contract. A live asset stays as it is."""
    asset = await assets.lock(session, ref)
    await require_owning_team(session, actor, Action.UNARCHIVE_ASSET, asset, f"restore {asset.fqn}")
    require_row_version(asset.row_version, expected_row_version, "asset")
    return await restore_asset(session, asset)


async def restore_asset(session: Session, asset: Asset, reason: str | None = None) -> Asset:
    """Restore an archived asset that the caller has locked; raises Conflict if its owner is archived."""
    if asset.archived_at is None:
        return asset
    await require_live_teams(session, asset.owner_team_id)
    await lock_with_sources(session, [asset.id])
    await session.update_row(Asset, asset.id, archived_at=None, row_version=asset.row_version + 1)
    audience = frozenset({asset.owner_team_id})
    session.record(AssetUnarchived(audience_team_ids=audience, asset_id=asset.id, fqn=asset.fqn, reason=reason))
    await update_upstream_proposals(session, [asset.id])
    return await assets.get(session, AssetRef(id=asset.id))


async def archive_team(
    session: Session, actor: Actor, ref: TeamRef, *, expected_row_version: int | None = None
) -> Team:
    """Archive a team; raises Conflict with all that it still owns, reads and answers. An archived one stays as it is.

    The row is locked against new references to it, so that whoever gives the team something sees the result.
    """
    authorize(actor, Action.ARCHIVE_TEAM, None)
    team = await teams.lock(session, ref)
    require_row_version(team.row_version, expected_row_version, "team")
    if team.archived_at is not None:
        return team
    await require_unused_team(session, team)
    await mark_team_archived(session, team)
    return await teams.get(session, TeamRef(id=team.id))


async def mark_team_archived(session: Session, team: Team) -> None:
    """Archive a team that the caller has locked; `require_unused_team` decides whether that is possible."""
    await session.update_row(Team, team.id, archived_at=session.now, row_version=team.row_version + 1)
    session.record(TeamArchived(audience_team_ids=frozenset({team.id}), team_id=team.id, name=team.name))


async def require_unused_team(session: Session, team: Team) -> None:
    """Raise Conflict with all that a team still owns, reads and answers."""
    uses = [
        ("it owns {}", await archive.list_owned_assets(session, team.id)),
        ("it is registered with {}", await archive.list_assets_of_reader(session, team.id)),
        ("a proposal asks it about {}", await archive.list_asking_assets(session, team.id)),
        ("it has not answered a forced publish of {}", await archive.list_unanswered_assets(session, team.id)),
        ("the principals {} are its own", await archive.list_patterns(session, team.id)),
        ("it has the API keys {}", await archive.list_valid_keys(session, team.id)),
        ("it owns the projects {}", await archive.list_projects(session, team.id)),
        ("it has active webhooks to {}", await archive.list_webhook_hosts(session, team.id)),
        ("it is the delegate or the escalation team of {}", await archive.list_represented_teams(session, team.id)),
    ]
    require_unused(team.name, uses, "Transfer or archive the assets and end the rest, then archive the team.")


async def unarchive_team(
    session: Session, actor: Actor, ref: TeamRef, *, expected_row_version: int | None = None
) -> Team:
    """Restore an archived team. A live team stays as it is."""
    authorize(actor, Action.UNARCHIVE_TEAM, None)
    team = await teams.lock(session, ref)
    require_row_version(team.row_version, expected_row_version, "team")
    if team.archived_at is None:
        return team
    await session.update_row(Team, team.id, archived_at=None, row_version=team.row_version + 1)
    session.record(TeamUnarchived(audience_team_ids=frozenset({team.id}), team_id=team.id, name=team.name))
    return await teams.get(session, TeamRef(id=team.id))


async def require_live_teams(session: Session, *team_ids: UUID, field: tuple[str, ...] = ("team",)) -> None:
    """Raise Conflict for an archived team.

    After a row that refers to the team was written, this also sees an archiving that the write waited for.
    """
    for team in await teams.by_ids(session, [*team_ids]):
        require_live_team(team, field=field)
