"""The event log as a connection. An event's cursor is the position from which a subscription resumes."""

import base64
import binascii
from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

import strawberry
from strawberry import UNSET

from tessera_gql.errors import Invalid
from tessera_gql.graphql.connections import Connection, connection_field, define_listing, parse_page_request
from tessera_gql.graphql.context import Info
from tessera_gql.graphql.event_kinds import EventKind
from tessera_gql.graphql.filters import (
    DateTimeFilter,
    EnumFilter,
    IdFilter,
    StringFilter,
    filter_by,
    filter_input,
    or_none,
)
from tessera_gql.graphql.ids import Node
from tessera_gql.graphql.relations import relation
from tessera_gql.graphql.row_types import from_row
from tessera_gql.graphql.scalars import JSON
from tessera_gql.graphql.type_registry import computed_field, lazy_list, to_type
from tessera_gql.policy.event_cursors import cursor_expired, encode_cursor
from tessera_gql.policy.global_ids import encode_entity_id, encode_payload_ids
from tessera_gql.policy.visibility import describe_actor
from tessera_gql.store import events, tables
from tessera_gql.store.conditions import Condition
from tessera_gql.store.pagination import PageRequest

MAX_SEQUENCE = 2**62


@strawberry.input(description="A condition on a list of ids.")
class IdListFilter:
    has: strawberry.ID | None = strawberry.field(default=UNSET, description="Accept lists that contain this id.")


@filter_input("Conditions on events; an event must meet all of them.")
class EventFilter:
    kind: EnumFilter[EventKind] | None = filter_by("kind", "The kind of the event.")
    asset: IdFilter | None = filter_by("asset_id", "The asset that the event is about.", type_name="Asset")
    proposal: IdFilter | None = filter_by("proposal_id", "The proposal that the event is about.", type_name="Proposal")
    teams: IdListFilter | None = filter_by("teams", "The teams that the event concerns.", type_name="Team")
    actor: StringFilter | None = filter_by(
        "actor", "The caller that caused the event, as the field `actor` shows it to you."
    )
    occurred_at: DateTimeFilter | None = filter_by("occurred_at", "The time at which the event happened.")


EVENTS = define_listing(
    "Event", events.TABLE, EventFilter, {"SEQUENCE": ("sequence", "The order in which events were committed.")}
)


def decode_cursor(text: str, name: str = "after") -> int:
    """Decode a cursor into a sequence number. Raise Invalid for another list's cursor."""
    try:
        prefix, _, number = base64.urlsafe_b64decode(text.encode()).decode().partition(":")
        if prefix == "event" and number.isdecimal() and int(number) < MAX_SEQUENCE:
            return int(number)
    except (ValueError, binascii.Error):
        pass
    raise Invalid(
        f"{text[:100]!r} in `{name}` is not the cursor of an event. Leave it out, or use a `cursor` that you got.",
        field=(name,),
    )


def _entity_id(row: tables.EventRow) -> strawberry.ID:
    return strawberry.ID(encode_entity_id(row))


