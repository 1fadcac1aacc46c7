"""Contracts: the published versions of an asset's schema and guarantees.

A breaking change is not an error of `publishContract`; its outcome is PROPOSED.
"""

from datetime import datetime
from functools import partial
from typing import Annotated, Any
from uuid import UUID

import strawberry
from strawberry import UNSET, argument

from tessera_gql.diff import Mode
from tessera_gql.errors import Invalid, NotFound
from tessera_gql.formats import odcs
from tessera_gql.formats.schema_documents import ParsedContract, SchemaFormat
from tessera_gql.graphql.change_sets import ChangeSetInput, open_change_set
from tessera_gql.graphql.changes import Change, SchemaDiff, diff_rows, to_changes
from tessera_gql.graphql.connections import Connection, connection
from tessera_gql.graphql.context import Info
from tessera_gql.graphql.filters import flag, optional, or_none
from tessera_gql.graphql.ids import Node, local_id
from tessera_gql.graphql.listings import CONTRACTS, REGISTRATIONS
from tessera_gql.graphql.mutations import Call, CreatingInput, Input, Payload, mutation, payload_field
from tessera_gql.graphql.refs import AssetRefInput, TeamRefInput, team_ref
from tessera_gql.graphql.relations import relation, root_by_id
from tessera_gql.graphql.row_types import from_row
from tessera_gql.graphql.scalars import JSON
from tessera_gql.graphql.sources import ContractSource, DocumentInput, choose_guarantees, parse_contract
from tessera_gql.graphql.type_registry import computed_field, lazy_type, to_type
from tessera_gql.policy.compatibility import judge_changes
from tessera_gql.policy.enums import ChangeType, ContractStatus, Intent, Outcome
from tessera_gql.store import assets, tables
from tessera_gql.workflows import contracts, publishing
from tessera_gql.workflows.publishing import PublishRequest


async def _diff_contracts(info: Info, old: tables.Contract, new: tables.Contract) -> SchemaDiff:
    key = ((old.id, old.compatibility_mode), (new.id, new.compatibility_mode))
    return await diff_rows(info.context, key, lambda: (contracts.terms_of(old), contracts.terms_of(new)))


@from_row(schema="schema_def", metadata="meta")
@strawberry.type(
    description="One published version of an asset's schema and guarantees; only status and metadata ever change."
)
class Contract(Node):
    row: strawberry.Private[tables.Contract]
    version: str = strawberry.field(description="The semantic version, such as `1.2.0`.")
    schema: JSON = strawberry.field(description="The JSON Schema of the asset's data.")
    guarantees: JSON | None = strawberry.field(
        description="The guarantees that go with the schema, such as freshness or volume; null if there are none."
    )
    compatibility_mode: Mode = strawberry.field(
        description="The compatibility mode that decides whether the next change is breaking."
    )
    status: ContractStatus = strawberry.field(description="The stage of the contract's life.")
    change_type: ChangeType = strawberry.field(description="The part of the version that this contract raised.")
    schema_hash: str = strawberry.field(description="The SHA-256 hash of the schema in canonical form, in hexadecimal.")
    metadata: JSON = strawberry.field(description="Free data of your own about the contract, as a JSON object.")
    published_at: datetime = strawberry.field(description="The time at which the contract was published.")

    asset = relation("Asset", "row.asset_id", "The asset of the contract.")
    published_by = relation("Team", "row.published_by", "The team that published the contract.")
    proposal = relation(
        "Proposal",
        "row.id",
        "The proposal that led to this contract; null if it was published directly.",
        loader=lambda loaders: loaders.proposal_of_contract,
        nullable=True,
    )
    registrations = connection(
        REGISTRATIONS,
        "asset_id",
        "asset_id",
        description="The registrations of the asset's consumers, which belong to the asset and not to one version.",
    )

    @computed_field("The document that the contract was read from; null if it was published by `schema`.")
    def source(self) -> ContractSource | None:
        return ContractSource.of(self.row.source)

    @computed_field("The contract as a document of another format; ODCS is the only one so far.")
    async def exported(
        self,
        info: Info,
        format: Annotated[SchemaFormat, argument("The format of the document.")] = SchemaFormat.ODCS,  # noqa: A002 - the name in the schema
    ) -> str:
        if format is not SchemaFormat.ODCS:
            raise Invalid(
                f"A contract can't be written as {format}, only as ODCS. `schema` is its JSON Schema, and `source` the"
                " document it came from.",
                field=("format",),
            )
        asset = await info.context.loaders.asset.load(self.row.asset_id)
        if asset is None or (team := await info.context.loaders.team.load(asset.owner_team_id)) is None:
            raise NotFound("The asset of this contract is gone.")
        write = partial(
            odcs.render_contract,
            asset.fqn,
            self.version,
            self.row.schema_def,
            guarantees=self.row.guarantees,
            mode=self.row.compatibility_mode,
            description=asset.description,
            team=team.name,
        )
        return await info.context.computer.run(write)

    @computed_field("The changes from the contract published just before; empty for the first contract.")
    async def changes_from_previous(self, info: Info) -> list[Change]:
        previous = await info.context.loaders.previous_contract.load(self.row.id)
        if previous is None:
            return []
        difference = await _diff_contracts(info, previous, self.row)
        return to_changes(info.context, difference.judgement.changes)

    @computed_field("The differences from this contract to another one.")
    async def diff(
        self,
        info: Info,
        to: Annotated[strawberry.ID, argument("The id of the contract to compare with.")],
        mode: Annotated[
            Mode | None, argument("The compatibility mode to judge by; this contract's own if left out.")
        ] = UNSET,
    ) -> SchemaDiff:
        target = await info.context.loaders.contract.load(local_id(to, "Contract", field=("to",)))
        if target is None:
            raise Invalid("There is no contract with the id in `to`. Use one of the asset's contracts.", field=("to",))
        difference = await _diff_contracts(info, self.row, target)
        judging_mode = or_none(mode) or self.row.compatibility_mode
        return SchemaDiff.of(judge_changes(difference.judgement.changes, judging_mode), difference.read_schemas)


