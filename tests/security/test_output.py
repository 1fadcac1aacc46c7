"""Hostile names never become code in a command's output: terminal, shell, CI runner, Markdown, XML or chat."""

import json
import os
import pty
import re
import subprocess
import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from markdown_it import MarkdownIt

from tessera_gql.escaping import (
    build_tessera_command,
    escape_markdown,
    escape_markdown_note,
    escape_slack,
    escape_terminal,
    shell_quote,
)
from tests.e2e.server import TESSERA
from tests.security.commands import CommandResult, every_command, print_counts, run
from tests.security.hostile_data import ASSET, CUSTOMERS, HOSTILE, MARKER, OWNER, Place, hostile_place

pytestmark = pytest.mark.long

FORMATS = {"mermaid", "svg", "json", "markdown", "github", "junit", "odcs", "json-schema", "source"}
ODD_FILE = "x'; touch pwned #\x1b[2J\n::error::x.db"

STEPS: dict[tuple[str, ...], tuple[str, Sequence[str], set[int]]] = {
    ("team", "create"): ("", (MARKER,), {2}),
    ("team", "list"): ("", (), {0}),
    ("team", "show"): ("", (MARKER,), {0}),
    ("team", "update"): ("", (MARKER, "--escalation", OWNER), {0}),
    ("policy", "list"): ("", (), {0}),
    ("policy", "set"): ("", ("low", "--due", "20"), {0}),
    ("extend-proposal",): ("proposal", (ASSET, "--until", "2001-01-01"), {2}),
    ("team", "archive"): ("", (MARKER,), {2}),
    ("team", "unarchive"): ("", (MARKER,), {0}),
    ("asset", "create"): ("", (ASSET, "--owner", OWNER), {2}),
    ("asset", "list"): ("", (), {0}),
    ("asset", "show"): ("reader", (ASSET,), {0}),
    ("asset", "rename"): ("reader", (ASSET, HOSTILE), {2}),
    ("asset", "tier"): ("reader", (ASSET, "HIGH"), {0}),
    ("asset", "blame"): ("reader", (ASSET,), {0}),
    ("asset", "label"): ("reader", (ASSET, MARKER), {0, 2}),
    ("asset", "archive"): ("reader", (ASSET,), {2}),
    ("asset", "unarchive"): ("reader", (ASSET,), {0}),
    ("register",): ("reader", (ASSET, "-t", MARKER, "-f", MARKER), {0, 2}),
    ("unregister",): ("reader", (ASSET, "-t", MARKER), {0}),
    ("deprecate",): ("reader", (ASSET, "--sunset", "2099-01-01", "--replacement", MARKER), {2}),
    ("whoami",): ("", (), {0}),
    ("impact",): ("peace", (ASSET, "narrow.json"), {1}),
    ("publish",): ("peace", (ASSET, "narrow.json", "-t", OWNER, "--reason", MARKER), {3}),
    ("proposals",): ("proposal", (), {0}),
    ("proposal",): ("proposal", (ASSET,), {0}),
    ("comment",): ("proposal", (ASSET, MARKER, "-t", MARKER), {0}),
    ("inbox",): ("proposal", ("-t", MARKER), {0}),
    ("lineage",): ("reader", (ASSET,), {0}),
    ("contract", "diff"): ("reader", (ASSET,), {0, 1, 2}),
    ("search",): ("reader", (MARKER,), {0}),
    ("debts",): ("peace", ("-t", MARKER), {0}),
    ("acknowledge-debt",): ("", (HOSTILE,), {2}),
    ("ack",): ("proposal", (ASSET, "BLOCKED", "-t", MARKER, "--notes", MARKER), {0}),
    ("publish-proposal",): ("proposal", (ASSET,), {2}),
    ("withdraw",): ("proposal", (ASSET,), {0}),
    ("retire",): ("proposal", (ASSET, "--reason", MARKER, "-t", OWNER), {2}),
    ("change-set", "list"): ("proposal", (), {0}),
    ("change-set", "show"): ("proposal", (MARKER,), {0}),
    ("change-set", "publish"): ("proposal", (MARKER,), {2}),
    ("change-set", "withdraw"): ("proposal", (MARKER,), {0}),
    ("project", "create"): ("", (MARKER, "--owner", OWNER), {0, 2}),
    ("project", "list"): ("", (), {0}),
    ("project", "show"): ("", (MARKER,), {0}),
    ("project", "update"): ("", (MARKER, "--owner", OWNER), {0}),
    ("usage", "create-source"): ("", (MARKER,), {0, 2}),
    ("usage", "sources"): ("", (), {0}),
    ("usage", "import"): ("", (ODD_FILE, "--source", MARKER), {2}),
    ("usage", "principals"): ("", (), {0}),
    ("usage", "map"): ("", (MARKER, "--team", OWNER), {0}),
    ("usage", "rules"): ("", (), {0}),
    ("usage", "coverage"): ("", (ASSET,), {0, 2}),
    ("usage", "unused"): ("", (ASSET, "--since", "2026-01-01"), {1, 2}),
    ("usage", "register"): ("", (MARKER, "--team", OWNER), {2}),
    ("usage", "narrow"): ("", ("--team", OWNER), {0}),
    ("usage", "unmap"): ("", (MARKER,), {0, 2}),
    ("github", "comment"): ("", ("old.json", "--pull-request", "1"), {2}),
    ("github", "refresh"): ("", (), {2}),
    ("github", "status"): ("", ("0", "--commit", HOSTILE), {2}),
    ("webhook", "create"): ("", (HOSTILE, "-t", OWNER), {2}),
    ("webhook", "update"): ("", (HOSTILE, "--url", HOSTILE), {2}),
    ("webhook", "list"): ("", (), {0}),
    ("webhook", "test"): ("", (HOSTILE,), {2}),
    ("webhook", "deliveries"): ("", (HOSTILE,), {2}),
    ("webhook", "redeliver"): ("", (HOSTILE,), {2}),
    ("webhook", "delete"): ("", (HOSTILE,), {2}),
    ("watch",): ("proposal", ("-n", "5", "--after", "START"), {0}),
    ("export",): ("", (ASSET,), {0, 2}),
    ("dbt", "plan"): ("manifest", ("less.json",), {0}),
    ("dbt", "sync"): ("manifest", ("less.json", "--supersede"), {3}),
    ("dbt", "impact"): ("manifest", ("less.json",), {1, 3}),
    ("hook", "impact"): ("manifest", (MARKER, "--manifest", "less.json"), {0, 1, 3}),
    ("hook", "diff"): ("", ("old.json",), {0, 1, 2}),
    ("diff",): ("", ("old.json", "new.json"), {1}),
    ("login",): ("", (), {0}),
    ("logout",): ("", (), {0}),
    ("config",): ("", (), {0}),
    ("schema",): ("", (), {0}),
    ("keys", "create"): ("", (HOSTILE, "--team", HOSTILE), {2}),
    ("keys", "list"): ("", (), {0}),
    ("keys", "revoke"): ("", (HOSTILE,), {2}),
    ("git", "push"): ("", ("--folder", "contracts"), {0, 2}),
    ("git", "pull"): ("", ("--folder", "contracts"), {0, 2}),
    ("audit", "status"): ("", (), {0, 1}),
    ("audit", "verify"): ("", (), {1}),
    ("audit", "export"): ("", (), {0}),
    ("audit", "archive"): ("", ("--before", "2001-01-01", "--to", ODD_FILE), {2}),
    ("db", "current"): ("", (), {0}),
    ("db", "reindex"): ("", (), {0}),
    ("db", "upgrade"): ("", (HOSTILE,), {2}),
    ("db", "downgrade"): ("", (HOSTILE,), {2}),
    ("db", "backup"): ("", (ODD_FILE, "--force"), {1}),
    ("db", "rotate-secrets"): ("", (), {2}),
    ("db", "restore"): ("", (ODD_FILE,), {2}),
}
"""For each command: what it needs to be there, its arguments, and how it may end."""
DOCUMENTS = {("export", form) for form in ("text", "terminal", "odcs", "source")}
"""In a pipe these are the document itself, byte for byte, as it goes into a file."""
SILENT = {("serve",), ("worker",), ("mcp",)}
"""They print no text of others; what they log is tested below, and what `mcp` sends in tests/agents."""


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with hostile_place(tmp_path_factory.mktemp("hostile")) as place:
        yield place


