"""Logs of vendors: rows that are not taken, files that are refused, and files that were cut off."""

import gzip
import io
import json
import sys
from collections import Counter
from contextlib import suppress
from datetime import UTC, datetime
from random import Random
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from tessera_gql.formats import json_stream, usage_seen
from tessera_gql.formats.json_stream import JsonStream
from tessera_gql.formats.usage_formats import UsageFormat, detect_format, open_reader
from tessera_gql.formats.usage_rows import UsageError, UsageFault, UsageRow, parse_moment
from tessera_gql.formats.usage_seen import SeenIds
from tests.formats.usage_generators import GENERATORS, SNOWFLAKE_COLUMNS, snowflake_log

NOW = datetime(2026, 1, 1, tzinfo=UTC)
WHEN = "2025-12-30T10:00:00Z"
TABLE = {"objectDomain": "Table", "objectName": "A.B.C", "columns": [{"columnName": "X"}]}


def read(content: str | bytes, format_: UsageFormat) -> tuple[list[tuple[str, str, str]], Counter[UsageFault], bool]:
    """Read a log: principal, asset and field of its reads, its faults, and whether it was cut off."""
    reader = open_reader(content.encode() if isinstance(content, str) else content, format_, NOW)
    rows = [row for _, entry in reader for row in entry]
    reads = [(row.principal, row.asset, row.field) for row in rows if isinstance(row, UsageRow)]
    return reads, Counter(row for row in rows if isinstance(row, UsageFault)), reader.is_truncated


def lines(*records: Any) -> str:
    return "".join(json.dumps(record) + "\n" for record in records)


def query(**changes: Any) -> dict[str, Any]:
    row = {"QUERY_ID": "q", "QUERY_START_TIME": WHEN, "USER_NAME": "bob"}
    return row | {"DIRECT_OBJECTS_ACCESSED": [TABLE], "BASE_OBJECTS_ACCESSED": []} | changes


def job(**changes: Any) -> dict[str, Any]:
    table = {"project_id": "a", "dataset_id": "b", "table_id": "c"}
    row = {"job_id": "j", "user_email": "bob", "creation_time": WHEN, "state": "DONE", "error_result": None}
    return row | {"referenced_tables": [table]} | changes


def event(**changes: Any) -> dict[str, Any]:
    row = {"eventType": "COMPLETE", "eventTime": WHEN, "run": {"runId": "r"}, "job": {"namespace": "n", "name": "j"}}
    return row | {"inputs": [{"namespace": "s", "name": "a.b.c"}], "outputs": []} | changes


@pytest.mark.parametrize(
    ("row", "fault"),
    [
        (query(USER_NAME=None), UsageFault.NO_PRINCIPAL),
        (query(USER_NAME=" "), UsageFault.NO_PRINCIPAL),
        (query(USER_NAME=7), UsageFault.NO_PRINCIPAL),
        (query(USER_NAME="b" * 501), UsageFault.TOO_LONG),
        (query(USER_NAME="a\ud800"), UsageFault.MALFORMED_ROW),
        (query(QUERY_START_TIME="2026-01-01T02:00:00Z"), UsageFault.CLOCK_AHEAD),
        (query(QUERY_START_TIME="yesterday"), UsageFault.INVALID_TIME),
        (query(QUERY_START_TIME=None), UsageFault.INVALID_TIME),
        (query(QUERY_START_TIME=-5), UsageFault.INVALID_TIME),
        (query(QUERY_START_TIME=True), UsageFault.INVALID_TIME),
        (query(QUERY_START_TIME=1e300), UsageFault.INVALID_TIME),
        (query(QUERY_START_TIME="9999-12-31T23:59:59-08:00"), UsageFault.INVALID_TIME),
        (query(QUERY_ID=""), UsageFault.MALFORMED_ROW),
        (query(QUERY_ID=None), UsageFault.MALFORMED_ROW),
        (query(DIRECT_OBJECTS_ACCESSED="{"), UsageFault.MALFORMED_ROW),
        (query(DIRECT_OBJECTS_ACCESSED={}), UsageFault.MALFORMED_ROW),
        (query(DIRECT_OBJECTS_ACCESSED=["A.B.C"]), UsageFault.MALFORMED_ROW),
        (query(DIRECT_OBJECTS_ACCESSED=[{"objectDomain": "Table"}]), UsageFault.NO_ASSET),
        (query(DIRECT_OBJECTS_ACCESSED=[{"objectDomain": "Stage"}]), UsageFault.NOT_A_TABLE),
        (query(DIRECT_OBJECTS_ACCESSED=[]), UsageFault.NOT_A_READ),
    ],
)
def test_a_row_of_snowflake_with_a_fault_is_counted_by_its_kind(row: dict[str, Any], fault: UsageFault) -> None:
    assert read(lines(row, query(QUERY_ID="good")), UsageFormat.SNOWFLAKE) == (
        [("bob", "A.B.C", "X")],
        Counter([fault]),
        False,
    )


