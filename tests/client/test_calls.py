"""Mistakes in a call are named before anything is sent, and the types of both clients are those of their results."""

import json
import os
import subprocess
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from tessera_gql.client import (
    AcknowledgmentResponse,
    AsyncTesseraClient,
    Invalid,
    InvalidArgument,
    InvalidCall,
    PublishOutcome,
    PublishResult,
    TesseraClient,
    TesseraError,
)
from tests.client.conftest import Open
from tests.client.test_sync_and_async import V1, fresh, fresh_fqn, proposed
from tests.e2e.server import ROOT, Running

MISSPELT = [
    ("create_team", ("a",), {"meta_data": {}}, "metadata"),
    ("create_asset", (), {"fqn": "a.b", "owner_team": "x"}, "owner_team_id"),
    ("create_asset", (), {"fqn": "a.b", "descripton": "x"}, "description"),
    ("publish_contract", (), {"fqn": "a.b", "schema": {}}, "schema_def"),
    ("publish_contract", (), {"fqn": "a.b", "schema_def": {}, "publish_when_aproved": True}, "publish_when_approved"),
    ("register", ("a.b",), {"field": ["x"]}, "fields"),
    ("sync_dbt", (b"{}",), {"dryrun": True}, "dry_run"),
    ("assets", (), {"fqn_contain": "x"}, "fqn_contains"),
    ("subscribe", (), {"kind": ["x"]}, "kinds"),
]


@pytest.mark.parametrize("client_class", [TesseraClient, AsyncTesseraClient])
@pytest.mark.parametrize(("method", "args", "options", "nearest"), MISSPELT)
def test_a_misspelt_option_is_refused_with_the_nearest_name(
    client_class: Any, method: str, args: tuple[Any, ...], options: dict[str, Any], nearest: str
) -> None:
    client = client_class("http://127.0.0.1:9")
    with pytest.raises(InvalidCall, match=f"Did you mean '{nearest}'") as refused:
        getattr(client, method)(*args, **options)
    assert isinstance(refused.value, TypeError)
    assert isinstance(refused.value, TesseraError)


@pytest.mark.parametrize("client_class", [TesseraClient, AsyncTesseraClient])
@pytest.mark.parametrize(
    ("options", "nearest"),
    [({"timeout_seconds": 3}, "timeout"), ({"retries": 3}, "retry_seconds"), ({"apikey": "a"}, "api_key")],
)
def test_a_misspelt_option_of_the_client_is_refused_with_the_nearest_name(
    client_class: Any, options: dict[str, Any], nearest: str
) -> None:
    with pytest.raises(InvalidCall, match=f"Did you mean '{nearest}'"):
        client_class(**options)


@pytest.mark.parametrize(
    ("method", "args", "options", "kind"),
    [
        ("create_team", (), {}, InvalidCall),
        ("get_asset", ("a", "b"), {}, InvalidCall),
        ("publish_contract", (), {"schema_def": {}}, InvalidArgument),
        ("create_team", ("a",), {"metadata": {"ratio": float("nan")}}, InvalidArgument),
        ("create_team", ("a",), {"metadata": {"set": {1}}}, InvalidArgument),
        (
            "acknowledge",
            ("id", AcknowledgmentResponse.MIGRATING),
            {"migration_deadline": datetime(2031, 1, 1)},  # noqa: DTZ001 - the mistake
            InvalidArgument,
        ),
    ],
)
async def test_a_mistake_in_a_call_is_a_typed_error_before_anything_is_sent(
    connect: Open, method: str, args: tuple[Any, ...], options: dict[str, Any], kind: type[TesseraError]
) -> None:
    client = await connect("http://127.0.0.1:9")
    with pytest.raises(kind):
        await getattr(client, method)(*args, **options)


@pytest.mark.parametrize("options", [{"timeout": 0}, {"retry_seconds": -1}, {"max_connections": 0}])
def test_an_invalid_limit_of_the_client_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(InvalidArgument):
        TesseraClient("http://127.0.0.1:9", **options)


