"""The rate limit of a caller: shown with every reply, refused with the seconds to wait, separate for each key."""

from dataclasses import dataclass, replace
from typing import Any

import httpx
import pytest
from graphql import GraphQLError
from starlette.applications import Starlette

from tessera_gql.config import Profile
from tessera_gql.graphql.schema import schema
from tessera_gql.policy.access import Scope
from tessera_gql.server.documents import DocumentCache, Operation
from tessera_gql.server.http import create_routes, execute
from tessera_gql.server.limits import Limits
from tessera_gql.server.rate_limit import SWEEP_THRESHOLD, Rate, RateLimiter, TokenBuckets
from tessera_gql.store.database import Database
from tests.graphql.authenticated_api import AuthenticatedApi, authenticated_api
from tests.world import World

DOCUMENTS = DocumentCache(schema._schema, Limits(), Profile.LOCKED)


@dataclass
class Seconds:
    now: float = 1_000.0

    def __call__(self) -> float:
        return self.now


def bucket(rate: str, seconds: Seconds) -> TokenBuckets:
    return TokenBuckets("mutations", Rate.parse(rate), seconds)


def operation(query: str, **variables: Any) -> Operation:
    found = DOCUMENTS.prepare(query, variables)
    assert isinstance(found, Operation), found
    return found


def test_a_full_bucket_may_be_emptied_at_once_and_refills_steadily() -> None:
    seconds = Seconds()
    buckets = bucket("60/minute", seconds)
    assert [buckets.take("a", 1)["remaining"] for _ in range(60)] == list(range(59, -1, -1))
    with pytest.raises(GraphQLError) as refused:
        buckets.take("a", 1)
    assert refused.value.extensions == {"code": "RATE_LIMITED", "limit": "mutations", "allowed": 60, "retryAfter": 1}
    seconds.now += 1
    assert buckets.take("a", 1) == {"limit": 60, "remaining": 0, "fullInSeconds": 60}
    seconds.now += 3600
    assert buckets.take("a", 1)["remaining"] == 59


def test_waiting_for_the_announced_seconds_is_enough() -> None:
    seconds = Seconds()
    buckets = bucket("7/minute", seconds)
    for amount in (7, 3, 5, 7, 1):
        try:
            buckets.take("a", amount)
        except GraphQLError as refused:
            seconds.now += (refused.extensions or {})["retryAfter"]
            buckets.take("a", amount)


def test_a_refused_call_costs_nothing_and_keys_are_separate() -> None:
    seconds = Seconds()
    buckets = bucket("10/minute", seconds)
    buckets.take("a", 8)
    with pytest.raises(GraphQLError):
        buckets.take("a", 5)
    assert buckets.take("a", 2)["remaining"] == 0
    assert buckets.take("b", 1)["remaining"] == 9


def test_a_cost_above_the_bucket_has_no_waiting_time() -> None:
    with pytest.raises(GraphQLError, match="Ask for less") as refused:
        bucket("10/minute", Seconds()).take("a", 11)
    assert "retryAfter" not in (refused.value.extensions or {})


def test_idle_callers_are_removed() -> None:
    seconds = Seconds()
    buckets = bucket("60/minute", seconds)
    for number in range(SWEEP_THRESHOLD):
        buckets.take(str(number), 1)
    seconds.now += 61
    buckets.take("new", 1)
    assert list(buckets.full_at) == ["new"]


@pytest.mark.parametrize("text", ["", "600", "600/fortnight", "-1/minute", "x/minute", "600/minute;1/second"])
def test_an_invalid_rate_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no rate"):
        Rate.parse(text)


TEAM = 'createTeam(input: {name: "x"}) { team { id } }'


@pytest.mark.parametrize(
    ("query", "number"),
    [
        (f"mutation {{ {TEAM} }}", 1),
        (f"mutation {{ a: {TEAM} b: {TEAM} }}", 2),
        (f"mutation {{ ...F b: {TEAM} }} fragment F on Mutation {{ a: {TEAM} ... on Mutation {{ c: {TEAM} }} }}", 3),
    ],
)
def test_every_mutation_of_an_operation_counts(query: str, number: int) -> None:
    budget = RateLimiter(Rate.parse("100/minute"), None, clock=Seconds())
    assert budget.charge("a", operation(query))["rateLimit"]["mutations"]["remaining"] == 100 - number


