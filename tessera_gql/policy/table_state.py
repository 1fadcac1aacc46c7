"""Decide the state of one table of a dbt manifest: the verdict of the gate, from the impact and the open proposal."""

from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum

from tessera_gql.policy.enums import ProposalStatus


class TableState(StrEnum):
    """The verdict about one table of a manifest. The states after UNREAD fail a pull request, except APPROVED.

    HELD: no team is asked about it, but less is observed than its policy demands.
    """

    UNCHANGED = "UNCHANGED"
    NEW = "NEW"
    COMPATIBLE = "COMPATIBLE"
    SKIPPED = "SKIPPED"
    UNREAD = "UNREAD"
    APPROVED = "APPROVED"
    WAITING = "WAITING"
    HELD = "HELD"
    ASK = "ASK"
    BLOCKED = "BLOCKED"
    CONFLICT = "CONFLICT"
    REFUSED = "REFUSED"

    @property
    def breaks(self) -> bool:
        return self in BREAKING_STATES


BREAKING_STATES = frozenset(
    {TableState.UNREAD, TableState.APPROVED, TableState.WAITING, TableState.HELD, TableState.ASK, TableState.BLOCKED}
)


@dataclass(frozen=True)
class ProposalFit:
    """How the open proposal of a table fits the terms of a manifest.

    `asked` are the teams that it asks, `has_same_terms` whether it proposes exactly these terms, `is_stale` whether it
    breaks more since it was opened, and `is_replaceable` whether an ask of the same change set may replace it. With
    `is_agreed` a sync may publish other terms, because the teams agreed to all of their breaks. `is_held` if it waits
    for coverage, `is_covered` if it had to and was let go.
    """

    status: ProposalStatus
    asked: Collection[object]
    has_same_terms: bool
    is_stale: bool
    is_replaceable: bool
    is_agreed: bool = False
    is_held: bool = False
    is_covered: bool = False


def decide_breaking_state(
    affected: Collection[object], proposal: ProposalFit | None, *, is_uncovered: bool = False
) -> TableState:
    """Decide the state of a table that breaks, by the teams that are affected after the sync.

    An approval counts only for exactly these terms on the present contract, and only if every affected team gave it.
    `is_uncovered` if the policy demands more coverage than there is for a new proposal that asks nobody.
    """
    if proposal is not None and proposal.is_agreed and set(affected) <= set(proposal.asked):
        return TableState.APPROVED if affected else _decide_unread_state(None, is_uncovered=is_uncovered)
    if proposal is not None and not proposal.has_same_terms and not proposal.is_replaceable:
        return TableState.CONFLICT
    current = proposal if proposal is not None and proposal.has_same_terms and not proposal.is_stale else None
    if not affected:
        return _decide_unread_state(current, is_uncovered=is_uncovered)
    if current is None or not set(affected) <= set(current.asked):
        return TableState.ASK
    match current.status:
        case ProposalStatus.APPROVED:
            return TableState.APPROVED
        case ProposalStatus.REJECTED:
            return TableState.BLOCKED
        case _:
            return TableState.WAITING


def _decide_unread_state(proposal: ProposalFit | None, *, is_uncovered: bool) -> TableState:
    """Decide the state of a table that asks nobody, by its open proposal if that has these terms."""
    if proposal is None:
        return TableState.HELD if is_uncovered else TableState.UNREAD
    if proposal.is_held:
        return TableState.HELD
    return TableState.APPROVED if proposal.is_covered else TableState.UNREAD
