"""Queries of webhooks and deliveries, and the claims that keep two workers from sending the same delivery."""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import and_, delete, exists, func, select, update

from tessera_gql.errors import NotFound
from tessera_gql.policy.visibility import View
from tessera_gql.policy.words import DeliveryStatus
from tessera_gql.store import visibility
from tessera_gql.store.session import Session, ids
from tessera_gql.store.statements import rows_by
from tessera_gql.store.tables import EventRow, Webhook, WebhookDelivery, table

rows = table(Webhook)
deliveries = table(WebhookDelivery)
events = table(EventRow)
_by_id = rows_by(rows.c.id)

last_sequence = select(func.coalesce(func.max(events.c.sequence), 0)).scalar_subquery()
is_behind = and_(rows.c.is_active, rows.c.position < last_sequence)


async def by_ids(session: Session, webhook_ids: Sequence[UUID]) -> list[Webhook]:
    """Load the webhooks with these ids, in any order."""
    return [*await session.fetch(_by_id, values=webhook_ids)]


async def get(session: Session, identity: UUID, view: View) -> Webhook:
    """Return a webhook by its id; raise NotFound if it does not exist or the caller may not see it."""
    webhooks: list[Webhook] = await visibility.rows(session, rows.c.id, [identity], view)
    if not webhooks:
        raise NotFound("There is no such webhook. List webhooks to find it.", field=("webhook",))
    return webhooks[0]


async def with_secrets(session: Session) -> list[Webhook]:
    """Load all webhooks that have their own secret."""
    return [row for row in await session.list(select(rows).order_by(rows.c.id), Webhook) if row.secrets]


async def replace_secrets(session: Session, row: Webhook, secrets: list[dict[str, Any]]) -> bool:
    """Replace the secrets of a webhook; return False if the row was changed since it was read."""
    is_unchanged = (rows.c.id == row.id) & (rows.c.row_version == row.row_version)
    return bool(await session.update(Webhook, is_unchanged, secrets=secrets, row_version=row.row_version + 1))


async def get_delivery(session: Session, identity: UUID, view: View) -> WebhookDelivery:
    """Return a delivery by its id; raise NotFound if it does not exist or the caller may not see it."""
    visible: list[WebhookDelivery] = await visibility.rows(session, deliveries.c.id, [identity], view)
    if not visible:
        raise NotFound("There is no such delivery; ended ones are kept for 30 days.", field=("delivery",))
    return visible[0]


async def remove(session: Session, identity: UUID) -> None:
    """Delete a webhook and its deliveries."""
    await session.execute(select(rows.c.id).where(rows.c.id == identity).with_for_update())
    await session.execute(delete(deliveries).where(deliveries.c.webhook_id == identity))
    await session.execute(delete(rows).where(rows.c.id == identity))


async def is_work_waiting(session: Session) -> bool:
    """Tell whether a worker has work, before it begins a write, which would block all other writers on SQLite."""
    due = exists(select(deliveries.c.id).where(_is_due(session.now)))
    return bool(await session.value(select(exists(select(rows.c.id).where(is_behind)) | due)))


async def behind(session: Session, *, limit: int = 100) -> list[Webhook]:
    """Load and lock webhooks without deliveries for the latest events, skipping those that another worker locked."""
    statement = select(rows).where(is_behind).order_by(rows.c.position).limit(limit)
    return await session.list(statement.with_for_update(skip_locked=True), Webhook)


async def move(session: Session, webhooks: Collection[Webhook], position: int) -> None:
    """Record that deliveries exist for all events up to `position`; a webhook never moves back."""
    condition = session.among(rows.c.id, ids(webhooks)) & (rows.c.position < position)
    await session.execute(update(rows).where(condition).values(position=position))


async def claim(
    session: Session, *, limit: int, each: int, busy: Collection[UUID], lease: timedelta
) -> list[WebhookDelivery]:
    """Claim due deliveries, at most `each` per webhook; they are due again when the lease expires."""
    position = func.row_number().over(partition_by=deliveries.c.webhook_id, order_by=deliveries.c.due_at)
    ranked = (
        select(deliveries.c.id, position.label("position"))
        .join(rows, rows.c.id == deliveries.c.webhook_id)
        .where(_is_due(session.now), rows.c.is_active, ~session.among(rows.c.id, busy))
        .subquery()
    )
    candidates = select(ranked.c.id).where(ranked.c.position <= each)
    claimable = (
        select(deliveries.c.id)
        .where(deliveries.c.id.in_(candidates), _is_due(session.now))
        .order_by(deliveries.c.due_at)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    delivery_ids = ids(await session.rows(claimable))
    is_claimed = session.among(deliveries.c.id, delivery_ids)
    statement = update(deliveries).where(is_claimed).values(due_at=session.now + lease)
    return await session.list(statement.returning(*deliveries.c), WebhookDelivery) if delivery_ids else []


async def settle(session: Session, claimed: WebhookDelivery, **values: Any) -> bool:
    """Record the result of an attempt; return False if the lease expired and another worker claimed the delivery."""
    is_claimed = and_(
        deliveries.c.id == claimed.id,
        deliveries.c.status == DeliveryStatus.PENDING,
        deliveries.c.due_at == claimed.due_at,
    )
    return bool(await session.update(WebhookDelivery, is_claimed, **values))


async def prune(session: Session, before: datetime) -> int:
    """Delete ended deliveries that began before then, and return their number; the events stay."""
    is_ended = deliveries.c.status != DeliveryStatus.PENDING
    return await session.execute(delete(deliveries).where(is_ended, deliveries.c.since < before))


def _is_due(now: datetime) -> Any:
    return and_(deliveries.c.status == DeliveryStatus.PENDING, deliveries.c.due_at <= now)
