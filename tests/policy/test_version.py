"""Versions are ordered as semver.org specifies, and the next version has the bump of the change."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tessera_gql.diff import Bump
from tessera_gql.errors import Invalid
from tessera_gql.policy.version import Version, choose_version, next_release, parse_version

# semver.org 2.0.0, rule 11, the two examples joined.
PRECEDENCE = [
    "1.0.0-alpha",
    "1.0.0-alpha.1",
    "1.0.0-alpha.beta",
    "1.0.0-beta",
    "1.0.0-beta.2",
    "1.0.0-beta.11",
    "1.0.0-rc.1",
    "1.0.0",
    "2.0.0",
    "2.1.0",
    "2.1.1",
]

numbers = st.integers(0, 9_999_999)
marks = st.one_of(
    st.integers(0, 10**20).map(str), st.from_regex(r"[0-9]{0,3}[A-Za-z-][0-9A-Za-z-]{0,5}", fullmatch=True)
)
cores = st.tuples(numbers, numbers, numbers)
versions = st.builds(Version, cores, st.lists(marks, max_size=4).map(tuple))
bumps = st.sampled_from([Bump.PATCH, Bump.MINOR, Bump.MAJOR])


@pytest.mark.parametrize(("lower", "higher"), list(itertools.combinations(PRECEDENCE, 2)))
def test_precedence_is_that_of_the_specification(lower: str, higher: str) -> None:
    assert parse_version(lower) < parse_version(higher)
    assert parse_version(higher) > parse_version(lower)
    assert parse_version(lower) != parse_version(higher)


def test_build_metadata_does_not_count() -> None:
    assert parse_version("1.0.0+one") == parse_version("1.0.0+two") == parse_version("1.0.0")
    assert len({parse_version("1.0.0+one"), parse_version("1.0.0")}) == 1
    assert parse_version("1.0.0-rc.1+one") < parse_version("1.0.0")


@pytest.mark.parametrize(
    "text",
    ["0.0.4", "1.1.2-prerelease+meta", "1.0.0-0A.is.legal", "1.0.0+0.build.1-rc.10000aaa-kk-0.1", "2.0.0-0", "1.0.0--"],
)
def test_valid_semantic_versions_are_read(text: str) -> None:
    assert str(parse_version(text)) == text.partition("+")[0]


@pytest.mark.parametrize(
    "text",
    ["", "1", "1.2", "v1.0.0", "1.0.0.0", "01.1.1", "1.01.1", "1.0.0-01", "1.0.0-", "1.0.0+", "1.0.0-a..b", "1.0.0 ",
     "1.0.0\n", "1.0.0-é", "\u0661.0.0", "-1.0.0", "1.0.0-" + "a" * 100, "1e3.0.0", "one"],
)  # fmt: skip
def test_anything_else_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(Invalid, match="Write MAJOR") as refused:
        parse_version(text)
    assert refused.value.field == ("version",)


@given(versions, versions, versions)
def test_precedence_is_a_total_order(first: Version, second: Version, third: Version) -> None:
    assert (first < second) + (second < first) + (first == second) == 1
    low, middle, high = sorted([first, second, third])
    assert low <= middle <= high
    assert low <= high


@given(versions)
def test_a_version_is_read_back_as_written(version: Version) -> None:
    assert parse_version(str(version)) == version
    assert hash(parse_version(str(version))) == hash(version)


@given(versions, bumps)
def test_the_following_version_is_higher_a_release_and_can_be_read(current: Version, bump: Bump) -> None:
    after = next_release(current, bump)
    assert after > current
    assert not after.pre
    assert parse_version(str(after)) == after


@given(versions)
def test_a_greater_change_never_gets_a_lower_version(current: Version) -> None:
    patch, minor, major = (next_release(current, bump) for bump in (Bump.PATCH, Bump.MINOR, Bump.MAJOR))
    assert patch <= minor <= major


@given(versions, versions, bumps)
def test_a_requested_version_is_kept_or_refused_with_a_valid_suggestion(
    requested: Version, current: Version, bump: Bump
) -> None:
    lowest = choose_version(None, str(current), bump)
    if requested > current and requested.core >= parse_version(lowest).core:
        assert choose_version(str(requested), str(current), bump) == str(requested)
    else:
        with pytest.raises(Invalid, match=f"Use {lowest}"):
            choose_version(str(requested), str(current), bump)
    assert choose_version(lowest, str(current), bump) == lowest


@pytest.mark.parametrize(
    ("current", "bump", "expected"),
    [
        (None, Bump.PATCH, "1.0.0"),
        ("1.2.3", Bump.PATCH, "1.2.4"),
        ("1.2.3", Bump.MINOR, "1.3.0"),
        ("1.2.3", Bump.MAJOR, "2.0.0"),
        ("0.1.0", Bump.MAJOR, "1.0.0"),
        ("2.0.0-rc.1", Bump.PATCH, "2.0.0"),
        ("2.0.0-rc.1", Bump.MAJOR, "2.0.0"),
        ("1.1.0-rc.1", Bump.MAJOR, "2.0.0"),
        ("1.1.1-rc.1", Bump.MINOR, "1.2.0"),
        ("1.0.0+build.7", Bump.PATCH, "1.0.1"),
    ],
)
def test_the_chosen_version_has_exactly_the_bump_of_the_change(current: str | None, bump: Bump, expected: str) -> None:
    assert choose_version(None, current, bump) == expected


@pytest.mark.parametrize(
    ("wanted", "current", "bump"),
    [
        ("1.0.0", "1.0.0", Bump.PATCH),
        ("1.0.0+new", "1.0.0", Bump.PATCH),
        ("0.9.0", "1.0.0", Bump.PATCH),
        ("1.0.0-rc.1", "1.0.0", Bump.PATCH),
        ("1.0.1", "1.0.0", Bump.MINOR),
        ("1.9.9", "1.0.0", Bump.MAJOR),
        ("1.9.9-rc.1", "1.0.0", Bump.MAJOR),
    ],
)
def test_a_version_with_too_small_a_bump_is_refused(wanted: str, current: str, bump: Bump) -> None:
    with pytest.raises(Invalid, match="Use "):
        choose_version(wanted, current, bump)


@pytest.mark.parametrize("wanted", ["2.0.0-rc.1", "2.0.0", "3.0.0", "2.0.0+build"])
def test_a_sufficient_version_is_kept_as_written(wanted: str) -> None:
    assert choose_version(wanted, "1.4.2", Bump.MAJOR) == wanted


@pytest.mark.parametrize("core", [(999_999_999, 0, 0), (1, 999_999_999, 0), (1, 0, 999_999_999)])
@pytest.mark.parametrize("current", [None, "1.0.0-a"])
def test_a_version_without_a_possible_successor_is_refused(core: tuple[int, int, int], current: str | None) -> None:
    with pytest.raises(Invalid, match="99,999,999"):
        choose_version(str(Version(core)), current, Bump.PATCH)
