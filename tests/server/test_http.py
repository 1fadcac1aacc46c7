"""GraphQL over HTTP, as the specification and its audits require."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, suppress
from typing import Any

import httpx
import pytest
import strawberry
from strawberry.extensions import SchemaExtension

from tessera_gql.config import Profile
from tessera_gql.errors import Forbidden
from tessera_gql.executor import core_schema
from tessera_gql.server.http import MediaType, Transport, Unauthenticated, negotiate_media_type

from .sample_schema import SampleBackend

Serve = Callable[[Transport], AbstractAsyncContextManager[str]]
RESPONSE = "application/graphql-response+json"


@pytest.fixture
async def http(backend: SampleBackend, serve: Serve) -> AsyncIterator[httpx.AsyncClient]:
    async with (
        serve(backend.transport(body_bytes=2000)) as address,
        httpx.AsyncClient(base_url=f"http://{address}") as client,
    ):
        yield client


@pytest.fixture
async def locked(backend: SampleBackend, serve: Serve) -> AsyncIterator[httpx.AsyncClient]:
    transport = backend.transport(Profile.LOCKED)
    async with serve(transport) as address, httpx.AsyncClient(base_url=f"http://{address}") as client:
        yield client


async def ask(http: httpx.AsyncClient, query: str, accept: str = RESPONSE, **variables: Any) -> httpx.Response:
    return await http.post("/graphql", json={"query": query, "variables": variables}, headers={"accept": accept})


def code(response: httpx.Response) -> str:
    return response.json()["errors"][0]["extensions"]["code"]


def message(response: httpx.Response) -> str:
    return response.json()["errors"][0]["message"]


async def test_a_query_is_answered_in_the_media_type_asked_for(http: httpx.AsyncClient) -> None:
    for accept, media_type in {
        RESPONSE: RESPONSE,
        "application/json": "application/json",
        "*/*": "application/json",
        "": "application/json",
        f"{RESPONSE}, application/json;q=0.9": RESPONSE,
        f"application/json;q=0.5, {RESPONSE};q=0.4": "application/json",
        "multipart/mixed, application/json, text/event-stream": "application/json",
    }.items():
        response = await ask(http, "{hello}", accept)
        assert response.status_code == 200
        assert response.headers["content-type"] == f"{media_type}; charset=utf-8"
        assert response.json() == {"data": {"hello": "hello"}}


async def test_nothing_acceptable_is_406(http: httpx.AsyncClient) -> None:
    response = await ask(http, "{hello}", "text/html")
    assert response.status_code == 406
    assert RESPONSE in message(response)


@pytest.mark.parametrize(
    ("accept", "media"),
    [
        ("text/event-stream", MediaType.EVENTS),
        ("text/event-stream, application/json", MediaType.EVENTS),
        ("application/json;q=0.2, text/event-stream", MediaType.EVENTS),
        ("application/json, text/event-stream", MediaType.JSON),
        ("*/*, text/event-stream", MediaType.JSON),
        ("text/event-stream;q=0.5, application/json", MediaType.JSON),
        ("application/json;q=0, */*", MediaType.RESPONSE),
        ("application/*", MediaType.JSON),
        ("application/json;q=nonsense", None),
        ("application/json;q=0", None),
        (";q=,,", MediaType.JSON),
        ("APPLICATION/JSON; charset=utf-8", MediaType.JSON),
    ],
)
def test_an_event_stream_is_sent_only_to_clients_that_prefer_it(accept: str, media: MediaType | None) -> None:
    assert negotiate_media_type(accept) is media


async def test_a_request_error_is_400_only_in_the_new_media_type(http: httpx.AsyncClient) -> None:
    for query, reason in {
        "{": "GRAPHQL_PARSE_FAILED",
        "{nope}": "GRAPHQL_VALIDATION_FAILED",
        "query ($n: Int!) {number(value: $n)}": "BAD_REQUEST",
        "query A {hello} query B {hello}": "BAD_REQUEST",
        "fragment F on Query {hello}": "GRAPHQL_VALIDATION_FAILED",
        "{" + "thing{" * 12 + "name" + "}" * 13: "QUERY_TOO_COMPLEX",
    }.items():
        new, old = await ask(http, query), await ask(http, query, "application/json")
        assert (new.status_code, old.status_code) == (400, 200), query
        assert code(new) == code(old) == reason
        assert "data" not in new.json()


async def test_a_failed_field_is_200_even_when_data_is_null(http: httpx.AsyncClient) -> None:
    response = await ask(http, "{boomAtTheRoot}")
    assert response.status_code == 200
    assert response.json()["data"] is None
    assert code(response) == "INTERNAL"


async def test_other_methods_are_405_and_say_which_are_allowed(
    http: httpx.AsyncClient, locked: httpx.AsyncClient
) -> None:
    for method in ("PUT", "DELETE", "PATCH", "HEAD", "OPTIONS"):
        response = await http.request(method, "/graphql")
        assert (response.status_code, response.headers["allow"]) == (405, "GET, POST")
    response = await locked.get("/graphql", params={"query": "{hello}"})
    assert (response.status_code, response.headers["allow"]) == (405, "POST")


async def test_get_takes_variables_as_json_but_no_mutation(http: httpx.AsyncClient, backend: SampleBackend) -> None:
    parameters = {"query": "query ($n: Int!) {number(value: $n)}", "variables": '{"n": 4}', "extensions": "{}"}
    assert (await http.get("/graphql", params=parameters)).json() == {"data": {"number": 4}}
    refused = await http.get("/graphql", params={"query": 'mutation {add(text: "a")}'})
    assert (refused.status_code, refused.headers["allow"]) == (405, "POST")
    assert backend.added == []
    for bad in ({}, {"query": "{hello}", "variables": "{"}, {"query": "{hello}", "variables": "3"}):
        assert (await http.get("/graphql", params=bad)).status_code == 400


async def test_only_utf8_json_is_accepted(http: httpx.AsyncClient) -> None:
    body = b'{"query": "{hello}"}'
    for content, status in {
        "application/json": 200,
        "Application/JSON; Charset=UTF-8": 200,
        'application/json;charset="utf-8"': 200,
        "application/json; charset=utf-16": 415,
        "application/jsonx": 415,
        "text/plain; application/json": 415,
        "application/x-www-form-urlencoded": 415,
        "multipart/form-data; boundary=x": 415,
        "application/graphql": 415,
        "": 415,
    }.items():
        response = await http.post("/graphql", content=body, headers={"content-type": content})
        assert response.status_code == status, content
    packed = await http.post(
        "/graphql", content=body, headers={"content-type": "application/json", "content-encoding": "gzip"}
    )
    assert packed.status_code == 415


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"null",
        b"7",
        b'"text"',
        b"true",
        b"[]",
        b"{}",
        b"\xff\xfe",
        b'{"query": "\xff"}',
        b'{"query": "\\ud800"}',
        b'{"query": NaN}',
        b'{"query": "{hello}", "variables": {"a": 1e999}}',
        b'{"query": null}',
        b'{"query": ["{hello}"]}',
        b'{"query": "{hello}", "variables": []}',
        b'{"query": "{hello}", "variables": "{}"}',
        b'{"query": "{hello}", "operationName": 1}',
        b'{"query": "{hello}", "extensions": []}',
        b'{"query": "{hello}", "variables": ' + b'{"a":' * 300 + b"1" + b"}" * 301,
        b"[" * 1500,
    ],
    ids=lambda body: body[:40].decode("latin-1"),
)
async def test_a_malformed_body_is_400_in_either_media_type(http: httpx.AsyncClient, body: bytes) -> None:
    for accept in (RESPONSE, "application/json"):
        response = await http.post(
            "/graphql", content=body, headers={"content-type": "application/json", "accept": accept}
        )
        assert response.status_code == 400
        assert code(response) == "BAD_REQUEST"


async def test_batches_are_refused_with_a_message(http: httpx.AsyncClient) -> None:
    response = await http.post("/graphql", json=[{"query": "{hello}"}])
    assert response.status_code == 400
    assert message(response) == "Batching is off: send one operation per request."


async def test_null_members_are_the_same_as_absent_ones(http: httpx.AsyncClient) -> None:
    body = {"query": "{hello}", "variables": None, "operationName": None, "extensions": None}
    assert (await http.post("/graphql", json=body)).json() == {"data": {"hello": "hello"}}


async def test_a_large_body_is_refused_before_it_is_read(http: httpx.AsyncClient) -> None:
    sent_bytes = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent_bytes
        while sent_bytes < 200_000_000:
            sent_bytes += 100_000
            yield b" " * 100_000
            await asyncio.sleep(0)

    headers = {"content-type": "application/json"}
    for size in (2001, 1_000_000, 20_000_000):
        declared = await http.post("/graphql", content=b" " * size, headers=headers)
        assert declared.status_code == 413
        assert "2,000" in message(declared)
    with suppress(httpx.TransportError):  # the server may cut the line while the client is still sending
        assert (await http.post("/graphql", content=endless(), headers=headers)).status_code == 413
    assert sent_bytes < 200_000_000


async def test_a_large_body_that_never_ends_is_answered_at_once(backend: SampleBackend, serve: Serve) -> None:
    async with serve(backend.transport(body_bytes=2000)) as address:
        reader, writer = await asyncio.open_connection(*address.split(":"))
        head = "POST /graphql HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 90000\r\n\r\n"
        writer.write(head.encode() + b" " * 3000)
        async with asyncio.timeout(2):
            assert b"413" in await reader.readline()
            assert b"2,000" in await reader.readuntil(b"}]}")
        writer.close()


async def test_a_query_that_takes_too_long_is_cancelled(backend: SampleBackend, serve: Serve) -> None:
    async with (
        serve(backend.transport(query_seconds=0.1)) as address,
        httpx.AsyncClient(base_url=f"http://{address}") as http,
    ):
        response = await ask(http, "{slow(seconds: 9) a: slow(seconds: 9)}")
        assert code(response) == "TIMEOUT"
        assert "longer than 0.1 seconds" in message(response)
        assert (backend.streams, backend.open_contexts, backend.added) == (0, 0, [])
        assert (await ask(http, "mutation {addSlowly(seconds: 0.3)}")).json() == {"data": {"addSlowly": "done"}}


async def test_a_timeout_error_of_a_resolver_is_an_ordinary_failure(http: httpx.AsyncClient) -> None:
    assert code(await ask(http, "{slow(seconds: -1)}")) == "INTERNAL"


@pytest.mark.parametrize(
    ("query", "expected"), [("{slow(seconds: 2)}", []), ("mutation {addSlowly(seconds: 2)}", ["slow"])]
)
async def test_a_query_is_cancelled_when_its_client_disconnects_and_a_mutation_is_not(
    backend: SampleBackend, serve: Serve, query: str, expected: list[str]
) -> None:
    async with serve(backend.transport()) as address, httpx.AsyncClient(base_url=f"http://{address}") as http:
        with pytest.raises(httpx.ReadTimeout):
            await http.post("/graphql", json={"query": query}, timeout=0.2)
        assert backend.streams == 1
        async with asyncio.timeout(5):
            while backend.streams:  # noqa: ASYNC110 - nothing tells it
                await asyncio.sleep(0.01)
    assert backend.added == expected


async def test_the_key_comes_from_the_authorization_header_and_never_from_a_cookie(http: httpx.AsyncClient) -> None:
    with_header = await http.post("/graphql", json={"query": "{viewer}"}, headers={"authorization": "Bearer key"})
    assert with_header.json() == {"data": {"viewer": "Bearer key"}}
    with_cookie = await http.post(
        "/graphql", json={"query": "{viewer}"}, headers={"cookie": "authorization=Bearer key"}
    )
    assert with_cookie.json() == {"data": {"viewer": None}}


async def test_a_wrong_key_is_401_with_a_challenge(http: httpx.AsyncClient) -> None:
    for accept in (RESPONSE, "application/json", "text/event-stream"):
        headers = {"authorization": "Bearer wrong", "accept": accept}
        response = await http.post("/graphql", json={"query": "{hello}"}, headers=headers)
        assert response.status_code == 401
        assert response.headers["www-authenticate"] == "Bearer"
        assert (code(response), message(response)) == ("UNAUTHENTICATED", "This key is unknown. Create another.")


async def test_a_failing_key_store_is_a_masked_500(http: httpx.AsyncClient) -> None:
    response = await http.post("/graphql", json={"query": "{hello}"}, headers={"authorization": "Bearer crash"})
    assert response.status_code == 500
    assert code(response) == "INTERNAL"
    assert "secret" not in response.text


@pytest.mark.parametrize(
    ("failure", "status", "reason"),
    [
        (Forbidden("Not you. Ask an administrator."), 403, "FORBIDDEN"),
        (Unauthenticated("The key has just expired."), 401, "UNAUTHENTICATED"),
        (ConnectionError("host=10.0.0.1"), 503, "UNAVAILABLE"),
        (ValueError("the secret"), 500, "INTERNAL"),
    ],
)
async def test_a_context_that_does_not_open_has_its_own_status(
    http: httpx.AsyncClient, backend: SampleBackend, failure: Exception, status: int, reason: str
) -> None:
    backend.fail_on_open = failure
    for accept in (RESPONSE, "application/json"):
        response = await ask(http, "{hello}", accept)
        assert (response.status_code, code(response)) == (status, reason)
        assert ("www-authenticate" in response.headers) is (status == 401)
        assert "10.0.0.1" not in response.text
        assert "the secret" not in response.text


async def test_several_operations_need_a_name(http: httpx.AsyncClient) -> None:
    query = "query A {hello} query B {number(value: 2)}"
    chosen = await http.post("/graphql", json={"query": query, "operationName": "B"})
    assert chosen.json() == {"data": {"number": 2}}
    for name in (None, "C"):
        refused = await http.post(
            "/graphql", json={"query": query, "operationName": name}, headers={"accept": RESPONSE}
        )
        assert refused.status_code == 400
        assert code(refused) == "BAD_REQUEST"


async def test_a_subscription_by_plain_post_is_refused_with_the_right_transports(
    http: httpx.AsyncClient, backend: SampleBackend
) -> None:
    for accept in (RESPONSE, "application/json"):
        response = await ask(http, "subscription {count}", accept)
        assert response.status_code == 400
        assert "websocket" in message(response)
        assert "text/event-stream" in message(response)
    assert backend.open_contexts == 0


async def test_numbers_and_text_are_returned_unchanged(http: httpx.AsyncClient) -> None:
    for value in (2**64, -(10**30), 0.1, "ü🏃", {"a": [1, None, True]}, [[[]]], 18446744073709551615):
        response = await ask(http, "query ($v: Value!) {echo(value: $v)}", v=value)
        assert json.loads(response.content) == {"data": {"echo": value}}


async def test_a_client_that_disconnects_while_sending_logs_nothing(
    http: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    reader, writer = await asyncio.open_connection(http.base_url.host, http.base_url.port)
    writer.write(b"POST /graphql HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{")
    await writer.drain()
    await asyncio.sleep(0.05)
    writer.close()
    await writer.wait_closed()
    await asyncio.sleep(0.05)
    assert not caplog.records
    assert reader is not None


def test_a_schema_with_extensions_that_would_not_run_is_refused() -> None:
    class Unheard(SchemaExtension):
        pass

    @strawberry.type
    class Query:
        name: str = "toy"

    extended = strawberry.Schema(Query, extensions=[Unheard])
    with pytest.raises(ValueError, match="extensions"):
        core_schema(extended)
