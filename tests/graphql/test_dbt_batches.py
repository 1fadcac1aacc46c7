"""An ask or a sync of hundreds of changes takes turns with other writers, and is completed after an interruption."""

import asyncio
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import count, groupby
from typing import Any

import pytest
from sqlalchemy import select

from tessera_gql.graphql import dbt_batches
from tessera_gql.policy.access import ANONYMOUS
from tessera_gql.policy.events import Event
from tessera_gql.store.database import Database
from tessera_gql.store.tables import Acknowledgment, ChangeSet, IdempotencyKey, Proposal, Team
from tessera_gql.store.tables import table as of
from tessera_gql.workflows import teams
from tests.formats.manifests import column, manifest, table
from tests.graphql.conftest import Ask
from tests.world import World

pytestmark = pytest.mark.long

SYNC = """mutation ($input: SyncDbtManifestInput!) {
  syncDbtManifest(input: $input) {
    report { models { fqn outcome } teamsCreated registrationsCreated dependenciesAdded }
    impact { models { fqn state } }
    errors { code message }
  }
}"""
MANY, SEVERAL = 240, 80
SHORT_SECONDS = 0.05
"""Time of one transaction, with which several tables need as many transactions as many do."""


def project(number: int, *columns: str) -> dict[str, Any]:
    """So many tables with these columns; a dashboard of the team growth reads them."""
    names = [f"table_{position:03}" for position in range(number)]
    tables = [table(name, *(column(key, "bigint") for key in columns)) for name in names]
    nodes = [node["unique_id"] for node in tables]
    dashboard = {
        "name": "board",
        "unique_id": "exposure.shop.board",
        "type": "dashboard",
        "owner": {"name": "growth"},
        "depends_on": {"nodes": nodes},
    }
    return manifest(*tables, exposures={"exposure.shop.board": dashboard})


def release(number: int) -> dict[str, Any]:
    """The arguments of a sync that removes a column from so many tables."""
    return {"owner": {"name": "analytics"}, "manifest": project(number, "id")}


def question(number: int) -> dict[str, Any]:
    """The arguments of the ask before it."""
    return {**release(number), "intent": "ASK", "changeSet": {"key": "github.com/acme/shop#1"}}


async def synced(world: World, ask: Ask, number: int) -> World:
    """A project with so many tables, which growth reads."""
    for name in ("analytics", "growth"):
        await world.team(name)
    await ask(SYNC, input={**release(number), "manifest": project(number, "id", "total")})
    assert len(await world.registrations()) == number
    return world


@pytest.fixture
async def large_world(world: World, ask: Ask) -> World:
    return await synced(world, ask, MANY)


