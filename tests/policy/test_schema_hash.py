"""The fast way to hash a schema gives the same bytes as the exact way."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tessera_gql.diff import canonical_json
from tessera_gql.policy.compatibility import canonical_bytes

NUMBERS = st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(2**70), 2**70)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]))
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXTS,
    lambda inner: st.lists(inner) | st.dictionaries(TEXTS, inner),
    max_leaves=20,
)


@given(VALUES)
def test_both_ways_give_the_same_bytes(value: Any) -> None:
    assert canonical_bytes(value) == canonical_json(value).encode()


@pytest.mark.parametrize(
    "value", [1.0, -0.0, 1e16, 1e22, 5e-324, [2.5], {"a": 1.0}, {"€": 1, "𝄞": 2, "\ue000": 3}, "\x7f\x1f\u2028", ":1.5"]
)
def test_numbers_and_letters_at_the_edges(value: Any) -> None:
    assert canonical_bytes(value) == canonical_json(value).encode()