def test_the_seconds_of_retries_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    assert TesseraClient().endpoint.retry_seconds == 30
    monkeypatch.setenv("TESSERA_RETRY_SECONDS", "7")
    assert TesseraClient().endpoint.retry_seconds == 7
    monkeypatch.setenv("TESSERA_RETRY_SECONDS", "seven")
    with pytest.raises(Invalid, match="number of seconds"):
        TesseraClient()


async def test_the_sync_client_opens_an_async_one_with_its_options(server: Running) -> None:
    async with TesseraClient(server.url, timeout=7, retry_seconds=3) as tessera:
        assert isinstance(tessera, AsyncTesseraClient)
        assert (tessera.endpoint.timeout_seconds, tessera.endpoint.retry_seconds) == (7, 3)
        team = await tessera.create_team(fresh("async"))
        assert [item.name async for item in tessera.teams(name_contains=team.name)] == [team.name]
    with pytest.raises(TesseraError, match="closed"):
        await tessera.viewer()


async def test_the_result_of_a_publish_has_the_id_and_version_of_its_contract(tessera: Any) -> None:
    owner, _, proposal = await proposed(tessera)
    asset = await tessera.create_asset(fqn=fresh_fqn(), owner=owner)
    result = await tessera.publish_contract(asset_id=asset.id, schema_def=V1)
    assert (result.id, result.version) == (result.contract.id, "1.0.0")
    waiting = await tessera.publish_contract(fqn=proposal.asset.fqn, schema_def={"type": "object"}, supersede=True)
    assert (waiting.outcome, waiting.version) == ("PROPOSED", "1.0.0")  # the contract that stays active
    empty = PublishResult(outcome=PublishOutcome.PROPOSED, contract=None, proposal=None, diff=None)
    assert (empty.id, empty.version) == (None, None)


async def test_every_result_of_a_mutation_with_a_key_has_this_key(tessera: Any) -> None:
    name, fqn = fresh("keys"), fresh_fqn()
    team = await tessera.create_team(name, idempotency_key=f"{name}-1")
    asset = await tessera.create_asset(fqn=fqn, owner=team, idempotency_key=f"{name}-2")
    result = await tessera.publish_contract(fqn=fqn, schema_def=V1, idempotency_key=f"{name}-3")
    registration = await tessera.register(fqn, team=await tessera.create_team(f"{name}-r"), idempotency_key=f"{name}-4")
    keys = [item.idempotency_key for item in (team, asset, result, registration)]
    assert keys == [f"{name}-{number}" for number in range(1, 5)]
    assert (await tessera.create_team(name, idempotency_key=f"{name}-1")).id == team.id
    read = await tessera.get_team(team)
    assert (read.idempotency_key, read == team) == (None, True)


TYPED = """
from collections.abc import AsyncGenerator, Generator
from typing import assert_type
from tessera_gql.client import Asset, AsyncTesseraClient, PublishResult, Team, TesseraClient

def run() -> None:
    with TesseraClient(timeout=3, retry_seconds=5) as tessera:
        assert_type(tessera, TesseraClient)
        assert_type(tessera.create_team("a", idempotency_key="k"), Team)
        assert_type(tessera.assets(), Generator[Asset])

async def run_async() -> None:
    async with TesseraClient() as tessera:
        assert_type(tessera, AsyncTesseraClient)
        result = await tessera.publish_contract(fqn="a.b", schema_def={})
        assert_type(result, PublishResult)
        assert_type(result.version, str | None)
        assert_type(tessera.assets(), AsyncGenerator[Asset])
    async with AsyncTesseraClient() as other:
        assert_type(await other.get_team("a"), Team)
"""


@pytest.mark.parametrize("checker", ["mypy", "basedpyright"])
def test_type_checkers_know_the_types_of_both_clients(checker: str, tmp_path: Path) -> None:
    (tmp_path / "typed.py").write_text(TYPED)
    (tmp_path / "pyrightconfig.json").write_text(json.dumps({"extraPaths": [str(ROOT)], "typeCheckingMode": "strict"}))
    program = Path(sys.executable).with_name(checker)
    options = ["--strict", "--follow-imports=silent"] if checker == "mypy" else ["--pythonpath", sys.executable]
    environment = {**os.environ, "MYPYPATH": str(ROOT)}
    completed = subprocess.run(
        [program, *options, "typed.py"], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert completed.returncode == 0, completed.stdout
