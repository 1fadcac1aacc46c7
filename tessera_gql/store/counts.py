"""Counts for metrics: the length of the event log and the amount of pending work."""

from dataclasses import dataclass

from sqlalchemy import func, select

from tessera_gql.policy.enums import DeliveryStatus, ProposalStatus
from tessera_gql.store import events, webhooks
from tessera_gql.store.session import Session
from tessera_gql.store.tables import Proposal, table

proposals = table(Proposal)


@dataclass(frozen=True)
class BacklogCounts:
    """The last sequence of the event log, and counts; lagging webhooks lack deliveries for the latest events."""

    last_sequence: int
    pending_deliveries: int
    dead_deliveries: int
    lagging_webhooks: int
    pending_proposals: int


async def load_counts(session: Session) -> BacklogCounts:
    """Load all counts, with a few statements."""
    status = webhooks.DELIVERIES.c.status
    undelivered = (
        select(status, func.count().label("number")).where(status != DeliveryStatus.DELIVERED).group_by(status)
    )
    counts = {row.status: row.number for row in await session.rows(undelivered)}
    behind = select(func.count()).select_from(webhooks.TABLE).where(webhooks.IS_LAGGING)
    waiting = select(func.count()).select_from(proposals).where(proposals.c.status == ProposalStatus.PENDING)
    return BacklogCounts(
        last_sequence=await events.load_last_sequence(session),
        pending_deliveries=counts.get(DeliveryStatus.PENDING, 0),
        dead_deliveries=counts.get(DeliveryStatus.DEAD, 0),
        lagging_webhooks=int(await session.value(behind)),
        pending_proposals=int(await session.value(waiting)),
    )