@pytest.fixture
async def small_world(world: World, ask: Ask, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setattr(dbt_batches, "BATCH_SECONDS", dict.fromkeys(dbt_batches.BATCH_SECONDS, SHORT_SECONDS))
    return await synced(world, ask, SEVERAL)


@contextmanager
def writing(url: str) -> Iterator[None]:
    """Create one team after another in a thread, over connections of its own."""
    stopped = threading.Event()
    failures: list[Exception] = []

    async def write() -> None:
        database = Database(url)
        for number in count():
            if stopped.is_set():
                break
            async with database.write() as session:
                await teams.create(session, ANONYMOUS, name=f"writer-{number}")
        await database.dispose()

    def run() -> None:
        try:
            asyncio.run(write())
        except Exception as error:  # noqa: BLE001 - the test fails with it
            failures.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        stopped.set()
        thread.join()
    assert failures == []


@contextmanager
def commits(database: Database, kind: str, on_commit: Callable[[], None] = lambda: None) -> Iterator[list[int]]:
    """Collect how many events of a kind each commit of this process writes."""
    numbers: list[int] = []

    def observe(events: Sequence[Event]) -> None:
        if number := sum(event.kind == kind for event in events):
            numbers.append(number)
            on_commit()

    stop = database.observe_commits(observe)
    try:
        yield numbers
    finally:
        stop()


async def interrupt(ask: Ask, database: Database, kind: str, **arguments: Any) -> None:
    """Begin a call, and cancel it as soon as a commit has written events of a kind."""
    call = asyncio.ensure_future(ask(SYNC, input=arguments))
    with commits(database, kind, call.cancel), pytest.raises(asyncio.CancelledError):
        await call


@pytest.mark.parametrize("arguments", [question(MANY), release(MANY)], ids=["ask", "sync"])
async def test_another_writer_gets_its_turn_between_the_transactions(
    large_world: World, ask: Ask, database_url: str, arguments: dict[str, Any]
) -> None:
    with writing(database_url), commits(large_world.database, "PROPOSAL_OPENED") as numbers:
        await ask(SYNC, input=arguments)
    assert sum(numbers) == MANY
    kinds = [kind for kind in await large_world.kinds() if kind in {"PROPOSAL_OPENED", "TEAM_CREATED"}]
    groups = [kind for kind, _ in groupby(kinds) if kind == "PROPOSAL_OPENED"]
    assert len(numbers) > 2
    assert len(groups) > len(numbers) / 2  # on a busy machine the writer may miss a turn, but hardly every second


async def test_an_ask_of_many_breaks_again_writes_nothing(small_world: World, ask: Ask) -> None:
    first = await ask(SYNC, input=question(SEVERAL))
    assert Counter(model["state"] for model in first["syncDbtManifest"]["impact"]["models"]) == {"WAITING": SEVERAL}
    size, events = await small_world.size(), await small_world.events()
    assert await ask(SYNC, input=question(SEVERAL)) == first
    assert (await small_world.size(), await small_world.events()) == (size, events)


async def test_an_interrupted_ask_is_completed_by_the_next_and_asks_each_team_once(
    small_world: World, ask: Ask
) -> None:
    await interrupt(ask, small_world.database, "PROPOSAL_OPENED", **question(SEVERAL))
    assert 0 < len(await small_world.rows(Proposal)) < SEVERAL
    await ask(SYNC, input=question(SEVERAL))
    assert len(await small_world.rows(Proposal)) == len(await small_world.rows(Acknowledgment)) == SEVERAL
    assert len(await small_world.rows(ChangeSet)) == 1
    assert {row.status.value for row in await small_world.rows(Proposal)} == {"PENDING"}


async def test_an_interrupted_sync_is_completed_under_the_same_idempotency_key(small_world: World, ask: Ask) -> None:
    arguments = {**release(SEVERAL), "idempotencyKey": "run-1"}
    await interrupt(ask, small_world.database, "PROPOSAL_OPENED", **arguments)
    async with small_world.database.read() as session:
        assert await session.rows(select(of(IdempotencyKey))) == []
    payload = (await ask(SYNC, input=arguments))["syncDbtManifest"]
    assert Counter(model["outcome"] for model in payload["report"]["models"]) == {"PROPOSED": SEVERAL}
    size = await small_world.size()
    assert (await ask(SYNC, input=arguments))["syncDbtManifest"] == payload
    assert await small_world.size() == size


async def test_a_repeated_sync_is_answered_from_its_key_even_if_another_has_changed_the_tables_since(
    small_world: World, ask: Ask
) -> None:
    arguments = {**release(SEVERAL), "manifest": project(SEVERAL, "id", "total", "note"), "idempotencyKey": "run-1"}
    payload = (await ask(SYNC, input=arguments))["syncDbtManifest"]
    later = project(SEVERAL, "id", "total", "note", "more")
    await ask(SYNC, input={**release(SEVERAL), "manifest": later, "idempotencyKey": "run-2"})
    size = await small_world.size()
    assert (await ask(SYNC, input=arguments))["syncDbtManifest"] == payload
    assert await small_world.size() == size


async def test_an_atomic_sync_of_hundreds_of_breaks_is_one_transaction(large_world: World, ask: Ask) -> None:
    with commits(large_world.database, "PROPOSAL_OPENED") as numbers:
        await ask(SYNC, input={**release(MANY), "atomic": True})
    assert numbers == [MANY]


async def test_teams_that_a_sync_creates_are_reported(world: World, ask: Ask) -> None:
    orders = table("orders", column("id", "bigint"), config={"materialized": "table", "meta": {"owner": "shop"}})
    report = (await ask(SYNC, input={"manifest": manifest(orders), "createTeams": True}))["syncDbtManifest"]["report"]
    assert report["teamsCreated"] == len(await world.rows(Team)) == 1
    assert [model["outcome"] for model in report["models"]] == ["CREATED"]
