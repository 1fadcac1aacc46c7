"""`tessera diff`: the exit code is the verdict; what is wrong with the input is one line on stderr."""

import json
import os
import pty
import re
import subprocess
import sys

import pytest
import typer
from typer.testing import CliRunner

from tessera_gql.cli.diff import diff
from tessera_gql.diff import MODE_DESCRIPTIONS, Mode, judge_everyday_changes
from tests.language.identifiers import ROOT

OLD = {"type": "object", "properties": {"id": {"type": "integer"}, "name": {"type": "string"}}}
NEW = {"type": "object", "properties": {"id": {"type": "string"}, "name": {"type": "string"}}}

app = typer.Typer(pretty_exceptions_enable=False)
app.command()(diff)


@pytest.fixture
def run(tmp_path, monkeypatch):
    (tmp_path / "old.json").write_text(json.dumps(OLD))
    (tmp_path / "new.json").write_text(json.dumps(NEW))
    monkeypatch.chdir(tmp_path)

    def run(*arguments, stdin=None):
        return CliRunner().invoke(app, list(arguments), input=stdin)

    return run


def test_a_compatible_change_exits_0(run):
    result = run("old.json", "old.json")
    assert (result.exit_code, result.stdout) == (0, "No changes.\n")


def test_a_breaking_change_exits_1_and_shows_a_document(run):
    result = run("old.json", "new.json")
    assert result.exit_code == 1
    assert re.search(r"^breaks  .*id.* TYPE_CHANGED$", result.stdout, re.MULTILINE)
    assert '        for example {"id": ' in result.stdout
    assert "Breaking in mode BACKWARD: 1 of 1 change, bump MAJOR." in result.stdout
    assert result.stdout.splitlines()[-1].startswith("BACKWARD breaks · FORWARD breaks · FULL breaks · ")
    assert "\x1b" not in result.stdout


def test_mode_none_finds_nothing_breaking(run):
    result = run("old.json", "new.json", "--mode", "none")
    assert (result.exit_code, "Compatible in mode NONE: 1 change" in result.stdout) == (0, True)


@pytest.mark.parametrize("mode", Mode)
def test_every_mode_can_be_chosen(run, mode):
    assert run("old.json", "old.json", "--mode", mode.lower()).exit_code == 0


def test_the_json_format_lists_mode_verdict_and_changes(run):
    result = json.loads(run("old.json", "new.json", "--format", "json").stdout)
    assert (result["mode"], result["compatible"], result["bump"]) == ("BACKWARD", False, "MAJOR")
    assert result["changes"][0]["kind"] == "TYPE_CHANGED"
    assert "NONE" in result["compatible_modes"]
    assert "BACKWARD" not in result["compatible_modes"]


def test_markdown_is_a_table(run):
    result = run("old.json", "new.json", "--format", "markdown")
    assert "| 💥 | TYPE_CHANGED | `id` |" in result.stdout


def test_github_gets_an_error_per_breaking_change_and_nothing_can_escape_it(run):
    weird = {"type": "object", "properties": {"a\n::error::b": {"type": "string"}}}
    result = run("old.json", "-", "--format", "github", stdin=json.dumps(weird))
    assert result.stdout.count("::error file=old.json,line=1,title=PROPERTY_REMOVED::") == 2
    assert all(line.startswith(("::error ", "::notice ", "Breaking")) for line in result.stdout.splitlines())


STEERING = {"type": "object", "properties": {"a\ud800": {"default": ":smile:"}, "b\x1b[2J\n": {"type": "string"}}}


@pytest.mark.parametrize("format_", ["text", "json", "markdown", "github"])
def test_control_characters_and_lone_surrogates_in_names_are_escaped(run, format_):
    result = run("old.json", "-", "--format", format_, stdin=json.dumps(STEERING))
    assert result.exit_code == 1
    assert "\x1b" not in result.stdout
    assert "a\\ud800" in result.stdout
    if format_ == "text":
        assert "b\\u001b[2J\\n" in result.stdout


