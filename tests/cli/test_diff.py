"""`tessera diff`: the exit code is the verdict; what is wrong with the input is one line on stderr."""

import json

import pytest
import typer
from typer.testing import CliRunner

from tessera_gql.cli.diff import diff

OLD = {"type": "object", "properties": {"id": {"type": "integer"}, "name": {"type": "string"}}}
NEW = {"type": "object", "properties": {"id": {"type": "string"}, "name": {"type": "string"}}}

app = typer.Typer(pretty_exceptions_enable=False)
app.command()(diff)


@pytest.fixture
def run(tmp_path):
    (tmp_path / "old.json").write_text(json.dumps(OLD))
    (tmp_path / "new.json").write_text(json.dumps(NEW))

    def run(*arguments, stdin=None):
        named = [str(tmp_path / one) if one.endswith(".json") else one for one in arguments]
        return CliRunner().invoke(app, named, input=stdin)

    return run


def test_a_compatible_change_exits_0(run):
    result = run("old.json", "old.json")
    assert (result.exit_code, result.stdout) == (0, "No changes.\n")


def test_a_breaking_change_exits_1_and_shows_a_document(run):
    result = run("old.json", "new.json")
    assert result.exit_code == 1
    assert "breaking  TYPE_CHANGED" in result.stdout
    assert 'for example {"id": ' in result.stdout
    assert "Breaking in mode BACKWARD: 1 of 1 change, bump MAJOR." in result.stdout
    assert "\x1b" not in result.stdout


def test_mode_none_finds_nothing_breaking(run):
    assert run("old.json", "new.json", "--mode", "none").exit_code == 0


def test_the_json_format_lists_mode_verdict_and_changes(run):
    result = json.loads(run("old.json", "new.json", "--format", "json").stdout)
    assert (result["mode"], result["compatible"], result["bump"]) == ("BACKWARD", False, "MAJOR")
    assert result["changes"][0]["kind"] == "TYPE_CHANGED"


def test_markdown_is_a_table(run):
    result = run("old.json", "new.json", "--format", "markdown")
    assert "| 💥 | TYPE_CHANGED | `id` |" in result.stdout


def test_github_gets_an_error_per_breaking_change_and_nothing_can_escape_it(run):
    weird = {"type": "object", "properties": {"a\n::error::b": {"type": "string"}}}
    result = run("old.json", "-", "--format", "github", stdin=json.dumps(weird))
    assert result.stdout.count("::error file=-,title=PROPERTY_REMOVED::") == 2
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
    ],
)
def test_bad_input_exits_2_with_one_line(run, arguments, stdin, message):
    result = run(*arguments, stdin=stdin)
    assert result.exit_code == 2
    assert message in result.stderr
    assert result.stderr.count("\n") == 1
