"""Models that are gone are part of plan, impact and sync: nothing is retired without the consent of its readers."""

from typing import Any

import pytest

from tessera_gql.policy.enums import ContractStatus, ProposalKind, ProposalStatus, Response
from tessera_gql.store.tables import Proposal
from tessera_gql.workflows.dbt.options import Purpose
from tessera_gql.workflows.dbt.report import SyncOutcome, build_report
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
CUSTOMERS = team_table("customers", "shop", "id", "name")
CLOSING = reading("closing", "finance", "total")


async def synced(world: World, *nodes: dict[str, Any]) -> None:
    """Sync a project whose table `orders` the team growth reads."""
    await run_sync(world, manifest(*(nodes or (ORDERS, CUSTOMERS))))
    world.consumers.append(await world.team("growth"))
    await world.register(await asset_at(world, FQN), world.consumers[0])


def disabled(node: dict[str, Any]) -> dict[str, Any]:
    return {**node, "config": {**node["config"], "enabled": False}}


def changed(node: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {**node, **fields}


EPHEMERAL = changed(ORDERS, config={"materialized": "ephemeral"})
MOVED = changed(ORDERS, schema="mart")
ALIASED = changed(ORDERS, alias="orders_all")
VERSIONED = changed(ORDERS, unique_id="model.shop.orders.v2", alias="orders_v2", version=2)


@pytest.mark.parametrize(
    ("nodes", "cause", "successor"),
    [
        ((), "is no longer in the manifest", None),
        ((disabled(ORDERS),), "is disabled", None),
        ((EPHEMERAL,), "is ephemeral now", None),
        ((MOVED,), "was moved to analytics.mart.orders", "analytics.mart.orders"),
        ((ALIASED,), "was renamed to analytics.core.orders_all", "analytics.core.orders_all"),
        ((VERSIONED,), "was renamed to analytics.core.orders_v2", "analytics.core.orders_v2"),
    ],
)
async def test_a_model_that_is_gone_asks_its_readers_with_the_reason(
    world: World, nodes: tuple[dict[str, Any], ...], cause: str, successor: str | None
) -> None:
    await synced(world)
    impact = await plan(world, manifest(CUSTOMERS, *nodes))
    assert states(impact)["orders"] == "ASK"
    table = impact.tables[FQN]
    assert table.removal is not None
    assert (table.removal.reason, table.removal.successor) == (cause, successor)
    assert [change.kind for change in table.judgement.breaking] == ["ASSET_RETIRED"]
    assert set(table.affected.asked) == {(await team_actor(world, "growth")).team_id}


async def test_the_section_of_disabled_nodes_gives_the_reason_as_well(world: World) -> None:
    await synced(world)
    impact = await plan(world, manifest(CUSTOMERS, disabled={"model.shop.orders": [disabled(ORDERS)]}))
    removal = impact.tables[FQN].removal
    assert removal is not None
    assert removal.reason == "is disabled"


async def test_two_new_tables_of_one_shape_are_no_rename(world: World) -> None:
    await synced(world)
    copies = [changed(ORDERS, unique_id=f"model.shop.{name}", name=name) for name in ("a", "b")]
    removal = (await plan(world, manifest(CUSTOMERS, *copies))).tables[FQN].removal
    assert removal is not None
    assert removal.successor is None


async def test_a_reader_that_goes_in_the_same_manifest_is_not_asked(world: World) -> None:
    await run_sync(world, manifest(ORDERS, CUSTOMERS, CLOSING))
    assert states(await plan(world, manifest(CUSTOMERS))) == {"orders": "UNREAD", "closing": "UNREAD"}


async def test_a_sync_opens_a_retirement_and_retires_after_consent(world: World) -> None:
    await synced(world)
    report = await run_sync(world, manifest(CUSTOMERS), retire_removed=True)
    (removal,) = report.removed
    assert (removal.retired, removal.cause) == (False, "is no longer in the manifest")
    assert removal.proposal_id is not None
    proposal = await world.proposal(removal.proposal_id)
    assert (proposal.kind, proposal.status) == (ProposalKind.RETIREMENT, ProposalStatus.PENDING)
    assert proposal.reason == "The dbt model is no longer in the manifest."
    events = len(await world.events())
    (again,) = (await run_sync(world, manifest(CUSTOMERS))).removed
    assert (again.proposal_id, again.retired) == (proposal.id, False)
    assert len(await world.events()) == events
    await world.answer(proposal, world.consumers[0], Response.APPROVED)
    (retired,) = (await run_sync(world, manifest(CUSTOMERS))).removed
    assert retired.retired
    assert await world.active(await asset_at(world, FQN)) is None


async def test_a_table_without_readers_is_retired_on_request_only(world: World) -> None:
    await run_sync(world, manifest(ORDERS, CUSTOMERS))
    (unread,) = (await run_sync(world, manifest(CUSTOMERS))).removed
    assert (unread.retired, unread.proposal_id) == (False, None)
    assert await world.rows(Proposal) == []
    (retired,) = (await run_sync(world, manifest(CUSTOMERS), retire_removed=True)).removed
    assert retired.retired
    (contract,) = await world.contracts(await asset_at(world, FQN))
    assert contract.status is ContractStatus.RETIRED


async def test_a_model_that_comes_back_withdraws_its_retirement(world: World) -> None:
    await synced(world)
    (removal,) = (await run_sync(world, manifest(CUSTOMERS))).removed
    assert removal.proposal_id is not None
    report = await run_sync(world, manifest(ORDERS, CUSTOMERS))
    assert {model.outcome for model in report.models} == {SyncOutcome.UNCHANGED}
    assert (await world.proposal(removal.proposal_id)).status is ProposalStatus.WITHDRAWN
    size = await world.size()
    await run_sync(world, manifest(ORDERS, CUSTOMERS))
    assert await world.size() == size


async def test_an_ask_opens_the_retirement_in_the_change_set_and_writes_nothing_else(world: World) -> None:
    await synced(world, ORDERS, CUSTOMERS, CLOSING)
    readers, size = await find_readers(world), await world.size()
    impact = await ask(world, manifest(CUSTOMERS))
    assert states(impact) == {"orders": "WAITING", "closing": "UNREAD"}
    (proposal,) = await world.rows(Proposal)
    assert (proposal.kind, proposal.change_set_id is None) == (ProposalKind.RETIREMENT, False)
    assert await find_readers(world) == readers
    after = await world.size()
    assert {name for name in size if size[name] != after[name]} == {
        "Proposal",
        "Acknowledgment",
        "ChangeSet",
        "EventRow",
    }


async def test_a_plan_lists_what_is_gone_with_its_readers_and_what_it_was_renamed_to(world: World) -> None:
    await synced(world)
    preview = await plan(world, manifest(CUSTOMERS, ALIASED), purpose=Purpose.PREVIEW, create_teams=True)
    (removal,) = build_report(preview).removed
    assert (removal.fqn, removal.successor) == (FQN, "analytics.core.orders_all")
    assert removal.asked == ((await team_actor(world, "growth")).team_id,)
