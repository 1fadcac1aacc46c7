"""Contracts are ordered by publication and retired under the right conditions."""

from datetime import timedelta

import pytest

from tessera_gql.diff import Mode
from tessera_gql.errors import Conflict, Forbidden
from tessera_gql.policy.access import Actor, Scope
from tessera_gql.policy.enums import ContractStatus, Outcome, Response
from tessera_gql.store import contracts
from tests.conftest import FixedClock
from tests.world import World, adding, without


async def test_the_order_of_contracts_is_that_of_their_locks_not_of_their_calls(
    world: World, clock: FixedClock
) -> None:
    asset = await world.published()
    await world.publish(asset, adding("one"))
    clock.advance(seconds=-5)
    await world.publish(asset, adding("two", schema=adding("one")))
    first, second, third = await world.contracts(asset)
    assert first.published_at <= second.published_at <= third.published_at
    async with world.database.read() as session:
        before = await contracts.load_previous(session, [second.id, third.id])
    assert {key: contract.id for key, contract in before.items()} == {second.id: first.id, third.id: second.id}


async def test_after_retirement_comes_the_next_major_after_the_highest_ever(world: World, clock: FixedClock) -> None:
    asset = await world.published()
    await world.publish(asset, adding("one"), version="3.1.0-rc.1")
    latest = await world.active(asset)
    assert latest is not None
    await world.retire(latest)
    clock.now -= timedelta(days=3)
    again = await world.publish(asset, without("note"))
    assert (again.outcome, again.contract and again.contract.version) == (Outcome.PUBLISHED, "4.0.0")


async def test_an_active_contract_with_readers_is_not_retired(world: World) -> None:
    asset = await world.published(consumers=1)
    active = await world.active(asset)
    assert active is not None
    before = await world.size()
    with pytest.raises(Conflict, match=r"is active and read by consumer-0\. Propose the retirement"):
        await world.retire(active)
    assert await world.size() == before
    await world.unregister((await world.registrations())[0])
    assert (await world.retire(active)).status is ContractStatus.RETIRED
    assert (await world.kinds())[-1] == "CONTRACT_RETIRED"
    with pytest.raises(Conflict, match="retired already"):
        await world.retire(active)


async def test_the_contract_under_an_open_proposal_is_not_retired(world: World) -> None:
    asset, proposal = await world.proposed(consumers=0, require_explicit_publish=True)
    active = await world.active(asset)
    assert active is not None
    with pytest.raises(Conflict, match=r"open proposal\. Withdraw it first"):
        await world.retire(active)
    await world.withdraw(proposal)
    await world.retire(active)


async def test_a_deprecated_contract_is_retired_though_the_asset_is_read(world: World) -> None:
    asset = await world.published(consumers=1)
    await world.publish(asset, adding("one"))
    first, second = await world.contracts(asset)
    assert (await world.retire(first)).status is ContractStatus.RETIRED
    active = await world.active(asset)
    assert active is not None
    assert active.id == second.id


async def test_only_the_owner_retires_and_an_administrator_for_it(world: World) -> None:
    asset, proposal = await world.proposed(consumers=1)
    await world.answer(proposal, world.consumers[0], Response.APPROVED)
    await world.publish_proposal(proposal)
    first = (await world.contracts(asset))[0]
    stranger = Actor("stranger", world.consumers[0].id, frozenset({Scope.WRITE}))
    with pytest.raises(Forbidden, match="Only the owning team, producers, may"):
        await World(world.database, stranger).retire(first)
    admin = Actor("admin", world.consumers[0].id, frozenset({Scope.ADMIN}))
    assert (await World(world.database, admin).retire(first)).status is ContractStatus.RETIRED


async def test_the_event_of_a_contract_holds_version_and_mode_before_and_after(world: World) -> None:
    asset = await world.published()
    await world.publish(asset, adding("one"), mode=Mode.FULL)
    first, second = [event.payload for event in await world.events() if event.kind == "CONTRACT_PUBLISHED"]
    names = ("previous_version", "version", "previous_mode", "mode")
    assert [first[name] for name in names] == [None, "1.0.0", None, "BACKWARD"]
    assert [second[name] for name in names] == ["1.0.0", "1.1.0", "BACKWARD", "FULL"]
