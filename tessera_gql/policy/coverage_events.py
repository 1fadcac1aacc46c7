"""Events of proposals that wait for coverage: what nobody is asked about needs enough observed reads."""

from dataclasses import dataclass

from tessera_gql.policy.events import Event


@dataclass(frozen=True, kw_only=True)
class ProposalHeld(Event):
    """A proposal waits for coverage of the last `days` days: `after` says what is missing now, `before` what was."""

    entity_field = "proposal_id"
    days: int
    before: tuple[str, ...]
    after: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class ProposalHoldEnded(Event):
    """A proposal no longer waits for coverage: `before` was missing, and the `reason` says why it is not any more."""

    entity_field = "proposal_id"
    days: int
    before: tuple[str, ...]
    reason: str
    is_waived: bool = False
