"""Observed reads: the sources of usage, the principals that they have seen, and the teams of the principals."""

from datetime import datetime
from typing import Any
from uuid import UUID

import strawberry

from tessera_gql.formats.usage_formats import UsageFormat
from tessera_gql.formats.usage_rows import UsageFault
from tessera_gql.graphql.connections import Connection, connection, define_listing
from tessera_gql.graphql.context import Info
from tessera_gql.graphql.enums import describe_enum
from tessera_gql.graphql.filters import BooleanFilter, IdFilter, StringFilter, filter_by, filter_input
from tessera_gql.graphql.ids import Node
from tessera_gql.graphql.mutations import Call, CreatingInput, Input, Payload, mutation, payload_field
from tessera_gql.graphql.refs import TeamRefInput, UsageSourceRefInput, usage_source_loader
from tessera_gql.graphql.relations import relation, root_by_ref
from tessera_gql.graphql.row_types import from_row
from tessera_gql.graphql.type_registry import computed_field
from tessera_gql.policy.usage import CoveredSpan
from tessera_gql.store import tables
from tessera_gql.store import usage as store
from tessera_gql.workflows import usage_sources

describe_enum(
    UsageFault,
    "The reason why a row of a log of reads is not taken.",
    MALFORMED_ROW="The row is no CSV or JSON, has other columns than the first line, lacks what its format has, or has"
    " control characters.",
    NO_PRINCIPAL="The row names no principal.",
    NO_ASSET="The row names no asset.",
    UNKNOWN_ASSET="There is no asset of that name, which is usual for a log of a whole warehouse.",
    INVALID_TIME="The time is missing, or is not written as in ISO 8601.",
    CLOCK_AHEAD="The time is more than an hour in the future.",
    INVALID_COUNT="The number of reads is not a positive whole number.",
    TOO_LONG="A name in the row, or the row itself, is too long.",
    UNFINISHED="The job was not done when the log was exported, so that it may read more.",
    FAILED="The query, job or run has failed, which is no read.",
    REPEATED="The same query, job, entry or run stands in the log before, and counts once.",
    NOT_A_READ="The row reads no table, or is an event other than the end of a run.",
    NOT_A_TABLE="The row reads what has no columns, such as a stage or a function, or a wildcard of tables.",
    EXPIRED="The read is older than the server keeps reads by day, so that it is not stored.",
)
describe_enum(
    UsageFormat,
    "The format of a log of reads.",
    CSV="Rows with the columns principal, asset, field, read_at and, if there is one, count.",
    SNOWFLAKE="Rows of the view ACCOUNT_USAGE.ACCESS_HISTORY of Snowflake, as JSON, CSV or Parquet.",
    BIGQUERY="Rows of the view INFORMATION_SCHEMA.JOBS of BigQuery, as JSON, CSV or Parquet, or entries of its audit"
    " log as JSON.",
    OPENLINEAGE="OpenLineage events as JSON, one in each line or as an array.",
)


@strawberry.type(description="A span of time that a usage source covers: it has all reads from its start to its end.")
class UsageSpan:
    start: datetime = strawberry.field(name="from", description="The time from which on the source has all reads.")
    end: datetime = strawberry.field(name="to", description="The time until which the source has all reads.")

    @classmethod
    def of(cls, span: CoveredSpan) -> "UsageSpan":
        return cls(start=span.start, end=span.end)


@from_row(covered=lambda row: [UsageSpan.of(CoveredSpan.from_json(span)) for span in row.covered])
@strawberry.type(description="A log of reads, such as that of a warehouse, from which reads are imported.")
class UsageSource(Node):
    row: strawberry.Private[tables.UsageSource]
    name: str = strawberry.field(description="The name of the source; unique, ignoring case.")
    covered: list[UsageSpan] = strawberry.field(
        description="The spans of time that the imports cover, in order; what lies between them is unknown."
    )
    created_at: datetime = strawberry.field(description="The time at which the source was created.")