def forms(command: Any) -> dict[str, Sequence[str]]:
    """Each output format of a command, with its options."""
    options = {name: parameter for parameter in command.params for name in parameter.opts}
    choices = getattr(getattr(options.get("--format"), "type_descriptor", None), "choices", None) or ()
    formats: dict[str, Sequence[str]] = {"text": (), "terminal": ()}
    if "--json" in options:
        formats["--json"] = ("--json",)
    values = {str(getattr(choice, "value", choice)) for choice in choices}
    return formats | {value: ("--format", value) for value in sorted(values & FORMATS)}


@pytest.fixture(scope="module")
def outputs(hostile: Place) -> dict[tuple[str, str], CommandResult]:
    """Every command in every form, run once."""
    commands = every_command()
    assert STEPS.keys() | SILENT == commands.keys(), "a command has no step here"
    ran: dict[tuple[str, str], CommandResult] = {}
    for command, (need, arguments, codes) in STEPS.items():
        for form, options in forms(commands[command]).items():
            if need:
                hostile.prepare(need)
            result = _run(hostile, (*command, *arguments, *options), form)
            assert result.code in codes, result
            ran[" ".join(command), form] = result
    print_counts("Hostile names", Counter(ran.keys()))
    return ran


def _run(hostile: Place, command: Sequence[str], form: str) -> CommandResult:
    terminal = {"FORCE_COLOR": "1"} if form == "terminal" else {}
    arguments = [hostile.first_cursor() if argument == "START" else argument for argument in command]
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(hostile.folder)
        return run(
            hostile.folder, arguments, TESSERA_URL=hostile.hostile_url, DATABASE_URL=hostile.database, **terminal
        )


