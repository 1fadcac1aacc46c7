"""The view of what teams owe: answers to asks, promised migrations, and debts, each with its date."""

from typing import Any

import sqlalchemy as sa
from sqlalchemy import ColumnElement, Select, Uuid, select, union_all

from tessera_gql.policy.enums import ObligationKind, Response
from tessera_gql.store import debts
from tessera_gql.store.proposals import ACKNOWLEDGMENTS, IS_OPEN
from tessera_gql.store.proposals import TABLE as PROPOSALS
from tessera_gql.store.tables.base import enum_column_type

COLUMNS = ACKNOWLEDGMENTS.c
NONE: ColumnElement[Any] = sa.cast(sa.null(), Uuid)


def _kind(kind: ObligationKind) -> ColumnElement[Any]:
    return sa.type_coerce(sa.literal(kind.value, sa.String), enum_column_type(ObligationKind)).label("kind")


def _select_asks(kind: ObligationKind, date: ColumnElement[Any], *conditions: ColumnElement[bool]) -> Select[Any]:
    """Select the asks of open proposals that count and meet the conditions."""
    columns: list[ColumnElement[Any]] = [
        COLUMNS.id,
        COLUMNS.consumer_team_id.label("team_id"),
        _kind(kind),
        date.label("due_at"),
        COLUMNS.id.label("acknowledgment_id"),
        NONE.label("debt_id"),
    ]
    return (
        select(*columns)
        .join_from(ACKNOWLEDGMENTS, PROPOSALS, PROPOSALS.c.id == COLUMNS.proposal_id)
        .where(IS_OPEN, COLUMNS.released_at.is_(None), *conditions)
    )


OBLIGATIONS = union_all(
    _select_asks(ObligationKind.ANSWER, COLUMNS.due_at, COLUMNS.response.is_(None)),
    _select_asks(ObligationKind.MIGRATION, COLUMNS.migration_deadline, COLUMNS.response == Response.MIGRATING),
    select(
        debts.TABLE.c.id,
        debts.TABLE.c.team_id,
        _kind(ObligationKind.DEBT),
        debts.TABLE.c.since.label("due_at"),
        NONE.label("acknowledgment_id"),
        debts.TABLE.c.id.label("debt_id"),
    ).where(debts.IS_OPEN),
).subquery()
"""What each team owes, by `team_id`; `due_at` of a debt is the time since which it is owed."""
