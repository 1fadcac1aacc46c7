"""Proposals of breaking changes, and the acknowledgments of the asked teams."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import strawberry
from strawberry import UNSET

from tessera_gql import diff
from tessera_gql.diff import Mode
from tessera_gql.graphql.acknowledgments import AwaitedTeam
from tessera_gql.graphql.changes import Change, SchemaDiff, diff_rows, list_changes
from tessera_gql.graphql.connections import After, Before, Connection, First, Last, connection
from tessera_gql.graphql.context import Info
from tessera_gql.graphql.coverage import hold_field, proposal_coverage_field
from tessera_gql.graphql.events import events_connection
from tessera_gql.graphql.ids import Node
from tessera_gql.graphql.impact import MAX_FIELDS, MaxFields, load_alternative
from tessera_gql.graphql.listings import ACKNOWLEDGMENTS, COMMENTS, PROPOSALS
from tessera_gql.graphql.relations import relation, root_by_id
from tessera_gql.graphql.row_types import from_row
from tessera_gql.graphql.scalars import JSON
from tessera_gql.graphql.slices import ListSize, SliceRequest, take
from tessera_gql.graphql.type_registry import computed_field, lazy_list, lazy_type, to_type
from tessera_gql.graphql.unasked_readers import UnaskedReaderConnection, unasked_page
from tessera_gql.graphql.upcoming import First as Steps
from tessera_gql.graphql.upcoming import UpcomingStep, load_upcoming
from tessera_gql.policy.access import Action, is_allowed, is_allowed_on_asset
from tessera_gql.policy.enums import ChangeType, ProposalKind, ProposalStatus
from tessera_gql.store import tables
from tessera_gql.store.teams import to_delegation
from tessera_gql.workflows.contracts import terms_of
from tessera_gql.workflows.proposal_bases import is_proposal_stale, proposed_terms


@strawberry.type(description="A breaking change of a proposal, with the asked teams that it touches.")
class BreakingChange(Change):
    proposal_id: strawberry.Private[UUID]
    asset_id: strawberry.Private[UUID]

    @computed_field(
        "The change that added the field, with its contract and proposal; null for the whole schema, and if it was"
        " published before the history of fields began.",
        lazy_type("FieldChange") | None,
    )
    async def added_in(self, info: Info) -> Any:
        if not self.path:
            return None
        history = await info.context.loaders.field_history.load((self.asset_id, self.path))
        return to_type("FieldChange", history.added)

    @computed_field("The asked teams that read what this change touches.", lazy_list("Team"))
    async def teams(self, info: Info, first: ListSize = UNSET) -> Any:
        team_ids = take(await self._load_team_ids(info), first)
        return [to_type("Team", row) for row in await info.context.loaders.team.load_many(team_ids)]

    @computed_field("The number of the asked teams that read what this change touches.")
    async def team_count(self, info: Info) -> int:
        return len(await self._load_team_ids(info))

    async def _load_team_ids(self, info: Info) -> Sequence[UUID]:
        acknowledgments = await info.context.loaders.acknowledgments_of_proposal.load(self.proposal_id)
        index = info.context.loaders.asked_teams_by_change
        if self.proposal_id not in index:
            index[self.proposal_id] = _index_asked_teams(acknowledgments)
        return index[self.proposal_id].get(self.fingerprint, [])


def _index_asked_teams(acknowledgments: Sequence[tables.Acknowledgment]) -> dict[str, list[UUID]]:
    """Index the asked teams, in the order in which they were asked, by the fingerprints of changes."""
    team_ids: dict[str, list[UUID]] = {}
    for row in acknowledgments:
        for fingerprint in () if row.released_at else row.change_fingerprints:
            team_ids.setdefault(fingerprint, []).append(row.consumer_team_id)
    return team_ids


@from_row(is_open=lambda row: row.status.is_open, metadata="meta")
@strawberry.type(
    description="A breaking change, or a retirement, that waits for the acknowledgments of the asked teams."
)
class Proposal(Node):
    row: strawberry.Private[tables.Proposal]
    status: ProposalStatus = strawberry.field(description="The status; it follows from acknowledgments and time.")
    is_open: bool = strawberry.field(description="Whether it can still be acknowledged, withdrawn or published.")
    kind: ProposalKind = strawberry.field(description="Whether the contract would change or the asset be retired.")
    proposed_schema: JSON | None = strawberry.field(
        description="The JSON Schema to be published; null for a retirement."
    )
    proposed_version: str | None = strawberry.field(
        description="The version that the contract will have; null for a retirement."
    )
    guarantees: JSON | None = strawberry.field(description="The guarantees with the schema; null if there are none.")
    compatibility_mode: Mode = strawberry.field(
        description="The mode that the contract will have for the change after this one; the present one's if retired."
    )
    change_type: ChangeType = strawberry.field(description="The part of the version that the change raises.")
    reason: str | None = strawberry.field(
        description="The reason for the change, as the asked teams read it; null if there is none."
    )
    publish_when_approved: bool = strawberry.field(
        description="Whether the contract is published as soon as all asked teams consent."
    )
    require_explicit_publish: bool = strawberry.field(
        description="Whether only `publishProposal` publishes it, and no release of its terms."
    )
    metadata: JSON = strawberry.field(description="Free data of your own about the proposal, as a JSON object.")
    proposed_at: datetime = strawberry.field(description="The time at which the change was proposed.")
    expires_at: datetime = strawberry.field(
        description="The time at which the proposal expires unless all asked teams consent before."
    )
    resolved_at: datetime | None = strawberry.field(description="The time of the end; null while it is open.")
    updated_at: datetime = strawberry.field(description="The time of the latest change of the proposal itself.")
    row_version: int = strawberry.field(
        description="A number that rises with every change of the proposal itself; for `expectedRowVersion`."
    )

    asset = relation("Asset", "row.asset_id", "The asset whose contract would change.")
    proposed_by = relation("Team", "row.proposed_by", "The team that proposed the change.")
    base_contract = relation("Contract", "row.base_contract_id", "The contract that the proposed one would replace.")
    contract = relation(
        "Contract",
        "row.contract_id",
        "The contract that was published; null until then, and for a retirement.",
        nullable=True,
    )
    change_set = relation(
        "ChangeSet", "row.change_set_id", "The change set of the proposal; null if it has none.", nullable=True
    )
    acknowledgments = connection(
        ACKNOWLEDGMENTS,
        "proposal_id",
        description="One acknowledgment for each asked team, in the order in which they were asked.",
    )
    comments = connection(COMMENTS, "proposal_id", description="The comments on the proposal, the oldest first.")
    hold = hold_field
    coverage = proposal_coverage_field
    events = events_connection("proposal_id", description="The events about the proposal, the oldest first.")

    @computed_field(
        "All differences from the base contract, those that break nothing too; null for a retirement.",
        SchemaDiff | None,
    )
    async def diff(self, info: Info) -> Any:
        base = await info.context.loaders.contract.load(self.row.base_contract_id)
        if base is None or self.row.kind is ProposalKind.RETIREMENT:
            return None
        key = ((base.id, base.compatibility_mode), (self.row.id, self.row.fingerprint))
        return await diff_rows(info.context, key, lambda: (terms_of(base), proposed_terms(self.row)))

    @computed_field(
        "What publishing it with all hints of its breaking changes followed would do: the version, and the teams that"
        " would still be asked; null without such a hint, once it has ended, for a retirement, and for an asset with"
        " more fields than `maxFields`.",
        lazy_type("Impact") | None,
    )
    async def alternative(self, info: Info, max_fields: MaxFields = MAX_FIELDS) -> Any:
        if not self.is_open or self.row.kind is ProposalKind.RETIREMENT:
            return None
        if not any(change.get("hint") for change in self.row.breaking_changes):
            return None
        active = await info.context.loaders.active_contract.load(self.row.asset_id)
        return active and await load_alternative(info, active, proposed_terms(self.row), max_fields)

    @computed_field("The teams that were informed when the proposal was opened, but not asked.", lazy_list("Team"))
    async def informed(self, info: Info) -> Any:
        team_ids = await info.context.loaders.informed_teams.load(self.row.id)
        rows = await info.context.loaders.team.load_many(sorted(team_ids))
        return [to_type("Team", row) for row in rows if row is not None]

    @computed_field("The readers of the asset, and of tables made from it, who are not asked, with the reason.")
    async def unasked(
        self, info: Info, first: First = UNSET, after: After = UNSET, last: Last = UNSET, before: Before = UNSET
    ) -> UnaskedReaderConnection:
        readers = await info.context.loaders.unasked_readers.load(self.row.id)
        return unasked_page(readers, SliceRequest(first, after, last, before))

    @computed_field(
        "What time will do, if nobody does anything: reminders, escalation, silence, deadlines of migrations and"
        " expiry; empty once it has ended."
    )
    async def upcoming(self, info: Info, first: Steps = 20) -> list[UpcomingStep]:
        return await load_upcoming(info, self.row, first)

    @computed_field("The changes that are breaking under the base contract's compatibility mode.")
    def breaking_changes(self, info: Info, first: ListSize = UNSET) -> list[BreakingChange]:
        return list_changes(
            info.context,
            take(self.row.breaking_changes, first),
            lambda change: BreakingChange.of(
                diff.Change.from_json(change), proposal_id=self.row.id, asset_id=self.row.asset_id
            ),
        )

    @computed_field("The number of the changes that are breaking.")
    def breaking_change_count(self) -> int:
        return len(self.row.breaking_changes)

    @computed_field(
        "The asked teams that have not acknowledged yet; empty once the proposal has ended.", lazy_list("Team")
    )
    async def awaiting(self, info: Info) -> Any:
        if not self.is_open:
            return []
        acknowledgments = await info.context.loaders.acknowledgments_of_proposal.load(self.row.id)
        team_ids = [row.consumer_team_id for row in acknowledgments if row.response is None and row.released_at is None]
        return [to_type("Team", row) for row in await info.context.loaders.team.load_many(team_ids)]

    @computed_field("The asked teams that it waits for, each with the step that is missing; empty once it has ended.")
    async def waits_for(self, info: Info, first: ListSize = UNSET) -> list[AwaitedTeam]:
        if not self.is_open:
            return []
        acknowledgments = await info.context.loaders.acknowledgments_of_proposal.load(self.row.id)
        counted = (AwaitedTeam.of(row) for row in acknowledgments if row.released_at is None)
        return [*take([item for item in counted if item is not None], first)]

    @computed_field(
        "Whether a newer contract adds breaking changes whose readers were not asked, so that it can't be published"
        " before they are; false once it has ended."
    )
    async def is_stale(self, info: Info) -> bool:
        active = await info.context.loaders.active_contract.load(self.row.asset_id) if self.is_open else None
        if active is None or active.id == self.row.base_contract_id:
            return False
        return await info.context.loaders.run_query(lambda session: is_proposal_stale(session, self.row.id))

    @computed_field("Whether the caller may acknowledge the proposal for an asked team, as a delegate as well.")
    async def viewer_can_acknowledge(self, info: Info) -> bool:
        if not self.is_open or self._is_overdue(info):
            return False
        rows = await info.context.loaders.acknowledgments_of_proposal.load(self.row.id)
        asked = [row for row in rows if row.released_at is None]
        actor = info.context.actor
        if any(is_allowed(actor, Action.ACKNOWLEDGE_PROPOSAL, row.consumer_team_id) for row in asked):
            return True
        return bool(actor.team_ids) and await self._may_substitute(info, asked)

    async def _may_substitute(self, info: Info, asked: list[tables.Acknowledgment]) -> bool:
        """Return whether the caller may answer as a delegate or escalation team."""
        substitutes = await self._list_substitutes(info, asked)
        return any(
            is_allowed(info.context.actor, Action.ACKNOWLEDGE_PROPOSAL, team)
            for team in frozenset[UUID]().union(*substitutes)
        )

    async def _list_substitutes(self, info: Info, asked: list[tables.Acknowledgment]) -> list[frozenset[UUID]]:
        """List for each acknowledgment the delegate and the escalation team that may give it now."""
        asset = await info.context.loaders.asset.load(self.row.asset_id)
        proposers = {self.row.proposed_by, *([asset.owner_team_id] if asset else ())}
        teams = await info.context.loaders.team.load_many([row.consumer_team_id for row in asked])
        now = info.context.database.clock()
        return [
            frozenset(
                substitute
                for substitute in (to_delegation(team).find_delegate(now) if team else None, row.escalated_to)
                if substitute is not None and substitute not in proposers
            )
            for row, team in zip(asked, teams, strict=True)
        ]

    @computed_field(
        "The acknowledgments of the caller's teams, and those that it may give as delegate or escalation team; empty"
        " for an administrator of no team.",
        lazy_list("Acknowledgment"),
    )
    async def viewer_acknowledgments(self, info: Info, first: ListSize = UNSET) -> Any:
        own = info.context.actor.team_ids
        if not own:
            return []
        rows = await info.context.loaders.acknowledgments_of_proposal.load(self.row.id)
        items = [row for row in rows if row.released_at is None]
        substitutes = await self._list_substitutes(info, items)
        answerable = [
            item
            for item, teams in zip(items, substitutes, strict=True)
            if item.consumer_team_id in own or not own.isdisjoint(teams)
        ]
        return [to_type("Acknowledgment", item) for item in take(answerable, first)]

    @computed_field("Whether the caller may withdraw the proposal.")
    async def viewer_can_withdraw(self, info: Info) -> bool:
        return self.is_open and not self._is_overdue(info) and await self._is_allowed(info, Action.WITHDRAW_PROPOSAL)

    @computed_field("Whether the caller may publish the proposal now.")
    async def viewer_can_publish(self, info: Info) -> bool:
        return self.status is ProposalStatus.APPROVED and await self._is_allowed(info, Action.PUBLISH_PROPOSAL)

    async def _is_allowed(self, info: Info, action: Action) -> bool:
        asset = await info.context.loaders.asset.load(self.row.asset_id)
        return asset is not None and is_allowed_on_asset(info.context.actor, action, asset.fqn, asset.owner_team_id)

    def _is_overdue(self, info: Info) -> bool:
        return self.status is not ProposalStatus.APPROVED and self.expires_at <= info.context.database.clock()


@strawberry.type(description="One page of a list of proposals.")
class ProposalConnection(Connection[Proposal]): ...


@strawberry.type
class Queries:
    proposals = connection(PROPOSALS, description="All proposals of the catalog, the latest first.")

    proposal = root_by_id("Proposal", "The proposal with this id; null if there is none.")
