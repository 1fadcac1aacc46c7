"""Automatic persisted queries as clients of Apollo send them, over HTTP and WebSocket, within all limits."""

import hashlib
import json
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import replace
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.typing import Subprotocol

from tessera_gql.config import Profile
from tessera_gql.server.codec import PersistedQuery, RequestParams
from tessera_gql.server.http import Transport
from tessera_gql.server.persisted_queries import PersistedQueryCache

from .sample_schema import SampleBackend

Serve = Callable[[Transport], AbstractAsyncContextManager[str]]
RESPONSE = "application/graphql-response+json"
HELLO = "{hello}"


def digest(query: str) -> str:
    return hashlib.sha256(query.encode()).hexdigest()


def persisted(sha256_hash: str, version: Any = 1) -> dict[str, Any]:
    return {"extensions": {"persistedQuery": {"version": version, "sha256Hash": sha256_hash}}}


def hash_only(query: str) -> dict[str, Any]:
    return persisted(digest(query))


def with_query(query: str) -> dict[str, Any]:
    return {"query": query} | hash_only(query)


def code(response: httpx.Response) -> str:
    return response.json()["errors"][0]["extensions"]["code"]


@pytest.fixture
async def http(backend: SampleBackend, serve: Serve) -> AsyncIterator[httpx.AsyncClient]:
    async with serve(backend.transport()) as address, httpx.AsyncClient(base_url=f"http://{address}") as client:
        yield client


async def post(http: httpx.AsyncClient, body: dict[str, Any], accept: str = RESPONSE) -> httpx.Response:
    return await http.post("/graphql", json=body, headers={"accept": accept})


@pytest.mark.parametrize("accept", [RESPONSE, "application/json"])
async def test_an_unknown_hash_is_answered_by_the_name_of_the_protocol_and_then_known(
    http: httpx.AsyncClient, accept: str
) -> None:
    unknown = await post(http, hash_only(HELLO), accept)
    assert (unknown.status_code, code(unknown)) == (200, "PERSISTED_QUERY_NOT_FOUND")
    assert unknown.json()["errors"][0]["message"] == "PersistedQueryNotFound"
    for body in (with_query(HELLO), hash_only(HELLO), persisted(digest(HELLO).upper())):
        reply = await post(http, body, accept)
        assert (reply.status_code, reply.json()) == (200, {"data": {"hello": "hello"}})


async def test_a_hash_is_sent_by_get_as_well(http: httpx.AsyncClient) -> None:
    extensions = json.dumps(hash_only(HELLO)["extensions"])
    assert code(await http.get("/graphql", params={"extensions": extensions})) == "PERSISTED_QUERY_NOT_FOUND"
    for parameters in ({"query": HELLO, "extensions": extensions}, {"extensions": extensions}):
        assert (await http.get("/graphql", params=parameters)).json() == {"data": {"hello": "hello"}}


async def test_variables_and_operation_names_go_with_a_hash(http: httpx.AsyncClient) -> None:
    query = "query A($n: Int!) {number(value: $n)} query B {hello}"
    await post(http, with_query(query) | {"operationName": "B"})
    reply = await post(http, hash_only(query) | {"operationName": "A", "variables": {"n": 4}})
    assert reply.json() == {"data": {"number": 4}}


async def test_a_hash_of_another_document_is_refused_and_not_kept(http: httpx.AsyncClient) -> None:
    hash_of_viewer = digest("{viewer}")
    refused = await post(http, {"query": HELLO} | persisted(hash_of_viewer))
    assert (refused.status_code, code(refused)) == (400, "PERSISTED_QUERY_MISMATCH")
    assert code(await post(http, persisted(hash_of_viewer))) == "PERSISTED_QUERY_NOT_FOUND"
    assert code(await post(http, hash_only(HELLO))) == "PERSISTED_QUERY_NOT_FOUND"


async def test_another_version_of_the_protocol_makes_a_client_send_whole_documents(http: httpx.AsyncClient) -> None:
    reply = await post(http, persisted(digest(HELLO), version=2))
    assert (reply.status_code, code(reply)) == (200, "PERSISTED_QUERY_NOT_SUPPORTED")
    assert reply.json()["errors"][0]["message"] == "PersistedQueryNotSupported"


