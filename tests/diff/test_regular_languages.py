"""Patterns as automata agree with a matcher and detect when no text matches."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tessera_gql.diff.values.regex_syntax import union
from tessera_gql.diff.values.regular_languages import Language, find_example, is_pattern, matches
from tests.diff.generators import law

PARTS = ("a", "b", ".", "[ab]", "[^a]", "\\d", "\\w", "\\.", "^", "$", "(?:ab|b)", "(a|)", "\\x61", "\\u0062", "[a-c]")
patterns = st.lists(
    st.builds(
        lambda part, sign: part if part in "^$" else part + sign,
        st.sampled_from(PARTS),
        st.sampled_from(("", "*", "+", "?", "{2}", "{1,2}", "{2,}", "*?")),
    ),
    max_size=4,
).map("".join)


@law(3_000, 200)
@given(patterns, st.text(alphabet="abc1.", max_size=6))
def test_matching_agrees_with_a_matcher(pattern, text):
    assert matches(pattern, text) == (re.search(pattern, text) is not None)


@law(2_000, 60)
@given(patterns, patterns, st.integers(0, 3), st.none() | st.integers(0, 4))
def test_an_example_matches_and_a_missing_example_means_an_empty_language(
    matching, not_matching, min_length, max_length
):
    example = find_example(Language(frozenset({matching}), frozenset({not_matching}), min_length, max_length))
    if isinstance(example, str):
        assert re.search(matching, example)
        assert not re.search(not_matching, example)
        assert min_length <= len(example) <= (9_999 if max_length is None else max_length)
    elif example is False:
        for text in ("", "a", "b", "1", "ab", "aa", "ba", "abc", "aab", "b1a", "a.b1"):
            fits = min_length <= len(text) <= (9_999 if max_length is None else max_length)
            assert not (fits and re.search(matching, text) and not re.search(not_matching, text))


@pytest.mark.parametrize(
    "pattern",
    [
        "(?=a)",
        "(?!a)",
        "(a)\\1",
        "\\bword",
        "\\p{L}",
        "(?<n>a)",
        "a{1001}",
        "[]a]",
        "a{,3}",
        "x++",
        "[!-\\d]",
        "[\\d-a]",
        "a{\u0663}",
        "[\\s-a]",
        "[!-\\s]",
    ],
)
def test_irregular_patterns_are_unknown_instead_of_wrong(pattern):
    assert matches(pattern, "a") is None
    assert is_pattern(pattern)
    assert find_example(Language(frozenset({pattern}))) is True


@pytest.mark.parametrize("pattern", ["(", "a)", "[a", "*a", "[b-a]", "\\", "a{2,1}"])
def test_an_invalid_pattern_is_reported(pattern):
    assert not is_pattern(pattern)


@pytest.mark.parametrize(
    ("language", "expected"),
    [
        (Language(), ""),
        (Language(min_length=2), "aa"),
        (Language(max_length=0, excluded=frozenset({""})), False),
        (Language(excluded=frozenset({""})), "a"),
        (Language(min_length=1, excluded=frozenset({"a", "b"})), "c"),
        (Language(min_length=3, max_length=2), False),
        (Language(frozenset({"a"}), frozenset({"a"})), False),
        (Language(frozenset({"^[ab]$"}), excluded=frozenset({"a"})), "b"),
        (Language(frozenset({"^[ab]$"}), excluded=frozenset({"a", "b"})), False),
        (Language(frozenset({"^a*$"}), min_length=3, max_length=3), "aaa"),
        (Language(frozenset({"^(aa)*$"}), min_length=3, max_length=3), False),
        (Language(frozenset({"^.*$"}), frozenset({"^[^\\n\\r\\u2028\\u2029]*$"})), False),
        (Language(frozenset({"^\\cC$"})), "\x03"),
        (Language(frozenset({"^[\\b\\t]$"})), "\x08"),
        (Language(frozenset({"^\\S\\s\\W\\D$"})), "a -a"),
        (Language(min_length=200_000), True),
    ],
)
def test_the_shortest_example_of_a_language(language, expected):
    example = find_example(language)
    assert example == expected
    assert type(example) is type(expected)


@pytest.mark.parametrize("text", ["", "a"])
def test_anchors_mean_the_ends_in_any_order(text):
    for pattern in ("$^", "^$", "^", "$", "a^", "$a"):
        assert matches(pattern, text) == (re.search(pattern, text) is not None), pattern


def test_a_pattern_that_makes_matchers_stall_is_read_in_one_pass():
    assert matches("^(a+)+$", "a" * 5_000 + "!") is False
    assert matches("^(a|a)*$", "a" * 5_000) is True


@pytest.mark.parametrize(
    ("pattern", "texts", "others"),
    [
        # characters and their escapes
        ("^\\t\\n\\v\\f\\r\\0$", ("\t\n\v\f\r\0",), ("tnvfr0",)),
        ("^\\cA\\cz$", ("\x01\x1a",), ("cAcz", "\x01z")),
        ("^\\x41\\x7a\\u00e9\\uFFFD$", ("Az\u00e9\ufffd",), ("x41x7a",)),
        ("^\\.\\-\\_\\/\\$\\^$", (".-_/$^",), ("a-_/$^",)),
        ("^[\\b]$", ("\b",), ("b", "\\")),
        ("a\\0", ("a\0",), ("a0", "a")),
        # classes
        ("^[a-a]$", ("a",), ("b", "-")),
        ("^[-a]$", ("-", "a"), ("b",)),
        ("^[a-]$", ("-", "a"), ("b",)),
        ("^[a\\-c]$", ("-", "a", "c"), ("b", "\\")),
        ("^[a-b-d]$", ("a", "b", "-", "d"), ("c",)),
        ("^[--a]$", ("-", "0", "a"), (",", "b")),
        ("^[^-]$", ("a",), ("-",)),
        ("^[b^]$", ("b", "^"), ("a",)),
        ("^[.*$|(]$", (".", "*", "$", "|", "("), ("a",)),
        ("^[a-ce-gd]$", ("a", "d", "g"), ("h", "`")),
        ("^[a-gb-c]$", ("a", "d", "g"), ("h",)),
        ("^[^a-ce-g]$", ("d", "h", "`", "\0", "\U0010ffff"), ("a", "c", "e", "g")),
        ("^[^\\0-b]$", ("c", "\U0010ffff"), ("\0", "b")),
        ("^[^b-\U0010ffff]$", ("a", "\0"), ("b", "\U0010ffff")),
        ("^[^\\d\\D]$", (), ("a", "0", "\U0010ffff")),
        ("^[\\d\\x61]$", ("5", "a"), ("b", "d")),
        # repetitions
        ("^a?$", ("", "a"), ("aa",)),
        ("^a+$", ("a", "aaa"), ("",)),
        ("^a*?b??$", ("", "ab", "aa"), ("bb",)),
        ("^a{2}$", ("aa",), ("a", "aaa")),
        ("^a{2,}$", ("aa", "aaaa"), ("a",)),
        ("^a{0}$", ("",), ("a",)),
        ("^a{0,0}b$", ("b",), ("ab",)),
        ("^a{1,3}$", ("a", "aaa"), ("", "aaaa")),
        ("^a{0000000000002}$", ("aa",), ("a",)),
        ("^(?:a|b){2}$", ("ab", "ba"), ("a", "aba")),
        ("^(?:a?b*){2,3}$", ("", "abba", "aaa"), ("aaaa",)),
        ("^(?:a*)*$", ("", "aa"), ("b",)),
        # alternatives and anchors
        ("^(?:|a)$", ("", "a"), ("b",)),
        ("^a|b$", ("ax", "xb"), ("xax", "bx")),
        ("a$|^b", ("xa", "bx"), ("ax", "xb")),
        ("(^|-)a", ("a", "x-a"), ("xa",)),
        ("", ("", "a"), ()),
        ("b", ("abc",), ("ac", "")),
    ],
)
def test_a_pattern_matches_and_rejects_the_listed_texts(pattern, texts, others):
    assert [matches(pattern, text) for text in (*texts, *others)] == [True] * len(texts) + [False] * len(others)
    assert is_pattern(pattern)


@pytest.mark.parametrize(
    "pattern",
    [
        "\\01",
        "\\c1",
        "\\c\u00e9",
        "\\x4",
        "\\x4g",
        "\\u004",
        "\\u004g",
        "\\k",
        "\\\u00e9",
        "\\a",
        "^*",
        "$+",
        "a**",
        "a*{2}",
        "a{2}{3}",
        "a{",
        "a{}",
        "a{x}",
        "a{1,x}",
        "a}",
        "a]",
        "[a-\\w]",
        "[\\w-z]",
        "[\\d-\\d]",
        "[^]",
        "[^]a]",
        "(?i)a",
        "(?=",
        "a{0,501}",
        "a{501,}",
    ],
)
def test_patterns_that_dialects_read_differently_or_that_are_not_regular_are_unknown(pattern):
    assert matches(pattern, "a") is None
    assert is_pattern(pattern)


@pytest.mark.parametrize(
    "pattern", ["\\c", "(?:a", "(a|b", "a|*", "(?:+)", "[^", "[a-", "[a-\\", "a{3,2}", "a))", "[c-a]", "[\\x62-a]"]
)
def test_a_pattern_that_no_dialect_reads_is_refused(pattern):
    assert matches(pattern, "a") is None
    assert not is_pattern(pattern)


def test_a_pattern_is_read_up_to_its_limits():
    assert matches("^[" + "a" * 1_996 + "]$", "a") is True
    assert matches("^[" + "a" * 1_997 + "]$", "a") is None
    assert matches("a" * 1_998, "a") is False
    assert matches("a" * 1_999, "a") is None
    assert matches("^a{0,500}$", "a" * 500) is True
    assert matches(f"^{'(' * 50}a{')' * 50}$", "a") is True
    assert matches(f"^{'(' * 51}a{')' * 51}$", "a") is None


@pytest.mark.parametrize(
    ("language", "expected"),
    [
        (Language(frozenset({"^a*$"}), excluded=frozenset({"", "a"})), "aa"),
        (Language(frozenset({"^a*$"}), excluded=frozenset({"", "a"}), max_length=1), False),
        (Language(frozenset({"^a*$"}), excluded=frozenset({"aaa"}), min_length=3), "aaaa"),
        (Language(frozenset({"^a*$"}), excluded=frozenset({"aaa"}), min_length=3, max_length=3), False),
        (Language(frozenset({"^a*$"}), frozenset({"^(?:aa)*$"})), "a"),
        (Language(frozenset({"^a*$"}), frozenset({"^(?:aa)*$"}), min_length=2), "aaa"),
        (Language(frozenset({"^a*$", "b"})), False),
        (Language(frozenset({"a", "b"})), "ab"),
        (Language(frozenset({"a"}), frozenset({"a|b"})), False),
        (Language(frozenset({"^.$"}), frozenset({"a"})), "A"),
        (Language(frozenset({"^.$"}), excluded=frozenset({"a"})), "A"),
        (Language(frozenset({"^.$"}), frozenset({"\\w"})), "-"),
        (Language(frozenset({"^[c-w]$"})), "c"),
        (Language(frozenset({"^[0-9]$"})), "0"),
        (Language(frozenset({"^[c-w]$"}), excluded=frozenset({"c", "d"})), "e"),
        (Language(frozenset({"^[\U0010fffe\U0010ffff]$"}), excluded=frozenset({"\U0010fffe"})), "\U0010ffff"),
        (Language(frozenset({"^\\W$"}), frozenset({"\\s"}), max_length=1), "-"),
        (Language(not_matching=frozenset({"^a*$"})), "A"),
        (Language(not_matching=frozenset({""})), False),
        (Language(not_matching=frozenset({"^$"}), max_length=0), False),
        (Language(frozenset({"(?=a)", "^b$"})), True),
        (Language(frozenset({"(?=a)", "^b$"}), frozenset({"b"})), False),
        (Language(frozenset({"(?=a)"}), frozenset({"(?=a)"})), False),
        (Language(frozenset({"(?=a)"}), min_length=2, max_length=1), False),
        (Language(frozenset({"(?=a)"}), excluded=frozenset({"", "\0"}), max_length=1), True),
        (Language(frozenset({"^a{500}a{99}$"})), "a" * 599),
        (Language(frozenset({"^a{500}$"}), frozenset({"^a{499}a$"})), False),
        (Language(min_length=1, max_length=1), "a"),
        (Language(max_length=1, excluded=frozenset({""})), "a"),
        (Language(max_length=1, excluded=frozenset({"", "a", "b", "c"})), "d"),
        (Language(min_length=2, excluded=frozenset({"aa", "ab"})), "bb"),
        (Language(max_length=0), ""),
    ],
)
def test_the_simplest_of_the_shortest_texts_is_found_if_there_is_any(language, expected):
    example = find_example(language)
    assert example == expected
    assert type(example) is type(expected)


@pytest.mark.parametrize(
    ("ranges", "one"),
    [
        ([(1, 2), (3, 4)], ((1, 4),)),
        ([(1, 3), (4, 5)], ((1, 5),)),
        ([(1, 2), (5, 6), (7, 8)], ((1, 2), (5, 8))),
        ([(1, 2), (4, 5)], ((1, 2), (4, 5))),
        ([(3, 9), (1, 4)], ((1, 9),)),
        ([(1, 9), (3, 4)], ((1, 9),)),
        ([], ()),
    ],
)
def test_adjacent_ranges_are_merged(ranges, one):
    assert union(ranges) == one
