"""Compare the executors on the real schema: generated operations, values for their arguments, and a world of data."""

import asyncio
import base64
import json
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from difflib import unified_diff
from typing import Any
from uuid import UUID

from graphql import (
    GraphQLArgument,
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInputType,
    GraphQLList,
    GraphQLNonNull,
)
from hypothesis import strategies as st

from tessera_gql.config import Executor, Profile
from tessera_gql.graphql import context
from tessera_gql.graphql.ids import global_id
from tessera_gql.graphql.pushdown import plan_pushdown
from tessera_gql.graphql.schema import schema
from tessera_gql.policy.access import ANONYMOUS, Actor, ProjectScope, Scope
from tessera_gql.server.documents import Operation
from tessera_gql.server.limits import Limits
from tessera_gql.server.operations import encode_reply, execute, run_for_encoding
from tessera_gql.server.transport import Transport
from tessera_gql.store.database import Database
from tessera_gql.store.projects import ProjectRef
from tessera_gql.store.teams import TeamRef
from tessera_gql.workflows import keys, webhooks
from tests.conformance.documented_operations import MANIFEST
from tests.conftest import FixedClock, statements
from tests.executor.operations import Asked
from tests.executor.unreadable_tables import TableFaults, open_faults
from tests.graphql.conftest import anyone
from tests.graphql.test_documented_operations import shop
from tests.world import ORDERS, World, without

CORE = schema._schema
RARELY = frozenset({"after", "before", "last"})
NOBODY = UUID(int=0)
LIMITS = Limits(
    page=1000, depth=50, cost=10**9, aliases=1000, directives=1000, overlaps=10**6, tokens=100_000, errors=10_000
)

ALL_IDS = """{
  assets { nodes { id } } teams { nodes { id } } contracts { nodes { id } } registrations { nodes { id } }
  proposals { nodes { id acknowledgments { nodes { id } } } } webhooks { nodes { id } } apiKeys { nodes { id } }
  projects { nodes { id } }
  events(last: 5) { edges { cursor node { id } } } more: assets(first: 3) { edges { cursor } }
  changeSets { nodes { id } } cursors: registrations { edges { cursor } } otherCursors: contracts { edges { cursor } }
  teamCursors: teams { edges { cursor } } proposalCursors: proposals { edges { cursor } }
}"""
WORDS = ["orders", "analytics.core.orders", "1.0.0", "producers", "shop.core.table_00", "a", "note", "%"]


@dataclass
class Pool:
    """Values for arguments; filled after the test data is created."""

    ids: list[str] = field(default_factory=list[str])
    cursors: list[str] = field(default_factory=list[str])

    def id_of(self, noun: str, place: int) -> str:
        """Usually an id of that type."""
        ids = [item for item in self.ids if base64.urlsafe_b64decode(item).startswith(noun.encode())] or self.ids
        return [*ids, *ids, *ids, self.ids[place % len(self.ids)], "none"][place % (3 * len(ids) + 2)]

    def cursor_of(self, order_by: str, index: int) -> str:
        """Usually a cursor of lists with that order."""
        start = base64.urlsafe_b64encode(f'["{order_by}'.encode()).rstrip(b"=").decode()[:-1]
        cursors = [item for item in self.cursors if item.startswith(start)] or self.cursors
        choices = [*cursors, *cursors, *cursors, self.cursors[index % len(self.cursors)], "x"]
        return choices[index % len(choices)]


POOL = Pool()


def _order_of(path: str) -> str:
    """The column by which the list of a field is sorted by default."""
    kind, _, name = path.partition(".")
    field: Any = CORE.type_map[kind].fields[name]  # type: ignore[union-attr]
    listing = field.extensions["strawberry-definition"].metadata.get("listing")
    return str(listing.order_by) if listing else ""


def noun(name: str) -> str:
    """The type whose id an input of this name takes."""
    types = {"asset": "Asset", "contract": "Contract", "diff": "Contract", "proposal": "Proposal", "by": "Team"}
    types |= {"registration": "Registration", "team": "Team", "owner": "Team", "project": "Project"}
    types |= {"changeset": "ChangeSet"}
    return next((kind for part, kind in types.items() if part in name.lower()), "")


