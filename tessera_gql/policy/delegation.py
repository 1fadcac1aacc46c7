"""Who may answer for an asked team beside itself: its delegate until a date, and its escalation team once it is asked.

One hop only: the delegate of a delegate may not answer.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from tessera_gql.errors import Forbidden, Invalid
from tessera_gql.policy.access import Action, Actor, is_allowed
from tessera_gql.policy.enums import Response
from tessera_gql.policy.proposal_status import SEVERITY
from tessera_gql.policy.validation import format_moment

MAX_DELEGATION = timedelta(days=366)


@dataclass(frozen=True)
class Delegation:
    """The delegate of a team until a moment; without both there is none."""

    delegate: UUID | None = None
    until: datetime | None = None

    def find_delegate(self, now: datetime) -> UUID | None:
        """Return the delegate while the delegation lasts."""
        return self.delegate if self.until is not None and now < self.until else None


def require_delegation_end(until: datetime, now: datetime) -> None:
    """Raise Invalid for the end of a delegation that has passed or is too far away."""
    if not now < until <= now + MAX_DELEGATION:
        raise Invalid(
            f"A delegate answers until a moment within the next {MAX_DELEGATION.days} days, not until"
            f" {format_moment(until)}. Give another `until`.",
            field=("delegate",),
        )


def require_replaceable(asked_team: str, own_answer: Response | None, *, is_overdue: bool) -> None:
    """Raise Forbidden if a substitute would replace the answer that the asked team gave itself.

    Silence is no answer, and an overdue migration waits for another one.
    """
    if own_answer not in SEVERITY or is_overdue:
        return
    raise Forbidden(
        f"{asked_team} has answered {own_answer} itself, and neither its delegate nor its escalation team replaces"
        " that. Ask the team to change its answer.",
        field=("team",),
    )


def find_substitute(
    actor: Actor, delegation: Delegation, escalated_to: UUID | None, proposers: Collection[UUID], now: datetime
) -> UUID | None:
    """Return the team as which the actor may answer for the asked one; None if it may not.

    Raises Forbidden if that is one of the `proposers`, the owning and the proposing team.
    """
    for substitute in (delegation.find_delegate(now), escalated_to):
        if substitute is None or not is_allowed(actor, Action.ACKNOWLEDGE_PROPOSAL, substitute):
            continue
        if substitute in proposers:
            raise Forbidden(
                "The team that owns the asset or proposes the change can't answer for an asked team. Ask that team.",
                field=("team",),
            )
        return substitute
    return None
