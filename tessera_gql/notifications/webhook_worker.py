"""The webhook worker: creates deliveries from events and posts each at least once, even if a worker stops.

Any number of workers may run, in server processes or alone. Their whole state is in the database: a webhook's position
in the event log, and the due time of each delivery, which a claim moves to the end of its lease.
"""

import asyncio
import logging
import random
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

from tessera_gql.errors import Refusal, Unavailable
from tessera_gql.notifications.channels import ChannelOptions, Channels, load_sending
from tessera_gql.notifications.delivery_groups import group_events
from tessera_gql.notifications.outbound_http import DeliveryError
from tessera_gql.policy.enums import DeliveryStatus, WebhookFormat
from tessera_gql.policy.events import Event
from tessera_gql.policy.private_events import WebhookDeliveryFailed
from tessera_gql.policy.visibility import UNRESTRICTED, redact_event, visibility_of_webhook
from tessera_gql.policy.webhook_delivery import Backoff, matches_filter, next_attempt
from tessera_gql.store import events, webhooks
from tessera_gql.store.database import Database
from tessera_gql.store.session import Session
from tessera_gql.store.tables import EventRow, Webhook, WebhookDelivery
from tessera_gql.workflows import webhook_secrets
from tessera_gql.workflows.webhooks import SETTINGS_WEBHOOK_ID, new_delivery, sync_settings_webhook

MAX_STORED_ATTEMPTS = 30
RETENTION = timedelta(days=30)
PRUNE_EVERY_SECONDS = 3600.0
SHUTDOWN_SECONDS = 5.0

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class WebhookOptions:
    """Options of the worker; `url` defines the webhook of the settings. A lease outlasts a delivery.

    A message to people waits `settle_seconds` after each event for further ones that it covers as well.
    """

    url: str | None = None
    channels: ChannelOptions = field(default_factory=ChannelOptions)
    backoff: Backoff = field(default_factory=Backoff)
    lease_seconds: float = 90.0
    poll_seconds: float = 1.0
    settle_seconds: float = 5.0
    max_posts: int = 32
    max_posts_per_webhook: int = 4


class WebhookWorker:
    """Posts webhook deliveries until it is cancelled."""

    def __init__(self, database: Database, options: WebhookOptions | None = None) -> None:
        self._database = database
        self._options = options or WebhookOptions()
        self._channels = Channels(database, self._options.channels)
        self._wake_signal = asyncio.Event()
        self._running: dict[asyncio.Task[None], UUID] = {}
        self._is_prepared = False
        self._pruned_at = 0.0

    def wake(self, _committed: Sequence[Event] = ()) -> None:
        self._wake_signal.set()

    async def run(self) -> None:
        """Run until cancelled; posts in progress then have a few seconds to finish."""
        end_observation = self._database.observe_commits(self.wake)
        try:
            while True:
                await self._step()
                with suppress(TimeoutError):
                    async with asyncio.timeout(self._options.poll_seconds):
                        await self._wake_signal.wait()
                self._wake_signal.clear()
        finally:
            end_observation()
            await self._finish_posts()

    async def _step(self) -> None:
        try:
            await self._prepare()
            await self._prune_if_due()
            async with self._database.read() as session:
                has_work = await webhooks.has_work(session)
            if has_work:
                await create_deliveries(self._database, wait=timedelta(seconds=self._options.settle_seconds))
                await self._start_posts()
        except (Unavailable, Refusal) as error:
            log.warning("Webhooks wait. %s", error)
        except Exception:
            log.exception("The webhook worker failed and goes on")

    async def _prepare(self) -> None:
        if not self._is_prepared:
            async with self._database.write("settings") as session:
                await sync_settings_webhook(session, self._options.url)
                secrets = await webhook_secrets.encrypt_stored(session)
            for warning in secrets.warnings():
                log.warning(warning)
            await self._database.erase_overwritten()
            self._is_prepared = True

    async def _prune_if_due(self) -> None:
        if time.monotonic() - self._pruned_at > PRUNE_EVERY_SECONDS or not self._pruned_at:
            async with self._database.write() as session:
                await webhooks.delete_ended(session, session.now - RETENTION)
            self._pruned_at = time.monotonic()

    async def _start_posts(self) -> None:
        """Start posts up to the limits; the limit for each webhook keeps a slow one from blocking the others."""
        options, maximum = self._options, self._options.max_posts_per_webhook
        while (free_slots := options.max_posts - len(self._running)) > 0:
            excluded_ids = [key for key, posts in Counter(self._running.values()).items() if posts >= maximum]
            if options.url is None:  # leave it to workers whose settings have its secret
                excluded_ids.append(SETTINGS_WEBHOOK_ID)
            async with self._database.write() as session:
                lease = timedelta(seconds=options.lease_seconds)
                claimed = await webhooks.claim(
                    session, limit=free_slots, limit_per_webhook=maximum, excluded_webhook_ids=excluded_ids, lease=lease
                )
            for delivery in claimed:
                task = asyncio.create_task(self._deliver(delivery), name=f"webhook {delivery.id}")
                self._running[task] = delivery.webhook_id
                task.add_done_callback(self._on_finished)
            if not claimed:
                return

    def _on_finished(self, task: asyncio.Task[None]) -> None:
        self._running.pop(task, None)
        if not task.cancelled() and (error := task.exception()):
            log.warning("What came of a delivery could not be kept; it is sent again. %s", error)
        self.wake()

    async def _finish_posts(self) -> None:
        if self._running:
            _, unfinished = await asyncio.wait([*self._running], timeout=SHUTDOWN_SECONDS)
            for task in unfinished:
                task.cancel()
            await asyncio.gather(*unfinished, return_exceptions=True)

    async def _deliver(self, delivery: WebhookDelivery) -> None:
        started = time.monotonic()
        status, error, fault = None, None, None
        try:
            status = await self._send(delivery)
        except DeliveryError as failure:
            status, error, fault = failure.status, failure.message, failure
        except Unavailable:
            raise
        except Exception:
            log.exception("A delivery failed by a fault of ours")
            error = "The message could not be made, by a fault of the server; its log tells more."
        record = {"status": status, "error": error, "milliseconds": round((time.monotonic() - started) * 1000)}
        await record_attempt(self._database, delivery, record, self._options.backoff, fault)

    async def _send(self, delivery: WebhookDelivery) -> int:
        async with self._database.read() as session:
            if (webhook := await webhooks.by_ids.find(session, delivery.webhook_id)) is None:
                raise DeliveryError("The webhook was deleted.")
            visible_events = await load_events(session, delivery, webhook)
            sending = await load_sending(session, delivery, webhook, visible_events, self._options.channels.pages)
        return await self._channels.send(sending)


