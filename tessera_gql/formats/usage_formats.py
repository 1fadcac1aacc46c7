"""The formats of logs of reads: find out which one a file has, and open it with the reader of that format."""

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from enum import StrEnum

from tessera_gql.formats.csv_stream import CsvStream
from tessera_gql.formats.json_stream import JsonStream
from tessera_gql.formats.usage_bigquery import BigQueryParser
from tessera_gql.formats.usage_csv import CsvUsageReader
from tessera_gql.formats.usage_openlineage import OpenLineageParser
from tessera_gql.formats.usage_records import GZIP_MAGIC, PARQUET_MAGIC, RecordReader, UsageParser, is_json
from tessera_gql.formats.usage_rows import UsageError, UsageReader
from tessera_gql.formats.usage_snowflake import SnowflakeParser

FOOTER_BYTES = 1024 * 1024
"""Bytes at the end of a Parquet file in which the names of its columns stand."""
HEAD_BYTES = 64 * 1024
EMPTY_ARRAY = re.compile(rb"(?:\xef\xbb\xbf)?\s*\[\s*\]\s*")


class UsageFormat(StrEnum):
    """The format of a log of reads."""

    CSV = "CSV"
    SNOWFLAKE = "SNOWFLAKE"
    BIGQUERY = "BIGQUERY"
    OPENLINEAGE = "OPENLINEAGE"


PARSERS: Mapping[UsageFormat, Callable[[datetime], UsageParser]] = {
    UsageFormat.SNOWFLAKE: SnowflakeParser,
    UsageFormat.BIGQUERY: BigQueryParser,
    UsageFormat.OPENLINEAGE: OpenLineageParser,
}
MARKS: Mapping[UsageFormat, tuple[frozenset[str], ...]] = {
    UsageFormat.OPENLINEAGE: (
        frozenset({"run", "job"}),
        frozenset({"eventtime", "producer"}),
        frozenset({"eventtime", "schemaurl"}),
    ),
    UsageFormat.SNOWFLAKE: (
        frozenset({"direct_objects_accessed"}),
        frozenset({"base_objects_accessed"}),
        frozenset({"query_id", "user_name"}),
    ),
    UsageFormat.BIGQUERY: (
        frozenset({"protopayload"}),
        frozenset({"protopayload_auditlog"}),
        frozenset({"referenced_tables"}),
        frozenset({"referencedtables"}),
        frozenset({"user_email", "job_id"}),
        frozenset({"useremail", "jobid"}),
    ),
    UsageFormat.CSV: (frozenset({"principal", "asset"}), frozenset({"principal", "read_at"})),
}
"""Names, in lower case, of which one group identifies the format of a file."""


def detect_format(content: bytes) -> UsageFormat | None:
    """Find out the format of a log by the names in its beginning; None if they don't identify it."""
    names = _list_names(content)
    for format_, groups in MARKS.items():
        if any(group <= names for group in groups):
            return format_
    return None


def _list_names(content: bytes) -> set[str]:
    if content.startswith(PARQUET_MAGIC):
        return {text.decode().lower() for text in re.findall(rb"[A-Za-z_]{3,40}", content[-FOOTER_BYTES:])}
    try:
        if is_json(content):
            return _list_json_names(content)
        return {*(CsvStream(content[:HEAD_BYTES]).read_header() or ())}
    except UsageError:
        return set()


def _list_json_names(content: bytes) -> set[str]:
    """List the names of the members of the first value; if it can't be read, all names in the beginning."""
    try:
        first = next(iter(JsonStream(content[:HEAD_BYTES])), None)
    except UsageError:
        first = None
    if first is None or not isinstance(first[1], dict):
        return {text.decode().lower() for text in re.findall(rb'"([A-Za-z_]{1,40})"\s*:', content[:HEAD_BYTES])}
    return {str(name).lower() for name in first[1]}


def open_reader(content: bytes, format_: UsageFormat, latest: datetime) -> UsageReader:
    """Open a log in a format; rows after `latest` count as ahead. Raise UsageError for a log in another format."""
    detected = detect_format(content)
    if detected is not None and detected is not format_:
        raise UsageError(f"It looks like {detected}, not like {format_}. Import it with the format {detected}.")
    if format_ is not UsageFormat.CSV:
        if detected is None and content.strip() and not EMPTY_ARRAY.fullmatch(content):
            raise UsageError(f"It does not look like {format_}: its beginning has none of the names of that format.")
        return RecordReader(content, PARSERS[format_](latest))
    if content.startswith((PARQUET_MAGIC, GZIP_MAGIC)):
        raise UsageError("It is no text. Export it as CSV in UTF-8, without compression.")
    return CsvUsageReader(content, latest)