async def test_a_server_without_a_cache_says_so_and_executes_whole_documents(
    backend: SampleBackend, serve: Serve
) -> None:
    transport = backend.transport(persisted_query_bytes=0)
    async with serve(transport) as address, httpx.AsyncClient(base_url=f"http://{address}") as http:
        assert code(await post(http, hash_only(HELLO))) == "PERSISTED_QUERY_NOT_SUPPORTED"
        assert (await post(http, with_query(HELLO))).json() == {"data": {"hello": "hello"}}


@pytest.mark.parametrize(
    "member",
    [
        *([], "x", 1, {}, {"version": 1}, {"sha256Hash": "0" * 64}, {"version": "1", "sha256Hash": "0" * 64}),
        *(
            {"version": 1, "sha256Hash": value}
            for value in ("", "0" * 63, "g" * 64, "0" * 65, None, 7, "0" * 64 + "\n")
        ),
    ],
)
async def test_a_malformed_hash_is_a_request_error(http: httpx.AsyncClient, member: Any) -> None:
    reply = await post(http, {"query": HELLO, "extensions": {"persistedQuery": member}})
    assert (reply.status_code, code(reply)) == (400, "BAD_REQUEST")
    assert "sha256Hash" in reply.json()["errors"][0]["message"]


async def test_an_empty_document_is_no_hash_only_request_of_its_own(http: httpx.AsyncClient) -> None:
    assert code(await post(http, {"extensions": {"persistedQuery": None}})) == "BAD_REQUEST"
    assert code(await post(http, {"query": ""} | hash_only(HELLO))) == "PERSISTED_QUERY_NOT_FOUND"


async def test_a_hash_bypasses_no_limit_and_no_rule_of_the_locked_profile(backend: SampleBackend, serve: Serve) -> None:
    deep = "{" + "thing{" * 12 + "name" + "}" * 13
    refusals = {deep: "QUERY_TOO_COMPLEX", "{__schema{types{name}}}": "GRAPHQL_VALIDATION_FAILED"}
    refusals |= {"{nope}": "GRAPHQL_VALIDATION_FAILED", "{": "GRAPHQL_PARSE_FAILED"}
    transport = backend.transport(Profile.LOCKED)
    async with serve(transport) as address, httpx.AsyncClient(base_url=f"http://{address}") as http:
        for query, reason in refusals.items():
            assert code(await post(http, with_query(query))) == reason
            assert code(await post(http, hash_only(query))) == "PERSISTED_QUERY_NOT_FOUND", "it is not kept"
        extensions = json.dumps(hash_only(HELLO)["extensions"])
        assert (await http.get("/graphql", params={"extensions": extensions})).status_code == 405
        assert len(transport.persisted_queries) == 0


async def test_the_limits_of_variables_apply_to_each_use_of_a_hash(http: httpx.AsyncClient) -> None:
    query = "query ($n: Int) {things(first: $n) {totalCount}}"
    assert (await post(http, with_query(query) | {"variables": {"n": 5}})).json()["data"]
    assert code(await post(http, hash_only(query) | {"variables": {"n": 5000}})) == "QUERY_TOO_COMPLEX"


async def test_a_mutation_by_hash_is_refused_by_get_and_executed_by_post(
    backend: SampleBackend, http: httpx.AsyncClient
) -> None:
    query = 'mutation {add(text: "a")}'
    assert (await post(http, with_query(query))).json() == {"data": {"add": 1}}
    extensions = json.dumps(hash_only(query)["extensions"])
    assert (await http.get("/graphql", params={"extensions": extensions})).status_code == 405
    assert (await post(http, hash_only(query))).json() == {"data": {"add": 2}}
    assert backend.added == ["a", "a"]


async def test_a_caller_without_a_valid_key_learns_nothing_of_hashes(http: httpx.AsyncClient) -> None:
    await post(http, with_query(HELLO))
    for body in (hash_only(HELLO), hash_only("{viewer}")):
        refused = await http.post("/graphql", json=body, headers={"Authorization": "Bearer wrong"})
        assert (refused.status_code, code(refused)) == (401, "UNAUTHENTICATED")


