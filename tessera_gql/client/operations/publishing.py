"""Operations on contracts, proposals and acknowledgments, and the computation of impact and diff."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeAlias, TypedDict

from typing_extensions import Unpack

from tessera_gql.client.enums import (
    AcknowledgmentResponse,
    ChangeSetStatus,
    CompatibilityMode,
    DocumentFormat,
    Intent,
    ProposalStatus,
)
from tessera_gql.client.errors import InvalidArgument
from tessera_gql.client.models import (
    ChangeSet,
    ChangeSetSummary,
    Contract,
    ContractDocuments,
    JsonObject,
    Proposal,
    ProposalDetails,
)
from tessera_gql.client.operation import (
    AssetRef,
    Operation,
    PaginatedQuery,
    RootField,
    TeamRef,
    build_asset_ref,
    build_change_set_ref,
    build_filter,
    build_team_ref,
    build_variables,
)
from tessera_gql.client.result_models import AcknowledgeResult, Diff, Impact, PublishResult, RetirementResult

SchemaDef: TypeAlias = Mapping[str, Any]
"""A JSON Schema."""


@dataclass(frozen=True)
class ChangeSetRequest:
    """A change set by its natural key, such as `github.com/org/repo#4711`, with the title, URL and commit that it gets.

    `commit` is the id of the Git commit that is proposed.
    """

    key: str
    title: str | None = None
    url: str | None = None
    commit: str | None = None

    def to_input(self) -> JsonObject:
        return build_variables(key=self.key, title=self.title, url=self.url, commit=self.commit)


def build_change_set_input(change_set: ChangeSetRequest | str | None) -> JsonObject | None:
    """Build the input of a change set, which a string names by its key."""
    request = ChangeSetRequest(change_set) if isinstance(change_set, str) else change_set
    return request.to_input() if request else None


class RetirementOptions(TypedDict, total=False):
    """Options of a retirement, as those of a publish."""

    intent: Intent | None
    change_set: ChangeSetRequest | str | None
    publish_when_approved: bool
    require_explicit_publish: bool
    supersede: bool
    expires_at: datetime | None


class PublishOptions(TypedDict, total=False):
    """Options of a publish; those that are None are left out, except for `guarantees`.

    `guarantees`: carried over from the active contract if left out. `intent`: ASK publishes nothing, and RELEASE, the
    default, publishes what is approved. `change_set`: the pull request or release that the proposal belongs to.
    `require_explicit_publish`: keep an approved proposal for `publish_proposal`. `supersede`: end an open proposal of
    the asset. `force`: publish a breaking change at once; needs the scope ADMIN and a reason.
    `idempotency_key`: the key with which the call can be repeated.
    """

    guarantees: JsonObject | None
    compatibility_mode: CompatibilityMode | None
    version: str | None
    reason: str | None
    metadata: JsonObject | None
    expires_at: datetime | None
    intent: Intent | None
    change_set: ChangeSetRequest | str | None
    publish_when_approved: bool
    require_explicit_publish: bool
    supersede: bool
    force: bool
    dry_run: bool
    idempotency_key: str | None


@dataclass(frozen=True)
class Document:
    """A schema in another format than JSON Schema. `part` selects one of several tables or messages.

    The text of PROTOBUF is a compiled descriptor set in base64.
    """

    format: DocumentFormat
    text: str
    part: str | None = None
    dialect: str | None = None

    def to_input(self) -> JsonObject:
        return build_variables(format=self.format, text=self.text, part=self.part, dialect=self.dialect)


def publish_contract(
    *,
    schema_def: SchemaDef | Document,
    asset_id: str | None = None,
    fqn: str | None = None,
    published_by: TeamRef | None = None,
    **options: Unpack[PublishOptions],
) -> Operation[PublishResult]:
    """Publish a schema. A breaking change that hurts consumers becomes a proposal instead; see `outcome`."""
    if (asset_id is None) == (fqn is None):
        raise InvalidArgument("Say which asset: give `asset_id` or `fqn`, one of them.")
    input_ = {
        "asset": {"id": asset_id} if asset_id else {"fqn": fqn},
        **_build_schema_input(schema_def),
        **build_variables(published_by=build_team_ref(published_by), **_build_options(options)),
    }
    if "guarantees" in options:
        input_["guarantees"] = options["guarantees"]
    return RootField("publishContract", PublishResult).build_idempotent_mutation(input_)


def _build_options(options: Mapping[str, Any]) -> JsonObject:
    """Return the options with the change set as an input."""
    return {**options, "change_set": build_change_set_input(options.get("change_set"))}


def propose_retirement(
    asset: AssetRef, *, reason: str, team: TeamRef | None = None, **options: Unpack[RetirementOptions]
) -> Operation[RetirementResult]:
    """Ask every reader to agree that the asset's contract ends; retires it at once if no other team reads it."""
    values = build_variables(reason=reason, team=build_team_ref(team), **_build_options(options))
    input_ = {"asset": build_asset_ref(asset), **values}
    return RootField("proposeRetirement", RetirementResult).build_idempotent_mutation(input_)


