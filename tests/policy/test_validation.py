"""Names, texts and metadata are normalized, or refused with the reason and an example."""

import ast
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tessera_gql.errors import Invalid
from tessera_gql.policy import validation

PACKAGE = Path(validation.__file__).parents[1]


@pytest.mark.parametrize("text", ["data-platform", " Équipe 7 ", "数据", "a", "a" * 200])
def test_a_team_may_have_any_readable_name(text: str) -> None:
    assert validation.clean_team_name(text) == text.strip()


@pytest.mark.parametrize("text", ["", "  ", "a" * 201, "a\0b", "a\nb", "zero\u200bwidth", "half\ud800", "\u202egnp"])
def test_unreadable_names_are_refused(text: str) -> None:
    with pytest.raises(Invalid) as refused:
        validation.clean_team_name(text)
    assert refused.value.field == ("name",)


@pytest.mark.parametrize("text", ["core.orders", "a.b.c.d", "db.my schema.orders$2024", "Ünï.cødé", "p-1.d@x.t#1"])
def test_an_fqn_is_two_or_more_names_joined_by_dots(text: str) -> None:
    assert validation.clean_fqn(f" {text} ") == text


@pytest.mark.parametrize(
    "text",
    ["", "orders", ".orders", "core.", "core..orders", "core. orders", "a.b\0", "a.b/c", "a.'b'", "a." + "b" * 999],
)
def test_anything_else_is_no_fqn(text: str) -> None:
    with pytest.raises(Invalid) as refused:
        validation.clean_fqn(text)
    assert refused.value.field == ("fqn",)


def test_a_long_hostile_fqn_is_refused_at_once() -> None:
    with pytest.raises(Invalid):
        validation.clean_fqn("a" + " a" * 450 + "!.b")


@pytest.mark.parametrize(
    ("one", "other"),
    [("Data", "dATA"), ("équipe", "e\u0301quipe"), ("ÉQUIPE", "E\u0301quipe"), ("Straße", "STRASSE"), (" a ", "a")],
)
def test_names_that_look_the_same_whatever_the_case_have_one_key(one: str, other: str) -> None:
    assert validation.uniqueness_key(one) == validation.uniqueness_key(other)


@given(st.text())
def test_a_key_is_its_own_key_and_ignores_case(text: str) -> None:
    assert validation.uniqueness_key(validation.uniqueness_key(text)) == validation.uniqueness_key(text)
    assert validation.uniqueness_key(text.swapcase().casefold()) == validation.uniqueness_key(text.swapcase())


def test_empty_text_is_none_and_long_text_is_refused() -> None:
    assert validation.clean_text(None, "notes") is validation.clean_text(" \n ", "notes") is None
    assert validation.clean_text(" said ", "notes") == "said"
    with pytest.raises(Invalid, match="20000 is the limit") as refused:
        validation.clean_text("a" * 20_001, "notes")
    assert refused.value.field == ("notes",)


def nested(depth: int) -> dict[str, Any]:
    value: dict[str, Any] = {}
    for _ in range(depth):
        value = {"a": value}
    return value


@pytest.mark.parametrize("value", [None, {}, {"a": [1, 2.5, None, True]}, {"é": "\U0001f600"}, {"big": 2**70}])
def test_metadata_is_a_json_object(value: Any) -> None:
    assert validation.clean_metadata(value) == (value or {})


@pytest.mark.parametrize(
    "value", [[], "a", 1, True, {"a": "b" * 64_000}, {"a": float("nan")}, {"a": "\ud800"}, {"a": {1, 2}}, nested(5_000)]
)
def test_metadata_must_be_a_json_object_of_moderate_size(value: Any) -> None:
    with pytest.raises(Invalid) as refused:
        validation.clean_metadata(value)
    assert refused.value.field == ("metadata",)


def test_a_message_has_a_moment_in_utc_to_the_minute() -> None:
    moment = datetime(2026, 1, 31, 13, 0, 59, 5, timezone(timedelta(hours=1)))
    assert validation.format_moment(moment) == "2026-01-31 12:00 UTC"
    for file in PACKAGE.rglob("*.py"):
        texts = [node for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, ast.FormattedValue)]
        assert not [text for text in texts if "isoformat" in ast.unparse(text)], file