@st.composite
def _object(draw: Any, kind: GraphQLInputObjectType, whose: str) -> dict[str, Any]:
    if kind.is_one_of or kind.name.endswith("Ref"):
        name = draw(st.sampled_from([*kind.fields]))
        return {name: draw(values(kind.fields[name].type, noun(kind.name)).filter(lambda value: value is not None))}
    fields = {}
    for name, definition in kind.fields.items():
        if isinstance(definition.type, GraphQLNonNull) or draw(st.integers(0, 4)) == 0:
            fields[name] = draw(values(definition.type, noun(name) or whose))
    return fields


def values(kind: GraphQLInputType, whose: str) -> st.SearchStrategy[Any]:
    """A strategy for any value of an input type."""
    match kind:
        case GraphQLNonNull():
            return values(kind.of_type, whose)
        case GraphQLList():
            return st.lists(values(kind.of_type, whose), max_size=3)
        case GraphQLEnumType():
            return st.sampled_from([*kind.values])
        case GraphQLInputObjectType():
            return st.deferred(lambda: _object(kind, whose))
        case _:
            return _scalar(str(kind), whose)


def _scalar(kind: str, whose: str) -> st.SearchStrategy[Any]:
    match kind:
        case "Int":
            return st.integers(1, 4)
        case "Boolean":
            return st.booleans()
        case "ID":
            return st.integers(0, 99).map(lambda place: POOL.id_of(whose, place))
        case "DateTime":
            return st.sampled_from(["2026-01-01T12:00:00Z", "2020-01-01T00:00:00Z"])
        case "JSON":
            return st.sampled_from([ORDERS, without("note"), {}, ORDERS, {"type": 5}])
        case _:
            return st.sampled_from(WORDS)


def arguments(path: str, argument: GraphQLArgument, name: str) -> st.SearchStrategy[Any] | None:
    match name:
        case "manifest":
            return st.just(MANIFEST)
        case "version":
            return st.sampled_from(["1.0.0", "2.0.0", "1.0.0", "one"])
        case "after" | "before":
            return st.integers(0, 30).map(lambda index: POOL.cursor_of(_order_of(path), index))
        case "first" | "last":
            return st.integers(0, 60).map(lambda number: 101 if number == 60 else number % 5)
        case _:
            return values(argument.type, noun(path))


HOSTILE_NAMES = [
    '"quoted"',
    "back\\slash",
    "it's 100 %",
    "tab\tand\nline",
    "\u00dcn\u00efc\u00f6de \U0001f600",
    "@size0@ || $1",
    "\x7f\u2028",
]
REFERENCE = re.compile(r"[Rr]eference[\": ]+[0-9a-f]{12}")
"""The reference of an internal failure, which is random."""


@dataclass
class Comparison:
    """All executors on the same database, of which tables can be made unreadable."""

    runner: asyncio.Runner
    faults: TableFaults
    actors: list[Actor]
    transports: dict[Executor, Transport]
    has_unreadable: bool = False

    @contextmanager
    def unreadable(self, tables: Iterable[str]) -> Iterator[None]:
        """Let each statement fail that reads one of these tables."""
        self.runner.run(self.faults.make_unreadable(tables))
        self.has_unreadable = True
        try:
            yield
        finally:
            self.has_unreadable = False
            self.runner.run(self.faults.make_unreadable(()))

    def compare(self, asked: Asked, actor: Actor) -> None:
        """Assert that all executors return the same, and the pushdown the same bytes as the plan without more SQL."""
        prepared = self.transports[Executor.PLANNED].document_cache.prepare(asked.text, asked.variables)
        assert isinstance(prepared, Operation), prepared
        bodies, counts = dict[Executor, bytes](), dict[Executor, int]()
        for executor, transport in self.transports.items():
            with statements(self.faults.database) as sql:
                reply = self.runner.run(run_for_encoding(transport, prepared, actor))
            bodies[executor], counts[executor] = encode_reply(transport, reply), len(sql)
        replies = {executor: json.loads(body) for executor, body in bodies.items()}
        reference = replies[Executor.REFERENCE]
        for executor in (Executor.PLANNED, Executor.PUSHDOWN):
            changes = "\n".join(unified_diff(_printable(reference), _printable(replies[executor]), n=2, lineterm=""))
            expected, actual = (
                _without_races(reply, with_codes=not self.has_unreadable) for reply in (reference, replies[executor])
            )
            is_alike = not changes or expected == actual
            assert is_alike, f"{executor}: {changes[:4000]}\n{asked}"
        if "errors" not in replies[Executor.REFERENCE]:
            assert bodies[Executor.PUSHDOWN] == bodies[Executor.PLANNED], asked


