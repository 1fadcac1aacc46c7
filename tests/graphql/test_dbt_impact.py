"""The impact of a dbt manifest lists changes and asked teams, and writes nothing."""

from typing import Any

import pytest

from tessera_gql.formats import dbt
from tessera_gql.policy.access import ANONYMOUS
from tessera_gql.policy.enums import Response
from tessera_gql.server.transport import Transport
from tessera_gql.store.tables import Asset, Proposal
from tessera_gql.store.teams import TeamRef
from tessera_gql.workflows import proposals
from tessera_gql.workflows.dbt.options import SyncOptions
from tessera_gql.workflows.dbt.sync import sync_manifest
from tessera_gql.workflows.proposals import AcknowledgmentInput
from tests.formats.manifests import column, manifest, table
from tests.graphql.conftest import Ask
from tests.world import World

IMPACT = """query ($manifest: JSON!) {
  dbtImpact(manifest: $manifest) {
    warnings comparedAs
    models {
      fqn state outcome isNew isSafe version refused removed successor answerBy
      asset { fqn } openProposal { id } changes { kind } breaking { message }
      asked { team { name } because { kind } reads { fields purpose } response notes migrationDeadline }
      informed { name }
    }
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
    closing, new, orders = (await ask(IMPACT, manifest=after))["dbtImpact"]["models"]
    assert (closing["outcome"], closing["isSafe"], closing["isNew"]) == ("UNCHANGED", True, False)
    assert (new["outcome"], new["isNew"], new["asset"], new["version"]) == ("PUBLISHED", True, None, "1.0.0")
    assert (orders["outcome"], orders["isSafe"], orders["version"]) == ("PROPOSED", False, "2.0.0")
    assert {change["kind"] for change in orders["changes"]} == {"PROPERTY_REMOVED", "PROPERTY_ADDED"}
    assert orders["asked"] == [
        {
            "team": {"name": "finance"},
            "because": [{"kind": "PROPERTY_REMOVED"}],
            "reads": [{"fields": ["total"], "purpose": "The dbt model closing reads it."}],
            "response": None,
            "notes": None,
            "migrationDeadline": None,
        }
    ]
    assert (orders["state"], new["state"], closing["state"]) == ("ASK", "NEW", "UNCHANGED")
    assert await world.size() == size


async def test_a_consumer_that_adapts_in_the_same_manifest_is_not_asked(ask: Ask, world: World) -> None:
    await took_in(world, manifest(ORDERS, CLOSING))
    adapted = {**CLOSING, "compiled_code": "select id from analytics.core.orders"}
    impacts = (await ask(IMPACT, manifest=manifest(owned("orders", "shop", "id", "note"), adapted)))["dbtImpact"][
        "models"
    ]
    assert [(impact["asked"], impact["informed"]) for impact in impacts if not impact["isSafe"]] == [
        ([], [{"name": "finance"}])
    ]


async def test_an_unchanged_manifest_has_no_impact(ask: Ask, world: World) -> None:
    await took_in(world, manifest(ORDERS, CLOSING))
    impacts = (await ask(IMPACT, manifest=manifest(ORDERS, CLOSING)))["dbtImpact"]["models"]
    assert {(impact["outcome"], impact["isSafe"], impact["version"]) for impact in impacts} == {
        ("UNCHANGED", True, None)
    }


async def test_an_invalid_manifest_is_refused_with_a_message(answer: Ask) -> None:
    reply = await answer(IMPACT, manifest={"nodes": {}})
    assert "The manifest can't be read" in reply["errors"][0]["message"]


ASK = """mutation ($input: SyncDbtManifestInput!) {
  syncDbtManifest(input: $input) {
    report { teamsCreated }
    impact { models { fqn state answerBy openProposal { status reason } asked { team { name } response notes } } }
    errors { code message }
  }
}"""
CHANGE_SET = {"key": "github.com/org/shop#7", "title": "Drop total", "url": "https://github.com/org/shop/pull/7"}


async def test_an_ask_returns_the_impact_with_the_answers_of_the_teams(ask: Ask, world: World) -> None:
    await took_in(world, manifest(ORDERS, CLOSING))
    narrow = manifest(owned("orders", "shop", "id", "note"), CLOSING)
    arguments = {"manifest": narrow, "intent": "ASK", "changeSet": CHANGE_SET, "reason": "Nobody needs it."}
    payload = (await ask(ASK, input=arguments))["syncDbtManifest"]
    assert (payload["report"], payload["errors"]) == (None, [])
    (orders,) = [model for model in payload["impact"]["models"] if model["state"] != "UNCHANGED"]
    assert (orders["state"], orders["openProposal"]) == ("WAITING", {"status": "PENDING", "reason": "Nobody needs it."})
    assert orders["answerBy"].startswith("2026-01-31")
    (proposal,) = await world.rows(Proposal)
    (acknowledgment,) = await world.acknowledgments(proposal)
    async with world.database.write() as session:
        answer = AcknowledgmentInput(Response.BLOCKED, notes="We need it until May.")
        team = TeamRef(id=acknowledgment.consumer_team_id)
        await proposals.acknowledge(session, ANONYMOUS, proposal.id, team=team, answer=answer)
    (orders,) = [
        model
        for model in (await ask(ASK, input=arguments))["syncDbtManifest"]["impact"]["models"]
        if model["state"] != "UNCHANGED"
    ]
    assert (orders["state"], orders["asked"]) == (
        "BLOCKED",
        [{"team": {"name": "finance"}, "response": "BLOCKED", "notes": "We need it until May."}],
    )


async def test_a_dry_run_of_an_ask_writes_nothing(ask: Ask, world: World) -> None:
    await took_in(world, manifest(ORDERS, CLOSING))
    size = await world.size()
    arguments = {"manifest": manifest(owned("orders", "shop", "id"), CLOSING), "intent": "ASK", "dryRun": True}
    payload = (await ask(ASK, input=arguments))["syncDbtManifest"]
    assert {model["state"] for model in payload["impact"]["models"]} == {"ASK", "UNCHANGED"}
    assert await world.size() == size


async def test_an_ask_that_would_retire_or_create_is_refused(ask: Ask, world: World) -> None:
    size = await world.size()
    arguments = {"manifest": manifest(ORDERS), "intent": "ASK", "retireRemoved": True}
    payload = (await ask(ASK, input=arguments))["syncDbtManifest"]
    assert [error["code"] for error in payload["errors"]] == ["INVALID"]
    assert await world.size() == size


async def test_the_impact_of_another_target_names_the_known_schemas(ask: Ask, world: World) -> None:
    await took_in(world, manifest(ORDERS, CLOSING))
    elsewhere = manifest({**owned("orders", "shop", "id", "note"), "schema": "pr_1"}, {**CLOSING, "schema": "pr_1"})
    impact = (await ask(IMPACT, manifest=elsewhere))["dbtImpact"]
    assert impact["comparedAs"] == ["analytics.core"]
    assert {model["fqn"]: model["state"] for model in impact["models"]} == {
        "analytics.core.closing": "UNCHANGED",
        "analytics.core.orders": "ASK",
    }


CATALOG_IMPACT = """query ($manifest: JSON!, $catalog: JSON) {
  dbtImpact(manifest: $manifest, catalog: $catalog) { declaredOnly warnings models { fqn state breaking { path } } }
}"""


def catalog_of(*columns: str, invocation_id: str = "one") -> dict[str, Any]:
    """The catalog of a project whose table `orders` has these columns."""
    metadata = {"dbt_schema_version": "https://schemas.getdbt.com/dbt/catalog/v1.json", "invocation_id": invocation_id}
    table_metadata = {"database": "analytics", "schema": "core", "name": "orders", "type": "BASE TABLE"}
    listed = {name: {"name": name, "type": "bigint", "index": index} for index, name in enumerate(columns, 1)}
    orders = {"metadata": table_metadata, "columns": listed, "unique_id": "model.shop.orders"}
    return {"metadata": metadata, "nodes": {"model.shop.orders": orders}, "sources": {}}


async def test_a_catalog_shows_drops_of_columns_that_nobody_declared(ask: Ask, world: World) -> None:
    declared = manifest(owned("orders", "shop", "id"))
    await took_in(world, declared)
    first = (await ask(CATALOG_IMPACT, manifest=declared, catalog=catalog_of("id", "secret")))["dbtImpact"]
    assert first["declaredOnly"] == 0
    assert [(model["state"], model["breaking"]) for model in first["models"]] == [("COMPATIBLE", [])]
    arguments = {"manifest": declared, "catalog": catalog_of("id", "secret"), "createTeams": True}
    query = "mutation ($input: SyncDbtManifestInput!) { syncDbtManifest(input: $input) { errors { message } } }"
    assert (await ask(query, input=arguments))["syncDbtManifest"]["errors"] == []
    orders = await world.rows(Asset)
    await world.register(orders[0], await world.team("growth"), "secret")
    without_catalog = (await ask(CATALOG_IMPACT, manifest=declared))["dbtImpact"]
    assert (without_catalog["declaredOnly"], without_catalog["models"][0]["state"]) == (1, "UNCHANGED")
    dropped = (await ask(CATALOG_IMPACT, manifest=declared, catalog=catalog_of("id")))["dbtImpact"]["models"]
    assert [(model["state"], model["breaking"]) for model in dropped] == [("ASK", [{"path": "secret"}])]


async def test_a_catalog_of_another_run_is_used_with_a_warning(ask: Ask) -> None:
    declared = manifest(owned("orders", "shop", "id"))
    declared["metadata"]["invocation_id"] = "two"
    impact = (await ask(CATALOG_IMPACT, manifest=declared, catalog=catalog_of("id")))["dbtImpact"]
    assert any("different runs of dbt" in warning for warning in impact["warnings"])
    assert impact["declaredOnly"] == 0


async def test_a_catalog_that_cannot_be_read_is_refused_by_its_name(answer: Ask) -> None:
    reply = await answer(CATALOG_IMPACT, manifest=manifest(ORDERS), catalog={"nodes": {}})
    assert "The catalog can't be read" in reply["errors"][0]["message"]


@pytest.mark.parametrize("text", ["\0", "\ud800"])
@pytest.mark.parametrize("argument", ["changeSet: $text", "schemaMap: [{old: $text, new: $text}]"])
async def test_an_argument_that_no_database_can_hold_is_refused(answer: Ask, argument: str, text: str) -> None:
    query = f"query ($manifest: JSON!, $text: String!) {{ dbtImpact(manifest: $manifest, {argument}) {{ warnings }} }}"
    (error,) = (await answer(query, manifest=manifest(ORDERS), text=text))["errors"]
    assert "can't be the name of anything" in error["message"]
    assert error["extensions"]["code"] == "INVALID"


async def test_an_impact_with_asked_teams_is_executed_by_its_plan(ask: Ask, world: World, transport: Transport) -> None:
    await took_in(world, manifest(ORDERS, CLOSING))
    query = IMPACT.replace("because { kind }", "because { kind } isLineageUnknown paths { lineageIsKnown: __typename }")
    after = manifest(owned("orders", "shop", "id", "note"), CLOSING)
    models = (await ask(query, manifest=after))["dbtImpact"]["models"]
    assert [model["asked"][0]["isLineageUnknown"] for model in models if model["asked"]] == [False]
    assert (transport.executor_counts.planned, transport.executor_counts.fallbacks) == (1, {})