def get_change_set(change_set: str) -> Operation[ChangeSet]:
    """Get a change set by its key or id; raises NotFound."""
    root = RootField("changeSet", ChangeSet, {"by": "ChangeSetRef!"})
    missing = "There is no such change set. `change_sets()` lists them all."
    return root.build_get_query({"by": build_change_set_ref(change_set)}, missing)


def change_sets(*, status: Sequence[ChangeSetStatus] = ()) -> PaginatedQuery[ChangeSetSummary]:
    """List the change sets with one of the statuses, or all, latest first."""
    root = RootField("changeSets", ChangeSetSummary, {"filter": "ChangeSetFilter"})
    return root.build_paginated_query(filter=build_filter(status=("in", status)))


def withdraw_change_set(change_set: str) -> Operation[ChangeSet]:
    """Withdraw a change set by its key or id, with all its open proposals."""
    input_ = {"changeSet": build_change_set_ref(change_set)}
    return RootField("withdrawChangeSet", ChangeSet).build_mutation(input_, payload_field="changeSet")


def publish_change_set(change_set: str) -> Operation[ChangeSet]:
    """Publish all open proposals of a change set by its key or id; raises Conflict unless all are approved."""
    input_ = {"changeSet": build_change_set_ref(change_set)}
    return RootField("publishChangeSet", ChangeSet).build_idempotent_mutation(input_, payload_field="changeSet")


def _build_schema_input(schema: SchemaDef | Document) -> JsonObject:
    return {"document": schema.to_input()} if isinstance(schema, Document) else {"schema": schema}


def export_contract(contract_id: str) -> Operation[ContractDocuments]:
    """Get a contract as an ODCS v3 document, with the document it was published from; raises NotFound."""
    root = RootField("contract", ContractDocuments, {"id": "ID!"})
    return root.build_get_query({"id": contract_id}, "There is no such contract.")


def contracts(*, asset_id: str | None = None) -> PaginatedQuery[Contract]:
    """List contracts, of one asset or of all assets."""
    root = RootField("contracts", Contract, {"filter": "ContractFilter"})
    return root.build_paginated_query(filter=build_filter(asset=("eq", asset_id)))


def get_contract(contract_id: str) -> Operation[Contract]:
    """Get a contract; raises NotFound."""
    root = RootField("contract", Contract, {"id": "ID!"})
    return root.build_get_query({"id": contract_id}, "There is no such contract.")


def retire_contract(contract_id: str) -> Operation[Contract]:
    """Retire a contract for good. An active contract can only be retired if the asset has no other consumers."""
    return RootField("retireContract", Contract).build_mutation({"contract": contract_id}, payload_field="contract")


