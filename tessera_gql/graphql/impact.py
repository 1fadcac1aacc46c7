"""The query `impact`: what publishing a schema would do, by the same decisions as the publish. Writes nothing."""

from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Self
from uuid import UUID

import strawberry
from graphql import GraphQLError
from strawberry import UNSET, argument

from tessera_gql import diff
from tessera_gql.diff import Bump, Mode
from tessera_gql.errors import Invalid
from tessera_gql.graphql.changes import Change, to_changes
from tessera_gql.graphql.connections import After, Before, First, Last
from tessera_gql.graphql.context import Info
from tessera_gql.graphql.coverage import MissingCoverage, asset_change_coverage
from tessera_gql.graphql.declared_fields import load_contract_fields
from tessera_gql.graphql.filters import or_none
from tessera_gql.graphql.ids import RowBacked
from tessera_gql.graphql.lineage import LineageConnection, LineageStart, lineage_page
from tessera_gql.graphql.reason_paths import ReasonPath, to_paths
from tessera_gql.graphql.refs import AssetRefInput
from tessera_gql.graphql.relations import relation
from tessera_gql.graphql.row_types import from_row
from tessera_gql.graphql.scalars import JSON
from tessera_gql.graphql.slices import SliceRequest
from tessera_gql.graphql.sources import DocumentInput, choose_guarantees, parse_contract
from tessera_gql.graphql.type_registry import computed_field, lazy_list, lazy_type, to_type
from tessera_gql.graphql.unasked_readers import UnaskedReaderConnection, unasked_page
from tessera_gql.policy.affected_teams import Reasons, count_unknown, select_unasked
from tessera_gql.policy.compatibility import Terms
from tessera_gql.policy.enums import Outcome
from tessera_gql.store import assets
from tessera_gql.store.assets import AssetRef
from tessera_gql.store.lineage import Direction
from tessera_gql.store.tables import Contract
from tessera_gql.workflows import impact
from tessera_gql.workflows.alternatives import follow_hints, load_schema_without
from tessera_gql.workflows.publishing import PublishRequest
from tessera_gql.workflows.unasked_readers import load_unasked

MAX_FIELDS = 500
MAX_ALTERNATIVES = 10
"""Maximum number of alternatives that one operation computes: each compares schemas, and reads what teams read."""
MaxFields = Annotated[
    int, argument("The number of declared fields of the active contract up to which it is computed, as it takes time.")
]


async def load_alternative(info: Info, base: Contract, terms: Terms, max_fields: int) -> "Impact | None":
    """Load what terms would do with all hints followed; None if there is none, or the contract has too many fields.

    Raise an error with the code QUERY_TOO_COMPLEX for more than MAX_ALTERNATIVES in an operation.
    """
    context = info.context
    context.computed_alternatives += 1
    if context.computed_alternatives > MAX_ALTERNATIVES:
        message = (
            f"The operation asks for more than {MAX_ALTERNATIVES} alternatives, which is the limit. Ask for fewer."
        )
        extensions = {"code": "QUERY_TOO_COMPLEX", "limit": "alternatives", "allowed": MAX_ALTERNATIVES}
        raise GraphQLError(message, extensions=extensions)
    if len(await load_contract_fields(context, base)) > max_fields:
        return None
    request = await follow_hints(context.computer.run, base.schema_def, terms, base.compatibility_mode)
    if request is None:
        return None
    ref = AssetRef(id=base.asset_id)
    result = await context.loaders.run_query(
        lambda session: impact.compute_impact(session, context.actor, ref, request)
    )
    value = Impact.of(result)
    value.document_warnings = ()
    value.is_alternative = True
    return value


@strawberry.type(description="A team that would be asked to acknowledge, with the reason.")
class ImpactedTeam:
    team_id: strawberry.Private[UUID]
    changes: strawberry.Private[list[diff.Change]]
    team_reasons: strawberry.Private[Reasons]

    @computed_field("The breaking changes that touch what the team reads.", name="because")
    def reasons(self, info: Info) -> list[Change]:
        return to_changes(info.context, self.changes)

    @computed_field("The ways on which changes reach tables that are made from the asset; empty if it is read itself.")
    def paths(self) -> list[ReasonPath]:
        return to_paths(self.team_reasons.paths, self.team_id)

    @computed_field("Whether the team is asked only because column lineage is unknown on the way to what it reads.")
    def is_lineage_unknown(self) -> bool:
        return self.team_reasons.is_lineage_unknown

    team = relation("Team", "team_id", "The team that would be asked.")

    @classmethod
    def list_asked(cls, breaking: Iterable[diff.Change], asked: Mapping[UUID, Reasons]) -> list[Self]:
        """List the asked teams by their reasons."""
        changes = {change.fingerprint: change for change in breaking}
        return [
            cls(team_id=team, changes=[changes[item] for item in reasons.fingerprints], team_reasons=reasons)
            for team, reasons in asked.items()
        ]


