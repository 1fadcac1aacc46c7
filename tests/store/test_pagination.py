"""Paging through a list returns every row once and in order, in both directions, despite new rows."""

import base64
from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

import orjson
import pytest

from tessera_gql.errors import Invalid
from tessera_gql.policy.enums import RegistrationStatus
from tessera_gql.policy.validation import uniqueness_key
from tessera_gql.policy.visibility import UNRESTRICTED
from tessera_gql.store import pagination
from tessera_gql.store.conditions import Condition
from tessera_gql.store.cursors import encode_cursor
from tessera_gql.store.database import Database
from tessera_gql.store.pagination import Page, PageRequest, validate_request
from tessera_gql.store.tables import Registration, Team, new_id, table
from tests.conftest import START
from tests.world import World

TEAMS, REGISTRATIONS = table(Team), table(Registration)
# Ties, capitals, accents, and what LIKE takes for a wildcard.
HOUR = timedelta(hours=1)
NAMES = ["b", "a", "É", "é2", "A_1", "a%1", "z\\", "10", "9"]


async def teams(database: Database, names: Sequence[str] = NAMES) -> None:
    """Create teams, two at each time, so that ids break ties."""
    rows = [
        Team(id=new_id(), name=name, name_key=uniqueness_key(name), meta={}, row_version=1,
             created_at=START + timedelta(seconds=number // 2))
        for number, name in enumerate(names)
    ]  # fmt: skip
    async with database.write() as session:
        await session.insert_all(rows)


async def root(database: Database, **request: Any) -> Page:
    async with database.read() as session:
        return await pagination.load_page(session, TEAMS, validate_request(PageRequest(**request)), UNRESTRICTED)


async def walk(database: Database, order_by: str, *, back: bool, size: int, descending: bool) -> list[UUID]:
    walked: list[UUID] = []
    position: dict[str, Any] = {}
    while True:
        limit = {"last" if back else "first": size}
        got = await root(database, order_by=order_by, is_descending=descending, **limit, **position)
        ids = [row.id for row in got.rows]
        walked = ids + walked if back else walked + ids
        if not (got.has_previous if back else got.has_next):
            return walked
        position = {"before" if back else "after": encode_cursor(got.rows[0 if back else -1], order_by)}


@pytest.mark.parametrize("order_by", ["created_at", "name", "row_version"])
@pytest.mark.parametrize("descending", [False, True])
async def test_walking_with_any_size_in_either_direction_gives_every_row_once_in_order(
    database: Database, order_by: str, *, descending: bool
) -> None:
    await teams(database)
    whole = [row.id for row in (await root(database, order_by=order_by, is_descending=descending, first=100)).rows]
    assert len(set(whole)) == len(NAMES)
    opposite = (await root(database, order_by=order_by, is_descending=not descending, first=100)).rows
    assert [row.id for row in opposite] == whole[::-1]
    for size in (1, 2, 3, 8, 9, 10):
        for back in (False, True):
            assert await walk(database, order_by, back=back, size=size, descending=descending) == whole


async def test_rows_that_come_do_not_shift_a_cursor(database: Database) -> None:
    await teams(database)
    start = await root(database, order_by="name", first=4)
    remaining = await root(database, order_by="name", after=encode_cursor(start.rows[-1], "name"))
    earlier = Team(id=new_id(), name="!", name_key="!", meta={}, row_version=1, created_at=START)
    async with database.write() as session:
        await session.insert(earlier)
    again = await root(database, order_by="name", after=encode_cursor(start.rows[-1], "name"))
    assert [row.id for row in again.rows] == [row.id for row in remaining.rows]
    async with database.write() as session:
        await session.execute(TEAMS.delete().where(TEAMS.c.id == start.rows[-1].id))
    assert [
        row.id for row in (await root(database, order_by="name", after=encode_cursor(start.rows[-1], "name"))).rows
    ] == [row.id for row in remaining.rows]


async def test_two_cursors_select_the_rows_between_them(database: Database) -> None:
    await teams(database)
    rows = (await root(database, order_by="name", first=100)).rows
    between = await root(
        database, order_by="name", after=encode_cursor(rows[1], "name"), before=encode_cursor(rows[6], "name")
    )
    assert [row.id for row in between.rows] == [row.id for row in rows[2:6]]


async def test_an_empty_page_reports_whether_more_rows_follow(database: Database) -> None:
    assert not (await root(database, order_by="name", first=0)).has_next
    await teams(database)
    nothing = await root(database, order_by="name", first=0)
    assert (list(nothing.rows), nothing.has_next) == ([], True)


FOUND: list[tuple[str, Any, set[str]]] = [
    ("eq", "a", {"a"}),
    ("in", ("a", "b", "nobody"), {"a", "b"}),
    ("in", (), set()),
    ("contains", "A", {"a", "A_1", "a%1"}),
    ("contains", "_", {"A_1"}),
    ("contains", "%", {"a%1"}),
    ("contains", "\\", {"z\\"}),
    ("contains", "É", {"É", "é2"}),
    ("contains", "e\u0301", {"É", "é2"}),
    ("contains", "", set(NAMES)),
]


async def test_filters_find_the_same_on_both_databases(database: Database) -> None:
    await teams(database)
    for operator, value, expected in FOUND:
        conditions = (Condition("name", operator, value),)
        page = await root(database, order_by="created_at", first=100, conditions=conditions)
        assert {row.name for row in page.rows} == expected
        async with database.read() as session:
            number = await pagination.count(
                session, TEAMS, PageRequest("created_at", conditions=conditions), UNRESTRICTED
            )
        assert number == len(page.rows)


async def test_a_page_of_each_parent_is_the_page_of_that_parent_alone(world: World, database: Database) -> None:
    asset = await world.published()
    owner = (await root(database, order_by="name")).rows[0]
    parents = [asset.id, *[(await world.asset(f"a.n{number}", owner)).id for number in range(3)]]
    for number in range(7):
        team = await world.team(f"t{number}")
        for parent in parents[: 1 + number % 3]:
            async with database.write() as session:
                await session.insert(
                    Registration(
                        id=new_id(), asset_id=parent, consumer_team_id=team.id, status=RegistrationStatus.ACTIVE,
                        evidence="DECLARED", registered_at=START + timedelta(hours=number // 2), meta={}, row_version=1,
                        created_at=START,
                    )
                )  # fmt: skip
    for request in (
        PageRequest("registered_at", first=2),
        PageRequest("registered_at", first=100, is_descending=True),
        PageRequest("registered_at", last=3),
        PageRequest("registered_at", first=0),
        PageRequest(
            "registered_at", first=5, conditions=(Condition("registered_at", "gte", START + timedelta(hours=1)),)
        ),
    ):
        async with database.read() as session:
            together = await pagination.load_pages_by_parent(
                session, REGISTRATIONS, "asset_id", parents, request, UNRESTRICTED
            )
            counts = await pagination.count_by_parent(
                session, REGISTRATIONS, "asset_id", parents, request, UNRESTRICTED
            )
            for parent in parents:
                only = (*request.conditions, Condition("asset_id", "eq", parent))
                alone_request = PageRequest(**{**vars(request), "conditions": only})
                alone = await pagination.load_page(session, REGISTRATIONS, alone_request, UNRESTRICTED)
                assert [row.id for row in together[parent].rows] == [row.id for row in alone.rows]
                assert (together[parent].has_next, together[parent].has_previous) == (
                    alone.has_next,
                    alone.has_previous,
                )
                assert counts[parent] == await pagination.count(session, REGISTRATIONS, alone_request, UNRESTRICTED)


def encoded(value: Any) -> str:
    return base64.urlsafe_b64encode(orjson.dumps(value)).decode()


ID = str(UUID(int=7))


def damaged(order_by: str, *, name: str = "after", text: str = "", value: Any = None) -> None:
    request = PageRequest(order_by, **{name: text or encoded([order_by, value, ID])})
    with pytest.raises(Invalid, match="Start without it") as refused:
        pagination._bind_values(TEAMS, validate_request(request), UNRESTRICTED)
    assert refused.value.field == (name,)


@pytest.mark.parametrize("name", ["after", "before"])
@pytest.mark.parametrize(
    "junk",
    [
        "x", "é", "====", "a" * 5000, "\0", encoded(None), encoded([]), encoded({"a": 1}), encoded("name"),
        encoded(["created_at", "a", ID]), encoded(["name", "a", "no id"]), encoded(["name", "a", 7]),
        encoded(["name", None, ID]), encoded(["name", 1, ID]), encoded(["name", "a\0", ID]),
        encoded(["name", ["a"], ID]), encoded(["name", "a", ID, "more"]), encoded(["name", 1.5, ID]),
        encoded([["name"], "a", ID]),
    ],
)  # fmt: skip
def test_a_cursor_that_the_server_did_not_issue_is_refused(junk: str, name: str) -> None:
    damaged("name", name=name, text=junk)


@pytest.mark.parametrize(
    ("order_by", "value"),
    [
        ("created_at", "yesterday"),
        ("created_at", 7),
        ("created_at", "0001-01-01T00:00:00+14:00"),
        ("created_at", "9999-12-31T23:59:59-14:00"),
        ("row_version", "7"),
        ("row_version", 2**63),
        ("row_version", True),
    ],
)
def test_a_cursor_whose_value_the_column_cannot_hold_is_refused(order_by: str, value: Any) -> None:
    damaged(order_by, value=value)


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        ({"first": -1}, "first"), ({"first": 101}, "first"), ({"last": -1}, "last"), ({"last": 101}, "last"),
        ({"first": 1, "last": 1}, "last"),
    ],
)  # fmt: skip
def test_invalid_page_sizes_are_refused(request_: dict[str, int], field: str) -> None:
    with pytest.raises(Invalid) as refused:
        validate_request(PageRequest("name", **request_))
    assert refused.value.field == (field,)
