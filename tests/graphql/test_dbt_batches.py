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
NAMES = [f"table_{number:03}" for number in range(240)]


def project(*columns: str) -> dict[str, Any]:
    """All tables with these columns; a dashboard of the team growth reads them."""
    tables = [table(name, *(column(key, "bigint") for key in columns)) for name in NAMES]
    nodes = [node["unique_id"] for node in tables]
    dashboard = {
        "name": "board",
        "unique_id": "exposure.shop.board",
        "type": "dashboard",
        "owner": {"name": "growth"},
        "depends_on": {"nodes": nodes},
    }
    return manifest(*tables, exposures={"exposure.shop.board": dashboard})


WIDE, NARROW = project("id", "total"), project("id")
RELEASE = {"owner": {"name": "analytics"}, "manifest": NARROW}
QUESTION = {**RELEASE, "intent": "ASK", "changeSet": {"key": "github.com/acme/shop#1"}}


@pytest.fixture
async def synced_world(world: World, ask: Ask) -> World:
    """A project whose tables growth reads."""
    for name in ("analytics", "growth"):
        await world.team(name)
    await ask(SYNC, input={**RELEASE, "manifest": WIDE})
    assert len(await world.registrations()) == len(NAMES)
    return world


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


@pytest.mark.parametrize("arguments", [QUESTION, RELEASE], ids=["ask", "sync"])
async def test_another_writer_gets_its_turn_between_the_transactions(
    synced_world: World, ask: Ask, database_url: str, arguments: dict[str, Any]
) -> None:
    with writing(database_url), commits(synced_world.database, "PROPOSAL_OPENED") as numbers:
        await ask(SYNC, input=arguments)
    assert sum(numbers) == len(NAMES)
    kinds = [kind for kind in await synced_world.kinds() if kind in {"PROPOSAL_OPENED", "TEAM_CREATED"}]
    groups = [kind for kind, _ in groupby(kinds) if kind == "PROPOSAL_OPENED"]
    assert len(numbers) > 2
    assert len(groups) > len(numbers) / 2  # on a busy machine the writer may miss a turn, but hardly every second


async def test_an_ask_of_hundreds_of_breaks_again_writes_nothing(synced_world: World, ask: Ask) -> None:
    first = await ask(SYNC, input=QUESTION)
    assert Counter(model["state"] for model in first["syncDbtManifest"]["impact"]["models"]) == {"WAITING": len(NAMES)}
    size, events = await synced_world.size(), await synced_world.events()
    assert await ask(SYNC, input=QUESTION) == first
    assert (await synced_world.size(), await synced_world.events()) == (size, events)


async def test_an_interrupted_ask_is_completed_by_the_next_and_asks_each_team_once(
    synced_world: World, ask: Ask
) -> None:
    await interrupt(ask, synced_world.database, "PROPOSAL_OPENED", **QUESTION)
    assert 0 < len(await synced_world.rows(Proposal)) < len(NAMES)
    await ask(SYNC, input=QUESTION)
    assert len(await synced_world.rows(Proposal)) == len(await synced_world.rows(Acknowledgment)) == len(NAMES)
    assert len(await synced_world.rows(ChangeSet)) == 1
    assert {row.status.value for row in await synced_world.rows(Proposal)} == {"PENDING"}


async def test_an_interrupted_sync_is_completed_under_the_same_idempotency_key(synced_world: World, ask: Ask) -> None:
    arguments = {**RELEASE, "idempotencyKey": "run-1"}
    await interrupt(ask, synced_world.database, "PROPOSAL_OPENED", **arguments)
    async with synced_world.database.read() as session:
        assert await session.rows(select(of(IdempotencyKey))) == []
    payload = (await ask(SYNC, input=arguments))["syncDbtManifest"]
    assert Counter(model["outcome"] for model in payload["report"]["models"]) == {"PROPOSED": len(NAMES)}
    size = await synced_world.size()
    assert (await ask(SYNC, input=arguments))["syncDbtManifest"] == payload
    assert await synced_world.size() == size


async def test_a_repeated_sync_is_answered_from_its_key_even_if_another_has_changed_the_tables_since(
    synced_world: World, ask: Ask
) -> None:
    arguments = {**RELEASE, "manifest": project("id", "total", "note"), "idempotencyKey": "run-1"}
    payload = (await ask(SYNC, input=arguments))["syncDbtManifest"]
    await ask(SYNC, input={**RELEASE, "manifest": project("id", "total", "note", "more"), "idempotencyKey": "run-2"})
    size = await synced_world.size()
    assert (await ask(SYNC, input=arguments))["syncDbtManifest"] == payload
    assert await synced_world.size() == size


async def test_an_atomic_sync_of_hundreds_of_breaks_is_one_transaction(synced_world: World, ask: Ask) -> None:
    with commits(synced_world.database, "PROPOSAL_OPENED") as numbers:
        await ask(SYNC, input={**RELEASE, "atomic": True})
    assert numbers == [len(NAMES)]


async def test_teams_that_a_sync_creates_are_reported(world: World, ask: Ask) -> None:
    orders = table("orders", column("id", "bigint"), config={"materialized": "table", "meta": {"owner": "shop"}})
    report = (await ask(SYNC, input={"manifest": manifest(orders), "createTeams": True}))["syncDbtManifest"]["report"]
    assert report["teamsCreated"] == len(await world.rows(Team)) == 1
    assert [model["outcome"] for model in report["models"]] == ["CREATED"]
