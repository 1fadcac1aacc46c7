"""Logs of vendors are folded by day as their formats are documented, however the export is written."""

from datetime import timedelta
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tessera_gql.errors import Invalid
from tessera_gql.formats.usage_formats import UsageFormat, detect_format
from tessera_gql.formats.usage_rows import UsageFault
from tessera_gql.workflows import usage_log
from tessera_gql.workflows.usage_log import UsageDocument, UsageLog, collect_reads
from tests.formats.usage_generators import GENERATORS, NOW, GeneratedLog, Reads


def fold(*logs: UsageLog) -> Reads:
    folded: Reads = {}
    for log in logs:
        for asset, readers in log.reads.items():
            for (principal, path), days in readers.items():
                merged = folded.setdefault((principal, asset, path.casefold()), {})
                for day, reads in days.items():
                    count, first, last = merged.get(str(day), (0, reads.first_at, reads.last_at))
                    merged[str(day)] = (count + reads.count, min(first, reads.first_at), max(last, reads.last_at))
    return folded


def check(generated: GeneratedLog) -> None:
    log = collect_reads(UsageDocument(generated.content, generated.format), NOW)
    assert fold(log) == generated.fold(), generated.content.decode()
    faults = {fault: rows.count for fault, rows in log.faults.items()}
    assert (faults, log.row_count) == ({**generated.faults}, generated.rows), generated.content.decode()
    assert log.is_complete
    if (span := generated.span()) is not None:
        assert (log.first_at, log.last_at) == span
    if generated.rows:
        assert detect_format(generated.content) is generated.format


@pytest.mark.parametrize("format_", [*UsageFormat])
@settings(deadline=None, max_examples=150)
@given(random=st.randoms(use_true_random=False))
def test_a_generated_log_is_folded_as_its_queries_are(format_: UsageFormat, random: Random) -> None:
    check(GENERATORS[format_](random))


@pytest.mark.parametrize("format_", [*UsageFormat])
@settings(deadline=None, max_examples=60)
@given(random=st.randoms(use_true_random=False), share=st.floats(0, 1))
def test_of_a_log_that_was_cut_off_nothing_is_invented_and_nothing_is_proven(
    format_: UsageFormat, random: Random, share: float
) -> None:
    generated = GENERATORS[format_](random)
    content = generated.content.rstrip()
    cut = content[: int(len(content) * share)]
    try:
        log = collect_reads(UsageDocument(cut, format_), NOW)
    except Invalid:
        return
    whole = generated.fold()
    for key, days in fold(log).items():
        if format_ is UsageFormat.CSV:
            continue  # the last cell, a time, may be cut off where it still is one
        assert days.items() <= whole.get(key, {}).items() or all(days[day][0] <= whole[key][day][0] for day in days)
    if content.startswith((b"[", b"\xef\xbb\xbf[")) and cut != content:
        assert log.is_truncated or not log.is_complete


@settings(deadline=None, max_examples=60)
@given(random=st.randoms(use_true_random=False), groups=st.integers(2, 6))
def test_a_log_with_more_readers_than_fit_into_memory_is_read_in_parts(random: Random, groups: int) -> None:
    generated = GENERATORS[UsageFormat.SNOWFLAKE](random)
    document = UsageDocument(generated.content, generated.format)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(usage_log, "MAX_GROUPS", groups)
        patch.setattr(usage_log, "MAX_PARTS", 2**30)
        first = collect_reads(document, NOW)
        logs = [first, *document.collect_parts(first, NOW)]
    assert fold(*logs) == generated.fold()
    assert all(sum(len(days) for readers in log.reads.values() for days in readers.values()) <= groups for log in logs)
    assert {fault: rows.count for fault, rows in first.faults.items()} == {**generated.faults}


def test_reads_before_the_retention_are_counted_and_not_taken() -> None:
    moments = [NOW - timedelta(days=days) for days in (1, 61, 93, 500)]
    lines = ["principal,asset,field,read_at", *(f"bob,a.b,x,{moment.isoformat()}" for moment in moments)]
    log = collect_reads(UsageDocument("\n".join(lines).encode(), retention_days=62), NOW)
    assert log.faults[UsageFault.EXPIRED].count == 2
    assert (log.read_count, log.first_at, str(log.kept_from)) == (2, moments[1], "2025-10-01")
    assert log.is_complete
