"""Depth, cost and aliases of an operation are limited, and refusing a large one is cheap."""

import time
from typing import Any

import pytest
from graphql import OperationDefinitionNode, get_introspection_query, parse

from tessera_gql.config import Profile
from tessera_gql.server.complexity import OperationMeter, OperationSize, collect_fragments
from tessera_gql.server.http import execute

from .sample_schema import SCHEMA, Guest, SampleBackend


def size(query: str, **variables: Any) -> OperationSize:
    document = parse(query)
    core = SCHEMA._schema
    measure = OperationMeter(core, collect_fragments(document), variables, {}, 20, 5)
    (operation,) = (node for node in document.definitions if isinstance(node, OperationDefinitionNode))
    return measure.measure_operation(operation)


async def refusal(
    backend: SampleBackend, query: str, profile: Profile = Profile.OPEN, **variables: Any
) -> dict[str, Any]:
    reply = await execute(backend.transport(profile), query=query, variables=variables, identity=Guest("guest"))
    assert "data" not in reply, reply
    return reply["errors"][0]


@pytest.mark.parametrize(
    ("query", "cost"),
    [
        ("{hello}", 0),
        ("{thing {name}}", 1),
        ("{thing {owner {owner {name}}}}", 3),
        ("{things(first: 7) {nodes {name}}}", 7),
        ("{things(first: 7) {edges {cursor node {name}} pageInfo {hasNextPage} totalCount}}", 7),
        ("{things(last: 7) {nodes {owner {name}}}}", 14),
        ("{things {nodes {name}}}", 20),
        ("{things(first: 3, last: 9) {nodes {name}}}", 9),
        ("{things(first: 100) {nodes {things(first: 20) {nodes {owner {name}}}}}}", 100 + 2000 + 2000),
        ("{things(first: 2) {...P}} fragment P on Things {nodes {name} edges {node {name}}}", 4),
        ("{a: things(first: 2) {...P} b: things(first: 5) {...P}} fragment P on Things {nodes {name}}", 7),
        ("{nodes(ids: [1, 2, 3]) {name owner {name}}}", 6),
        ("{thing {parts {parts {name}}}}", 1 + 5 + 25),
        ("{things(first: 0) {nodes {name}}}", 1),
        ("{things(first: -5) {nodes {name}}}", 1),
        ('{things(first: "7") {nodes {name}}}', 20),
        ("{things(first: null) {nodes {name}}}", 20),
    ],
)
def test_cost_counts_the_objects_a_reply_may_hold(query: str, cost: int) -> None:
    assert size(query).cost == cost


def test_cost_follows_the_variables() -> None:
    query = "query ($n: Int) {things(first: $n) {nodes {name}}}"
    assert [size(query, n=n).cost for n in (3, 3.0, None, True, "x", [1, 2])] == [3, 3, 20, 20, 20, 2]
    assert size(query).cost == 20
    assert size("query ($i: [ID!]!) {nodes(ids: $i) {name}}", i=["a"] * 9).cost == 9


def test_depth_follows_fragments_and_ignores_inline_ones() -> None:
    assert size("{thing {owner {name}}}").depth == 3
    assert size("{... {... {thing {... on Thing {name}}}}}").depth == 2
    assert size("{thing {...A}} fragment A on Thing {owner {...B}} fragment B on Thing {name}").depth == 3


def test_aliases_and_directives_are_counted_wherever_a_fragment_is_used() -> None:
    query = "{a: thing {...A} thing {...A}} fragment A on Thing {x: name @skip(if: false) y: name}"
    assert (size(query).aliases, size(query).directives) == (5, 2)
    assert size("query @a {hello @b ...F @c ... @d {hello}} fragment F on Query @e {hello}").directives == 5


@pytest.mark.parametrize(
    "query",
    [
        "{nope {deeper {still}}}",
        "{things(nope: 1) {nope {name}}}",
        "{...Nowhere}",
        "{...A} fragment A on Query {...B} fragment B on Query {...A hello}",
        "{...A} fragment A on Nope {nope {name}}",
        "{... on Nope {nope {name}}}",
        "subscription {nope {name}}",
        "{things(first: $undefined) {nodes {name}}}",
        "{things(first: [1, {a: 2}]) {nodes {name}}}",
        "{hello {name}}",
        "{things}",
    ],
)
def test_an_invalid_document_can_still_be_measured(query: str) -> None:
    assert size(query).cost < 200


@pytest.mark.parametrize(
    ("query", "phrases"),
    [
        ("{" + "thing{" * 50 + "name" + "}" * 51, ("depth", "51", "10")),
        ("{things(first: 101) {totalCount}}", ("page", "101", "100")),
        ("{nodes(ids: [" + "1 " * 101 + "]) {name}}", ("page", "101", "100")),
        ("{things(first: 100) {nodes {things(first: 51) {nodes {name}}}}}", ("cost", "5,200", "5,000")),
        ("{" + " ".join(f"a{n}: hello" for n in range(31)) + "}", ("aliases", "31", "30")),
        ("{" + "hello @skip(if: false) " * 10 + "}", ("directives", "10", "9")),
        ("{" + "hello " * 2000 + "}", ("tokens", "2,000", "2,000")),
        ("{" + "thing {owner {name}} " * 50 + "}", ("overlaps", "2,000", "2,000")),
    ],
    ids=["depth", "first", "ids", "cost", "aliases", "directives", "tokens", "overlaps"],
)
async def test_a_refusal_names_the_limit_the_figure_and_what_to_do(
    backend: SampleBackend, query: str, phrases: tuple[str, str, str]
) -> None:
    error = await refusal(backend, query)
    name, figure, limit = phrases
    assert error["extensions"]["code"] == "QUERY_TOO_COMPLEX"
    assert error["extensions"]["limit"] == name
    assert figure in error["message"]
    assert limit in error["message"]
    assert error["message"].count(".") >= 2