async def create_deliveries(database: Database, *, wait: timedelta = timedelta()) -> int:
    """Create the deliveries of the next events, and move the webhooks' positions in the same transaction.

    Returns the number of deliveries of single events. Those of messages wait that long for further events.
    """
    async with database.write() as session:
        lagging = await webhooks.lock_lagging(session)
        if not lagging:
            return 0
        page = await events.load_after(session, min(webhook.position for webhook in lagging))
        for webhook in lagging if page else ():
            if webhook.position + 1 < page[0].sequence:
                archived = f"The events {webhook.position + 1} to {page[0].sequence - 1} are archived"
                log.warning("%s, so they are not sent to the webhook %s.", archived, webhook.id)
        deliveries = [
            new_delivery(session, webhook, event.sequence)
            for webhook in lagging
            if webhook.format is WebhookFormat.STANDARD
            for event in page
            if event.sequence > webhook.position
            and matches_filter(webhook.kinds, webhook.team_id, kind=event.kind, audience_team_ids=event.teams)
        ]
        for start in range(0, len(deliveries), 500):
            await session.insert_all(deliveries[start : start + 500])
        receivers = [webhook for webhook in lagging if webhook.format is not WebhookFormat.STANDARD]
        await group_events(session, receivers, page, wait)
        if page:
            await webhooks.advance_position(session, lagging, page[-1].sequence)
        return len(deliveries)


async def record_attempt(
    database: Database,
    delivery: WebhookDelivery,
    record: dict[str, Any],
    backoff: Backoff,
    fault: DeliveryError | None = None,
) -> None:
    """Record an attempt: delivered, due again later, or dead after a day of failures or a final one, with an event.

    A receiver that asks for time gets it for all deliveries to it.
    """
    async with database.write("worker") as session:
        attempts = [*delivery.attempts, {"at": session.now.isoformat(), **record}][-MAX_STORED_ATTEMPTS:]
        if record["error"] is None:
            await webhooks.record_attempt(session, delivery, status=DeliveryStatus.DELIVERED, attempts=attempts)
            return
        retry_after = fault.retry_after if fault else None
        if retry_after:
            seconds = min(retry_after, backoff.maximum_seconds)
            await webhooks.postpone(session, delivery.webhook_id, session.now + timedelta(seconds=seconds))
        failures = sum(1 for attempt in attempts if attempt["at"] >= delivery.since.isoformat())
        due_at = None
        if fault is None or not fault.is_final:
            due_at = next_attempt(
                backoff,
                failures=failures,
                since=delivery.since,
                now=session.now,
                jitter=random.random(),  # noqa: S311 - not a secret
                retry_after=retry_after,
            )
        if due_at is not None:
            await webhooks.record_attempt(session, delivery, attempts=attempts, due_at=due_at)
        elif await webhooks.record_attempt(session, delivery, status=DeliveryStatus.DEAD, attempts=attempts):
            await _record_failure(session, delivery, attempts)


async def _record_failure(session: Session, delivery: WebhookDelivery, attempts: list[dict[str, Any]]) -> None:
    webhook = await webhooks.get(session, delivery.webhook_id, UNRESTRICTED)
    event = WebhookDeliveryFailed(
        audience_team_ids=frozenset({webhook.team_id} if webhook.team_id else ()),
        webhook_id=webhook.id,
        delivery_id=delivery.id,
        event_sequence=delivery.sequence,
        attempts=len(attempts),
        error=attempts[-1]["error"],
    )
    session.record(event)


async def load_events(session: Session, delivery: WebhookDelivery, webhook: Webhook) -> list[EventRow]:
    """Load the events of a delivery as the webhook's team may see them; none for a ping."""
    if delivery.sequence is None:
        return []
    covered = [sequence for item in (delivery.covered_events or {}).values() for sequence in item["sequences"]]
    rows = await events.load_by_sequences(session, sorted({delivery.sequence, *covered}))
    if not rows:
        raise DeliveryError("The event is archived. Read it in the files of the archive.", is_final=True)
    visibility = visibility_of_webhook(webhook.team_id)
    visible = [event for row in rows if (event := redact_event(visibility, row, events.with_actor)) is not None]
    if not visible:
        raise DeliveryError("This event is hidden from the team of the webhook.")
    return visible
