"""Logs of reads as vendors document their exports, with their quirks, and what such a log says, folded separately.

A generator first invents queries, then writes them as a vendor exports them. The fold uses the queries alone.
"""

import csv
import io
import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from random import Random
from typing import Any

from tessera_gql.formats.usage_formats import UsageFormat
from tessera_gql.formats.usage_rows import UsageFault

NOW = datetime(2026, 1, 1, tzinfo=UTC)
ASSETS = ("analytics.core.orders", "analytics.core.customers", "analytics.mart.revenue_view")
COLUMNS = ("id", "total", "note", "Größe")
PRINCIPALS = ("svc_finance", "jane@example.com", "AIRFLOW/nightly")
WHOLE = ""

Reads = dict[tuple[str, str, str], dict[str, tuple[int, datetime, datetime]]]
"""By principal, asset and field, all without case: for each day the number of reads, the first and the last one."""


@dataclass
class Query:
    """A query that reads fields of assets; `faults` are the objects of it that no reader takes."""

    identity: str
    principal: str
    moment: datetime
    reads: dict[str, set[str]]
    faults: list[UsageFault] = field(default_factory=list)


@dataclass
class GeneratedLog:
    format: UsageFormat
    content: bytes
    queries: list[Query]
    faults: Counter[UsageFault]
    rows: int

    def fold(self) -> Reads:
        """Count the reads of each day, without any of the code under test."""
        folded: Reads = {}
        for query in self.queries:
            for asset, fields in query.reads.items():
                for name in fields:
                    days = folded.setdefault((query.principal.casefold(), asset, name.casefold()), {})
                    count, first, last = days.get(f"{query.moment:%Y-%m-%d}", (0, query.moment, query.moment))
                    days[f"{query.moment:%Y-%m-%d}"] = (count + 1, min(first, query.moment), max(last, query.moment))
        return folded

    def span(self) -> tuple[datetime, datetime] | None:
        moments = [query.moment for query in self.queries if query.reads]
        return (min(moments), max(moments)) if moments else None


def invent_queries(random: Random, *, has_columns: bool = True) -> list[Query]:
    queries: list[Query] = []
    for number in range(random.randint(0, 8)):
        moment = NOW - timedelta(seconds=random.randint(1, 40 * 86_400), milliseconds=random.choice((0, 250)))
        assets = random.sample(ASSETS, random.randint(1, len(ASSETS)))
        reads = {asset: {WHOLE} for asset in assets}
        if has_columns:
            for asset in assets:
                if random.random() < 0.7:
                    reads[asset] = {*random.sample(COLUMNS, random.randint(1, 3))}
        queries.append(Query(f"01b-{number}", random.choice(PRINCIPALS), moment, reads))
    return queries


def spell(random: Random, name: str) -> str:
    """Spell a name in another case, or with the quotes of SQL."""
    style = random.randrange(4)
    if style == 0:
        return name.upper()
    if style == 1:
        return ".".join(f'"{part.upper()}"' for part in name.split("."))
    return name.title() if style == 2 else name


def write_moment(random: Random, moment: datetime) -> Any:
    """Write a time as one of the exports does: with an offset, without one in UTC, or as a number."""
    milliseconds = round(moment.timestamp() * 1000)
    away = moment.astimezone(timezone(timedelta(hours=random.choice((-8, 1, 5)))))
    return random.choice(
        (
            f"{moment:%Y-%m-%d %H:%M:%S}.{moment.microsecond // 1000:03d} Z",
            f"{away:%Y-%m-%d %H:%M:%S}.{away.microsecond // 1000:03d} {away:%z}",
            f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond:06d}000Z",
            f"{moment:%Y-%m-%d %H:%M:%S.%f} UTC",
            f"{moment:%Y-%m-%d %H:%M:%S.%f}",
            milliseconds,
            milliseconds * 1000,
            milliseconds / 1000,
            str(milliseconds),
        )
    )


def write_records(random: Random, records: list[dict[str, Any]], columns: tuple[str, ...] | None = None) -> bytes:
    """Write records as JSON lines or an array, or, of a table, as CSV whose nested columns are JSON text."""
    styles: list[Callable[[], str]] = [
        lambda: json.dumps(records),
        lambda: json.dumps(records, indent=2, ensure_ascii=False),
        lambda: "[\n" + ",\n".join(map(json.dumps, records)) + "\n]\n",
    ]
    if records:
        styles.append(lambda: "\n".join(map(json.dumps, records)) + "\n")
        styles.append(lambda: "\r\n\r\n".join(json.dumps(record, ensure_ascii=False) for record in records) + "\n")
        styles.append(lambda: "\n".join(json.dumps(record, indent=1) for record in records))
    if columns is not None:
        styles.append(lambda: write_csv(records, columns))
    mark = b"\xef\xbb\xbf" if random.random() < 0.2 else b""
    return mark + random.choice(styles)().encode()


