"""A statement can select by more values than SQLite accepts as parameters."""

from sqlalchemy import func, select

from tessera_gql.store import assets, teams
from tessera_gql.store.tables import new_id
from tests.world import World

MANY = 40_000


async def test_forty_thousand_ids_and_names_are_asked_for_at_once(world: World) -> None:
    asset = await world.published(consumers=2)
    rows = assets.TABLE
    ids = [new_id() for _ in range(MANY)]
    names = [f"none.{number}" for number in range(MANY)]
    async with world.database.read() as session:
        for column, values, there in ((rows.c.id, ids, asset.id), (rows.c.fqn_key, names, asset.fqn_key)):
            count = select(func.count()).select_from(rows)
            assert await session.value(count.where(session.in_values(column, values))) == 0
            assert await session.value(count.where(session.in_values(column, [*values, there]))) == 1
        rows = await teams.by_names(session, [*names, "PRODUCERS"])
        assert [row.name for row in rows] == ["producers"]
