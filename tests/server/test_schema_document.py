"""The schema in SDL over HTTP: for every valid key, with a tag, compressed, and charged to the rate limit."""

import asyncio
import gzip
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette

from tessera_gql.config import Profile
from tessera_gql.server.documents import Operation
from tessera_gql.server.rate_limit import Rate, RateLimiter
from tessera_gql.server.schema_document import create_schema_route
from tessera_gql.server.transport import Transport

from .sample_schema import SampleBackend, translate

SDL = "type Query {\n  hello: String!\n}\n" * 50
KEY = {"Authorization": "Bearer a"}


class Printer:
    def __init__(self, *failures: Exception) -> None:
        self.calls = 0
        self.failures = [*failures]

    def __call__(self) -> str:
        self.calls += 1
        if self.failures:
            raise self.failures.pop()
        return SDL


@asynccontextmanager
async def serving(transport: Transport, printer: Printer) -> AsyncIterator[httpx.AsyncClient]:
    app = Starlette(routes=[create_schema_route(transport, printer)])
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://server") as client:
        yield client


@pytest.mark.parametrize("profile", Profile)
async def test_a_valid_key_gets_the_schema_in_both_profiles(backend: SampleBackend, profile: Profile) -> None:
    printer = Printer()
    async with serving(backend.transport(profile), printer) as http:
        replies = await asyncio.gather(*(http.get("/schema.graphql", headers=KEY) for _ in range(5)))
    assert {(reply.status_code, reply.text) for reply in replies} == {(200, SDL)}
    assert replies[0].headers["content-type"] == "application/graphql; charset=utf-8"
    assert replies[0].headers["cache-control"] == "private, no-cache"
    assert printer.calls == 1


async def test_an_unknown_key_gets_an_error_and_no_schema(backend: SampleBackend) -> None:
    async with serving(backend.transport(), Printer()) as http:
        reply = await http.get("/schema.graphql", headers={"Authorization": "Bearer wrong", "If-None-Match": "*"})
    assert (reply.status_code, reply.headers["www-authenticate"]) == (401, "Bearer")
    assert reply.json()["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"


async def test_a_caller_with_the_current_version_gets_304(backend: SampleBackend) -> None:
    async with serving(backend.transport(), Printer()) as http:
        tag = (await http.get("/schema.graphql", headers=KEY)).headers["etag"]
        for header in (tag, tag.removeprefix("W/"), f'"other", {tag}', "*"):
            reply = await http.get("/schema.graphql", headers=KEY | {"If-None-Match": header})
            assert (reply.status_code, reply.content, reply.headers["etag"]) == (304, b"", tag)
        assert (await http.get("/schema.graphql", headers=KEY | {"If-None-Match": '"other"'})).status_code == 200


@pytest.mark.parametrize(
    ("accept", "is_compressed"),
    [("gzip", True), ("deflate, GZIP;q=0.5", True), ("gzip;q=0", False), ("identity", False), ("gzip; q=0.0", False)],
)
async def test_the_schema_is_compressed_for_clients_that_accept_it(
    backend: SampleBackend, accept: str, is_compressed: bool
) -> None:
    async with serving(backend.transport(), Printer()) as http:
        headers = KEY | {"Accept-Encoding": accept}
        async with http.stream("GET", "/schema.graphql", headers=headers) as reply:
            content = b"".join([chunk async for chunk in reply.aiter_raw()])
    assert (reply.headers.get("content-encoding") == "gzip") is is_compressed
    assert (gzip.decompress(content) if is_compressed else content).decode() == SDL


async def test_the_schema_takes_of_the_rate_limit_and_a_current_caller_takes_little(backend: SampleBackend) -> None:
    limiter = RateLimiter(None, Rate(210, 3600))

    def charge(identity: Any, operation: Operation) -> dict[str, Any]:
        return limiter.charge(identity.name, operation)

    async with serving(replace(backend.transport(), charge_rate_limit=charge), Printer()) as http:
        tag = (await http.get("/schema.graphql", headers=KEY)).headers["etag"]
        assert (await http.get("/schema.graphql", headers=KEY)).status_code == 200
        refused = await http.get("/schema.graphql", headers=KEY)
        assert (refused.status_code, refused.json()["errors"][0]["extensions"]["code"]) == (429, "RATE_LIMITED")
        assert int(refused.headers["retry-after"]) > 0
        assert (await http.get("/schema.graphql", headers=KEY | {"If-None-Match": tag})).status_code == 304
        second_key = {"Authorization": "Bearer b"}
        assert (await http.get("/schema.graphql", headers=second_key)).status_code == 200


async def test_a_failure_is_masked_and_the_next_request_prints_again(backend: SampleBackend) -> None:
    async with serving(backend.transport(), Printer(ValueError("a secret"))) as http:
        failed = await http.get("/schema.graphql", headers=KEY)
        assert (failed.status_code, "a secret" in failed.text) == (500, False)
        assert (await http.get("/schema.graphql", headers=KEY)).text == SDL


async def test_a_database_that_is_away_is_an_error_with_its_code(backend: SampleBackend) -> None:
    async def authenticate(_authorization: str | None) -> Any:
        raise ConnectionError("host=10.0.0.1 refused")

    transport = replace(backend.transport(), authenticate=authenticate, to_graphql_error=translate)
    async with serving(transport, Printer()) as http:
        reply = await http.get("/schema.graphql", headers=KEY)
    assert (reply.status_code, "10.0.0.1" in reply.text) == (503, False)


async def test_other_methods_are_refused(backend: SampleBackend) -> None:
    async with serving(backend.transport(), Printer()) as http:
        assert (await http.post("/schema.graphql", headers=KEY)).status_code == 405
        assert (await http.head("/schema.graphql", headers=KEY)).status_code == 200