def write_csv(records: list[dict[str, Any]], columns: tuple[str, ...]) -> str:
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(columns)
    for record in records:
        values = {key.lower(): value for key, value in record.items()}
        cells = (values.get(name.lower()) for name in columns)
        writer.writerow([json.dumps(cell) if isinstance(cell, list | dict) else cell for cell in cells])
    return text.getvalue()


SNOWFLAKE_COLUMNS = (
    "QUERY_ID",
    "QUERY_START_TIME",
    "USER_NAME",
    "DIRECT_OBJECTS_ACCESSED",
    "BASE_OBJECTS_ACCESSED",
    "OBJECTS_MODIFIED",
)


def snowflake_log(random: Random) -> GeneratedLog:
    queries = invent_queries(random)
    records, faults = [], Counter[UsageFault]()
    for query in queries:
        record = _snowflake_row(random, query)
        records.append(record)
        if random.random() < 0.2:
            records.insert(random.randint(records.index(record) + 1, len(records)), record)
            faults[UsageFault.REPEATED] += 1
        faults.update(query.faults)
    for number in range(random.randint(0, 2)):
        noise = {"QUERY_ID": f"noise-{number}", "USER_NAME": "x", "QUERY_START_TIME": "2025-12-01 00:00:00"}
        nothing: Any = random.choice(([], None, "[]"))
        records.append(noise | {"DIRECT_OBJECTS_ACCESSED": nothing, "BASE_OBJECTS_ACCESSED": []})
        faults[UsageFault.NOT_A_READ] += 1
    as_text = random.random() < 0.3  # as in Parquet and in some exports of JSON
    for record in records:
        for name in SNOWFLAKE_COLUMNS[3:]:
            if as_text and isinstance(record.get(name), list):
                record[name] = json.dumps(record[name])
    lower = random.random() < 0.3
    exported = [{key.lower() if lower else key: value for key, value in record.items()} for record in records]
    columns = tuple(name.lower() for name in SNOWFLAKE_COLUMNS) if lower else SNOWFLAKE_COLUMNS
    return GeneratedLog(UsageFormat.SNOWFLAKE, write_records(random, exported, columns), queries, faults, len(records))


def _snowflake_row(random: Random, query: Query) -> dict[str, Any]:
    """A row whose views are direct objects and whose tables are base objects, or both; columns are split over both."""
    direct: list[Any] = []
    base: list[Any] = []
    for asset, fields in query.reads.items():
        domain = "View" if "view" in asset else random.choice(("Table", "TABLE", "External table", "Dynamic Table"))
        items = [{"columnId": number, "columnName": _spell_column(random, name)} for number, name in enumerate(fields)]
        if fields == {WHOLE}:
            items = random.choice(([], [{"columnId": 1}], [{"columnId": 1, "columnName": ""}]))
        item = {"objectDomain": domain, "objectId": 7, "objectName": spell(random, asset), "columns": items}
        lists = [direct] if "view" in asset else random.choice(([direct, base], [base]))
        for objects in lists:
            objects.append(item | {"objectName": spell(random, asset)})
        if random.random() < 0.2 and items:
            direct.append(item)  # the same table twice, as in a self-join through two views
    for domain, fault in (("Stage", "NOT_A_TABLE"), ("Function", "NOT_A_TABLE"), ("Stream", "NOT_A_TABLE")):
        if random.random() < 0.1:
            direct.append({"objectDomain": domain, "objectName": "analytics.core.s", "stageKind": "Internal Named"})
            query.faults.append(UsageFault(fault))
    if random.random() < 0.1:
        base.append({"objectDomain": "Table", "objectId": 9})  # dropped, or of another account
        query.faults.append(UsageFault.NO_ASSET)
    modified = [{"objectDomain": "Table", "objectName": "analytics.core.customers", "columns": []}]
    return {
        "QUERY_ID": query.identity,
        "QUERY_START_TIME": write_moment(random, query.moment),
        "USER_NAME": random.choice((query.principal, query.principal.upper())),
        "DIRECT_OBJECTS_ACCESSED": direct,
        "BASE_OBJECTS_ACCESSED": base,
        "OBJECTS_MODIFIED": random.choice((modified, [])),
    }


def _spell_column(random: Random, name: str) -> str:
    return random.choice((name, name.upper(), f'"{name}"'))


JOB_COLUMNS = (
    "job_id",
    "user_email",
    "creation_time",
    "start_time",
    "job_type",
    "state",
    "error_result",
    "referenced_tables",
)


