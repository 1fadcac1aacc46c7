"""Operations on what is promised: contracts, proposals and their answers, impact and diff."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeAlias, TypedDict

from typing_extensions import Unpack

from tessera_gql.client.nouns import (
    Acknowledged,
    Contract,
    ContractDocuments,
    Diff,
    Impact,
    JsonObject,
    Proposal,
    ProposalWithAnswers,
    Publication,
    Question,
)
from tessera_gql.client.operation import (
    AssetRef,
    Field,
    Listing,
    Operation,
    TeamRef,
    asset_ref,
    change,
    create,
    get,
    given,
    nested,
    pages,
    team_ref,
)
from tessera_gql.client.words import AcknowledgmentResponse, CompatibilityMode, DocumentFormat, ProposalStatus

SchemaDef: TypeAlias = Mapping[str, Any]
"""A JSON Schema."""


class Publishing(TypedDict, total=False):
    """`guarantees` are kept if left out; `supersede` ends another open proposal; `force` needs ADMIN and a reason."""

    guarantees: JsonObject | None
    compatibility_mode: CompatibilityMode
    version: str
    reason: str
    metadata: JsonObject
    expires_at: datetime
    publish_when_approved: bool
    supersede: bool
    force: bool
    dry_run: bool


@dataclass(frozen=True)
class Document:
    """What describes the data in another format than JSON Schema; `part` names one of several tables or messages.

    PROTOBUF is a compiled descriptor set, as base64.
    """

    format: DocumentFormat
    text: str
    part: str | None = None
    dialect: str | None = None

    @property
    def sent(self) -> JsonObject:
        return given(format=self.format, text=self.text, part=self.part, dialect=self.dialect)


def publish_contract(
    *,
    schema_def: SchemaDef | Document,
    asset_id: str | None = None,
    fqn: str | None = None,
    published_by: TeamRef | None = None,
    **options: Unpack[Publishing],
) -> Operation[Publication]:
    """Publishes what is compatible; what breaks somebody becomes a proposal: look at `outcome`."""
    if (asset_id is None) == (fqn is None):
        raise ValueError("Say which asset: give `asset_id` or `fqn`, one of them.")
    said = {
        "asset": {"id": asset_id} if asset_id else {"fqn": fqn},
        **_offered(schema_def),
        **given(published_by=team_ref(published_by), **options),
    }
    if "guarantees" in options:
        said["guarantees"] = options["guarantees"]
    return create(Field("publishContract", Publication), said)


def _offered(schema: SchemaDef | Document) -> JsonObject:
    return {"document": schema.sent} if isinstance(schema, Document) else {"schema": schema}


def export_contract(contract_id: str) -> Operation[ContractDocuments]:
    """As a data contract of ODCS v3, and the document that it came from; raises NotFound."""
    return get(Field("contract", ContractDocuments, {"id": "ID!"}), {"id": contract_id}, "There is no such contract.")


def contracts(*, asset_id: str | None = None) -> Listing[Contract]:
    where = {"asset": {"eq": asset_id}} if asset_id else None
    return pages(Field("contracts", Contract, {"filter": "ContractFilter"}), filter=where)


def get_contract(contract_id: str) -> Operation[Contract]:
    """Raises NotFound."""
    return get(Field("contract", Contract, {"id": "ID!"}), {"id": contract_id}, "There is no such contract.")


def retire_contract(contract_id: str) -> Operation[Contract]:
    """For good; the active one only if nobody else reads the asset."""
    return change(Field("retireContract", Contract), {"contract": contract_id}, of="contract")


def impact(
    schema_def: SchemaDef | Document,
    *,
    asset: AssetRef,
    guarantees: JsonObject | None = None,
    compatibility_mode: CompatibilityMode | None = None,
) -> Operation[Impact]:
    """What publishing this would come to, and who would be asked. Nothing is written."""
    types = {
        "asset": "AssetRef!",
        "schema": "JSON",
        "document": "DocumentInput",
        "guarantees": "JSON",
        "compatibilityMode": "CompatibilityMode",
    }
    said = _offered(schema_def) | given(guarantees=guarantees, compatibility_mode=compatibility_mode)
    declared = {name: kind for name, kind in types.items() if kind.endswith("!") or name in said}
    variables = {"asset": asset_ref(asset), **said}
    return get(Field("impact", Impact, declared), variables, "The server could not tell the impact.")


def diff(old: SchemaDef, new: SchemaDef, *, mode: CompatibilityMode = CompatibilityMode.BACKWARD) -> Operation[Diff]:
    """Two JSON Schemas compared as a publish would."""
    types = {"old": "JSON!", "new": "JSON!", "mode": "CompatibilityMode!"}
    return get(Field("diffSchemas", Diff, types), {"old": old, "new": new, "mode": mode}, "There is no difference.")


def get_proposal(proposal_id: str) -> Operation[ProposalWithAnswers]:
    """Raises NotFound."""
    root = Field("proposal", ProposalWithAnswers, {"id": "ID!"})
    return get(root, {"id": proposal_id}, "There is no such proposal. `proposals()` lists them all.")


def proposals(*, asset_id: str | None = None, status: Sequence[ProposalStatus] = ()) -> Listing[Proposal]:
    """The latest first."""
    where = given(asset={"eq": asset_id} if asset_id else None, status={"in": [*status]} if status else None)
    return pages(Field("proposals", Proposal, {"filter": "ProposalFilter"}), filter=where or None)


def acknowledge(
    proposal_id: str,
    response: AcknowledgmentResponse,
    *,
    team: TeamRef | None = None,
    migration_deadline: datetime | None = None,
    notes: str | None = None,
) -> Operation[Acknowledged]:
    """Answers for a team that is asked; without a team, for the key's own."""
    answer = given(response=response, team=team_ref(team), migration_deadline=migration_deadline, notes=notes)
    return change(Field("acknowledgeProposal", Acknowledged), {"proposal": proposal_id, **answer})


def withdraw_proposal(proposal_id: str) -> Operation[Proposal]:
    return change(Field("withdrawProposal", Proposal), {"proposal": proposal_id}, of="proposal")


def publish_proposal(proposal_id: str, *, published_by: TeamRef | None = None) -> Operation[Contract]:
    """Exactly what was approved; raises Stale or Conflict if the world has moved."""
    said = given(proposal=proposal_id, published_by=team_ref(published_by))
    return change(Field("publishProposal", Contract), said, of="contract")


def inbox(team: TeamRef | None = None) -> Listing[Question]:
    """What waits for the team's answer; without a team, for the key's own."""
    if team is None:
        return nested(Field("viewer", Question), "inbox", {}, "This key belongs to no team.")
    missing = "There is no such team. `teams()` lists them all."
    return nested(Field("team", Question, {"by": "TeamRef!"}), "inbox", {"by": team_ref(team)}, missing)
