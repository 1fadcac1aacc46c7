"""The commit status of a pull request follows its change set: pending, failure, and success at the last consent."""

import asyncio
import json
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from tessera_gql.errors import Conflict, Invalid
from tessera_gql.notifications.channels import ChannelOptions
from tessera_gql.notifications.github_status import GitHubOptions
from tessera_gql.notifications.webhook_worker import WebhookOptions
from tessera_gql.policy.access import ANONYMOUS
from tessera_gql.policy.commit_status import CommitState, ProposalState, decide_status, find_repository, is_in_scope
from tessera_gql.policy.enums import ChangeSetStatus, DeliveryStatus, ProposalStatus, Response, WebhookFormat
from tessera_gql.store.database import Database
from tessera_gql.store.encryption import Keyring
from tessera_gql.store.tables import Proposal, Team, Webhook
from tessera_gql.workflows import webhooks as verbs
from tessera_gql.workflows.webhook_secrets import read_token
from tests.notifications.channel_messages import PAGES
from tests.notifications.receiver import ReceivedRequest, Receiver, receiving
from tests.notifications.test_email import failed
from tests.notifications.test_webhooks import INSIDE, QUICK, change, deliveries, live, settled, webhook, working
from tests.world import World, without

__all__ = ["live"]
HOST = "127.0.0.1"
COMMIT, NEXT_COMMIT = "a" * 40, "b" * 40
TOKEN = "ghp_" + "t0k3n" * 7


@asynccontextmanager
async def github(answer: Callable[[int], int | str] = lambda _number: 201) -> AsyncGenerator[tuple[Receiver, str]]:
    """A server that behaves as the documented API; returns it with the host of its repositories."""
    async with receiving(answer) as receiver:
        yield receiver, receiver.url.removeprefix("http://").removesuffix("/hook")


def options(host: str) -> WebhookOptions:
    channels = ChannelOptions(pages=PAGES, github=GitHubOptions(f"http://{host}/api/v3"), github_rules=INSIDE)
    return replace(QUICK, channels=channels, settle_seconds=0.05)


async def follow(database: Database, host: str, path: str = "acme/shop") -> Webhook:
    url = f"https://{host}/{path}"
    created = await webhook(database, url, format=WebhookFormat.GITHUB_STATUS, token=TOKEN)
    return created.webhook


async def ask(world: World, host: str, *, commit: str = COMMIT) -> tuple[Proposal, Team, Team]:
    """Open a pull request that drops a column which two teams read."""
    asset = await world.published(consumers=2)
    first, second = world.consumers
    change_set = await world.change_set(f"{host}/acme/shop#17", commit=commit)
    result = await world.publish(asset, without("total"), change_set_id=change_set.id)
    assert result.proposal is not None
    return result.proposal, first, second


async def states(receiver: Receiver, *expected: str) -> list[tuple[str, str]]:
    """Wait until the last status is the last expected one, and return all that were set."""
    async with asyncio.timeout(15):
        while True:
            posted = [request.json for request in receiver.got]
            distinct = [*dict.fromkeys(item["state"] for item in posted)]
            if distinct == [*expected]:
                return [(item["state"], item["description"]) for item in posted]
            await asyncio.sleep(0.02)


async def test_a_status_is_pending_then_failure_then_success_at_the_last_consent(live: Database) -> None:
    world = World(live)
    async with github() as (receiver, host):
        await follow(live, host)
        proposal, first, second = await ask(world, host)
        async with working(live, options(host)):
            posted = await states(receiver, "pending")
            names = " and ".join(sorted((first.name, second.name)))
            assert posted[-1] == ("pending", f"Waiting for {names} (1 table).")
            await world.answer(proposal, first, Response.BLOCKED)
            posted = await states(receiver, "pending", "failure")
            assert posted[-1] == ("failure", f"Blocked by {first.name} (1 table).")
            await world.answer(proposal, first, Response.APPROVED)
            await world.answer(proposal, second, Response.APPROVED)
            posted = await states(receiver, "pending", "failure", "success")
            assert posted[-1] == ("success", "Every asked team agrees (1 table).")
            await settled(live)
    request = receiver.got[0]
    assert request.path == f"/api/v3/repos/acme/shop/statuses/{COMMIT}"
    assert request.headers["authorization"] == f"Bearer {TOKEN}"
    assert request.headers["accept"] == "application/vnd.github+json"
    assert request.json["context"] == "tessera/contracts"
    assert request.json["target_url"].startswith("https://data.example.com/tessera/change-sets/")
    assert all(len(item.json["description"]) <= 140 for item in receiver.got)


