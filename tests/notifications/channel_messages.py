"""Read what a channel would send: the messages of the deliveries of a webhook, as the worker loads them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import update

from tessera_gql.notifications.channels import load_sending
from tessera_gql.notifications.webhook_worker import create_deliveries, load_events
from tessera_gql.policy.access import ANONYMOUS
from tessera_gql.policy.enums import WebhookFormat
from tessera_gql.policy.messages import Pages, TeamMessage
from tessera_gql.store import webhooks
from tessera_gql.store.database import Database
from tessera_gql.store.tables import Team, Webhook, WebhookDelivery
from tessera_gql.store.teams import TeamRef
from tessera_gql.workflows import webhooks as verbs
from tessera_gql.workflows.webhooks import WebhookRequest

PAGES = Pages("https://data.example.com/tessera")


@dataclass(frozen=True)
class SentMessage:
    """A message with the kinds of the events that it covers."""

    message: TeamMessage
    kinds: tuple[str, ...]
    event_count: int


@dataclass
class Channel:
    """A webhook, whose messages are read once each."""

    database: Database
    webhook: Webhook
    read_ids: set[UUID]

    @classmethod
    async def open(cls, database: Database, team: Team | None, **request: Any) -> "Channel":
        request = {"url": "https://chat.example.com/hook", "format": WebhookFormat.SLACK} | request
        async with database.write() as session:
            ref = TeamRef(id=team.id) if team else None
            created = await verbs.create(session, ANONYMOUS, WebhookRequest(team=ref, **request))
        channel = cls(database, created.webhook, set())
        await channel.read()
        return channel

    async def read(self, *, pages: Pages = PAGES) -> Sequence[SentMessage]:
        """Return the messages since the last call, which closes their deliveries, as the attempt of a worker does."""
        while await self._is_lagging():
            await create_deliveries(self.database)
        order = (webhooks.DELIVERIES.c.sequence, webhooks.DELIVERIES.c.id)
        async with self.database.read() as session:
            rows = await session.list(webhooks.DELIVERIES.select().order_by(*order), WebhookDelivery)
            new_rows = [row for row in rows if row.webhook_id == self.webhook.id and row.id not in self.read_ids]
            self.read_ids |= {row.id for row in new_rows}
            messages: list[SentMessage] = []
            for row in new_rows:
                events = await load_events(session, row, self.webhook)
                sending = await load_sending(session, row, self.webhook, events, pages)
                kinds = tuple(sorted({event.kind for event in events}))
                messages.append(SentMessage(sending.message, kinds, row.event_count))
        async with self.database.write() as session:
            await session.execute(update(webhooks.DELIVERIES).values(group_key=None))
        return messages

    async def read_one(self) -> TeamMessage:
        """Return the one message since the last call."""
        (delivered,) = await self.read()
        return delivered.message

    async def _is_lagging(self) -> bool:
        async with self.database.read() as session:
            return bool(await session.rows(webhooks.TABLE.select().where(webhooks.IS_LAGGING)))
