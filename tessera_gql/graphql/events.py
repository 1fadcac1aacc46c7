"""The event log as a list: the cursor of an event is the place that subscriptions resume from."""

import base64
import binascii
from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

import strawberry
from strawberry import UNSET

from tessera_gql.errors import Invalid
from tessera_gql.graphql.context import Info
from tessera_gql.graphql.filters import DateTimeFilter, EnumFilter, IdFilter, StringFilter, by, given
from tessera_gql.graphql.ids import Node, global_id
from tessera_gql.graphql.nouns import computed, many, shown
from tessera_gql.graphql.pages import (
    After,
    Before,
    Connection,
    First,
    Last,
    Listing,
    connection_field,
    ordering,
    request,
)
from tessera_gql.graphql.relations import one
from tessera_gql.graphql.rows import from_row
from tessera_gql.graphql.scalars import JSON
from tessera_gql.graphql.words import EventKind
from tessera_gql.store import events, tables
from tessera_gql.store.page import Condition, PageRequest

MAX_SEQUENCE = 2**62
TYPES = {"dependency": "AssetDependency"}


@strawberry.input(description="Looks into a list of ids.")
class IdListFilter:
    has: strawberry.ID | None = strawberry.field(default=UNSET, description="This one is among them.")


@strawberry.input(description="Which events.")
class EventFilter:
    kind: EnumFilter[EventKind] | None = by("kind", "What happened.")
    asset: IdFilter | None = by("asset_id", "The asset it is about.", kind="Asset")
    proposal: IdFilter | None = by("proposal_id", "The proposal it is about.", kind="Proposal")
    teams: IdListFilter | None = by("teams", "The teams it concerns.", kind="Team")
    actor: StringFilter | None = by("actor", "Who did it, as the caller sees the field `actor`.")
    occurred_at: DateTimeFilter | None = by("occurred_at", "When it happened.")


EVENTS = Listing(
    "Event",
    events.rows,
    "sequence",
    filter=EventFilter,
    order=ordering("Event", {"SEQUENCE": ("sequence", "The order in which it was committed.")}),
)


def cursor(sequence: int) -> str:
    return base64.urlsafe_b64encode(f"event:{sequence}".encode()).decode()


def place(text: str, name: str = "after") -> int:
    """The sequence in a cursor; raises Invalid."""
    try:
        kind, _, number = base64.urlsafe_b64decode(text.encode()).decode().partition(":")
        if kind == "event" and number.isdecimal() and int(number) < MAX_SEQUENCE:
            return int(number)
    except (ValueError, binascii.Error):
        pass
    raise Invalid(
        f"{text[:100]!r} in `{name}` is not the cursor of an event. Leave it out, or use a `cursor` that you got.",
        field=(name,),
    )


def _entity_id(row: tables.EventRow) -> strawberry.ID:
    return global_id(TYPES.get(row.entity_type, row.entity_type.capitalize()), row.entity_id)


@from_row(
    cursor=lambda row: cursor(row.sequence),
    kind=lambda row: EventKind(row.kind),
    entity_id=_entity_id,
)
@strawberry.type(description="Something that happened: a row of the audit log, never changed.")
class Event(Node):
    row: strawberry.Private[tables.EventRow]
    sequence: int = strawberry.field(
        description="Its place in the log, in the order of commits; a gap is an event that the caller does not see."
    )
    cursor: str = strawberry.field(description="Where to resume: `after` of lists and subscriptions.")
    kind: EventKind = strawberry.field(description="What happened.")
    entity_type: str = strawberry.field(description="What kind of thing it happened to.")
    entity_id: strawberry.ID = strawberry.field(description="The thing it happened to.")
    actor: str = strawberry.field(
        description="Who did it: a name, or `key` and the prefix of an API key; its name for administrators only."
    )
    payload: JSON = strawberry.field(description="The facts, as an object; ids in it are plain UUIDs.")
    occurred_at: datetime = strawberry.field(description="When it happened.")
    hash: str = strawberry.field(description="SHA-256 over the event and the hash of the one before it.")

    asset = one(
        "Asset", lambda loaders: loaders.asset, "asset_id", nullable=True, description="The asset it is about, if any."
    )
    proposal = one(
        "Proposal",
        lambda loaders: loaders.proposal,
        "proposal_id",
        nullable=True,
        description="The proposal it is about, if any.",
    )

    @computed("The teams it concerns: they are told.", many("Team"))
    async def teams(self, info: Info) -> Any:
        found = await info.context.loaders.team.load_many([UUID(team) for team in self.row.teams])
        return [shown("Team", row) for row in found if row is not None]


@strawberry.type(description="A page of events.")
class EventConnection(Connection[Event]):
    pass


def events_of(parent: str | None = None, *, description: str) -> Any:
    """A connection of events: of all, or of those whose `parent` column is the id of the row shown."""

    async def resolve(  # noqa: PLR0913 - the arguments of a connection
        root: Any,
        info: Info,
        *,
        first: First = UNSET,
        after: After = UNSET,
        last: Last = UNSET,
        before: Before = UNSET,
        where: Any = UNSET,
        order_by: Any = UNSET,
    ) -> Any:
        asked = request(EVENTS, {"first": first, "last": last, "where": where, "order_by": order_by})
        bounds = _bounds(given(after), given(before), descending=asked.descending)
        column, key = (parent, root.row.id) if parent else (None, None)
        bounded = replace(asked, conditions=asked.conditions + bounds)
        found = await info.context.loaders.pages(EVENTS.source, column, bounded).load(key)
        counted = PageRequest(order_by=EVENTS.order_by, conditions=asked.conditions)
        return Connection(
            nodes=[Event.of(row) for row in found.rows],
            cursor=lambda place: cursor(found.rows[place].sequence),
            has_next=found.has_next or (asked.backwards and given(before) is not None),
            has_previous=found.has_previous or (not asked.backwards and given(after) is not None),
            counted=lambda: info.context.loaders.counts(EVENTS.source, column, counted).load(key),
        )

    return connection_field(resolve, EVENTS, description, nested=parent is not None)


def _bounds(after: str | None, before: str | None, *, descending: bool) -> tuple[Condition, ...]:
    """The cursors as conditions: an event's place is its sequence."""
    above, below = (before, after) if descending else (after, before)
    found: list[Condition] = []
    if above is not None:
        found.append(Condition("sequence", "gte", place(above, "before" if descending else "after") + 1))
    if below is not None:
        found.append(Condition("sequence", "lt", place(below, "after" if descending else "before")))
    return tuple(found)


@strawberry.type
class Queries:
    events = events_of(
        description="The audit log, oldest first: everything that ever happened, but for events about API keys and"
        " webhooks, which only administrators and keys of their team with the scope WRITE see."
    )

    @computed("The cursor behind all that has happened: who listens `after` it misses nothing that comes.")
    async def event_cursor(self, info: Info) -> str | None:
        return cursor(await info.context.loaders.asked(events.last_sequence))