@from_row(
    cursor=lambda row: encode_cursor(row.sequence),
    kind=lambda row: EventKind(row.kind),
    entity_id=_entity_id,
    actor_name=lambda row: describe_actor(row.actor),
    payload=encode_payload_ids,
)
@strawberry.type(description="An entry of the audit log. Entries are never changed.")
class Event(Node):
    row: strawberry.Private[tables.EventRow]
    sequence: int = strawberry.field(
        description="The position in the log, in commit order. A gap is an event that you may not see."
    )
    cursor: str = strawberry.field(
        description="The position just behind the event; send it as `after` to a list or subscription to resume there."
    )
    kind: EventKind = strawberry.field(description="The kind of the event.")
    entity_type: str = strawberry.field(description="The type of the object that the event is about, in lower case.")
    entity_id: strawberry.ID = strawberry.field(
        description="The id of the object that the event is about; that of the event itself if it is about no object."
    )
    actor: str = strawberry.field(
        description="The caller: a name, or `key` and the prefix of an API key, whose name only administrators see."
    )
    actor_name: str = strawberry.field(
        description="The caller for people: the name of a person, of a key where you may see it, or of a part of the"
        " server; beside `actor`, which distinguishes keys of one name."
    )
    payload: JSON = strawberry.field(description="The details of the event, as an object; ids in it are global ids.")
    occurred_at: datetime = strawberry.field(description="The time at which the event happened.")
    hash: str = strawberry.field(description="The SHA-256 hash over the event and the hash of the event before it.")

    asset = relation(
        "Asset", "row.asset_id", "The asset that the event is about; null if there is none.", nullable=True
    )
    proposal = relation(
        "Proposal", "row.proposal_id", "The proposal that the event is about; null if there is none.", nullable=True
    )

    @property
    def position(self) -> int:
        """Position in a subscription's stream."""
        return self.row.sequence

    @computed_field("The teams that the event concerns.", lazy_list("Team"))
    async def teams(self, info: Info) -> Any:
        rows = await info.context.loaders.team.load_many([UUID(team) for team in self.row.teams])
        return [to_type("Team", row) for row in rows if row is not None]


@strawberry.type(description="One page of a list of events.")
class EventConnection(Connection[Event]): ...


def events_connection(parent_column: str | None = None, *, description: str, is_latest_first: bool = False) -> Any:
    """Declare a connection of all events, or of those whose parent column equals the id of the parent row."""

    listing = replace(EVENTS, descending=is_latest_first)

    async def load(root: Any, info: Info, *, after: Any, before: Any, **arguments: Any) -> Any:
        page_request = parse_page_request(listing, arguments)
        bounds = _cursor_conditions(or_none(after), or_none(before), descending=page_request.is_descending)
        column, key = (parent_column, root.row.id) if parent_column else (None, None)
        bounded_request = replace(page_request, conditions=page_request.conditions + bounds)
        page = await info.context.loaders.pages(EVENTS.source, column, bounded_request).load(key)
        await _require_unarchived(info, after=or_none(after), before=or_none(before))
        count_request = PageRequest(order_by=EVENTS.order_by, conditions=page_request.conditions)
        return Connection(
            nodes=[Event.of(row) for row in page.rows],
            cursor=lambda index: encode_cursor(page.rows[index].sequence),
            has_next=page.has_next or (page_request.is_backward and or_none(before) is not None),
            has_previous=page.has_previous or (not page_request.is_backward and or_none(after) is not None),
            load_count=lambda: info.context.loaders.counts(EVENTS.source, column, count_request).load(key),
        )

    return connection_field(load, listing, description, nested=parent_column is not None)


def _cursor_conditions(after: str | None, before: str | None, *, descending: bool) -> tuple[Condition, ...]:
    """Convert cursors into conditions on the sequence."""
    above, below = (before, after) if descending else (after, before)
    conditions: list[Condition] = []
    if above is not None:
        conditions.append(Condition("sequence", "gte", decode_cursor(above, "before" if descending else "after") + 1))
    if below is not None:
        conditions.append(Condition("sequence", "lt", decode_cursor(below, "after" if descending else "before")))
    return tuple(conditions)


async def _require_unarchived(info: Info, **cursors: str | None) -> None:
    """Raise CursorExpired for a cursor after which events are archived. Called after the events were read."""
    for name, cursor in cursors.items():
        if cursor is not None:
            first = await info.context.loaders.first_event_sequence.load(None)
            if decode_cursor(cursor, name) < first - 1:
                raise cursor_expired(first, name)


@strawberry.type
class Queries:
    events = events_connection(
        description="The audit log, the oldest event first; archived events are left out. Events about API keys and"
        " webhooks are visible only to administrators and to keys of their team with the scope WRITE."
    )

    @computed_field(
        "The cursor of the latest event; a subscription with it as `after` misses nothing that happens later."
    )
    async def event_cursor(self, info: Info) -> str | None:
        return encode_cursor(await info.context.loaders.run_query(events.load_last_sequence))
