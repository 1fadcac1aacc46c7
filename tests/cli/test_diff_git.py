"""`tessera diff --git` compares revisions of a file; what git can't find is one line on stderr."""

import json
import subprocess
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from tessera_gql.cli.diff import diff

app = typer.Typer(pretty_exceptions_enable=False)
app.command()(diff)

FIRST = {"type": "object", "properties": {"id": {"type": "integer"}}}
SECOND = {"type": "object", "properties": {"id": {"type": "integer"}, "note": {"type": "string"}}}
ON_BRANCH = {"type": "object", "properties": {"id": {"type": "string"}}}
FILE = "schemas/orders.json"


def git(folder: Path, *arguments: str) -> None:
    identity = ["-c", "user.name=Shop", "-c", "user.email=shop@example.com"]
    subprocess.run(["git", *identity, *arguments], cwd=folder, check=True, capture_output=True)


def commit(folder: Path, schema: object) -> None:
    (folder / FILE).parent.mkdir(exist_ok=True)
    (folder / FILE).write_text(json.dumps(schema))
    git(folder, "add", "--all")
    git(folder, "commit", "--message", "Change the schema")


@pytest.fixture(autouse=True)
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with two commits on `main`, and a branch `topic` that begins at the first."""
    git(tmp_path, "init", "--initial-branch", "main")
    commit(tmp_path, FIRST)
    git(tmp_path, "checkout", "-b", "topic")
    commit(tmp_path, ON_BRANCH)
    git(tmp_path, "checkout", "main")
    commit(tmp_path, SECOND)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments))


def changes(*arguments: str) -> list[tuple[str, str]]:
    result = run(*arguments, "--format", "json")
    assert result.exit_code in {0, 1}, result.stderr
    return [(change["kind"], change["path"]) for change in json.loads(result.stdout)["changes"]]


@pytest.mark.parametrize("revisions", ["HEAD~1..HEAD", "HEAD~1..", "HEAD~1..main", "main~1...main"])
def test_two_revisions_of_a_file_are_compared(revisions: str) -> None:
    assert changes("--git", revisions, FILE) == [("PROPERTY_ADDED", "note")]


def test_two_dots_compare_the_ends_and_three_dots_begin_at_the_merge_base() -> None:
    assert changes("--git", "main..topic", FILE) == [("TYPE_CHANGED", "id"), ("PROPERTY_REMOVED", "note")]
    assert changes("--git", "main...topic", FILE) == [("TYPE_CHANGED", "id")]


def test_one_revision_is_compared_with_the_working_tree(repository: Path) -> None:
    assert changes("--git", "HEAD", FILE) == []
    (repository / FILE).write_text(json.dumps(FIRST))
    assert changes("--git", "HEAD", FILE) == [("PROPERTY_REMOVED", "note")]


def test_the_path_may_be_absolute_or_relative_to_another_folder(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert changes("--git", "HEAD~1..HEAD", str(repository / FILE)) == [("PROPERTY_ADDED", "note")]
    (repository / "other").mkdir()
    monkeypatch.chdir(repository / "other")
    assert changes("--git", "HEAD~1..HEAD", f"../{FILE}") == [("PROPERTY_ADDED", "note")]


def test_a_file_that_was_removed_with_its_folder_is_still_read_from_older_revisions(repository: Path) -> None:
    git(repository, "rm", "-r", "schemas")
    git(repository, "commit", "--message", "Remove the schema")
    assert not (repository / "schemas").exists()
    assert changes("--git", "HEAD~2..HEAD~1", FILE) == [("PROPERTY_ADDED", "note")]


def test_a_variable_that_git_sets_for_hooks_does_not_lead_to_another_repository(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    other_folder = tmp_path_factory.mktemp("other")
    git(other_folder, "init")
    monkeypatch.setenv("GIT_DIR", str(other_folder / ".git"))
    assert changes("--git", "HEAD~1..HEAD", FILE) == [("PROPERTY_ADDED", "note")]


def test_annotations_name_the_file_and_its_line_in_the_revision(repository: Path) -> None:
    (repository / FILE).write_text(json.dumps(SECOND, indent=2))
    git(repository, "commit", "--all", "--message", "Indent")
    (repository / FILE).write_text(json.dumps(FIRST, indent=2))
    result = run("--git", "HEAD", FILE, "--format", "github")
    assert result.stdout.startswith(f"::error file={FILE},line=7,title=PROPERTY_REMOVED::")


@pytest.mark.parametrize(
    ("revisions", "path", "message"),
    [
        ("HEAD~1..HEAD", "schemas/renamed.json", "is no file in revision HEAD~1. If it had another name there"),
        ("HEAD~1..HEAD", "missing/folder/orders.json", "is no file in revision HEAD~1"),
        ("HEAD~1..HEAD", "schemas", "schemas is no file in revision HEAD~1"),
        ("nowhere..HEAD", FILE, "There is no revision nowhere"),
        ("HEAD~1..nowhere", FILE, "There is no revision nowhere"),
        ("nowhere...HEAD", FILE, "nowhere"),
        ("--output=pwned..HEAD", FILE, "--output=pwned is no revision"),
        ("HEAD~1..--output=pwned", FILE, "--output=pwned is no revision"),
        ("-p", FILE, "-p is no revision"),
        ("HEAD:schemas", FILE, "HEAD:schemas is no revision"),
        ("HEAD\nHEAD", FILE, "is no revision"),
        ("", FILE, "is no revision"),
    ],
)
def test_what_git_can_not_find_exits_2_with_one_line(repository: Path, revisions: str, path: str, message: str) -> None:
    result = run(f"--git={revisions}", path)
    assert (result.exit_code, result.stderr.count("\n")) == (2, 1), result.output
    assert message in result.stderr
    assert not (repository / "pwned").exists()


def test_a_file_that_is_gone_from_the_working_tree_is_a_clear_error(repository: Path) -> None:
    (repository / FILE).unlink()
    result = run("--git", "HEAD", FILE)
    assert (result.exit_code, f"{FILE} can't be read" in result.stderr) == (2, True)


def test_a_folder_without_a_repository_is_a_clear_error(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path_factory.mktemp("plain")
    (folder / "orders.json").write_text("{}")
    monkeypatch.chdir(folder)
    result = run("--git", "HEAD", "orders.json")
    assert (result.exit_code, "not a git repository" in result.stderr) == (2, True)


def test_a_blob_over_the_limit_is_refused_before_it_is_read(repository: Path) -> None:
    with (repository / FILE).open("wb") as file:
        file.truncate(128_000_001)
    git(repository, "commit", "--all", "--message", "Too large")
    result = run("--git", "HEAD", FILE)
    assert (result.exit_code, "has 128,000,001 bytes in revision HEAD" in result.stderr) == (2, True)


def test_types_of_avro_are_those_of_the_same_revision(repository: Path) -> None:
    folder = repository / "avro"
    folder.mkdir()
    record = {"type": "record", "name": "Order", "fields": [{"name": "state", "type": "State"}]}
    (folder / "order.avsc").write_text(json.dumps(record))
    for symbols in (["NEW"], ["NEW", "PAID"]):
        (folder / "state.avsc").write_text(json.dumps({"type": "enum", "name": "State", "symbols": symbols}))
        git(repository, "add", "--all")
        git(repository, "commit", "--message", "Change the states")
    for path, revisions in (("avro/order.avsc", "HEAD~1..HEAD"), ("avro/order.avsc", "HEAD~1")):
        result = CliRunner().invoke(app, [path, "--git", revisions, "--mode", "consumer"])
        assert (result.exit_code, '"PAID"' in result.stdout) == (1, True)
    git(repository, "rm", "-r", "--quiet", "avro")
    git(repository, "commit", "--message", "Remove the folder")
    result = CliRunner().invoke(app, ["avro/order.avsc", "--git", "HEAD~2..HEAD~1", "--mode", "consumer"])
    assert (result.exit_code, '"PAID"' in result.stdout) == (1, True)


def test_files_that_a_schema_refers_to_are_read_from_its_revision(repository: Path) -> None:
    shared = repository / "common/money.json"
    shared.parent.mkdir()
    shared.write_text('{"type": "object", "properties": {"amount": {"type": "number"}}}')
    commit(repository, {"type": "object", "properties": {"price": {"$ref": "../common/money.json"}}})
    shared.write_text('{"type": "object", "properties": {"amount": {"type": "string"}}}')
    git(repository, "commit", "--all", "--message", "Write amounts as text")
    assert changes("--git", "HEAD~1..HEAD", FILE) == [("TYPE_CHANGED", "price.amount")]
    shared.unlink()
    assert changes("--git", "HEAD~1..HEAD", FILE) == [("TYPE_CHANGED", "price.amount")]
    result = run("--git", "HEAD~1", FILE)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "leads outside the document (../common/money.json)" in result.stderr