@from_row(bump=lambda result: result.judgement.bump, mode=lambda result: result.judgement.mode)
@strawberry.type(description="The effect of publishing a schema, without publishing it.")
class Impact(RowBacked):
    row: strawberry.Private[impact.Impact]
    document_warnings: strawberry.Private[tuple[str, ...]]
    is_alternative: strawberry.Private[bool]
    outcome: Outcome = strawberry.field(
        description="The outcome that a release would have; PROPOSED if it had to wait for other teams or for coverage."
    )
    version: str | None = strawberry.field(description="The version to be published; null if nothing would change.")
    bump: Bump = strawberry.field(description="The part of the version that the changes must raise at least.")
    mode: Mode = strawberry.field(description="The compatibility mode that decides: the active contract's.")

    @computed_field("The asset whose contract would change.", lazy_type("Asset"))
    def asset(self) -> Any:
        return to_type("Asset", self.row.asset)

    @computed_field("The parts of the document that were left out, with reasons.")
    def warnings(self) -> list[str]:
        return list(self.document_warnings)

    @computed_field("All changes from the active contract.")
    def changes(self, info: Info) -> list[Change]:
        return to_changes(info.context, self.row.judgement.changes)

    @computed_field("The changes that are breaking under `mode`.")
    def breaking(self, info: Info) -> list[Change]:
        return to_changes(info.context, self.row.judgement.breaking)

    @computed_field("The teams that would be asked to acknowledge the change.")
    def asked(self) -> list[ImpactedTeam]:
        return ImpactedTeam.list_asked(self.row.judgement.breaking, self.row.asked_teams)

    @computed_field(
        "What is missing of the coverage that the policy of the asset demands of what nobody is asked about; a proposal"
        " would be held until it is there."
    )
    def missing_coverage(self) -> list[MissingCoverage]:
        return [MissingCoverage.of(item) for item in self.row.missing_coverage]

    coverage = asset_change_coverage(
        lambda row: (row.asset.id, select_unasked(row.judgement.breaking, row.affected), frozenset())
    )

    @computed_field(
        "What it would do with all hints followed that avoid a break, such as a column that is kept beside its"
        " successor; null without such a hint, of an alternative, and for an asset with more fields than `maxFields`.",
        lazy_type("Impact") | None,
    )
    async def alternative(self, info: Info, max_fields: MaxFields = MAX_FIELDS) -> Any:
        current = self.row.current
        if self.is_alternative or current is None or not self.row.judgement.breaking:
            return None
        return await load_alternative(info, current, self.row.terms, max_fields)

    @computed_field("The number of asked teams that would not be asked if column lineage were known everywhere.")
    def asked_by_unknown_lineage(self) -> int:
        return count_unknown(self.row.affected)

    @computed_field("The other teams that would be informed, but not asked.", lazy_list("Team"))
    async def informed(self, info: Info) -> Any:
        rows = await info.context.loaders.team.load_many(sorted(self.row.affected.informed))
        return [to_type("Team", row) for row in rows]

    @computed_field("The readers of the asset, and of tables made from it, who would not be asked, with the reason.")
    async def unasked(
        self, info: Info, first: First = UNSET, after: After = UNSET, last: Last = UNSET, before: Before = UNSET
    ) -> UnaskedReaderConnection:
        changed = impact.to_changed_asset(self.row)
        (readers,) = await info.context.loaders.run_query(lambda session: load_unasked(session, [changed]))
        return unasked_page(readers, SliceRequest(first, after, last, before))

    @computed_field("All assets made from this one, directly or indirectly, the nearest first.")
    def downstream(
        self, first: First = UNSET, after: After = UNSET, last: Last = UNSET, before: Before = UNSET
    ) -> LineageConnection:
        start = LineageStart(self.row.asset.id, Direction.DOWNSTREAM)
        return lineage_page(start, self.row.downstream, self.row.downstream, SliceRequest(first, after, last, before))


@strawberry.type
class Queries:
    @computed_field("Compute the effect of publishing a schema: changes, outcome and teams to ask. Writes nothing.")
    async def impact(  # noqa: PLR0913 - one parameter for each argument in the schema
        self,
        info: Info,
        *,
        asset: Annotated[AssetRefInput, argument("The asset to publish for, by id or fqn.")],
        schema: Annotated[JSON | None, argument("The JSON Schema to publish; give either this or `document`.")] = UNSET,
        without_fields: Annotated[
            list[str] | None,
            argument("The paths of fields to leave out of the active contract's schema, instead of a new schema."),
        ] = UNSET,
        document: Annotated[
            DocumentInput | None, argument("The contract in another format, instead of `schema`.")
        ] = UNSET,
        guarantees: Annotated[
            JSON | None, argument("The guarantees that go with the schema; those of the active contract if left out.")
        ] = UNSET,
        compatibility_mode: Annotated[
            Mode | None,
            argument("The compatibility mode for the change after this one; the active contract's if left out."),
        ] = UNSET,
        version: Annotated[
            str | None, argument("The version to publish; the next one that the changes require if left out.")
        ] = UNSET,
    ) -> Impact | None:
        ref = asset.to_ref()
        document = or_none(document)
        if paths := or_none(without_fields):
            if document is not None or or_none(schema) is not None:
                raise Invalid("Give either `withoutFields` or a schema, as both say what it becomes.")
            schema = await info.context.loaders.run_query(lambda session: load_schema_without(session, ref, paths))
        row = await info.context.loaders.run_query(lambda session: assets.get(session, ref)) if document else None
        parsed = await parse_contract(info.context.computer.run, schema, document, row.fqn if row else None)
        request = PublishRequest(
            schema=parsed.schema,
            guarantees=choose_guarantees(guarantees, parsed),
            mode=or_none(compatibility_mode) or parsed.mode,
            version=or_none(version),
        )
        actor = info.context.actor
        result = await info.context.loaders.run_query(
            lambda session: impact.compute_impact(session, actor, ref, request)
        )
        value = Impact.of(result)
        value.document_warnings, value.is_alternative = parsed.warnings, False
        return value