def test_json_keeps_every_character(run):
    titled = {**OLD, "title": ":smile: a\ud800\x9b"}
    result = json.loads(run("old.json", "-", "--format", "json", stdin=json.dumps(titled)).stdout)
    assert result["changes"][0]["after"] == titled["title"]


def test_an_error_about_a_name_with_lone_surrogates_is_printed(run):
    result = run("old.json", "-", stdin=json.dumps({"properties": {"\ud800": {"type": 1}}}))
    assert result.exit_code == 2
    assert "(at /properties/\\ud800/type)" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "stdin", "message"),
    [
        (("old.json", "missing.json"), None, "can't be read: No such file"),
        (("old.json", "-"), "{", "- is not JSON"),
        (("old.json", "-"), "[" * 100_000, "- is not JSON"),
        (("old.json", "-"), '{"type": "strnig"}', "The new schema: type must be"),
        (("-", "-"), "{}", "Only one of the two"),
        (("old.json",), None, "Give two files, or one with --git"),
        ((), None, "Give two files, or one with --git"),
        (("--git", "HEAD", "old.json", "new.json"), None, "Give one file with --git"),
        (("--git", "HEAD"), None, "Give one file with --git"),
    ],
)
def test_bad_input_exits_2_with_one_line(run, arguments, stdin, message):
    result = run(*arguments, stdin=stdin)
    assert result.exit_code == 2
    assert message in result.stderr
    assert result.stderr.count("\n") == 1


SQL = "CREATE TABLE orders (\n  id BIGINT NOT NULL,\n  note TEXT\n);\n"
AVRO = {"type": "record", "name": "Orders", "fields": [{"name": "id", "type": "long"}]}
ODCS = """apiVersion: v3.0.2
kind: DataContract
id: orders
version: 1.0.0
status: active
schema:
  - name: orders
    properties:
      - name: id
        logicalType: integer
        required: true
"""
YAML = "type: object\nproperties:\n  id:\n    type: integer\nrequired: [id]\n"
MANIFEST = {
    "metadata": {"dbt_schema_version": "https://schemas.getdbt.com/dbt/manifest/v12.json", "adapter_type": "postgres"},
    "nodes": {
        f"model.shop.{name}": {
            "resource_type": "model",
            "name": name,
            "database": "db",
            "schema": "marts",
            "columns": {"id": {"name": "id", "data_type": "bigint"}},
        }
        for name in ("orders", "customers")
    },
}
FILES = {
    "t.sql": SQL,
    "t.avsc": json.dumps(AVRO),
    "t.yaml": ODCS,
    "schema.yaml": YAML,
    "manifest.json": json.dumps(MANIFEST),
}


@pytest.fixture
def files(tmp_path):
    for name, content in FILES.items():
        (tmp_path / name).write_text(content)


@pytest.mark.usefixtures("files")
@pytest.mark.parametrize("name", FILES)
def test_a_file_of_any_format_equals_itself(run, name):
    part = ["--part", "orders"] if name == "manifest.json" else []
    result = run(name, name, *part)
    assert (result.exit_code, result.stdout) == (0, "No changes.\n"), result.stderr


@pytest.mark.usefixtures("files")
@pytest.mark.parametrize(("old", "new"), [("t.sql", "t.yaml"), ("manifest.json", "t.sql"), ("schema.yaml", "t.avsc")])
def test_two_files_of_different_formats_are_compared(run, old, new):
    result = run(old, new, "--part", "orders", "--format", "json")
    assert result.exit_code in {0, 1}, result.stderr
    changed = {change["path"] for change in json.loads(result.stdout)["changes"]}
    assert ("note" in changed) == ("t.sql" in (old, new))


@pytest.mark.usefixtures("files")
def test_a_manifest_of_several_models_asks_for_one(run):
    result = run("manifest.json", "manifest.json")
    assert result.exit_code == 2
    assert "db.marts.customers, db.marts.orders. Give the name of one model with --part." in result.stderr
    assert run("manifest.json", "manifest.json", "--part", "nothing").exit_code == 2


