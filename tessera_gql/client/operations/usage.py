"""Operations on observed reads: sources, imports, and the teams of the principals that were seen."""

from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TypeAlias

from tessera_gql.client.enums import UsageFormat
from tessera_gql.client.global_ids import is_global_id
from tessera_gql.client.models import JsonObject
from tessera_gql.client.operation import (
    UPLOAD_PLACEHOLDER,
    AssetRef,
    Operation,
    PaginatedQuery,
    RootField,
    TeamRef,
    build_asset_ref,
    build_filter,
    build_team_ref,
    build_variables,
    describe_missing_asset,
)
from tessera_gql.client.progress import ProgressCallback
from tessera_gql.client.usage_models import (
    MappedPrincipals,
    Observation,
    Principal,
    PrincipalRule,
    UnmappedPrincipals,
    UsageImportReport,
    UsageSource,
)

UsageSourceRef: TypeAlias = str | UsageSource
"""A usage source, its name, or its id."""


def create_usage_source(name: str) -> Operation[UsageSource]:
    """Create a usage source, whose keys import logs of reads. Needs the scope ADMIN.

    Raises Conflict if the name is taken.

    Example:
        assert tessera.create_usage_source("lake-logs").name == "lake-logs"
    """
    root = RootField("createUsageSource", UsageSource)
    return root.build_idempotent_mutation(build_variables(name=name), payload_field="usageSource")


def usage_sources() -> PaginatedQuery[UsageSource]:
    """List all usage sources with the spans that they cover.

    Raises Unauthenticated without a key that the server knows.

    Example:
        for source in tessera.usage_sources():
            print(source.name, [(span.start, span.end) for span in source.covered])
    """
    return RootField("usageSources", UsageSource).build_paginated_query()


def import_usage(  # noqa: PLR0913 - the arguments of the mutation
    log: Path | str | bytes,
    *,
    source: UsageSourceRef,
    format: UsageFormat = UsageFormat.CSV,  # noqa: A002 - the name of the argument in the API
    start: datetime | None = None,
    end: datetime | None = None,
    idempotency_key: str | None = None,
    on_progress: ProgressCallback | None = None,
) -> Operation[UsageImportReport]:
    r"""Import a log of reads, the path of a file or its content as bytes. Importing it again changes nothing.

    The log has all reads from `start` to `end`, by default from its first read to its last. Raises Invalid for a log
    that can't be read, Forbidden without a key of the source.

    Example:
        log = f"principal,asset,field,read_at\nsvc_tax,raw.shop.payments,amount,{datetime.now(UTC).isoformat()}\n"
        report = tessera.import_usage(log.encode(), source="lake-logs")
        assert report.rows == 1
    """
    values = build_variables(
        **{"source": _build_source_ref(source), "document": UPLOAD_PLACEHOLDER, "from": start, "to": end},
        # A server of an earlier version knows no formats.
        format=None if format is UsageFormat.CSV else format.value,
        idempotency_key=idempotency_key,
    )
    operation = RootField("importUsage", UsageImportReport).build_idempotent_mutation(values, payload_field="report")
    content = log if isinstance(log, bytes) else Path(log).read_bytes()
    return replace(operation, upload=content, on_progress=on_progress)


def principals(*, is_mapped: bool | None = None, name_contains: str | None = None) -> PaginatedQuery[Principal]:
    """List the principals that sources have seen: all, or those that have a team or have none.

    Raises Invalid for a text that is too long.

    Example:
        names = [principal.name for principal in tessera.principals(is_mapped=False)]
    """
    filter_ = build_filter(name=("contains", name_contains)) or {}
    if is_mapped is not None:
        filter_["isMapped"] = {"eq": is_mapped}
    return RootField("principals", Principal, {"filter": "PrincipalFilter"}).build_paginated_query(
        filter=filter_ or None
    )


def principal_rules() -> PaginatedQuery[PrincipalRule]:
    """List the rules that give principals to teams.

    Raises Forbidden for a key that may not see them.

    Example:
        for rule in tessera.principal_rules():
            print(rule.pattern, rule.team.name)
    """
    return RootField("principalRules", PrincipalRule).build_paginated_query()


def map_principal(pattern: str, team: TeamRef) -> Operation[MappedPrincipals]:
    """Give the principals that match a pattern to a team; `*` stands for any characters. Needs the scope ADMIN.

    Raises NotFound if there is no such team, Invalid for a pattern that is empty or too long.

    Example:
        mapped = tessera.map_principal("svc_tax*", "finance")
        print(mapped.principals_changed)
    """
    values = build_variables(pattern=pattern, team=build_team_ref(team))
    return replace(RootField("mapPrincipal", MappedPrincipals).build_mutation(values), is_idempotent=True)


def unmap_principal(pattern: str) -> Operation[UnmappedPrincipals]:
    """Remove the rule of a pattern. Needs the scope ADMIN.

    Raises NotFound if there is no rule with this pattern.

    Example:
        tessera.map_principal("svc_old*", "finance")
        assert tessera.unmap_principal("svc_old*").pattern == "svc_old*"
    """
    return RootField("unmapPrincipal", UnmappedPrincipals).build_mutation(build_variables(pattern=pattern))


def observations(asset: AssetRef) -> PaginatedQuery[Observation]:
    """List the reads of an asset that sources have seen, the latest first.

    Raises NotFound if there is no such asset.

    Example:
        for observation in tessera.observations("analytics.marts.orders"):
            print(observation)
    """
    root = RootField("asset", Observation, {"by": "AssetRef!"})
    missing = describe_missing_asset(asset)
    return root.build_nested_paginated_query("observations", {"by": build_asset_ref(asset)}, missing)


def _build_source_ref(source: UsageSourceRef) -> JsonObject:
    if isinstance(source, UsageSource):
        return {"id": source.id}
    return {"id" if is_global_id(source, "UsageSource") else "name": source}