async def test_an_operation_at_the_limit_is_accepted(backend: SampleBackend) -> None:
    for query in (
        "{thing{" + "owner{" * 8 + "name" + "}" * 10,
        "{things(first: 100) {nodes {things(first: 20) {nodes {owner {name}}}}}}",
        "{" + " ".join(f"a{n}: hello" for n in range(30)) + "}",
        "{" + "hello @skip(if: false) " * 9 + "}",
        "{thing {" + "name " * 63 + "}}",
        '{hello @include(if: true) number(value: 1) echo(value: "' + "word " * 9000 + '")}',
    ):
        reply = await execute(backend.transport(), query=query, identity=Guest("guest"))
        assert "errors" not in reply, reply


async def test_the_same_document_is_refused_or_run_by_its_variables(backend: SampleBackend) -> None:
    transport = backend.transport()
    query = "query ($n: Int = 101) {things(first: $n) {totalCount}}"
    for variables, passes in (
        ({"n": 5}, True),
        ({"n": 101}, False),
        ({}, False),
        ({"n": None}, True),
        ({"n": 5}, True),
    ):
        reply = await execute(transport, query=query, variables=variables, identity=Guest("guest"))
        assert ("data" in reply) is passes


async def test_a_cycle_of_fragments_is_reported_as_a_cycle(backend: SampleBackend) -> None:
    for selection in ("owner {...B}", "owner {...B} parts {...B}", "...B"):
        cycle = f"{{thing {{...A}}}} fragment A on Thing {{{selection}}} fragment B on Thing {{owner {{...A}}}}"
        error = await refusal(backend, cycle)
        assert "within itself" in error["message"]


def fragment_bomb(spreads: str) -> str:
    fragments = " ".join(f"fragment F{n} on Thing {{{spreads.replace('NEXT', f'...F{n + 1}')}}}" for n in range(24))
    return f"{{thing {{...F0}}}} {fragments} fragment F24 on Thing {{name}}"


@pytest.mark.parametrize(
    "query",
    [
        fragment_bomb("a: owner {NEXT} b: owner {NEXT}"),
        fragment_bomb("owner {NEXT} parts {NEXT}"),
        fragment_bomb("x: name NEXT ... {NEXT}"),
        fragment_bomb("name @skip(if: false) NEXT ... {NEXT}"),
        "{" + "thing{" * 50 + "name" + "}" * 51,
        "{" + "thing{" * 5000 + "name" + "}" * 5001,
        "{" + "...{" * 190 + "hello" + "}" * 191,
        "{" + " ".join(f"a{n}: hello" for n in range(10_000)) + "}",
        "{" + "things(first: 100) {nodes {" * 5 + "name" + "}}" * 5 + "}",
        "{" + "thing {owner {name} parts {name}} " * 150 + "}",
        "{" + "hello " * 1990 + "}",
        "{" + "#\n" * 100_000 + "hello}",
        "[" * 5000,
        "{number(value: " + "[" * 900 + "]" * 900 + ")}",
    ],
    ids=lambda query: f"{query[:30]} ({len(query)})",
)
async def test_a_bomb_is_refused_within_50_ms(backend: SampleBackend, query: str) -> None:
    for _ in range(20):  # once is enough: the collector, or another process, may choose this very moment
        transport = backend.transport()
        await execute(transport, query="{hello}", identity=Guest("warm"))
        started = time.process_time()
        reply = await execute(transport, query=query, identity=Guest("guest"))
        spent = time.process_time() - started
        assert "data" not in reply
        if spent < 0.05:
            break
    else:
        pytest.fail(f"it took {spent:.3f} s at last")


async def test_introspection_passes_in_the_open_profile(backend: SampleBackend) -> None:
    for descriptions in (True, False):
        query = get_introspection_query(descriptions=descriptions, specified_by_url=True, input_value_deprecation=True)
        reply = await execute(backend.transport(), query=query, identity=Guest("guest"))
        assert "errors" not in reply


async def test_introspection_is_refused_in_the_locked_profile_but_not_typename(backend: SampleBackend) -> None:
    hidden = '{...F} fragment F on Query {hello ... {x: __type(name: "Thing") {name}}}'
    for query in ("{__schema {types {name}}}", hidden, get_introspection_query()):
        error = await refusal(backend, query, Profile.LOCKED)
        assert "Introspection is off" in error["message"]
        assert error["extensions"]["code"] == "GRAPHQL_VALIDATION_FAILED"
    reply = await execute(backend.transport(Profile.LOCKED), query="{__typename thing {__typename}}", identity=None)
    assert reply == {"data": {"__typename": "Query", "thing": {"__typename": "Thing"}}}


async def test_circular_introspection_is_refused_in_both_profiles(backend: SampleBackend) -> None:
    circle = "{__schema {types {fields {type {fields {type {fields {type {name}}}}}}}}}"
    repeated = "{" + " ".join(f"a{n}: __schema {{types {{fields {{name}}}}}}" for n in range(6)) + "}"
    for profile in Profile:
        for query in (circle, repeated):
            await refusal(backend, query, profile)
