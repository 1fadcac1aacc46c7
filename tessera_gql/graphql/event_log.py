"""The event log as a whole: its head, how far it was verified, and how far it is archived."""

from datetime import datetime

import strawberry

from tessera_gql.graphql.context import Info
from tessera_gql.graphql.type_registry import computed_field
from tessera_gql.policy.event_cursors import encode_cursor
from tessera_gql.store import event_anchors, log_verifications
from tessera_gql.store.session import Session


@strawberry.type(
    description="The event log: its last event, how far its hashes were verified by the server or by"
    " `tessera audit verify`, and how far it is archived. Reading it verifies nothing."
)
class EventLog:
    last_sequence: int = strawberry.field(description="The position of the last event; 0 for an empty log.")
    head: str = strawberry.field(description="The hash of the last event; 64 zeros for an empty log.")
    verified_sequence: int = strawberry.field(
        description="The position up to which each event is as it was written; 0 before the first verification."
    )
    verified_hash: str | None = strawberry.field(
        description="The hash of the event at `verifiedSequence`; null before the first verification."
    )
    verified_at: datetime | None = strawberry.field(
        description="The time of the latest verification; null before the first one."
    )
    is_intact: bool | None = strawberry.field(
        description="Whether the latest verification met no changed or missing event; null before the first one."
    )
    broken_sequence: int | None = strawberry.field(
        description="The position of the first event that is changed or missing; null if there is none."
    )
    fault: str | None = strawberry.field(description="What is wrong there, as a sentence; null if nothing is.")
    start_cursor: str = strawberry.field(
        description="The cursor before the oldest event that is not archived; as `after` it reads the whole log."
    )
    archived_sequence: int = strawberry.field(
        description="The position up to which events are archived, in files of the operator; 0 if none are."
    )
    archived_hash: str | None = strawberry.field(
        description="The hash of the event at `archivedSequence`; null if no events are archived."
    )
    archived_before: datetime | None = strawberry.field(
        description="The moment before which the archived events happened; null if none are archived."
    )
    archived_at: datetime | None = strawberry.field(
        description="The time of the latest archive; null if no events are archived."
    )


async def _load(session: Session) -> EventLog:
    head, state = await log_verifications.load_head(session), await log_verifications.load(session)
    anchor = await event_anchors.find_last(session)
    return EventLog(
        last_sequence=head.sequence,
        head=head.hash,
        verified_sequence=state.sequence if state else 0,
        verified_hash=state.hash if state else None,
        verified_at=state.verified_at if state else None,
        is_intact=state.broken_at is None if state else None,
        broken_sequence=state.broken_at if state else None,
        fault=state.fault if state else None,
        start_cursor=encode_cursor(anchor.sequence if anchor else 0),
        archived_sequence=anchor.sequence if anchor else 0,
        archived_hash=anchor.hash if anchor else None,
        archived_before=anchor.archived_before if anchor else None,
        archived_at=anchor.archived_at if anchor else None,
    )


@strawberry.type
class Queries:
    @computed_field("The state of the event log: its head, and how far it was verified and archived.")
    async def event_log(self, info: Info) -> EventLog | None:
        return await info.context.loaders.run_query(_load)
