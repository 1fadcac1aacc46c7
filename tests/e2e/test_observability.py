"""Metrics, request log and traces of a real server; none of them holds a secret."""

import asyncio
import gzip
import json
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
import websockets
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.e2e.server import Running, serving

pytestmark = pytest.mark.long

ADMIN_KEY = "an-administrators-key-for-this-test"
METRICS_KEY = "a-key-for-the-metrics-alone-in-this-test"
MANY = """query Catalog($first: Int) { assets(first: $first) { nodes { fqn owner { name } } } }"""
CREATE = "mutation Create($name: String!) { createTeam(input: { name: $name }) { team { id } errors { message } } }"


def post(server: Running, document: str, key: str | None = None, **more: Any) -> httpx.Response:
    headers = more.pop("headers", {}) | ({"Authorization": f"Bearer {key}"} if key else {})
    body = {"query": document, "variables": more.pop("variables", {})}
    return httpx.post(f"{server.url}/graphql", json=body, headers=headers, timeout=30)


def metrics(server: Running, key: str | None = None) -> dict[str, float]:
    """Each series, labels and all, with its value."""
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    answer = httpx.get(f"{server.url}/metrics", headers=headers, timeout=30)
    assert answer.status_code == 200, answer.text
    lines = [line for line in answer.text.splitlines() if line and not line.startswith("#")]
    return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines)}


def lines(server: Running) -> list[dict[str, Any]]:
    return [json.loads(line) for line in server.log.read_text().splitlines() if line.startswith("{")]


def line(server: Running, **fields: Any) -> dict[str, Any]:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        for entry in lines(server):
            if fields.items() <= entry.items():
                return entry
        time.sleep(0.05)
    raise AssertionError(f"no line {fields} in\n{server.log.read_text()}")


def test_metrics_count_operations_statements_and_queues(tmp_path: Path) -> None:
    with serving(tmp_path) as server:
        for number in range(3):
            assert post(server, CREATE, variables={"name": f"team-{number}"}).status_code == 200
        assert post(server, MANY).status_code == 200
        post(server, "query Broken { nothing }")
        httpx.get(f"{server.url}/nowhere")
        figures = metrics(server)
    assert figures['tessera_operations_total{kind="mutation",operation="Create",outcome="ok"}'] == 3
    assert figures['tessera_operations_total{kind="query",operation="Catalog",outcome="ok"}'] == 1
    assert figures['tessera_operations_total{kind="invalid",operation="anonymous",outcome="refused"}'] == 1
    assert figures['tessera_errors_total{code="GRAPHQL_VALIDATION_FAILED"}'] == 1
    assert figures['tessera_operation_seconds_count{kind="mutation",operation="Create"}'] == 3
    assert figures['tessera_http_responses_total{route="other",status="404"}'] == 1
    assert figures['tessera_statement_seconds_count{verb="INSERT"}'] > 3
    assert figures['tessera_executor_queries_total{how="pushdown"}'] == 1
    assert figures["tessera_log_sequence"] == 3
    assert figures["tessera_relay_lag_events"] == 0
    assert figures["tessera_proposals_waiting"] == 0
    assert figures["tessera_webhook_deliveries_dead"] == 0
    assert figures["process_resident_memory_bytes"] > 1e7
    assert figures["process_open_fds"] > 3


def test_the_number_of_operation_names_in_metrics_is_bounded(tmp_path: Path) -> None:
    with serving(tmp_path) as server:
        with httpx.Client(base_url=server.url) as client:
            for number in range(150):
                client.post("/graphql", json={"query": f"query Q{number} {{ __typename }}"})
        figures = metrics(server)
    series = [name for name in figures if name.startswith("tessera_operations_total")]
    assert len(series) == 101
    assert figures['tessera_operations_total{kind="query",operation="other",outcome="ok"}'] == 50


def test_open_sockets_and_subscriptions_are_counted_until_they_end(tmp_path: Path) -> None:
    async def listen(server: Running) -> None:
        address = server.url.replace("http", "ws") + "/graphql"
        async with websockets.connect(address, subprotocols=[websockets.Subprotocol("graphql-transport-ws")]) as ws:
            await ws.send('{"type":"connection_init"}')
            await ws.recv()
            for number in range(3):
                payload = {"query": "subscription Alerts { events { kind } }"}
                await ws.send(json.dumps({"type": "subscribe", "id": f"{number}", "payload": payload}))
            await asyncio.sleep(0.5)
            figures = await asyncio.to_thread(metrics, server)
            assert figures["tessera_sockets"] == 1
            assert figures["tessera_subscriptions"] == 3
        await asyncio.sleep(0.5)
        figures = await asyncio.to_thread(metrics, server)
        assert figures["tessera_sockets"] == figures["tessera_subscriptions"] == 0

    with serving(tmp_path) as server:
        asyncio.run(listen(server))
        assert line(server, event="socket")["path"] == "/graphql"


