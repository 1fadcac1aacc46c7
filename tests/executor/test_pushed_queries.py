"""Queries of which the database returns parts as JSON: statements, rows, failures and what is not pushed down."""

import json
import re
from collections.abc import Iterator
from typing import Any

import aiosqlite
import asyncpg
import pytest
from graphql import GraphQLObjectType, parse
from graphql.execution.values import VariableValues
from sqlalchemy import event, update
from sqlalchemy import text as sql_text
from sqlalchemy.util import await_only

from tessera_gql.config import Executor
from tessera_gql.executor import Fallback, JsonFragment, Plan, PlanCache, Step
from tessera_gql.graphql.pushdown import plan_pushdown
from tessera_gql.policy.access import ANONYMOUS
from tessera_gql.server.codec import encode
from tessera_gql.server.operations import encode_reply, execute, run_for_encoding
from tessera_gql.server.transport import Transport
from tessera_gql.store import visibility
from tessera_gql.store.database import Database
from tessera_gql.store.engine import DatabaseOptions, to_asyncpg_url
from tessera_gql.store.json_trees import NotPushable, check_source
from tessera_gql.store.pagination import MAX_COUNT
from tessera_gql.store.tables import Asset, Registration, Team, new_id, table
from tessera_gql.store.tables.base import Base
from tests.conftest import START, statements
from tests.executor.comparison import CORE, create_transport
from tests.graphql.test_statement_counts import PAGE
from tests.world import World

DETAILS = """query ($fqn: String!) { asset(by: { fqn: $fqn }) {
  fqn owner { name } registrations(first: 3) { nodes { consumerTeam { name } } } contracts { totalCount } } }"""


@pytest.fixture
def transports(database: Database) -> dict[Executor, Transport]:
    return {executor: create_transport(database, executor) for executor in Executor}


async def read(transport: Transport, query: str, **variables: Any) -> bytes:
    """Execute a query that must not fail, and encode its reply as for a client."""
    prepared = transport.document_cache.prepare(query, variables)
    reply = await run_for_encoding(transport, prepared, ANONYMOUS)
    assert "errors" not in reply, reply["errors"]
    return encode_reply(transport, reply)


async def read_alike(transports: dict[Executor, Transport], query: str, **variables: Any) -> bytes:
    """Assert that the query is pushed down with the same bytes as the plan's, and return them."""
    planned = await read(transports[Executor.PLANNED], query, **variables)
    assert await read(transports[Executor.PUSHDOWN], query, **variables) == planned
    counts = transports[Executor.PUSHDOWN].executor_counts
    assert counts.pushed_down, counts
    assert not counts.fallbacks, counts
    return planned


def plan_of(query: str) -> Plan:
    document = parse(query)
    operation: Any = document.definitions[0]
    return PlanCache().get(CORE, document, operation, VariableValues({}, {}), plan_pushdown)


def steps_of(plan: Plan) -> Iterator[Step]:
    """All steps that are not below one that is pushed down."""
    selections = [plan.root]
    while selections:
        for step in selections.pop().steps:
            yield step
            if step.pushdown is None:
                selections += step.branches.values()


def pushed_keys(query: str) -> set[str]:
    return {step.key for step in steps_of(plan_of(query)) if step.pushdown is not None}


async def test_a_page_is_one_statement_without_a_transaction(
    world: World, database: Database, transports: dict[Executor, Transport]
) -> None:
    await world.proposed(consumers=3)
    await read_alike(transports, PAGE, first=10)
    with statements(database) as sql:
        await read(transports[Executor.PUSHDOWN], PAGE, first=10)
    assert len(sql) == 1
    with statements(database) as sql:
        await read(transports[Executor.PLANNED], PAGE, first=10)
    assert len(sql) == 6


async def test_the_text_of_pages_of_different_sizes_is_compiled_once(
    world: World, transports: dict[Executor, Transport]
) -> None:
    await world.published(consumers=3)
    for size in (0, 1, 2, 3):
        query = "query ($first: Int) { assets { nodes { registrations(first: $first) { nodes { id } } } } }"
        reply = json.loads(await read_alike(transports, query, first=size))
        assert len(reply["data"]["assets"]["nodes"][0]["registrations"]["nodes"]) == min(size, 3)


