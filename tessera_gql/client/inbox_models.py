"""Models of what waits for a team, grouped by change set, and of the answer to a whole change set."""

from datetime import datetime
from typing import Annotated

from pydantic import Field

from tessera_gql.client.base_model import FieldSelection, Model
from tessera_gql.client.enums import AcknowledgmentResponse
from tessera_gql.client.models import (
    AssetSummary,
    ChangeSetSummary,
    ChangeSummary,
    ContractSummary,
    ProposalSummary,
    TeamSummary,
)


class InboxProposal(ProposalSummary):
    """A proposal in an inbox, with the team that asks and its reason."""

    asset: AssetSummary
    proposed_by: TeamSummary
    reason: str | None


class InboxAcknowledgment(Model):
    """An acknowledgment that is awaited, with the reasons for which the team is asked."""

    id: str
    due_at: datetime
    reasons: tuple[ChangeSummary, ...] = Field(alias="because")
    proposal: InboxProposal


class InboxGroup(Model):
    """What waits for `team` in a change set, or in a proposal without one; `acknowledgments` has the first five.

    `on_behalf_of` is the team if another one answers for it.
    """

    change_set: ChangeSetSummary | None
    proposal: ProposalSummary | None
    url: str | None
    team: TeamSummary
    on_behalf_of: TeamSummary | None
    due_at: datetime
    on_silence: str
    silence_means: str
    table_count: int
    change_count: int
    acknowledgments: Annotated[tuple[InboxAcknowledgment, ...], FieldSelection("(first: 5)")]


class AnsweredProposal(InboxProposal):
    """A proposal after an answer, and the teams that it still waits for."""

    awaiting: tuple[TeamSummary, ...]


class AnsweredAcknowledgment(Model):
    """An acknowledgment that an answer to a change set gave or changed."""

    id: str
    team: TeamSummary
    response: AcknowledgmentResponse | None
    migration_deadline: datetime | None
    notes: str | None
    proposal: AnsweredProposal


class PublishedContract(ContractSummary):
    """A contract that an answer published or retired."""

    asset: AssetSummary


class ChangeSetAcknowledgment(Model):
    """The result of an answer to a change set: the acknowledgments that it gave, and the contracts it published."""

    change_set: ChangeSetSummary
    acknowledgments: tuple[AnsweredAcknowledgment, ...]
    contracts: tuple[PublishedContract, ...]