async def test_a_new_commit_gets_the_status_of_the_change_set(live: Database) -> None:
    world = World(live)
    async with github() as (receiver, host):
        await follow(live, host)
        await ask(world, host)
        async with working(live, options(host)):
            await states(receiver, "pending")
            await settled(live)
            await world.change_set(f"{host}/acme/shop#17", commit=NEXT_COMMIT)
            async with asyncio.timeout(10):
                while not receiver.got[-1].path.endswith(NEXT_COMMIT):  # noqa: ASYNC110 - as the receiver waits
                    await asyncio.sleep(0.02)
            assert receiver.got[-1].json["state"] == "pending"


async def test_a_change_set_of_another_repository_or_without_a_commit_has_no_status(live: Database) -> None:
    world = World(live)
    async with github() as (receiver, host), working(live, options(host)):
        await follow(live, host, "acme/other")
        await follow(live, host, "acm")
        await world.change_set("release 7")
        asset = await world.published(consumers=1)
        change_set = await world.change_set(f"{host}/acme/shop#1")
        await world.publish(asset, without("total"), change_set_id=change_set.id)
        await asyncio.sleep(0.5)
        assert await deliveries(live) == []
        await follow(live, host, "acme")
        await world.change_set(f"{host}/acme/shop#1", title="Now it has a title")
        (row,) = await settled(live)
        assert (row.status, row.attempts[0]["status"], receiver.got) == (DeliveryStatus.DELIVERED, 204, [])


async def test_many_tables_and_answers_are_a_few_statuses(live: Database) -> None:
    world = World(live)
    async with github() as (receiver, host):
        await follow(live, host)
        shop, reader = await world.team("shop"), await world.team("reader")
        change_set = await world.change_set(f"{host}/acme/shop#1", commit=COMMIT)
        for number in range(15):
            asset = await world.asset(f"wh.t{number}", shop)
            await world.publish(asset)
            await world.register(asset, reader)
            await world.publish(asset, without("total"), change_set_id=change_set.id)
        async with working(live, options(host)):
            await states(receiver, "pending")
            await settled(live)
    assert len(receiver.got) == 1
    assert receiver.got[0].json["description"] == "Waiting for reader (15 tables)."


async def test_a_status_that_changes_during_the_post_is_posted_again(live: Database) -> None:
    """The state is read after the post as well, so that of two posts at once the last one is right."""
    world = World(live)
    async with github() as (receiver, host):
        await follow(live, host)
        proposal, first, second = await ask(world, host)
        answered = asyncio.Event()

        async def serve_slowly(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            if not receiver.got:
                await world.answer(proposal, first, Response.APPROVED)
                await world.answer(proposal, second, Response.APPROVED)
                answered.set()
            await receiver.serve(reader, writer)

        server = await asyncio.start_server(serve_slowly, HOST, 0)
        slow = f"http://{HOST}:{server.sockets[0].getsockname()[1]}/api/v3"
        channels = replace(options(host).channels, github=SlowHost(slow, host))
        async with working(live, replace(options(host), channels=channels, settle_seconds=0.01)):
            await answered.wait()
            await settled(live)
        server.close()
    assert [request.json["state"] for request in receiver.got][-1] == "success"


class SlowHost(GitHubOptions):
    """An API whose repositories are at another host."""

    def __init__(self, api_url: str, repositories: str) -> None:
        super().__init__(api_url)
        object.__setattr__(self, "repositories", repositories)

    @property
    def host(self) -> str:
        return str(getattr(self, "repositories"))  # noqa: B009 - set above, since the class is frozen


def reply(status: int, headers: dict[str, str], body: dict[str, Any]) -> str:
    text = json.dumps(body)
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"HTTP/1.1 {status} x\r\n{lines}content-length: {len(text)}\r\n\r\n{text}"


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (reply(401, {}, {"message": "Bad credentials"}), "expired or was revoked. Set a new one with updateWebhook"),
        (reply(403, {}, {"message": "Resource not accessible"}), "Give it `Commit statuses: write`"),
        (reply(404, {}, {"message": "Not Found"}), "The repository does not exist, or the token may not see it"),
        (reply(422, {}, {"message": "No commit found for SHA"}), "does not know the commit"),
        (reply(502, {}, {"message": "Server Error"}), "GitHub answered 502."),
        (reply(301, {"location": "http://127.0.0.1:1/"}, {}), "a redirect: they are not followed"),
    ],
)
async def test_a_refusal_is_stated_in_the_delivery_with_what_to_do(live: Database, answer: str, message: str) -> None:
    async with github(lambda _number: answer) as (_, host):
        await follow(live, host)
        await ask(World(live), host)
        async with working(live, options(host)):
            row = await failed(live)
    assert message in row.attempts[0]["error"]
    assert TOKEN not in str(row.attempts)
    assert row.status is DeliveryStatus.PENDING


