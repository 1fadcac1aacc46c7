"""The command line against a live server: in a pipe, in a terminal, and with every exit code."""

import json
import os
import pty
import select
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from typer.testing import CliRunner

from tessera_gql.cli import build_app
from tessera_gql.client import AcknowledgmentResponse, TesseraClient
from tessera_gql.escaping import shell_quote
from tests.e2e.forking import run_program, start_program
from tests.e2e.server import ROOT, TESSERA, Running, environment, serving

pytestmark = pytest.mark.long

MANIFEST = ROOT / "tessera_gql/cli/shop_manifest.json"
KEY = "a-key-of-an-administrator-for-tests"
CUSTOMERS = "analytics.marts.customers"
NEXT_MONTH = f"{datetime.now(UTC) + timedelta(days=30):%Y-%m-%d}"


class Shell:
    """Run `tessera` as a script does, with its own home; in this process or, with `process`, in a new one."""

    def __init__(self, url: str, home: Path, **settings: str) -> None:
        self.home = home
        self.settings = environment(HOME=str(home), **({"TESSERA_URL": url} if url else {}), **settings)
        self.stderr = ""

    def __call__(self, *arguments: object, stdin: str = "", code: int = 0) -> str:
        texts = [str(argument) for argument in arguments]
        unset = dict.fromkeys(("TESSERA_URL", "TESSERA_API_KEY", "XDG_CONFIG_HOME"))
        completed = CliRunner().invoke(build_app(), texts, stdin, env=unset | self.settings)
        assert completed.exit_code == code, f"{completed.output}{completed.exception!r}"
        assert completed.exception is None or isinstance(completed.exception, SystemExit), completed.exc_info
        self.stderr = completed.stderr
        return completed.stdout

    def process(self, *arguments: object, stdin: str = "", code: int = 0) -> str:
        completed = run_program(arguments, self.settings, cwd=self.home, stdin=stdin, timeout=90)
        output = f"{completed.stdout}{completed.stderr}"
        assert completed.returncode == code, output
        assert "Traceback" not in output
        self.stderr = completed.stderr
        return completed.stdout

    def json(self, *arguments: object, code: int = 0) -> Any:
        return json.loads(self(*arguments, "--json", code=code))

    def refused(self, *arguments: object, stdin: str = "", code: int = 2) -> str:
        """Expect a refusal and return its only line on stderr."""
        assert self(*arguments, stdin=stdin, code=code) == ""
        assert len(self.stderr.strip().splitlines()) == 1, self.stderr
        return self.stderr


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with serving(tmp_path_factory.mktemp("cli")) as running:
        yield running


@pytest.fixture
def tessera(server: Running, tmp_path: Path) -> Shell:
    return Shell(server.url, tmp_path)


def fresh(prefix: str) -> str:
    return f"{prefix}-{uuid.uuid4().hex[:8]}"


def schema(folder: Path, *columns: str) -> Path:
    file = folder / f"{'_'.join(columns)}.json"
    file.write_text(json.dumps({"type": "object", "properties": {name: {"type": "string"} for name in columns}}))
    return file


def without(manifest: Path, column: str, folder: Path) -> Path:
    """The manifest with one column of `customers` dropped."""
    content = json.loads(manifest.read_text())
    for name, node in content["nodes"].items():
        if name.endswith(".customers"):
            del node["columns"][column]
    file = folder / f"without_{column}.json"
    file.write_text(json.dumps(content))
    return file


