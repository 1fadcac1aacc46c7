"""Each of the four screens of a user interface is one request with a fixed number of statements."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tessera_gql.config import Profile
from tessera_gql.executor import core_schema
from tessera_gql.graphql.schema import schema
from tessera_gql.policy.enums import ColumnEdgeKind, Response
from tessera_gql.server.documents import DocumentCache
from tessera_gql.server.limits import Limits
from tessera_gql.store.tables import ColumnEdge
from tests.graphql.conftest import Ask
from tests.world import ORDERS, World, adding

FOLDER = Path(__file__).resolve().parents[2] / "examples/screens"
KEY = "github.com/shop/warehouse#17"
VARIABLES: dict[str, dict[str, Any]] = {
    "pull_request": {"key": KEY},
    "column": {"asset": {"fqn": "shop.core.t00"}},
    "inbox": {"team": {"name": "finance"}},
    "lineage": {"asset": {"fqn": "shop.raw.orders"}, "depth": 3, "filter": {"column": "total"}},
}
COSTS = {"pull_request": 15, "column": 24, "inbox": 11, "lineage": 14}


async def garden_shop(world: World, size: int) -> None:
    """Create tables that are made from one source; `size` of them have proposals in one change set."""
    change_set = await world.change_set(KEY)
    source = await world.asset("shop.raw.orders", await world.team("sources"))
    await world.publish(source)
    owner, reader, auditor = [await world.team(name) for name in ("growth", "finance", "audit")]
    for number in range(size):
        asset = await world.asset(f"shop.core.t{number:02}", owner)
        await world.publish(asset)
        await world.publish(asset, adding("coupon"))
        await world.depend(asset, source)
        edge = ColumnEdge(
            target_asset_id=asset.id,
            target_column="total",
            source_asset_id=source.id,
            source_column="total",
            kind=ColumnEdgeKind.COPIED,
            created_at=asset.created_at,
        )
        async with world.database.write() as session:
            await session.insert(edge)
        await world.register(asset, reader, "coupon")
        await world.register(asset, auditor, "coupon")
        result = await world.publish(asset, ORDERS, change_set_id=change_set.id, reason="nobody uses coupons")
        assert result.proposal is not None
        await world.answer(result.proposal, auditor, Response.BLOCKED)


@pytest.mark.parametrize("size", [2, 9])
async def test_each_screen_is_one_request_whose_statements_do_not_grow(
    size: int, world: World, ask: Ask, counted: Callable[[], Any]
) -> None:
    await garden_shop(world, size)
    costs: dict[str, int] = {}
    replies: dict[str, Any] = {}
    for name in COSTS:
        with counted() as statements:
            replies[name] = await ask((FOLDER / f"{name}.graphql").read_text(), **VARIABLES[name])
        costs[name] = len(statements)
    proposals = replies["pull_request"]["changeSet"]["proposals"]["nodes"]
    assert len(proposals) == size
    assert [item["team"]["name"] for item in proposals[0]["waitsFor"]] == ["finance", "audit"]
    assert [change["kind"] for change in proposals[0]["diff"]["changes"]] == ["PROPERTY_REMOVED"]
    coupon = next(node for node in replies["column"]["asset"]["fields"]["nodes"] if node["path"] == "coupon")
    assert coupon["addedIn"]["contract"] == {"version": "1.1.0", "publishedBy": {"name": "growth"}}
    (group,) = replies["inbox"]["team"]["inboxGroups"]["nodes"]
    assert (group["tableCount"], group["changeSet"]["key"]) == (size, KEY)
    edges = replies["lineage"]["asset"]["downstream"]["edges"]
    assert len(edges) == size
    (via,) = edges[0]["via"]
    assert via["columns"] == [{"kind": "COPIED", "sourceColumn": "total", "targetColumn": "total"}]
    assert costs == COSTS


@pytest.mark.parametrize("name", COSTS)
def test_each_screen_is_within_the_limits_of_a_production_server(name: str) -> None:
    documents = DocumentCache(core_schema(schema), Limits(), Profile.LOCKED)
    prepared = documents.prepare((FOLDER / f"{name}.graphql").read_text(), VARIABLES[name], None)
    assert not isinstance(prepared, list), prepared
