"""Failures are logged with their reference and traceback, and without secrets or values."""

import io
import json
import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import structlog
from sqlalchemy import text

from tessera_gql.config import InvalidSettings, load
from tessera_gql.executor import core_schema
from tessera_gql.graphql.schema import schema
from tessera_gql.policy.access import ANONYMOUS, Actor
from tessera_gql.server.http import Transport, execute
from tessera_gql.store.database import Database
from tessera_gql.telemetry import logs

SECRET = "a-secret-of-this-test"


@pytest.fixture
def log_lines(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], list[dict[str, Any]]]]:
    """The lines so far."""
    root, stderr = logging.getLogger(), io.StringIO()
    before = root.handlers[:], root.level
    monkeypatch.setattr("sys.stderr", stderr)
    logs.configure(level="info", is_json=True, secrets=[SECRET, 'quoted"secret'])
    yield lambda: [json.loads(line) for line in stderr.getvalue().splitlines()]
    root.handlers[:], root.level = before
    structlog.reset_defaults()


def test_secrets_are_removed_from_every_log_line_of_any_logger(log_lines: Callable[[], list[dict[str, Any]]]) -> None:
    shapes = f'{SECRET} quoted"secret tsr_Ab3dEf6hIj9l Bearer xyz123 postgresql://u:pw@db/x eyJhbGciOiJu.eyJzdWIi.c2ln'
    logging.getLogger("somebody.else").warning("They said %s", shapes)
    structlog.get_logger().error("We said", words=shapes)
    foreign, own = log_lines()
    assert foreign["event"] == "They said *** *** *** Bearer *** postgresql://***@db/x ***"
    assert foreign["logger"] == "somebody.else"
    assert own["words"] == foreign["event"].removeprefix("They said ")


async def test_a_database_failure_is_logged_with_its_reference_and_without_values(
    database: Database, log_lines: Callable[[], list[dict[str, Any]]]
) -> None:
    async def anyone(_credential: str | None) -> Actor:
        return ANONYMOUS

    async def spoiled(actor: str) -> None:
        async with database.write(actor) as session:
            given = "-".join(("clients", "value"))
            await session.execute(text("INSERT INTO nowhere (a) VALUES (:a)").bindparams(a=given))

    class Failing:
        async def __aenter__(self) -> None:
            await spoiled("tester")

        async def __aexit__(self, *_: object) -> None: ...

    transport = Transport(
        schema=core_schema(schema), authenticate=anyone, open_operation_context=lambda _identity: Failing()
    )
    reply = await execute(transport, query="{ __typename }", identity=ANONYMOUS)
    extensions = reply["errors"][0]["extensions"]
    assert extensions["code"] == "INTERNAL"
    (line,) = [entry for entry in log_lines() if entry["level"] == "error"]
    assert extensions["reference"] in line["event"]
    assert "Traceback" in line["exception"]
    assert "INSERT INTO nowhere" in line["exception"]
    assert "clients-value" not in json.dumps(line)


def test_tracing_without_its_extra_is_refused_as_an_invalid_setting(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4318")
    load()
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    with pytest.raises(InvalidSettings, match=r"Install it with pip install 'tessera-gql\[tracing\]'"):
        load()
