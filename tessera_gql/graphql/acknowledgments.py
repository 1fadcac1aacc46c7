"""The acknowledgments of asked teams: what they were asked, why, until when, and what they answered."""

from datetime import datetime
from typing import Self
from uuid import UUID

import strawberry

from tessera_gql.graphql.changes import Change, list_changes
from tessera_gql.graphql.connections import Connection
from tessera_gql.graphql.context import Info
from tessera_gql.graphql.ids import Node
from tessera_gql.graphql.read_progress import (
    EARLIEST_RELEASE,
    LAST_READ_AT,
    QUIET_SINCE,
    ChangeReads,
    load_change_reads,
    load_progress,
    parse_breaking_changes,
)
from tessera_gql.graphql.reason_paths import ReasonPath, to_paths
from tessera_gql.graphql.relations import relation
from tessera_gql.graphql.row_types import from_row
from tessera_gql.graphql.type_registry import computed_field
from tessera_gql.policy.ask_policy import AskPolicy, describe_silence
from tessera_gql.policy.enums import AwaitedStep, OnSilence, ReleaseKind, Response
from tessera_gql.policy.global_ids import encode_global_id
from tessera_gql.store import tables
from tessera_gql.workflows.acknowledgment_requests import path_from_json, reasons_from_row
from tessera_gql.workflows.ask_clock import to_response


@strawberry.type(description="The proof that an asked team no longer reads what breaks.")
class ReleaseEvidence:
    kind: ReleaseKind = strawberry.field(description="The kind of the proof.")
    reference: str = strawberry.field(description="What the proof rests on, such as a registration or a manifest.")
    at: datetime = strawberry.field(description="The time of the proof.")


@strawberry.type(description="What a team said earlier about one of the changes that it is asked about now.")
class EarlierAnswer:
    fingerprint: str = strawberry.field(description="The fingerprint of the change.")
    response: Response = strawberry.field(description="The response of the team.")
    migration_deadline: datetime | None = strawberry.field(description="Its deadline; null unless MIGRATING.")
    notes: str | None = strawberry.field(description="The remark with the response; null if there is none.")
    answered_at: datetime = strawberry.field(description="The time of the response.")

    @classmethod
    def of(cls, row: tables.Answer) -> Self:
        """Make it from the row of an answer."""
        names = ("fingerprint", "response", "migration_deadline", "notes", "answered_at")
        return cls(**{name: getattr(row, name) for name in names})


