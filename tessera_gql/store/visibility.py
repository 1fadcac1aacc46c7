"""The table of `policy.visibility` in SQL: private rows are left out by the statement that reads or counts them."""

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any

from sqlalchemy import Column, ColumnElement, FromClause, Select, Text, Uuid, bindparam, case, cast, func, or_, select

from tessera_gql.policy.visibility import KEY_MARK, PREFIX_LENGTH, PUBLIC_KINDS, View
from tessera_gql.store.session import Session
from tessera_gql.store.statements import Question, among, many
from tessera_gql.store.tables import ApiKey, EventRow, Webhook, WebhookDelivery, table

KEYS = table(ApiKey)
WEBHOOKS = table(Webhook)
DELIVERIES = table(WebhookDelivery)
EVENTS = table(EventRow)

TEAM = bindparam("viewer_team", type_=Uuid())
PATTERN = bindparam("viewer_pattern", type_=Text())
KEY = bindparam("viewer_key", type_=Uuid())


def _key(_dialect: str) -> ColumnElement[bool]:
    return or_(KEYS.c.team_id == TEAM, KEYS.c.id == KEY)


def _webhook(_dialect: str) -> ColumnElement[bool]:
    return WEBHOOKS.c.team_id == TEAM


def _delivery(_dialect: str) -> ColumnElement[bool]:
    return DELIVERIES.c.webhook_id.in_(select(WEBHOOKS.c.id).where(WEBHOOKS.c.team_id == TEAM))


def _event(dialect: str) -> ColumnElement[bool]:
    is_public = among(dialect, EVENTS.c.kind, many("public_kinds", EVENTS.c.kind))
    return or_(is_public, cast(EVENTS.c.teams, Text).like(PATTERN))


# Each is null or false for a caller without a team, so that one statement serves every caller who sees not all.
PRIVATE: Mapping[FromClause, Callable[[str], ColumnElement[bool]]] = {
    KEYS: _key,
    WEBHOOKS: _webhook,
    DELIVERIES: _delivery,
    EVENTS: _event,
}
"""For each table with private rows the condition of those that a caller sees."""

NAMES = frozenset({KEYS.c.created_by, EVENTS.c.actor})
"""Columns that may hold the name of an API key."""


def is_restricted(source: FromClause, view: View) -> bool:
    """Whether statements on the table must be restricted for this caller."""
    return not view.is_whole and source in PRIVATE


def parameters(view: View) -> dict[str, Any]:
    """The values of the parameters of a restricted statement; others do not name them."""
    team = view.team_id
    return {
        "viewer_team": team,
        "viewer_pattern": f"%{team}%" if team else None,
        "viewer_key": view.key_id,
        "public_kinds": sorted(PUBLIC_KINDS),
    }


def visible(source: FromClause, dialect: str) -> ColumnElement[bool]:
    """The condition of the rows that a caller sees, of a table of PRIVATE."""
    return PRIVATE[source](dialect)


def visible_column(column: ColumnElement[Any]) -> ColumnElement[Any]:
    """The column as a restricted caller sees and filters it; the same as `policy.visibility.public_actor`."""
    origin = next(iter(column.base_columns), column)
    if origin not in NAMES:
        return column
    mark = f" ({KEY_MARK}"
    length = func.length(column)
    is_key = (func.substr(column, length - PREFIX_LENGTH - 2, len(mark)) == mark) & (func.substr(column, length) == ")")
    renamed = "key " + func.substr(column, length - PREFIX_LENGTH, PREFIX_LENGTH)
    return case((is_key, renamed), else_=column).label(column.key)


def columns(source: FromClause, *, restricted: bool) -> list[ColumnElement[Any]]:
    """The columns of a table, or of an alias of it, as they are selected."""
    return [visible_column(column) if restricted else column for column in source.c]


async def rows(session: Session, by: Column[Any], wanted: Sequence[Any], view: View) -> list[Any]:
    """Whole rows that have one of `wanted` in the column, as far as the caller sees them."""
    question = _rows(by, is_restricted(by.table, view))
    return [*await session.ask(question, wanted=wanted, **parameters(view))]


@lru_cache
def _rows(by: Column[Any], restricted: bool) -> Question:  # noqa: FBT001 - a part of the cache's key
    def build(dialect: str) -> Select[Any]:
        statement = select(*columns(by.table, restricted=restricted)).where(among(dialect, by, many("wanted", by)))
        return statement.where(visible(by.table, dialect)) if restricted else statement

    return Question(build, by.table, [by.key])