def test_metrics_need_their_own_key_or_an_administrator_s_where_keys_are_needed(tmp_path: Path) -> None:
    with serving(tmp_path, ADMIN_KEY=ADMIN_KEY, METRICS_KEY=METRICS_KEY) as server:
        assert httpx.get(f"{server.url}/metrics").status_code == 401
        assert "tessera_log_sequence" in metrics(server, ADMIN_KEY)
        assert "tessera_log_sequence" in metrics(server, METRICS_KEY)
        assert post(server, "{ __typename }", METRICS_KEY).status_code == 401
        created = post(server, CREATE, ADMIN_KEY, variables={"name": "shop"})
        minting = (
            'mutation { createApiKey(input: { name: "ci", team: { name: "shop" }, scopes: [WRITE] }) '
            "{ token errors { message } } }"
        )
        token = post(server, minting, ADMIN_KEY).json()["data"]["createApiKey"]["token"]
        assert created.status_code == 200
        refused = httpx.get(f"{server.url}/metrics", headers={"Authorization": f"Bearer {token}"})
        assert refused.status_code == 403
    with serving(tmp_path, METRICS="off", DATABASE_URL="sqlite:///other.db") as server:
        assert httpx.get(f"{server.url}/metrics").status_code == 404


def test_processes_on_one_socket_share_their_metrics(tmp_path: Path, postgres_database_url: str) -> None:
    settings = {"DATABASE_URL": postgres_database_url, "WORKERS": "2"}
    with serving(tmp_path, **settings) as server:
        for _ in range(40):
            assert post(server, "query Tiny { __typename }").status_code == 200
        tiny = 'tessera_operations_total{kind="query",operation="Tiny",outcome="ok"}'
        assert [metrics(server)[tiny] for _ in range(10)] == [40] * 10
        time.sleep(1.5)
        figures = metrics(server)
        memory = [name for name in figures if name.startswith("process_resident_memory_bytes{pid=")]
        assert len(memory) == 2
        assert figures["tessera_relay_lag_events"] == 0


def test_every_request_is_one_line_with_its_id_and_operation(tmp_path: Path) -> None:
    with serving(tmp_path) as server:
        answer = post(server, MANY, headers={"X-Request-ID": "build-4711.retry-1"})
        assert answer.headers["x-request-id"] == "build-4711.retry-1"
        strange = post(server, "query Nope { nothing }", headers={"X-Request-ID": "no good\tid"})
        assert re.fullmatch(r"[0-9a-f]{16}", strange.headers["x-request-id"])
        entry = line(server, request_id="build-4711.retry-1")
        refused = line(server, request_id=strange.headers["x-request-id"])
        httpx.get(f"{server.url}/healthz")
        at_the_door = httpx.post(f"{server.url}/graphql", content="x", headers={"Content-Type": "text/plain"})
        assert line(server, request_id=at_the_door.headers["x-request-id"])["status"] == 415
    assert entry["event"] == "request"
    assert entry["level"] == "info"
    assert (entry["operation"], entry["kind"], entry["outcome"]) == ("Catalog", "query", "ok")
    assert (entry["method"], entry["path"], entry["status"]) == ("POST", "/graphql", 200)
    assert entry["account"] == "open"
    assert entry["ms"] > 0
    assert (refused["outcome"], refused["codes"]) == ("refused", ["GRAPHQL_VALIDATION_FAILED"])
    ids = [line["request_id"] for line in lines(server) if line["event"] == "request"]
    assert len(ids) == len(set(ids)) == 3  # and none for /healthz


def test_a_slow_operation_is_a_warning(tmp_path: Path) -> None:
    with serving(tmp_path, LOG_SLOW_SECONDS="0", LOG_LEVEL="warning") as server:
        post(server, MANY)
        assert line(server, operation="Catalog")["level"] == "warning"


def test_the_log_is_readable_text_on_a_terminal(tmp_path: Path) -> None:
    with serving(tmp_path, LOG_FORMAT="console") as server:
        post(server, MANY)
        time.sleep(0.2)
        log = server.log.read_text()
    assert re.search(r"request .*operation=Catalog", log)
    assert lines(server) == []


