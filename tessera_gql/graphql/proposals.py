"""Proposals: breaking changes that wait for the teams they hurt, and those teams' answers."""

from datetime import datetime
from typing import Any
from uuid import UUID

import strawberry

from tessera_gql import diff
from tessera_gql.diff import Mode
from tessera_gql.graphql.changes import Change, facts, list_changes, to_change
from tessera_gql.graphql.context import Info
from tessera_gql.graphql.events import events_of
from tessera_gql.graphql.ids import Node
from tessera_gql.graphql.lists import ACKNOWLEDGMENTS, PROPOSALS
from tessera_gql.graphql.nouns import computed, many, shown
from tessera_gql.graphql.pages import Connection, pages
from tessera_gql.graphql.relations import by_id, one
from tessera_gql.graphql.rows import from_row
from tessera_gql.graphql.scalars import JSON
from tessera_gql.policy.access import Verb, allows
from tessera_gql.policy.words import ChangeType, ProposalStatus, Response
from tessera_gql.store import tables


@strawberry.type(description="A change that breaks something, with the teams it touches.")
class BreakingChange(Change):
    proposal_id: strawberry.Private[UUID]

    @computed("The asked teams that read what it changes.", many("Team"))
    async def teams(self, info: Info) -> Any:
        places = await info.context.loaders.acknowledgments_of_proposal.load(self.proposal_id)
        touched = [one.consumer_team_id for one in places if not one.released_at and self.fingerprint in one.because]
        return [shown("Team", row) for row in await info.context.loaders.team.load_many(touched)]


@from_row(is_open=lambda row: row.status.is_open, metadata="meta")
@strawberry.type(description="A breaking change that waits for the teams it hurts.")
class Proposal(Node):
    row: strawberry.Private[tables.Proposal]
    status: ProposalStatus = strawberry.field(description="Follows from the answers and the time.")
    is_open: bool = strawberry.field(description="Whether it can still be answered, withdrawn or published.")
    proposed_schema: JSON = strawberry.field(description="The JSON Schema that is to be published.")
    proposed_version: str = strawberry.field(description="The version it is to be published as.")
    guarantees: JSON | None = strawberry.field(description="What is to be promised beside the schema.")
    compatibility_mode: Mode = strawberry.field(description="The mode that is to judge the change after this one.")
    change_type: ChangeType = strawberry.field(description="How far the version moves.")
    reason: str | None = strawberry.field(description="Why the change is needed.")
    publish_when_approved: bool = strawberry.field(description="Whether the last consent publishes it.")
    metadata: JSON = strawberry.field(description="Anything else that is worth knowing, as an object.")
    proposed_at: datetime = strawberry.field(description="When it was proposed.")
    expires_at: datetime = strawberry.field(description="When it runs out unless everyone has agreed by then.")
    resolved_at: datetime | None = strawberry.field(description="When it ended, if it did.")
    row_version: int = strawberry.field(
        description="Rises with every change of the proposal itself; for `expectedRowVersion`."
    )

    asset = one("Asset", lambda loaders: loaders.asset, "asset_id", description="What would change.")
    proposed_by = one("Team", lambda loaders: loaders.team, "proposed_by", description="Who proposed it.")
    base_contract = one(
        "Contract", lambda loaders: loaders.contract, "base_contract_id", description="The contract it would replace."
    )
    contract = one(
        "Contract",
        lambda loaders: loaders.contract,
        "contract_id",
        nullable=True,
        description="The contract that came of it, once it is published.",
    )
    acknowledgments = pages(
        ACKNOWLEDGMENTS, "proposal_id", description="The asked teams' places, in the order they were asked."
    )
    events = events_of("proposal_id", description="What happened to it, oldest first.")

    @computed("The changes that break under the base contract's mode.")
    def breaking_changes(self, info: Info) -> list[BreakingChange]:
        def show(change: dict[str, Any]) -> BreakingChange:
            return BreakingChange(**facts(diff.Change.from_json(change)), proposal_id=self.row.id)

        return list_changes(info.context, self.row.breaking_changes, show)

    @computed("The asked teams that have not answered; none once it has ended.", many("Team"))
    async def awaiting(self, info: Info) -> Any:
        if not self.is_open:
            return []
        places = await info.context.loaders.acknowledgments_of_proposal.load(self.row.id)
        silent = [one.consumer_team_id for one in places if one.response is None and one.released_at is None]
        return [shown("Team", row) for row in await info.context.loaders.team.load_many(silent)]

    @computed("Whether the viewer may answer it for a team that is asked.")
    async def viewer_can_acknowledge(self, info: Info) -> bool:
        if not self.is_open or self._ran_out(info):
            return False
        places = await info.context.loaders.acknowledgments_of_proposal.load(self.row.id)
        actor = info.context.actor
        return any(
            allows(actor, Verb.ACKNOWLEDGE_PROPOSAL, place.consumer_team_id)
            for place in places
            if place.released_at is None
        )

    @computed("Whether the viewer may take it back.")
    async def viewer_can_withdraw(self, info: Info) -> bool:
        return self.is_open and not self._ran_out(info) and await self._owned(info, Verb.WITHDRAW_PROPOSAL)

    @computed("Whether the viewer may publish it now.")
    async def viewer_can_publish(self, info: Info) -> bool:
        return self.status is ProposalStatus.APPROVED and await self._owned(info, Verb.PUBLISH_PROPOSAL)

    async def _owned(self, info: Info, verb: Verb) -> bool:
        asset = await info.context.loaders.asset.load(self.row.asset_id)
        return asset is not None and allows(info.context.actor, verb, asset.owner_team_id)

    def _ran_out(self, info: Info) -> bool:
        return self.status is not ProposalStatus.APPROVED and self.expires_at <= info.context.database.clock()


@strawberry.type(description="A page of proposals.")
class ProposalConnection(Connection[Proposal]):
    pass


@from_row()
@strawberry.type(description="One asked team's place in a proposal.")
class Acknowledgment(Node):
    row: strawberry.Private[tables.Acknowledgment]
    response: Response | None = strawberry.field(description="What it answered; null until it does.")
    migration_deadline: datetime | None = strawberry.field(description="Until when it migrates, if it does.")
    notes: str | None = strawberry.field(description="What it says beside.")
    responded_at: datetime | None = strawberry.field(description="When it answered last.")
    released_at: datetime | None = strawberry.field(
        description="Since when it no longer counts, as it stopped reading."
    )

    proposal = one("Proposal", lambda loaders: loaders.proposal, "proposal_id", description="What it is asked about.")
    team = one("Team", lambda loaders: loaders.team, "consumer_team_id", description="Who is asked.")

    @computed("The changes that touch what the team reads: why it is asked.")
    async def because(self, info: Info) -> list[Change]:
        proposal = await info.context.loaders.proposal.load(self.row.proposal_id)
        changes = proposal.breaking_changes if proposal else []
        reasons = set(self.row.because)
        touching = [change for change in changes if change["fingerprint"] in reasons]
        return list_changes(info.context, touching, lambda change: to_change(diff.Change.from_json(change)))


@strawberry.type(description="A page of acknowledgments.")
class AcknowledgmentConnection(Connection[Acknowledgment]):
    pass


@strawberry.type
class Queries:
    proposals = pages(PROPOSALS, description="All proposals, the latest first.")

    proposal = by_id("Proposal", lambda loaders: loaders.proposal, description="One proposal; null if there is none.")