def test_no_output_steers_a_terminal_or_hides_text(outputs: dict[tuple[str, str], CommandResult]) -> None:
    for command, ran in outputs.items():
        printed = ran.stderr if command in DOCUMENTS else ran.printed
        steering = {char for char in printed if char not in "\n\t" and unicodedata.category(char) in {"Cc", "Cf"}}
        assert not steering, (ran.arguments, steering)


def test_no_line_of_any_output_is_a_command_of_a_ci_runner(outputs: dict[tuple[str, str], CommandResult]) -> None:
    for (name, form), ran in outputs.items():
        if (name, form) in DOCUMENTS:
            continue
        ours = r"::(error|warning|notice) [^:]*::" if form == "github" else r"(?!)"
        for line in ran.printed.splitlines():
            if not re.match(ours, line):
                assert not line.strip().startswith("::"), ran.arguments
                assert not re.search(r"##(\[|vso)", line), ran.arguments
    assert outputs["dbt impact", "github"].stdout.count("::error") >= 1


def test_json_holds_names_unchanged(outputs: dict[tuple[str, str], CommandResult]) -> None:
    exact = 0
    for (name, form), ran in outputs.items():
        if name in {"audit export", "watch"} and form != "terminal":
            lines = [json.loads(line) for line in ran.stdout.splitlines() if line.startswith("{")]
            exact += any(map(_holds, lines))
        elif form in {"--json", "json", "json-schema"} and ran.stdout:
            exact += _holds(json.loads(ran.stdout))
    assert exact >= 12


def _holds(value: Any) -> bool:
    match value:
        case str():
            return HOSTILE in value
        case dict():
            return any(_holds(part) for pair in value.items() for part in pair)
        case list():
            return any(map(_holds, value))
        case _:
            return False