def test_yaml_that_is_no_schema_is_refused_as_a_data_contract(run, tmp_path):
    (tmp_path / "other.yaml").write_text("services:\n  web: {}\n")
    result = run("other.yaml", "old.json")
    assert (result.exit_code, "no data contract of ODCS v3" in result.stderr) == (2, True)


def test_the_sql_parser_prints_no_text_of_a_file_on_stderr(tmp_path):
    (tmp_path / "old.sql").write_text("CREATE TABEL orders (note TEXT DEFAULT '\x1b[2J'\n)")
    command = [sys.executable, "-m", "tessera_gql", "diff", "old.sql", "old.sql"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    completed = subprocess.run(
        command, cwd=tmp_path, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    assert (completed.returncode, completed.stderr.count("\n"), "\x1b" in completed.stderr) == (2, 1, False)


def test_github_annotations_lead_to_the_line_of_the_changed_key(run, tmp_path):
    (tmp_path / "old.json").write_text(json.dumps(OLD, indent=2))
    (tmp_path / "new.json").write_text(json.dumps({**NEW, "properties": {"id": {"type": "string"}}}, indent=2))
    lines = run("old.json", "new.json", "--format", "github").stdout.splitlines()
    removed = json.dumps(OLD, indent=2).splitlines().index('    "name": {') + 1
    assert lines[0].startswith("::error file=new.json,line=5,title=TYPE_CHANGED::")
    assert lines[1].startswith(f"::error file=old.json,line={removed},title=PROPERTY_REMOVED::")


def test_github_annotations_of_sql_lead_to_the_column(run, tmp_path):
    (tmp_path / "old.sql").write_text(SQL)
    (tmp_path / "new.sql").write_text("CREATE TABLE orders (\n  id BIGINT NOT NULL\n);\n")
    result = run("old.sql", "new.sql", "--format", "github")
    assert result.stdout.startswith("::error file=old.sql,line=3,title=PROPERTY_REMOVED::")


@pytest.mark.parametrize("format_", ["text", "markdown", "github"])
def test_a_change_that_is_not_proven_to_break_says_so(run, tmp_path, format_):
    for name, letter in (("old", "b"), ("new", "c")):
        (tmp_path / f"{name}.json").write_text(json.dumps({"type": "string", "pattern": f"^a(?!{letter})"}))
    result = run("old.json", "new.json", "--format", format_)
    assert result.exit_code == 1
    assert "could not be proven compatible" in result.stdout.lower()
    assert "for example" not in result.stdout


@pytest.mark.parametrize("format_", ["text", "markdown", "github"])
def test_of_many_changes_the_first_are_listed_and_the_others_counted(run, tmp_path, format_):
    for name, type_ in (("old", "string"), ("new", "integer")):
        columns = {f"column_{number}": {"type": type_} for number in range(600)}
        (tmp_path / f"{name}.json").write_text(json.dumps({"type": "object", "properties": columns}))
    result = run("old.json", "new.json", "--format", format_)
    assert result.stdout.count("TYPE_CHANGED") == 500
    assert "600 of 600 changes, bump MAJOR. 100 are not listed; --format json has all." in result.stdout
    assert run("old.json", "new.json", "--format", "json").stdout.count('"TYPE_CHANGED"') == 600


def test_a_comparison_of_large_files_is_announced_on_stderr(run, tmp_path):
    (tmp_path / "large.json").write_text(json.dumps({**OLD, "description": "x" * 1_000_000}))
    result = run("old.json", "large.json")
    assert (result.exit_code, result.stderr) == (0, "comparing 1.0 MB …\n")


def test_a_file_over_the_limit_is_refused(run, tmp_path):
    with (tmp_path / "large.json").open("wb") as file:
        file.truncate(128_000_001)
    result = run("large.json", "old.json")
    assert (result.exit_code, "more than 128,000,000 bytes" in result.stderr) == (2, True)


def test_explain_prints_the_computed_table_within_eighty_columns(run):
    result = run("--explain")
    assert result.exit_code == 0
    table = [line for line in result.stdout.splitlines() if not line.startswith(tuple(Mode))]
    assert max(map(len, table)) <= 80
    for verdict in judge_everyday_changes():
        (line,) = [line for line in table if line.startswith(f"{verdict.title}  ")]
        assert line.removeprefix(verdict.title).split() == [
            "breaks" if mode in verdict.breaks else "ok" for mode in Mode
        ]


def test_explain_prints_json(run):
    result = json.loads(run("--explain", "--format", "json").stdout)
    assert result["modes"] == {mode.value: text for mode, text in MODE_DESCRIPTIONS.items()}
    assert len(result["changes"]) == len(judge_everyday_changes())


def run_in_terminal(tmp_path, *arguments, **variables):
    """Run the command on a terminal of 80 columns and return what it prints."""
    leader, follower = pty.openpty()
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TERM": "xterm", "COLUMNS": "80", **variables}
    environment.pop("CI", None)
    process = subprocess.Popen(
        [sys.executable, "-m", "tessera_gql", "diff", *arguments],
        cwd=tmp_path,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=follower,
        stderr=follower,
    )
    os.close(follower)
    output = b""
    with os.fdopen(leader, "rb", buffering=0) as stream:
        try:
            while chunk := stream.read(65_536):
                output += chunk
        except OSError:  # Linux reports the end of a terminal as an error
            pass
    process.wait(timeout=30)
    return output.decode()


@pytest.mark.parametrize("variables", [{}, {"NO_COLOR": "1"}])
def test_a_terminal_of_eighty_columns_gets_wrapped_lines_and_colour_unless_refused(tmp_path, variables):
    wide = {name: {"type": "string", "enum": [f"{name} of a value {number}" for number in range(9)]} for name in "abc"}
    (tmp_path / "old.json").write_text(json.dumps({"type": "object", "properties": wide}))
    (tmp_path / "new.json").write_text(json.dumps({"type": "object", "properties": {}}))
    output = run_in_terminal(tmp_path, "old.json", "new.json", **variables)
    lines = re.sub(r"\x1b\[[0-9;]*m", "", output).splitlines()
    assert max(map(len, lines)) <= 80
    assert sum(line.startswith("breaks ") for line in lines) == 3
    assert ("\x1b[1;31m" in output) == (not variables)
    assert lines[-1].startswith("BACKWARD breaks · ")


@pytest.mark.parametrize(
    ("content", "reason"),
    [("", "it is empty"), ('{"type": "object", "type": "string"}', "an object has the key 'type' twice")],
)
def test_an_empty_file_and_a_key_that_occurs_twice_are_refused(run, tmp_path, content, reason):
    (tmp_path / "bad.json").write_text(content)
    (tmp_path / "good.json").write_text("{}")
    result = run("bad.json", "good.json")
    assert result.exit_code == 2
    assert reason in " ".join(result.stderr.split())


def test_files_that_a_schema_refers_to_are_read_from_its_folder_and_from_no_other(run, tmp_path):
    (tmp_path / "schemas").mkdir()
    (tmp_path / "schemas/money.json").write_text('{"type": "number"}')
    inside = {"properties": {"price": {"$ref": "money.json"}}}
    (tmp_path / "schemas/order.json").write_text(json.dumps(inside))
    (tmp_path / "plain.json").write_text('{"properties": {"price": {"type": "number"}}}')
    assert run("schemas/order.json", "plain.json").stdout == "No changes.\n"
    (tmp_path.parent / "outside.json").write_text('{"type": "number"}')
    (tmp_path / "escaping.json").write_text('{"properties": {"price": {"$ref": "../outside.json"}}}')
    result = run("escaping.json", "plain.json")
    assert result.exit_code == 2
    assert "leads outside the document (../outside.json)" in result.stderr