@pytest.mark.parametrize(
    ("row", "fault"),
    [
        (job(state="RUNNING"), UsageFault.UNFINISHED),
        (job(error_result={"reason": "stopped"}), UsageFault.FAILED),
        (job(error_result='{"reason": "stopped"}'), UsageFault.FAILED),
        (job(referenced_tables=[]), UsageFault.NOT_A_READ),
        (job(referenced_tables=None), UsageFault.NOT_A_READ),
        (job(referenced_tables={"a": 1}), UsageFault.MALFORMED_ROW),
        (job(referenced_tables="["), UsageFault.MALFORMED_ROW),
        (job(referenced_tables=[{"project_id": "a", "dataset_id": "b"}]), UsageFault.NO_ASSET),
        (job(job_id=None), UsageFault.MALFORMED_ROW),
        (job(user_email=None), UsageFault.NO_PRINCIPAL),
        (job(creation_time=None), UsageFault.INVALID_TIME),
        ({"insertId": "e", "protoPayload": {"metadata": {"tableDataRead": {}}}}, UsageFault.NO_ASSET),
        ({"insertId": "e", "protoPayload": {"metadata": "{"}}, UsageFault.MALFORMED_ROW),
        ({"insertId": "e", "protoPayload": {}}, UsageFault.NOT_A_READ),
    ],
)
def test_a_row_of_bigquery_with_a_fault_is_counted_by_its_kind(row: dict[str, Any], fault: UsageFault) -> None:
    assert read(lines(job(job_id="good"), row), UsageFormat.BIGQUERY) == (
        [("bob", "a.b.c", "")],
        Counter([fault]),
        False,
    )


@pytest.mark.parametrize(
    ("row", "fault"),
    [
        (event(eventType="FAIL"), UsageFault.FAILED),
        (event(eventType=None), UsageFault.NOT_A_READ),
        (event(run={}), UsageFault.MALFORMED_ROW),
        (event(run=None), UsageFault.MALFORMED_ROW),
        (event(inputs=None), UsageFault.NOT_A_READ),
        (event(inputs={"name": "a"}), UsageFault.MALFORMED_ROW),
        (event(inputs=[{"namespace": "s"}]), UsageFault.MALFORMED_ROW),
        (event(job={}), UsageFault.NO_PRINCIPAL),
        (event(eventTime="now"), UsageFault.INVALID_TIME),
        ({"schemaURL": "u", "dataset": {"name": "a"}}, UsageFault.NOT_A_READ),
        ({"hello": 1}, UsageFault.MALFORMED_ROW),
    ],
)
def test_an_event_of_openlineage_with_a_fault_is_counted_by_its_kind(row: dict[str, Any], fault: UsageFault) -> None:
    assert read(lines(event(run={"runId": "good"}), row), UsageFormat.OPENLINEAGE) == (
        [("n/j", "a.b.c", "")],
        Counter([fault]),
        False,
    )