def test_a_query_costs_the_objects_it_may_return_and_at_least_one() -> None:
    budget = RateLimiter(None, Rate.parse("1000/minute"), clock=Seconds())
    small = budget.charge("a", operation("{ __typename }"))["rateLimit"]["cost"]["remaining"]
    page = "query ($first: Int!) { teams(first: $first) { nodes { name } } }"
    large = budget.charge("a", operation(page, first=100))["rateLimit"]["cost"]["remaining"]
    again = budget.charge("a", operation(page, first=10))["rateLimit"]["cost"]["remaining"]
    assert small == 999
    assert small - large >= 100
    assert 10 <= large - again < 50


def test_without_limits_nothing_is_counted_or_reported() -> None:
    assert RateLimiter(None, None).charge("a", operation("{ __typename }")) == {}


@pytest.fixture
def api(database: Database) -> AuthenticatedApi:
    return authenticated_api(database)


def application(api: AuthenticatedApi, budget: RateLimiter) -> Starlette:
    transport = replace(
        api.transport(),
        charge_rate_limit=lambda identity, asked: budget.charge(identity.actor.account, asked),
        open_streams=set(),
    )
    return Starlette(routes=create_routes(transport))


async def test_over_http_the_rate_limit_is_reported_and_a_refusal_is_429_with_retry_after(
    api: AuthenticatedApi, world: World
) -> None:
    team = await world.team("shop")
    first_token, other_token = [(await api.create_key(team, Scope.WRITE)).token for _ in range(2)]
    app = application(api, RateLimiter(Rate.parse("2/minute"), Rate.parse("1000/minute"), clock=Seconds()))
    query = 'mutation { updateTeam(input: {team: {name: "shop"}, metadata: {}}) { errors { code } } }'
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:

        async def post(token: str) -> httpx.Response:
            return await client.post("/graphql", json={"query": query}, headers={"Authorization": f"Bearer {token}"})

        first, second, third = [await post(first_token) for _ in range(3)]
        assert [answer.status_code for answer in (first, second, third)] == [200, 200, 429]
        assert first.json()["extensions"]["rateLimit"]["mutations"]["remaining"] == 1
        assert second.json()["extensions"]["rateLimit"]["cost"]["limit"] == 1000
        assert third.headers["retry-after"] == "30"
        (error,) = third.json()["errors"]
        assert error["extensions"]["code"] == "RATE_LIMITED"
        assert error["extensions"]["retryAfter"] == 30
        assert "data" not in third.json()
        assert (await post(other_token)).status_code == 200


async def test_a_subscription_is_charged_when_it_starts(api: AuthenticatedApi, world: World) -> None:
    key = await api.create_key(await world.team("shop"), Scope.READ)
    app = application(api, RateLimiter(None, Rate.parse("1/minute"), clock=Seconds()))
    headers = {"Authorization": f"Bearer {key.token}", "Accept": "text/event-stream"}
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
        await client.post("/graphql", json={"query": "{ __typename }"}, headers=headers)
        answer = await client.post("/graphql", json={"query": "subscription { events { cursor } }"}, headers=headers)
    assert "RATE_LIMITED" in answer.text


async def test_a_refused_call_never_reaches_the_database(api: AuthenticatedApi, world: World) -> None:
    key = await api.create_key(await world.team("shop"), Scope.WRITE)
    budget = RateLimiter(Rate.parse("1/day"), None, clock=Seconds())
    transport = replace(
        api.transport(),
        charge_rate_limit=lambda identity, asked: budget.charge(identity.actor.account, asked),
        open_streams=set(),
    )
    identity = await api.authenticate(f"Bearer {key.token}")
    query = 'mutation { updateTeam(input: {team: {name: "shop"}, metadata: {n: 1}}) { errors { code } } }'
    await execute(transport, query=query, identity=identity)
    before = await world.size()
    refused = await execute(transport, query=query.replace("1", "2"), identity=identity)
    assert refused["errors"][0]["extensions"]["code"] == "RATE_LIMITED"
    assert await world.size() == before
