"""Every command with something missing or wrong prints one line on stderr and its exit code, without a traceback."""

import asyncio
import json
import os
import re
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from tessera_gql.cli.exit_codes import EPILOG, MEANINGS, ExitCode
from tessera_gql.store import migration
from tests.conftest import at
from tests.e2e.server import ROOT, TESSERA, environment, run_tessera, serving
from tests.security.commands import CommandResult, every_command, print_counts, run
from tests.security.foreign_servers import ANSWERS, answering, greeting, tls
from tests.security.rewriting_proxy import rewriting

pytestmark = pytest.mark.long

KEY = "a-key-of-an-administrator-for-tests"
SECRETS_KEY = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="
PASSWORD = "hunter2-hunter2"
MANIFEST = str(ROOT / "tessera_gql/cli/shop_manifest.json")
ASSET = "ns.orders"

REMOTE: dict[str, Sequence[str]] = {
    "login": (),
    "whoami": (),
    "publish": (ASSET, "schema.json"),
    "impact": (ASSET, "schema.json"),
    "export": (ASSET,),
    "dbt sync": (MANIFEST,),
    "dbt plan": (MANIFEST,),
    "dbt impact": (MANIFEST,),
    "hook impact": ("models/orders.sql", "--manifest", MANIFEST),
    "register": (ASSET, "--team", "a"),
    "unregister": (ASSET, "--team", "a"),
    "deprecate": (ASSET, "--end"),
    "inbox": (),
    "ack": (ASSET, "APPROVED"),
    "debts": (),
    "lineage": (ASSET,),
    "contract diff": (ASSET,),
    "search": ("orders",),
    "acknowledge-debt": ("RGVidDo=",),
    "proposals": (),
    "proposal": (ASSET,),
    "comment": (ASSET, "why?"),
    "publish-proposal": (ASSET,),
    "extend-proposal": (ASSET, "--until", "2031-01-01"),
    "policy list": (),
    "policy set": ("low", "--due", "20"),
    "asset blame": (ASSET,),
    "asset label": (ASSET, "pii"),
    "team show": ("a",),
    "team update": ("a", "--rename", "b"),
    "withdraw": (ASSET,),
    "retire": (ASSET, "--reason", "unused"),
    "change-set list": (),
    "change-set show": ("shop#1",),
    "change-set publish": ("shop#1",),
    "change-set withdraw": ("shop#1",),
    "project create": ("warehouse", "--owner", "a"),
    "project list": (),
    "project show": ("warehouse",),
    "project update": ("warehouse", "--owner", "a"),
    "audit status": (),
    "usage create-source": ("snowflake",),
    "usage sources": (),
    "usage import": ("schema.json", "--source", "snowflake"),
    "usage principals": (),
    "usage map": ("svc_*", "--team", "a"),
    "usage unmap": ("svc_*",),
    "usage rules": (),
    "usage coverage": (ASSET,),
    "usage unused": (ASSET, "--since", "2026-01-01"),
    "usage register": ("bob", "--team", "a"),
    "usage narrow": (),
    "webhook create": ("https://example.com/hook",),
    "webhook update": ("V2ViaG9vazo=", "--pause"),
    "webhook list": (),
    "webhook test": ("V2ViaG9vazo=",),
    "webhook deliveries": ("V2ViaG9vazo=",),
    "webhook redeliver": ("V2ViaG9vazo=",),
    "webhook delete": ("V2ViaG9vazo=",),
    "watch": (),
    "team create": ("a",),
    "team list": (),
    "team archive": ("a",),
    "team unarchive": ("a",),
    "asset create": (ASSET,),
    "asset list": (),
    "asset show": (ASSET,),
    "asset rename": (ASSET, "a.b"),
    "asset tier": (ASSET, "HIGH"),
    "asset archive": (ASSET,),
    "asset unarchive": (ASSET,),
}
"""Commands that ask a server."""
DATABASE: dict[str, Sequence[str]] = {
    "db upgrade": (),
    "db downgrade": ("0003",),
    "db current": (),
    "db reindex": (),
    "db backup": ("copy.db",),
    "db restore": ("missing.db",),
    "db rotate-secrets": (),
    "keys create": ("ci",),
    "keys list": (),
    "keys revoke": ("tsr_abcdefgh",),
    "git push": ("--folder", "contracts"),
    "git pull": ("--folder", "contracts"),
    "audit verify": (),
    "audit export": (),
    "audit archive": ("--before", "2001-01-01", "--to", "."),
}
"""Commands that open the database themselves."""
SERVERS = {"serve", "worker", "mcp"}
GITHUB = {"github comment", "github refresh", "github status"}
"""Commands that ask GitHub; see tests/e2e/test_github.py."""
LOCAL: dict[str, Sequence[str]] = {
    "diff": ("schema.json", "schema.json"),
    "hook diff": ("schema.json",),
    "logout": (),
    "config": (),
    "schema": (),
}
"""Commands that need neither."""


