"""Import a log of reads: parse it in a thread, then store it in as many transactions as it takes."""

import asyncio
import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

import strawberry

from tessera_gql.errors import Invalid
from tessera_gql.formats.raw_json import RawJson
from tessera_gql.formats.usage_formats import UsageFormat
from tessera_gql.formats.usage_rows import UsageFault
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
from tessera_gql.workflows.usage_import import (
    ImportPlan,
    create_partitions,
    finish_import,
    import_batch,
    plan_import,
    plan_part,
)
from tessera_gql.workflows.usage_log import UsageDocument, UsageLog, collect_reads


@strawberry.input(description="A log of reads to import, with the span of time that it covers.")
class ImportUsageInput(CreatingInput):
    source: UsageSourceRefInput = strawberry.field(description="The source whose log it is.")
    document: JSON = strawberry.field(
        description="The log in its `format`, a text or the file itself in a multipart request. The first line of a CSV"
        " names the columns `principal`, `asset`, `field`, `read_at` and, if there is one, `count`, in any order. An"
        " empty field stands for the whole asset. A time without an offset is in UTC."
    )
    format: UsageFormat = strawberry.field(
        default=UsageFormat.CSV, description="The format of the log. A log that looks like another format is refused."
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
    line: int | None = strawberry.field(
        description="The line of the first of these rows, in Parquet its number; null for unknown assets."
    )


@strawberry.type(description="What an import has taken from a log of reads.")
class UsageImportReport:
    rows: int = strawberry.field(
        description="The number of rows, jobs or events in the log, without the first line of a table."
    )
    reads: int = strawberry.field(
        description="The number of reads of fields and whole assets in valid rows, those of unknown assets included. A"
        " query that reads ten fields has ten."
    )
    ignored: list[IgnoredRows] = strawberry.field(
        description="The rows, or what is in them, that were not taken, by their reason."
    )
    is_truncated: bool = strawberry.field(
        description="Whether the log was cut off before its end. What it has was taken, but it covers no span."
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
        reads = value["rows"] - sum(rows.count for rows in ignored)  # of payloads that were stored before `reads`
        values: dict[str, Any] = {"reads": reads, **value, "ignored": ignored, "covered": covered}
        return cls(**values)

    @classmethod
    def of(cls, plan: ImportPlan) -> "UsageImportReport":
        faults = sorted(plan.log.faults.items(), key=lambda item: [*UsageFault].index(item[0]))
        return cls(
            rows=plan.log.row_count,
            reads=plan.log.read_count,
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
    """Plan without locks, then store batch by batch; the last transaction stores the payload for a repetition.

    Of a log with very many readers, one part after the other is read, planned and stored.
    """
    check_storable(arguments)
    now = context.database.clock()
    document = await asyncio.to_thread(_to_document, arguments.document, arguments.format, context.usage_retention_days)
    log = await asyncio.to_thread(collect_reads, document, now)
    requested = (or_none(arguments.from_), or_none(arguments.to))
    plan = await context.loaders.run_query(
        lambda session: plan_import(session, context.actor, arguments.source.to_ref("source"), log, requested)
    )
    parts = document.collect_parts(log, now)
    payload: ImportUsagePayload | None = None
    next_plan = plan
    is_last = not log.remaining_parts

    async def import_usage(call: Call, _: ImportUsageInput) -> ImportUsagePayload | None:
        nonlocal next_plan
        if plan.months:
            next_plan = await create_partitions(call.session, plan)
            return None
        if plan.batches:
            next_plan = await import_batch(call.session, call.actor, plan)
            return None
        next_plan = await finish_import(call.session, call.actor, plan)
        return ImportUsagePayload(report=UsageImportReport.of(next_plan), usage_source=UsageSource.of(next_plan.source))

    while payload is None:
        if not is_last and not plan.batches:
            plan, is_last = await _plan_next_part(context, plan, parts)
            continue
        payload = await run_part(context, import_usage, ImportUsagePayload, arguments)
        plan = next_plan
        if payload is None and context.database.dialect == "sqlite":
            await asyncio.sleep(PAUSE_SECONDS)
    return payload


async def _plan_next_part(context: Context, plan: ImportPlan, parts: Iterator[UsageLog]) -> tuple[ImportPlan, bool]:
    """Read and plan the next part of a log; the second value is whether there is none."""
    plan.log.reads.clear()
    log = await asyncio.to_thread(next, parts, None)
    if log is None:
        return plan, True
    return await context.loaders.run_query(lambda session: plan_part(session, plan, log)), False


def _to_document(document: object, format_: UsageFormat, retention_days: int | None) -> UsageDocument:
    """Convert the input to the bytes of a log; JSON that is part of the request was parsed with it."""
    match document:
        case RawJson(text=content):
            pass
        case str(text):
            content = text.encode("utf-8", "surrogatepass")
        case list() | dict() as value if format_ is not UsageFormat.CSV:
            content = json.dumps(value).encode()
        case _:
            raise Invalid("`document` must be the text of the log, or the file itself.", field=("document",))
    return UsageDocument(content, format_, retention_days)


@strawberry.type
class Mutations:
    import_usage: Any = context_mutation(
        import_usage,
        "Import a log of reads. Importing it again changes nothing. Needs a key of the usage source, which has the"
        " scope EVIDENCE, or the scope ADMIN.",
        {"from_": "from"},
    )
