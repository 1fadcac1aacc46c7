"""Queries of webhooks and deliveries, and the claims that keep two workers from sending the same delivery."""

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import and_, delete, exists, func, or_, select, update

from tessera_gql.errors import NotFound
from tessera_gql.policy.enums import DeliveryStatus
from tessera_gql.policy.global_ids import encode_global_id
from tessera_gql.policy.visibility import Visibility
from tessera_gql.store.session import RowQuery, Session, ids
from tessera_gql.store.tables import EventRow, Webhook, WebhookDelivery, table
from tessera_gql.store.visibility import get_visible_row

TABLE = table(Webhook)
DELIVERIES = table(WebhookDelivery)
events = table(EventRow)
by_ids = RowQuery(Webhook, "id")

last_sequence = select(func.coalesce(func.max(events.c.sequence), 0)).scalar_subquery()
IS_LAGGING = and_(TABLE.c.is_active, TABLE.c.position < last_sequence)


async def get(session: Session, webhook_id: UUID, visibility: Visibility) -> Webhook:
    """Return a webhook by its id; raise NotFound if it does not exist or the caller may not see it."""
    error = NotFound("There is no such webhook. List webhooks to find it.", field=("webhook",))
    webhook: Webhook = await get_visible_row(session, TABLE.c.id, webhook_id, visibility, error)
    return webhook


async def list_with_secrets(session: Session) -> list[Webhook]:
    """Load all webhooks that have their own secret, or a token."""
    return [row for row in await session.list(select(TABLE).order_by(TABLE.c.id), Webhook) if row.secrets or row.token]


async def replace_secrets(
    session: Session, row: Webhook, secrets: list[dict[str, Any]], token: dict[str, Any] | None = None
) -> bool:
    """Replace secrets and token of a webhook; return False if the row was changed since it was read."""
    return await session.update_unchanged(Webhook, row, secrets=secrets, token=token)


async def get_delivery(session: Session, delivery_id: UUID, visibility: Visibility) -> WebhookDelivery:
    """Return a delivery by its id; raise NotFound if it does not exist or the caller may not see it."""
    error = NotFound("There is no such delivery; ended ones are kept for 30 days.", field=("delivery",))
    delivery: WebhookDelivery = await get_visible_row(session, DELIVERIES.c.id, delivery_id, visibility, error)
    return delivery


async def remove(session: Session, webhook_id: UUID) -> None:
    """Delete a webhook and its deliveries."""
    await session.execute(select(TABLE.c.id).where(TABLE.c.id == webhook_id).with_for_update())
    await session.execute(delete(DELIVERIES).where(DELIVERIES.c.webhook_id == webhook_id))
    await session.execute(delete(TABLE).where(TABLE.c.id == webhook_id))


async def has_work(session: Session) -> bool:
    """Return whether a worker has work, before it begins a write, which would block all other writers on SQLite."""
    due = exists(select(DELIVERIES.c.id).where(_is_due(session.now)))
    return bool(await session.value(select(exists(select(TABLE.c.id).where(IS_LAGGING)) | due)))


async def lock_lagging(session: Session, *, limit: int = 100) -> list[Webhook]:
    """Load and lock webhooks without deliveries for the latest events, skipping those that another worker locked."""
    statement = select(TABLE).where(IS_LAGGING).order_by(TABLE.c.position).limit(limit)
    return await session.list(statement.with_for_update(skip_locked=True), Webhook)


async def list_holds(session: Session, excluded_id: UUID) -> list[tuple[int, str]]:
    """List up to which sequence webhooks need no event any more, each with the reason as a clause.

    A paused webhook needs the events since it was paused, except the excluded one.
    """
    is_counted = or_(TABLE.c.is_active, TABLE.c.id != excluded_id)
    is_behind = is_counted & (TABLE.c.position < last_sequence)
    lagging = select(TABLE.c.id, TABLE.c.position, TABLE.c.is_active).where(is_behind)
    holds: list[tuple[int, str]] = []
    for row in await session.rows(lagging.order_by(TABLE.c.position).limit(1)):
        reason = "has not got all events yet" if row.is_active else "is paused, and gets them when it is active again"
        holds.append((row.position, f"the webhook {encode_global_id('Webhook', row.id)} {reason}"))
    is_pending = and_(DELIVERIES.c.status == DeliveryStatus.PENDING, DELIVERIES.c.sequence.is_not(None))
    pending = select(DELIVERIES.c.webhook_id, DELIVERIES.c.sequence).where(is_pending)
    for row in await session.rows(pending.order_by(DELIVERIES.c.sequence).limit(1)):
        webhook = encode_global_id("Webhook", row.webhook_id)
        holds.append((row.sequence - 1, f"a delivery to the webhook {webhook} is pending"))
    return holds


