"""Notify each team once of what the passing of time has done to its asks in a change set.

The event of a single proposal has no audience there. What a transaction does is summed up at its end from its events;
the worker applies time to all proposals of a change set in one transaction.
"""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from tessera_gql.policy.ask_events import (
    AcknowledgmentEscalated,
    ChangeSetAsksEscalated,
    ChangeSetMigrationsOverdue,
    ChangeSetSilenceCounted,
    MigrationOverdue,
    SilenceCounted,
)
from tessera_gql.policy.enums import OnSilence
from tessera_gql.store import assets, change_sets, proposals
from tessera_gql.store.session import Session
from tessera_gql.store.tables import Acknowledgment, Asset, ChangeSet, Proposal

WORK_NAME = "sum up what time has done in change sets"
MAX_NAMED = 100
"""Proposals and tables that an event names."""
TimedEvent = SilenceCounted | AcknowledgmentEscalated | MigrationOverdue
Key = tuple[UUID, UUID, type[TimedEvent], OnSilence | None]
"""The change set, the asked team, and what happened: events with the same key are one notification."""


def sum_up_at_commit(session: Session) -> None:
    """Notify the teams at the end of the transaction of what time has done to their asks in change sets."""
    session.before_commit[WORK_NAME] = _sum_up


async def _sum_up(session: Session) -> None:
    groups: dict[Key, list[TimedEvent]] = defaultdict(list)
    for event in session.events:
        if isinstance(event, TimedEvent) and event.change_set_id is not None:
            meaning = event.on_silence if isinstance(event, SilenceCounted) else None
            groups[event.change_set_id, event.consumer_team_id, type(event), meaning].append(event)
    timed_events = [event for events in groups.values() for event in events]
    if not timed_events:
        return
    related = await _RelatedRows.load(session, timed_events)
    for (change_set_id, *_), events in groups.items():
        _record(session, related.change_sets[change_set_id], events, related)


class _RelatedRows:
    """The rows that events are about, by id."""

    def __init__(self) -> None:
        self.change_sets: dict[UUID, ChangeSet] = {}
        self.acknowledgments: dict[UUID, Acknowledgment] = {}
        self.proposals: dict[UUID, Proposal] = {}
        self.assets: dict[UUID, Asset] = {}

    @classmethod
    async def load(cls, session: Session, events: Sequence[TimedEvent]) -> "_RelatedRows":
        related = cls()
        change_set_ids = {event.change_set_id for event in events if event.change_set_id}
        related.change_sets = {row.id: row for row in await change_sets.by_ids(session, [*change_set_ids])}
        rows = await proposals.acknowledgments_by_ids(session, [*{event.acknowledgment_id for event in events}])
        related.acknowledgments = {row.id: row for row in rows}
        proposal_rows = await proposals.by_ids(session, [*{row.proposal_id for row in rows}])
        related.proposals = {row.id: row for row in proposal_rows}
        asset_rows = await assets.by_ids(session, [*{row.asset_id for row in proposal_rows}])
        related.assets = {row.id: row for row in asset_rows}
        return related

    def find(self, event: TimedEvent) -> tuple[Acknowledgment, Proposal, Asset]:
        """Find the rows that an event is about."""
        item = self.acknowledgments[event.acknowledgment_id]
        row = self.proposals[item.proposal_id]
        return item, row, self.assets[row.asset_id]


def _record(session: Session, change_set: ChangeSet, events: Sequence[TimedEvent], related: _RelatedRows) -> None:
    """Record the notification of events of one kind, team and change set."""
    audience: set[UUID] = set()
    subjects = [related.find(event) for event in events]
    for item, row, asset in subjects:
        audience |= {item.consumer_team_id, asset.owner_team_id, row.proposed_by, *filter(None, [item.escalated_to])}
    values: dict[str, Any] = {
        "audience_team_ids": frozenset(audience),
        "change_set_id": change_set.id,
        "consumer_team_id": events[0].consumer_team_id,
        "key": change_set.key,
        "title": change_set.title,
        "url": change_set.url,
        "proposal_count": len(events),
        "proposals": tuple(row.id for _, row, _ in subjects[:MAX_NAMED]),
        "tables": tuple(sorted(asset.fqn for _, _, asset in subjects[:MAX_NAMED])),
    }
    match events[0]:
        case SilenceCounted(on_silence=on_silence):
            due_at = min(event.due_at for event in events if isinstance(event, SilenceCounted))
            session.record(ChangeSetSilenceCounted(**values, on_silence=on_silence, due_at=due_at))
        case AcknowledgmentEscalated(escalated_to=escalated_to):
            due_at = min(event.due_at for event in events if isinstance(event, AcknowledgmentEscalated))
            session.record(ChangeSetAsksEscalated(**values, escalated_to=escalated_to, due_at=due_at))
        case MigrationOverdue():
            deadline = min(event.migration_deadline for event in events if isinstance(event, MigrationOverdue))
            session.record(ChangeSetMigrationsOverdue(**values, migration_deadline=deadline))
