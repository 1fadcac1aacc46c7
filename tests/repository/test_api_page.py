"""The page about the API describes every error code, and each example has its documented reply of a live server."""

import ast
import json
import re
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from graphql import OperationType, build_schema, get_operation_ast, parse, validate

from tests.e2e.server import ROOT, Running, environment, serving

PAGE = (ROOT / "docs/api.md").read_text()
SDL = (ROOT / "schema.graphql").read_text()
SCHEMA = build_schema(SDL)
PACKAGE = ROOT / "tessera_gql"
RAISING = ("auth", "graphql", "server")
"""The packages whose codes reach callers of the API, as those of `errors.py` do."""
SECTION = re.compile(r"^#### (?P<code>[A-Z_]+)\n(?P<text>.*?)(?=^#{2,4} )", re.MULTILINE | re.DOTALL)
BLOCK = re.compile(r'^```(?P<language>\w+)(?: title="(?P<title>[^"]+)")?\n(?P<body>.*?)^```$', re.MULTILINE | re.DOTALL)
SETTING = re.compile(r"\b([A-Z_]{4,})=(\S+?)(?=[,\s]|$)")
KEY = "an-administrators-key-for-the-page"
CODES = [section["code"] for section in SECTION.finditer(PAGE)]
CREATE_KEY = "mutation($i: CreateApiKeyInput!) { createApiKey(input: $i) { token errors { message } } }"
CREATE_TEAM = "mutation($i: CreateTeamInput!) { createTeam(input: $i) { team { id } errors { message } } }"
CREATE_ASSET = "mutation($i: CreateAssetInput!) { createAsset(input: $i) { asset { id } errors { message } } }"
UPDATE_ASSET = "mutation($i: UpdateAssetInput!) { updateAsset(input: $i) { asset { id } errors { message } } }"
DEPRECATED = re.compile(r'@deprecated\(reason: "([^"]*)"\)')


