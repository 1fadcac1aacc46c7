"""The first other team on each path of lineage is asked, on both databases."""

from collections.abc import Sequence
from typing import Any

from tessera_gql.policy.enums import ColumnEdgeKind, DependencyType, Intent, ProposalStatus, Response
from tessera_gql.store.assets import AssetRef
from tessera_gql.store.tables import Asset, ColumnEdge, Proposal, Team
from tessera_gql.store.teams import TeamRef
from tessera_gql.workflows import assets as asset_verbs
from tessera_gql.workflows import dependencies as dependency_verbs
from tessera_gql.workflows.acknowledgment_requests import path_from_json
from tessera_gql.workflows.assets import AssetDetails
from tests.world import World, without

COPIED, DERIVED, FILTER = ColumnEdgeKind.COPIED, ColumnEdgeKind.DERIVED, ColumnEdgeKind.FILTER


async def link(
    world: World, source: Asset, target: Asset, *columns: tuple[str, str] | tuple[str, str, ColumnEdgeKind]
) -> None:
    """Make a table from another one; without columns their lineage is unknown."""
    await world.depend(target, source)
    async with world.database.write() as session:
        rows = [
            ColumnEdge(
                source_asset_id=source.id,
                target_asset_id=target.id,
                source_column=names[0],
                target_column=names[1],
                kind=names[2] if len(names) == 3 else COPIED,
                created_at=session.now,
            )
            for names in columns
        ]
        await session.insert_all(rows)


async def chain(world: World) -> tuple[Asset, Asset, Asset, Team]:
    """Create orders → staging.orders → marts.orders of the team producers, and a team finance."""
    orders = await world.published()
    (owner,) = [team for team in await world.rows(Team) if team.id == orders.owner_team_id]
    staging = await world.asset("staging.orders", owner)
    marts = await world.asset("marts.orders", owner)
    for asset in (staging, marts):
        await world.publish(asset)
    return orders, staging, marts, await world.team("finance")


async def propose(world: World, asset: Asset, *columns: str, **request: Any) -> Proposal:
    result = await world.publish(asset, without(*columns), intent=Intent.ASK, **request)
    assert result.proposal is not None
    return result.proposal


async def reads_of(world: World, proposal: Proposal) -> list[dict[str, list[str]] | None]:
    return [row.reads for row in await world.acknowledgments(proposal)]


def names(path: Sequence[tuple[Any, str]], *assets: Asset) -> list[str]:
    fqns = {asset.id: asset.fqn for asset in assets}
    return [f"{fqns[asset]}.{column}" for asset, column in path]


async def test_a_reader_behind_the_owners_own_tables_is_asked_with_the_path(world: World) -> None:
    orders, staging, marts, finance = await chain(world)
    await link(world, orders, staging, ("note", "note"), ("total", "total"))
    await link(world, staging, marts, ("note", "order_id", DERIVED), ("total", "total"))
    await world.register(marts, finance, "order_id")
    proposal = await propose(world, orders, "note")
    assert await world.asked(proposal) == {finance.id}
    (acknowledgment,) = await world.acknowledgments(proposal)
    assert acknowledgment.reads == {acknowledgment.change_fingerprints[0]: [f"{marts.id}:order_id"]}
    (path,) = map(path_from_json, acknowledgment.paths or ())
    assert names(path.steps, orders, staging, marts) == [
        "analytics.core.orders.note",
        "staging.orders.note",
        "marts.orders.order_id",
    ]
    assert path.is_known


async def test_a_reader_of_other_columns_behind_the_owners_tables_is_only_informed(world: World) -> None:
    orders, staging, marts, finance = await chain(world)
    await link(world, orders, staging, ("note", "note"), ("total", "total"))
    await link(world, staging, marts, ("total", "total"))
    await world.register(marts, finance)
    await world.register(staging, finance, "total")
    proposal = await propose(world, orders, "note")
    assert proposal.status is ProposalStatus.APPROVED
    (event,) = [event for event in await world.events() if event.kind == "PROPOSAL_OPENED"]
    assert event.payload["informed"] == [str(finance.id)]


async def test_unknown_lineage_passes_every_column_and_says_so(world: World) -> None:
    orders, staging, _, finance = await chain(world)
    await link(world, orders, staging)
    await world.register(staging, finance, "total")
    proposal = await propose(world, orders, "note")
    (acknowledgment,) = await world.acknowledgments(proposal)
    assert [path_from_json(path).is_known for path in acknowledgment.paths or ()] == [False]


async def test_a_table_of_another_team_ends_the_path(world: World) -> None:
    orders, staging, _, finance = await chain(world)
    support = await world.team("support")
    report = await world.asset("finance.report", finance)
    await link(world, orders, staging, ("note", "note"), ("total", "total"))
    await link(world, staging, report, ("note", "remark"))
    await world.register(report, support)
    proposal = await propose(world, orders, "note")
    assert await world.asked(proposal) == {finance.id}
    (event,) = [event for event in await world.events() if event.kind == "PROPOSAL_OPENED"]
    assert event.payload["informed"] == [str(support.id)]
    assert (await propose(world, staging, "total")).status is ProposalStatus.APPROVED


async def test_declared_fields_decide_where_the_lineage_to_another_team_is_unknown(world: World) -> None:
    orders, _, _, finance = await chain(world)
    report = await world.asset("finance.report", finance)
    await link(world, orders, report)
    await world.register(orders, finance, "total", via=report)
    assert (await propose(world, orders, "note")).status is ProposalStatus.APPROVED