@from_row(
    on_silence=lambda row: OnSilence(row.policy["onSilence"]),
    is_overdue=lambda row: row.overdue_at is not None and row.response is Response.MIGRATING,
    silence_means=lambda row: describe_silence([AskPolicy.from_json(row.policy)]),
)
@strawberry.type(description="The acknowledgment of one asked team for one proposal, given or awaited.")
class Acknowledgment(Node):
    row: strawberry.Private[tables.Acknowledgment]
    response: Response | None = strawberry.field(
        description="The team's response; null until there is one, SILENT if its silence was counted."
    )
    migration_deadline: datetime | None = strawberry.field(
        description="The time by which the team will have migrated; null unless the response is MIGRATING."
    )
    is_overdue: bool = strawberry.field(
        description="Whether the deadline of a migration has passed without proof that the team has migrated."
    )
    notes: str | None = strawberry.field(description="The team's remark; null if there is none.")
    responded_at: datetime | None = strawberry.field(
        description="The time of the latest response; null until there is one."
    )
    asked_at: datetime = strawberry.field(description="The time at which the team was asked, for the last time.")
    due_at: datetime = strawberry.field(description="The time until which an answer is expected.")
    on_silence: OnSilence = strawberry.field(description="What happens if the team does not answer until then.")
    silence_means: str = strawberry.field(description="The same for people, as in `the proposal expires`.")
    released_at: datetime | None = strawberry.field(
        description="The time at which the team stopped reading what breaks and is no longer asked; else null."
    )

    proposal = relation("Proposal", "row.proposal_id", "The proposal that the team is asked about.")
    team = relation("Team", "row.consumer_team_id", "The team that is asked.")
    responded_by = relation(
        "Team",
        "row.responded_by",
        "The delegate or escalation team that answered for the team, also if the answer was carried over; null if the"
        " team did itself.",
        nullable=True,
    )
    escalated_to = relation(
        "Team", "row.escalated_to", "The team that may answer as well by now; null if none may.", nullable=True
    )
    carried_from = relation(
        "Acknowledgment",
        "row.carried_from",
        "The acknowledgment whose answer holds here, because it was about the same changes; else null.",
        nullable=True,
    )
    previous = relation(
        "Acknowledgment",
        "row.previous_id",
        "An earlier acknowledgment that did not suffice, because more is at stake now; else null.",
        nullable=True,
    )

    @computed_field("The breaking changes that touch what the team reads, for which it is asked.", name="because")
    async def reasons(self, info: Info) -> list[Change]:
        proposal = await info.context.loaders.proposal.load(self.row.proposal_id)
        changes = parse_breaking_changes(info.context.loaders, proposal) if proposal else []
        reasons = set(self.row.change_fingerprints)
        touching = [change for change in changes if change.fingerprint in reasons]
        return list_changes(info.context, touching, Change.of)

    @computed_field("What the team said before about these changes; empty once it has answered, or if it never has.")
    async def earlier_answers(self, info: Info) -> list[EarlierAnswer]:
        proposal = await info.context.loaders.proposal.load(self.row.proposal_id)
        if proposal is None or self.row.response is not None:
            return []
        rows = await info.context.loaders.answers_of_team.load((proposal.asset_id, self.row.consumer_team_id))
        return [EarlierAnswer.of(rows[item]) for item in self.row.change_fingerprints if item in rows]

    @computed_field(
        "The fields that the team reads and the changes touch, of which an empty one is the whole asset; null if it"
        " reads all of the asset, and nothing that is made from it."
    )
    def reads(self) -> list[str] | None:
        if self.row.reads is None:
            return None
        return sorted({_to_public_path(path) for paths in self.row.reads.values() for path in paths})

    @computed_field("The ways on which changes reach tables that are made from the asset; empty if it is read itself.")
    def paths(self) -> list[ReasonPath]:
        return to_paths(map(path_from_json, self.row.paths or ()), self.row.consumer_team_id)

    @computed_field("Whether the team is asked only because column lineage is unknown on the way to what it reads.")
    def is_lineage_unknown(self) -> bool:
        return reasons_from_row(self.row).is_lineage_unknown

    @computed_field(f"Of all reads that the changes concern. {LAST_READ_AT}")
    async def last_read_at(self, info: Info) -> datetime | None:
        return (await load_progress(info, self.row)).last_read_at

    @computed_field(f"Of all reads that the changes concern. {QUIET_SINCE}")
    async def quiet_since(self, info: Info) -> datetime | None:
        return (await load_progress(info, self.row)).quiet_since

    @computed_field(EARLIEST_RELEASE)
    async def earliest_release(self, info: Info) -> datetime | None:
        return (await load_progress(info, self.row)).earliest_release

    @computed_field("For each change that the team is asked about, what usage sources have seen of its reads.")
    async def change_reads(self, info: Info) -> list[ChangeReads]:
        return await load_change_reads(info, self.row)

    @computed_field("The proof by which the team was released; null if it was not, or if none is known.")
    def released_by(self) -> ReleaseEvidence | None:
        if (proof := self.row.released_by) is None:
            return None
        return ReleaseEvidence(
            kind=ReleaseKind(proof["kind"]), reference=proof["reference"], at=datetime.fromisoformat(proof["at"])
        )


@strawberry.type(description="An asked team that an open proposal waits for, and the step that is missing.")
class AwaitedTeam:
    acknowledgment_id: strawberry.Private[UUID]
    team_id: strawberry.Private[UUID]
    step: AwaitedStep = strawberry.field(description="The step of the team that is missing.")
    until: datetime | None = strawberry.field(
        description="The due date of an answer, or the deadline of a migration; null if the team blocks the proposal."
    )
    silence_means: str | None = strawberry.field(
        description="What no answer until then means, as in `the proposal expires`; null unless an answer is missing."
    )

    team = relation("Team", "team_id", "The asked team that is awaited.")
    acknowledgment = relation("Acknowledgment", "acknowledgment_id", "The acknowledgment of the team.")

    @classmethod
    def of(cls, row: tables.Acknowledgment) -> Self | None:
        """Make it from an acknowledgment that counts; None if the team agrees."""
        if (step := to_response(row).awaited_step) is None:
            return None
        until = {AwaitedStep.ANSWER: row.due_at, AwaitedStep.MIGRATION: row.migration_deadline}.get(step)
        silence = describe_silence([AskPolicy.from_json(row.policy)]) if step is AwaitedStep.ANSWER else None
        return cls(
            acknowledgment_id=row.id, team_id=row.consumer_team_id, step=step, until=until, silence_means=silence
        )


def _to_public_path(path: str) -> str:
    """Replace the id before a field of another table by its global id."""
    asset, colon, field = path.partition(":")
    try:
        return f"{encode_global_id('Asset', UUID(asset))}{colon}{field}" if colon else path
    except ValueError:  # the name of a field may have a colon, too
        return path


@strawberry.type(description="One page of a list of acknowledgments.")
class AcknowledgmentConnection(Connection[Acknowledgment]): ...
