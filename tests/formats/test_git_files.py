"""Files for git have names that are safe on every system and contents that are read back unchanged."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tessera_gql.formats import git_files
from tessera_gql.formats.git_files import AssetFile, ContractEntry, DependencyEntry, RegistrationEntry, TeamFile
from tessera_gql.formats.yaml import YamlError

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
CONTRACT = ContractEntry(
    version="1.0.0",
    status="ACTIVE",
    change_type="INITIAL",
    compatibility_mode="BACKWARD",
    published_at=NOON,
    published_by="shop",
    schema={"type": "object", "properties": {"id": {"type": "integer"}}},
)
REGISTRATION = RegistrationEntry(
    consumer="finance", fields=("id",), status="ACTIVE", evidence="DECLARED", registered_at=NOON
)
ASSET = AssetFile(
    fqn="analytics.core.orders",
    owner="shop",
    resource_type="MODEL",
    description="Orders.\nAll of them.",
    compatibility_mode="BACKWARD",
    metadata={"tier": 1},
    contracts=(CONTRACT, replace(CONTRACT, version="1.1.0", schema=True, guarantees={"fresh": {"hours": 1}})),
    registrations=(REGISTRATION, replace(REGISTRATION, fields=None, consumer_asset="a.b", purpose="Tax.")),
    dependencies=(DependencyEntry(asset="raw.shop.orders", type="TRANSFORMS", evidence="DBT_MANIFEST"),),
)


@pytest.mark.parametrize("file", [ASSET, TeamFile(name="shop"), TeamFile(name="É - x", metadata={"slack": "#a"})])
def test_a_file_reads_back_as_what_was_written(file: TeamFile | AssetFile) -> None:
    assert git_files.parse_file(git_files.render_file(file)) == file


def test_the_order_of_keys_in_a_database_does_not_show() -> None:
    turned = {"properties": {"id": {"type": "integer"}}, "type": "object"}
    assert git_files.render_file(
        replace(ASSET, contracts=(replace(CONTRACT, schema=turned),))
    ) == git_files.render_file(replace(ASSET, contracts=(CONTRACT,)))


NAMES = [
    "a.b_c",
    "a_b.c",
    "a.b.c",
    "a_b_c",
    "a b.c",
    "a-b.c",
    "con.x",
    "nul",
    "é.x",
    "e.x",
    "..",
    "a.-b",
    "x" * 900,
    "a.b~c",
]


def test_no_two_names_share_a_file() -> None:
    assert len({git_files.file_name(name) for name in NAMES}) == len(NAMES)


def test_names_that_differ_in_case_alone_are_one_name() -> None:
    assert (
        git_files.file_name("Analytics.Core.Orders")
        == git_files.file_name("analytics.core.orders")
        == "analytics.core.orders.yaml"
    )


@pytest.mark.parametrize("name", ["con.x", "nul", "COM1.y", "../../etc/passwd", "..", "/", "\\x", "x" * 5000, ""])
def test_awkward_names_become_plain_ones(name: str) -> None:
    file_name = git_files.file_name(name)
    assert file_name == file_name.lower()
    assert file_name.isascii()
    assert len(file_name) < 200
    assert "~" in file_name
    assert not set(file_name) & set('/\\:*?"<>|\n ')


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=50), st.text(max_size=50))
def test_file_names_are_equal_exactly_where_names_are(one: str, other: str) -> None:
    shared = git_files.file_name(one) == git_files.file_name(other)
    assert shared == (git_files.file_name(one.casefold().strip()) == git_files.file_name(other.casefold().strip()))
    assert not git_files.file_name(one).startswith((".", "-"))


def changed(text: str, old: str, new: str) -> str:
    assert old in text
    return text.replace(old, new, 1)


@pytest.mark.parametrize(
    ("old", "new", "line", "message"),
    [
        ("owner: shop", "ownre: shop", 5, "did you mean `owner`"),
        ("owner: shop\n", "", 2, "`owner` is missing"),
        ("owner: shop", "owner: [shop]", 5, "must be a text"),
        ("format: 1", "format: 2", 3, "not 1"),
        ("kind: asset", "kind: table", 2, "one of team, asset"),
        ("status: ACTIVE", "status: 7", 15, "must be a text"),
        ("fields:\n  - id", "fields: id", 37, "a list of texts"),
        ("'2026-01-01T12:00:00Z'", "'2026-01-01'", 18, "with its offset"),
        ("- version: 1.0.0", "- 7\n- version: 1.0.0", 14, "a mapping"),
    ],
)
def test_a_mistake_in_a_file_is_reported_with_its_line(old: str, new: str, line: int, message: str) -> None:
    with pytest.raises(YamlError, match=message) as refused:
        git_files.parse_file(changed(git_files.render_file(ASSET), old, new))
    assert refused.value.line == line


@pytest.mark.parametrize("content", ["", "7", "- kind: asset", "kind: asset", "kind: [asset]"])
def test_anything_else_is_refused(content: Any) -> None:
    with pytest.raises(YamlError):
        git_files.parse_file(content)