@strawberry.type(description="The team for which a principal probably reads.")
class TeamSuggestion:
    team_id: strawberry.Private[UUID]
    reason: str = strawberry.field(description="The reason for the suggestion, for people.")

    team = relation("Team", "team_id", "The team that is suggested.")


@from_row()
@strawberry.type(description="A user or role that a usage source has seen reading.")
class Principal(Node):
    row: strawberry.Private[tables.Principal]
    name: str = strawberry.field(description="The name of the principal, as the source spells it.")
    created_at: datetime = strawberry.field(description="The time at which the principal was first imported.")

    source = relation("UsageSource", "row.source_id", "The source that has seen the principal.")
    team = relation(
        "Team", "row.team_id", "The team that the principal reads for; null while no rule says it.", nullable=True
    )

    @computed_field(
        "The team that the name suggests, by principals with names alike or by the names of teams; null if there is"
        " none, or a rule gives it a team."
    )
    async def suggested_team(self, info: Info) -> TeamSuggestion | None:
        if self.row.team_id is not None:
            return None
        suggestion = await info.context.loaders.suggested_team.load(self.row.name)
        return TeamSuggestion(team_id=suggestion.team_id, reason=suggestion.reason) if suggestion else None


@from_row()
@strawberry.type(description="A pattern of principals that read for a team.")
class PrincipalRule(Node):
    row: strawberry.Private[tables.PrincipalRule]
    pattern: str = strawberry.field(
        description="The pattern in lower case, in which `*` stands for any characters; the most specific one decides."
    )
    created_at: datetime = strawberry.field(description="The time at which the rule was made.")

    team = relation("Team", "row.team_id", "The team that the principals read for.")


@from_row(field=lambda row: row.field or None)
@strawberry.type(description="The reads of a field of an asset by a principal, over all imports.")
class Observation(Node):
    row: strawberry.Private[tables.Observation]
    field: str | None = strawberry.field(
        description="The path of the field; null if the source does not say which fields were read."
    )
    first_seen: datetime = strawberry.field(description="The time of the first read.")
    last_seen: datetime = strawberry.field(description="The time of the latest read.")
    longest_pause_seconds: float = strawberry.field(
        description="The longest time between the last read of a day and the next one, in seconds; 0 for a single day."
    )
    read_count: float = strawberry.field(description="The number of reads.")

    principal = relation("Principal", "row.principal_id", "The principal that read the field.")
    asset = relation("Asset", "row.asset_id", "The asset that was read.")


@strawberry.type(description="One page of a list of usage sources.")
class UsageSourceConnection(Connection[UsageSource]): ...


@strawberry.type(description="One page of a list of principals.")
class PrincipalConnection(Connection[Principal]): ...


@strawberry.type(description="One page of a list of rules of principals.")
class PrincipalRuleConnection(Connection[PrincipalRule]): ...


@strawberry.type(description="One page of a list of observations.")
class ObservationConnection(Connection[Observation]): ...


@filter_input("Conditions on usage sources; a source must meet all of them.")
class UsageSourceFilter:
    name: StringFilter | None = filter_by("name", "The name of the source.")


@filter_input("Conditions on principals; a principal must meet all of them.")
class PrincipalFilter:
    name: StringFilter | None = filter_by("name", "The name of the principal.")
    is_mapped: BooleanFilter | None = filter_by("is_mapped", "Whether a rule gives the principal a team.")
    source: IdFilter | None = filter_by("source_id", "The source that has seen it.", type_name="UsageSource")
    team: IdFilter | None = filter_by("team_id", "The team that it reads for.", type_name="Team")


@filter_input("Conditions on rules of principals; a rule must meet all of them.")
class PrincipalRuleFilter:
    pattern: StringFilter | None = filter_by("pattern", "The pattern of the rule.")
    team: IdFilter | None = filter_by("team_id", "The team of the rule.", type_name="Team")


