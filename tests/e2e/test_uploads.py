"""Large manifests at the real server: as forms and as JSON, in a process apart, refused in words, holding up nobody."""

import json
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from threading import Thread
from typing import Any

import httpx
import pytest

from bench.bulk import document
from tests.e2e.server import Running, serving

SYNC = """mutation ($input: SyncDbtManifestInput!) {
  syncDbtManifest(input: $input) { report { models { outcome } } errors { code message } }
}"""
IMPACT = "query ($m: JSON!) { dbtImpact(manifest: $m) { fqn isNew } }"
TEAM = "mutation ($input: CreateTeamInput!) { createTeam(input: $input) { errors { code } } }"
ALLOWED = {"GraphQL-Require-Preflight": "1"}
MODELS = 1_200
SMALL = b'{"metadata": {"dbt_schema_version": "https://schemas.getdbt.com/dbt/manifest/v12.json"}, "nodes": {}}'


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with serving(tmp_path_factory.mktemp("uploads")) as running:
        yield running


@pytest.fixture(scope="module")
def manifest() -> bytes:
    """Beyond what the server reads by itself."""
    found = json.dumps(document(MODELS)).encode()
    assert len(found) > 2_000_000
    return found


def operations(query: str, **variables: Any) -> str:
    return json.dumps({"query": query, "variables": variables})


def form(
    server: Running, parts: dict[str, Any], headers: dict[str, str] | None = None, seconds: float = 60
) -> httpx.Response:
    """A form of these parts in this order; bytes are files."""
    files = {
        name: (None if isinstance(value, str) else f"{name}.json", value.encode() if isinstance(value, str) else value)
        for name, value in parts.items()
    }
    sent = ALLOWED if headers is None else headers
    return httpx.post(f"{server.url}/graphql", files=files, headers=sent, timeout=seconds)


def sync(server: Running, manifest: bytes, **options: Any) -> httpx.Response:
    asked = operations(SYNC, input={"manifest": None, "createTeams": True, **options})
    return form(server, {"operations": asked, "map": '{"0": ["variables.input.manifest"]}', "0": manifest})


def outcomes(answer: httpx.Response) -> set[str]:
    payload = answer.json()["data"]["syncDbtManifest"]
    assert payload["errors"] == []
    return {one["outcome"] for one in payload["report"]["models"]}


def refusal(answer: httpx.Response, status: int) -> str:
    assert answer.status_code == status, answer.text
    (error,) = answer.json()["errors"]
    assert error["extensions"]["code"] == "BAD_REQUEST"
    return str(error["message"])


def annexes(server: Running) -> list[int]:
    """The processes of the annex that serve this server."""
    found: list[int] = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(status.read_text().rpartition(") ")[2].split()[1])
            words = (status.parent / "cmdline").read_text()
        except (OSError, ValueError):
            continue
        if parent == server.process.pid and "tessera_gql.annex" in words:
            found.append(int(status.parent.name))
    return found


def test_a_manifest_in_a_form_is_taken_in_and_the_same_as_json_changes_nothing(
    server: Running, manifest: bytes
) -> None:
    assert outcomes(sync(server, manifest)) == {"CREATED"}
    assert outcomes(sync(server, manifest)) == {"UNCHANGED"}
    for variables_first in (True, False):
        document_ = b'"query": ' + json.dumps(SYNC).encode()
        variables = b'"variables": {"input": {"manifest": ' + manifest + b', "createTeams": true}}'
        body = b"{" + b", ".join([variables, document_] if variables_first else [document_, variables]) + b"}"
        answer = httpx.post(
            f"{server.url}/graphql", content=body, headers={"Content-Type": "application/json"}, timeout=60
        )
        assert outcomes(answer) == {"UNCHANGED"}


def test_an_impact_takes_a_form_too(server: Running, manifest: bytes) -> None:
    parts = {"operations": operations(IMPACT, m=None), "map": '{"m": ["variables.m"]}', "m": manifest}
    found = form(server, parts).json()["data"]["dbtImpact"]
    assert len(found) == MODELS
    parts["m"] = SMALL
    assert form(server, parts).json() == {"data": {"dbtImpact": []}}