def codes_of(source: str) -> Iterator[str]:
    """The error codes in a module: of `code = …`, `"code": …`, `_with_code(…)` and of the table by HTTP status."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Assign(targets=[ast.Name(id="code")], value=ast.Constant(value=str(code))):
                yield code
            case ast.Assign(targets=[ast.Name(id="CODE_BY_STATUS")], value=ast.Dict(values=values)):
                yield from (value.value for value in values if isinstance(value, ast.Constant))
            case ast.Dict(keys=keys, values=values):
                for key, value in zip(keys, values, strict=True):
                    match key, value:
                        case ast.Constant(value="code"), ast.Constant(value=str(code)):
                            yield code
                        case _:
                            pass
            case ast.Call(func=ast.Name(id="_with_code"), args=[_, ast.Constant(value=str(code))]):
                yield code
            case _:
                pass


def raised_codes() -> set[str]:
    files = [PACKAGE / "errors.py", *(file for part in RAISING for file in (PACKAGE / part).rglob("*.py"))]
    return {code for file in files for code in codes_of(file.read_text())}


def test_every_code_that_the_server_answers_with_is_on_the_page_and_no_other() -> None:
    assert raised_codes() == set(CODES)
    assert len(CODES) == len(set(CODES))


def test_the_codes_of_a_module_are_found_however_they_are_written() -> None:
    source = (
        'class A:\n    code = "A"\nx = {"code": "B", "other": 1}\n_with_code(error, "C")\nCODE_BY_STATUS = {401: "D"}\n'
    )
    assert sorted(codes_of(source)) == ["A", "B", "C", "D"]


def test_the_codes_of_refusals_are_those_of_the_schema() -> None:
    refusals = PAGE.partition("### Refused by a mutation")[2].partition("### Refused before it runs")[0]
    enum = SDL.partition("enum UserErrorCode {")[2].partition("}")[0]
    assert set(re.findall(r"^#### (\w+)", refusals, re.MULTILINE)) == set(
        re.findall(r"^  ([A-Z_]+)$", enum, re.MULTILINE)
    )


def test_every_deprecation_has_a_date_of_removal() -> None:
    assert [
        reason for reason in DEPRECATED.findall(SDL) if not re.search(r"Removal on \d{4}-\d\d-\d\d\.$", reason)
    ] == []


@dataclass
class Shell:
    """A shell with the function of the page, against a running server."""

    server: Running
    folder: Path
    variables: dict[str, str]

    def run_block(self, block: str) -> list[str]:
        """Run the commands of a block, check their output against the page, and return it."""
        outputs: list[str] = []
        for command, *expected in (part.splitlines() for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]):
            if name := re.match(r"export (\w+)=", command):
                if name[1] != "TESSERA_URL" and "tsr_…" not in command:
                    self.variables[name[1]] = self._run(f'{command}; printf %s "${name[1]}"')
                continue
            outputs.append(self._run(command))
            for line in expected:
                assert re.search(to_pattern(line), outputs[-1]), (command, line, outputs[-1])
        return outputs

    def _run(self, command: str) -> str:
        definition = re.search(r"^\$ (graphql\(\) \{.*\})$", PAGE, re.MULTILINE)
        assert definition is not None
        variables = environment(TESSERA_URL=self.server.url, **self.variables)
        completed = subprocess.run(
            ["bash", "-c", f"{definition[1]}\n{command}"],
            cwd=self.folder,
            env=variables,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert completed.returncode == 0, (command, completed.stderr)
        return completed.stdout

    def call(self, document: str, **input_: Any) -> dict[str, Any]:
        body = {"query": document, "variables": {"i": input_}}
        headers = {"Authorization": f"Bearer {KEY}"}
        reply = httpx.post(f"{self.server.url}/graphql", json=body, headers=headers, timeout=60).json()
        assert "errors" not in reply, reply
        (payload,) = reply["data"].values()
        assert payload["errors"] == [], payload
        return dict(payload)


def to_pattern(line: str) -> str:
    """The pattern of a documented line, in which dots stand for any text."""
    return ".*".join(map(re.escape, line.split("…")))


Prepare = Callable[[Shell], None]


def give_read_key(shell: Shell) -> None:
    shell.call(CREATE_TEAM, name="readers")
    created = shell.call(CREATE_KEY, name="reader", team={"name": "readers"}, scopes=["READ"])
    shell.variables["READ_KEY"] = created["token"]


def create_team(shell: Shell) -> None:
    shell.call(CREATE_TEAM, name="shop")


def drop_webhooks(shell: Shell) -> None:
    create_team(shell)
    with sqlite3.connect(shell.folder / "tessera.db", timeout=10) as connection:
        connection.execute("ALTER TABLE webhooks RENAME TO dropped")


def record_large_events(shell: Shell) -> None:
    create_team(shell)
    shell.call(CREATE_ASSET, fqn="analytics.orders", owner={"name": "shop"})
    headers = {"Authorization": f"Bearer {KEY}"}
    body = {"query": "{ eventCursor }"}
    reply = httpx.post(f"{shell.server.url}/graphql", json=body, headers=headers).json()
    shell.variables["START"] = reply["data"]["eventCursor"]
    for number in range(60):
        shell.call(UPDATE_ASSET, asset={"fqn": "analytics.orders"}, metadata={"text": f"{number:05}" + "x" * 60_000})


def archive_two_events(shell: Shell) -> None:
    """Archive as the operator does, without waiting for the age at which that is allowed."""
    create_team(shell)
    for number in range(3):
        shell.call(CREATE_TEAM, name=f"team-{number}")
    with closing(sqlite3.connect(shell.folder / "tessera.db")) as connection, connection:
        connection.execute(
            "INSERT INTO event_anchors SELECT sequence, 1, hash, 'file', occurred_at, occurred_at, 'operator', 'none'"
            " FROM events WHERE sequence = 2"
        )
        connection.execute("DELETE FROM events WHERE sequence <= 2")


@contextmanager
def holding_write_lock(folder: Path) -> Iterator[None]:
    connection = sqlite3.connect(folder / "tessera.db", isolation_level=None)
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        connection.rollback()
        connection.close()


PREPARATIONS: dict[str, Prepare] = {
    "NOT_FOUND": create_team,
    "FORBIDDEN": give_read_key,
    "STALE": create_team,
    "INTERNAL": drop_webhooks,
    "SLOW_CONSUMER": record_large_events,
    "CURSOR_EXPIRED": archive_two_events,
}
"""What must be there before the example of a code."""


@pytest.mark.long
@pytest.mark.parametrize("code", CODES)
def test_the_example_of_a_code_has_that_code(code: str, tmp_path: Path) -> None:
    (section,) = [match["text"] for match in SECTION.finditer(PAGE) if match["code"] == code]
    (block,) = BLOCK.finditer(section)
    settings = dict(SETTING.findall(block["title"] or ""))
    with serving(tmp_path, ADMIN_KEY=KEY, **settings) as server:
        shell = Shell(server, tmp_path, {"TESSERA_API_KEY": KEY})
        PREPARATIONS.get(code, lambda _: None)(shell)
        if code == "UNAVAILABLE":
            with holding_write_lock(tmp_path):
                *_, output = shell.run_block(block["body"])
        else:
            *_, output = shell.run_block(block["body"])
    assert code in find_codes(json.loads(output)), output


def find_codes(reply: Any) -> set[str]:
    """Every code in a reply, of errors and of payloads."""
    if isinstance(reply, list):
        return set().union(*map(find_codes, reply))
    if not isinstance(reply, dict):
        return set()
    nested = set().union(*map(find_codes, reply.values()), set())
    return nested | ({reply["code"]} if isinstance(reply.get("code"), str) else set())


@pytest.mark.long
def test_every_other_example_of_the_page_works(tmp_path: Path) -> None:
    text = SECTION.sub("", PAGE)
    with serving(tmp_path, ADMIN_KEY=KEY) as server:
        shell = Shell(server, tmp_path, {"TESSERA_API_KEY": KEY})
        for block in BLOCK.finditer(text):
            match block["language"]:
                case "console":
                    shell.run_block(re.sub(r"^\$ graphql\(\) .*\n", "", block["body"], flags=re.MULTILINE))
                case "graphql":
                    send(shell, block["body"])
                case "json":
                    json.loads(block["body"])
                case _:
                    pass


def send(shell: Shell, document: str) -> None:
    parsed = parse(document)
    assert validate(SCHEMA, parsed) == []
    operation = get_operation_ast(parsed)
    assert operation is not None
    if operation.operation is OperationType.SUBSCRIPTION:
        return
    headers = {"Authorization": f"Bearer {KEY}"}
    reply = httpx.post(f"{shell.server.url}/graphql", json={"query": document}, headers=headers).json()
    assert "errors" not in reply, reply
    if operation.operation is OperationType.MUTATION:
        assert all(payload["errors"] == [] for payload in reply["data"].values())
