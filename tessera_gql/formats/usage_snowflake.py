"""Read rows of Snowflake's view ACCOUNT_USAGE.ACCESS_HISTORY.

A query reads the objects that it names, such as views, and the base tables beneath them.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import cast

from tessera_gql.formats.usage_records import parse_nested
from tessera_gql.formats.usage_rows import Entry, UsageError, UsageFault, build_entry, get_ignoring_case, parse_moment
from tessera_gql.formats.usage_seen import SeenIds

OBJECT_COLUMNS = ("direct_objects_accessed", "base_objects_accessed")
TABLE_DOMAINS = frozenset(
    {
        "table",
        "view",
        "materialized view",
        "secure view",
        "external table",
        "dynamic table",
        "iceberg table",
        "hybrid table",
        "event table",
        "temporary table",
        "transient table",
    }
)
"""What `objectDomain` says of what has columns. Stages, functions and streams are no tables; their base objects are."""


class SnowflakeParser:
    """Reads each query once, with the columns of the tables and views that it has read."""

    columns: tuple[str, ...] = ("query_id", "query_start_time", "user_name", *OBJECT_COLUMNS)

    def __init__(self, latest: datetime) -> None:
        self._latest = latest
        self._known_ids = SeenIds()
        self._names: set[str] = set()
        self._has_rows = False

    def parse(self, record: Mapping[str, object]) -> Entry:
        row = {key.lower(): value for key, value in record.items()}
        self._has_rows = True
        self._names.update(name for name in OBJECT_COLUMNS if name in row)
        query = row.get("query_id")
        if not isinstance(query, str) or not query:
            return (UsageFault.MALFORMED_ROW,)
        try:
            lists = [_to_list(parse_nested(row.get(name))) for name in OBJECT_COLUMNS]
        except (ValueError, TypeError):
            return (UsageFault.MALFORMED_ROW,)
        if not self._known_ids.add(query):
            return (UsageFault.REPEATED,)
        reads: list[tuple[str, str]] = []
        faults: list[UsageFault] = []
        for item in (item for objects in lists for item in objects):
            fault = _add_object(item, reads)
            faults += [fault] if fault else []
        if not reads:
            return faults or (UsageFault.NOT_A_READ,)
        moment = parse_moment(row.get("query_start_time"))
        return [*build_entry(row.get("user_name"), moment, self._latest, reads), *faults]

    def check(self) -> None:
        missing = [name.upper() for name in OBJECT_COLUMNS if name not in self._names]
        if self._has_rows and missing:
            raise UsageError(
                f"None of its rows has {' or '.join(missing)}. Export QUERY_ID, QUERY_START_TIME, USER_NAME,"
                " DIRECT_OBJECTS_ACCESSED and BASE_OBJECTS_ACCESSED of ACCESS_HISTORY."
            )


def _to_list(value: object) -> list[object]:
    if value is None:
        return []
    if not isinstance(value, list):
        raise TypeError
    return cast("list[object]", value)


def _add_object(item: object, reads: list[tuple[str, str]]) -> UsageFault | None:
    """Add the reads of one accessed object; return the fault of an object that is none or no table."""
    if not isinstance(item, dict):
        return UsageFault.MALFORMED_ROW
    accessed = cast("dict[str, object]", item)
    domain = get_ignoring_case(accessed, "objectDomain")
    if isinstance(domain, str) and domain.lower() not in TABLE_DOMAINS:
        return UsageFault.NOT_A_TABLE
    name = get_ignoring_case(accessed, "objectName")
    if not isinstance(name, str) or not name.strip():
        return UsageFault.NO_ASSET
    reads.extend((name, column) for column in _list_columns(get_ignoring_case(accessed, "columns")))
    return None


def _list_columns(value: object) -> Iterator[str]:
    """List the names of read columns; the empty name, for the whole asset, if they or one of them are not named."""
    columns = cast("list[object]", value) if isinstance(value, list) else []
    if not columns:
        yield ""
    for item in columns:
        name = get_ignoring_case(cast("dict[str, object]", item), "columnName") if isinstance(item, dict) else None
        yield name if isinstance(name, str) else ""
