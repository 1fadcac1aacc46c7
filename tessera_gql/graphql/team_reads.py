"""Lists of a team about what it reads: deprecations that concern it, and registrations that it could narrow."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import strawberry
from strawberry import UNSET

from tessera_gql.graphql.connections import After, Before, Connection, First, Last
from tessera_gql.graphql.context import Info
from tessera_gql.graphql.ids import global_id
from tessera_gql.graphql.registrations import suggest_narrower_fields
from tessera_gql.graphql.slices import SliceRequest, slice_page
from tessera_gql.graphql.type_registry import lazy_type, load_type
from tessera_gql.policy.deprecation import find_read
from tessera_gql.store import tables

MAX_CANDIDATES = 500
"""Registrations of a team that are looked at for a suggestion, the oldest first."""
LATEST = datetime.max.replace(tzinfo=UTC)


def to_page(type_name: str, rows: Sequence[Any], request: SliceRequest) -> Connection[Any]:
    """Build a page of a list of rows that is in memory. Raise Invalid for a bad size or cursor."""
    cursors = [global_id(type_name, row.id) for row in rows]
    window, page_info = slice_page(cursors, request)

    async def load_count() -> int:
        return len(rows)

    return Connection(
        nodes=[*map(load_type(type_name).of, rows[window])],
        cursor=lambda index: cursors[window][index],
        has_next=page_info.has_next_page,
        has_previous=page_info.has_previous_page,
        load_count=load_count,
    )


async def load_deprecations(info: Info, team_id: UUID) -> list[tables.Deprecation]:
    """Load the live deprecations of what a team is registered for, the earliest sunset first, those without it last."""
    loaders = info.context.loaders
    registrations = await loaders.registrations_of_team.load(team_id)
    by_asset = await loaders.deprecations_of_asset.load_many([row.asset_id for row in registrations])
    concerned = {
        item.id: item
        for row, items in zip(registrations, by_asset, strict=True)
        for item in find_read(items, row.fields)
    }
    return sorted(concerned.values(), key=lambda item: (item.sunset_at or LATEST, item.asset_id, item.path))


async def load_narrower_registrations(info: Info, team_id: UUID) -> list[tables.Registration]:
    """Load the registrations of a team for which fewer fields would do, the oldest first."""
    rows = [row for row in await info.context.loaders.registrations_of_team.load(team_id) if not row.consumer_asset_id]
    candidates = rows[:MAX_CANDIDATES]
    suggestions = await suggest_narrower_fields(info, candidates)
    return [row for row, suggestion in zip(candidates, suggestions, strict=True) if suggestion is not None]


def team_deprecations() -> Any:
    """Declare the deprecations that concern a team."""
    return _declare_list(
        "Deprecation",
        load_deprecations,
        "The deprecations that hold of what the team is registered for, the earliest sunset first.",
    )


def team_narrower_registrations() -> Any:
    """Declare the registrations that a team could narrow."""
    return _declare_list(
        "Registration",
        load_narrower_registrations,
        "The registrations of the team for which fewer fields would do, as `suggestedFields` of each says;"
        f" the {MAX_CANDIDATES} oldest ones are looked at.",
    )


def _declare_list(type_name: str, load: Callable[[Info, UUID], Awaitable[list[Any]]], description: str) -> Any:
    """Declare a connection of rows that are loaded for one team."""

    async def resolve(
        root: Any, info: Info, first: First = UNSET, after: After = UNSET, last: Last = UNSET, before: Before = UNSET
    ) -> Any:
        rows = await load(info, root.row.id)
        return to_page(type_name, rows, SliceRequest(first, after, last, before))

    return strawberry.field(resolver=resolve, graphql_type=lazy_type(f"{type_name}Connection"), description=description)
