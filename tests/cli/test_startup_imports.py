"""Commands import what they need and no more: completions and `--version` start without the libraries."""

import json
import subprocess
import sys

import pytest

from tessera_gql.cli.commands import COMMANDS, CONTRACTS_PANEL, load_command

SERVER_LIBRARIES = {"alembic", "sqlalchemy", "sqlmodel", "starlette", "strawberry", "uvicorn"}
CLIENT_LIBRARIES = {"httpx", "pydantic", "websockets"}
SLOW_LIBRARIES = {"jsonschema", "rich", "sqlglot"}
LOCAL = {"diff", "hook"}
"""Commands that compare schemas themselves, and import the diff engine for it."""


def imported_by(code: str) -> set[str]:
    """The top modules that a new interpreter has imported after some code."""
    script = f"import json, sys\n{code}\nsys.stdout.write(chr(10) + json.dumps([*sys.modules]))"
    completed = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    modules: list[str] = json.loads(completed.stdout.splitlines()[-1])
    return {module.partition(".")[0] for module in modules}


def test_the_command_line_imports_no_library_of_the_server_or_the_client() -> None:
    modules = imported_by("import tessera_gql.cli")
    assert not modules & (SERVER_LIBRARIES | CLIENT_LIBRARIES | SLOW_LIBRARIES)


def test_the_version_is_printed_without_a_command() -> None:
    code = """
from tessera_gql.cli import build_app
try:
    build_app()(['--version'])
except SystemExit:
    pass
assert not [name for name in sys.modules if name.startswith('tessera_gql.client.operations')]
"""
    assert not imported_by(code) & (SERVER_LIBRARIES | CLIENT_LIBRARIES | SLOW_LIBRARIES)


def test_a_completion_completes_options_and_values_without_the_libraries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("_TESSERA_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", "tessera policy set low --on-silence ")
    monkeypatch.setenv("COMP_CWORD", "5")
    code = """
sys.argv = ['tessera']
from tessera_gql.cli import main
try:
    main()
except SystemExit:
    pass
"""
    assert not imported_by(code) & (SERVER_LIBRARIES | CLIENT_LIBRARIES | SLOW_LIBRARIES)
    command = [sys.executable, "-c", f"import sys{code}"]
    completed = subprocess.run(command, capture_output=True, text=True, check=True)
    assert completed.stdout.split() == ["EXPIRE", "APPROVE", "BLOCK", "EXTEND"]


@pytest.mark.long
def test_each_command_for_people_and_ci_is_loaded_for_a_completion_without_the_libraries() -> None:
    names = [name for name, entry in COMMANDS.items() if entry.panel == CONTRACTS_PANEL and name not in LOCAL]
    code = f"from tessera_gql.cli.commands import load_command\n[load_command(name) for name in {names!r}]"
    assert not imported_by(code) & (SERVER_LIBRARIES | CLIENT_LIBRARIES | SLOW_LIBRARIES)


@pytest.mark.long
@pytest.mark.parametrize("name", COMMANDS)
def test_the_table_of_commands_has_the_first_sentence_of_each_help(name: str) -> None:
    command = load_command(name)
    assert " ".join(command.help.split()).startswith(COMMANDS[name].summary)
    assert COMMANDS[name].summary.endswith(".")