def bigquery_log(random: Random) -> GeneratedLog:
    return _jobs_log(random) if random.random() < 0.5 else _audit_log(random)


def _jobs_log(random: Random) -> GeneratedLog:
    queries = invent_queries(random, has_columns=False)
    records: list[dict[str, Any]] = []
    faults = Counter[UsageFault]()
    for query in queries:
        tables = [_table(random, asset) for asset in query.reads for _ in range(random.choice((1, 1, 2)))]
        for table in ("events_*", "INFORMATION_SCHEMA.TABLES"):
            if random.random() < 0.1:
                tables.append({"project_id": "analytics", "dataset_id": "core", "table_id": table})
                faults[UsageFault.NOT_A_TABLE] += 1
        records.append(_job(random, query.identity, query.principal, query.moment, tables))
        if random.random() < 0.2:
            records.append(dict(records[-1]))
            faults[UsageFault.REPEATED] += 1
    for number in range(random.randint(0, 3)):
        kind = random.choice((UsageFault.FAILED, UsageFault.NOT_A_READ))
        tables = [_table(random, ASSETS[0])] if kind is UsageFault.FAILED else []
        job = _job(random, f"noise-{number}", "x", NOW - timedelta(days=1), tables)
        if kind is UsageFault.FAILED:
            job["error_result"] = {"reason": "invalidQuery", "message": "no"}
        records.append(job)
        faults[kind] += 1
    camel = random.random() < 0.3
    exported = [_to_camel(record) for record in records] if camel else records
    content = write_records(random, exported, None if camel else JOB_COLUMNS)
    return GeneratedLog(UsageFormat.BIGQUERY, content, queries, faults, len(records))


def _table(random: Random, asset: str) -> dict[str, str]:
    project, dataset, table = asset.split(".")
    decorated = table + random.choice(("", "", "$20260101", "@1700000000000", "$__NULL__"))
    return {"project_id": project, "dataset_id": dataset.upper(), "table_id": decorated}


def _job(random: Random, identity: str, principal: str, moment: datetime, tables: list[Any]) -> dict[str, Any]:
    return {
        "job_id": identity,
        "user_email": principal,
        random.choice(("creation_time", "creation_time", "start_time")): write_moment(random, moment),
        "job_type": "QUERY",
        "statement_type": "SELECT",
        "state": "DONE",
        "error_result": None,
        "referenced_tables": tables,
    }


def _to_camel(value: Any) -> Any:
    if isinstance(value, list):
        return [_to_camel(item) for item in value]
    if not isinstance(value, dict):
        return value
    parts = {key: key.split("_") for key in value}
    return {
        parts[key][0] + "".join(part.title() for part in parts[key][1:]): _to_camel(item) for key, item in value.items()
    }


def _audit_log(random: Random) -> GeneratedLog:
    """Each read of a table is an entry; the principal of older entries reads whole tables."""
    queries: list[Query] = []
    records: list[dict[str, Any]] = []
    faults = Counter[UsageFault]()
    for query in invent_queries(random):
        for number, (asset, fields) in enumerate(query.reads.items()):
            part = Query(f"{query.identity}-{number}", query.principal, query.moment, {asset: fields})
            queries.append(part)
            old = fields == {WHOLE} and random.random() < 0.5
            records.append(_old_entry(random, part, asset) if old else _entry(random, part, asset))
            if random.random() < 0.2:
                records.append(records[-1])
                faults[UsageFault.REPEATED] += 1
    if records and random.random() < 0.5:
        change = {"jobChange": {"job": {"jobStats": {"queryStats": {"referencedTables": ["projects/a"]}}}}}
        records.append({"insertId": "j", "protoPayload": {"metadata": change}})
        faults[UsageFault.NOT_A_READ] += 1
    if random.random() < 0.3:
        failed = _entry(random, Query("f", "x", NOW, {ASSETS[0]: {"id"}}), ASSETS[0])
        failed["protoPayload"]["status"] = {"code": 7, "message": "no"}
        records.append(failed)
        faults[UsageFault.FAILED] += 1
    return GeneratedLog(UsageFormat.BIGQUERY, write_records(random, records), queries, faults, len(records))


def _entry(random: Random, query: Query, asset: str) -> dict[str, Any]:
    project, dataset, table = asset.split(".")
    fields = [name for name in query.reads[asset] if name]
    read: dict[str, Any] = {"reason": "JOB", "jobName": f"projects/{project}/jobs/{query.identity}"}
    read |= {"fields": fields} if fields else random.choice(({}, {"fields": []}))
    return {
        "insertId": query.identity,
        "timestamp": f"{query.moment.isoformat()}",
        "protoPayload": {
            "@type": "type.googleapis.com/google.cloud.audit.AuditLog",
            "authenticationInfo": {"principalEmail": query.principal},
            "resourceName": f"projects/{project}/datasets/{dataset}/tables/{table}{random.choice(('', '$20260101'))}",
            "metadata": {
                "@type": "type.googleapis.com/google.cloud.audit.BigQueryAuditMetadata",
                "tableDataRead": read,
            },
            "status": {},
        },
    }