async def advance_position(session: Session, webhooks: Collection[Webhook], position: int) -> None:
    """Record that deliveries exist for all events up to `position`; a webhook never moves back."""
    condition = session.in_values(TABLE.c.id, ids(webhooks)) & (TABLE.c.position < position)
    await session.execute(update(TABLE).where(condition).values(position=position))


async def lock_open_groups(session: Session, webhook_ids: Collection[UUID]) -> list[WebhookDelivery]:
    """Load and lock the deliveries of webhooks that take further events, because no worker has claimed them yet."""
    is_open = and_(DELIVERIES.c.status == DeliveryStatus.PENDING, DELIVERIES.c.group_key.is_not(None))
    statement = select(DELIVERIES).where(is_open, session.in_values(DELIVERIES.c.webhook_id, webhook_ids))
    return await session.list(statement.order_by(DELIVERIES.c.id).with_for_update(skip_locked=True), WebhookDelivery)


async def postpone(session: Session, webhook_id: UUID, until: datetime) -> int:
    """Postpone the due deliveries to a webhook that takes no more for a while; return their number."""
    is_waiting = and_(DELIVERIES.c.webhook_id == webhook_id, _is_due(session.now))
    return await session.update(WebhookDelivery, is_waiting, due_at=until)


async def claim(
    session: Session, *, limit: int, limit_per_webhook: int, excluded_webhook_ids: Collection[UUID], lease: timedelta
) -> list[WebhookDelivery]:
    """Claim due deliveries, at most `limit_per_webhook` of each webhook; they are due again when the lease expires.

    A claimed delivery takes no further events.
    """
    rank = func.row_number().over(partition_by=DELIVERIES.c.webhook_id, order_by=DELIVERIES.c.due_at)
    ranked = (
        select(DELIVERIES.c.id, rank.label("rank"))
        .join(TABLE, TABLE.c.id == DELIVERIES.c.webhook_id)
        .where(_is_due(session.now), TABLE.c.is_active, ~session.in_values(TABLE.c.id, excluded_webhook_ids))
        .subquery()
    )
    candidates = select(ranked.c.id).where(ranked.c.rank <= limit_per_webhook)
    claimable = (
        select(DELIVERIES.c.id)
        .where(DELIVERIES.c.id.in_(candidates), _is_due(session.now))
        .order_by(DELIVERIES.c.due_at)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    delivery_ids = ids(await session.rows(claimable))
    is_claimed = session.in_values(DELIVERIES.c.id, delivery_ids)
    statement = update(DELIVERIES).where(is_claimed).values(due_at=session.now + lease, group_key=None)
    return await session.list(statement.returning(*DELIVERIES.c), WebhookDelivery) if delivery_ids else []


async def record_attempt(session: Session, claimed: WebhookDelivery, **values: Any) -> bool:
    """Record the result of an attempt; return False if the lease expired and another worker claimed the delivery."""
    is_claimed = and_(
        DELIVERIES.c.id == claimed.id,
        DELIVERIES.c.status == DeliveryStatus.PENDING,
        DELIVERIES.c.due_at == claimed.due_at,
    )
    return bool(await session.update(WebhookDelivery, is_claimed, **values))


async def delete_ended(session: Session, before: datetime) -> int:
    """Delete ended deliveries that began before then, and return their number; the events stay."""
    is_ended = DELIVERIES.c.status != DeliveryStatus.PENDING
    return await session.execute(delete(DELIVERIES).where(is_ended, DELIVERIES.c.since < before))


def _is_due(now: datetime) -> Any:
    return and_(DELIVERIES.c.status == DeliveryStatus.PENDING, DELIVERIES.c.due_at <= now)
