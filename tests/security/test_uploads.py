"""A dbt manifest is synchronised whatever the database, the authentication, its size and the transport."""

import json
from typing import Any

import httpx
import pytest

from bench.bulk import build_manifest
from tests.security.deployments import Caller, Table

SYNC = """mutation ($input: SyncDbtManifestInput!) {
  syncDbtManifest(input: $input) { report { models { outcome } } errors { code message } }
}"""
SIZES = {"small": 20, "large": 640}
WAYS = ("JSON", "multipart", "event stream")


@pytest.fixture(scope="module")
def manifests() -> dict[str, bytes]:
    decoded = {size: json.dumps(build_manifest(models)).encode() for size, models in SIZES.items()}
    assert len(decoded["small"]) < 96 * 1024
    assert 1024**2 < len(decoded["large"]) < 4 * 1024**2
    return decoded


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("size", SIZES)
def test_a_manifest_is_synchronised(
    caller: Caller, table: Table, manifests: dict[str, bytes], size: str, way: str
) -> None:
    with table.cell(caller.deployment, f"{size}, {way}"):
        reply = upload(caller, manifests[size], way)
        payload = reply["data"]["syncDbtManifest"]
        assert payload["errors"] == []
        outcomes = [model["outcome"] for model in payload["report"]["models"]]
        assert len(outcomes) == SIZES[size]
        assert set(outcomes) <= {"CREATED", "UNCHANGED"}
        assert ("rateLimit" in reply.get("extensions", {})) == caller.needs_key


def upload(caller: Caller, manifest: bytes, way: str) -> dict[str, Any]:
    if way == "JSON":
        return whole(caller.post(SYNC, input={"manifest": json.loads(manifest), "createTeams": True}).text)
    operations = {"query": SYNC, "variables": {"input": {"manifest": None, "createTeams": True}}}
    files = {
        "operations": (None, json.dumps(operations)),
        "map": (None, '{"0": ["variables.input.manifest"]}'),
        "0": ("manifest.json", manifest),
    }
    accept = "text/event-stream" if way == "event stream" else "application/json"
    headers = caller.headers | {"GraphQL-Require-Preflight": "1", "Accept": accept}
    answer = httpx.post(caller.url, files=files, headers=headers, timeout=60)
    assert answer.status_code == 200, answer.text
    if way == "multipart":
        return whole(answer.text)
    lines = answer.text.splitlines()
    assert ': {"phase":"COMMIT","done":0,"total":0}' in lines
    assert "event: complete" in lines
    return whole(next(line for line in lines if line.startswith("data: "))[6:])


def whole(text: str) -> dict[str, Any]:
    decoded: dict[str, Any] = json.loads(text)
    return decoded