CREATED_AT = ("created_at", "The time at which the object was created.")
USAGE_SOURCES = define_listing(
    "UsageSource",
    store.SOURCES,
    UsageSourceFilter,
    {"NAME": ("name_key", "The name of the source, ignoring case."), "CREATED_AT": CREATED_AT},
)
PRINCIPALS = define_listing(
    "Principal",
    store.MAPPED_PRINCIPALS,
    PrincipalFilter,
    {"NAME": ("name_key", "The name of the principal, ignoring case."), "CREATED_AT": CREATED_AT},
)
PRINCIPAL_RULES = define_listing(
    "PrincipalRule",
    store.RULES,
    PrincipalRuleFilter,
    {"PATTERN": ("pattern", "The pattern of the rule."), "CREATED_AT": CREATED_AT},
)


@strawberry.type
class Queries:
    usage_sources = connection(USAGE_SOURCES, description="All sources of usage, sorted by name.")
    usage_source = root_by_ref(
        "UsageSource",
        UsageSourceRefInput,
        usage_source_loader,
        description="The usage source with this id or name; null if there is none.",
    )
    principals = connection(PRINCIPALS, description="All principals that sources have seen, sorted by name.")
    principal_rules = connection(PRINCIPAL_RULES, description="The rules that give principals to teams.")


@strawberry.input(description="The data of a new usage source.")
class CreateUsageSourceInput(CreatingInput):
    name: str = strawberry.field(
        description="The name of the source, such as `snowflake-prod`, 200 characters at most; unique, ignoring case."
    )


@strawberry.type(description="The result of `createUsageSource`.")
class CreateUsageSourcePayload(Payload):
    usage_source: UsageSource | None = payload_field("The usage source; null if refused.")


async def create_usage_source(call: Call, arguments: CreateUsageSourceInput) -> CreateUsageSourcePayload:
    row = await usage_sources.create_source(call.session, call.actor, name=arguments.name)
    return CreateUsageSourcePayload(usage_source=UsageSource.of(row))


@strawberry.input(description="A pattern of principals and the team that they read for.")
class MapPrincipalInput(Input):
    pattern: str = strawberry.field(
        description="The pattern, such as `svc_finance_*`, in which `*` stands for any characters; it ignores case. An"
        " earlier rule with this pattern is replaced."
    )
    team: TeamRefInput = strawberry.field(description="The team that the principals read for.")


@strawberry.type(description="The result of `mapPrincipal`.")
class MapPrincipalPayload(Payload):
    principal_rule: PrincipalRule | None = payload_field("The rule; null if refused.")
    principals_changed: int | None = payload_field("The number of principals whose team changed; null if refused.")


async def map_principal(call: Call, arguments: MapPrincipalInput) -> MapPrincipalPayload:
    change = await usage_sources.map_principal(
        call.session, call.actor, pattern=arguments.pattern, team=arguments.team.to_ref()
    )
    return MapPrincipalPayload(principal_rule=PrincipalRule.of(change.rule), principals_changed=change.principals)


@strawberry.input(description="The pattern whose rule is removed.")
class UnmapPrincipalInput(Input):
    pattern: str = strawberry.field(description="The pattern of the rule.")


@strawberry.type(description="The result of `unmapPrincipal`.")
class UnmapPrincipalPayload(Payload):
    pattern: str | None = payload_field("The pattern of the removed rule; null if refused.")
    principals_changed: int | None = payload_field("The number of principals whose team changed; null if refused.")


async def unmap_principal(call: Call, arguments: UnmapPrincipalInput) -> UnmapPrincipalPayload:
    change = await usage_sources.unmap_principal(call.session, call.actor, pattern=arguments.pattern)
    return UnmapPrincipalPayload(pattern=change.rule.pattern, principals_changed=change.principals)


@strawberry.type
class Mutations:
    create_usage_source: Any = mutation(create_usage_source, "Create a usage source. Needs the scope ADMIN.")
    map_principal: Any = mutation(
        map_principal,
        "Give the principals that match a pattern to a team, which is then asked about what they read. Needs the scope"
        " ADMIN.",
    )
    unmap_principal: Any = mutation(
        unmap_principal, "Remove a rule of principals, which then read for no team. Needs the scope ADMIN."
    )
