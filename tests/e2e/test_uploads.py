"""Large requests to the real server, as files and as JSON: executed by worker processes, limited and refused."""

import json
import os
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Event, Thread
from typing import Any

import httpx
import pytest

from bench.bulk import build_manifest
from tests.e2e.server import Running, serving

pytestmark = pytest.mark.long

SYNC = """mutation ($input: SyncDbtManifestInput!) {
  syncDbtManifest(input: $input) { report { models { outcome } } errors { code message } }
}"""
IMPACT = "query ($m: JSON!) { dbtImpact(manifest: $m) { models { fqn isNew } } }"
TEAM = "mutation ($input: CreateTeamInput!) { createTeam(input: $input) { errors { code } } }"
KEY = """mutation {
  createApiKey(input: {name: "ci", scopes: [ADMIN]}) { token errors { message } }
}"""
ALLOWED = {"GraphQL-Require-Preflight": "1"}
MODELS = 1_200
SMALL = b'{"metadata": {"dbt_schema_version": "https://schemas.getdbt.com/dbt/manifest/v12.json"}, "nodes": {}}'


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with serving(tmp_path_factory.mktemp("uploads")) as running:
        yield running


@pytest.fixture(scope="module")
def manifest() -> bytes:
    impact = json.dumps(build_manifest(MODELS)).encode()
    assert len(impact) > 2_000_000
    return impact


def operations(query: str, **variables: Any) -> str:
    return json.dumps({"query": query, "variables": variables})


def form(
    server: Running, parts: dict[str, Any], headers: dict[str, str] | None = None, seconds: float = 60
) -> httpx.Response:
    """Post a multipart form of these parts in this order; bytes are files."""
    files = {
        name: (None if isinstance(value, str) else f"{name}.json", value.encode() if isinstance(value, str) else value)
        for name, value in parts.items()
    }
    request_headers = ALLOWED if headers is None else headers
    return httpx.post(f"{server.url}/graphql", files=files, headers=request_headers, timeout=seconds)


def sync(server: Running, manifest: bytes, **options: Any) -> httpx.Response:
    asked = operations(SYNC, input={"manifest": None, "createTeams": True, **options})
    return form(server, {"operations": asked, "map": '{"0": ["variables.input.manifest"]}', "0": manifest})


def outcomes(answer: httpx.Response) -> set[str]:
    payload = answer.json()["data"]["syncDbtManifest"]
    assert payload["errors"] == []
    return {model["outcome"] for model in payload["report"]["models"]}


def refusal(answer: httpx.Response, status: int) -> str:
    assert answer.status_code == status, answer.text
    (error,) = answer.json()["errors"]
    assert error["extensions"]["code"] == "BAD_REQUEST"
    return str(error["message"])


def kill_worker(server: Running) -> None:
    """Kill the worker process as soon as there is one."""
    deadline = time.monotonic() + 30
    while not (processes := worker_processes(server)):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    os.kill(processes[0], signal.SIGKILL)


def worker_processes(server: Running) -> list[int]:
    """The worker processes of this server."""
    pids: list[int] = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(status.read_text().rpartition(") ")[2].split()[1])
            command_line = (status.parent / "cmdline").read_text()
        except (OSError, ValueError):
            continue
        if parent == server.process.pid and "tessera_gql.upload_process" in command_line:
            pids.append(int(status.parent.name))
    return pids


def test_a_manifest_in_a_form_is_synchronised_and_the_same_as_json_changes_nothing(
    server: Running, manifest: bytes
) -> None:
    assert outcomes(sync(server, manifest)) == {"CREATED"}
    assert outcomes(sync(server, manifest)) == {"UNCHANGED"}
    variables = {"input": {"manifest": json.loads(manifest), "createTeams": True}}
    answer = httpx.post(f"{server.url}/graphql", json={"query": SYNC, "variables": variables}, timeout=60)
    assert outcomes(answer) == {"UNCHANGED"}


def test_an_impact_accepts_a_form_too(server: Running, manifest: bytes) -> None:
    parts = {"operations": operations(IMPACT, m=None), "map": '{"m": ["variables.m"]}', "m": manifest}
    impact = form(server, parts).json()["data"]["dbtImpact"]["models"]
    assert len(impact) == MODELS
    parts["m"] = SMALL
    assert form(server, parts).json() == {"data": {"dbtImpact": {"models": []}}}


