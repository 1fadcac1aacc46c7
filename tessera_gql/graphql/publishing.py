"""Publishing and retiring contracts. A breaking change is no error: its outcome is PROPOSED."""

from datetime import datetime
from typing import Any, cast

import strawberry
from strawberry import UNSET

from tessera_gql.diff import Mode
from tessera_gql.formats.sources import Promised
from tessera_gql.graphql.changes import SchemaDiff
from tessera_gql.graphql.contracts import Contract
from tessera_gql.graphql.filters import given, optional
from tessera_gql.graphql.ids import local_id
from tessera_gql.graphql.mutations import Call, CreatingInput, Input, Payload, mutation
from tessera_gql.graphql.nouns import shown
from tessera_gql.graphql.proposals import Proposal
from tessera_gql.graphql.refs import AssetRefInput, TeamRefInput, team_ref
from tessera_gql.graphql.scalars import JSON
from tessera_gql.graphql.sources import DocumentInput, promised
from tessera_gql.policy.words import Outcome
from tessera_gql.store import assets
from tessera_gql.workflows import contracts, publishing
from tessera_gql.workflows.publishing import KEEP, PublishRequest


@strawberry.input(description="A schema to publish for an asset.")
class PublishContractInput(CreatingInput):
    asset: AssetRefInput = strawberry.field(description="What it is about.")
    schema: JSON | None = optional("The JSON Schema of the data; either this or `document`.")
    document: DocumentInput | None = optional("The same in another format; its guarantees count if none are given.")
    guarantees: JSON | None = optional("What is promised beside the schema; kept if left out, null promises nothing.")
    compatibility_mode: Mode | None = optional("The mode that judges the change after this one; kept if left out.")
    version: str | None = optional("The semantic version; the next honest one if left out.")
    published_by: TeamRefInput | None = optional("The team that publishes; the key's own if left out.")
    force: bool = strawberry.field(
        default=False, description="Publish although it breaks something. Needs the scope ADMIN and a reason."
    )
    supersede: bool = strawberry.field(default=False, description="End another open proposal and ask afresh.")
    reason: str | None = optional("Why the change is needed; the asked teams read it.")
    publish_when_approved: bool = strawberry.field(default=False, description="Let the last consent publish it.")
    expires_at: datetime | None = optional("When a proposal runs out; in 30 days if left out.")
    metadata: JSON | None = optional("Anything else that is worth knowing, as an object.")
    dry_run: bool = strawberry.field(default=False, description="Do everything, answer, and take it all back.")


@strawberry.type(description="What a publish came to.")
class PublishContractPayload(Payload):
    outcome: Outcome | None = strawberry.field(
        default=None, description="Null if it was refused.", metadata={"recall": Outcome}
    )
    contract: Contract | None = strawberry.field(default=None, description="The contract that is active now.")
    proposal: Proposal | None = strawberry.field(default=None, description="The proposal that was opened, or is open.")
    diff: SchemaDiff | None = strawberry.field(
        default=None,
        description="What differs from the contract before, judged under its mode.",
        metadata={"recall": SchemaDiff.recall},
    )


def request(asked: PublishContractInput, offered: Promised) -> PublishRequest:
    kept = KEEP if offered.guarantees is None else offered.guarantees
    guarantees = kept if asked.guarantees is UNSET else asked.guarantees
    document = given(asked.document)
    return PublishRequest(
        schema=offered.schema,
        guarantees=cast("dict[str, Any] | None", guarantees),
        mode=given(asked.compatibility_mode),
        version=given(asked.version),
        team=team_ref(given(asked.published_by), "published_by"),
        force=asked.force,
        supersede=asked.supersede,
        publish_when_approved=asked.publish_when_approved,
        reason=given(asked.reason),
        expires_at=given(asked.expires_at),
        metadata=given(asked.metadata),
        source=document.local() if document else None,
    )


async def publish_contract(call: Call, asked: PublishContractInput) -> PublishContractPayload:
    ref = asked.asset.local()
    document = given(asked.document)
    fqn = (await assets.get(call.session, ref)).fqn if document else None
    offered = await promised(call.session.compute, asked.schema, document, fqn)
    done = await publishing.publish_contract(call.session, call.actor, ref, request(asked, offered))
    return PublishContractPayload(
        outcome=done.outcome,
        contract=shown("Contract", done.contract),
        proposal=shown("Proposal", done.proposal),
        diff=SchemaDiff.of(done.judgement),
    )


@strawberry.input(description="A contract to end.")
class RetireContractInput(Input):
    contract: strawberry.ID = strawberry.field(description="Which one.")


@strawberry.type(description="The contract that was ended.")
class RetireContractPayload(Payload):
    contract: Contract | None = strawberry.field(default=None, description="Null if it was refused.")


async def retire_contract(call: Call, asked: RetireContractInput) -> RetireContractPayload:
    identity = local_id(asked.contract, "Contract", field=("contract",))
    return RetireContractPayload(contract=Contract.of(await contracts.retire(call.session, call.actor, identity)))


@strawberry.type
class Mutations:
    publish_contract: Any = mutation(
        publish_contract,
        "Publishes a schema if it is compatible, and proposes it to the teams it hurts if it is not.",
        team="published_by",
        mode="compatibility_mode",
    )
    retire_contract: Any = mutation(
        retire_contract, "Ends a contract for good; the active one only if nobody else reads the asset."
    )