def _printable(reply: dict[str, Any]) -> list[str]:
    """Sort errors by path, because their order depends on timing."""
    errors = sorted(reply.get("errors", ()), key=lambda one: json.dumps([one.get("path"), one["message"]]))
    return REFERENCE.sub("reference", json.dumps(reply | {"errors": errors}, indent=1)).splitlines()


def _without_races(reply: dict[str, Any], *, with_codes: bool) -> Any:
    """Return the data and the codes of errors: which error ends a nullable field is a matter of time.

    The codes are left out where a table can't be read, since that and a wrong argument may end the same field.
    """
    if "errors" not in reply:
        return reply
    causes = {
        (str((error.get("path") or [""])[0]), error["extensions"]["code"] if with_codes else "")
        for error in reply["errors"]
    }
    return reply.get("data"), causes


@contextmanager
def open_comparison(url: str) -> Iterator[Comparison]:
    """Fill an empty database and compare the executors on it."""
    clock = FixedClock()
    with asyncio.Runner() as runner:
        actors = runner.run(_fill(url, clock))
        faults_context = open_faults(url, clock)
        faults = runner.run(faults_context.__aenter__())
        try:
            transports = {executor: create_transport(faults.database, executor) for executor in Executor}
            reply = runner.run(execute(transports[Executor.REFERENCE], query=ALL_IDS, identity=ANONYMOUS))
            POOL.ids = [*_values_of(reply, "id"), global_id("Asset", NOBODY)]
            POOL.cursors = _values_of(reply, "cursor")
            yield Comparison(runner, faults, actors, transports)
        finally:
            runner.run(faults_context.__aexit__(None, None, None))


async def _fill(url: str, clock: FixedClock) -> list[Actor]:
    database = Database(url, clock=clock)
    try:
        return await _seed(World(database), clock)
    finally:
        await database.dispose()


def create_transport(database: Database, executor: Executor) -> Transport:
    return Transport(
        schema=CORE,
        authenticate=anyone,
        open_operation_context=lambda identity: context.Context(database, identity),
        limits=LIMITS,
        profile=Profile.OPEN,
        executor=executor,
        plan_pushdown=plan_pushdown,
    )


def actors_of(comparison: Comparison) -> st.SearchStrategy[Actor]:
    """A strategy for callers: those with keys, and others of any team with any scopes."""
    teams = sorted({actor.team_id for actor in comparison.actors if actor.team_id} | {NOBODY})
    scopes = st.frozensets(st.sampled_from([*Scope]))
    generated = st.builds(Actor, st.just("other"), st.none() | st.sampled_from(teams), scopes)
    return st.sampled_from(comparison.actors) | generated


async def _seed(world: World, clock: FixedClock) -> list[Actor]:
    await shop(world, 4)
    for number, name in enumerate(HOSTILE_NAMES):
        clock.advance(microseconds=number * 250_000)
        owner = await world.team(name if name.isprintable() else f"team {number}")
        await world.asset(f"shop.hostile.table_{number}", owner, description=name)
    team = world.consumers[0]
    member = Actor("key", team_id=team.id, scopes=frozenset({Scope.READ, Scope.WRITE}))
    async with world.database.write() as session:
        await webhooks.create(
            session, ANONYMOUS, webhooks.WebhookRequest("https://hooks.example.com/x", TeamRef(id=team.id))
        )
        await keys.create(session, ANONYMOUS, keys.KeyRequest("ci", team=TeamRef(id=team.id)))
    project = await world.project("shop", team, schemas=["analytics.core"])
    async with world.database.write() as session:
        request = keys.KeyRequest("ci", project=ProjectRef(id=project.id))
        key = (await keys.create(session, ANONYMOUS, request)).key
    scope = ProjectScope(project.id, project.name, frozenset({team.id}), tuple(project.schemas))
    ci = Actor("ci", None, frozenset({Scope.READ, Scope.WRITE}), key.id, scope)
    return [ANONYMOUS, member, Actor("reader", team_id=world.consumers[1].id), Actor("nobody"), ci]


def _values_of(value: Any, name: str) -> list[str]:
    match value:
        case dict():
            own = [value[name]] if name in value else []
            return own + [item for inner in value.values() for item in _values_of(inner, name)]
        case list():
            return [item for inner in value for item in _values_of(inner, name)]
        case _:
            return []