async def test_the_walk_stops_at_tables_that_no_longer_read_the_column(world: World) -> None:
    orders, staging, marts, finance = await chain(world)
    await link(world, orders, staging, ("note", "note"))
    await link(world, staging, marts, ("note", "note"))
    await world.register(marts, finance)
    proposal = await propose(world, orders, "note", unaffected_assets=frozenset({staging.id}))
    assert proposal.status is ProposalStatus.APPROVED
    await world.withdraw(proposal)
    proposal = await propose(world, orders, "note")
    assert proposal.status is ProposalStatus.PENDING
    result = await world.publish(orders, without("note"), unaffected_assets=frozenset({staging.id}), intent=Intent.ASK)
    assert result.proposal is not None
    assert result.proposal.status is ProposalStatus.APPROVED


async def test_readers_and_edges_that_come_and_go_downstream_update_the_open_proposal(world: World) -> None:
    orders, staging, marts, finance = await chain(world)
    sales = await world.team("sales")
    await world.register(orders, sales)
    proposal = await propose(world, orders, "note")
    registration = await world.register(marts, finance, "note")
    assert await world.asked(proposal) == {sales.id}
    await world.depend(staging, orders)
    await world.depend(marts, staging)
    assert await world.asked(proposal) == {sales.id, finance.id}
    await world.unregister(registration)
    assert await world.asked(proposal) == {sales.id}
    await world.register(marts, finance, "note")
    async with world.database.write() as session:
        refs: dict[str, Any] = {"dependent": AssetRef(id=marts.id), "dependency": AssetRef(id=staging.id)}
        await dependency_verbs.remove(session, world.actor, **refs, type_=DependencyType.CONSUMES)
    assert await world.asked(proposal) == {sales.id}


async def test_a_transfer_on_the_way_moves_the_ask_to_the_new_owner_and_back(world: World) -> None:
    orders, staging, marts, finance = await chain(world)
    sales, owner = await world.team("sales"), orders.owner_team_id
    await link(world, orders, staging, ("note", "note"))
    await link(world, staging, marts, ("note", "note"))
    await world.register(marts, finance, "note")
    proposal = await propose(world, orders, "note")
    assert await world.asked(proposal) == {finance.id}
    for team, asked in ((sales.id, {sales.id}), (owner, {finance.id})):
        async with world.database.write() as session:
            details = AssetDetails(owner=TeamRef(id=team))
            await asset_verbs.update(session, world.actor, AssetRef(id=staging.id), details=details)
        assert await world.asked(proposal) == asked


async def test_cycles_end_and_filters_affect_every_column(world: World) -> None:
    orders, staging, marts, finance = await chain(world)
    await link(world, orders, staging, ("note", "", FILTER))
    await link(world, staging, marts, ("total", "total"))
    await link(world, marts, orders, ("total", "total"))
    await world.register(marts, finance, "total")
    proposal = await propose(world, orders, "note")
    assert await world.asked(proposal) == {finance.id}
    (reads,) = await reads_of(world, proposal)
    assert reads is not None
    assert [*reads.values()] == [[f"{marts.id}:total"]]


async def test_a_field_that_a_table_on_the_way_has_lost_asks_its_readers_no_more(world: World) -> None:
    orders, staging, _, finance = await chain(world)
    await link(world, orders, staging, ("note", "note"))
    await world.register(staging, finance, "note")
    proposal = await propose(world, orders, "note")
    assert await world.asked(proposal) == {finance.id}
    await world.publish(staging, without("note"), force=True, reason="the table is rebuilt")
    assert await world.asked(proposal) == set()


async def test_an_edge_that_closes_a_cycle_updates_the_proposal_of_its_target(world: World) -> None:
    orders, staging, _, finance = await chain(world)
    await link(world, orders, staging, ("note", "total"))
    await world.register(orders, finance, "total")
    proposal = await propose(world, orders, "note")
    assert await world.asked(proposal) == set()
    await link(world, staging, orders)
    assert await world.asked(proposal) == {finance.id}


async def test_who_reads_all_of_a_table_is_asked_again_when_it_reads_a_table_made_from_it(world: World) -> None:
    orders, staging, _, finance = await chain(world)
    await world.register(orders, finance)
    proposal = await propose(world, orders, "note")
    await world.answer(proposal, finance, Response.APPROVED)
    assert await reads_of(world, proposal) == [None]
    await link(world, orders, staging, ("note", "note"))
    await world.register(staging, finance, "note")
    (row,) = await world.acknowledgments(proposal)
    assert row.response is None
    (reads,) = await reads_of(world, proposal)
    assert reads is not None
    assert [*reads.values()] == [["", f"{staging.id}:note"]]
    await world.answer(proposal, finance, Response.APPROVED)
    await world.withdraw(proposal)
    again = await propose(world, orders, "note")
    (row,) = await world.acknowledgments(again)
    assert row.response is Response.APPROVED


async def test_who_reads_all_of_a_table_is_not_asked_again_for_a_table_that_does_not_read_the_change(
    world: World,
) -> None:
    orders, staging, _, finance = await chain(world)
    await world.register(orders, finance)
    proposal = await propose(world, orders, "note")
    await world.answer(proposal, finance, Response.APPROVED)
    await link(world, orders, staging, ("total", "total"))
    await world.register(staging, finance, "note")
    (row,) = await world.acknowledgments(proposal)
    assert (row.response, row.reads) == (Response.APPROVED, None)