async def test_rows_of_a_view_are_those_of_their_parent(world: World, transports: dict[Executor, Transport]) -> None:
    await world.published(consumers=7)
    query = "{ assets { nodes { consumers(first: 5) { nodes { name } totalCount } } } }"
    reply = json.loads(await read_alike(transports, query))
    assert len(reply["data"]["assets"]["nodes"][0]["consumers"]["nodes"]) == 5
    assert reply["data"]["assets"]["nodes"][0]["consumers"]["totalCount"] == 7


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    "query",
    [
        'query { asset(by: { fqn: "shop.core.table_7" }) { consumers(first: 5) { nodes { name } } } }',
        "query { assets(first: 5) { nodes { consumers(first: 5) { nodes { name } } } } }",
    ],
)
async def test_sqlite_reads_no_registrations_of_other_assets_for_consumers(
    query: str, database: Database, transports: dict[Executor, Transport]
) -> None:
    await _fill(database, assets=1_500)
    with statements(database) as sql:
        await read(transports[Executor.PUSHDOWN], query)
    (statement,) = [text for text in sql if "rivals" in text]
    plan = await _explain_sqlite(database, statement)
    assert "SEARCH main.registrations" in plan
    assert not re.search(r"SCAN main\.registrations|BLOOM FILTER ON main\.registrations", plan), plan


@pytest.mark.parametrize(
    "arguments",
    ["first: 2", "last: 2", "first: 0", "first: 9", "last: 9", "first: 2, after: $cursor", "last: 1, before: $cursor"],
)
async def test_pages_have_their_positions(arguments: str, world: World, transports: dict[Executor, Transport]) -> None:
    asset = await world.published(consumers=4)
    cursors = await read(transports[Executor.PLANNED], "{ registrations { edges { cursor } } }")
    cursor = json.loads(cursors)["data"]["registrations"]["edges"][2]["cursor"]
    page = (
        f"registrations({arguments})"
        """ { totalCount edges { cursor node { id registeredAt } }
      pageInfo { hasNextPage hasPreviousPage startCursor endCursor __typename } isTotalCountExact nodes { status } }"""
    )
    query = f"query ($cursor: String) {{ assets {{ nodes {{ fqn {page} }} }} {page} }}"
    if "$cursor" not in arguments:
        query = query.replace("($cursor: String)", "")
        await read_alike(transports, query)
    else:
        await read_alike(transports, query, cursor=cursor)
    assert asset


async def test_empty_pages_and_missing_objects(world: World, transports: dict[Executor, Transport]) -> None:
    await world.asset("shop.core.lonely", await world.team("producers"))
    page = (
        "registrations { totalCount nodes { id } edges { cursor } pageInfo { hasNextPage endCursor __typename }"
        " isTotalCountExact }"
    )
    asset = f"{page} currentContract {{ version {page} }} supersededBy {{ fqn owner {{ name }} }}"
    counts = "totalCount __typename isTotalCountExact again: totalCount"
    lists = f"contracts {{ totalCount pageInfo {{ hasPreviousPage }} }} counted: teams {{ {counts} }}"
    reply = await read_alike(transports, f"{{ assets {{ nodes {{ {asset} }} }} {lists} }}")
    assert b'"currentContract":null,"supersededBy":null' in reply
    missing = await read_alike(transports, DETAILS, fqn="shop.core.missing")
    assert missing == b'{"data":{"asset":null}}'


@pytest.mark.parametrize("items", ["", "nodes { id }", "edges { cursor } pageInfo { hasNextPage }"])
async def test_a_list_is_counted_once_for_both_members_of_its_count(
    items: str, world: World, database: Database, transports: dict[Executor, Transport]
) -> None:
    await world.published(consumers=2)
    counts: list[list[int]] = []
    for members in ("totalCount", "totalCount isTotalCountExact again: totalCount"):
        page = f"{{ {members} {items} }}"
        with statements(database) as sql:
            query = f"{{ teams {page} assets {{ nodes {{ registrations {page} }} }} }}"
            await read(transports[Executor.PUSHDOWN], query)
        counts.append(sorted(text.count(f"LIMIT {MAX_COUNT + 1}") for text in sql))
    assert counts[0] == counts[1]
    assert all(counts[0])