def test_a_view_and_its_base_table_are_read_with_the_columns_of_each() -> None:
    view = {"objectDomain": "View", "objectName": '"A"."B"."V"', "columns": [{"columnName": "Y"}, {"columnName": "Z"}]}
    reads, faults, _ = read(
        lines(query(DIRECT_OBJECTS_ACCESSED=[view], BASE_OBJECTS_ACCESSED=[TABLE])), UsageFormat.SNOWFLAKE
    )
    assert reads == [("bob", "A.B.V", "Y"), ("bob", "A.B.V", "Z"), ("bob", "A.B.C", "X")]
    assert not faults


def test_an_input_without_column_lineage_of_every_output_is_read_as_a_whole() -> None:
    field = {"namespace": "s", "name": "a.b.c", "field": "x"}
    with_columns = {"name": "o", "facets": {"columnLineage": {"fields": {"y": {"inputFields": [field]}}}}}
    content = lines(
        event(outputs=[with_columns], run={"runId": "1"}),
        event(outputs=[with_columns, {"name": "p"}], run={"runId": "2"}),
    )
    reads, _, _ = read(content, UsageFormat.OPENLINEAGE)
    assert reads == [("n/j", "a.b.c", "x"), ("n/j", "a.b.c", ""), ("n/j", "a.b.c", "x")]


def test_a_line_that_is_no_json_is_counted_and_the_others_are_taken() -> None:
    content = lines(query()) + '{"QUERY_ID": \n' + "7\n" + "\n" + lines(query(QUERY_ID="r"))
    reads, faults, is_truncated = read(content, UsageFormat.SNOWFLAKE)
    assert (len(reads), faults, is_truncated) == (2, Counter({UsageFault.MALFORMED_ROW: 2}), False)


@pytest.mark.parametrize("end", ["", ",", ', {"QUERY_ID', ', {"QUERY_ID": "x", "USER_NAME": tr', ', {"a": "\\u00'])
def test_rows_before_the_cut_of_an_array_are_taken(end: str) -> None:
    content = f"[{json.dumps(query())}{end}"
    assert read(content, UsageFormat.SNOWFLAKE) == ([("bob", "A.B.C", "X")], Counter(), True)


def test_a_cut_within_a_character_is_a_cut() -> None:
    content = json.dumps([query(), query(USER_NAME="ö")], ensure_ascii=False).encode()
    assert read(content[: content.index("ö".encode()) + 1], UsageFormat.SNOWFLAKE)[2]
    content = "principal,asset,field,read_at\nbob,a.b,x,2025-12-30\nö".encode()
    assert read(content[:-1], UsageFormat.CSV) == ([("bob", "a.b", "x")], Counter(), True)


def test_lines_before_the_cut_are_taken() -> None:
    content = lines(query(), query(QUERY_ID="r"))[:-30]
    assert read(content, UsageFormat.SNOWFLAKE) == ([("bob", "A.B.C", "X")], Counter(), True)


