"""`tessera config` prints the effective settings with their origin, and never a secret."""

import dataclasses
import json
import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tessera_gql.config import Settings, secrets
from tessera_gql.config.env_file import find_env_file
from tessera_gql.config.limits import LimitSettings
from tessera_gql.server.limits import Limits
from tests.e2e.server import run_tessera

KEY = "an-administrators-key-for-this-test"
URL = "postgresql://tessera:hunter2@db/tessera?sslmode=require"
FIXED = {"default_page", "list_length"}
"""Limits that are words of the schema or figures of the estimate, not an operator's."""


def config(folder: Path, *options: str, **settings: str) -> "subprocess.CompletedProcess[str]":
    return run_tessera("config", *options, cwd=folder, **settings)


def lines(completed: "subprocess.CompletedProcess[str]") -> dict[str, list[str]]:
    assert completed.returncode == 0, completed.stderr
    return {words[0]: words[1:] for words in (line.split(maxsplit=2) for line in completed.stdout.splitlines())}


def test_each_setting_is_printed_with_its_value_and_where_it_comes_from(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("API_PORT=8100\nLIMIT_DEPTH=11\n")
    (tmp_path / "key").write_text(KEY + "\n")
    settings_by_name = lines(config(tmp_path, LIMIT_DEPTH="12", ADMIN_KEY_FILE="key"))
    assert settings_by_name["API_PORT"] == ["8100", ".env"]
    assert settings_by_name["LIMIT_DEPTH"] == ["12", "environment"]
    assert settings_by_name["LIMIT_COST"] == ["5000", "default"]
    assert settings_by_name["ADMIN_KEY"] == ["***", "file key"]
    assert settings_by_name["AUTH"] == ["on", "default"]
    assert settings_by_name.keys() == {name.upper() for name in Settings.model_fields}


def test_no_secret_is_shown_in_text_or_json(tmp_path: Path) -> None:
    settings = {"ADMIN_KEY": KEY, "DATABASE_URL": URL, "WEBHOOK_URL": "https://hooks.example.com/services/hunter4"}
    for options in ((), ("--json",)):
        completed = config(tmp_path, *options, WEBHOOK_SECRET="hunter5", **settings)
        assert completed.returncode == 0
        assert KEY not in completed.stdout
        assert "hunter" not in completed.stdout + completed.stderr
        assert "postgresql://tessera:***@db/tessera?" in completed.stdout
        assert "sslmode=require" in completed.stdout
    assert json.loads(completed.stdout)["ADMIN_KEY"] == {"value": "***", "source": "environment"}


def test_all_invalid_settings_are_listed_at_once_those_of_files_too(tmp_path: Path) -> None:
    (tmp_path / "empty").write_text("\n")
    (tmp_path / "two").write_text("one\ntwo\n")
    completed = config(
        tmp_path,
        ADMIN_KEY=KEY,
        ADMIN_KEY_FILE="two",
        WEBHOOK_SECRET_FILE="empty",
        WEBHOOK_URL_FILE="two",
        DATABASE_URL_FILE="missing",
        LIMIT_DEPTH="0",
        AUTH="perhaps",
    )
    assert completed.returncode == 2
    mistakes = [line.strip() for line in completed.stderr.splitlines()[1:]]
    assert [line.partition(":")[0] for line in mistakes] == [
        "DATABASE_URL_FILE",
        "ADMIN_KEY_FILE",
        "WEBHOOK_URL_FILE",
        "WEBHOOK_SECRET_FILE",
        "LIMIT_DEPTH",
        "AUTH",
    ]
    assert "missing can't be read: No such file" in completed.stderr
    assert "ADMIN_KEY is given as well" in completed.stderr
    assert "two has more than one line" in completed.stderr
    assert "empty is empty" in completed.stderr


@pytest.mark.parametrize("content", [b"\xff\xfe\x00", b"x" * 70_000])
def test_a_file_that_holds_no_valid_secret_is_refused_without_showing_it(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "odd").write_bytes(content)
    completed = config(tmp_path, WEBHOOK_SECRET_FILE="odd")
    assert completed.returncode == 2
    assert "WEBHOOK_SECRET_FILE: odd" in completed.stderr
    assert "xxx" not in completed.stderr
    assert "Traceback" not in completed.stderr


def test_an_unknown_variable_that_resembles_a_setting_is_named(tmp_path: Path) -> None:
    completed = config(tmp_path, LIMIT_DEPHT="3")
    assert completed.returncode == 0
    assert "LIMIT_DEPHT is no setting" in completed.stderr


def test_every_limit_of_the_graph_has_a_setting_with_the_same_default() -> None:
    defaults = {field.name: field.default for field in dataclasses.fields(Limits)}
    assert Limits(**LimitSettings().limits) == Limits()
    assert defaults.keys() - LimitSettings().limits.keys() == FIXED


def test_every_setting_with_a_key_a_secret_or_a_database_address_is_hidden() -> None:
    telling = {name for name in Settings.model_fields if name.endswith(("_url", "_key", "secret", "password", "token"))}
    assert telling - {"public_url", "github_api_url"} == set(secrets.secret_names(Settings.model_fields))


@contextmanager
def another_user() -> Iterator[None]:
    """Lose the rights of root, if these are the rights of the tests."""
    is_root = os.geteuid() == 0
    if is_root:
        os.seteuid(65534)
    try:
        yield
    finally:
        if is_root:
            os.seteuid(0)


def test_a_file_of_settings_that_can_not_be_read_is_an_error_and_a_closed_folder_has_none() -> None:
    with tempfile.TemporaryDirectory(dir="/tmp") as name:
        file = Path(name) / ".env"
        file.write_text("API_PORT=8100\n")
        before = Path.cwd()
        os.chdir(name)
        try:
            file.chmod(0)
            Path(name).chmod(0o755)
            with another_user(), pytest.raises(ValueError, match=r"\.env can't be read by user \d+: Permission denied"):
                find_env_file()
            Path(name).chmod(0)
            with another_user():
                assert find_env_file() is None
        finally:
            Path(name).chmod(0o700)
            os.chdir(before)