async def test_a_new_token_heals_a_webhook_whose_token_expired(live: Database) -> None:
    world = World(live)

    def answer(number: int) -> int:
        return 201 if receiver.got[number - 1].headers["authorization"] == "Bearer new" else 401

    async with github(answer) as (receiver, host):
        row = await follow(live, host)
        await ask(world, host)
        async with working(live, options(host)):
            await failed(live)
            await change(live, row, token="new")
            healed = await settled(live)
    assert {item.status for item in healed} == {DeliveryStatus.DELIVERED}


@pytest.mark.parametrize(
    ("status", "headers", "seconds"),
    [
        (429, {"retry-after": "120"}, 120),
        (403, {"retry-after": "60"}, 60),
        (403, {"x-ratelimit-remaining": "0", "x-ratelimit-reset": "1"}, 1),
        (429, {"retry-after": "999999"}, 4 * 3600),
    ],
)
async def test_a_throttled_channel_gets_the_time_that_it_asks_for(
    live: Database, status: int, headers: dict[str, str], seconds: int
) -> None:
    slow = replace(QUICK.backoff, maximum_seconds=4 * 3600, give_up_after_seconds=24 * 3600)
    answer = reply(status, headers, {})
    async with github(lambda _: answer) as (_, host):
        await follow(live, host)
        await ask(World(live), host)
        async with working(live, replace(options(host), backoff=slow)):
            row = await failed(live)
    at = row.attempts[0]["at"]
    wait = row.due_at - row.due_at.fromisoformat(at)
    assert timedelta(seconds=seconds - 1) <= wait <= timedelta(seconds=seconds + 5)


async def test_a_ping_checks_the_token(live: Database) -> None:
    async with github(lambda _number: 200) as (receiver, host), working(live, options(host)):
        for path, expected in (("acme/shop", "/api/v3/repos/acme/shop"), ("acme", "/api/v3/rate_limit")):
            row = await follow(live, host, path)
            async with live.write() as session:
                await verbs.ping(session, ANONYMOUS, row.id)
            requests: list[ReceivedRequest] = await receiver.count(1)
            assert requests.pop().path == expected
        await settled(live)


async def test_a_token_is_stored_as_secrets_are_and_goes_to_the_configured_api_only(live: Database) -> None:
    async with github() as (receiver, host):
        row = await follow(live, "github.example.com")
        world = World(live)
        asset = await world.published(consumers=1)
        change_set = await world.change_set("github.example.com/acme/shop#1", commit=COMMIT)
        await world.publish(asset, without("total"), change_set_id=change_set.id)
        async with working(live, options(host)):
            (dead,) = await settled(live)
    assert receiver.got == []
    assert "is not the host of GITHUB_API_URL" in dead.attempts[0]["error"]
    assert read_token(Keyring(), row) == TOKEN
    assert TOKEN not in str([event.payload for event in await World(live).events()])
    assert TOKEN not in repr(verbs.WebhookRequest("x", token=TOKEN))


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        ({"url": "https://github.com/acme/shop"}, "token"),
        ({"url": "https://github.com/acme/shop", "token": ""}, "token"),
        ({"url": "https://github.com/acme/shop", "token": "two words"}, "token"),
        ({"url": "https://github.com/acme/shop", "token": "x\r\nEvil: 1"}, "token"),
        ({"url": "https://github.com/", "token": TOKEN}, "url"),
        ({"url": "https://github.com/a/b/c", "token": TOKEN}, "url"),
        ({"url": "https://github.com/acme/shop?x=1", "token": TOKEN}, "url"),
        ({"url": "https://github.com/../api", "token": TOKEN}, "url"),
        ({"url": "https://github.com/acme/shop", "token": TOKEN, "kinds": ["TEAM_CREATED"]}, "kinds"),
        ({"url": "https://example.com/", "token": TOKEN, "format": WebhookFormat.SLACK}, "token"),
    ],
)
async def test_a_wrong_request_is_refused_with_its_field(live: Database, request_: dict[str, Any], field: str) -> None:
    with pytest.raises(Invalid) as refused:
        await webhook(live, **({"format": WebhookFormat.GITHUB_STATUS} | request_))
    assert refused.value.field == (field,)


