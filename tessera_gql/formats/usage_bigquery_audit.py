"""Read entries of BigQuery's audit logs: reads of tables with their columns, and the older entries of ended jobs."""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import cast

from tessera_gql.formats.usage_records import parse_nested
from tessera_gql.formats.usage_rows import Entry, UsageError, UsageFault, build_entry, parse_moment
from tessera_gql.formats.usage_seen import SeenIds

RESOURCE = re.compile(r"(?:.*/)?projects/([^/]+)/datasets/([^/]+)/tables/(.+)")
PAYLOADS = ("proto_payload", "protopayload_auditlog")
"""Names of the payload in Cloud Logging, and in a table to which it is exported."""
INFORMATION_SCHEMA = "information_schema"


def find_payload(row: Mapping[str, object]) -> dict[str, object] | None:
    """Return the payload of an entry of an audit log; None for a row of another log."""
    for name in PAYLOADS:
        if isinstance(payload := row.get(name), dict):
            return cast("dict[str, object]", payload)
    return None


class AuditLogParser:
    """Reads each entry once, by its insert id."""

    def __init__(self, latest: datetime, seen: SeenIds) -> None:
        self._latest = latest
        self._known_ids = seen
        self._job_entries = self._read_entries = 0

    def parse(self, row: Mapping[str, object], payload: Mapping[str, object]) -> Entry:
        try:
            metadata = _to_object(parse_nested(payload.get("metadata") or payload.get("metadataJson")))
        except ValueError:
            return (UsageFault.MALFORMED_ROW,)
        completed = find_object(payload, "serviceData", "jobCompletedEvent", "job")
        table_read = metadata.get("tableDataRead")
        if table_read is None and not completed:
            self._job_entries += "jobChange" in metadata
            return (UsageFault.NOT_A_READ,)
        self._read_entries += 1
        error = find_object(completed, "jobStatus", "error") or find_object(payload, "status")
        if error.get("code"):
            return (UsageFault.FAILED,)
        if isinstance(identity := row.get("insert_id"), str) and not self._known_ids.add(f"entry {identity}"):
            return (UsageFault.REPEATED,)
        if table_read is None:
            reads = _list_job_tables(completed)
        else:
            name = payload.get("resourceName")
            reads = _list_fields(name if isinstance(name, str) else "", _to_object(table_read))
        if isinstance(reads, UsageFault):
            return (reads,)
        principal = find_object(payload, "authenticationInfo").get("principalEmail")
        return build_entry(principal, parse_moment(row.get("timestamp")), self._latest, reads)

    def check(self) -> None:
        """Refuse a log of the jobs alone: it would prove that nobody reads anything."""
        if self._job_entries and not self._read_entries:
            raise UsageError(
                "It has entries with jobChange and none with tableDataRead, which name the read columns. Export the"
                " log cloudaudit.googleapis.com/data_access with protoPayload.metadata.tableDataRead:*."
            )


def _to_object(value: object) -> dict[str, object]:
    return cast("dict[str, object]", value) if isinstance(value, dict) else {}


def find_object(value: Mapping[str, object], *names: str) -> Mapping[str, object]:
    """Return a nested object; an empty one where there is none."""
    for name in names:
        value = _to_object(value.get(name))
    return value


def _list_fields(resource: str, table_read: Mapping[str, object]) -> list[tuple[str, str]] | UsageFault:
    """List the columns of a read entry; the empty one, for the whole asset, if it names none."""
    if (match := RESOURCE.fullmatch(resource)) is None:
        return UsageFault.NO_ASSET
    if (asset := clean_table(".".join(match.groups()))) is None:
        return UsageFault.NOT_A_TABLE
    value = table_read.get("fields")
    fields: Sequence[object] = cast("list[object]", value) if isinstance(value, list) else ()
    return [(asset, field if isinstance(field, str) else "") for field in fields or ("",)]


def _list_job_tables(job: Mapping[str, object]) -> list[tuple[str, str]] | UsageFault:
    """List the tables and views of an older entry, each as a whole."""
    statistics = find_object(job, "jobStatistics")
    items: list[object] = []
    for name in ("referencedTables", "referencedViews"):
        value = statistics.get(name)
        items += cast("list[object]", value) if isinstance(value, list) else []
    reads: list[tuple[str, str]] = []
    for item in items:
        table = _to_object(item)
        name = ".".join(str(table.get(key) or "") for key in ("projectId", "datasetId", "tableId"))
        if (asset := clean_table(name)) is not None:
            reads.append((asset, ""))
    if reads:
        return reads
    return UsageFault.NOT_A_TABLE if items else UsageFault.NOT_A_READ


def clean_table(name: str) -> str | None:
    """Remove the decorators of partitions and snapshots from a name; None for wildcards and INFORMATION_SCHEMA."""
    name = name.split("$", 1)[0].rsplit("@", 1)[0]
    if "*" in name or INFORMATION_SCHEMA in name.lower().split("."):
        return None
    return name
