"""Models of what the tools read, with only the fields that a result has, and the queries that load them."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Annotated, Any, TypeVar

from pydantic import Field

from tessera_gql.client.base_model import FieldSelection, Model, build_selection
from tessera_gql.client.coverage_models import CoverageSummary
from tessera_gql.client.models import JsonObject, ReasonPath
from tessera_gql.client.operation import Operation, Page, RootField, build_asset_ref, build_team_ref

M = TypeVar("M", bound=Model)

ACTIVE_READERS = "(first: 50, filter: {status: {in: [ACTIVE, MIGRATING]}})"
FIRST_50 = FieldSelection("(first: 50)")
DOWNSTREAM_OF_FIELD = FieldSelection("(first: 50, direction: DOWNSTREAM, column: $field)")


class TeamName(Model):
    name: str


class AssetName(Model):
    fqn: str


class VersionNumber(Model):
    version: str


class OpenProposal(Model):
    id: str
    status: str
    proposed_version: str | None
    expires_at: datetime


class AssetHead(Model):
    """What every tool says of an asset."""

    id: str
    fqn: str
    description: str | None
    owner: TeamName
    tier: str
    is_deprecated: bool
    superseded_by: AssetName | None
    open_proposal: OpenProposal | None


class AssetMatch(AssetHead):
    """An asset that a search has found."""

    current_contract: VersionNumber | None


class ContractDetails(VersionNumber):
    """A version of a contract with its schema."""

    status: str
    compatibility_mode: str
    published_at: datetime
    published_by: TeamName
    guarantees: JsonObject | None
    schema_def: Any = Field(alias="schema")


class ContractAsset(AssetHead):
    """An asset with its active contract."""

    contract: Annotated[ContractDetails | None, Field(alias="currentContract")]


class VersionAsset(ContractAsset):
    """An asset with one version of its contract."""

    contract: Annotated[ContractDetails | None, FieldSelection("(version: $version)")]


class FieldHead(Model):
    """A field of the active contract."""

    path: str
    type: str
    required: bool
    nullable: bool
    description: str | None
    deprecated: bool
    reader_count: int


class FieldPage(Model):
    total_count: int
    nodes: tuple[FieldHead, ...]


class AssetFields(Model):
    """The fields of an asset that match a filter."""

    fields: Annotated[FieldPage, FieldSelection("(first: 100, filter: $filter)")]


class DeclaredReader(Model):
    """A team that declared what it reads."""

    consumer_team: TeamName
    consumer_asset: AssetName | None
    fields: tuple[str, ...] | None
    status: str
    purpose: str | None


class DeclaredReaderPage(Model):
    total_count: int
    nodes: tuple[DeclaredReader, ...]


class PrincipalName(Model):
    name: str
    team: TeamName | None


class ObservedRead(Model):
    """A user or service that was seen reading."""

    principal: PrincipalName
    field: str | None
    last_seen: datetime


class ObservedReadPage(Model):
    total_count: int
    nodes: tuple[ObservedRead, ...]


class OwnedAsset(AssetName):
    owner: TeamName


class DownstreamEdge(Model):
    """A table that is made from the asset, `degree` steps away."""

    degree: int
    node: OwnedAsset


class DownstreamPage(Model):
    total_count: int
    edges: tuple[DownstreamEdge, ...]


class AssetReaders(OwnedAsset):
    """All readers of an asset, and on what it rests that there are no others."""

    registrations: Annotated[DeclaredReaderPage, FieldSelection(ACTIVE_READERS)]
    observations: Annotated[ObservedReadPage, FIRST_50]
    downstream: Annotated[DownstreamPage, FIRST_50]
    coverage: CoverageSummary


class FieldReaders(Model):
    """A field with the teams that read it."""

    path: str
    type: str
    last_read_at: datetime | None
    readers: tuple[TeamName, ...]


class FieldReadersPage(Model):
    nodes: tuple[FieldReaders, ...]


class DownstreamColumn(Model):
    """A column that is made from another one."""

    target: OwnedAsset
    target_column: str | None


class DownstreamColumnPage(Model):
    total_count: int
    nodes: tuple[DownstreamColumn, ...]


class ColumnReaders(OwnedAsset):
    """The readers of one column of an asset."""

    fields: Annotated[FieldReadersPage, FieldSelection("(first: 1, filter: {paths: [$field]})")]
    observations: Annotated[ObservedReadPage, FieldSelection("(first: 50, filter: {field: {eq: $field}})")]
    column_lineage: Annotated[
        DownstreamColumnPage, FieldSelection("(first: 50, direction: DOWNSTREAM, column: $field)")
    ]
    coverage: CoverageSummary


class ChangeText(Model):
    path: str
    message: str


class AskedProposal(Model):
    """A proposal that a team is asked about."""

    id: str
    kind: str
    proposed_version: str | None
    reason: str | None
    proposed_by: TeamName
    asset: AssetName


class Ask(Model):
    """What a team is asked about one table, why, and through which path it reads that."""

    reasons: tuple[ChangeText, ...] = Field(alias="because")
    paths: tuple[ReasonPath, ...]
    proposal: AskedProposal


class ChangeSetHead(Model):
    key: str
    title: str | None


class ProposalHead(Model):
    id: str


class AskGroup(Model):
    """What waits for a team in one change set, or in a proposal without one."""

    change_set: ChangeSetHead | None
    proposal: ProposalHead | None
    url: str | None
    team: TeamName
    on_behalf_of: TeamName | None
    due_at: datetime
    silence_means: str
    table_count: int
    change_count: int
    acknowledgments: Annotated[tuple[Ask, ...], FieldSelection("(first: 5)")]


class AskGroupEdge(Model):
    cursor: str
    node: AskGroup


class AskGroupPage(Model):
    total_count: int
    edges: tuple[AskGroupEdge, ...]


class Inbox(Model):
    """What waits for a team, the earliest due date first."""

    inbox_groups: Annotated[AskGroupPage, FieldSelection("(first: $first, after: $after)")]


class ViewerTeam(Model):
    """The team of the caller's key; None for an administrator or a project."""

    team: TeamName | None


