"""What sources cover of an asset, and what is missing for a policy that demands coverage."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from tessera_gql.errors import Invalid
from tessera_gql.policy.ask_policy import AskPolicy, validate_policy
from tessera_gql.policy.coverage import (
    Coverage,
    CoverageGapKind,
    CoveredWindow,
    LastReadIndex,
    MissingCoverage,
    UnmappedReader,
    find_missing_coverage,
    find_window,
)
from tessera_gql.policy.usage import CoveredSpan

NOW = datetime(2026, 6, 1, tzinfo=UTC)
DAY = timedelta(days=1)


def span(first: float, last: float) -> CoveredSpan:
    """A span from and to a number of days before now."""
    return CoveredSpan(NOW - first * DAY, NOW - last * DAY)


def kinds(missing: list[MissingCoverage]) -> list[CoverageGapKind]:
    return [item.kind for item in missing]


@pytest.mark.parametrize(
    ("sources", "whole", "gaps"),
    [
        ({}, None, ()),
        ({"a": []}, None, ()),
        ({"a": [span(9, 1)]}, span(9, 1), ()),
        ({"a": [span(9, 5), span(4, 1)]}, span(9, 1), (span(5, 4),)),
        ({"a": [span(9, 1)], "b": [span(20, 3)]}, span(9, 3), ()),
        ({"a": [span(9, 1)], "b": [span(20, 6), span(5, 2)]}, span(9, 2), (span(6, 5),)),
        ({"a": [span(9, 5)], "b": [span(4, 1)]}, None, ()),
        ({"a": [span(9, 1)], "b": []}, None, ()),
        ({"a": [span(5, 5)]}, None, ()),
    ],
)
def test_an_asset_is_covered_while_all_of_its_sources_are(
    sources: dict[str, list[CoveredSpan]], whole: CoveredSpan | None, gaps: tuple[CoveredSpan, ...]
) -> None:
    assert find_window(sources) == CoveredWindow(tuple(sorted(sources)), whole, gaps)


@pytest.mark.parametrize(
    ("sources", "missing"),
    [
        ({}, [CoverageGapKind.NO_SOURCE]),
        ({"a": []}, [CoverageGapKind.TOO_SHORT]),
        ({"a": [span(30, 0)]}, []),
        ({"a": [span(32, 2)]}, []),
        ({"a": [span(33, 2.1)]}, [CoverageGapKind.OUTDATED]),
        ({"a": [span(29, 0)]}, [CoverageGapKind.TOO_SHORT]),
        ({"a": [span(40, 20), span(19, 0)]}, [CoverageGapKind.TOO_SHORT]),
        ({"a": [span(40, 0)], "b": [span(40, 5)]}, [CoverageGapKind.OUTDATED]),
    ],
)
def test_the_last_days_up_to_the_latest_import_must_be_covered_without_a_gap(
    sources: dict[str, list[CoveredSpan]], missing: list[CoverageGapKind]
) -> None:
    assert kinds(find_missing_coverage(30, find_window(sources), [], NOW)) == missing


def test_a_principal_without_a_team_is_missing_only_if_it_read_in_the_demanded_days() -> None:
    window = find_window({"a": [span(60, 0)]})
    readers = [UnmappedReader(uuid4(), "bob", NOW - 29 * DAY), UnmappedReader(uuid4(), "eve", NOW - 31 * DAY)]
    (missing,) = find_missing_coverage(30, window, readers, NOW)
    assert (missing.kind, missing.principal_id) == (CoverageGapKind.UNMAPPED_PRINCIPAL, readers[0].principal_id)
    assert missing.message == "bob has no team and read it on 2026-05-03: map it to a team"
    assert MissingCoverage.from_json(missing.as_json()) == missing


@pytest.mark.parametrize(
    ("coverage", "text"),
    [
        (
            Coverage(0, 0, (), CoveredWindow()),
            "no team is registered and none was seen reading; no usage source covers it",
        ),
        (
            Coverage(1, 2, (), find_window({"a": [span(9, 5), span(4, 1)]})),
            (
                "1 team is registered and 2 were seen reading; 1 source (a) covers 2026-05-23 to 2026-05-31, but not"
                " 2026-05-27 to 2026-05-28"
            ),
        ),
        (
            Coverage(2, 1, (UnmappedReader(uuid4(), "bob", NOW),), find_window({"a": [span(9, 0)], "b": [span(9, 0)]})),
            (
                "2 teams are registered and 1 was seen reading; 2 sources (a, b) cover 2026-05-23 to 2026-06-01"
                " without a gap; 1 principal without a team read it (bob)"
            ),
        ),
        (
            Coverage(0, 0, (), find_window({"a": [span(9, 5)], "b": []})),
            "no team is registered and none was seen reading; 2 sources (a, b) cover no time of it",
        ),
    ],
)
def test_coverage_is_described_for_people(coverage: Coverage, text: str) -> None:
    assert coverage.describe() == text


def test_a_field_is_read_with_what_it_is_in_and_what_is_in_it() -> None:
    index = LastReadIndex({"items[].sku": NOW - DAY, "note": NOW - 3 * DAY})
    assert [index.find(path) for path in ("items", "items[].sku", "items[].price", "note", "total")] == [
        NOW - DAY,
        NOW - DAY,
        None,
        NOW - 3 * DAY,
        None,
    ]
    assert LastReadIndex({"": NOW, "note": NOW - DAY}).find("note") == NOW


@pytest.mark.parametrize("days", [0, 367, -1])
def test_a_policy_demands_one_day_to_a_year(days: int) -> None:
    with pytest.raises(Invalid, match="1 to 366 days"):
        validate_policy(AskPolicy(require_coverage_days=days))
    assert validate_policy(AskPolicy(require_coverage_days=366)).require_coverage_days == 366