def test_every_command_of_the_program_is_in_one_list() -> None:
    assert {" ".join(arguments) for arguments in every_command()} == {*REMOTE, *DATABASE, *SERVERS, *GITHUB, *LOCAL}


@contextmanager
def unchanged_folder(folder: Path) -> Iterator[None]:
    """Change to a folder with a schema in it, and assert that no file in it changes."""
    folder.mkdir(exist_ok=True)
    (folder / "schema.json").write_text(json.dumps({"type": "object", "properties": {"a": {"type": "string"}}}))
    (folder / "contracts").mkdir(exist_ok=True)
    subprocess.run(["git", "init", "--quiet", str(folder)], check=True)
    before = _content(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        yield
    assert _content(folder) == before


def _content(folder: Path) -> dict[str, bytes | None]:
    """The files and their content, except the lock of a server's database."""
    entries = (item for item in folder.rglob("*") if item.suffix != ".lock")
    return {str(entry): entry.read_bytes() if entry.is_file() else None for entry in entries}


def check(result: CommandResult, codes: set[int], message: str) -> None:
    assert result.code in codes, result
    assert len(result.stderr.splitlines()) == 1, result
    assert result.arguments[:2] == ("db", "backup") or not result.stdout or result.arguments[:2] == ("db", "restore"), (
        result
    )
    assert re.search(message, result.stderr), result
    for never in ("Traceback", "defect", PASSWORD, "sqlalche.me"):
        assert never not in result.printed, result


# Commands that ask a server ------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def addresses(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, tuple[str, set[int], str]]]:
    """For each circumstance: the address, the possible exit codes, and a pattern of the expected message."""
    folder = tmp_path_factory.mktemp("addresses")
    refused, away = {ExitCode.REFUSED}, {ExitCode.UNAVAILABLE}
    with ExitStack() as stack, socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
        plain = stack.enter_context(answering(ANSWERS["a web page"]))
        encrypted = stack.enter_context(answering(ANSWERS["a web page"], tls(folder)))
        mail = stack.enter_context(greeting(b"220 mail.example ESMTP\r\n"))
        entries = {
            "no server": (
                f"http://127.0.0.1:{port}",
                away,
                f"http://127.0.0.1:{port} can't be reached: there is no server",
            ),
            "http for https": (f"http://127.0.0.1:{encrypted}", away, "is it https:// rather than http://"),
            "https for http": (f"https://127.0.0.1:{plain}", away, "is it http:// rather than https://"),
            "untrusted": (f"https://127.0.0.1:{encrypted}", away, "certificate is not trusted"),
            "no HTTP": (f"http://127.0.0.1:{mail}", away, "can't be reached"),
            "no URL": ("localhost:8000", refused, "is not the address of a server"),
            "half a URL": ("http://[::1", refused, "is not the address of a server"),
            "a port too high": ("http://127.0.0.1:99999", refused, "is not the address of a server"),
            "a fragment": ("http://127.0.0.1:8000/#x", refused, "is not the address of a server"),
            "a password": (
                f"http://admin:{PASSWORD}@127.0.0.1:{port}",
                away,
                f"http://127.0.0.1:{port} can't be reached",
            ),
        }
        for name, answer in ANSWERS.items():
            url = f"http://127.0.0.1:{stack.enter_context(answering(answer))}"
            codes = (
                away if name in {"a gateway", "a server's fault"} else refused | away if "stream" in name else refused
            )
            entries[name] = (url, codes, "It failed. Its log has more under r-1" if "fault" in name else re.escape(url))
        yield entries


def test_each_command_reports_what_is_wrong_with_the_server(
    addresses: dict[str, tuple[str, set[int], str]], tmp_path: Path
) -> None:
    cells: Counter[tuple[str, str]] = Counter()
    with unchanged_folder(tmp_path / "empty"):
        for circumstance, (url, codes, message) in addresses.items():
            for name, arguments in REMOTE.items():
                result = run(tmp_path / "home", [*name.split(), *arguments], TESSERA_URL=url)
                check(result, codes, message)
                cells[name, circumstance] += 1
        for name, arguments in LOCAL.items():
            result = run(tmp_path / "home", [*name.split(), *arguments], TESSERA_URL="nowhere")
            assert result.code == 0, result
            cells[name, "nowhere"] += 1
    print_counts("No server, or another one", cells)


def test_each_command_reports_a_wrong_key_and_a_malformed_stream(tmp_path: Path) -> None:
    cells: Counter[tuple[str, str]] = Counter()
    (tmp_path / "server").mkdir()
    with serving(tmp_path / "server", ADMIN_KEY=KEY) as server, unchanged_folder(tmp_path / "empty"):
        home = tmp_path / "home"
        for key, message in (
            ("wrong-wrong", "key"),
            ("", "key"),
            ("blank in it", "Copy it again"),
            ("clé", "Copy it again"),
        ):
            for name, arguments in REMOTE.items():
                stdin = f"{key}\n" if name == "login" else ""
                expected = "no blanks" if name == "login" and " " in key else message
                variables = {"TESSERA_URL": server.url, "TESSERA_API_KEY": key, "TESSERA_RETRY_SECONDS": "5"}
                result = run(home, [*name.split(), *arguments], stdin=stdin, **variables)
                check(result, {ExitCode.REFUSED}, expected)
                cells[name, key or "no key"] += 1
        port = int(server.url.rpartition(":")[2])
        for marker, replacement in (
            (b'"type":"connection_ack"', b'"tipe":"connection_ack"'),
            (b'{"type":"connection_ack"', b'#"type":"connection_ack"'),
            (b'"type":"next"', b'"tipe":"next"'),
            (b'"payload":{"data"', b'"payload":{"dota"'),
            (b'"payload":{"data"', b'"paylo_d":{"data"'),
            (b'"cursor"', b'"cxrsor"'),
        ):
            with rewriting(port, marker, replacement) as broken:
                url = f"http://127.0.0.1:{broken}"
                watching = ["watch", "-n", "1", "--after", _start(home, server.url)]
                variables = {"TESSERA_URL": url, "TESSERA_API_KEY": KEY, "TESSERA_RETRY_SECONDS": "10"}
                result = run(home, watching, **variables)
            notes = re.compile(r"Watching .*|.*; coming back …")
            lines = [line for line in result.stderr.splitlines() if not notes.fullmatch(line)]
            assert (result.code, result.stdout, len(lines)) == (ExitCode.REFUSED, "", 1), result
            assert re.search("not as a Tessera server of this version does|not what this client knows", lines[0])
            cells["watch", "stream"] += 1
    print_counts("Wrong key, broken stream", cells)


def test_a_request_that_can_not_be_sent_is_reported(tmp_path: Path) -> None:
    schema = tmp_path / "nan.json"
    schema.write_text('{"minimum": NaN}')
    result = run(tmp_path / "home", ["publish", ASSET, schema], TESSERA_URL="http://127.0.0.1:9")
    check(result, {ExitCode.REFUSED}, "can't be sent: Out of range float")
    for proxy in (f"nonsense://u:{PASSWORD}@127.0.0.1:9", f"socks5://u:{PASSWORD}@127.0.0.1:9"):
        for name in ("watch", "team list", "login"):
            result = run(tmp_path / "home", name.split(), TESSERA_URL="http://127.0.0.1:9", ALL_PROXY=proxy)
            check(result, {ExitCode.REFUSED}, "can't be sent: ")


def _start(home: Path, url: str) -> str:
    """A cursor with events after it."""
    import httpx  # noqa: PLC0415 - only here

    document = "{ eventCursor }"
    headers = {"Authorization": f"Bearer {KEY}"}
    answer = httpx.post(f"{url}/graphql", json={"query": document}, headers=headers, timeout=30)
    run(home, ["team", "create", f"t-{os.urandom(4).hex()}"], TESSERA_URL=url, TESSERA_API_KEY=KEY)
    return str(answer.json()["data"]["eventCursor"])


# Commands that open the database -------------------------------------------------------------------------------------

CREATES = {
    ("db upgrade", "no file"),
    ("db upgrade", "no folder"),
    ("db upgrade", "empty file"),
    ("db upgrade", "old"),
    ("db upgrade", "PG empty"),
}
"""Here this is what the command is for."""
ANSWERED = {
    ("db current", "empty file"): 1,
    ("db current", "old"): 1,
    ("db current", "PG empty"): 1,
    ("db current", "newer"): 1,
    ("db downgrade", "old"): 0,
    ("db backup", "old"): 0,
}
"""Here nothing is wrong for the command: it answers."""


@contextmanager
def _databases(folder: Path, sqlite_template: Path, postgres_url: str) -> Iterator[dict[str, tuple[str, str]]]:
    """For each circumstance: the URL of the database, and a pattern of the expected message."""
    files = folder / "files"
    files.mkdir()
    (files / "empty.db").touch()
    (files / "garbage.db").write_bytes(b"this is no database" * 500)
    (files / "folder.db").mkdir()
    asyncio.run(migration.upgrade(f"sqlite:///{files}/old.db", "0003"))
    (files / "newer.db").write_bytes(sqlite_template.read_bytes())
    _mark_as_newer(files / "newer.db")
    with ExitStack() as stack, socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        closed = listener.getsockname()[1]
        web = stack.enter_context(greeting(b"HTTP/1.1 400 Bad Request\r\n\r\n"))
        user = f"postgresql://tessera:{PASSWORD}"
        yield {
            "no file": ("sqlite:///tessera.db", "database tessera.db( does not exist|. Check)"),
            "no folder": ("sqlite:///no/such/tessera.db", "does not exist|can't be|no/such"),
            "empty file": (f"sqlite:///{files}/empty.db", "revision none"),
            "garbage": (f"sqlite:///{files}/garbage.db", "not an? (SQLite )?database|is damaged|failed"),
            "folder": (f"sqlite:///{files}/folder.db", "folder.db"),
            "old": (f"sqlite:///{files}/old.db", "revision 0003"),
            "newer": (f"sqlite:///{files}/newer.db", "does not know"),
            "dialect": (
                f"mysql://tessera:{PASSWORD}@127.0.0.1/x",
                "'mysql'; Tessera GQL speaks to sqlite and postgresql",
            ),
            "no URL": ("tessera.db", "DATABASE_URL is not a URL"),
            "no name": (f"{user}@127.0.0.1:{closed}/", "names none"),
            "option": (f"{user}@127.0.0.1:{closed}/x?foo=bar", "asks for foo"),
            "PG port": (f"{user}@127.0.0.1:{closed}/x", f"database x at 127.0.0.1:{closed} can't be reached"),
            "PG host": (f"{user}@no-such-host.example/x", "database x at no-such-host.example:5432 can't be reached"),
            "PG label": (f"{user}@{'a' * 70}.example/x", "database x at aaa.*can't be used"),
            "PG other": (f"{user}@127.0.0.1:{web}/x", f"database x at 127.0.0.1:{web}"),
            "PG name": (at(postgres_url, "no_such_database"), "database no_such_database at .* does not exist"),
            "PG user": (postgres_url.replace("postgres:@", "nobody:@"), "database postgres at .* refuses the user"),
            "PG empty": (postgres_url, "revision none"),
        }


def _mark_as_newer(file: Path) -> None:
    import sqlite3  # noqa: PLC0415 - only here

    connection = sqlite3.connect(file)
    connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.commit()
    connection.close()


def test_each_command_reports_what_is_wrong_with_the_database(
    tmp_path: Path, sqlite_template: Path, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked_up = socket.getaddrinfo

    def look_up(host: Any, *rest: Any, **more: Any) -> Any:
        if host == "no-such-host.example":
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return looked_up(host, *rest, **more)

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    cells: Counter[tuple[str, str]] = Counter()
    with _databases(tmp_path, sqlite_template, postgres_url) as circumstances:
        for number, (circumstance, (url, message)) in enumerate(circumstances.items()):
            with unchanged_folder(tmp_path / f"empty-{number}"):
                for name, arguments in DATABASE.items():
                    if (name, circumstance) in CREATES:
                        continue
                    result = run(
                        tmp_path / "home",
                        [*name.split(), *arguments],
                        DATABASE_URL=url,
                        DATABASE_CONNECT_SECONDS="2",
                        DATABASE_WAIT_SECONDS="0",
                        SECRETS_KEY=SECRETS_KEY,
                    )
                    cells[name, circumstance] += 1
                    if (code := ANSWERED.get((name, circumstance))) is not None:
                        assert (result.code, result.stderr) == (code, ""), result
                        (tmp_path / f"empty-{number}" / "copy.db").unlink(missing_ok=True)
                        continue
                    expected = "missing.db|" + message if name == "db restore" else message
                    expected = f"by its own tools|{expected}" if name in {"db restore", "db backup"} else expected
                    check(result, {ExitCode.REFUSED, ExitCode.UNAVAILABLE}, expected)
                for name, arguments in REMOTE.items():
                    result = run(
                        tmp_path / "home", [*name.split(), *arguments], TESSERA_URL="nowhere", DATABASE_URL=url
                    )
                    check(result, {ExitCode.REFUSED}, "is not the address of a server")
                    cells[name, circumstance] += 1
    print_counts("Databases", cells)


@pytest.mark.parametrize(
    ("arguments", "settings", "code"),
    [
        (("serve",), {"DATABASE_URL": "sqlite:///garbage.db"}, ExitCode.UNAVAILABLE),
        (("serve",), {"DATABASE_URL": f"postgresql://tessera:{PASSWORD}@127.0.0.1:9/x"}, ExitCode.UNAVAILABLE),
        (("worker",), {"DATABASE_URL": f"mysql://tessera:{PASSWORD}@127.0.0.1/x"}, ExitCode.REFUSED),
        (("worker",), {"DATABASE_URL": f"postgresql://tessera:{PASSWORD}@127.0.0.1:9/x"}, ExitCode.UNAVAILABLE),
        (("audit", "verify"), {}, ExitCode.REFUSED),
        (("team", "list"), {"TESSERA_URL": "http://127.0.0.1:9"}, ExitCode.UNAVAILABLE),
        (("ack",), {}, ExitCode.REFUSED),
        (("no-such-command\x1b[2J",), {}, ExitCode.REFUSED),
    ],
)
def test_an_error_of_the_program_itself_is_one_line(
    tmp_path: Path, arguments: tuple[str, ...], settings: dict[str, str], code: int
) -> None:
    (tmp_path / "garbage.db").write_bytes(b"this is no database" * 500)
    before = _content(tmp_path)
    result = run_tessera(
        *arguments, cwd=tmp_path, API_PORT="0", DATABASE_WAIT_SECONDS="0", HOME=str(tmp_path / "home"), **settings
    )
    check(CommandResult(arguments, result.returncode, result.stdout, result.stderr), {code}, ".")
    assert "\x1b" not in result.stderr
    assert _content(tmp_path) == before


def test_a_defect_is_one_line_and_its_traceback_is_printed_on_request(tmp_path: Path) -> None:
    code = (
        "import sys; from tessera_gql.cli import export, main;"
        "export.connect = lambda: 1 / 0; sys.argv = ['tessera', 'export', 'a.b']; main()"
    )
    command = [sys.executable, "-c", code]
    quiet = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, env=environment())
    assert (quiet.returncode, len(quiet.stderr.splitlines())) == (ExitCode.DEFECT, 1)
    assert "This is a defect of tessera: ZeroDivisionError" in quiet.stderr
    loud = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, check=False, env=environment(TESSERA_TRACEBACK="1")
    )
    assert "Traceback" in loud.stderr
    del tmp_path


def test_the_exit_codes_are_in_the_help_of_every_command_and_in_the_docs(tmp_path: Path) -> None:
    for arguments, command in every_command().items():
        assert command.epilog == EPILOG, arguments
    text = " ".join(re.sub(r"[│╭╰─╮╯]", " ", run(tmp_path, ["audit", "verify", "--help"]).stdout).split())
    page = (ROOT / "docs/cli.md").read_text()
    for code, meaning in MEANINGS.items():
        assert f"{code.value} {meaning}" in text
        assert f"| {code.value} | {meaning} |" in page


def test_text_outside_the_locale_is_printed_with_escapes(tmp_path: Path) -> None:
    (tmp_path / "old.json").write_text(json.dumps({"type": "object", "properties": {"é→\ud800": {"type": "string"}}}))
    (tmp_path / "new.json").write_text(json.dumps({"type": "object", "properties": {}}))
    result = subprocess.run(
        [TESSERA, "diff", "old.json", "new.json"],
        cwd=tmp_path,
        env=environment(PYTHONIOENCODING="ascii", LC_ALL="C"),
        capture_output=True,
        check=False,
        timeout=60,
    )
    assert (result.returncode, result.stderr) == (1, b"")
    assert "é→\\ud800" in result.stdout.decode()