def test_a_retry_with_the_same_key_gets_the_first_report(server: Running, manifest: bytes) -> None:
    first = sync(server, manifest, idempotencyKey="once")
    again = sync(server, manifest, idempotencyKey="once")
    assert first.json() == again.json()
    other = sync(server, SMALL, idempotencyKey="once").json()
    assert other["data"]["syncDbtManifest"]["errors"][0]["code"] == "CONFLICT"


def test_an_event_stream_tells_how_far_it_has_come_in_comments(server: Running, manifest: bytes) -> None:
    asked = operations(SYNC, input={"manifest": None, "createTeams": True, "dryRun": True})
    parts = {"operations": asked, "map": '{"0": ["variables.input.manifest"]}', "0": manifest}
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


@pytest.mark.parametrize(
    ("parts", "said"),
    [
        ({"map": "{}"}, "not expected here"),
        ({"operations": "{}"}, "lacks"),
        ({"operations": operations(SYNC), "map": "{"}, "not JSON"),
        ({"operations": operations(SYNC), "map": "{}"}, "names 1 to 4 files"),
        ({"operations": operations(SYNC), "map": '{"0": ["query"]}', "0": SMALL}, "one place of its own"),
        ({"operations": operations(SYNC), "map": '{"0": ["variables.a", "variables.b"]}', "0": SMALL}, "one place"),
        ({"operations": operations(SYNC), "map": '{"0": ["variables.a.__class__"]}', "0": SMALL}, "has no null"),
        ({"operations": operations(SYNC, input={"manifest": 7}), "map": '{"0": ["variables.input.manifest"]}',
          "0": SMALL}, "has no null"),
        ({"operations": operations(SYNC), "map": '{"0": ["variables.a"], "1": ["variables.b"]}', "0": SMALL}, "lacks"),
        ({"operations": operations(SYNC), "map": '{"0": ["variables.a"]}', "9": SMALL}, "'9' is not expected"),
        ({"operations": "[1]", "map": '{"0": ["variables.a"]}', "0": SMALL}, "Batching is off"),
        ({"operations": '{"query": 1}', "map": '{"0": ["variables.a"]}', "0": SMALL}, "`query` must be a string"),
        ({"operations": "{nope", "map": '{"0": ["variables.a"]}', "0": SMALL}, "not JSON"),
    ],
)  # fmt: skip
def test_a_form_that_is_not_as_the_specification_has_it_is_refused_in_words(
    server: Running, parts: dict[str, Any], said: str
) -> None:
    assert said in refusal(form(server, parts), 400)


@pytest.mark.parametrize("body", [b"", b"--x", b"junk", b"--x\r\n\r\n", b"--x\r\nno header\r\n\r\n--x--", b"--x--\r\n"])
def test_what_is_no_form_is_refused(server: Running, body: bytes) -> None:
    headers = {**ALLOWED, "Content-Type": "multipart/form-data; boundary=x"}
    answer = httpx.post(f"{server.url}/graphql", content=body, headers=headers)
    assert answer.status_code == 400, answer.text
    nameless = httpx.post(
        f"{server.url}/graphql", content=body, headers={**ALLOWED, "Content-Type": "multipart/form-data"}
    )
    assert "boundary" in refusal(nameless, 400)


def test_only_a_manifest_may_be_large(server: Running, manifest: bytes) -> None:
    parts = {"operations": operations(TEAM, input={"name": None}), "map": '{"0": ["variables.input.name"]}'}
    for file in (SMALL, manifest):
        assert "syncDbtManifest or dbtImpact" in refusal(form(server, {**parts, "0": file}), 413)
    body = b'{"variables": {"input": {"name": "' + b"x" * 400_000 + b'"}}, "query": ' + json.dumps(TEAM).encode() + b"}"
    answer = httpx.post(f"{server.url}/graphql", content=body, headers={"Content-Type": "application/json"})
    assert "262,144" in refusal(answer, 413)
    asked = operations(SYNC, input={"manifest": None, "owners": [{"owner": "x" * 300_000, "team": "a"}]})
    place = '{"0": ["variables.input.manifest"]}'
    assert "262,144" in refusal(form(server, {"operations": asked, "map": place, "0": SMALL}), 413)