async def test_a_hash_is_executed_with_the_rights_of_the_caller_who_sends_it(http: httpx.AsyncClient) -> None:
    await http.post("/graphql", json=with_query("{viewer}"), headers={"Authorization": "Bearer a"})
    reply = await http.post("/graphql", json=hash_only("{viewer}"), headers={"Authorization": "Bearer b"})
    assert reply.json() == {"data": {"viewer": "Bearer b"}}


async def test_a_large_request_needs_its_document(http: httpx.AsyncClient) -> None:
    query = "query ($text: Value!) {echo(value: $text)}"
    assert (await post(http, with_query(query) | {"variables": {"text": "x"}})).json() == {"data": {"echo": "x"}}
    large = hash_only(query) | {"variables": {"text": "x" * 100_000}}
    assert code(await post(http, large)) == "PERSISTED_QUERY_NOT_FOUND", "a worker process has no cache"


async def test_a_subscription_by_hash_is_streamed_by_events_and_by_websocket(http: httpx.AsyncClient) -> None:
    query = "subscription {count}"
    url = f"ws://{http.base_url.host}:{http.base_url.port}/graphql"
    async with connect(url, subprotocols=[Subprotocol("graphql-transport-ws")]) as socket:
        await socket.send(json.dumps({"type": "connection_init"}))
        await socket.recv()
        answers: list[dict[str, Any]] = []
        for number, payload in enumerate((hash_only(query), with_query(query), hash_only(query))):
            await socket.send(json.dumps({"id": str(number), "type": "subscribe", "payload": payload}))
            while not answers or answers[-1]["id"] != str(number) or answers[-1]["type"] == "next":
                answers.append(json.loads(await socket.recv()))
    assert [answer["type"] for answer in answers] == ["error", *["next"] * 3, "complete", *["next"] * 3, "complete"]
    assert answers[0]["payload"][0]["message"] == "PersistedQueryNotFound"
    events = await post(http, hash_only(query), "text/event-stream")
    assert events.text.count("event: next") == 3


async def test_a_client_works_with_several_processes_by_repeating_what_one_does_not_know(
    backend: SampleBackend, serve: Serve
) -> None:
    async with AsyncExitStack() as stack:
        clients = []
        for _ in range(2):
            address = await stack.enter_async_context(serve(backend.transport()))
            clients.append(await stack.enter_async_context(httpx.AsyncClient(base_url=f"http://{address}")))
        misses = 0
        for turn in range(6):
            http = clients[turn % 2]
            reply = (await post(http, hash_only(HELLO))).json()
            if "errors" in reply:
                misses += 1
                reply = (await post(http, with_query(HELLO))).json()
            assert reply == {"data": {"hello": "hello"}}
        assert misses == 2, "each process learns a document once"


def test_the_cache_is_bounded_and_drops_what_was_used_least_recently(backend: SampleBackend) -> None:
    transport = backend.transport()
    queries = [f"query Q{number} {{hello}}" for number in range(1000)]
    cache = PersistedQueryCache(20_000)

    def prepare(query: str, *, is_hash_only: bool = False) -> bool:
        params = RequestParams("" if is_hash_only else query, {}, None, PersistedQuery(1, digest(query)))
        return not isinstance(cache.prepare(params, transport.document_cache.prepare), list)

    for query in queries:
        assert prepare(query)
        assert prepare(queries[0], is_hash_only=True), "the first one is used again and again"
    assert 40 < len(cache) < 100
    assert prepare(queries[-1], is_hash_only=True)
    assert not prepare(queries[1], is_hash_only=True)


def test_a_document_larger_than_the_cache_is_executed_and_not_kept(backend: SampleBackend) -> None:
    transport = backend.transport()
    cache = PersistedQueryCache(1000)
    query = HELLO + " " * 2000
    params = RequestParams(query, {}, None, PersistedQuery(1, digest(query)))
    assert not isinstance(cache.prepare(params, transport.document_cache.prepare), list)
    assert len(cache) == 0
    assert isinstance(cache.prepare(replace(params, query=""), transport.document_cache.prepare), list)
