"""Readers who are not asked are listed with the reason, and with a shortest way to what they read."""

from uuid import UUID

from tessera_gql.policy.enums import ColumnEdgeKind, UnaskedReason
from tessera_gql.policy.lineage_steps import find_step_kind
from tessera_gql.policy.lineage_walk import ColumnLink
from tessera_gql.policy.unasked_readers import TeamsOfChange, UnaskedReader, find_ways, list_unasked

A, B, C, D, E = (UUID(int=number) for number in range(1, 6))


def of(*teams: UUID) -> frozenset[UUID]:
    return frozenset(teams)


def test_each_reader_has_the_strongest_reason() -> None:
    teams = TeamsOfChange(asked=of(A), released=of(B), informed=of(C, D, A), proposers=of(E))
    readers = {A: None, B: frozenset({"x"}), C: frozenset({"z", "y"}), E: None}
    assert list_unasked(teams, readers, {D: (A, D)}) == [
        UnaskedReader(B, UnaskedReason.RELEASED, ("x",)),
        UnaskedReader(C, UnaskedReason.OTHER_FIELDS, ("y", "z"), is_informed=True),
        UnaskedReader(D, UnaskedReason.DOWNSTREAM, (), (A, D), is_informed=True),
    ]


def test_the_shortest_way_is_taken_and_a_cycle_ends() -> None:
    edges = [(A, B), (B, C), (C, A), (A, D), (D, C)]
    assert find_ways(A, edges, {E: [C, B], D: [C], B: [E]}) == {E: (A, B), D: (A, B, C)}


def test_the_kind_of_a_step_is_that_of_the_link_that_says_most() -> None:
    copied = ColumnLink("Coupon", "code", ColumnEdgeKind.COPIED)
    derived = ColumnLink("coupon", "code", ColumnEdgeKind.DERIVED)
    filtering = ColumnLink("total", "", ColumnEdgeKind.FILTER)
    assert find_step_kind([derived, copied], "coupon", "code") is ColumnEdgeKind.COPIED
    assert find_step_kind([copied], "coupon.id", "code.id") is ColumnEdgeKind.COPIED
    assert find_step_kind([filtering, copied], "total", "") is ColumnEdgeKind.FILTER
    assert find_step_kind([copied], "coupon", "other") is None
    assert find_step_kind([], "coupon", "code") is None
