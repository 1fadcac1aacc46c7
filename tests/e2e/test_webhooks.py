"""Webhooks of a real server to a real receiver, posted by the server or by a separate worker process."""

import asyncio
import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from standardwebhooks import Webhook as Verifier

from tests.e2e.forking import start_program
from tests.e2e.server import environment, serving
from tests.notifications.receiver import Receiver, receiving

CREATE = """mutation($input: CreateWebhookInput!) { createWebhook(input: $input) {
  webhook { id } secret errors { message } } }"""
DOCUMENT = "query($event: ID!) { node(id: $event) { ... on Event { kind payload teams { name } } } }"
TEAM = 'mutation { createTeam(input: {name: "%s"}) { errors { message } } }'


@contextmanager
def receiver() -> Iterator[Receiver]:
    """A webhook receiver on its own event loop, because the test waits for a process."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    server = receiving()
    try:
        yield asyncio.run_coroutine_threadsafe(server.__aenter__(), loop).result(5)
        asyncio.run_coroutine_threadsafe(server.__aexit__(None, None, None), loop).result(5)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def got(endpoint: Receiver, number: int) -> list[Any]:
    return asyncio.run(endpoint.count(number, 20))


def test_the_server_posts_the_selected_fields_signed_with_the_secret_it_showed(tmp_path: Path) -> None:
    with receiver() as endpoint, serving(tmp_path, WEBHOOK_ALLOW_PRIVATE="true") as server:
        asked = {"url": endpoint.url, "kinds": ["TEAM_CREATED"], "document": DOCUMENT}
        created = server.data(CREATE, input=asked)["createWebhook"]
        server.data(TEAM % "growth")
        (post,) = got(endpoint, 1)
    event = Verifier(created["secret"]).verify(post.body, post.headers)
    assert event["data"]["node"]["kind"] == "TEAM_CREATED"
    assert event["data"]["node"]["teams"] == [{"name": "growth"}]


def test_a_receiver_on_the_loopback_is_refused_with_a_readable_reason(tmp_path: Path) -> None:
    with receiver() as endpoint, serving(tmp_path) as server:
        for url in (endpoint.url, endpoint.url.replace("127.0.0.1", "localhost")):
            created = server.data(CREATE, input={"url": url})["createWebhook"]["webhook"]
            server.data(
                "mutation($id: ID!) { testWebhook(input: {webhook: $id}) { errors { message } } }", id=created["id"]
            )
            document = (
                "query($id: ID!) { node(id: $id) { ... on Webhook { deliveries { nodes { attempts { error } } } } } }"
            )
            tried: list[Any] = []
            while not tried:
                nodes = server.data(document, id=created["id"])["node"]["deliveries"]["nodes"]
                tried = [attempt["error"] for node in nodes for attempt in node["attempts"]]
            assert "not called" in tried[0]
        assert endpoint.got == []


def test_a_separate_worker_posts_as_its_settings_say_and_stops_by_a_signal(tmp_path: Path) -> None:
    with receiver() as endpoint, serving(tmp_path) as server:
        worker = start_program(
            ["worker"],
            environment(WEBHOOK_URL=endpoint.url, WEBHOOK_SECRET="plain", WEBHOOK_ALLOW_PRIVATE="true"),
            cwd=tmp_path,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert worker.stderr is not None
        assert "Working" in worker.stderr.readline()
        while not got_any(endpoint):
            server.data(TEAM % f"team-{next(NUMBERS)}")
        Verifier(b"plain").verify(endpoint.got[0].body, endpoint.got[0].headers)
        worker.send_signal(signal.SIGTERM)
        _, output = worker.communicate(timeout=20)
        assert (worker.returncode, "Traceback" in output) == (0, False)


NUMBERS = iter(range(1_000))


def got_any(endpoint: Receiver) -> bool:
    try:
        return bool(asyncio.run(endpoint.count(1, 0.5)))
    except TimeoutError:
        return False
