"""Upstream and downstream assets are found by the shortest path, despite cycles and within the depth."""

import random
from collections import deque
from collections.abc import Sequence
from uuid import UUID

import pytest

from tessera_gql.diff import Mode
from tessera_gql.policy.enums import DependencyType, Evidence, ResourceType
from tessera_gql.store import lineage
from tessera_gql.store.database import Database
from tessera_gql.store.lineage import Direction, load_reachable
from tessera_gql.store.tables import Asset, AssetDependency, Team, new_id
from tests.conftest import START

UP, DOWN = Direction.UPSTREAM, Direction.DOWNSTREAM
Edges = Sequence[tuple[int, int]]


async def graph(database: Database, number: int, edges: Edges) -> list[UUID]:
    """Create assets 0 … number-1, each with its own team; the edge (1, 0) means that asset 1 is made from asset 0."""
    teams = [
        Team(id=new_id(), name=f"t{n}", name_key=f"t{n}", meta={}, row_version=1, created_at=START)
        for n in range(number)
    ]
    nodes = [
        Asset(
            id=new_id(), fqn=f"a.n{n}", fqn_key=f"a.n{n}", owner_team_id=teams[n].id, resource_type=ResourceType.TABLE,
            compatibility_mode=Mode.BACKWARD, meta={}, row_version=1, created_at=START,
        )
        for n in range(number)
    ]  # fmt: skip
    links = [
        AssetDependency(
            id=new_id(), dependent_asset_id=nodes[dependent].id, dependency_asset_id=nodes[dependency].id,
            dependency_type=DependencyType.CONSUMES, evidence=Evidence.DECLARED, created_at=START,
        )
        for dependent, dependency in edges
    ]  # fmt: skip
    async with database.write() as session:
        for rows in (teams, nodes, links):
            await session.insert_all(rows)
    return [node.id for node in nodes]


async def reached(
    database: Database, nodes: list[UUID], start: int, direction: Direction, depth: int = 10
) -> dict[int, int]:
    async with database.read() as session:
        assets = (await load_reachable(session, [nodes[start]], direction, depth))[nodes[start]]
    assert [asset.degree for asset in assets] == sorted(asset.degree for asset in assets)
    return {nodes.index(asset.asset_id): asset.degree for asset in assets}


def shortest(edges: Edges, start: int, depth: int) -> dict[int, int]:
    """Compute upstream distances by breadth-first search."""
    degrees, waiting = {start: 0}, deque([start])
    while waiting:
        current = waiting.popleft()
        for dependent, dependency in edges:
            if dependent == current and dependency not in degrees and degrees[current] < depth:
                degrees[dependency] = degrees[current] + 1
                waiting.append(dependency)
    return {node: degree for node, degree in degrees.items() if node != start}


@pytest.mark.parametrize(
    ("edges", "start", "depth", "expected"),
    [
        ([(1, 0), (2, 1), (3, 2)], 3, 10, {2: 1, 1: 2, 0: 3}),
        ([(1, 0), (2, 1), (3, 2)], 3, 2, {2: 1, 1: 2}),
        ([(1, 0), (2, 0), (3, 1), (3, 2)], 3, 10, {1: 1, 2: 1, 0: 2}),
        ([(3, 2), (2, 1), (1, 0), (3, 0)], 3, 10, {2: 1, 0: 1, 1: 2}),
        ([(0, 1), (1, 2), (2, 0)], 0, 10, {1: 1, 2: 2}),
        ([(0, 1), (1, 0)], 0, 10, {1: 1}),
        ([(1, 2), (2, 1), (0, 1)], 0, 10, {1: 1, 2: 2}),
        ([], 0, 10, {}),
    ],
    ids=["chain", "bounded", "diamond", "shortcut", "cycle", "pair", "cycle ahead", "alone"],
)
async def test_each_asset_is_reached_once_by_the_shortest_path(
    database: Database, edges: Edges, start: int, depth: int, expected: dict[int, int]
) -> None:
    nodes = await graph(database, 4, edges)
    assert await reached(database, nodes, start, UP, depth) == expected


async def test_downstream_is_upstream_of_the_edges_turned_round(database: Database) -> None:
    dice = random.Random(7)
    pairs = [(dependent, dependency) for dependent in range(9) for dependency in range(9) if dependent != dependency]
    edges = dice.sample(pairs, 18)
    reversed_edges = [(dependency, dependent) for dependent, dependency in edges]
    nodes = await graph(database, 9, edges)
    for start in range(9):
        for depth in (1, 2, 10):
            assert await reached(database, nodes, start, UP, depth) == shortest(edges, start, depth)
            assert await reached(database, nodes, start, DOWN, depth) == shortest(reversed_edges, start, depth)


async def test_many_starts_are_answered_as_each_alone(database: Database) -> None:
    nodes = await graph(database, 5, [(1, 0), (2, 1), (2, 0), (3, 2), (0, 3), (4, 0)])
    async with database.read() as session:
        together = await load_reachable(session, nodes, UP)
        for node in nodes:
            assert together[node] == (await load_reachable(session, [node], UP))[node]


async def test_downstream_owners_are_the_owners_of_all_dependent_assets(database: Database) -> None:
    nodes = await graph(database, 5, [(1, 0), (2, 1), (3, 4)])
    async with database.read() as session:
        owners = await lineage.load_downstream_team_ids(session, nodes[0])
        assert len(owners) == 2
        assert await lineage.load_downstream_team_ids(session, nodes[2]) == frozenset()
