"""Views of what waits for teams, grouped by change set, and of all asks of a team, with what they are filtered by."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy import ColumnElement, FromClause, Select, bindparam, case, func, select, union_all

from tessera_gql.policy.enums import AcknowledgmentState
from tessera_gql.store.compiled import PreparedQuery, in_values, list_parameter
from tessera_gql.store.proposals import ACKNOWLEDGMENTS, IS_OPEN
from tessera_gql.store.proposals import TABLE as PROPOSALS
from tessera_gql.store.session import Session
from tessera_gql.store.tables import Asset, Team, UTCDateTime, table
from tessera_gql.store.tables.base import enum_column_type

ASSETS = table(Asset)
TEAMS = table(Team)
COLUMNS = ACKNOWLEDGMENTS.c
NOW = bindparam("now", type_=UTCDateTime())
"""The time of the session, which decides whether a delegation still holds."""
GROUP_ID = func.coalesce(PROPOSALS.c.change_set_id, PROPOSALS.c.id)
GROUPED = (COLUMNS.id, COLUMNS.consumer_team_id, COLUMNS.proposal_id, COLUMNS.due_at, COLUMNS.policy)


def _select_asks(
    columns: Sequence[ColumnElement[Any]], inbox_team: ColumnElement[Any], *conditions: ColumnElement[bool]
) -> Select[Any]:
    """Select the asks that open proposals wait for, for the inbox of a team."""
    is_awaited = sa.and_(IS_OPEN, COLUMNS.response.is_(None), COLUMNS.released_at.is_(None))
    return (
        select(
            *columns,
            inbox_team.label("inbox_team_id"),
            GROUP_ID.label("group_id"),
            PROPOSALS.c.change_set_id.label("change_set_id"),
        )
        .join_from(ACKNOWLEDGMENTS, PROPOSALS, PROPOSALS.c.id == COLUMNS.proposal_id)
        .join(ASSETS, ASSETS.c.id == PROPOSALS.c.asset_id)
        .join(TEAMS, TEAMS.c.id == COLUMNS.consumer_team_id)
        .where(is_awaited, *conditions)
    )


def _is_independent(team: ColumnElement[Any]) -> ColumnElement[bool]:
    """Build the condition that a team neither owns the asset nor proposes the change: else it answers for no other."""
    return sa.and_(team != ASSETS.c.owner_team_id, team != PROPOSALS.c.proposed_by)


def _select_inbox(columns: Sequence[ColumnElement[Any]]) -> FromClause:
    """Select the asks of a team itself, of teams whose delegate it is, and those that were escalated to it."""
    delegate, escalation = TEAMS.c.delegate_team_id, COLUMNS.escalated_to
    is_delegated = TEAMS.c.delegate_until > NOW
    is_delegate_only = sa.or_(escalation.is_(None), escalation != delegate)
    return union_all(
        _select_asks(columns, COLUMNS.consumer_team_id),
        _select_asks(columns, delegate, is_delegated, is_delegate_only, _is_independent(delegate)),
        _select_asks(columns, escalation, escalation.is_not(None), _is_independent(escalation)),
    ).subquery()


def _group(asks: FromClause) -> FromClause:
    """Group asks by inbox, asked team and change set: the first row of each group, with the number of its tables."""
    columns = asks.c
    partition = (columns.inbox_team_id, columns.consumer_team_id, columns.group_id)
    rank = func.row_number().over(partition_by=partition, order_by=(columns.due_at, columns.id))
    ranked = select(
        asks,
        rank.label("rank_in_group"),
        func.count().over(partition_by=partition).label("table_count"),
        case((columns.change_set_id.is_(None), columns.proposal_id)).label("single_proposal_id"),
        case((columns.inbox_team_id != columns.consumer_team_id, columns.consumer_team_id)).label("on_behalf_of_id"),
    ).subquery()
    return select(ranked).where(ranked.c.rank_in_group == 1).subquery()


INBOX_GROUPS = _group(_select_inbox(GROUPED))
"""What waits for a team as `inbox_team_id`: a row for each change set, or proposal without one, and asked team."""
OWN_GROUPS = _group(_select_asks(GROUPED, COLUMNS.consumer_team_id).subquery())
"""The same of all teams, without those that may answer for them."""

GroupKey = tuple[UUID, UUID, UUID]
"""Inbox team, asked team, and the id of the change set or proposal."""


def _build_asks_of_groups(dialect: str) -> Select[Any]:
    asks = _select_inbox([*COLUMNS])
    conditions = [in_values(dialect, asks.c[name], list_parameter(name, asks.c[name])) for name in GROUP_COLUMNS]
    return select(asks).where(*conditions).order_by(asks.c.due_at, asks.c.id)


GROUP_COLUMNS = ("inbox_team_id", "consumer_team_id", "group_id")
_ASKS_OF_GROUPS = PreparedQuery(_build_asks_of_groups)


async def load_asks(session: Session, keys: Sequence[GroupKey]) -> list[list[Any]]:
    """Load the acknowledgments of groups, by due date."""
    values = dict(zip(GROUP_COLUMNS, ([*dict.fromkeys(part)] for part in zip(*keys, strict=True)), strict=True))
    groups: dict[GroupKey, list[Any]] = {key: [] for key in keys}
    for row in await session.fetch(_ASKS_OF_GROUPS, now=session.now, **values):
        if (group := groups.get((row.inbox_team_id, row.consumer_team_id, row.group_id))) is not None:
            group.append(row)
    return [groups[key] for key in keys]


_STATES = case(
    (sa.not_(IS_OPEN), AcknowledgmentState.ENDED.value),
    (COLUMNS.released_at.is_not(None), AcknowledgmentState.RELEASED.value),
    (COLUMNS.response.is_(None), AcknowledgmentState.AWAITED.value),
    else_=AcknowledgmentState.ANSWERED.value,
)
TEAM_ACKNOWLEDGMENTS = (
    select(
        ACKNOWLEDGMENTS,
        PROPOSALS.c.asset_id,
        PROPOSALS.c.change_set_id,
        ASSETS.c.owner_team_id,
        sa.type_coerce(_STATES, enum_column_type(AcknowledgmentState)).label("state"),
    )
    .join_from(ACKNOWLEDGMENTS, PROPOSALS, PROPOSALS.c.id == COLUMNS.proposal_id)
    .join(ASSETS, ASSETS.c.id == PROPOSALS.c.asset_id)
    .subquery()
)
"""All acknowledgments with asset, owner, change set and state, by which the list of a team is filtered."""
