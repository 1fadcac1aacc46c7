"""Webhooks and deliveries of the release before stay as they are; new formats are switched off by a downgrade."""

import pytest

from tessera_gql.notifications.webhook_worker import create_deliveries
from tessera_gql.policy.access import ANONYMOUS
from tessera_gql.policy.enums import WebhookFormat
from tessera_gql.store import migration
from tessera_gql.store.database import Database
from tessera_gql.store.session import INTEGRITY_ERRORS
from tessera_gql.store.tables import Webhook, WebhookDelivery
from tessera_gql.workflows import webhooks as verbs
from tessera_gql.workflows.webhooks import WebhookRequest
from tests.world import World

RELEASE_BEFORE = "0017"
REQUESTS = {
    WebhookFormat.STANDARD: WebhookRequest("https://example.com/hook"),
    WebhookFormat.SLACK: WebhookRequest("https://hooks.slack.com/x", format=WebhookFormat.SLACK),
    WebhookFormat.EMAIL: WebhookRequest("mailto:a@example.com", format=WebhookFormat.EMAIL),
    WebhookFormat.GITHUB_STATUS: WebhookRequest(
        "https://github.com/acme/shop", format=WebhookFormat.GITHUB_STATUS, token="t"
    ),
}


async def test_webhooks_outlive_a_downgrade_and_an_upgrade(bare_url: str) -> None:
    await migration.upgrade(bare_url)
    database = Database(bare_url)
    world = World(database)
    for request in REQUESTS.values():
        async with database.write() as session:
            await verbs.create(session, ANONYMOUS, request)
    await world.team("one")
    await create_deliveries(database)
    before = {row.id: row for row in await world.rows(Webhook)}
    numbers = {row.id: (row.webhook_id, row.sequence, row.status) for row in await world.rows(WebhookDelivery)}
    await database.dispose()

    await migration.downgrade(bare_url, RELEASE_BEFORE)
    await migration.upgrade(bare_url)
    assert await migration.find_differences(bare_url) == []
    database = Database(bare_url)
    world = World(database)
    for row in await world.rows(Webhook):
        old = before[row.id]
        assert (row.url, row.secrets, row.position) == (old.url, old.secrets, old.position)
        is_new = old.format in {WebhookFormat.EMAIL, WebhookFormat.GITHUB_STATUS}
        assert (row.format, row.is_active) == (WebhookFormat.STANDARD if is_new else old.format, not is_new)
    deliveries = await world.rows(WebhookDelivery)
    assert {row.id: (row.webhook_id, row.sequence, row.status) for row in deliveries} == numbers
    assert {(row.event_count, row.group_key) for row in deliveries} == {(1, None)}
    await database.dispose()


async def test_the_database_refuses_a_format_that_does_not_exist(database: Database, world: World) -> None:
    async with database.write() as session:
        created = await verbs.create(session, ANONYMOUS, REQUESTS[WebhookFormat.STANDARD])
    table = Webhook.__table__  # type: ignore[attr-defined] # set by SQLModel's metaclass
    with pytest.raises(INTEGRITY_ERRORS):
        async with database.write() as session:
            await session.rows(
                table.update().where(table.c.id == created.webhook.id).values(format="FAX").returning(table.c.id)
            )
    assert [row.format for row in await world.rows(Webhook)] == [WebhookFormat.STANDARD]
