"""Read rows of BigQuery's view INFORMATION_SCHEMA.JOBS, and entries of its audit logs.

JOBS names tables only, so that a query counts as a read of the whole table. The audit logs name columns.
"""

import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from functools import lru_cache
from typing import cast

from tessera_gql.formats.usage_bigquery_audit import AuditLogParser, clean_table, find_payload
from tessera_gql.formats.usage_records import parse_nested
from tessera_gql.formats.usage_rows import Entry, UsageError, UsageFault, build_entry, parse_moment
from tessera_gql.formats.usage_seen import SeenIds

FINISHED = "DONE"
_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


class BigQueryParser:
    """Reads each finished job once, and each entry of an audit log once."""

    columns: tuple[str, ...] = ("job_id", "user_email", "referenced_tables")

    def __init__(self, latest: datetime) -> None:
        self._latest = latest
        self._known_ids = SeenIds()
        self._audit_log = AuditLogParser(latest, self._known_ids)
        self._has_jobs = self._has_tables = False

    def parse(self, record: Mapping[str, object]) -> Entry:
        row = {to_snake_case(key): value for key, value in record.items()}
        if (payload := find_payload(row)) is not None:
            return self._audit_log.parse(row, payload)
        self._has_jobs = True
        self._has_tables = self._has_tables or "referenced_tables" in row
        job = row.get("job_id")
        if not isinstance(job, str) or not job:
            return (UsageFault.MALFORMED_ROW,)
        try:
            has_failed = bool(parse_nested(row.get("error_result")))
            tables = parse_nested(row.get("referenced_tables")) or []
        except ValueError:
            return (UsageFault.MALFORMED_ROW,)
        if fault := _find_fault(row.get("state"), tables, has_failed=has_failed):
            return (fault,)
        if not self._known_ids.add(f"job {row.get('project_id') or ''} {job}"):
            return (UsageFault.REPEATED,)
        moment = parse_moment(row.get("creation_time") or row.get("start_time"))
        return read_tables(row.get("user_email"), moment, self._latest, list(_iterate_names(tables)))

    def check(self) -> None:
        if self._has_jobs and not self._has_tables:
            raise UsageError(
                "None of its rows has referenced_tables. Export job_id, user_email, creation_time, state, error_result"
                " and referenced_tables of INFORMATION_SCHEMA.JOBS."
            )
        self._audit_log.check()


def _find_fault(state: object, tables: object, *, has_failed: bool) -> UsageFault | None:
    if not isinstance(tables, list):
        return UsageFault.MALFORMED_ROW
    if isinstance(state, str) and state.upper() != FINISHED:
        return UsageFault.UNFINISHED
    if has_failed:
        return UsageFault.FAILED
    return None if tables else UsageFault.NOT_A_READ


def _iterate_names(tables: object) -> Iterator[str | None]:
    """Iterate over the names of tables; None for what names none."""
    for item in cast("list[object]", tables):
        table = cast("dict[str, object]", item) if isinstance(item, dict) else {}
        parts = {to_snake_case(key): value for key, value in table.items()}
        names = [parts.get(key) for key in ("project_id", "dataset_id", "table_id")]
        yield ".".join(map(str, names)) if all(isinstance(name, str) and name for name in names) else None


def read_tables(principal: object, moment: datetime | None, latest: datetime, tables: list[str | None]) -> Entry:
    """Build the entry of a query that reads whole tables; None stands for a table without a name."""
    faults: list[UsageFault] = []
    reads: list[tuple[str, str]] = []
    for name in tables:
        if name is None:
            faults.append(UsageFault.NO_ASSET)
        elif (table := clean_table(name)) is None:
            faults.append(UsageFault.NOT_A_TABLE)
        else:
            reads.append((table, ""))
    return [*build_entry(principal, moment, latest, reads), *faults] if reads else faults


@lru_cache(maxsize=1_000)
def to_snake_case(name: str) -> str:
    """Convert a name as the REST API and the audit logs write it, such as `projectId`."""
    return _HUMP.sub("_", name).lower()