@pytest.mark.parametrize(
    ("content", "format_", "message"),
    [
        ("", "SNOWFLAKE", r"empty. Import a log without rows as \[\]"),
        ("", "OPENLINEAGE", "It is empty"),
        ("principal,asset,field,read_at\n", "SNOWFLAKE", "It looks like CSV, not like SNOWFLAKE"),
        (lines(query()), "CSV", "It looks like SNOWFLAKE, not like CSV. Import it with the format SNOWFLAKE"),
        (lines(query()), "BIGQUERY", "It looks like SNOWFLAKE"),
        (lines(job()), "OPENLINEAGE", "It looks like BIGQUERY"),
        (lines(event()), "SNOWFLAKE", "It looks like OPENLINEAGE"),
        ("a,b\n1,2\n", "BIGQUERY", "does not look like BIGQUERY"),
        ('{"a": 1}', "BIGQUERY", "does not look like BIGQUERY"),
        (
            lines({"QUERY_ID": "q", "USER_NAME": "b"}),
            "SNOWFLAKE",
            "None of its rows has DIRECT_OBJECTS_ACCESSED or BASE",
        ),
        (lines({"job_id": "q", "user_email": "b"}), "BIGQUERY", "None of its rows has referenced_tables"),
        (lines({"protoPayload": {"metadata": {"jobChange": {}}}}), "BIGQUERY", "none with tableDataRead"),
        ("QUERY_ID,USER_NAME\nq,b\n", "SNOWFLAKE", "It lacks the column QUERY_START_TIME"),
        (gzip.compress(b"x", mtime=0), "CSV", "without compression"),
        (f"[{json.dumps(query())} {json.dumps(query())}]", "SNOWFLAKE", "comma is missing"),
        (f"[{json.dumps(query())},\n oops, {json.dumps(query())}]", "SNOWFLAKE", "In line 2, it is no JSON"),
        (f"[{json.dumps(query())},{'[' * 100_000}{']' * 100_000}]", "SNOWFLAKE", "nested too deeply"),
        (b"[" + json.dumps(query()).encode() + b', "\xff"]', "SNOWFLAKE", "not text in UTF-8"),
        ("run,job,eventType\n", "OPENLINEAGE", "does not look|no JSON"),
    ],
    ids=lambda value: value[:40] if isinstance(value, str) else None,
)
def test_a_file_that_is_no_log_of_the_format_is_refused(content: str | bytes, format_: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        read(content, UsageFormat(format_))


@pytest.mark.parametrize("content", ["[]", " [ ]\n", "\ufeff[]"])
@pytest.mark.parametrize("format_", ["SNOWFLAKE", "BIGQUERY", "OPENLINEAGE"])
def test_an_empty_array_is_a_log_without_rows(content: str, format_: str) -> None:
    assert read(content, UsageFormat(format_)) == ([], Counter(), False)


@pytest.mark.parametrize("content", [b"", b"\x00\x01", b"PAR1", b'{"a": ', b"hello", b'"a', b"[1]", b"\xff\xfe"])
def test_what_has_no_known_names_has_no_known_format(content: bytes) -> None:
    assert detect_format(content) is None


@settings(deadline=None, max_examples=200)
@given(content=st.binary(max_size=300), format_=st.sampled_from([*UsageFormat]))
def test_any_bytes_are_read_or_refused(content: bytes, format_: UsageFormat) -> None:
    with suppress(UsageError):
        read(content, format_)


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(st.text(max_size=5), children, max_size=3),
    max_leaves=8,
)


@settings(deadline=None, max_examples=200)
@given(data=st.data(), format_=st.sampled_from(["SNOWFLAKE", "BIGQUERY", "OPENLINEAGE"]))
def test_rows_with_any_values_are_read_or_counted(data: st.DataObject, format_: str) -> None:
    rows = {"SNOWFLAKE": query(), "BIGQUERY": job(), "OPENLINEAGE": event()}
    row = rows[format_]
    for name in data.draw(st.lists(st.sampled_from([*row]), min_size=1, max_size=3)):
        row[name] = data.draw(JSON_VALUES)
    payload = {"insertId": data.draw(JSON_VALUES), "protoPayload": data.draw(st.dictionaries(st.text(), JSON_VALUES))}
    entries = [payload] if format_ == "BIGQUERY" else []
    reads, faults, _ = read(lines(rows[format_] | {}, row, *entries), UsageFormat(format_))
    assert reads or faults


@settings(deadline=None, max_examples=60)
@given(random=st.randoms(use_true_random=False), chunk=st.integers(1, 200))
def test_the_size_of_the_chunks_changes_nothing(random: Random, chunk: int) -> None:
    generated = GENERATORS[UsageFormat.SNOWFLAKE](random)
    expected = read(generated.content, generated.format)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_stream, "CHUNK", chunk)
        assert read(generated.content, generated.format) == expected