def test_a_retry_with_the_same_key_gets_the_first_report(server: Running, manifest: bytes) -> None:
    first = sync(server, manifest, idempotencyKey="once")
    again = sync(server, manifest, idempotencyKey="once")
    assert first.json() == again.json()
    second = sync(server, SMALL, idempotencyKey="once").json()
    assert second["data"]["syncDbtManifest"]["errors"][0]["code"] == "CONFLICT"


def build_other_project(name: str) -> bytes:
    """Build the manifest of a project with tables of its own."""
    manifest = build_manifest(MODELS)
    manifest["metadata"]["project_name"] = name
    return json.dumps(manifest).replace('"analytics"', f'"{name}"').encode()


def test_an_event_stream_reports_progress_in_comments(server: Running) -> None:
    asked = operations(SYNC, input={"manifest": None, "createTeams": True})
    parts = {"operations": asked, "map": '{"0": ["variables.input.manifest"]}', "0": build_other_project("progress")}
    answer = form(server, parts, {**ALLOWED, "Accept": "text/event-stream"})
    lines = answer.text.splitlines()
    phases = [json.loads(line[2:])["phase"] for line in lines if line.startswith(": {")]
    assert phases[0] == "READ"
    assert phases[-1] == "COMMIT"
    events = [line for line in lines if line.startswith("event:")]
    assert events == ["event: next", "event: complete"]
    data = next(line for line in lines if line.startswith("data: "))
    assert json.loads(data[6:])["data"]["syncDbtManifest"]["errors"] == []


def test_a_form_from_a_foreign_page_is_refused(server: Running) -> None:
    parts = {"operations": operations(SYNC, input={"manifest": None}), "map": '{"0": ["variables.input.manifest"]}'}
    assert "GraphQL-Require-Preflight" in refusal(form(server, {**parts, "0": SMALL}, headers={}), 415)
    for header in ("Apollo-Require-Preflight", "X-Apollo-Operation-Name"):
        assert form(server, {**parts, "0": SMALL}, headers={header: "1"}).status_code == 200


PLACE = '{"0": ["variables.input.manifest"]}'


@pytest.mark.parametrize(
    ("parts", "said"),
    [
        ({"map": PLACE, "0": SMALL}, "lacks `operations`"),
        ({"operations": "{}"}, "lacks `operations` or `map`"),
        ({"operations": operations(SYNC).encode(), "map": PLACE, "0": SMALL}, "lacks `operations`"),
        ({"operations": operations(SYNC), "map": "{"}, "not JSON"),
        ({"operations": operations(SYNC), "map": "[" * 10_000}, "not JSON"),
        ({"operations": operations(SYNC), "map": " " * 20_000}, "16,384 characters"),
        ({"operations": operations(SYNC), "map": "{}"}, "names 1 to 4 files"),
        ({"operations": operations(SYNC), "map": '{"0": {"1": "variables.a"}}', "0": SMALL}, "one place of its own"),
        ({"operations": operations(SYNC), "map": '{"0": ["query"]}', "0": SMALL}, "one place of its own"),
        ({"operations": operations(SYNC), "map": '{"0": ["variables.a", "variables.b"]}', "0": SMALL}, "one place"),
        ({"operations": operations(SYNC), "map": '{"0": ["variables.a.__class__"]}', "0": SMALL}, "has no null"),
        ({"operations": operations(SYNC, input={"manifest": 7}), "map": PLACE, "0": SMALL}, "has no null"),
        ({"operations": operations(SYNC), "map": '{"0": ["variables.a"], "1": ["variables.b"]}', "0": SMALL},
         "lacks the file '1'"),
        ({"operations": operations(SYNC), "map": PLACE, "0": "text"}, "Too many fields"),
        ({"operations": operations(SYNC), "map": PLACE, "0": SMALL, "9": SMALL}, "not expected"),
        ({"operations": operations(SYNC), "map": PLACE} | {str(n): SMALL for n in range(3_000)}, "Too many files"),
        ({"operations": operations(SYNC), "map": PLACE} | {f"a{n}": "" for n in range(3_000)}, "Too many fields"),
        ({"operations": "[1]", "map": '{"0": ["variables.a"]}', "0": SMALL}, "Batching is off"),
        ({"operations": '{"query": 1}', "map": '{"0": ["variables.a"]}', "0": SMALL}, "`query` must be a string"),
        ({"operations": "{nope", "map": '{"0": ["variables.a"]}', "0": SMALL}, "not JSON"),
        ({"operations": "[" * 300_000, "map": '{"0": ["variables.a"]}', "0": SMALL}, "objects and lists"),
        ({"operations": operations(SYNC, x="y" * 4_200_000, input={"manifest": None}), "map": PLACE, "0": SMALL},
         "maximum size"),
        ({"operations": operations(TEAM, input={"name": None}), "map": '{"0": ["variables.input.name"]}', "0": SMALL},
         "Only syncDbtManifest or dbtImpact"),
    ],
)  # fmt: skip
def test_a_form_that_violates_the_specification_is_a_400_with_the_reason(
    server: Running, parts: dict[str, Any], said: str
) -> None:
    assert said in refusal(form(server, parts), 400)