COMMAND = re.compile(
    r"(tessera (?:ack|proposals|publish-proposal) .*?)"
    r"(?: \((?:or MIGRATING, BLOCKED|until [^()]*|it blocks|it migrates)\)|` lists those that ended\.)?$"
)


def test_each_command_that_is_printed_runs_as_one_command_in_every_shell(
    hostile: Place, outputs: dict[tuple[str, str], CommandResult], tmp_path: Path
) -> None:
    hostile.prepare("peace")
    results = [result for (_, form), result in outputs.items() if form in {"text", "markdown"}]
    results.append(_run(hostile, ["proposal", ASSET], "text"))
    results.append(
        _run(hostile, ["watch", "--kind", "ACKNOWLEDGMENT_REQUESTED", "-n", "1", "--after", "START"], "text")
    )
    lines = [line for result in results for line in result.printed.splitlines()]
    printed = {match[1] for line in lines if (match := COMMAND.search(line))}
    assert len(printed) >= 4
    for command in printed:
        for shell in ("bash", "sh"):
            pasted = _pasted(shell, command, tmp_path)
            if shell == "bash" and "--team" in pasted:
                assert pasted[pasted.index("--team") + 1] == HOSTILE
            if shell == "bash" and pasted[0] == "ack":
                assert pasted[1] in {f"ns.{HOSTILE}", ASSET, CUSTOMERS, "APPROVED"}
    assert list(tmp_path.iterdir()) == []


def _pasted(shell: str, command: str, folder: Path) -> list[str]:
    script = f"tessera() {{ printf '%s\\0' \"$@\"; }}\n{command}\n"
    ran = subprocess.run([shell, "-c", script], cwd=folder, capture_output=True, check=True, timeout=10)
    return ran.stdout.decode("utf-8", "surrogateescape").split("\0")


def test_the_commands_for_a_postgresql_quote_the_name_of_the_file(tmp_path: Path) -> None:
    for action in ("backup", "restore"):
        ran = run(tmp_path, ["db", action, ODD_FILE], DATABASE_URL="postgresql://u:secret@127.0.0.1:9/x")
        assert (ran.code, len(ran.stderr.splitlines()), "secret" in ran.printed) == (2, 1, False)
        for line in ran.stdout.splitlines():
            script = f"pg_dump() {{ :; }}; pg_restore() {{ :; }}; tessera() {{ :; }}\n{line}"
            subprocess.run(["bash", "-c", script], cwd=tmp_path, check=True, timeout=10)
    assert [item.name for item in tmp_path.iterdir() if item.name == "pwned"] == []


@pytest.mark.parametrize("command", [("dbt impact", "markdown"), ("diff", "markdown")])
def test_a_pull_request_comment_holds_no_markup_from_names(
    outputs: dict[tuple[str, str], CommandResult], command: tuple[str, str]
) -> None:
    page = MarkdownIt("commonmark", {"html": True}).enable("table").render(outputs[command].stdout)
    assert "touch pwned" in page
    bare = re.sub(r"<code.*?</code>", "", page, flags=re.DOTALL)
    for sign in ("@", "<img", "<a ", "http", "$(", "error", "#1", "[red]", "<h1", "channel"):
        assert sign not in bare, (sign, bare)
    rows = re.findall(r"<tr>(.*?)</tr>", page, re.DOTALL)
    assert len({len(re.findall("<t[dh]>", row)) for row in rows}) == 1


def test_ordinary_names_stay_readable_in_a_comment() -> None:
    assert escape_markdown("order_id was removed.") == "`order_id` was removed."
    assert escape_markdown_note("Run `dbt docs generate`. It helps") == "Run `dbt docs generate`. It helps"
    assert escape_markdown("Coupons move to marts.coupons, ask Zoë!") == "Coupons move to `marts.coupons`, ask Zoë!"
    assert (
        build_tessera_command("ack", "a.b", "APPROVED", team="Data Platform")
        == "tessera ack a.b APPROVED --team 'Data Platform'"
    )


