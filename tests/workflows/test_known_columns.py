"""A contract keeps what is known of its columns, and the next publish is judged by it."""

from typing import Any

from tessera_gql.diff import Mode
from tessera_gql.formats import dbt
from tessera_gql.formats.dbt_catalog import parse_catalog
from tessera_gql.policy.enums import Outcome
from tests.formats.manifests import catalog, catalog_table, column, manifest, table
from tests.world import World


def request(model: dbt.Model) -> dict[str, Any]:
    return {"schema": model.schema, "guarantees": model.guarantees, "known_columns": model.known_columns}


def read(*declared: str, **observed: str) -> dbt.Model:
    document = manifest(table("orders", *(column(name) for name in declared)))
    tables = {"model.shop.orders": catalog_table("orders", **observed)}
    return dbt.parse_manifest(document, parse_catalog(catalog(**tables)) if observed else None).models[0]


async def test_the_first_catalog_asks_nobody_and_the_drop_after_it_does(world: World) -> None:
    asset = await world.published(consumers=1, mode=Mode.CONSUMER, **request(read("id", "phantom")))
    covered = await world.publish(asset, **request(read("id", "phantom", id="integer", note="text")))
    assert (covered.outcome, covered.judgement.breaking) == (Outcome.PUBLISHED, ())
    contract = await world.active(asset)
    assert contract is not None
    assert contract.known_columns == {
        "id": {"declared": None, "observed": "integer"},
        "note": {"observed": "text"},
        "phantom": {"declared": None, "missing": None},
    }
    dropped = dbt.apply_known_columns(read("id", "phantom", id="integer"), contract.known_columns)
    result = await world.publish(asset, **request(dropped))
    assert result.outcome is Outcome.PROPOSED
    assert result.proposal is not None
    assert result.proposal.known_columns == dropped.known_columns
    assert [change.path for change in result.judgement.breaking] == ["note"]


async def test_a_manifest_without_its_catalog_and_a_plain_publish_change_nothing(world: World) -> None:
    asset = await world.published(consumers=1, mode=Mode.CONSUMER, **request(read("id", id="integer", note="text")))
    contract = await world.active(asset)
    assert contract is not None
    declared = dbt.apply_known_columns(read("id"), contract.known_columns)
    for item in (request(declared), {"schema": declared.schema, "guarantees": None}):
        assert (await world.publish(asset, **item)).outcome is Outcome.UNCHANGED
    assert len(await world.contracts(asset)) == 1
