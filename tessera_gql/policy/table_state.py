"""Decide the state of one table of a dbt manifest: the verdict of the gate, from the impact and the open proposal."""

from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum

from tessera_gql.policy.enums import ProposalStatus


class TableState(StrEnum):
    """The verdict about one table of a manifest. The states after UNREAD fail a pull request, except APPROVED."""

    UNCHANGED = "UNCHANGED"
    NEW = "NEW"
    COMPATIBLE = "COMPATIBLE"
    SKIPPED = "SKIPPED"
    UNREAD = "UNREAD"
    APPROVED = "APPROVED"
    WAITING = "WAITING"
    ASK = "ASK"
    BLOCKED = "BLOCKED"
    CONFLICT = "CONFLICT"
    REFUSED = "REFUSED"

    @property
    def breaks(self) -> bool:
        return self in BREAKING_STATES


BREAKING_STATES = frozenset(
    {TableState.UNREAD, TableState.APPROVED, TableState.WAITING, TableState.ASK, TableState.BLOCKED}
)


@dataclass(frozen=True)
class ProposalFit:
    """How the open proposal of a table fits the terms of a manifest.

    `asked` are the teams that it asks, `has_same_terms` whether it proposes exactly these terms, `is_stale` whether it
    breaks more since it was opened, and `is_replaceable` whether an ask of the same change set may replace it. With
    `is_agreed` a sync may publish other terms, because the teams agreed to all of their breaks.
    """

    status: ProposalStatus
    asked: Collection[object]
    has_same_terms: bool
    is_stale: bool
    is_replaceable: bool
    is_agreed: bool = False


def decide_breaking_state(affected: Collection[object], proposal: ProposalFit | None) -> TableState:
    """Decide the state of a table that breaks, by the teams that are affected after the sync.

    An approval counts only for exactly these terms on the present contract, and only if every affected team gave it.
    """
    if proposal is not None and proposal.is_agreed and set(affected) <= set(proposal.asked):
        return TableState.APPROVED if affected else TableState.UNREAD
    if proposal is not None and not proposal.has_same_terms and not proposal.is_replaceable:
        return TableState.CONFLICT
    if not affected:
        return TableState.UNREAD
    if proposal is None or not proposal.has_same_terms or proposal.is_stale:
        return TableState.ASK
    if not set(affected) <= set(proposal.asked):
        return TableState.ASK
    match proposal.status:
        case ProposalStatus.APPROVED:
            return TableState.APPROVED
        case ProposalStatus.REJECTED:
            return TableState.BLOCKED
        case _:
            return TableState.WAITING