def test_nothing_may_be_larger_than_an_upload(tmp_path: Path, manifest: bytes) -> None:
    with serving(tmp_path, LIMIT_UPLOAD_BYTES="1000000") as server:
        assert "1,000,000" in refusal(sync(server, manifest), 413)
        body = json.dumps({"query": SYNC, "variables": {"input": {"manifest": json.loads(manifest)}}})
        answer = httpx.post(f"{server.url}/graphql", content=body, headers={"Content-Type": "application/json"})
        assert "1,000,000" in refusal(answer, 413)


@pytest.mark.parametrize("broken", [lambda raw: raw[:-1000], lambda raw: b"[" + raw + b"]", lambda raw: b"\xff" + raw])
def test_a_large_file_that_is_no_manifest_is_refused_and_leaves_nothing(
    server: Running, manifest: bytes, broken: Any
) -> None:
    before = server.data("{ events(last: 1) { nodes { cursor } } }")
    (error,) = sync(server, broken(manifest)).json()["data"]["syncDbtManifest"]["errors"]
    assert error["code"] == "INVALID"
    assert "not a dbt manifest" in error["message"]
    assert server.data("{ events(last: 1) { nodes { cursor } } }") == before


def test_a_key_is_asked_for_before_a_byte_is_kept(tmp_path: Path, manifest: bytes) -> None:
    with serving(tmp_path, ADMIN_KEY="an-administrators-key-for-this-test") as server:
        assert sync(server, manifest).status_code == 401
        key = {"Authorization": "Bearer an-administrators-key-for-this-test"}
        asked = operations(SYNC, input={"manifest": None, "createTeams": True})
        parts = {"operations": asked, "map": '{"0": ["variables.input.manifest"]}', "0": manifest}
        answer = form(server, parts, key)
        assert outcomes(answer) == {"CREATED"}
        assert answer.json()["extensions"]["rateLimit"]["mutations"]["limit"] == 600


def test_a_process_that_dies_takes_its_work_with_it_and_the_next_one_does_it(tmp_path: Path, manifest: bytes) -> None:
    with serving(tmp_path) as server:
        answers: list[httpx.Response] = []
        asking = Thread(target=lambda: answers.append(sync(server, manifest)))
        asking.start()
        deadline = time.monotonic() + 30
        while not (found := annexes(server)):
            assert time.monotonic() < deadline
            time.sleep(0.01)
        os.kill(found[0], signal.SIGKILL)
        asking.join(30)
        (error,) = answers[0].json()["errors"]
        assert error["extensions"] == {"code": "UNAVAILABLE", "retryable": True}
        assert server.data("{ assets { totalCount } teams { totalCount } }") == {
            "assets": {"totalCount": 0},
            "teams": {"totalCount": 0},
        }
        assert outcomes(sync(server, manifest)) == {"CREATED"}
        (idle,) = annexes(server)
        os.kill(idle, signal.SIGKILL)
        time.sleep(0.2)
        assert outcomes(sync(server, manifest)) == {"UNCHANGED"}


def test_a_subscriber_hears_of_what_was_done_apart(server: Running) -> None:
    with httpx.stream(
        "POST",
        f"{server.url}/graphql",
        json={"query": 'subscription { events(filter: {kind: {in: [MANIFEST_SYNCED]}}) { kind } }'},
        headers={"Accept": "text/event-stream"},
        timeout=30,
    ) as stream:  # fmt: skip
        assert stream.status_code == 200
        lines = stream.iter_lines()
        fresh = json.dumps(document(MODELS)).replace('"analytics"', '"elsewhere"').encode()
        asking = Thread(target=sync, args=(server, fresh))
        asking.start()
        assert any("MANIFEST_SYNCED" in line for line in lines)
        asking.join(30)
