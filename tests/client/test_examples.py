"""The example programs run, and their documentation names only commands and options that exist."""

import re
import subprocess
import sys
from pathlib import Path

from tessera_gql.cli.commands import load_command
from tessera_gql.client import TesseraClient
from tests.client.test_sync_and_async import V1, V2, fresh, fresh_fqn
from tests.e2e.server import ROOT, Running, environment


def example(name: str, *arguments: str, url: str, folder: Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, ROOT / "examples" / name, *arguments],
        cwd=folder,
        env=environment(TESSERA_URL=url),
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def test_the_example_of_the_sdk_runs(server: Running, tmp_path: Path) -> None:
    completed = example("sdk.py", url=server.url, folder=tmp_path)
    assert completed.returncode == 0, completed.stderr
    for arguments in (
        "PUBLISHED: examples.",
        "PROPOSED: coupon",
        "CONFLICT: ",
        "heard: APPROVED",
        "contracts: 2.0.0, 1.0.0",
    ):
        assert arguments in completed.stdout


def test_the_example_of_the_sdk_reports_a_missing_server(tmp_path: Path) -> None:
    completed = example("sdk.py", url="http://127.0.0.1:9", folder=tmp_path)
    assert (completed.returncode, len(completed.stderr.splitlines())) == (1, 1)
    assert "can't be reached" in completed.stderr


def test_the_watching_example_prints_events_from_while_it_was_stopped(server: Running, tmp_path: Path) -> None:
    with TesseraClient(server.url) as tessera:
        owner, reader = tessera.create_team(fresh("owner")), tessera.create_team(fresh("reader"))
        start = list(tessera.events(kinds=["TEAM_CREATED"]))[-1].cursor
        (tmp_path / f"{reader.name}.cursor").write_text(start)
        fqn = fresh_fqn()
        tessera.create_asset(fqn=fqn, owner=owner)
        tessera.publish_contract(fqn=fqn, schema_def=V1)
        tessera.register(fqn, team=reader)
        tessera.publish_contract(fqn=fqn, schema_def=V2)
    completed = example("watch.py", reader.name, "1", url=server.url, folder=tmp_path)
    assert completed.returncode == 0, completed.stderr
    assert f"{fqn} 2.0.0 would break you." in completed.stdout
    assert f"tessera ack {fqn} APPROVED --team {reader.name}" in completed.stdout
    assert (tmp_path / f"{reader.name}.cursor").read_text() != start


def test_every_command_and_option_of_the_workflow_example_exists() -> None:
    text = (ROOT / "examples/github-actions.yml").read_text().replace("\\\n", " ")
    commands = re.findall(r"\btessera (dbt|keys|change-set|github) ([a-z]+)([^`\n]*)", text)
    assert len(commands) == 8
    for group, name, remaining in commands:
        command = load_command(group).commands[name]
        known_options = {option for parameter in command.params for option in parameter.opts}
        assert set(re.findall(r"--[a-z-]+", remaining)) <= known_options, remaining
