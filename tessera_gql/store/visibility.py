"""The rules of `policy.visibility` as SQL conditions, so that statements neither return nor count hidden rows."""

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any

from sqlalchemy import Column, ColumnElement, FromClause, Select, Text, Uuid, bindparam, case, cast, func, or_, select

from tessera_gql.errors import NotFound
from tessera_gql.policy.visibility import API_KEY_MARKER, KEY_PREFIX_LENGTH, PUBLIC_EVENT_KINDS, Visibility
from tessera_gql.store.compiled import PreparedQuery, in_values, list_parameter
from tessera_gql.store.session import Session
from tessera_gql.store.tables import ApiKey, EventRow, ProjectOwner, Webhook, WebhookDelivery, table

KEYS = table(ApiKey)
WEBHOOKS = table(Webhook)
DELIVERIES = table(WebhookDelivery)
EVENTS = table(EventRow)
PROJECT_OWNERS = table(ProjectOwner)

VIEWER_TEAM = bindparam("viewer_team", type_=Uuid())
VIEWER_PATTERN = bindparam("viewer_pattern", type_=Text())
VIEWER_KEY = bindparam("viewer_key", type_=Uuid())


def _event_condition(dialect: str) -> ColumnElement[bool]:
    is_public = in_values(dialect, EVENTS.c.kind, list_parameter("public_kinds", EVENTS.c.kind))
    return or_(is_public, cast(EVENTS.c.teams, Text).like(VIEWER_PATTERN))


IS_OF_TEAM = WEBHOOKS.c.team_id == VIEWER_TEAM
# Each condition is null or false for a caller without a team, so that one statement serves all restricted callers.
VISIBILITY_CONDITIONS: Mapping[FromClause, Callable[[str], ColumnElement[bool]]] = {
    KEYS: lambda _dialect: or_(
        KEYS.c.team_id == VIEWER_TEAM,
        KEYS.c.id == VIEWER_KEY,
        KEYS.c.project_id.in_(select(PROJECT_OWNERS.c.project_id).where(PROJECT_OWNERS.c.team_id == VIEWER_TEAM)),
    ),
    WEBHOOKS: lambda _dialect: IS_OF_TEAM,
    DELIVERIES: lambda _dialect: DELIVERIES.c.webhook_id.in_(select(WEBHOOKS.c.id).where(IS_OF_TEAM)),
    EVENTS: _event_condition,
}
"""For each table with private rows the condition of the rows that a caller may see."""

ACTOR_COLUMNS = frozenset({KEYS.c.created_by, EVENTS.c.actor})
"""Columns with an actor's name, which may be the name of an API key."""


def is_restricted(source: FromClause, visibility: Visibility) -> bool:
    """Return whether statements on the table must be restricted for this caller."""
    return not visibility.is_unrestricted and source in VISIBILITY_CONDITIONS


def visibility_parameters(visibility: Visibility) -> dict[str, Any]:
    """Return the parameter values of restricted statements; other statements ignore them."""
    team = visibility.team_id
    return {
        "viewer_team": team,
        "viewer_pattern": f"%{team}%" if team else None,
        "viewer_key": visibility.key_id,
        "public_kinds": sorted(PUBLIC_EVENT_KINDS),
    }


def visibility_condition(source: FromClause, dialect: str) -> ColumnElement[bool]:
    """Build the condition of the rows that a caller may see, of a table with private rows."""
    return VISIBILITY_CONDITIONS[source](dialect)


def visible_column(column: ColumnElement[Any]) -> ColumnElement[Any]:
    """Mask a column for a restricted caller, as `policy.visibility.redact_actor` does in Python."""
    origin = next(iter(column.base_columns), column)
    if origin not in ACTOR_COLUMNS:
        return column
    mark = f" ({API_KEY_MARKER}"
    length = func.length(column)
    is_key = (func.substr(column, length - KEY_PREFIX_LENGTH - 2, len(mark)) == mark) & (
        func.substr(column, length) == ")"
    )
    public_name = "key " + func.substr(column, length - KEY_PREFIX_LENGTH, KEY_PREFIX_LENGTH)
    return case((is_key, public_name), else_=column).label(column.key)


def visible_columns(source: FromClause, *, restricted: bool) -> list[ColumnElement[Any]]:
    """Return the columns to select from a table or an alias of it, masked if restricted."""
    return [visible_column(column) if restricted else column for column in source.c]


async def load_visible_rows(
    session: Session, column: Column[Any], values: Sequence[Any], visibility: Visibility
) -> list[Any]:
    """Load the rows whose column has one of the values and that the caller may see."""
    query = _rows_query(column, is_restricted(column.table, visibility))
    return [*await session.fetch(query, values=values, **visibility_parameters(visibility))]


async def get_visible_row(
    session: Session, column: Column[Any], value: Any, visibility: Visibility, error: NotFound
) -> Any:
    """Return the row with this value; raise the error if it does not exist or the caller may not see it."""
    rows = await load_visible_rows(session, column, [value], visibility)
    if not rows:
        raise error
    return rows[0]


@lru_cache
def _rows_query(column: Column[Any], restricted: bool) -> PreparedQuery:  # noqa: FBT001 - a part of the cache's key
    def build(dialect: str) -> Select[Any]:
        is_requested = in_values(dialect, column, list_parameter("values", column))
        statement = select(*visible_columns(column.table, restricted=restricted)).where(is_requested)
        return statement.where(visibility_condition(column.table, dialect)) if restricted else statement

    return PreparedQuery(build, column.table, [column.key])