async def test_nodes_and_edges_of_one_page_have_their_own_related_objects(
    world: World, transports: dict[Executor, Transport]
) -> None:
    await world.published(consumers=2)
    nodes, edges = "nodes { asset { id fqn } }", "edges { node { consumerTeam { id name } asset { owner { id } } } }"
    await read_alike(transports, f"{{ registrations {{ {nodes} {edges} again: {nodes} }} }}")


def test_labels_of_statements_are_no_columns() -> None:
    names = ("parent", "position", "row_count", "count", "order", "key", "rank")
    labels = {"key_number", *map("page_{}".format, names)}
    for source in Base.metadata.tables.values():
        assert not labels & set(source.c.keys())


async def test_times_are_written_as_the_server_writes_them(
    world: World, database: Database, transports: dict[Executor, Transport]
) -> None:
    asset = await world.asset("shop.core.orders", await world.team("producers"))
    async with database.write() as session:
        assets = table(Asset)
        for created_at in (START.replace(microsecond=120_000), START.replace(microsecond=1), START):
            await session.execute(update(assets).where(assets.c.id == asset.id).values(created_at=created_at))
    query = "{ assets { nodes { createdAt updatedAt archivedAt } edges { cursor } } }"
    await read_alike(transports, query)
    if database.dialect == "sqlite":  # the default of a column that was added to rows
        await _run_sqlite(database, "UPDATE assets SET updated_at = '2000-01-01 00:00:00+00'")
        assert b"2000-01-01T00:00:00Z" in await read_alike(transports, query)


async def _run_sqlite(database: Database, text: str) -> None:
    async with database.write() as session:
        await session.execute(sql_text(text))


async def test_one_object_reads_only_its_own_rows(database: Database, transports: dict[Executor, Transport]) -> None:
    """A statement that built the lists of all assets before it chose one gave the right answer, in seconds."""
    await _fill(database, assets=1_500)
    with statements(database) as sql:
        await read(transports[Executor.PUSHDOWN], DETAILS, fqn="shop.core.table_7")
    if database.dialect == "sqlite":
        plan = await _explain_sqlite(database, sql[0])
        assert not re.search(r"SCAN (assets|registrations|contracts)", plan), plan
    else:
        assert await _count_rows(database, sql[0], "shop.core.table_7") < 100


async def _fill(database: Database, assets: int) -> None:
    team = {"id": new_id(), "name": "team", "name_key": "team", "meta": {}, "row_version": 1, "created_at": START}
    rows = [
        {
            "id": new_id(),
            "fqn": f"shop.core.table_{number}",
            "fqn_key": f"shop.core.table_{number}",
            "meta": {},
            "owner_team_id": team["id"],
            "resource_type": "TABLE",
            "compatibility_mode": "BACKWARD",
            "row_version": 1,
            "created_at": START,
        }
        for number in range(assets)
    ]
    readers = [
        {
            "id": new_id(),
            "asset_id": row["id"],
            "consumer_team_id": team["id"],
            "status": "ACTIVE",
            "evidence": "DECLARED",
            "registered_at": START,
            "meta": {},
            "row_version": 1,
            "created_at": START,
        }
        for row in rows
    ]
    async with database.write() as session:
        await session.append(table(Team), [team])
        await session.append(table(Asset), rows)
        await session.append(table(Registration), readers)
    async with database.write() as session:
        await session.execute(sql_text("ANALYZE"))


