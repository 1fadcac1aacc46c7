"""The verdict about a table that breaks, from the affected teams and the open proposal."""

import pytest

from tessera_gql.policy.enums import ProposalStatus
from tessera_gql.policy.table_state import ProposalFit, TableState, decide_breaking_state


def fit(status: ProposalStatus = ProposalStatus.PENDING, **fields: bool) -> ProposalFit:
    values = {"has_same_terms": True, "is_stale": False, "is_replaceable": False} | fields
    return ProposalFit(status, {"growth"}, **values)


@pytest.mark.parametrize(
    ("affected", "proposal", "state"),
    [
        (set(), None, TableState.UNREAD),
        ({"growth"}, None, TableState.ASK),
        ({"growth"}, fit(), TableState.WAITING),
        ({"growth"}, fit(ProposalStatus.APPROVED), TableState.APPROVED),
        ({"growth"}, fit(ProposalStatus.REJECTED), TableState.BLOCKED),
        ({"growth"}, fit(ProposalStatus.APPROVED, is_stale=True), TableState.ASK),
        ({"growth", "finance"}, fit(ProposalStatus.APPROVED), TableState.ASK),
        ({"growth"}, fit(ProposalStatus.APPROVED, has_same_terms=False), TableState.CONFLICT),
        (set(), fit(ProposalStatus.APPROVED, has_same_terms=False), TableState.CONFLICT),
        ({"growth"}, fit(has_same_terms=False, is_replaceable=True), TableState.ASK),
        (set(), fit(), TableState.UNREAD),
        (set(), fit(is_held=True), TableState.HELD),
        (set(), fit(is_held=True, is_stale=True), TableState.UNREAD),
        (set(), fit(ProposalStatus.APPROVED, is_covered=True), TableState.APPROVED),
        ({"growth"}, fit(is_held=True), TableState.WAITING),
    ],
)
def test_an_approval_counts_for_the_same_terms_and_for_all_affected_teams(
    affected: set[str], proposal: ProposalFit | None, state: TableState
) -> None:
    assert decide_breaking_state(affected, proposal) is state


@pytest.mark.parametrize(
    ("affected", "proposal", "state"),
    [
        (set(), None, TableState.HELD),
        (set(), fit(has_same_terms=False, is_replaceable=True), TableState.HELD),
        (set(), fit(ProposalStatus.APPROVED, has_same_terms=False, is_agreed=True), TableState.HELD),
        (set(), fit(ProposalStatus.APPROVED, is_covered=True), TableState.APPROVED),
        ({"growth"}, None, TableState.ASK),
        ({"growth"}, fit(ProposalStatus.APPROVED, has_same_terms=False, is_agreed=True), TableState.APPROVED),
    ],
)
def test_a_table_that_asks_nobody_is_held_without_coverage_unless_its_proposal_was_let_go(
    affected: set[str], proposal: ProposalFit | None, state: TableState
) -> None:
    assert decide_breaking_state(affected, proposal, is_uncovered=True) is state
