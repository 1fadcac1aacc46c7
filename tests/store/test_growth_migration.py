"""Assets of the release before are found by parts of their texts, and keep all their data in a downgrade."""

from tessera_gql.policy.visibility import UNRESTRICTED
from tessera_gql.store import assets, migration, pagination
from tessera_gql.store.conditions import Condition
from tessera_gql.store.database import Database
from tessera_gql.store.pagination import PageRequest
from tessera_gql.store.tables import Asset
from tests.world import World

RELEASE_BEFORE = "0018"


async def list_fqns(database: Database, column: str, text: str) -> list[str]:
    request = PageRequest("fqn_key", conditions=(Condition(column, "contains", text),))
    async with database.read() as session:
        page = await pagination.load_page(session, assets.TABLE, request, UNRESTRICTED)
    return [row.fqn for row in page.rows]


async def test_assets_outlive_a_downgrade_and_an_upgrade(bare_url: str) -> None:
    await migration.upgrade(bare_url)
    database = Database(bare_url)
    world = World(database)
    team = await world.team("owners")
    for fqn, description in (("shop.Orders", "What was sold."), ("shop.customers", None), ("shop.été", "ÉTÉ")):
        await world.asset(fqn, team, description=description)
    before = {row.id: tuple(row) for row in await world.rows(Asset)}
    await database.dispose()

    await migration.downgrade(bare_url, RELEASE_BEFORE)
    await migration.upgrade(bare_url)
    assert await migration.find_differences(bare_url) == []
    database = Database(bare_url)
    assert {row.id: tuple(row) for row in await World(database).rows(Asset)} == before
    assert await list_fqns(database, "fqn", "order") == ["shop.Orders"]
    assert await list_fqns(database, "fqn", "shop") == ["shop.customers", "shop.Orders", "shop.été"]
    assert await list_fqns(database, "description", "was S") == ["shop.Orders"]
    assert await list_fqns(database, "description", "été") == ["shop.été"]
    await database.dispose()