HEAD = b'--x\r\nContent-Disposition: form-data; name="operations"\r\n'
LAST = b"\r\n--x--\r\n"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"--x",
        b"junk",
        b"--x\r\n\r\n",
        b"--x\r\nno header\r\n\r\n--x--",
        b"--x--\r\n",
        HEAD + b"A: " + b"b" * 100_000 + b"\r\n\r\n{}" + LAST,
        HEAD + b"A: b\r\n" * 100 + b"\r\n{}" + LAST,
        HEAD + b'\r\n{"query": "\xff"}' + LAST,
        b'--x\r\nContent-Disposition: form-data; name="\xff\xfe"\r\n\r\n{}' + LAST,
        b"--x\r\nContent-Disposition: form-data\r\n\r\n{}" + LAST,
        b"--x\r\nContent-Disposition: form-data; name*=utf-8''operations\"\r\n\r\n{}" + LAST,
        HEAD.replace(b"operations", b"o" * 3_000) + b"\r\n{}" + LAST,
        HEAD + b"\r\n{}",
    ],
)
def test_a_malformed_form_is_a_400(server: Running, body: bytes) -> None:
    refusal(posted(server, "multipart/form-data; boundary=x", body), 400)


@pytest.mark.parametrize(
    "content_type",
    [
        "multipart/form-data",
        "multipart/form-data; boundary=",
        'multipart/form-data; boundary=""',
        "multipart/form-data; boundary=" + "b" * 5_000,
        'multipart/form-data; boundary="' + ";" * 5_000,
        "multipart/form-data; boundary=\xff\xfe",
        "multipart/form-data; boundary*=utf-8''x",
    ],
)
def test_an_invalid_boundary_is_a_400(server: Running, content_type: str) -> None:
    refusal(posted(server, content_type, HEAD + b"\r\n{}" + LAST), 400)


def posted(server: Running, content_type: str, body: bytes) -> httpx.Response:
    headers = {**ALLOWED, "Content-Type": content_type.encode("latin-1")}
    return httpx.post(f"{server.url}/graphql", content=body, headers=headers, timeout=30)


def test_json_of_any_operation_may_be_large_up_to_its_limit(server: Running) -> None:
    wide = {"type": "object", "properties": {f"c{n}": {"type": "string"} for n in range(20_000)}}
    asked = operations("query ($s: JSON!) { diffSchemas(old: $s, new: $s) { changes { kind } } }", s=wide)
    assert len(asked) > 500_000
    answer = posted(server, "application/json", asked.encode())
    assert answer.json() == {"data": {"diffSchemas": {"changes": []}}}
    answer = posted(server, "application/json", operations(TEAM, input={"name": "x" * 4_200_000}).encode())
    assert "4,194,304" in refusal(answer, 413)
    assert "multipart/form-data" in refusal(answer, 413)
    (error,) = posted(server, "application/json", operations("#" + "x" * 300_000).encode()).json()["errors"]
    assert error["extensions"] == {"code": "QUERY_TOO_COMPLEX", "limit": "document", "allowed": 262_144}
    listed = operations("{ __typename }", x=[[]] * 300_000)
    assert "200,000 objects and lists" in refusal(posted(server, "application/json", listed.encode()), 400)