@strawberry.type(description="One page of a list of contracts.")
class ContractConnection(Connection[Contract]): ...


@strawberry.type
class Queries:
    contracts = connection(CONTRACTS, description="All contracts of the catalog, the latest first.")

    contract = root_by_id("Contract", "The contract with this id; null if there is none.")


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
        "The mode for the change after this one; if left out, that of an exported document, or the active contract's."
        " A weaker mode is a breaking change."
    )
    version: str | None = optional("The semantic version; the next one that the changes require if left out.")
    published_by: TeamRefInput | None = optional("The team that publishes; the team of the API key if left out.")
    intent: Intent = strawberry.field(
        default=Intent.RELEASE,
        description="ASK for a change in review, which publishes nothing; RELEASE to publish what is approved.",
    )
    change_set: ChangeSetInput | None = optional("The change set that the proposal belongs to.")
    force: bool = flag("Publish even a breaking change at once. Needs the scope ADMIN and a `reason`.")
    supersede: bool = flag("Replace an open proposal of the asset and ask the teams again.")
    reason: str | None = optional("The reason for the change, as the asked teams will read it.")
    publish_when_approved: bool = flag("Publish a proposal as soon as all asked teams consent.")
    require_explicit_publish: bool = flag("Keep an approved proposal for `publishProposal`: no release publishes it.")
    expires_at: datetime | None = optional(
        "The time at which a proposal expires; by the ask policy of the tier of the asset if left out."
    )
    metadata: JSON | None = optional("Free data of your own about the contract, as a JSON object.")
    dry_run: bool = flag("Execute the mutation and return its payload, then roll everything back.")


@strawberry.type(description="The result of `publishContract`.")
class PublishContractPayload(Payload):
    outcome: Outcome | None = payload_field("The outcome of the publish; null if refused.", load=Outcome)
    contract: Contract | None = payload_field("The contract that is active after the publish; null if there is none.")
    proposal: Any = payload_field(
        "The proposal of this change; if nothing changed, the one that is open for the asset. Null if there is none.",
        graphql_type=lazy_type("Proposal") | None,
    )
    diff: SchemaDiff | None = payload_field(
        "The differences from the contract before, judged under its compatibility mode.", load=SchemaDiff.from_json
    )
    warnings: list[str] | None = payload_field(
        "The parts of the document that were left out, with reasons; null if refused.", load=list
    )


def to_publish_request(
    arguments: PublishContractInput, parsed: ParsedContract, change_set_id: UUID | None
) -> PublishRequest:
    document = or_none(arguments.document)
    return PublishRequest(
        schema=parsed.schema,
        guarantees=choose_guarantees(arguments.guarantees, parsed),
        mode=or_none(arguments.compatibility_mode) or parsed.mode,
        version=or_none(arguments.version),
        team=team_ref(arguments.published_by, "published_by"),
        force=arguments.force,
        supersede=arguments.supersede,
        intent=arguments.intent,
        publish_when_approved=arguments.publish_when_approved,
        require_explicit_publish=arguments.require_explicit_publish,
        change_set_id=change_set_id,
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
    change_set_id = await open_change_set(call, or_none(arguments.change_set))
    request = to_publish_request(arguments, parsed, change_set_id)
    published = await publishing.publish_contract(call.session, call.actor, ref, request)
    return PublishContractPayload(
        outcome=published.outcome,
        contract=to_type("Contract", published.contract),
        proposal=to_type("Proposal", published.proposal),
        diff=SchemaDiff.of(published.judgement),
        warnings=list(parsed.warnings),
    )


@strawberry.input(description="The contract to retire.")
class RetireContractInput(Input):
    contract: strawberry.ID = strawberry.field(description="The id of the contract to retire.")


@strawberry.type(description="The result of `retireContract`.")
class RetireContractPayload(Payload):
    contract: Contract | None = payload_field("The retired contract; null if refused.")


async def retire_contract(call: Call, arguments: RetireContractInput) -> RetireContractPayload:
    identity = local_id(arguments.contract, "Contract", field=("contract",))
    return RetireContractPayload(contract=Contract.of(await contracts.retire(call.session, call.actor, identity)))


@strawberry.type
class Mutations:
    publish_contract: Any = mutation(
        publish_contract,
        "Publish a schema that breaks no other team or that all asked teams approved; otherwise open a proposal for the"
        " teams that the change breaks. With the intent ASK nothing is published.",
        team="published_by",
        mode="compatibility_mode",
    )
    retire_contract: Any = mutation(
        retire_contract,
        "Retire a contract for good. The active contract can be retired only if no other team reads the asset; if one"
        " does, use `proposeRetirement`.",
    )