def test_a_project_is_created_changed_listed_and_shown(tessera: Shell) -> None:
    first, second, name = fresh("shop"), fresh("finance"), fresh("warehouse")
    for team in (first, second):
        tessera("team", "create", team)
    created = tessera.json("project", "create", name, "--owner", first, "--owner", second, "--schema", "Prod.Marts")
    assert (created["name"], created["schemas"], created["rowVersion"]) == (name, ["prod.marts"], 1)
    assert [owner["name"] for owner in created["owners"]] == [first, second]
    assert f"{name}\t{first}, {second}\tprod.marts\t" in tessera("project", "list", "--contains", name)
    assert tessera.json("project", "list", "--contains", name) == [created]
    tessera("project", "update", name, "--owner", second, "--schema", "prod.*", "--schema", "prod.stg_*")
    properties = [line.split() for line in tessera("project", "show", created["id"]).splitlines()]
    assert properties[2:4] == [["owners", second], ["schemas", "prod.*,", "prod.stg_*"]]
    renamed = tessera.json("project", "update", name, "--any-schema", "--rename", f"{name}-2")
    assert (renamed["name"], renamed["schemas"], renamed["rowVersion"]) == (f"{name}-2", [], 3)
    assert "every schema" in tessera("project", "show", f"{name}-2")
    assert "exists already" in tessera.refused("project", "create", f"{name}-2".upper(), "--owner", first)
    assert "There is no project" in tessera.refused("project", "show", name)
    assert "Nothing to change" in tessera.refused("project", "update", f"{name}-2")
    assert "exclude each other" in tessera.refused("project", "update", f"{name}-2", "--schema", "a.b", "--any-schema")


def test_a_team_publishes_and_another_registers_and_acknowledges(tessera: Shell, tmp_path: Path) -> None:
    owner, reader, fqn = fresh("shop"), fresh("finance"), f"cli.t_{uuid.uuid4().hex[:8]}.orders"
    assert owner in tessera("team", "create", owner)
    tessera("team", "create", reader)
    tessera("asset", "create", fqn, "--owner", owner, "--type", "table")
    wide, narrow = schema(tmp_path, "id", "coupon"), schema(tmp_path, "id")
    assert "1.0.0 is published" in tessera("publish", fqn, wide, "--team", owner)
    assert "1.0.0 is unchanged" in tessera("publish", fqn, wide, "--team", owner)
    assert f"{reader} reads coupon" in tessera("register", fqn, "-t", reader, "-f", "coupon", "--purpose", "tax")
    assert f"asks {reader}, which reads coupon" in tessera("impact", fqn, narrow, code=1)
    assert f"tessera ack {fqn} APPROVED --team {reader}" in tessera("publish", fqn, narrow, "-t", owner, code=3)
    assert tessera("proposals", "--asset", fqn).split("\t")[2] == "PENDING"
    assert tessera("inbox", "--team", reader).split("\t")[1:4] == [reader, "-", fqn]
    assert "coupon" in tessera("proposal", fqn)
    assert "MIGRATING needs a deadline" in tessera.refused("ack", fqn, "MIGRATING", "-t", reader)
    until = (datetime.now(UTC) + timedelta(days=60)).date().isoformat()
    assert "is PENDING" in tessera("ack", fqn, "migrating", "-t", reader, "--until", until)
    assert "(it migrates)" in tessera("publish", fqn, narrow, "-t", owner, code=3)
    assert f"{reader}\tMIGRATING\t{until}T00:00Z\tproof" in tessera("proposal", fqn)
    tessera("ack", fqn, "--block", "-t", reader, "--notes", "no")
    assert "(it blocks)" in tessera("publish", fqn, narrow, "-t", owner, code=3)
    assert "is APPROVED" in tessera("ack", fqn, "APPROVED", "-t", reader)
    assert "2.0.0 is published" in tessera("publish-proposal", fqn)
    asset = tessera.json("asset", "show", fqn)
    assert asset["currentContract"]["version"] == "2.0.0"
    assert [registration["consumerTeam"]["name"] for registration in asset["registrations"]] == [reader]
    assert "no longer reads" in tessera("unregister", fqn, "--team", reader)


