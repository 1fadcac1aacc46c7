"""Schema files are recognized by suffix and members, for `tessera diff` and for a publish."""

import json
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner, Result

from tessera_gql.cli.diff import diff
from tessera_gql.cli.documents import read_schema_file
from tessera_gql.client import Document, DocumentFormat
from tests.formats.test_data_contract_specification import CONTRACT as DCS
from tests.formats.test_ddl import DUMP
from tests.formats.test_generated_json_schemas import CLICK
from tests.formats.test_schema_documents import ODCS

app = typer.Typer(pretty_exceptions_enable=False)
app.command()(diff)

RECORD: dict[str, Any] = {"type": "record", "name": "Order", "fields": [{"name": "state", "type": "State"}]}
STATE = {"type": "enum", "name": "State", "symbols": ["NEW"]}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments))


@pytest.mark.parametrize(
    ("name", "text", "document_format"),
    [
        ("orders.yaml", ODCS, DocumentFormat.ODCS),
        ("orders.json", json.dumps({"apiVersion": "v3.1.0", "kind": "DataContract"}), DocumentFormat.ODCS),
        ("shop.yml", DCS, DocumentFormat.DCS),
        ("order.avsc", json.dumps(STATE), DocumentFormat.AVRO),
        ("order.json", json.dumps(RECORD | {"fields": []}), DocumentFormat.AVRO),
        ("dump.sql", DUMP, DocumentFormat.DDL),
    ],
)
def test_a_document_is_sent_unchanged_with_its_format(
    folder: Path, name: str, text: str, document_format: DocumentFormat
) -> None:
    (folder / name).write_text(text)
    assert read_schema_file(Path(name), part="t") == Document(document_format, text, "t", None)


@pytest.mark.parametrize(
    ("name", "text"), [("a.yaml", "type: object\ntitle: A"), ("a.yml", json.dumps(CLICK)), ("a", "{}")]
)
def test_a_json_schema_is_sent_as_one_also_from_yaml(folder: Path, name: str, text: str) -> None:
    (folder / name).write_text(text)
    assert isinstance(read_schema_file(Path(name)), dict)


@pytest.mark.parametrize(("name", "text"), [("a.json", "[]"), ("b.yaml", "a: ["), ("c.json", "{"), ("d.avsc", "{")])
def test_an_unreadable_file_ends_the_command(folder: Path, name: str, text: str) -> None:
    (folder / name).write_text(text)
    with pytest.raises(typer.Exit) as error:
        read_schema_file(Path(name))
    assert error.value.exit_code == 2


def test_types_of_avro_files_in_the_same_folder_are_included(folder: Path) -> None:
    (folder / "order.avsc").write_text(json.dumps(RECORD))
    (folder / "broken.avsc").write_text("{")
    assert "uses State" in run("order.avsc", "order.avsc").stderr
    (folder / "state.avsc").write_text(json.dumps(STATE))
    document = read_schema_file(Path("order.avsc"))
    assert isinstance(document, Document)
    assert json.loads(document.text)["fields"][0]["type"]["symbols"] == ["NEW"]
    (folder / "new").mkdir()
    (folder / "new/order.avsc").write_text(json.dumps(RECORD))
    (folder / "new/state.avsc").write_text(json.dumps(STATE | {"symbols": ["NEW", "PAID"]}))
    result = run("order.avsc", "new/order.avsc", "--mode", "consumer")
    assert (result.exit_code, '"PAID"' in result.stdout) == (1, True)


def test_what_is_left_out_of_a_file_is_named_on_stderr(folder: Path) -> None:
    (folder / "old.sql").write_text(DUMP)
    (folder / "new.sql").write_text(f"{DUMP}\nALTER TABLE shop.orders FROBNICATE email;")
    result = run("old.sql", "new.sql", "--part", "orders")
    line = DUMP.count("\n") + 2
    warning = f"new.sql: Line {line}: 'ALTER TABLE shop.orders FROBNICATE email' is not understood and was left out.\n"
    assert (result.exit_code, result.stdout, result.stderr) == (0, "No changes.\n", warning)


def test_a_changed_column_of_a_dump_and_of_a_contract_is_found_at_its_line(folder: Path) -> None:
    (folder / "old.sql").write_text(DUMP)
    (folder / "new.sql").write_text(DUMP.replace("created_at timestamp with time zone DEFAULT now() NOT NULL,", ""))
    result = run("old.sql", "new.sql", "--part", "orders")
    assert (result.exit_code, "created_at was removed" in result.stdout) == (1, True)
    (folder / "old.yaml").write_text(DCS)
    (folder / "new.yaml").write_text(DCS.replace("scale: 2", "scale: 4"))
    result = run("old.yaml", "new.yaml", "--part", "orders", "--format", "github")
    assert (result.exit_code, "line=15" in result.stdout) == (1, True)


def test_models_of_a_contract_are_named_if_none_is_given(folder: Path) -> None:
    (folder / "shop.yaml").write_text(DCS)
    result = run("shop.yaml", "shop.yaml")
    assert (result.exit_code, "analytics.core.orders, analytics.core.items" in result.stderr) == (2, True)