class ViewerInbox(Inbox, ViewerTeam):
    """The inbox of the caller's team, or of every team for an administrator."""


class ViewerAcknowledgment(Model):
    """An acknowledgment that the caller may give."""

    team: TeamName


class AnswerableProposal(Model):
    """A proposal as far as an answer changes it."""

    id: str
    status: str
    proposed_version: str | None
    publish_when_approved: bool
    viewer_can_acknowledge: bool
    viewer_acknowledgments: tuple[ViewerAcknowledgment, ...]
    asset: AssetName
    awaiting: tuple[TeamName, ...]

    def permits_answer_of(self, team: str) -> bool:
        """Return whether the caller may answer for a team. An administrator has no acknowledgments, but may."""
        teams = {item.team.name for item in self.viewer_acknowledgments}
        return self.viewer_can_acknowledge and (not teams or team in teams)


class AnswerToProposal(Model):
    """The answer of a team to one proposal; `response` is None until it answers."""

    response: str | None
    migration_deadline: datetime | None
    notes: str | None
    due_at: datetime
    silence_means: str
    proposal: AnswerableProposal


class AnswerToProposalPage(Model):
    total_count: int
    nodes: tuple[AnswerToProposal, ...]


class TeamAnswers(TeamName):
    """The answers of a team to the proposals of one ask."""

    acknowledgments: Annotated[AnswerToProposalPage, FieldSelection("(first: 100, filter: $filter)")]


class ChangeSetId(Model):
    id: str


def build_query(root: RootField[M], variables: JsonObject, missing: str, **inner: tuple[str, Any]) -> Operation[M]:
    """Build a query; `inner` has the type and value of each variable that only the selection uses."""
    types = {name: type_ for name, (type_, _) in inner.items()}
    values = {name: value for name, (_, value) in inner.items()}
    document = root.build_document("query", build_selection(root.model), **types)
    return replace(root.build_get_query({**variables, **values}, missing), document=document)


def build_asset_query(model: type[M], asset: str, **inner: tuple[str, Any]) -> Operation[M]:
    """Build a query of an asset by its fqn or id; raises NotFound."""
    root = RootField("asset", model, {"by": "AssetRef!"})
    missing = f"There is no asset {asset!r} that this key may see. find_asset searches by words."
    return build_query(root, {"by": build_asset_ref(asset)}, missing, **inner)


def build_team_query(model: type[M], team: str, **inner: tuple[str, Any]) -> Operation[M]:
    """Build a query of a team by its name or id; raises NotFound."""
    root = RootField("team", model, {"by": "TeamRef!"})
    missing = f"There is no team {team!r} that this key may see."
    return build_query(root, {"by": build_team_ref(team)}, missing, **inner)


def build_viewer_query(model: type[M], **inner: tuple[str, Any]) -> Operation[M]:
    """Build a query of the caller."""
    return build_query(RootField("viewer", model), {}, "The server does not say who this is.", **inner)


def build_matches_query(fqns: Sequence[str]) -> Operation[Page[AssetMatch]]:
    """Build a query of the assets with these fqns, at most 50."""
    root = RootField("assets", AssetMatch, {"filter": "AssetFilter"})
    return root.build_paginated_query(filter={"fqn": {"in": [*fqns]}}).first_page


def build_change_set_query(reference: JsonObject) -> Operation[ChangeSetId]:
    """Build a query of the id of a change set; raises NotFound."""
    root = RootField("changeSet", ChangeSetId, {"by": "ChangeSetRef!"})
    return root.build_get_query({"by": reference}, "There is no such ask. list_asks lists those that wait for a team.")