async def _explain_sqlite(database: Database, text: str) -> str:
    path = database.url.removeprefix("sqlite:///")
    async with aiosqlite.connect(path) as connection:
        for name, count in (("global_id", 2), ("list_cursor", 3)):
            await connection.create_function(name, count, lambda *_: None, deterministic=True)
        marks = text.count("?")
        rows = await connection.execute_fetchall(f"EXPLAIN QUERY PLAN {text}", ['["x"]'] * marks)
    return "\n".join(str(row[3]) for row in rows)


async def _count_rows(database: Database, text: str, key: str) -> float:
    """Return how many rows the scans of a statement read."""
    connection = await asyncpg.connect(to_asyncpg_url(database.url))
    try:
        (plan,) = json.loads(await connection.fetchval(f"EXPLAIN (ANALYZE, FORMAT JSON) {text}", key))
    finally:
        await connection.close()

    def rows_of(node: dict[str, Any]) -> float:
        own = node["Actual Rows"] * node["Actual Loops"] + node.get("Rows Removed by Filter", 0)
        below = sum(map(rows_of, node.get("Plans", ())))
        return below + (own if "Relation Name" in node else 0)

    return rows_of(plan["Plan"])


async def test_a_statement_that_fails_is_given_up_for_a_while(postgres_database_url: str) -> None:
    """An aggregate of the database that raises stands for whatever the statement may meet."""
    connection = await asyncpg.connect(to_asyncpg_url(postgres_database_url))
    name = await connection.fetchval("SELECT current_database()")
    await connection.execute(
        "CREATE SCHEMA broken; CREATE FUNCTION broken.fail(text, text, text) RETURNS text LANGUAGE plpgsql AS"
        " $$BEGIN RAISE EXCEPTION 'broken'; END$$;"
        " CREATE AGGREGATE broken.string_agg(text, text) (SFUNC = broken.fail, STYPE = text);"
        f" ALTER DATABASE {name} SET search_path = broken, pg_catalog, public"
    )
    await connection.close()
    database = Database(postgres_database_url)
    try:
        transport = create_transport(database, Executor.PUSHDOWN)
        world = World(database)
        await world.published(consumers=2)
        query = (
            "{ assets { nodes { fqn metadata registrations { nodes { status } } contracts { nodes { version } } } } }"
        )
        first = await read(transport, query)
        assert b'"status":"ACTIVE"' in first
        assert await read(transport, query) == first  # is cached when it is sent again
        assert transport.executor_counts.fallbacks == {Fallback.UNPLANNED: 2}
        assert await read(transport, query) == first
        assert transport.executor_counts.fallbacks == {Fallback.UNPLANNED: 2}
        assert (transport.executor_counts.planned, transport.executor_counts.pushed_down) == (1, 0)
    finally:
        await database.dispose()


async def test_pushdown_works_behind_a_pooler_of_transactions(postgres_database_url: str) -> None:
    database = Database(postgres_database_url, options=DatabaseOptions(uses_pgbouncer=True))
    try:
        await World(database).published(consumers=2)
        transports = {executor: create_transport(database, executor) for executor in Executor}
        for _ in range(3):
            await read_alike(transports, PAGE, first=5)
    finally:
        await database.dispose()


async def test_readers_in_this_process_get_values(world: World, transports: dict[Executor, Transport]) -> None:
    await world.published(consumers=1)
    reply = await execute(transports[Executor.PUSHDOWN], query="{ assets { nodes { fqn } } }", identity=ANONYMOUS)
    assert reply == {"data": {"assets": {"nodes": [{"fqn": "analytics.core.orders"}]}}}


def test_a_reply_with_a_large_integer_is_encoded_with_its_fragments() -> None:
    reply = {"large": 2**70, "part": JsonFragment('{"name":"\\u00fc","number":1}')}
    assert json.loads(encode(reply)) == {"large": 2**70, "part": {"name": "ü", "number": 1}}
    assert encode({"part": JsonFragment("[1]")}) == b'{"part":[1]}'


def test_rows_that_depend_on_the_caller_are_in_no_tree() -> None:
    for source in visibility.VISIBILITY_CONDITIONS:
        with pytest.raises(NotPushable):
            check_source(source)