def test_a_junit_report_is_xml(outputs: dict[tuple[str, str], CommandResult]) -> None:
    suite = ET.fromstring(outputs["dbt impact", "junit"].stdout)
    assert "touch pwned" in "".join(suite.itertext())


def test_prose_in_a_chat_mentions_nobody_and_links_nowhere() -> None:
    text = escape_slack(HOSTILE)
    assert not re.search("[<>]", text)
    bare = re.sub(r"`[^`]*`", "", text)
    for sign in ("`", "@", "http", "channel", "$(", "&", "|"):
        assert sign not in bare
    assert escape_slack("Coupons move.") == "Coupons move."


def test_every_character_is_escaped_to_one_harmless_line_in_every_format(tmp_path: Path) -> None:
    """Each character alone, doubled, within a word and between words."""
    odd = [
        chr(code)
        for code in (*range(0x300), *range(0x2000, 0x2100))
        if not chr(code).isalnum() and not 0xD800 <= code <= 0xDFFF
    ]
    odd += [chr(code) for code in (0xD800, 0xDFFF, 0xFEFF, 0xFFFE, 0xFFFF, 0xE0001, 0xE007F, 0x1F600)]
    for char in odd:
        for text in (char, f"a{char}b", f"{char}{char}", f"a {char} b"):
            line = escape_terminal(text)
            assert not {item for item in line if unicodedata.category(item) in {"Cc", "Cs", "Zl", "Zp"}}
            assert json.loads(f'"{line}"' if char not in '"\\' else json.dumps(text)) == text
            for prose in (escape_markdown(text), escape_markdown_note(f"{text}`{text}`{text}")):
                page = MarkdownIt("commonmark", {"html": True}).enable("table").render(prose or "x")
                assert set(re.findall(r"<(\w+)", page)) <= {"p", "code"}, (text, page)
    script = "".join(
        f"tessera {shell_quote(char)}\n" for char in odd if char != "\0" and not 0xD800 <= ord(char) <= 0xDFFF
    )
    pasted = _pasted("bash", script.removesuffix("\n"), tmp_path)
    assert pasted[:-1] == [char for char in odd if char != "\0" and not 0xD800 <= ord(char) <= 0xDFFF]


def test_a_log_line_stays_one_line_whatever_the_name_of_a_client() -> None:
    code = (
        "import logging; from tessera_gql.telemetry import logs;"
        "logs.configure(level='info', is_json=False, secrets=[]);"
        f"logging.getLogger('x').warning('%s', {HOSTILE!r})"
    )
    ran = subprocess.run(
        [Path(TESSERA).with_name("python"), "-c", code],
        capture_output=True,
        check=True,
        timeout=60,
        env={"NO_COLOR": "1", "PATH": "/usr/bin:/bin"},
        cwd=Path(__file__).parents[2],
    )
    text = ran.stderr.decode()
    assert len(text.splitlines()) == 1
    assert not {char for char in text if unicodedata.category(char) in {"Cc", "Cf"} and char != "\n"}


def test_a_document_on_a_terminal_does_not_steer_it() -> None:
    """In a pipe the document is exact; on a pseudo-terminal it is escaped."""
    code = f"from tessera_gql.cli.terminal import print_document; print_document({HOSTILE!r})"
    own_end, other_end = pty.openpty()
    command = [Path(TESSERA).with_name("python"), "-c", code]
    subprocess.run(command, stdout=other_end, check=True, timeout=60, cwd=Path(__file__).parents[2])
    os.close(other_end)
    screen = os.read(own_end, 65536).decode()
    os.close(own_end)
    assert "touch pwned" in screen
    assert not {char for char in screen if unicodedata.category(char) in {"Cc", "Cf"} and char not in "\r\n"}
    piped = subprocess.run(command, capture_output=True, check=True, timeout=60, cwd=Path(__file__).parents[2])
    assert piped.stdout.decode() == HOSTILE + "\n"