def test_a_refusal_is_one_line_and_exit_2(tessera: Shell, tmp_path: Path) -> None:
    assert "There is no asset 'no.such'" in tessera.refused("asset", "show", "no.such")
    assert "missing.json can't be read: No such file" in tessera.refused("publish", "a.b", "missing.json")
    broken = tmp_path / "broken.json"
    broken.write_text('{"type": ')
    assert "broken.json is not JSON" in tessera.refused("impact", "a.b", broken)
    broken.write_text("[]")
    assert "holds no schema" in tessera.refused("impact", "a.b", broken)
    assert "can't be read: Is a directory" in tessera.refused("dbt", "sync", tmp_path)
    assert "Run `dbt compile` first" in tessera.refused("dbt", "impact", "nowhere.json")
    broken.write_bytes(MANIFEST.read_bytes()[:20_000])
    assert "Was it cut off?" in tessera.refused("dbt", "impact", broken)
    broken.write_text('{"metadata": {"dbt_schema_version": "https://schemas.getdbt.com/dbt/manifest/v99.json"}}')
    assert "no object `nodes`" in tessera.refused("dbt", "sync", broken)
    assert "no object `nodes`" in tessera.refused("dbt", "impact", broken)
    assert "is no duration" in tessera.refused("dbt", "impact", MANIFEST, "--wait", "soon")


def test_an_unreachable_server_is_one_line_and_exit_4(tmp_path: Path) -> None:
    nowhere = Shell("http://127.0.0.1:9", tmp_path)
    for arguments in (("team", "list"), ("dbt", "impact", MANIFEST), ("watch", "--team", "a")):
        assert "http://127.0.0.1:9 can't be reached" in nowhere.refused(*arguments, code=4)
    assert nowhere.process("dbt", "impact", MANIFEST, code=4) == ""
    assert "is not the address of a server" in Shell("localhost:8000", tmp_path).refused("team", "list")


def test_dbt_impact_reaches_each_exit_code_and_names_the_asked_teams(tmp_path: Path) -> None:
    with serving(tmp_path) as server:
        shell = Shell(server.url, tmp_path)
        assert "no owner" in shell.refused("dbt", "sync", MANIFEST)
        assert shell.json("dbt", "plan", MANIFEST, "--create-teams", "--owner", _team(shell, "base"))["models"]
        shell("dbt", "sync", MANIFEST, "--create-teams", "--owner", "base")
        assert shell("dbt", "sync", MANIFEST) == ""
        assert "14 unchanged" in shell("dbt", "impact", MANIFEST)
        _team(shell, "audit")
        shell("register", CUSTOMERS, "-t", "audit", "-f", "country")
        broken = without(MANIFEST, "country", tmp_path)
        report = shell("dbt", "impact", broken, code=1)
        for line in (
            f"{CUSTOMERS} breaks its readers",
            "asks     audit, which reads country",
            f"ask      tessera dbt impact --ask {shell_quote(str(broken))}",
        ):
            assert line in report
        assert shell("dbt", "impact", broken, "--fail-on", "never") == report
        _formats(shell, broken)
        shell("dbt", "impact", broken, "--ask", "--reason", "Moved.", code=3)
        assert "PROPOSED" in shell("dbt", "sync", broken, code=3)
        waiting = f"waits: {CUSTOMERS} is changed once its readers agree: tessera proposal {CUSTOMERS}"
        assert waiting in shell.stderr
        began = time.monotonic()
        shell("dbt", "impact", broken, "--wait", "2s", code=3)
        assert time.monotonic() - began >= 2
        _answers(shell, server, broken)
        unread = without(MANIFEST, "lifetime_value", tmp_path)
        assert shell("dbt", "plan", unread, "--supersede").startswith(f"PUBLISHED\t{CUSTOMERS}\t2.0.0\t")


