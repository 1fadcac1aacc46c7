"""Every event reaches every webhook that matches it at least once, despite failing receivers and workers."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from standardwebhooks import Webhook as Verifier

from tessera_gql.errors import Forbidden, Invalid, NotFound
from tessera_gql.notifications.channels import ChannelOptions
from tessera_gql.notifications.outbound_http import PostRules
from tessera_gql.notifications.webhook_worker import WebhookOptions, WebhookWorker, create_deliveries
from tessera_gql.policy.access import ANONYMOUS, Actor, Scope
from tessera_gql.policy.enums import DeliveryStatus, Response, WebhookFormat
from tessera_gql.policy.global_ids import encode_global_id
from tessera_gql.policy.visibility import format_key_actor
from tessera_gql.policy.webhook_delivery import Backoff
from tessera_gql.store import webhooks
from tessera_gql.store.database import Database
from tessera_gql.store.encryption import Keyring
from tessera_gql.store.tables import Webhook, WebhookDelivery
from tessera_gql.store.teams import TeamRef
from tessera_gql.workflows import teams
from tessera_gql.workflows import webhooks as verbs
from tessera_gql.workflows.webhook_secrets import signing_secrets
from tessera_gql.workflows.webhooks import WebhookRequest, WebhookResult
from tests.conftest import FixedClock
from tests.notifications.receiver import receiving
from tests.world import World

INSIDE = PostRules(allow_private=True, timeout_seconds=1)
QUICK = WebhookOptions(
    channels=ChannelOptions(rules=INSIDE),
    backoff=Backoff(first_seconds=0.02, factor=1.5, maximum_seconds=0.2, give_up_after_seconds=60),
    lease_seconds=2,
    poll_seconds=0.02,
    settle_seconds=0.02,
)


@asynccontextmanager
async def working(database: Database, options: WebhookOptions = QUICK, *, workers: int = 1) -> AsyncGenerator[None]:
    tasks = [asyncio.create_task(WebhookWorker(database, options).run()) for _ in range(workers)]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task


@pytest.fixture
async def live(database_url: str) -> AsyncGenerator[Database]:
    """A database with the system clock, so that workers wait in real time."""
    database = Database(database_url)
    yield database
    await database.dispose()


async def webhook(database: Database, url: str, **asked: Any) -> WebhookResult:
    async with database.write() as session:
        return await verbs.create(session, ANONYMOUS, WebhookRequest(url, **asked))


async def deliveries(database: Database) -> list[WebhookDelivery]:
    async with database.read() as session:
        statement = webhooks.DELIVERIES.select().order_by(webhooks.DELIVERIES.c.sequence)
        return await session.list(statement, WebhookDelivery)


async def settled(database: Database, *, seconds: float = 15) -> list[WebhookDelivery]:
    async with asyncio.timeout(seconds):
        while True:
            rows = await deliveries(database)
            if rows and all(delivery.status is not DeliveryStatus.PENDING for delivery in rows):
                return rows
            await asyncio.sleep(0.02)


async def test_every_event_from_now_on_is_posted_and_signed(live: Database) -> None:
    world = World(live)
    await world.team("before")
    async with receiving() as receiver, working(live):
        created = await webhook(live, receiver.url)
        await world.proposed(consumers=1)
        expected = await world.events(1)
        await receiver.count(len(expected))
        await settled(live)
    assert sorted(request.json["data"]["sequence"] for request in receiver.got) == [
        event.sequence for event in expected
    ]
    for request in receiver.got:
        message = Verifier(created.secret or "").verify(request.body, request.headers)
        assert message["type"] == message["data"]["kind"]
    assert {request.headers["webhook-id"] for request in receiver.got} == {
        encode_global_id("WebhookDelivery", delivery.id) for delivery in await deliveries(live)
    }


async def test_a_receiver_that_fails_is_tried_again_until_it_accepts(live: Database) -> None:
    async with receiving(lambda number: 500 if number % 3 else 200) as receiver, working(live):
        await webhook(live, receiver.url)
        await World(live).team("one")
        rows = await settled(live)
    assert [delivery.status for delivery in rows] == [DeliveryStatus.DELIVERED] * len(rows)
    failed = [attempt for delivery in rows for attempt in delivery.attempts if attempt["error"]]
    assert failed
    assert {attempt["error"] for attempt in failed} == {"The receiver answered 500."}
    assert len({request.headers["webhook-id"] for request in receiver.got}) == len(rows)


async def test_after_a_day_of_failures_an_event_is_recorded_and_no_webhook_receives_it(
    world: World, database: Database, clock: FixedClock
) -> None:
    async with receiving(lambda _number: 503) as receiver:
        await webhook(database, receiver.url, kinds=["TEAM_CREATED"])
        await world.team("one")
        await create_deliveries(database)
        async with (
            working(database, WebhookOptions(channels=ChannelOptions(rules=INSIDE), poll_seconds=0.01)),
            asyncio.timeout(60),
        ):
            (dead,) = await deliveries(database)
            while dead.status is DeliveryStatus.PENDING:
                attempts, clock.now = len(dead.attempts), max(clock.now, dead.due_at)
                while len(dead.attempts) == attempts:
                    await asyncio.sleep(0.01)
                    (dead,) = await deliveries(database)
    assert (await world.kinds())[-1] == "WEBHOOK_DELIVERY_FAILED"
    assert dead.status is DeliveryStatus.DEAD
    assert 8 <= len(dead.attempts) <= 20
    assert clock.now - dead.since <= timedelta(days=1, hours=1)
    await create_deliveries(database)
    assert len(await deliveries(database)) == 1


async def test_a_worker_that_was_killed_loses_nothing(database: Database, clock: FixedClock) -> None:
    """A worker killed after its claim or after its post leaves the same state."""
    async with receiving() as receiver:
        await webhook(database, receiver.url)
        await create_deliveries(database)
        async with database.write() as session:
            claimed = await webhooks.claim(
                session, limit=9, limit_per_webhook=9, excluded_webhook_ids=(), lease=timedelta(seconds=60)
            )
        assert len(claimed) == 1
        async with working(database):
            await asyncio.sleep(0.1)
            assert receiver.got == []
            clock.advance(seconds=61)
            await receiver.count(1)
            await settled(database)


async def test_a_worker_whose_lease_expired_does_not_overwrite_a_later_attempt(
    database: Database, clock: FixedClock
) -> None:
    await webhook(database, "https://example.com/")
    await create_deliveries(database)
    lease = timedelta(seconds=60)
    async with database.write() as session:
        (slow,) = await webhooks.claim(session, limit=9, limit_per_webhook=9, excluded_webhook_ids=(), lease=lease)
    clock.advance(seconds=61)
    async with database.write() as session:
        (quick,) = await webhooks.claim(session, limit=9, limit_per_webhook=9, excluded_webhook_ids=(), lease=lease)
        assert await webhooks.record_attempt(session, quick, status=DeliveryStatus.DELIVERED)
    async with database.write() as session:
        assert not await webhooks.record_attempt(session, slow, status=DeliveryStatus.DEAD)


async def test_many_workers_share_the_work_and_send_nothing_twice_while_all_is_well(live: Database) -> None:
    second_process = Database(str(live.url))
    world = World(live)
    patient = replace(QUICK, lease_seconds=60, channels=ChannelOptions(rules=PostRules(allow_private=True)))
    async with receiving() as first, receiving() as second:
        for receiver in (first, second):
            await webhook(live, receiver.url)
        async with working(live, patient, workers=2), working(second_process, patient, workers=2):
            await asyncio.gather(*(world.team(f"team-{number}") for number in range(30)))
            await first.count(32)
            await second.count(31)
            await settled(live)
    assert sorted(got.json["data"]["sequence"] for got in first.got) == list(range(1, 33))
    assert sorted(got.json["data"]["sequence"] for got in second.got) == list(range(2, 33))
    await second_process.dispose()


async def test_a_slow_receiver_does_not_hold_up_another(live: Database) -> None:
    world = World(live)
    async with receiving(lambda _number: "") as silent, receiving() as quick:
        await webhook(live, silent.url)
        await webhook(live, quick.url)
        for number in range(12):
            await world.team(f"team-{number}")
        patient = ChannelOptions(rules=PostRules(allow_private=True, timeout_seconds=5))
        options = WebhookOptions(channels=patient, max_posts=8, max_posts_per_webhook=2)
        async with working(live, options):
            await quick.count(13, 4)


async def test_a_webhook_receives_the_events_of_its_team_and_of_its_filter(world: World, database: Database) -> None:
    _, proposal = await world.proposed(consumers=2)
    own = await webhook(database, "https://example.com/a", team=TeamRef(id=world.consumers[0].id))
    asked = await webhook(database, "https://example.com/b", kinds=["PROPOSAL_ANSWERED"])
    after = (await world.events())[-1].sequence
    for consumer in world.consumers:
        await world.answer(proposal, consumer, Response.APPROVED)
    await create_deliveries(database)
    events = {event.sequence: event for event in await world.events(after)}
    new_deliveries = [delivery for delivery in await deliveries(database) if delivery.sequence in events]
    of_own = [events[delivery.sequence or 0] for delivery in new_deliveries if delivery.webhook_id == own.webhook.id]
    assert of_own
    assert all(str(world.consumers[0].id) in event.teams for event in of_own)
    of_asked = [
        events[delivery.sequence or 0].kind for delivery in new_deliveries if delivery.webhook_id == asked.webhook.id
    ]
    assert of_asked == ["PROPOSAL_ANSWERED"] * 2


async def test_a_resumed_webhook_receives_the_events_of_its_pause(live: Database) -> None:
    world = World(live)
    async with receiving() as receiver, working(live):
        created = await webhook(live, receiver.url, kinds=["TEAM_CREATED"])
        await change(live, created.webhook, is_active=False)
        await world.team("meanwhile")
        await asyncio.sleep(0.1)
        assert receiver.got == []
        await change(live, created.webhook, is_active=True)
        assert (await receiver.count(1))[0].json["data"]["payload"]["name"] == "meanwhile"


async def change(database: Database, row: Webhook, *, rotate: bool = False, **changes: Any) -> WebhookResult:
    async with database.write() as session:
        return await verbs.update(session, ANONYMOUS, row.id, changes, rotate_secret=rotate)


async def test_a_replaced_secret_signs_together_with_the_new_secret_for_a_day(
    database: Database, clock: FixedClock
) -> None:
    created = await webhook(database, "https://example.com/")
    fresh = await change(database, created.webhook, rotate=True)
    assert signing_secrets(Keyring(), fresh.webhook, clock.now) == [fresh.secret, created.secret]
    clock.advance(hours=25)
    assert signing_secrets(Keyring(), fresh.webhook, clock.now) == [fresh.secret]
    last = await change(database, created.webhook, rotate=True)
    assert [secret["secret"] for secret in last.webhook.secrets] == [last.secret, fresh.secret]


async def test_the_event_of_an_update_holds_hosts_and_no_secret(world: World, database: Database) -> None:
    created = await webhook(database, "https://one.example/services/T0K3N")
    updated = await change(database, created.webhook, rotate=True, url="https://two.example/x", kinds=["TEAM_CREATED"])
    payload = (await world.events())[-1].payload
    assert payload["changed"] == ["kinds", "secrets", "url"]
    assert payload["changes"] == {
        "kinds": {"before": None, "after": ["TEAM_CREATED"]},
        "url": {"before": "one.example", "after": "two.example"},
    }
    secrets = {created.secret or "", updated.secret or "", "T0K3N"}
    assert not any(secret in str(event.payload) for event in await world.events() for secret in secrets)


async def test_both_secrets_verify_a_post_while_one_replaces_the_other(live: Database) -> None:
    async with receiving() as receiver, working(live):
        created = await webhook(live, receiver.url, kinds=["TEAM_CREATED"])
        fresh = await change(live, created.webhook, rotate=True)
        await World(live).team("one")
        (got,) = await receiver.count(1)
    for secret in (created.secret, fresh.secret):
        Verifier(secret or "").verify(got.body, got.headers)


async def test_a_delivery_can_be_sent_again_with_the_same_id(live: Database) -> None:
    async with receiving() as receiver, working(live):
        await webhook(live, receiver.url, kinds=["TEAM_CREATED"])
        await World(live).team("one")
        (first,) = await settled(live)
        async with live.write() as session:
            await verbs.redeliver(session, ANONYMOUS, first.id)
        await receiver.count(2)
        (again,) = await settled(live)
    assert [request.headers["webhook-id"] for request in receiver.got] == [
        encode_global_id("WebhookDelivery", first.id)
    ] * 2
    assert len(again.attempts) == 2


async def test_a_ping_arrives_without_an_event(live: Database) -> None:
    async with receiving() as receiver, working(live):
        created = await webhook(live, receiver.url, kinds=["TEAM_CREATED"])
        before = await World(live).size()
        async with live.write() as session:
            await verbs.ping(session, ANONYMOUS, created.webhook.id)
        (got,) = await receiver.count(1)
        assert await World(live).size() == before
    assert got.json["type"] == "PING"
    Verifier(created.secret or "").verify(got.body, got.headers)


async def test_a_chat_room_gets_a_message_in_which_nothing_is_markup(live: Database) -> None:
    async with receiving() as receiver, working(live):
        await webhook(live, receiver.url, kinds=["TEAM_CREATED"], format=WebhookFormat.SLACK)
        await World(live).team("<!channel> & co")
        (got,) = await receiver.count(1)
    assert "name: `&lt;!channel&gt; &amp;` co" in str(got.json["blocks"])
    assert not {"<", ">"} & set(got.body.decode())


async def test_a_team_is_posted_the_prefix_of_a_key_and_an_administrator_its_name(live: Database) -> None:
    own_team = await World(live).team("mine")
    async with receiving() as receiver, working(live):
        for team in (TeamRef(id=own_team.id), None):
            for shape in (WebhookFormat.STANDARD, WebhookFormat.SLACK):
                await webhook(live, receiver.url, team=team, kinds=["TEAM_UPDATED"], format=shape)
        async with live.write(format_key_actor("nightly", "tsr_AbCd")) as session:
            await teams.update(session, ANONYMOUS, TeamRef(id=own_team.id), metadata={"a": 1})
        posts = [request.body.decode() for request in await receiver.count(4)]
    assert sorted("nightly" in body for body in posts) == [False, False, True, True]
    assert all("tsr_AbCd" in body for body in posts)


async def test_a_document_chooses_the_payload(live: Database) -> None:
    async def render(hook: Webhook, event: Any) -> Any:
        return {"chosen by": hook.document, "of": event.kind}

    options = WebhookOptions(channels=ChannelOptions(rules=INSIDE, render=render), poll_seconds=0.02)
    async with receiving() as receiver, working(live, options):
        await webhook(live, receiver.url, kinds=["TEAM_CREATED"], document="{ x }")
        await World(live).team("one")
        (got,) = await receiver.count(1)
    assert got.json["data"] == {"chosen by": "{ x }", "of": "TEAM_CREATED"}


async def test_a_webhook_of_the_settings_exists_once_and_is_paused_when_it_is_removed_from_them(live: Database) -> None:
    world = World(live)
    async with receiving() as receiver:
        signing = ChannelOptions(rules=INSIDE, secret="plain words")
        options = WebhookOptions(url=receiver.url, channels=signing, poll_seconds=0.02)
        async with working(live, options, workers=3):
            await asyncio.sleep(0.2)
            await world.team("one")
            (got,) = await receiver.count(1)
            await settled(live)
        Verifier(b"plain words").verify(got.body, got.headers)
        async with working(live, QUICK):
            await asyncio.sleep(0.1)
            await world.team("two")
            await asyncio.sleep(0.2)
    assert len(receiver.got) == 1
    assert await live_hooks(live) == [False]


async def live_hooks(database: Database) -> list[bool]:
    async with database.read() as session:
        return [one.is_active for one in await session.list(webhooks.TABLE.select(), Webhook)]


async def test_a_delivery_of_a_deleted_webhook_ends_quietly(live: Database) -> None:
    async with receiving() as receiver:
        created = await webhook(live, receiver.url)
        await create_deliveries(live)
        async with live.write() as session:
            await verbs.delete(session, ANONYMOUS, created.webhook.id)
        async with working(live):
            await World(live).team("one")
            await asyncio.sleep(0.1)
    assert receiver.got == []
    assert await deliveries(live) == []


@pytest.mark.parametrize(
    "url",
    [
        "",
        "ftp://example.com/",
        "https://",
        "https://a:b@example.com/",
        "http://[::1",
        "https://exa mple.com",
        "x" * 3000,
    ],
)
async def test_an_invalid_address_is_refused(world: World, database: Database, url: str) -> None:
    before = await world.size()
    with pytest.raises(Invalid):
        await webhook(database, url)
    assert await world.size() == before


async def test_a_team_has_webhooks_of_its_own_only(world: World, database: Database) -> None:
    own_team, other_team = await world.team("mine"), await world.team("other")
    actor = Actor("ci", own_team.id, frozenset({Scope.WRITE}))
    async with database.write() as session:
        created = await verbs.create(session, actor, WebhookRequest("https://example.com/"))
    assert created.webhook.team_id == own_team.id
    foreign = await webhook(database, "https://example.com/", team=TeamRef(id=other_team.id))
    with pytest.raises(Forbidden):
        async with database.write() as session:
            await verbs.create(session, actor, WebhookRequest("https://example.com/", team=TeamRef(id=other_team.id)))
    for verb in (
        lambda session: verbs.update(session, actor, foreign.webhook.id, {"is_active": False}),
        lambda session: verbs.delete(session, actor, foreign.webhook.id),
        lambda session: verbs.ping(session, actor, foreign.webhook.id),
    ):
        with pytest.raises(NotFound):
            async with database.write() as session:
                await verb(session)


async def test_ended_deliveries_are_forgotten_after_a_month(database: Database, clock: FixedClock) -> None:
    await webhook(database, "https://example.com/")
    await create_deliveries(database)
    (delivery,) = await deliveries(database)
    async with database.write() as session:
        await webhooks.record_attempt(session, delivery, status=DeliveryStatus.DELIVERED)
    clock.advance(days=31)
    async with database.write() as session:
        assert await webhooks.delete_ended(session, datetime(2026, 1, 31, tzinfo=UTC)) == 1
