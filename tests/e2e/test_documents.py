"""Files of other formats on the command line are published by their names, compared and exported."""

import base64
import json
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.server import Running, serving
from tests.e2e.test_cli import Shell
from tests.formats.test_schema_documents import DDL, ODCS, descriptors

RECORD = {"type": "record", "name": "Order", "fields": [{"name": "id", "type": "long"}]}
WIDE = {**RECORD, "fields": [*RECORD["fields"], {"name": "note", "type": "string"}]}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with serving(tmp_path_factory.mktemp("documents")) as running:
        yield running


@pytest.fixture
def tessera(server: Running, tmp_path: Path) -> Shell:
    return Shell(server.url, tmp_path)


@pytest.fixture
def fqn(tessera: Shell) -> str:
    team = f"shop-{uuid.uuid4().hex[:8]}"
    tessera("team", "create", team)
    name = f"a.{team.replace('-', '_')}.orders"
    tessera("asset", "create", name, "--owner", team)
    return name


def file(folder: Path, name: str, content: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def test_a_file_is_published_by_its_name_and_written_again(tessera: Shell, fqn: str, tmp_path: Path) -> None:
    avro = file(tmp_path, "order.avsc", json.dumps(RECORD))
    assert "published" in tessera("impact", fqn, avro)
    assert "1.0.0 is published" in tessera("publish", fqn, avro)
    assert tessera("export", fqn, "--format", "source") == avro.read_text()
    contract = tessera("export", fqn)
    assert f"id: {fqn}" in contract
    assert json.loads(tessera("export", fqn, "-f", "json-schema"))["required"] == ["id"]
    again = file(tmp_path, "orders.odcs.yaml", contract)
    assert tessera("impact", fqn, again)
    assert "has no version 9.9.9" in tessera.refused("export", fqn, "--version", "9.9.9")


@pytest.mark.parametrize(
    ("name", "content", "options"),
    [
        ("orders.yaml", ODCS, ()),
        ("shop.sql", DDL, ("--part", "shop.orders", "--dialect", "postgres")),
        ("shop.pb", base64.b64decode(descriptors("Orders", "Item")), ()),
        ("shop.bin", base64.b64decode(descriptors("Orders")), ("--format", "protobuf")),
        ("orders.json", '{"type": "object"}', ()),
    ],
)
def test_each_format_is_published(
    tessera: Shell, fqn: str, tmp_path: Path, name: str, content: str, options: tuple[str, ...]
) -> None:
    path = file(tmp_path, name, content)
    assert "1.0.0 is published" in tessera("publish", fqn, path, *options)
    assert "is unchanged" in tessera("publish", fqn, path, *options)
    assert tessera("export", fqn, "--format", "odcs", "--version", "1.0.0")


def test_a_contract_published_as_json_schema_has_no_other_source(tessera: Shell, fqn: str, tmp_path: Path) -> None:
    assert "has no contract" in tessera.refused("export", fqn)
    tessera("publish", fqn, file(tmp_path, "orders.json", '{"type": "object"}'))
    assert "--format json-schema writes it" in tessera.refused("export", fqn, "--format", "source")


def test_a_file_of_another_format_than_its_name_is_one_line_and_exit_2(
    tessera: Shell, fqn: str, tmp_path: Path
) -> None:
    assert "Avro" in tessera.refused("publish", fqn, file(tmp_path, "a.avsc", "{"))
    assert "aliases" in tessera.refused("publish", fqn, file(tmp_path, "bomb.yaml", "a: &a [*a, *a]"))
    assert "not text in UTF-8" in tessera.refused("publish", fqn, file(tmp_path, "b.sql", b"\xff\xfe"))
    assert "can't be read" in tessera.refused("publish", fqn, tmp_path / "missing.sql")
    assert "Say which with --part" in tessera.refused("impact", fqn, file(tmp_path, "c.sql", DDL), "--part", "x")


def test_two_files_of_any_format_are_compared_without_a_server(tmp_path: Path) -> None:
    shell = Shell("", tmp_path)
    old, new = file(tmp_path, "old.avsc", json.dumps(RECORD)), file(tmp_path, "new.avsc", json.dumps(WIDE))
    assert shell("diff", old, old) == "No changes.\n"
    assert "note was added (it is required)" in shell("diff", old, new, code=1)
    sql = file(tmp_path, "old.sql", "CREATE TABLE a.orders (id BIGINT NOT NULL, note TEXT)")
    narrow = file(tmp_path, "new.sql", "CREATE TABLE a.orders (id BIGINT NOT NULL)")
    assert "note" in shell("diff", sql, narrow, code=1)
    assert "Avro" in shell.refused("diff", file(tmp_path, "bad.avsc", "{"), old)