def test_no_line_holds_a_key_a_variable_or_a_literal(tmp_path: Path, postgres_database_url: str) -> None:
    stolen = "tsr_Ab3dEf6hIj9lMn2pQr5tUv8x"
    token = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJoaWRkZW4ifQ.c2lnbmF0dXJl"
    settings = {"ADMIN_KEY": ADMIN_KEY, "WEBHOOK_SECRET": "whsec_c2VjcmV0LW9mLWEtdGVzdA==", "LOG_LEVEL": "debug"}
    with serving(tmp_path, DATABASE_URL=postgres_database_url, **settings) as server:
        post(server, CREATE, ADMIN_KEY, variables={"name": "hidden-variable"})
        post(server, '{ assets(filter: { fqn: { eq: "hidden.literal" } }) { nodes { id } } }', ADMIN_KEY)
        post(server, '{ node(id: "hidden-literal") { id } nothing }', ADMIN_KEY)
        for credential in (stolen, token, ADMIN_KEY + "x"):
            post(server, "{ __typename }", credential)
        post(server, f"query {stolen} {{ __typename }}", ADMIN_KEY, headers={"X-Request-ID": stolen})
        httpx.get(f"{server.url}/{stolen}?key={ADMIN_KEY}")
        post(server, CREATE, ADMIN_KEY, variables={"name": "nul \x00 hidden-variable"})
        time.sleep(0.3)
        log = server.log.read_text()
    assert log.count('"event":"request"') >= 8
    for secret in (stolen, token, "hidden", ADMIN_KEY, settings["WEBHOOK_SECRET"]):
        assert secret not in log


class Collector(ThreadingHTTPServer):
    """An OTLP collector that stores the spans it receives."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Receiver)
        self.received: list[Any] = []
        self.attributes: dict[str, str] = {}

    def spans(self, *, enough: int) -> list[Any]:
        deadline = time.monotonic() + 15
        while time.monotonic() < deadline and len(self.received) < enough:
            time.sleep(0.05)
        return self.received


class Receiver(BaseHTTPRequestHandler):
    server: Collector

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        assert self.path == "/v1/traces"
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            self.server.attributes |= {
                attribute.key: attribute.value.string_value for attribute in resource.resource.attributes
            }
            self.server.received += [span for scope in resource.scope_spans for span in scope.spans]
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None: ...


@contextmanager
def collecting() -> Iterator[Collector]:
    with Collector() as collector:
        thread = threading.Thread(target=collector.serve_forever, daemon=True)
        thread.start()
        yield collector
        collector.shutdown()
        thread.join()


def span_attributes(span: Any) -> dict[str, str]:
    return {attribute.key: attribute.value.string_value for attribute in span.attributes}


def test_each_operation_is_a_span_below_its_caller_s_with_its_statements_below_it(tmp_path: Path) -> None:
    trace, parent = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
    with collecting() as collector:
        endpoint = f"http://127.0.0.1:{collector.server_port}"
        with serving(tmp_path, OTEL_EXPORTER_OTLP_ENDPOINT=endpoint, OTEL_BSP_SCHEDULE_DELAY="200") as server:
            post(server, MANY, headers={"traceparent": f"00-{trace}-{parent}-01"})
            post(server, 'query Failing { node(id: "hidden") { id } }')
        spans = collector.spans(enough=4)
    (operation,) = [span for span in spans if span.name == "query Catalog"]
    assert (operation.trace_id.hex(), operation.parent_span_id.hex()) == (trace, parent)
    assert span_attributes(operation)["graphql.operation.name"] == "Catalog"
    assert span_attributes(operation)["graphql.operation.type"] == "query"
    below = [span for span in spans if span.parent_span_id == operation.span_id]
    assert below
    assert {span_attributes(span)["db.system.name"] for span in below} == {"sqlite"}
    assert any("assets" in span_attributes(span)["db.query.text"] for span in below)
    (failing,) = [span for span in spans if span.name == "query Failing"]
    assert failing.status.code == 2
    assert not failing.parent_span_id
    assert "hidden" not in str(spans)
    assert {span.name for span in spans if not span.parent_span_id} == {"query Failing"}  # none of the server's own
    assert collector.attributes["service.name"] == "tessera-gql"


def test_an_unreachable_collector_does_not_affect_requests(tmp_path: Path) -> None:
    with serving(tmp_path, OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:9") as server:
        assert post(server, MANY).status_code == 200
    assert server.process.returncode in (0, -15)


@pytest.mark.parametrize("value", ["collector:4318", "ftp://collector"])
def test_an_invalid_collector_address_is_refused(tmp_path: Path, value: str) -> None:
    with (
        pytest.raises(AssertionError, match="OTEL_EXPORTER_OTLP_ENDPOINT: It is not an address"),
        serving(tmp_path, OTEL_EXPORTER_OTLP_ENDPOINT=value),
    ):
        pass


def test_readiness_reports_the_database_and_the_event_relay(tmp_path: Path) -> None:
    with serving(tmp_path) as server:
        answer = httpx.get(f"{server.url}/readyz")
        assert answer.json() == {"status": "ready", "revision": answer.json()["revision"], "sequence": 0}
        assert httpx.get(f"{server.url}/healthz").json()["status"] == "alive"
