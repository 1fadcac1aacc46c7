"""Queries of what still uses an asset or a team, which prevents archiving it."""

from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from sqlalchemy import Select, or_, select

from tessera_gql.policy.enums import DebtKind
from tessera_gql.store import (
    assets,
    contracts,
    debts,
    keys,
    lineage,
    projects,
    proposals,
    registrations,
    teams,
    usage,
    webhooks,
)
from tessera_gql.store.session import Session

IS_LIVE = assets.TABLE.c.archived_at.is_(None)


async def list_dependents(session: Session, asset: UUID) -> list[str]:
    """Load the fqns of the live assets that are made from the asset."""
    edges = lineage.TABLE.c
    joined = assets.TABLE.join(lineage.TABLE, edges.dependent_asset_id == assets.TABLE.c.id)
    return await _names(session, _names_of_assets(joined).where(edges.dependency_asset_id == asset, IS_LIVE))


async def list_readers(session: Session, asset: UUID) -> list[str]:
    """Load the names of the teams that are registered with the asset."""
    rows = registrations.TABLE.c
    joined = teams.TABLE.join(registrations.TABLE, rows.consumer_team_id == teams.TABLE.c.id)
    return await _names(session, _names_of_teams(joined).where(rows.asset_id == asset, registrations.IS_LIVE))


async def list_read_assets(session: Session, consumer_asset: UUID) -> list[str]:
    """Load the fqns of the assets with which the consumer asset is registered."""
    rows = registrations.TABLE.c
    joined = assets.TABLE.join(registrations.TABLE, rows.asset_id == assets.TABLE.c.id)
    is_of_consumer = rows.consumer_asset_id == consumer_asset
    return await _names(session, _names_of_assets(joined).where(is_of_consumer, registrations.IS_LIVE))


async def list_owned_assets(session: Session, team: UUID) -> list[str]:
    """Load the fqns of the live assets of a team."""
    return await _names(session, _names_of_assets(assets.TABLE).where(assets.TABLE.c.owner_team_id == team, IS_LIVE))


async def list_assets_of_reader(session: Session, team: UUID) -> list[str]:
    """Load the fqns of the assets with which a team is registered."""
    rows = registrations.TABLE.c
    joined = assets.TABLE.join(registrations.TABLE, rows.asset_id == assets.TABLE.c.id)
    return await _names(session, _names_of_assets(joined).where(rows.consumer_team_id == team, registrations.IS_LIVE))


async def list_asking_assets(session: Session, team: UUID) -> list[str]:
    """Load the fqns of the assets with an open proposal that asks the team, or that it may answer for another one."""
    rows = proposals.ACKNOWLEDGMENTS.c
    joined = assets.TABLE.join(proposals.TABLE, proposals.TABLE.c.asset_id == assets.TABLE.c.id).join(
        proposals.ACKNOWLEDGMENTS, rows.proposal_id == proposals.TABLE.c.id
    )
    is_of_team = or_(rows.consumer_team_id == team, rows.escalated_to == team)
    return await _names(
        session, _names_of_assets(joined).where(is_of_team, rows.released_at.is_(None), proposals.IS_OPEN)
    )


async def list_unanswered_assets(session: Session, team: UUID) -> list[str]:
    """Load the fqns of the assets with a forced publish that did not ask the team and that it has not answered."""
    rows = debts.TABLE.c
    joined = assets.TABLE.join(debts.TABLE, rows.asset_id == assets.TABLE.c.id)
    is_forced = (rows.team_id == team) & (rows.kind == DebtKind.FORCED)
    return await _names(session, _names_of_assets(joined).where(is_forced, debts.IS_OPEN))


async def list_patterns(session: Session, team: UUID) -> list[str]:
    """Load the patterns of the rules that give principals to a team."""
    rows = usage.RULES.c
    return await _names(session, select(rows.pattern.label("name")).where(rows.team_id == team))


async def list_observed_teams(session: Session, asset: UUID) -> list[str]:
    """Load the names of the teams but the owner that were seen to read the active contract of the asset."""
    if await contracts.find_active(session, asset) is None:
        return []
    readers = {item.team_id for item in (await usage.load_observed_readers(session, [asset]))[asset]}
    owned = select(assets.TABLE.c.owner_team_id).where(assets.TABLE.c.id == asset)
    is_reader = session.in_values(teams.TABLE.c.id, readers)
    return await _names(session, _names_of_teams(teams.TABLE).where(is_reader, teams.TABLE.c.id.not_in(owned)))


async def list_valid_keys(session: Session, team: UUID) -> list[str]:
    """Load the names of the API keys of a team that are neither revoked nor expired."""
    rows = keys.TABLE.c
    is_valid = rows.revoked_at.is_(None) & or_(rows.expires_at.is_(None), rows.expires_at > session.now)
    return await _names(session, select(rows.name.label("name")).where(rows.team_id == team, is_valid))


async def list_projects(session: Session, team: UUID) -> list[str]:
    """Load the names of the projects of which a team is an owner."""
    rows, owners = projects.TABLE.c, projects.OWNERS.c
    joined = projects.TABLE.join(projects.OWNERS, owners.project_id == rows.id)
    return await _names(
        session, select(rows.name.label("name")).select_from(joined).where(owners.team_id == team).distinct()
    )


async def list_webhook_hosts(session: Session, team: UUID) -> list[str]:
    """Load the hosts of the active webhooks of a team; the rest of an address may be a secret."""
    rows = webhooks.TABLE.c
    active = await session.rows(select(rows.url).where(rows.team_id == team, rows.is_active.is_(True)))
    return sorted({urlsplit(row.url).hostname or "" for row in active})


async def list_represented_teams(session: Session, team: UUID) -> list[str]:
    """Load the names of the live teams that have the team as delegate, until a later moment, or as escalation team."""
    rows = teams.TABLE.c
    is_delegate = (rows.delegate_team_id == team) & (rows.delegate_until > session.now)
    condition = or_(is_delegate, rows.escalation_team_id == team)
    return await _names(session, _names_of_teams(teams.TABLE).where(condition, rows.archived_at.is_(None)))


def _names_of_assets(source: Any) -> Select[Any]:
    return select(assets.TABLE.c.fqn.label("name")).select_from(source).distinct()


def _names_of_teams(source: Any) -> Select[Any]:
    return select(teams.TABLE.c.name.label("name")).select_from(source).distinct()


async def _names(session: Session, statement: Select[Any]) -> list[str]:
    return sorted(row.name for row in await session.rows(statement))
