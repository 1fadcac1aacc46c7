"""Patterns as automata agree with a matcher, and know when nothing matches."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tessera_gql.diff.regex import Language, example, is_pattern, matches
from tests.diff.test_laws import law

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
def test_an_example_is_one_and_none_means_none(wanted, unwanted, least, most):
    found = example(Language(frozenset({wanted}), frozenset({unwanted}), least, most))
    if isinstance(found, str):
        assert re.search(wanted, found)
        assert not re.search(unwanted, found)
        assert least <= len(found) <= (9_999 if most is None else most)
    elif found is False:
        for text in ("", "a", "b", "1", "ab", "aa", "ba", "abc", "aab", "b1a", "a.b1"):
            fits = least <= len(text) <= (9_999 if most is None else most)
            assert not (fits and re.search(wanted, text) and not re.search(unwanted, text))


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
def test_what_is_beyond_an_automaton_is_unknown_not_wrong(pattern):
    assert matches(pattern, "a") is None
    assert is_pattern(pattern)
    assert example(Language(frozenset({pattern}))) is True


@pytest.mark.parametrize("pattern", ["(", "a)", "[a", "*a", "[b-a]", "\\", "a{2,1}"])
def test_what_is_no_pattern_is_told(pattern):
    assert not is_pattern(pattern)


@pytest.mark.parametrize(
    ("language", "expected"),
    [
        (Language(), ""),
        (Language(least=2), "aa"),
        (Language(most=0, excluded=frozenset({""})), False),
        (Language(excluded=frozenset({""})), "a"),
        (Language(least=1, excluded=frozenset({"a", "b"})), "c"),
        (Language(least=3, most=2), False),
        (Language(frozenset({"a"}), frozenset({"a"})), False),
        (Language(frozenset({"^[ab]$"}), excluded=frozenset({"a"})), "b"),
        (Language(frozenset({"^[ab]$"}), excluded=frozenset({"a", "b"})), False),
        (Language(frozenset({"^a*$"}), least=3, most=3), "aaa"),
        (Language(frozenset({"^(aa)*$"}), least=3, most=3), False),
        (Language(frozenset({"^.*$"}), frozenset({"^[^\\n\\r\\u2028\\u2029]*$"})), False),
        (Language(frozenset({"^\\cC$"})), "\x03"),
        (Language(frozenset({"^[\\b\\t]$"})), "\x08"),
        (Language(frozenset({"^\\S\\s\\W\\D$"})), "a --"),
        (Language(least=200_000), True),
    ],
)
def test_the_shortest_example_of_a_language(language, expected):
    found = example(language)
    assert found == expected
    assert type(found) is type(expected)


@pytest.mark.parametrize("text", ["", "a"])
def test_anchors_mean_the_ends_in_any_order(text):
    for pattern in ("$^", "^$", "^", "$", "a^", "$a"):
        assert matches(pattern, text) == (re.search(pattern, text) is not None), pattern


def test_a_pattern_that_makes_matchers_stall_is_read_in_one_pass():
    assert matches("^(a+)+$", "a" * 5_000 + "!") is False
    assert matches("^(a|a)*$", "a" * 5_000) is True
