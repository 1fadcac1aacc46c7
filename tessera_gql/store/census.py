"""Counts for metrics: the length of the event log and the work that waits."""

from dataclasses import dataclass

from sqlalchemy import func, select

from tessera_gql.policy.words import DeliveryStatus, ProposalStatus
from tessera_gql.store import events, webhooks
from tessera_gql.store.session import Session
from tessera_gql.store.tables import Proposal, table

proposals = table(Proposal)


@dataclass(frozen=True)
class Census:
    """The last sequence of the event log, and counts of deliveries, webhooks and proposals that wait."""

    last_sequence: int
    pending: int
    """Deliveries that wait for an attempt."""
    dead: int
    """Deliveries that have failed for good and are not deleted yet."""
    behind: int
    """Webhooks without deliveries for the latest events."""
    waiting: int
    """Proposals that wait for acknowledgments."""


async def take(session: Session) -> Census:
    """Load all counts, with a few statements."""
    status = webhooks.deliveries.c.status
    undelivered = (
        select(status, func.count().label("number")).where(status != DeliveryStatus.DELIVERED).group_by(status)
    )
    counts = {row.status: row.number for row in await session.rows(undelivered)}
    behind = select(func.count()).select_from(webhooks.rows).where(webhooks.is_behind)
    waiting = select(func.count()).select_from(proposals).where(proposals.c.status == ProposalStatus.PENDING)
    return Census(
        last_sequence=await events.last_sequence(session),
        pending=counts.get(DeliveryStatus.PENDING, 0),
        dead=counts.get(DeliveryStatus.DEAD, 0),
        behind=int(await session.value(behind)),
        waiting=int(await session.value(waiting)),
    )
