"""`tessera git`: its output, and the exit code of each refusal."""

from pathlib import Path

import orjson
import pytest
from typer.testing import CliRunner, Result

from tessera_gql.cli import build_app
from tessera_gql.formats import git_files
from tessera_gql.formats.git_files import TeamFile


def run(arguments: list[str]) -> Result:
    return CliRunner().invoke(build_app(), ["git", *arguments])


@pytest.fixture(autouse=True)
def surroundings(sqlite_template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty database, and a folder with one team in it."""
    (tmp_path / "x.db").write_bytes(sqlite_template.read_bytes())
    (tmp_path / "contracts/teams").mkdir(parents=True)
    (tmp_path / "contracts/teams/shop.yaml").write_text(git_files.render_file(TeamFile(name="shop")))
    monkeypatch.setenv("DATABASE_URL", f"sqlite:///{tmp_path / 'x.db'}")
    monkeypatch.setenv("GIT_SYNC_PATH", str(tmp_path / "contracts"))
    monkeypatch.chdir(tmp_path)


def test_a_pull_prints_its_changes_and_a_dry_run_rolls_them_back() -> None:
    for arguments in (["pull", "--dry-run"], ["pull"]):
        result = run(arguments)
        assert (result.exit_code, result.stdout.strip()) == (0, "1 teams created")
    assert run(["pull"]).stdout.strip() == "Everything is as the files say."


def test_a_push_lists_its_files_as_text_and_as_json(tmp_path: Path) -> None:
    run(["pull"])
    assert run(["push", "--folder", str(tmp_path / "other")]).stdout == "+ teams/shop.yaml\n"
    result = run(["push", "--json"])
    assert orjson.loads(result.stdout) == {"written": [], "removed": [], "unknown": [], "unchanged": 1, "commit": None}


def test_a_push_lists_files_that_it_does_not_know_and_prunes_them_if_asked(tmp_path: Path) -> None:
    run(["pull"])
    (tmp_path / "contracts/teams/gone.yaml").write_text(git_files.render_file(TeamFile(name="gone")))
    result = run(["push"])
    assert (result.exit_code, result.stdout) == (0, "? teams/gone.yaml\n")
    assert "pull them, or push --prune" in result.stderr
    assert run(["push", "--prune"]).stdout == "- teams/gone.yaml\n"


def test_a_refusal_exits_with_code_2_and_its_message(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    unborn = run(["push", "-m", "x"])
    assert (unborn.exit_code, "not a git repository" in unborn.stderr) == (2, True)
    (tmp_path / "contracts/teams/shop.yaml").write_text("kind: team\nformat: 1\n")
    broken = run(["pull"])
    assert (broken.exit_code, "teams/shop.yaml, line 1: `name` is missing" in broken.stderr) == (2, True)
    monkeypatch.delenv("GIT_SYNC_PATH")
    unset = run(["push"])
    assert (unset.exit_code, "GIT_SYNC_PATH" in unset.stderr) == (2, True)
