"""A team's lists about what it reads: deprecations that concern it, and registrations that it could narrow."""

from datetime import timedelta
from typing import Any

from tessera_gql.policy.access import ANONYMOUS
from tessera_gql.policy.deprecation import DeprecationTerms
from tessera_gql.store.assets import AssetRef
from tessera_gql.store.tables import Asset
from tessera_gql.workflows.deprecations import DeprecationRequest, deprecate
from tests.conftest import FixedClock, statements
from tests.graphql.conftest import Ask
from tests.workflows.usage_logs import import_log, log_of, map_principal, usage_source
from tests.world import World

DAY = timedelta(days=1)
READS = """
query ($name: String!, $first: Int = 20, $after: String) { team(by: { name: $name }) {
  deprecations(first: $first, after: $after) {
    totalCount pageInfo { hasNextPage endCursor } nodes { path sunsetAt asset { fqn } }
  }
  narrowerRegistrations(first: 5) { totalCount nodes { asset { fqn } suggestedFields { fields } } }
} }
"""


async def announce(world: World, asset: Asset, days: int | None, *fields: str) -> None:
    terms = DeprecationTerms(world.database.clock() + days * DAY if days else None)
    async with world.database.write() as session:
        await deprecate(session, ANONYMOUS, AssetRef(id=asset.id), DeprecationRequest(fields or None, terms))


async def reads_of(ask: Ask, name: str, **variables: Any) -> dict[str, Any]:
    return dict((await ask(READS, name=name, **variables))["team"])


async def test_a_team_sees_the_deprecations_of_what_it_reads_the_soonest_first(world: World, ask: Ask) -> None:
    owner, finance = await world.team("shop"), await world.team("finance")
    orders, items = [await world.asset(f"shop.core.{name}", owner) for name in ("orders", "items")]
    for asset in (orders, items):
        await world.publish(asset)
    await world.register(orders, finance, "note")
    await world.register(items, finance)
    await announce(world, orders, 60, "note")
    await announce(world, orders, 20, "total")
    await announce(world, items, 30, "total")
    await announce(world, items, 90)
    listed = (await reads_of(ask, "finance"))["deprecations"]
    assert listed["totalCount"] == 3
    assert [(item["asset"]["fqn"], item["path"]) for item in listed["nodes"]] == [
        ("shop.core.items", "total"),
        ("shop.core.orders", "note"),
        ("shop.core.items", None),
    ]
    first = (await reads_of(ask, "finance", first=2))["deprecations"]
    assert first["pageInfo"]["hasNextPage"]
    second = (await reads_of(ask, "finance", after=first["pageInfo"]["endCursor"]))["deprecations"]
    assert [item["path"] for item in second["nodes"]] == [None]
    assert (await reads_of(ask, "shop"))["deprecations"]["nodes"] == []


async def test_a_team_sees_which_registrations_it_could_narrow(world: World, ask: Ask, clock: FixedClock) -> None:
    asset = await world.published(consumers=0)
    reader, bystander = [await world.team(name) for name in ("finance", "support")]
    for team in (reader, bystander):
        await world.register(asset, team)
    await usage_source(world)
    await map_principal(world, "bot", reader)
    for days in (1, 61):
        start = clock.now
        clock.advance(days=days)
        log = log_of(("bot", "note", start + DAY), asset=asset.fqn)
        await import_log(world, log, covers=(start, clock.now))
    listed = (await reads_of(ask, "finance"))["narrowerRegistrations"]
    assert listed == {
        "totalCount": 1,
        "nodes": [{"asset": {"fqn": asset.fqn}, "suggestedFields": {"fields": ["note"]}}],
    }
    assert (await reads_of(ask, "support"))["narrowerRegistrations"]["totalCount"] == 0


async def test_both_lists_take_a_fixed_number_of_statements(world: World, ask: Ask) -> None:
    finance = await world.team("finance")
    counts = []
    for size in (1, 8):
        for number in range(size):
            owner = await world.team(f"owner-{size}-{number}")
            asset = await world.asset(f"shop.core.table_{size}_{number}", owner)
            await world.publish(asset)
            await world.register(asset, finance)
            await announce(world, asset, 30, "note")
        with statements(world.database) as executed:
            await reads_of(ask, "finance")
        counts.append(len([text for text in executed if text.startswith(("SELECT", "WITH"))]))
    assert counts[0] == counts[1]
