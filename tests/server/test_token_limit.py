"""Tokens are counted before parsing: never more than the parser would count, and in linear time."""

import time

import pytest
from graphql import Lexer, Source, TokenKind
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tessera_gql.server.complexity import exceeds_tokens

WORDS = [
    "{", "}", "(", ")", "a", "_b9", "...", ":", "$", "!", "@", "[", "]", "|", "=", "&", "-1", "0", "1.5e-3", "on",
    '"words in a string, {all} one"', '"a \\" b \\\\"', '""', '"""block "x" \\""" {a b}\n c"""', '""""""', '"""\\"""',
    "# a comment {a b c}\n", "# another \"\n", ",", " ", "\n", "\t", "\ufeff", '"é\\u00e9"',
]  # fmt: skip


def tokens(query: str) -> int:
    """Count as graphql-core does; raise for an invalid document."""
    lexer, count = Lexer(Source(query)), 0
    while lexer.advance().kind is not TokenKind.EOF:
        count += 1
    return count


@given(st.lists(st.sampled_from(WORDS), max_size=40).map(" ".join))
@example("{a} # the last words are none")
@example('"""a\\\\"""')
@settings(deadline=None, max_examples=400)
def test_a_text_has_as_many_tokens_as_the_parser_counts(query: str) -> None:
    try:
        count = tokens(query)
    except Exception:  # noqa: BLE001 - refused by the parser anyway, whatever is counted here
        return
    assert not exceeds_tokens(query, count)
    assert count == 0 or exceeds_tokens(query, count - 1)


@pytest.mark.parametrize(
    "hostile",
    [
        '"' * 250_000,
        '"""' + "a " * 120_000,
        "#\n" * 125_000,
        " " * 250_000,
        "\\" * 250_000,
        '"\\' * 125_000,
        "\0" * 250_000,
    ],
    ids=["quotes", "open block", "comments", "blanks", "escapes", "broken strings", "nothing known"],
)
def test_no_text_takes_long_to_count(hostile: str) -> None:
    started = time.process_time()
    exceeds_tokens(hostile, 2000)
    assert time.process_time() - started < 0.5
