"""The impact of a dbt manifest lists changes and asked teams, and writes nothing."""

from typing import Any

from tessera_gql.formats import dbt
from tessera_gql.policy.access import ANONYMOUS
from tessera_gql.workflows.dbt.sync import SyncOptions, sync_manifest
from tests.formats.manifests import column, manifest, table
from tests.graphql.conftest import Ask
from tests.world import World

IMPACT = """query ($manifest: JSON!) {
  dbtImpact(manifest: $manifest) {
    fqn outcome isNew isSafe version refused
    asset { fqn } openProposal { id } changes { kind } breaking { message }
    asked { team { name } because { kind } } informed { name }
  }
}"""


def owned(name: str, owner: str, *columns: str, **fields: Any) -> dict[str, Any]:
    config = {"materialized": "table", "meta": {"owner": owner}}
    return table(name, *(column(each, "bigint") for each in columns), config=config, **fields)


ORDERS = owned("orders", "shop", "id", "total", "note")
CLOSING = owned(
    "closing",
    "finance",
    "id",
    depends_on={"nodes": ["model.shop.orders"]},
    compiled_code="select total from analytics.core.orders",
)


async def took_in(world: World, document: dict[str, Any]) -> None:
    async with world.database.write() as session:
        await sync_manifest(session, ANONYMOUS, dbt.parse_manifest(document), SyncOptions(create_teams=True))


async def test_the_impact_of_a_manifest_names_what_breaks_and_who_would_be_asked(ask: Ask, world: World) -> None:
    await took_in(world, manifest(ORDERS, CLOSING))
    size = await world.size()
    after = manifest(owned("orders", "shop", "id", "note", "more"), CLOSING, owned("new", "shop", "id"))
    closing, new, orders = (await ask(IMPACT, manifest=after))["dbtImpact"]
    assert (closing["outcome"], closing["isSafe"], closing["isNew"]) == ("UNCHANGED", True, False)
    assert (new["outcome"], new["isNew"], new["asset"], new["version"]) == ("PUBLISHED", True, None, "1.0.0")
    assert (orders["outcome"], orders["isSafe"], orders["version"]) == ("PROPOSED", False, "2.0.0")
    assert {change["kind"] for change in orders["changes"]} == {"PROPERTY_REMOVED", "PROPERTY_ADDED"}
    assert orders["asked"] == [{"team": {"name": "finance"}, "because": [{"kind": "PROPERTY_REMOVED"}]}]
    assert await world.size() == size


async def test_a_consumer_that_adapts_in_the_same_manifest_is_not_asked(ask: Ask, world: World) -> None:
    await took_in(world, manifest(ORDERS, CLOSING))
    adapted = {**CLOSING, "compiled_code": "select id from analytics.core.orders"}
    impacts = (await ask(IMPACT, manifest=manifest(owned("orders", "shop", "id", "note"), adapted)))["dbtImpact"]
    assert [(impact["asked"], impact["informed"]) for impact in impacts if not impact["isSafe"]] == [
        ([], [{"name": "finance"}])
    ]


async def test_an_unchanged_manifest_has_no_impact(ask: Ask, world: World) -> None:
    await took_in(world, manifest(ORDERS, CLOSING))
    impacts = (await ask(IMPACT, manifest=manifest(ORDERS, CLOSING)))["dbtImpact"]
    assert {(impact["outcome"], impact["isSafe"], impact["version"]) for impact in impacts} == {
        ("UNCHANGED", True, None)
    }


async def test_an_invalid_manifest_is_refused_with_a_message(answer: Ask) -> None:
    reply = await answer(IMPACT, manifest={"nodes": {}})
    assert "The manifest can't be read" in reply["errors"][0]["message"]