def test_no_field_of_a_private_type_is_pushed_down() -> None:
    private = {"ApiKey", "Webhook", "WebhookDelivery", "Event"}
    for name in private:
        kind = CORE.type_map[name]
        assert isinstance(kind, GraphQLObjectType)
    queries = [
        "{ apiKeys { nodes { id name team { name } } } }",
        "{ webhooks { nodes { id deliveries { nodes { id event { id } } } } } }",
        "{ events { nodes { id kind } } viewer { apiKey { id name team { name delegate { name } } } } }",
    ]
    assert [pushed_keys(query) for query in queries] == [set(), set(), {"team"}]


@pytest.mark.parametrize(
    ("query", "keys"),
    [
        ("{ assets { nodes { fqn } } }", {"assets"}),
        ("{ assets { nodes { fqn metadata owner { name } } } }", set[str]()),  # a single row: the loader is as fast
        ("{ assets { nodes { metadata contracts { nodes { version } } } } }", {"contracts"}),
        ("{ assets { nodes { viewerCanPublish contracts { totalCount } } } }", {"contracts"}),
        ('{ asset(by: { fqn: "a.b" }) { fqn } }', set[str]()),
        ('{ asset(by: { fqn: "a.b" }) { fqn owner { name } } }', {"asset"}),
        ('{ node(id: "x") { id ... on Asset { contracts { nodes { id } } } } }', set[str]()),
    ],
)
def test_the_largest_parts_that_can_be_are_pushed_down(query: str, keys: set[str]) -> None:
    assert pushed_keys(query) == keys


def test_roots_that_a_loader_reads_together_are_not_pushed_down() -> None:
    roots = [f'a{number}: asset(by: {{ fqn: "a.b{number}" }}) {{ owner {{ name }} }}' for number in range(3)]
    assert pushed_keys(f"{{ {' '.join(roots[:2])} }}") == {"a0", "a1"}
    assert pushed_keys(f"{{ {' '.join(roots)} }}") == set()


def test_a_tree_has_a_limited_depth_and_number_of_lists() -> None:
    chain = "supersededBy { " * 7 + "fqn" + " }" * 7
    assert pushed_keys(f"{{ assets {{ nodes {{ fqn {chain} }} }} }}") != {"assets"}
    lists = " ".join(f"a{number}: contracts {{ totalCount }}" for number in range(20))
    keys = pushed_keys(f"{{ assets {{ nodes {{ fqn {lists} }} }} }}")
    assert keys == {f"a{number}" for number in range(20)}


async def test_bad_arguments_are_refused_only_where_there_is_a_parent(
    world: World, transports: dict[Executor, Transport]
) -> None:
    query = "{ assets { nodes { registrations(first: 101) { nodes { id } } } } }"
    for executor in (Executor.PLANNED, Executor.PUSHDOWN):
        assert await read(transports[executor], query) == b'{"data":{"assets":{"nodes":[]}}}'
    await world.asset("shop.core.orders", await world.team("producers"))
    replies = [await execute(transport, query=query, identity=ANONYMOUS) for transport in transports.values()]
    assert replies[0]["errors"][0]["extensions"]["code"] == "INVALID"
    assert replies[0] == replies[1] == replies[2]


async def test_a_statement_that_sqlite_refuses_is_answered_all_the_same(tmp_path: Any, sqlite_template: Any) -> None:
    path = tmp_path / "short.db"
    path.write_bytes(sqlite_template.read_bytes())
    database = Database(f"sqlite:///{path}")

    def limit(connection: Any, _record: Any) -> None:
        raw = connection.driver_connection
        await_only(raw._execute(raw._conn.setlimit, 1, 2_000))

    try:
        await World(database).published(consumers=2)
        event.listen(database._sources.reader.engine.sync_engine, "connect", limit)
        transport = create_transport(database, Executor.PUSHDOWN)
        reply = await read(transport, PAGE, first=5)
        assert b'"status":"ACTIVE"' in reply
        assert transport.executor_counts.fallbacks == {Fallback.UNPLANNED: 1}
    finally:
        await database.dispose()