def test_a_manifest_is_executed_by_a_worker_process_however_its_field_is_written(tmp_path: Path) -> None:
    with serving(tmp_path) as server:
        query = (
            "query ($m: JSON!) { ...A } fragment A on Query { ... { b: dbtImpact(manifest: $m) { models { fqn } } } }"
        )
        assert server.data(query, m=json.loads(SMALL)) == {"b": {"models": []}}
        assert worker_processes(server)


def test_a_large_subscription_is_refused(server: Running) -> None:
    asked = operations("subscription { events { cursor } }", x="y" * 300_000)
    headers = {"Accept": "text/event-stream"}
    answer = httpx.post(
        f"{server.url}/graphql", content=asked, headers={**headers, "Content-Type": "application/json"}, timeout=30
    )
    assert "A subscription" in refusal(answer, 413)


def test_no_request_may_be_larger_than_an_upload(tmp_path: Path, manifest: bytes) -> None:
    with serving(tmp_path, LIMIT_UPLOAD_BYTES="1000000") as server:
        assert "1,000,000" in refusal(sync(server, manifest), 413)


@pytest.mark.parametrize("broken", [lambda raw: raw[:-1000], lambda raw: b"[" + raw + b"]", lambda raw: b"\xff" + raw])
def test_a_large_file_that_is_no_manifest_is_refused_and_changes_nothing(
    server: Running, manifest: bytes, broken: Any
) -> None:
    before = server.data("{ events(last: 1) { nodes { cursor } } }")
    (error,) = sync(server, broken(manifest)).json()["data"]["syncDbtManifest"]["errors"]
    assert error["code"] == "INVALID"
    assert "not a dbt manifest" in error["message"]
    assert server.data("{ events(last: 1) { nodes { cursor } } }") == before


def test_the_key_is_checked_before_a_byte_is_stored(tmp_path: Path, manifest: bytes) -> None:
    with serving(tmp_path, ADMIN_KEY="an-administrators-key-for-this-test") as server:
        assert sync(server, manifest).status_code == 401
        key = {"Authorization": "Bearer an-administrators-key-for-this-test"}
        asked = operations(SYNC, input={"manifest": None, "createTeams": True})
        parts = {"operations": asked, "map": '{"0": ["variables.input.manifest"]}', "0": manifest}
        answer = form(server, parts, key)
        assert outcomes(answer) == {"CREATED"}
        assert answer.json()["extensions"]["rateLimit"]["mutations"]["limit"] == 600


def test_a_killed_worker_rolls_back_and_the_next_one_repeats_its_work(tmp_path: Path, manifest: bytes) -> None:
    with serving(tmp_path) as server:
        answers: list[httpx.Response] = []
        asking = Thread(target=lambda: answers.append(sync(server, manifest)))
        asking.start()
        kill_worker(server)
        asking.join(30)
        (error,) = answers[0].json()["errors"]
        assert error["extensions"] == {"code": "UNAVAILABLE", "retryable": True, "maybeDone": True}
        assert server.data("{ assets { totalCount } teams { totalCount } }") == {
            "assets": {"totalCount": 0},
            "teams": {"totalCount": 0},
        }
        assert outcomes(sync(server, manifest)) == {"CREATED"}
        (idle,) = worker_processes(server)
        os.kill(idle, signal.SIGKILL)
        time.sleep(0.2)
        assert outcomes(sync(server, manifest)) == {"UNCHANGED"}


def test_a_subscriber_receives_events_of_a_worker_process(server: Running) -> None:
    with httpx.stream(
        "POST",
        f"{server.url}/graphql",
        json={"query": 'subscription { events(filter: {kind: {in: [MANIFEST_SYNCED]}}) { kind } }'},
        headers={"Accept": "text/event-stream"},
        timeout=30,
    ) as stream:  # fmt: skip
        assert stream.status_code == 200
        lines = stream.iter_lines()
        asking = Thread(target=sync, args=(server, build_other_project("elsewhere")))
        asking.start()
        assert any("MANIFEST_SYNCED" in line for line in lines)
        asking.join(30)


