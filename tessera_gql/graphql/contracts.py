"""Contracts: what an asset promised, version by version."""

from datetime import datetime
from functools import partial
from typing import Annotated

import strawberry
from strawberry import UNSET

from tessera_gql.diff import Mode
from tessera_gql.errors import Invalid, NotFound
from tessera_gql.formats import odcs
from tessera_gql.formats.sources import Format
from tessera_gql.graphql.changes import Change, SchemaDiff, compared, listed
from tessera_gql.graphql.context import Info
from tessera_gql.graphql.filters import given
from tessera_gql.graphql.ids import Node, local_id
from tessera_gql.graphql.lists import CONTRACTS, REGISTRATIONS
from tessera_gql.graphql.nouns import computed
from tessera_gql.graphql.pages import Connection, pages
from tessera_gql.graphql.relations import by_id, one
from tessera_gql.graphql.rows import from_row
from tessera_gql.graphql.scalars import JSON
from tessera_gql.graphql.sources import ContractSource
from tessera_gql.policy.publish import Terms
from tessera_gql.policy.words import ChangeType, ContractStatus
from tessera_gql.store import tables


@from_row(schema="schema_def", metadata="meta")
@strawberry.type(description="One published version of what an asset promises; it never changes, only its status does.")
class Contract(Node):
    row: strawberry.Private[tables.Contract]
    version: str = strawberry.field(description="Its semantic version.")
    schema: JSON = strawberry.field(description="The JSON Schema of the data.")
    guarantees: JSON | None = strawberry.field(description="What is promised beside the schema, such as freshness.")
    compatibility_mode: Mode = strawberry.field(description="The mode that judges the next change.")
    status: ContractStatus = strawberry.field(description="Where it is in its life.")
    change_type: ChangeType = strawberry.field(description="How far the version moved with it.")
    schema_hash: str = strawberry.field(description="SHA-256 of the schema in canonical form.")
    metadata: JSON = strawberry.field(description="Anything else that is worth knowing, as an object.")
    published_at: datetime = strawberry.field(description="When it was published.")

    asset = one("Asset", lambda loaders: loaders.asset, "asset_id", description="What it is about.")
    published_by = one("Team", lambda loaders: loaders.team, "published_by", description="Who published it.")
    proposal = one(
        "Proposal",
        lambda loaders: loaders.proposal_of_contract,
        "id",
        nullable=True,
        description="The proposal it came from, if it was a breaking change.",
    )
    registrations = pages(
        REGISTRATIONS, "asset_id", "asset_id", description="Who reads the asset: a registration is to no version."
    )

    @computed("The document it was read from, unless it came as a JSON Schema.")
    def source(self) -> ContractSource | None:
        return ContractSource.of(self.row.source)

    @computed("The contract as a document of another format. Only ODCS can be written.")
    async def exported(
        self,
        info: Info,
        format: Annotated[Format, strawberry.argument(description="What to write it in.")] = Format.ODCS,  # noqa: A002 - the graph's name
    ) -> str:
        if format is not Format.ODCS:
            raise Invalid(
                f"A contract can't be written as {format}, only as ODCS. `schema` is its JSON Schema, and `source` the"
                " document it came from.",
                field=("format",),
            )
        asset = await info.context.loaders.asset.load(self.row.asset_id)
        if asset is None or (team := await info.context.loaders.team.load(asset.owner_team_id)) is None:
            raise NotFound("The asset of this contract is gone.")
        write = partial(
            odcs.write, asset.fqn, self.version, self.row.schema_def, description=asset.description, team=team.name
        )
        return await info.context.computer.run(write)

    @computed("What differs from the contract published just before; nothing for the first.")
    async def changes_from_previous(self, info: Info) -> list[Change]:
        before = await info.context.loaders.previous_contract.load(self.row.id)
        if before is None:
            return []
        difference = await compared(info.context, terms(before), terms(self.row))
        return listed(info.context, difference.judgement.changes)

    @computed("What differs from this contract to another one.")
    async def diff(
        self,
        info: Info,
        to: Annotated[strawberry.ID, strawberry.argument(description="The contract to compare with.")],
        mode: Annotated[
            Mode | None, strawberry.argument(description="The mode that judges; this contract's if left out.")
        ] = UNSET,
    ) -> SchemaDiff:
        other = await info.context.loaders.contract.load(local_id(to, "Contract", field=("to",)))
        if other is None:
            raise Invalid("There is no contract with the id in `to`. Use one of the asset's contracts.", field=("to",))
        return await compared(info.context, terms(self.row, given(mode)), terms(other))


def terms(row: tables.Contract, mode: Mode | None = None) -> Terms:
    return Terms(row.schema_def, row.guarantees, mode or row.compatibility_mode, row.schema_hash)


@strawberry.type(description="A page of contracts.")
class ContractConnection(Connection[Contract]):
    pass


@strawberry.type
class Queries:
    contracts = pages(CONTRACTS, description="All contracts, the latest first.")

    contract = by_id("Contract", lambda loaders: loaders.contract, description="One contract; null if there is none.")