@settings(deadline=None, max_examples=100)
@given(values=st.lists(JSON_VALUES.filter(lambda value: value == value), max_size=5), chunk=st.integers(1, 30))  # noqa: PLR0124 - no NaN
def test_values_are_read_as_the_parser_of_whole_files_reads_them(values: list[Any], chunk: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_stream, "CHUNK", chunk)
        stream = JsonStream(json.dumps(values, indent=1).encode())
        parsed = [value for _, value in stream]
    assert (repr(parsed), stream.is_truncated) == (repr(values), False)


def test_ids_are_remembered_beyond_the_recent_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(usage_seen, "RECENT_IDS", 10)
    seen = SeenIds()
    assert [seen.add(str(number % 55)) for number in range(200)] == [True] * 55 + [False] * 145


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (1_767_225_600, NOW),
        (1_767_225_600_000, NOW),
        (1_767_225_600_000_000, NOW),
        (1_767_225_600_000_000_000, NOW),
        ("1767225600000", NOW),
        ("1.7672256E9", NOW),
        ("1.767225600000E12", NOW),
        ("2026-01-01 00:00:00.000000000 +0000", NOW),
        ("2025-12-31 16:00:00.000 -0800", NOW),
        ("2025-12-31 16:00:00.000 -08", NOW),
        ("2026-01-01 00:00:00 UTC", NOW),
        ("2026-01-01", NOW),
        (datetime(2026, 1, 1), NOW),  # noqa: DTZ001 - as pyarrow gives it
        ("", None),
        (0, None),
        (float("nan"), None),
        ("1" * 30, None),
        ([], None),
    ],
)
def test_times_are_read_as_vendors_write_them(value: object, expected: datetime | None) -> None:
    assert parse_moment(value) == expected


def test_a_parquet_file_has_the_rows_of_the_json_file() -> None:
    rows = [query(QUERY_ID=str(number)) for number in range(2_500)]
    for row in rows:
        row |= {name: json.dumps(row.get(name, [])) for name in SNOWFLAKE_COLUMNS[3:]}
        row["QUERY_START_TIME"] = datetime(2025, 12, 30, 10)  # noqa: DTZ001 - Snowflake unloads times without a zone
    file = io.BytesIO()
    parquet.write_table(pa.Table.from_pylist(rows), file)
    assert detect_format(file.getvalue()) is UsageFormat.SNOWFLAKE
    reads, faults, _ = read(file.getvalue(), UsageFormat.SNOWFLAKE)
    assert (len(reads), faults) == (2_500, Counter())
    with pytest.raises(UsageError, match="cut off"):
        read(file.getvalue()[:-9], UsageFormat.SNOWFLAKE)
    table = pa.Table.from_pylist([{"user_email": "x", "referenced_tables": "[]"}])
    parquet.write_table(table, file := io.BytesIO())
    with pytest.raises(UsageError, match="It lacks the column JOB_ID"):
        read(file.getvalue(), UsageFormat.BIGQUERY)


def test_without_pyarrow_a_parquet_file_is_refused_with_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("pyarrow", "pyarrow.parquet"):
        monkeypatch.setitem(sys.modules, module, None)  # as if the extra was not installed
    content = b"PAR1 QUERY_ID USER_NAME PAR1"
    with pytest.raises(UsageError, match=r"install tessera-gql\[parquet\]"):
        read(content, UsageFormat.SNOWFLAKE)


def test_a_generated_log_of_snowflake_is_never_one_of_another_vendor() -> None:
    for seed in range(50):
        generated = snowflake_log(Random(seed))
        if generated.rows:
            for format_ in {*UsageFormat} - {generated.format}:
                with pytest.raises(UsageError, match="It looks like SNOWFLAKE"):
                    read(generated.content, format_)
