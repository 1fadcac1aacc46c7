"""A statement is compiled once for each database and set of columns, and values are always parameters."""

from itertools import combinations
from uuid import uuid4

import pytest
from sqlalchemy import select

from tessera_gql.policy.visibility import UNRESTRICTED
from tessera_gql.store import assets, pagination, registrations, teams
from tessera_gql.store.conditions import Condition
from tessera_gql.store.pagination import PageRequest
from tests.conftest import statements
from tests.world import World

HOSTILE = "x'; DROP TABLE teams; --"


async def test_only_the_selected_columns_and_those_of_the_query_itself_are_read(world: World) -> None:
    asset = await world.published(consumers=1)
    async with world.database.read() as session:
        session.selected_columns = {assets.TABLE: frozenset({"fqn"})}
        with statements(world.database) as texts:
            (row,) = await assets.by_ids(session, [asset.id])
            (team,) = await teams.by_ids(session, [asset.owner_team_id])
        assert (row.fqn, row.id) == (asset.fqn, asset.id)
        assert not hasattr(row, "description")
        assert team.name == "producers", "nothing was said of teams"
    assert [text.partition("FROM")[0].count(",") for text in texts] == [1, len(teams.TABLE.c) - 1]


@pytest.mark.parametrize("cursors", [True, False])
async def test_cursor_columns_are_read_only_for_pages_with_cursors(world: World, cursors: bool) -> None:
    asset = await world.published(consumers=3)
    request = PageRequest("registered_at", first=2)
    async with world.database.read() as session:
        session.selected_columns = {registrations.TABLE: frozenset({"status", "id"} if cursors else {"status"})}
        pages = await pagination.load_pages_by_parent(
            session, registrations.TABLE, "asset_id", [asset.id], request, UNRESTRICTED
        )
        whole = await pagination.load_page(session, registrations.TABLE, request, UNRESTRICTED)
    rows = pages[asset.id].rows
    assert (len(rows), pages[asset.id].has_next, len(whole.rows)) == (2, True, 2)
    assert hasattr(rows[0], "registered_at") is cursors
    assert not hasattr(rows[0], "consumer_team_id")


async def test_requests_of_the_same_shape_share_one_statement_text(world: World) -> None:
    await world.published(consumers=2)
    distinct: set[str] = set()
    for name, number in (("consumer", 5), ("nobody", 9), (HOSTILE, 1)):
        request = PageRequest("name_key", first=number, conditions=(Condition("name", "contains", name),))
        async with world.database.read() as session:
            with statements(world.database) as texts:
                page = await pagination.load_page(session, teams.TABLE, request, UNRESTRICTED)
        distinct |= set(texts)
        assert len(page.rows) == (2 if name == "consumer" else 0)
    assert len(distinct) == 1
    assert HOSTILE not in distinct.pop()


@pytest.mark.parametrize("text", ["100%", "a_b", "a/b", "%", "_", "/"])
async def test_wildcards_of_like_match_themselves(world: World, text: str) -> None:
    await world.team(f"has {text} in it")
    await world.team("has axb, a and 100 in it")
    request = PageRequest("name_key", conditions=(Condition("name", "contains", text),))
    async with world.database.read() as session:
        page = await pagination.load_page(session, teams.TABLE, request, UNRESTRICTED)
    assert [row.name for row in page.rows] == [f"has {text} in it"]


async def test_a_statement_built_again_is_compiled_once(world: World) -> None:
    async with world.database.read() as session:
        write = session._compiler.compile
        texts = {write(select(teams.TABLE).where(teams.TABLE.c.id == identity))[0] for identity in (uuid4(), uuid4())}
        second = write(select(teams.TABLE).where(teams.TABLE.c.name == "one"))[0]
    assert len(texts) == 1
    assert second not in texts


async def test_a_prepared_query_keeps_only_its_latest_statements(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    prepared: dict[object, object] = {}
    monkeypatch.setattr("tessera_gql.store.compiled.MAX_CACHED_QUERIES", 20)
    monkeypatch.setattr("tessera_gql.store.compiled._query_cache", prepared)
    asset = await world.published()
    async with world.database.read() as session:
        for columns in combinations(sorted(assets.TABLE.c.keys()), 2):
            session.selected_columns = {assets.TABLE: frozenset(columns)}
            (row,) = await assets.by_ids(session, [asset.id])
            assert row.id == asset.id
    assert len(prepared) == 20
