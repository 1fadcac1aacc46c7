"""Questions about webhooks and their deliveries, and the claims of workers: no two work on one thing at once."""

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
    return [*await session.fetch(_by_id, values=webhook_ids)]


async def get(session: Session, identity: UUID, view: View) -> Webhook:
    """Raises NotFound for a webhook that is hidden, as for one that does not exist."""
    webhooks: list[Webhook] = await visibility.rows(session, rows.c.id, [identity], view)
    if not webhooks:
        raise NotFound("There is no such webhook. List webhooks to find it.", field=("webhook",))
    return webhooks[0]


async def with_secrets(session: Session) -> list[Webhook]:
    """Every webhook that has a secret of its own."""
    return [row for row in await session.list(select(rows).order_by(rows.c.id), Webhook) if row.secrets]


async def replace_secrets(session: Session, row: Webhook, secrets: list[dict[str, Any]]) -> bool:
    """False if the row was changed since it was read."""
    is_unchanged = (rows.c.id == row.id) & (rows.c.row_version == row.row_version)
    return bool(await session.update(Webhook, is_unchanged, secrets=secrets, row_version=row.row_version + 1))


async def get_delivery(session: Session, identity: UUID, view: View) -> WebhookDelivery:
    """Raises NotFound for a delivery that is hidden, as for one that does not exist."""
    found_deliveries: list[WebhookDelivery] = await visibility.rows(session, deliveries.c.id, [identity], view)
    if not found_deliveries:
        raise NotFound("There is no such delivery; ended ones are kept for 30 days.", field=("delivery",))
    return found_deliveries[0]


async def remove(session: Session, identity: UUID) -> None:
    """With its deliveries."""
    await session.execute(select(rows.c.id).where(rows.c.id == identity).with_for_update())
    await session.execute(delete(deliveries).where(deliveries.c.webhook_id == identity))
    await session.execute(delete(rows).where(rows.c.id == identity))


async def is_work_waiting(session: Session) -> bool:
    """Whether a worker has something to do: asked before a write is begun, which on SQLite would stop all others."""
    due = exists(select(deliveries.c.id).where(_is_due(session.now)))
    return bool(await session.value(select(exists(select(rows.c.id).where(is_behind)) | due)))


async def behind(session: Session, *, limit: int = 100) -> list[Webhook]:
    """Webhooks that were not handed the latest events, locked until the commit; those in other hands are left out."""
    statement = select(rows).where(is_behind).order_by(rows.c.position).limit(limit)
    return await session.list(statement.with_for_update(skip_locked=True), Webhook)


async def move(session: Session, webhooks: Collection[Webhook], position: int) -> None:
    """Events up to `position` are handed on."""
    condition = session.among(rows.c.id, ids(webhooks)) & (rows.c.position < position)
    await session.execute(update(rows).where(condition).values(position=position))


async def claim(
    session: Session, *, limit: int, each: int, busy: Collection[UUID], lease: timedelta
) -> list[WebhookDelivery]:
    """Deliveries that are due, at most `each` of a webhook: due again only when the lease has run out."""
    position = func.row_number().over(partition_by=deliveries.c.webhook_id, order_by=deliveries.c.due_at)
    ranked = (
        select(deliveries.c.id, position.label("place"))
        .join(rows, rows.c.id == deliveries.c.webhook_id)
        .where(_is_due(session.now), rows.c.is_active, ~session.among(rows.c.id, busy))
        .subquery()
    )
    first = select(ranked.c.id).where(ranked.c.place <= each)
    chosen = (
        select(deliveries.c.id)
        .where(deliveries.c.id.in_(first), _is_due(session.now))
        .order_by(deliveries.c.due_at)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    delivery_ids = ids(await session.rows(chosen))
    statement = (
        update(deliveries).where(session.among(deliveries.c.id, delivery_ids)).values(due_at=session.now + lease)
    )
    return await session.list(statement.returning(*deliveries.c), WebhookDelivery) if delivery_ids else []


async def settle(session: Session, claimed: WebhookDelivery, **values: Any) -> bool:
    """What came of an attempt; False if the lease had run out and somebody else has it now."""
    is_claimed = and_(
        deliveries.c.id == claimed.id,
        deliveries.c.status == DeliveryStatus.PENDING,
        deliveries.c.due_at == claimed.due_at,
    )
    return bool(await session.update(WebhookDelivery, is_claimed, **values))


async def prune(session: Session, before: datetime) -> int:
    """Forgets deliveries that ended and began before then; the events stay."""
    ended = (deliveries.c.status != DeliveryStatus.PENDING) & (deliveries.c.since < before)
    return await session.execute(delete(deliveries).where(ended))


def _is_due(now: datetime) -> Any:
    return and_(deliveries.c.status == DeliveryStatus.PENDING, deliveries.c.due_at <= now)