def test_dbt_sync_maps_owners_skips_refusals_and_retires_removed_tables_on_request(tmp_path: Path) -> None:
    with serving(tmp_path) as server:
        shell = Shell(server.url, tmp_path)
        names = {name: _team(shell, f"team-{name}") for name in ("base", "shop")}
        content = json.loads(MANIFEST.read_text())
        for node in content["nodes"].values():
            node.pop("group", None)
            node["config"] = {**node.get("config", {}), "meta": {"owner": "Shop & Co"}}
            node["meta"] = {}
        whole = tmp_path / "whole.json"
        whole.write_text(json.dumps(content))
        mapping = tmp_path / "owners.yaml"
        mapping.write_text(f"Shop & Co: {names['shop']}\n")
        shell("dbt", "sync", whole, "--owner", names["base"], "--owners", mapping)
        assert shell.json("asset", "show", CUSTOMERS)["owner"]["name"] == names["shop"]
        content["nodes"] = {key: node for key, node in content["nodes"].items() if not key.endswith(".customers")}
        less = tmp_path / "less.json"
        less.write_text(json.dumps(content))
        shell("dbt", "plan", less, "--atomic")
        assert f"gone: {CUSTOMERS} is no longer in the manifest: --retire-removed retires its contract" in shell.stderr
        report = shell.json("dbt", "sync", less, "--retire-removed")
        assert [(table["fqn"], table["retired"]) for table in report["removed"]] == [(CUSTOMERS, True)]
        mapping.write_text("[]")
        assert "must lead from owners" in shell.refused("dbt", "sync", whole, "--owners", mapping)
        mapping.write_text("a: &a [*a, *a]")
        assert "owners.yaml" in shell.refused("dbt", "sync", whole, "--owners", mapping)
        assert "can't be read" in shell.refused("dbt", "sync", whole, "--owners", tmp_path / "none.yaml")


def _team(shell: Shell, name: str) -> str:
    shell("team", "create", name)
    return name


def _formats(shell: Shell, manifest: Path) -> None:
    report = shell.json("dbt", "impact", manifest, code=1)
    assert report["summary"]["ask"] == 1
    (model,) = report["models"]
    assert "audit" in [team["team"] for team in model["asked"]]
    suite = ET.fromstring(shell("dbt", "impact", manifest, "--format", "junit", code=1))
    assert [case.get("name") for case in suite if case.find("failure") is not None] == [CUSTOMERS]
    assert f"| `{CUSTOMERS}` breaks its readers |" in shell("dbt", "impact", manifest, "-f", "markdown", code=1)
    first, *_ = shell("dbt", "impact", manifest, "-f", "github", code=1).splitlines()
    assert first.startswith(
        f"::error file=models/marts/customers.sql,line=1,title={CUSTOMERS} breaks its readers::breaks"
    )


def _answers(shell: Shell, server: Running, manifest: Path) -> None:
    """Acknowledge while `--wait` runs: an approval ends it with 0, a blocker with 1."""
    with TesseraClient(server.url) as client:
        proposal = client.get_asset(CUSTOMERS).open_proposal
        assert proposal is not None
        teams = [acknowledgment.team for acknowledgment in client.get_proposal(proposal.id).acknowledgments]
        for response, code in ((AcknowledgmentResponse.APPROVED, 0), (AcknowledgmentResponse.BLOCKED, 1)):
            arguments = ["dbt", "impact", manifest, "--wait", "60s"]
            pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
            waiting = start_program(arguments, shell.settings, **pipes)
            assert waiting.stderr is not None
            if response is AcknowledgmentResponse.APPROVED:
                assert b"Waiting for" in waiting.stderr.readline()
            for team in teams:
                client.acknowledge(proposal.id, response, team=team, notes="The closing runs.")
            _, stderr = waiting.communicate(timeout=60)
            assert waiting.returncode in ({code} if response is AcknowledgmentResponse.APPROVED else {0, 1}), stderr
    assert "is blocked" in shell("dbt", "impact", manifest, code=1)


def test_login_stores_a_key_that_only_its_owner_can_read(tmp_path: Path) -> None:
    with serving(tmp_path, ADMIN_KEY=KEY) as server:
        shell = Shell("", tmp_path)
        assert "not known here" in shell.refused("login", "--url", server.url, stdin="not-the-key\n")
        assert "You are admin" in shell("login", "--url", server.url, stdin=f"{KEY}\n")
        (key_file,) = (tmp_path / ".config/tessera").iterdir()
        assert key_file.stat().st_mode & 0o777 == 0o600
        assert shell("whoami").splitlines()[0].split() == ["server", server.url]
        with_wrong_key = Shell(server.url, tmp_path, TESSERA_API_KEY="wrong")
        assert "tessera login" in with_wrong_key.refused("whoami")
        shell("logout")
        assert not key_file.exists()