@contextmanager
def half_an_upload(server: Running, key: str | None = None, size: int = 1_000_000) -> Iterator[socket.socket]:
    """Open a connection and send only the beginning of a form."""
    host, _, port = server.url.removeprefix("http://").partition(":")
    head = (
        f"POST /graphql HTTP/1.1\r\nHost: localhost\r\nContent-Type: multipart/form-data; boundary=x\r\n"
        f"Content-Length: {size}\r\nGraphQL-Require-Preflight: 1\r\n"
    ) + (f"Authorization: Bearer {key}\r\n" if key else "")
    with socket.create_connection((host, int(port)), timeout=30) as connection:
        connection.sendall(f"{head}\r\n".encode() + HEAD)
        yield connection


def test_a_caller_has_two_uploads_at_once_and_does_not_delay_other_callers(tmp_path: Path) -> None:
    with serving(tmp_path, ADMIN_KEY="an-administrators-key-for-this-test") as server:
        admin = {"Authorization": "Bearer an-administrators-key-for-this-test"}
        created = httpx.post(f"{server.url}/graphql", json={"query": KEY}, headers=admin).json()
        key = created["data"]["createApiKey"]["token"]
        asked = operations(SYNC, input={"manifest": None})
        parts = {"operations": asked, "map": '{"0": ["variables.input.manifest"]}', "0": SMALL}
        with half_an_upload(server, key) as slow, half_an_upload(server, key):
            time.sleep(0.3)
            answer = form(server, parts, {"Authorization": f"Bearer {key}"})
            assert answer.status_code == 429
            assert answer.json()["errors"][0]["extensions"] == {"code": "RATE_LIMITED"}
            assert int(answer.headers["Retry-After"]) > 0
            assert form(server, parts, admin).status_code == 200
            slow.close()
            time.sleep(0.3)
            assert form(server, parts, {"Authorization": f"Bearer {key}"}).status_code == 200


def test_a_slow_upload_is_ended_and_all_uploads_have_a_limit_on_disk(tmp_path: Path) -> None:
    limits = {"LIMIT_BODY_SECONDS": "1", "LIMIT_UPLOAD_SECONDS": "2", "LIMIT_UPLOAD_DISK_BYTES": "500000"}
    with serving(tmp_path, **limits) as server:
        with half_an_upload(server) as slow:
            answer = b""
            while b"]}" not in answer:
                answer += slow.recv(65_536)
            assert b" 408 " in answer.splitlines()[0]
            assert b"16,384 bytes a second" in answer
        answer = sync(server, b"{" + b" " * 600_000 + b"}")
        assert answer.status_code == 503
        assert answer.json()["errors"][0]["extensions"] == {"code": "UNAVAILABLE"}
        assert sync(server, SMALL).status_code == 200


def test_a_worker_process_that_fails_during_an_event_stream_is_an_error_of_the_stream(
    tmp_path: Path, manifest: bytes
) -> None:
    with serving(tmp_path) as server:
        asked = operations(SYNC, input={"manifest": None, "createTeams": True})
        parts = {"operations": asked, "map": '{"0": ["variables.input.manifest"]}', "0": manifest}
        answers: list[httpx.Response] = []
        headers = {**ALLOWED, "Accept": "text/event-stream"}
        asking = Thread(target=lambda: answers.append(form(server, parts, headers)))
        asking.start()
        kill_worker(server)
        asking.join(30)
        events = [line for line in answers[0].text.splitlines() if line.startswith(("event:", "data: {"))]
        assert [events[0], events[-1]] == ["event: next", "event: complete"]
        assert json.loads(events[1][6:])["errors"][0]["extensions"]["code"] == "UNAVAILABLE"


def test_a_worker_process_that_ends_at_any_moment_is_reported_as_unavailable(tmp_path: Path, manifest: bytes) -> None:
    with serving(tmp_path) as server:
        stopped = Event()
        killing = Thread(target=kill_workers, args=(server, stopped))
        killing.start()
        answers = [sync(server, manifest) for _ in range(5)]
        stopped.set()
        killing.join(30)
        codes = {error["extensions"]["code"] for answer in answers for error in answer.json()["errors"]}
        assert codes == {"UNAVAILABLE"}
        assert outcomes(sync(server, manifest)) == {"CREATED"}
        assert "Traceback" not in server.log.read_text()


def kill_workers(server: Running, stopped: Event) -> None:
    pause = 0.0
    while not stopped.is_set():
        for process in worker_processes(server):
            time.sleep(pause)
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
            pause = (pause + 0.07) % 0.4
        time.sleep(0.005)
