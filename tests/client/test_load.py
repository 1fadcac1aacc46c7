"""Many concurrent calls share few connections in the order of their arrival; none fails and none waits for ever."""

import asyncio
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from typing import Any

import pytest

from tessera_gql.client import AsyncTesseraClient, TesseraClient
from tessera_gql.client.fair_semaphore import FairSemaphore
from tests.e2e.server import Running

pytestmark = pytest.mark.long

CALLS = 1_000
SECONDS = 20
"""Far above the time that the calls need, since other tests run beside them."""
VIEWER = b'{"data": {"viewer": {"actor": "a", "scopes": ["READ"], "team": null, "project": null}}}'


@contextmanager
def counting() -> Iterator[tuple[str, list[int]]]:
    """A server that answers `viewer`, with its connections and the largest number of requests at a time."""
    counts = [0, 0]
    running = 0
    lock = Lock()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def setup(self) -> None:
            super().setup()
            counts[0] += 1

        def do_POST(self) -> None:
            nonlocal running
            with lock:
                running += 1
                counts[1] = max(counts[1], running)
            self.rfile.read(int(self.headers["Content-Length"]))
            time.sleep(0.002)
            with lock:
                running -= 1
            self.send_response(200)
            self.send_header("Content-Length", str(len(VIEWER)))
            self.end_headers()
            self.wfile.write(VIEWER)

        def log_message(self, *_words: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        thread = Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}", counts
        server.shutdown()
        thread.join()


def run_in_threads(client: TesseraClient, calls: int) -> list[Any]:
    """Call once in each of many threads, all at once; an exception is a result as well."""
    results: list[Any] = []

    def call() -> None:
        try:
            results.append(client.viewer())
        except Exception as error:  # noqa: BLE001 - the test shows it
            results.append(error)

    threads = [Thread(target=call) for _ in range(calls)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


async def test_a_thousand_concurrent_tasks_are_answered(server: Running) -> None:
    async with AsyncTesseraClient(server.url, retry_seconds=0) as client:
        start = time.monotonic()
        viewers = await asyncio.gather(*(client.viewer() for _ in range(CALLS)))
    assert len({viewer.actor for viewer in viewers}) == 1
    assert time.monotonic() - start < SECONDS


def test_a_thousand_threads_share_one_client(server: Running) -> None:
    with TesseraClient(server.url, retry_seconds=0) as client:
        start = time.monotonic()
        results = run_in_threads(client, CALLS)
    assert Counter(type(result).__name__ for result in results) == {"Viewer": CALLS}
    assert time.monotonic() - start < SECONDS


async def test_the_connections_are_bounded_for_tasks_and_threads() -> None:
    with counting() as (url, counts):
        async with AsyncTesseraClient(url, retry_seconds=0, max_connections=5) as client:
            await asyncio.gather(*(client.viewer() for _ in range(200)))
        assert counts[0] <= 2 * 5, "a connection that the busy machine lost is replaced"
        assert 1 <= counts[1] <= 5
    with counting() as (url, counts):
        with TesseraClient(url, retry_seconds=0, max_connections=5) as client:
            await asyncio.to_thread(run_in_threads, client, 200)
        assert counts[0] <= 2 * 5, "a connection that the busy machine lost is replaced"
        assert 1 <= counts[1] <= 5


def test_threads_are_admitted_in_the_order_of_their_arrival() -> None:
    semaphore = FairSemaphore(1)
    order: list[int] = []

    def enter(number: int) -> None:
        with semaphore:
            order.append(number)

    with semaphore:
        threads = [Thread(target=enter, args=(number,)) for number in range(20)]
        for number, thread in enumerate(threads, 1):
            thread.start()
            while len(semaphore._waiters) < number:
                time.sleep(0.001)
    for thread in threads:
        thread.join()
    assert order == [*range(20)]
    with semaphore:
        pass  # every permit was returned