def test_watch_continues_after_a_restart_of_the_server_and_of_itself(tmp_path: Path) -> None:
    cursor = tmp_path / "cursor"
    arguments = ["watch", "--kind", "TEAM_CREATED", "--cursor-file", cursor]
    with serving(tmp_path) as server:
        shell = Shell(server.url, tmp_path)
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        watching = start_program([*arguments, "-n", "2", "--json"], shell.settings, **pipes)
        assert watching.stderr is not None
        assert "Watching everything" in watching.stderr.readline()
        shell("team", "create", "one")
        port = server.url.rpartition(":")[2]
    with serving(tmp_path, API_PORT=port):
        shell("team", "create", "two")
        stdout, stderr = watching.communicate(timeout=60)
        assert [json.loads(line)["payload"]["name"] for line in stdout.splitlines()] == ["one", "two"]
        assert "coming back" in stderr
        shell("team", "create", "three")
        assert "TEAM_CREATED" in shell(*arguments, "-n", "1")
        assert "three" in shell("watch", "--kind", "TEAM_CREATED", "-n", "2", "--after", _first(shell))


def _first(shell: Shell) -> str:
    with TesseraClient(shell.settings["TESSERA_URL"]) as client:
        return next(client.events()).cursor


def test_a_terminal_gets_a_table_with_headings_and_a_pipe_gets_lines(tessera: Shell) -> None:
    name = _team(tessera, fresh("seen"))
    assert tessera.process("team", "list").splitlines()[0].count("\t") == 5
    output = _in_a_terminal(tessera, "team", "list", "--contains", name)
    assert "created" in output.splitlines()[0]
    assert "\x1b[1m" in output
    assert name in output
    assert "No open proposals." in _in_a_terminal(tessera, "proposals")


def _in_a_terminal(shell: Shell, *arguments: str) -> str:
    own_end, other_end = pty.openpty()
    settings = {key: value for key, value in shell.settings.items() if key != "NO_COLOR"}
    process = subprocess.Popen(
        [TESSERA, *arguments], env=settings | {"TERM": "xterm-256color"}, stdout=other_end, stderr=other_end
    )
    os.close(other_end)
    read = b""
    while select.select([own_end], [], [], 30)[0]:
        try:
            chunk = os.read(own_end, 65536)
        except OSError:
            break
        if not chunk:
            break
        read += chunk
    os.close(own_end)
    assert process.wait(timeout=30) == 0
    return read.decode()


def test_the_program_can_be_run_as_a_module(tessera: Shell) -> None:
    command = [sys.executable, "-m", "tessera_gql", "keys", "--help"]
    module = subprocess.run(command, env=tessera.settings, capture_output=True, text=True, check=True)
    assert "Usage: python -m tessera_gql keys" in module.stdout


def test_help_has_examples_and_the_shell_completes(tessera: Shell) -> None:
    assert "Example: tessera dbt impact target/manifest.json" in tessera("dbt", "impact", "--help")
    for command in ("publish", "dbt", "watch", "serve", "audit"):
        assert f" {command} " in tessera("--help")
    completing = Shell("", tessera.home, _TESSERA_COMPLETE="complete_bash", COMP_WORDS="tessera pub", COMP_CWORD="1")
    assert completing.process().split() == ["publish", "publish-proposal"]


def test_a_command_for_ci_loads_no_server() -> None:
    code = "import sys; from tessera_gql.cli.commands import load_command; load_command('publish'); print(*sys.modules)"
    completed = subprocess.run(
        [Path(TESSERA).with_name("python"), "-c", code], capture_output=True, text=True, check=True
    )
    assert not {"sqlalchemy", "strawberry", "starlette", "uvicorn"} & {
        module.partition(".")[0] for module in completed.stdout.split()
    }
