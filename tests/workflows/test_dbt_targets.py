"""A manifest of another target is compared with the known tables, and never synced by mistake."""

from typing import Any

import pytest

from tessera_gql.errors import Conflict
from tessera_gql.store.tables import Team
from tessera_gql.workflows.dbt.options import Purpose
from tessera_gql.workflows.dbt.report import SyncOutcome
from tests.formats.manifests import manifest
from tests.workflows.dbt_syncs import (
    ask,
    asset_at,
    find_readers,
    plan,
    reading,
    run_sync,
    states,
    team_actor,
    team_table,
)
from tests.world import World

FQN = "analytics.core.orders"
ORDERS = team_table("orders", "shop", "id", "total")
CLOSING = reading("closing", "finance", "total")


def in_schema(schema: str, *nodes: dict[str, Any]) -> dict[str, Any]:
    """The manifest as dbt writes it for another target schema."""
    moved = [{**node, "schema": schema} for node in nodes]
    for node in moved:
        if query := node.get("compiled_code"):
            node["compiled_code"] = query.replace("analytics.core.", f"analytics.{schema}.")
    return manifest(*moved)


async def test_a_pull_request_schema_is_compared_with_the_known_tables(world: World) -> None:
    await run_sync(world, manifest(ORDERS, CLOSING))
    narrow = team_table("orders", "shop", "id")
    for purpose in (Purpose.IMPACT, Purpose.PREVIEW, Purpose.ASK):
        impact = await plan(world, in_schema("pr_123", narrow, CLOSING), purpose=purpose)
        assert states(impact) == {"orders": "ASK"}
        assert impact.target is not None
        assert impact.target.known_schemas == ("analytics.core",)
        assert sorted(impact.tables) == ["analytics.core.closing", FQN]


async def test_the_queries_of_another_target_are_read_under_its_own_names(world: World) -> None:
    await run_sync(world, manifest(ORDERS, CLOSING))
    adapted = reading("closing", "finance", "id")
    impact = await plan(world, in_schema("pr_123", team_table("orders", "shop", "id"), adapted))
    assert states(impact) == {"orders": "UNREAD"}


async def test_a_new_model_of_another_target_is_new_in_the_known_schema(world: World) -> None:
    await run_sync(world, manifest(ORDERS))
    impact = await plan(world, in_schema("pr_123", ORDERS, team_table("refunds", "shop", "id")))
    assert {fqn: table.state for fqn, table in impact.tables.items() if table.state != "UNCHANGED"} == {
        "analytics.core.refunds": "NEW"
    }


async def test_an_ask_of_another_target_asks_about_the_known_tables(world: World) -> None:
    await run_sync(world, manifest(ORDERS, CLOSING))
    impact = await ask(world, in_schema("pr_123", team_table("orders", "shop", "id"), CLOSING))
    assert states(impact) == {"orders": "WAITING"}
    size = await world.size()
    assert size["Asset"] == 2


async def test_a_sync_of_another_target_is_refused_with_the_options_that_allow_it(world: World) -> None:
    await run_sync(world, manifest(ORDERS, CLOSING))
    size = await world.size()
    with pytest.raises(Conflict, match=r"--target-schema-map analytics\.pr_123=analytics\.core") as refused:
        await run_sync(world, in_schema("pr_123", ORDERS, CLOSING))
    assert "--new-target" in refused.value.message
    assert await world.size() == size


@pytest.mark.parametrize(("old", "new"), [("pr_123", "core"), ("Analytics.PR_123", "analytics.core")])
async def test_a_sync_maps_schemas_on_request(world: World, old: str, new: str) -> None:
    await run_sync(world, manifest(ORDERS, CLOSING))
    report = await run_sync(world, in_schema("pr_123", ORDERS, CLOSING), schema_map={old: new})
    assert {model.fqn: model.outcome for model in report.models} == {
        "analytics.core.closing": SyncOutcome.UNCHANGED,
        FQN: SyncOutcome.UNCHANGED,
    }
    assert (report.removed, (await find_readers(world))["finance", FQN].fields) == ((), ["total"])


async def test_a_sync_moves_to_a_new_target_on_request(world: World) -> None:
    await run_sync(world, manifest(ORDERS, CLOSING))
    report = await run_sync(world, in_schema("mart", ORDERS, CLOSING), new_target=True)
    assert report.count(SyncOutcome.CREATED) == 2
    assert [(removal.fqn, removal.successor) for removal in report.removed] == [
        ("analytics.core.closing", "analytics.mart.closing"),
        (FQN, "analytics.mart.orders"),
    ]
    assert (await asset_at(world, "analytics.mart.orders")).meta["dbt"]["project"] == "shop"


async def test_a_model_that_is_renamed_alone_in_its_schema_is_no_other_target(world: World) -> None:
    await run_sync(world, manifest(ORDERS))
    impact = await plan(world, manifest({**ORDERS, "alias": "orders_all"}))
    assert impact.target is None
    assert states(impact) == {"orders": "UNREAD", "orders_all": "NEW"}


async def test_tables_of_another_team_under_the_name_of_the_project_are_no_target(world: World) -> None:
    await run_sync(world, manifest(ORDERS, CLOSING))
    await world.project("shop", next(team for team in await world.rows(Team) if team.name == "shop"))
    forged = in_schema("pr_123", team_table("orders", "finance", "id"))
    await run_sync(world, forged, actor=await team_actor(world, "finance"), owner=None, new_target=True)
    narrow = in_schema("pr_123", team_table("orders", "shop", "id"), CLOSING)
    assert (await plan(world, narrow)).tables[FQN].state == "ASK"
    with pytest.raises(Conflict, match="None of the project's tables is where it was"):
        await run_sync(world, narrow)
