"""Mutations of contracts: publish and retire. A breaking change is not an error; its outcome is PROPOSED."""

from datetime import datetime
from typing import Any, cast

import strawberry
from strawberry import UNSET

from tessera_gql.diff import Mode
from tessera_gql.formats.schema_documents import ParsedContract
from tessera_gql.graphql.changes import SchemaDiff
from tessera_gql.graphql.contracts import Contract
from tessera_gql.graphql.filters import optional, or_none
from tessera_gql.graphql.ids import local_id
from tessera_gql.graphql.mutations import Call, CreatingInput, Input, Payload, mutation
from tessera_gql.graphql.proposals import Proposal
from tessera_gql.graphql.refs import AssetRefInput, TeamRefInput, team_ref
from tessera_gql.graphql.scalars import JSON
from tessera_gql.graphql.sources import DocumentInput, parse_contract
from tessera_gql.graphql.type_registry import to_type
from tessera_gql.policy.enums import Outcome
from tessera_gql.store import assets
from tessera_gql.workflows import contracts, publishing
from tessera_gql.workflows.publishing import KEEP_CURRENT, PublishRequest


@strawberry.input(description="The data of a contract to publish for an asset.")
class PublishContractInput(CreatingInput):
    asset: AssetRefInput = strawberry.field(description="The asset to publish for, by id or fqn.")
    schema: JSON | None = optional("The JSON Schema of the data; give either this or `document`.")
    document: DocumentInput | None = optional(
        "The contract in another format, instead of `schema`; its guarantees apply if `guarantees` is left out."
    )
    guarantees: JSON | None = optional(
        "The guarantees that go with the schema; those of the active contract if left out, none if null."
    )
    compatibility_mode: Mode | None = optional(
        "The compatibility mode for the change after this one; the active contract's if left out."
    )
    version: str | None = optional("The semantic version; the next one that the changes require if left out.")
    published_by: TeamRefInput | None = optional("The team that publishes; the team of the API key if left out.")
    force: bool = strawberry.field(
        default=False, description="Publish even a breaking change at once. Needs the scope ADMIN and a `reason`."
    )
    supersede: bool = strawberry.field(
        default=False, description="Replace an open proposal of the asset and ask the teams again."
    )
    reason: str | None = optional("The reason for the change, as the asked teams will read it.")
    publish_when_approved: bool = strawberry.field(
        default=False, description="Publish a proposal as soon as all asked teams consent."
    )
    expires_at: datetime | None = optional("The time at which a proposal expires; in 30 days if left out.")
    metadata: JSON | None = optional("Free data of your own about the contract, as a JSON object.")
    dry_run: bool = strawberry.field(
        default=False, description="Execute the mutation and return its payload, then roll everything back."
    )


@strawberry.type(description="The result of `publishContract`.")
class PublishContractPayload(Payload):
    outcome: Outcome | None = strawberry.field(
        default=None, description="The outcome of the publish; null if refused.", metadata={"recall": Outcome}
    )
    contract: Contract | None = strawberry.field(
        default=None, description="The contract that is active after the publish; null if there is none."
    )
    proposal: Proposal | None = strawberry.field(
        default=None,
        description="The proposal that was opened, or that is already open for this change; null if there is none.",
    )
    diff: SchemaDiff | None = strawberry.field(
        default=None,
        description="The differences from the contract before, judged under its compatibility mode.",
        metadata={"recall": SchemaDiff.recall},
    )


def to_publish_request(arguments: PublishContractInput, parsed: ParsedContract) -> PublishRequest:
    default_guarantees = KEEP_CURRENT if parsed.guarantees is None else parsed.guarantees
    guarantees = default_guarantees if arguments.guarantees is UNSET else arguments.guarantees
    document = or_none(arguments.document)
    return PublishRequest(
        schema=parsed.schema,
        guarantees=cast("dict[str, Any] | None", guarantees),
        mode=or_none(arguments.compatibility_mode),
        version=or_none(arguments.version),
        team=team_ref(or_none(arguments.published_by), "published_by"),
        force=arguments.force,
        supersede=arguments.supersede,
        publish_when_approved=arguments.publish_when_approved,
        reason=or_none(arguments.reason),
        expires_at=or_none(arguments.expires_at),
        metadata=or_none(arguments.metadata),
        source=document.to_source() if document else None,
    )


async def publish_contract(call: Call, arguments: PublishContractInput) -> PublishContractPayload:
    ref = arguments.asset.to_ref()
    document = or_none(arguments.document)
    fqn = (await assets.get(call.session, ref)).fqn if document else None
    parsed = await parse_contract(call.session.compute, arguments.schema, document, fqn)
    published = await publishing.publish_contract(call.session, call.actor, ref, to_publish_request(arguments, parsed))
    return PublishContractPayload(
        outcome=published.outcome,
        contract=to_type("Contract", published.contract),
        proposal=to_type("Proposal", published.proposal),
        diff=SchemaDiff.of(published.judgement),
    )


@strawberry.input(description="The contract to retire.")
class RetireContractInput(Input):
    contract: strawberry.ID = strawberry.field(description="The id of the contract to retire.")


@strawberry.type(description="The result of `retireContract`.")
class RetireContractPayload(Payload):
    contract: Contract | None = strawberry.field(
        default=None, description="The outcome of the publish; null if refused."
    )


async def retire_contract(call: Call, arguments: RetireContractInput) -> RetireContractPayload:
    identity = local_id(arguments.contract, "Contract", field=("contract",))
    return RetireContractPayload(contract=Contract.of(await contracts.retire(call.session, call.actor, identity)))


@strawberry.type
class Mutations:
    publish_contract: Any = mutation(
        publish_contract,
        "Publish a schema if it is compatible; otherwise open a proposal for the teams that the change breaks.",
        team="published_by",
        mode="compatibility_mode",
    )
    retire_contract: Any = mutation(
        retire_contract,
        "Retire a contract for good. The active contract can be retired only if no other team reads the asset.",
    )