def impact(
    schema_def: SchemaDef | Document,
    *,
    asset: AssetRef,
    guarantees: JsonObject | None = None,
    compatibility_mode: CompatibilityMode | None = None,
) -> Operation[Impact]:
    """Compute what publishing a schema would do and which teams would be asked. Writes nothing."""
    types = {
        "asset": "AssetRef!",
        "schema": "JSON",
        "document": "DocumentInput",
        "guarantees": "JSON",
        "compatibilityMode": "CompatibilityMode",
    }
    optional = build_variables(guarantees=guarantees, compatibility_mode=compatibility_mode)
    variables = {"asset": build_asset_ref(asset), **_build_schema_input(schema_def), **optional}
    arguments = {name: type_ for name, type_ in types.items() if name in variables}
    return RootField("impact", Impact, arguments).build_get_query(variables, "The server could not tell the impact.")


def diff(old: SchemaDef, new: SchemaDef, *, mode: CompatibilityMode = CompatibilityMode.BACKWARD) -> Operation[Diff]:
    """Compare two JSON Schemas as a publish does."""
    root = RootField("diffSchemas", Diff, {"old": "JSON!", "new": "JSON!", "mode": "CompatibilityMode!"})
    return root.build_get_query({"old": old, "new": new, "mode": mode}, "There is no difference.")


def get_proposal(proposal_id: str) -> Operation[ProposalDetails]:
    """Get a proposal with its acknowledgments; raises NotFound."""
    root = RootField("proposal", ProposalDetails, {"id": "ID!"})
    return root.build_get_query({"id": proposal_id}, "There is no such proposal. `proposals()` lists them all.")


def proposals(
    *, asset_id: str | None = None, change_set_id: str | None = None, status: Sequence[ProposalStatus] = ()
) -> PaginatedQuery[Proposal]:
    """List the proposals that match all of the filters, latest first."""
    root = RootField("proposals", Proposal, {"filter": "ProposalFilter"})
    filter_ = build_filter(asset=("eq", asset_id), changeSet=("eq", change_set_id), status=("in", status))
    return root.build_paginated_query(filter=filter_)


def acknowledge(
    proposal_id: str,
    response: AcknowledgmentResponse,
    *,
    team: TeamRef | None = None,
    migration_deadline: datetime | None = None,
    notes: str | None = None,
    idempotency_key: str | None = None,
) -> Operation[AcknowledgeResult]:
    """Acknowledge a proposal for a team; the team defaults to that of the key. MIGRATING needs a deadline."""
    values = build_variables(
        response=response,
        team=build_team_ref(team),
        migration_deadline=migration_deadline,
        notes=notes,
        idempotency_key=idempotency_key,
    )
    root = RootField("acknowledgeProposal", AcknowledgeResult)
    return root.build_idempotent_mutation({"proposal": proposal_id, **values})


def extend_proposal(proposal_id: str, expires_at: datetime) -> Operation[Proposal]:
    """Keep an open proposal open until a later moment."""
    input_ = {"proposal": proposal_id, **build_variables(expires_at=expires_at)}
    return RootField("extendProposal", Proposal).build_mutation(input_, payload_field="proposal")


def withdraw_proposal(proposal_id: str) -> Operation[Proposal]:
    """Withdraw an open proposal, without publishing it."""
    return RootField("withdrawProposal", Proposal).build_mutation({"proposal": proposal_id}, payload_field="proposal")


def publish_proposal(
    proposal_id: str,
    *,
    published_by: TeamRef | None = None,
    waive_coverage: bool = False,
    reason: str | None = None,
    idempotency_key: str | None = None,
) -> Operation[Contract]:
    """Publish an approved proposal and return its contract, or the retired contract.

    With `waive_coverage` and a `reason` an administrator publishes one that is held for coverage.

    Raises Conflict while answers are missing, and if a newer contract adds breaks whose readers were not asked.
    """
    team = build_team_ref(published_by)
    input_ = build_variables(
        proposal=proposal_id,
        published_by=team,
        waive_coverage=waive_coverage or None,
        reason=reason,
        idempotency_key=idempotency_key,
    )
    return RootField("publishProposal", Contract).build_idempotent_mutation(input_, payload_field="contract")