async def test_a_server_without_its_key_stores_no_token(database_url: str) -> None:
    from tests.security.test_secrets import open_database  # noqa: PLC0415 - a helper of another area

    database = open_database(database_url, required=True)
    with pytest.raises(Conflict, match="SECRETS_KEY"):
        await follow(database, "github.com")
    await database.dispose()


PROPOSAL = ProposalState(UUID(int=1), ProposalStatus.PENDING)


@pytest.mark.parametrize(
    ("change_set", "statuses", "expected"),
    [
        (ChangeSetStatus.OPEN, (), CommitState.SUCCESS),
        (ChangeSetStatus.OPEN, (ProposalStatus.PENDING,), CommitState.PENDING),
        (ChangeSetStatus.OPEN, (ProposalStatus.APPROVED,), CommitState.SUCCESS),
        (ChangeSetStatus.OPEN, (ProposalStatus.APPROVED, ProposalStatus.PENDING), CommitState.PENDING),
        (ChangeSetStatus.OPEN, (ProposalStatus.PENDING, ProposalStatus.REJECTED), CommitState.FAILURE),
        (ChangeSetStatus.OPEN, (ProposalStatus.EXPIRED, ProposalStatus.APPROVED), CommitState.FAILURE),
        (ChangeSetStatus.OPEN, (ProposalStatus.WITHDRAWN, ProposalStatus.APPROVED), CommitState.SUCCESS),
        (ChangeSetStatus.PUBLISHED, (ProposalStatus.PUBLISHED,), CommitState.SUCCESS),
        (ChangeSetStatus.WITHDRAWN, (ProposalStatus.WITHDRAWN,), CommitState.ERROR),
    ],
)
def test_the_status_is_that_of_the_worst_proposal(
    change_set: ChangeSetStatus, statuses: tuple[ProposalStatus, ...], expected: CommitState
) -> None:
    proposals = [replace(PROPOSAL, asset_id=UUID(int=index), status=status) for index, status in enumerate(statuses)]
    status = decide_status(change_set, proposals)
    assert status.state is expected
    assert len(status.description) <= 140


def test_a_long_list_of_teams_fits_into_a_description() -> None:
    teams = frozenset(f"{'team' * 20} {number}" for number in range(30))
    status = decide_status(ChangeSetStatus.OPEN, [replace(PROPOSAL, awaited=teams)])
    assert len(status.description) <= 140
    assert status.description.endswith("(1 table).")


@pytest.mark.parametrize(
    ("url", "key", "expected"),
    [
        ("https://github.com/acme/shop", "github.com/acme/shop#1", True),
        ("https://github.com/Acme/", "github.com/acme/shop#1", True),
        ("https://github.com/acme/sho", "github.com/acme/shop#1", False),
        ("https://github.com/acme/shop", "github.com/acme/shop2#1", False),
        ("https://ghe.example.com/acme", "github.com/acme/shop#1", False),
        ("https://github.com/acme/shop", "release 7", False),
    ],
)
def test_a_webhook_follows_the_pull_requests_of_its_repository_or_organization(
    url: str, key: str, *, expected: bool
) -> None:
    assert is_in_scope(url, key) is expected


@pytest.mark.parametrize("key", ["", "github.com/acme/shop", "github.com/acme/shop#x", "a#1", "github.com/a/b/c#1"])
def test_another_key_is_no_pull_request(key: str) -> None:
    assert find_repository(key) is None


def test_the_host_of_the_repositories_follows_from_that_of_the_api() -> None:
    assert GitHubOptions().host == "github.com"
    assert GitHubOptions("https://ghe.example.com/api/v3").host == "ghe.example.com"
    assert GitHubOptions("https://api.acme.ghe.com").host == "acme.ghe.com"
