"""Every JSON value is rendered as YAML and read back, and only plain YAML is read."""

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tessera_gql.formats import yaml
from tessera_gql.formats.yaml import YamlError

texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=30)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=15,
)


@settings(max_examples=150, deadline=None)
@given(values)
def test_every_json_value_is_read_back_unchanged(value: Any) -> None:
    text = yaml.dump(value)
    assert repr(yaml.load(text).value) == repr(value)
    assert yaml.dump(yaml.load(text).value) == text


@pytest.mark.parametrize(
    "text",
    ["no", "on", "y", "1e3", "1_000", "0o17", "0x1F", "1:20", "2026-01-01", "~", "=", "<<", "-", "?", "a: b # c",
     " lead", "trail ", "a\nb\n", "a\n\nb", "a\n  b\n", "\n", "\ufeff", "a\tb", "é",
     "🎉", "- x\n- y", "null", "1.0", "'", '"'],
)  # fmt: skip
def test_text_that_looks_like_something_else_stays_text(text: str) -> None:
    assert yaml.load(yaml.dump({"key": text, text: 1})).value == {"key": text, text: 1} | ({text: 1})


@pytest.mark.parametrize("word", ["no", "Yes", "off", "2026-01-01", "1:20", "0x1F", "1_000", "inf", "1e999"])
def test_plain_scalars_are_read_by_the_rules_of_yaml_1_2(word: str) -> None:
    assert yaml.load(f"key: {word}").value == {"key": word}


def test_long_texts_are_written_as_blocks_so_that_diffs_are_readable() -> None:
    assert yaml.dump({"description": "One.\nTwo.\n"}) == "description: |\n  One.\n  Two.\n"


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("a: &x [1]\nb: *x", 2, "aliases"),
        ("a: 1\nb: !!python/object:os.system x", 2, "tags"),
        ("!!binary aGk=", 1, "tags"),
        ("a: 1\na: 2", 2, "twice"),
        ("a: 1\n---\nb: 2", 2, "second document"),
        ("[[1]]: 2", 1, "key"),
        ("a: b: c", 1, "mapping values"),
        ("a:\n  - b\n c: d", 3, "expected"),
        ('a: 1\nb: "\\0"', 2, "NUL"),
        ("a: 1\nb: \x07", 2, "character"),
        ("[" * 300, 1, "nested deeper"),
        ("{a: " * 300, 1, "nested deeper"),
    ],
)
def test_unsupported_yaml_is_refused_with_its_line(text: str, line: int, message: str) -> None:
    with pytest.raises(YamlError, match=message) as refused:
        yaml.load(text)
    assert refused.value.line == line


def test_a_bomb_of_aliases_is_refused_at_its_first() -> None:
    lines = [
        "a: &a [x, x]",
        *(f"{name}: &{name} [*{previous}, *{previous}]" for previous, name in zip("abcdefgh", "bcdefghi", strict=True)),
    ]
    with pytest.raises(YamlError, match="line 2"):
        yaml.load("\n".join(lines))


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=60))
def test_any_text_is_read_or_refused_by_name(text: str) -> None:
    with suppress(YamlError):
        yaml.load(text)
