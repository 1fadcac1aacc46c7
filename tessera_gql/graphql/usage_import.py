"""Import a log of reads: parse it in a thread, then store it in as many transactions as it takes."""

import asyncio
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import strawberry

from tessera_gql.errors import Invalid
from tessera_gql.formats.raw_json import RawJson
from tessera_gql.formats.usage_csv import UsageFault
from tessera_gql.graphql.context import Context
from tessera_gql.graphql.dbt_batches import PAUSE_SECONDS
from tessera_gql.graphql.filters import optional, or_none
from tessera_gql.graphql.mutations import (
    Call,
    CreatingInput,
    Payload,
    check_storable,
    context_mutation,
    payload_field,
    run_part,
)
from tessera_gql.graphql.refs import UsageSourceRefInput
from tessera_gql.graphql.scalars import JSON
from tessera_gql.graphql.usage import UsageSource, UsageSpan
from tessera_gql.policy.usage import CoveredSpan
from tessera_gql.workflows.usage_import import ImportPlan, finish_import, import_batch, plan_import
from tessera_gql.workflows.usage_log import UsageLog, collect_reads


@strawberry.input(description="A log of reads to import, with the span of time that it covers.")
class ImportUsageInput(CreatingInput):
    source: UsageSourceRefInput = strawberry.field(description="The source whose log it is.")
    document: JSON = strawberry.field(
        description="The log as CSV, a text or the file itself in a multipart request. Its first line names the columns"
        " `principal`, `asset`, `field`, `read_at` and, if there is one, `count`, in any order. An empty field stands"
        " for the whole asset. A time without an offset is in UTC."
    )
    from_: datetime | None = optional(
        "The time from which on the log has all reads; that of its first read if left out.", name="from"
    )
    to: datetime | None = optional(
        "The time until which the log has all reads, at most now; that of its last read if left out."
    )


@strawberry.type(description="Rows of a log that were not taken, for one reason.")
class IgnoredRows:
    reason: UsageFault = strawberry.field(description="The reason why the rows were not taken.")
    count: int = strawberry.field(description="The number of these rows.")
    line: int | None = strawberry.field(description="The line of the first of these rows; null for unknown assets.")


@strawberry.type(description="What an import has taken from a log of reads.")
class UsageImportReport:
    rows: int = strawberry.field(description="The number of rows in the log, without its first line.")
    ignored: list[IgnoredRows] = strawberry.field(description="The rows that were not taken, by their reason.")
    is_truncated: bool = strawberry.field(
        description="Whether the log was cut off within its last row. What it has was taken, but it covers no span."
    )
    covered: UsageSpan | None = strawberry.field(
        description="The span that the log covers; null if it is empty, cut off, or has rows that may hide reads."
    )
    principals_created: int = strawberry.field(
        description="The number of principals that were seen for the first time."
    )
    observations_created: int = strawberry.field(
        description="The number of fields that a principal was seen to read for the first time."
    )
    days_changed: int = strawberry.field(
        description="The number of days of such reads that are new or have more reads; 0 for a log imported before."
    )

    def to_json(self) -> dict[str, Any]:
        covered = CoveredSpan(self.covered.start, self.covered.end).as_json() if self.covered else None
        ignored = [[rows.reason.value, rows.count, rows.line] for rows in self.ignored]
        return {**vars(self), "covered": covered, "ignored": ignored}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "UsageImportReport":
        ignored = [IgnoredRows(reason=UsageFault(rows[0]), count=rows[1], line=rows[2]) for rows in value["ignored"]]
        covered = UsageSpan.of(CoveredSpan.from_json(value["covered"])) if value["covered"] else None
        values: dict[str, Any] = {**value, "ignored": ignored, "covered": covered}
        return cls(**values)

    @classmethod
    def of(cls, plan: ImportPlan) -> "UsageImportReport":
        faults = sorted(plan.log.faults.items(), key=lambda item: [*UsageFault].index(item[0]))
        return cls(
            rows=plan.log.row_count,
            ignored=[IgnoredRows(reason=fault, count=rows.count, line=rows.line) for fault, rows in faults],
            is_truncated=plan.log.is_truncated,
            covered=UsageSpan.of(plan.span) if plan.span else None,
            principals_created=plan.counts.principals,
            observations_created=plan.counts.observations,
            days_changed=plan.counts.days,
        )


@strawberry.type(description="The result of `importUsage`.")
class ImportUsagePayload(Payload):
    report: UsageImportReport | None = payload_field(
        "What was taken from the log; null if refused.", load=UsageImportReport.from_json
    )
    usage_source: UsageSource | None = payload_field("The source with the spans that it covers now; null if refused.")


async def import_usage(context: Context, arguments: ImportUsageInput) -> ImportUsagePayload:
    """Plan without locks, then store batch by batch; the last transaction stores the payload for a repetition."""
    check_storable(arguments)
    log = await asyncio.to_thread(_collect, arguments.document, context)
    requested = (or_none(arguments.from_), or_none(arguments.to))
    plan = await context.loaders.run_query(
        lambda session: plan_import(session, context.actor, arguments.source.to_ref("source"), log, requested)
    )
    payload: ImportUsagePayload | None = None
    next_plan = plan

    async def import_usage(call: Call, _: ImportUsageInput) -> ImportUsagePayload | None:
        nonlocal next_plan
        if plan.batches:
            next_plan = await import_batch(call.session, call.actor, plan)
            return None
        next_plan = await finish_import(call.session, call.actor, plan)
        return ImportUsagePayload(report=UsageImportReport.of(next_plan), usage_source=UsageSource.of(next_plan.source))

    while payload is None:
        payload = await run_part(context, import_usage, ImportUsagePayload, arguments)
        plan = next_plan
        if payload is None and context.database.dialect == "sqlite":
            await asyncio.sleep(PAUSE_SECONDS)
    return payload


def _collect(document: object, context: Context) -> UsageLog:
    match document:
        case RawJson():
            return collect_reads(document.text, context.database.clock())
        case str():
            return collect_reads(document, context.database.clock())
        case _:
            raise Invalid("`document` must be the text of a CSV file, or the file itself.", field=("document",))


@strawberry.type
class Mutations:
    import_usage: Any = context_mutation(
        import_usage,
        "Import a log of reads. Importing it again changes nothing. Needs a key of the usage source, which has the"
        " scope EVIDENCE, or the scope ADMIN.",
        {"from_": "from"},
    )
