"""The number of statements of a workflow does not grow with the number of readers."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tessera_gql.policy.enums import Response
from tests.conftest import statements
from tests.world import World, adding, without

Costs = dict[str, int]


@contextmanager
def counted(world: World, costs: Costs, name: str) -> Iterator[None]:
    """Count the statements sent inside the context, except those of the transaction and of the event log's lock."""
    with statements(world.database) as texts:
        yield
    costs[name] = sum(not statement.startswith("SELECT pg_advisory") for statement in texts)


async def costs_of(world: World, consumers: int) -> Costs:
    asset = await world.published(consumers=consumers)
    costs: Costs = {}
    with counted(world, costs, "unchanged"):
        await world.publish(asset)
    grown = adding("one")
    with counted(world, costs, "compatible"):
        await world.publish(asset, grown)
    with counted(world, costs, "proposed"):
        proposal = (await world.publish(asset, without("note", schema=grown))).proposal
    with counted(world, costs, "proposed again"):
        await world.publish(asset, without("note", schema=grown))
    assert proposal is not None
    for team in world.consumers[1:]:
        await world.answer(proposal, team, Response.APPROVED)
    with counted(world, costs, "last answer"):
        await world.answer(proposal, world.consumers[0], Response.APPROVED)
    late = await world.team("late")
    with counted(world, costs, "late registration"):
        registration = await world.register(asset, late, "note")
    with counted(world, costs, "unregistration"):
        await world.unregister(registration)
    with counted(world, costs, "publication"):
        await world.publish_proposal(proposal)
    return costs


MOST = {
    "unchanged": 4,
    "compatible": 16,
    "proposed": 24,
    "proposed again": 5,
    "last answer": 16,
    "late registration": 31,
    "unregistration": 27,
    "publication": 26,
}


@pytest.mark.parametrize("consumers", [1, 12])
async def test_a_workflow_runs_as_many_statements_for_twelve_readers_as_for_a_single_reader(
    world: World, consumers: int
) -> None:
    costs = await costs_of(world, consumers)
    print(world.database.dialect, consumers, costs)  # noqa: T201 - the numbers are worth reading
    assert {name: number for name, number in costs.items() if number > MOST[name]} == {}
