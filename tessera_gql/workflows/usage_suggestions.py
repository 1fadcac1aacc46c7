"""Suggestions by observed reads: the teams of principals, and the fields of registrations."""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from tessera_gql.policy.usage_suggestions import PrincipalSiblings, TeamSuggestion, list_team_names, suggest_team
from tessera_gql.store import coverage, teams, usage
from tessera_gql.store.session import Session

SMALL = 1_000
"""Rules that are compared on the event loop: a few milliseconds."""


async def load_suggested_teams(session: Session, names: Sequence[str]) -> list[TeamSuggestion | None]:
    """Load the suggested teams of principals by their names, in that order, with two statements."""
    rules = [(rule.pattern, rule.team_id) for rule in await usage.list_rules(session)]
    siblings = await asyncio.to_thread(PrincipalSiblings, rules) if len(rules) > SMALL else PrincipalSiblings(rules)
    candidates = sorted({candidate for name in names for candidate in list_team_names(name)})
    rows = await teams.by_names(session, candidates) if candidates else []
    by_name = {row.name_key: row.id for row in rows if row.archived_at is None}
    return [suggest_team(name, siblings, by_name) for name in names]


async def load_team_reads(session: Session, keys: Sequence[tuple[UUID, UUID]]) -> list[dict[str, datetime]]:
    """Load when teams were last seen reading the fields of assets, by asset id and team id."""
    reads: dict[tuple[UUID, UUID], dict[str, datetime]] = {key: {} for key in keys}
    for read in await coverage.load_team_reads(session, {asset for asset, _ in keys}):
        if (key := (read.asset_id, read.team_id)) in reads:
            reads[key][read.field] = read.last_seen
    return [reads[key] for key in keys]
