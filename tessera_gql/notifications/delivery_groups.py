"""Group events into the deliveries of channels that send one message for many: chats, e-mail, commit statuses."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from tessera_gql.policy.commit_status import is_in_scope
from tessera_gql.policy.enums import WebhookFormat
from tessera_gql.policy.message_groups import STATUS_KINDS, find_group, is_message
from tessera_gql.policy.webhook_delivery import matches_filter
from tessera_gql.store import change_sets, proposals, webhooks
from tessera_gql.store.session import Session, ids
from tessera_gql.store.tables import EventRow, Webhook, WebhookDelivery
from tessera_gql.workflows.webhooks import new_delivery

MAX_SEQUENCES = 100
"""Events of each kind that a delivery keeps for its message; further ones are counted."""
MAX_WAITS = 12
"""The longest wait of a delivery for further events, as a multiple of the wait after each event."""


@dataclass
class EventGroup:
    """Events that one delivery covers: their sequences by kind."""

    by_kind: dict[str, list[int]] = field(default_factory=dict[str, list[int]])

    @property
    def first(self) -> int:
        return min(sequences[0] for sequences in self.by_kind.values())

    @property
    def count(self) -> int:
        return sum(map(len, self.by_kind.values()))

    def add_to(self, covered: Mapping[str, Any]) -> dict[str, Any]:
        """Return what a delivery covers together with these events."""
        merged = dict(covered)
        for kind, sequences in self.by_kind.items():
            before: Mapping[str, Any] = covered.get(kind) or {"count": 0, "sequences": []}
            kept_sequences = [*before["sequences"], *sequences][:MAX_SEQUENCES]
            merged[kind] = {"count": before["count"] + len(sequences), "sequences": kept_sequences}
        return merged


async def group_events(
    session: Session, receivers: Sequence[Webhook], page: Sequence[EventRow], wait: timedelta
) -> None:
    """Add events to the open deliveries of webhooks that send messages, and create deliveries for the others.

    A delivery waits a little for further events; the first attempt closes it.
    """
    if not receivers or not page:
        return
    links = await _ChangeSetLinks.load(session, page)
    open_deliveries = {
        (row.webhook_id, row.group_key): row for row in await webhooks.lock_open_groups(session, ids(receivers))
    }
    created: list[WebhookDelivery] = []
    for webhook in receivers:
        for key, group in _group(webhook, page, links).items():
            delivery = open_deliveries.get((webhook.id, key))
            if delivery is None:
                created.append(_create(session, webhook, key, group, wait))
            else:
                await _extend(session, delivery, group, wait)
    for start in range(0, len(created), 500):
        await session.insert_all(created[start : start + 500])


def _group(webhook: Webhook, page: Sequence[EventRow], links: "_ChangeSetLinks") -> dict[str, EventGroup]:
    """Group the events of a page that a webhook receives."""
    groups: dict[str, EventGroup] = {}
    is_status = webhook.format is WebhookFormat.GITHUB_STATUS
    for event in page:
        is_selected = matches_filter(webhook.kinds, webhook.team_id, kind=event.kind, audience_team_ids=event.teams)
        if event.sequence <= webhook.position or not is_selected:
            continue
        change_set_id = links.find_change_set(event)
        if is_status:
            key = links.keys.get(change_set_id) if change_set_id else None
            if event.kind not in STATUS_KINDS or key is None or not is_in_scope(webhook.url, key):
                continue
        elif not is_message(event.kind, event.payload, webhook.team_id, webhook.kinds):
            continue
        group_key = find_group(event.kind, event.actor, change_set_id, is_status=is_status)
        groups.setdefault(group_key, EventGroup()).by_kind.setdefault(event.kind, []).append(event.sequence)
    return groups


def _create(session: Session, webhook: Webhook, key: str, group: EventGroup, wait: timedelta) -> WebhookDelivery:
    delivery = new_delivery(session, webhook, group.first)
    delivery.group_key = key
    delivery.covered_events = group.add_to({})
    delivery.event_count = group.count
    delivery.due_at = session.now + wait
    return delivery


async def _extend(session: Session, delivery: WebhookDelivery, group: EventGroup, wait: timedelta) -> None:
    """Add events to a delivery, which waits for further ones; a long stream of events doesn't hold it up."""
    latest: datetime = delivery.created_at + MAX_WAITS * wait
    due_at = max(min(session.now + wait, latest), delivery.due_at)
    covered, count = group.add_to(delivery.covered_events or {}), delivery.event_count + group.count
    await session.update_row(WebhookDelivery, delivery.id, covered_events=covered, event_count=count, due_at=due_at)


@dataclass(frozen=True)
class _ChangeSetLinks:
    """The change sets of events: by proposal, and with their keys."""

    by_proposal: Mapping[UUID, UUID]
    keys: Mapping[UUID, str]

    @classmethod
    async def load(cls, session: Session, page: Sequence[EventRow]) -> "_ChangeSetLinks":
        proposal_ids = [*dict.fromkeys(event.proposal_id for event in page if event.proposal_id)]
        by_proposal = await proposals.load_change_set_ids(session, proposal_ids)
        set_ids = {UUID(event.payload["change_set_id"]) for event in page if event.payload.get("change_set_id")}
        rows = await change_sets.by_ids(session, [*set_ids.union(by_proposal.values())])
        return cls(by_proposal, {row.id: row.key for row in rows})

    def find_change_set(self, event: EventRow) -> UUID | None:
        """Return the change set that an event is about, itself or by its proposal."""
        if identity := event.payload.get("change_set_id"):
            return UUID(identity)
        return self.by_proposal.get(event.proposal_id) if event.proposal_id else None