def _old_entry(random: Random, query: Query, asset: str) -> dict[str, Any]:
    project, dataset, table = asset.split(".")
    referenced = {"projectId": project, "datasetId": dataset, "tableId": table}
    job = {
        "jobName": {"jobId": query.identity, "projectId": project},
        "jobStatus": {"state": "DONE"},
        "jobStatistics": {random.choice(("referencedTables", "referencedViews")): [referenced]},
    }
    return {
        "insertId": query.identity,
        "timestamp": query.moment.isoformat(),
        "protoPayload": {
            "@type": "type.googleapis.com/google.cloud.audit.AuditLog",
            "authenticationInfo": {"principalEmail": query.principal},
            "serviceData": {"jobCompletedEvent": {"eventName": "query_job_completed", "job": job}},
        },
    }


def openlineage_log(random: Random) -> GeneratedLog:
    queries = invent_queries(random)
    records: list[dict[str, Any]] = []
    faults = Counter[UsageFault]()
    for query in queries:
        query.principal = f"prod/{query.principal}"
        event = _complete_event(random, query)
        for kind in ("START", "RUNNING", "OTHER"):
            if random.random() < 0.3:
                records.append(event | {"eventType": kind})
                faults[UsageFault.NOT_A_READ] += 1
        records.append(event)
        if random.random() < 0.2:
            records.append(event)
            faults[UsageFault.REPEATED] += 1
    for kind in ("FAIL", "ABORT"):
        if random.random() < 0.3:
            query = Query("noise", "x", NOW, {ASSETS[0]: {WHOLE}})
            records.append(_complete_event(random, query) | {"eventType": kind})
            faults[UsageFault.FAILED] += 1
    if random.random() < 0.3:
        without_run = {"eventTime": NOW.isoformat(), "producer": "p", "schemaURL": "u", "job": {"name": "j"}}
        records.append(without_run)
        faults[UsageFault.NOT_A_READ] += 1
    return GeneratedLog(UsageFormat.OPENLINEAGE, write_records(random, records), queries, faults, len(records))


def _complete_event(random: Random, query: Query) -> dict[str, Any]:
    """An event with one output, whose column lineage names the read columns of all assets that are not read whole."""
    namespace = "snowflake://org-account"
    names = {asset: spell(random, asset) for asset in query.reads}
    inputs = [
        {"namespace": namespace, "name": names[asset]}
        for asset, fields in query.reads.items()
        if fields == {WHOLE} or random.random() < 0.9
    ]
    columns = [
        {"namespace": namespace, "name": names[asset], "field": _spell_column(random, name)}
        for asset, fields in query.reads.items()
        for name in fields
        if name
    ]
    split = random.randint(0, len(columns))
    lineage: dict[str, Any] = {"fields": {"out": {"inputFields": columns[:split]}}, "dataset": columns[split:]}
    output = {"namespace": namespace, "name": "x.y.z", "facets": {"columnLineage": lineage}}
    principal = query.principal.removeprefix("prod/")
    return {
        "eventType": random.choice(("COMPLETE", "complete")),
        "eventTime": query.moment.isoformat(),
        "run": {"runId": query.identity},
        "job": {"namespace": "prod", "name": principal},
        "inputs": inputs,
        "outputs": [output] if columns else random.choice(([], [{"namespace": namespace, "name": "x.y.z"}])),
        "producer": "https://example.com",
        "schemaURL": "https://openlineage.io/spec/2-0-2/OpenLineage.json",
    }


def csv_log(random: Random) -> GeneratedLog:
    queries: list[Query] = []
    lines = ["principal,asset,field,read_at"]
    for query in invent_queries(random):
        for asset, fields in query.reads.items():
            for name in fields:
                queries.append(Query("", query.principal, query.moment, {asset: {name}}))
                field_ = name or random.choice(("", "*"))
                lines.append(f"{query.principal},{asset.upper()},{field_},{query.moment.isoformat()}")
    return GeneratedLog(UsageFormat.CSV, ("\n".join(lines) + "\n").encode(), queries, Counter(), len(lines) - 1)


GENERATORS = {
    UsageFormat.CSV: csv_log,
    UsageFormat.SNOWFLAKE: snowflake_log,
    UsageFormat.BIGQUERY: bigquery_log,
    UsageFormat.OPENLINEAGE: openlineage_log,
}
