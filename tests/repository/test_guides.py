"""Every command and operation of the guides works in order and prints what the guide shows."""

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
from graphql import OperationType, build_schema, get_operation_ast, parse, validate

from tests.e2e.forking import programs_folder
from tests.e2e.server import ROOT, TESSERA, Running, environment, serving

pytestmark = pytest.mark.long

GUIDES = sorted((ROOT / "docs/guides").glob("*.md"))
BLOCK = re.compile(r'^```(?P<language>\w+)(?: title="(?P<title>[^"]+)")?\n(?P<body>.*?)^```$', re.MULTILINE | re.DOTALL)
EXIT = re.compile(r"\s+# exit (\d+)$")
SCHEMA = build_schema((ROOT / "schema.graphql").read_text())
NEWEST_PROPOSAL = "{ proposals(first: 1) { nodes { id } } }"


def single_spaced(text: str) -> str:
    """The text with single spaces: how wide a column is depends on what else is in it."""
    return " ".join(text.split())


class Reader:
    """Executes the steps of a guide in its own folder."""

    def __init__(self, server: Running, folder: Path) -> None:
        self.server, self.folder = server, folder

    def follow(self, guide: str) -> None:
        for block in BLOCK.finditer(guide):
            match block["language"], block["title"]:
                case _, str(name):
                    (self.folder / name).write_text(block["body"])
                case "console", _:
                    self.type(block["body"])
                case "graphql", _:
                    self.send(block["body"])
                case _:
                    pass

    def type(self, block: str) -> None:
        for command, *output in (part.splitlines() for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]):
            if command.startswith("export "):
                continue
            expected = EXIT.search(command)
            process = subprocess.run(
                ["bash", "-c", EXIT.sub("", command)],
                cwd=self.folder,
                env=self.environment(),
                capture_output=True,
                text=True,
                check=False,
                timeout=120,
            )
            assert process.returncode == (int(expected[1]) if expected else 0), (
                command,
                process.stdout,
                process.stderr,
            )
            for line in output:
                assert single_spaced(line) in single_spaced(process.stdout), (command, process.stdout, process.stderr)

    def environment(self) -> dict[str, str]:
        variables = environment(TESSERA_URL=self.server.url, DATABASE_URL="sqlite:///tessera.db", HOME=str(self.folder))
        return variables | {"PATH": f"{programs_folder()}:{TESSERA.parent}:{variables['PATH']}"}

    def send(self, document: str) -> None:
        parsed = parse(document)
        assert validate(SCHEMA, parsed) == []
        operation = get_operation_ast(parsed)
        assert operation is not None
        if operation.operation is OperationType.SUBSCRIPTION:
            return
        variables: dict[str, Any] = {}
        if operation.variable_definitions:
            variables["proposal"] = self.server.data(NEWEST_PROPOSAL)["proposals"]["nodes"][0]["id"]
        for name, payload in self.server.data(document, **variables).items():
            assert payload, name
            if operation.operation is OperationType.MUTATION:
                assert payload["errors"] == [], name


@pytest.mark.parametrize("guide", GUIDES, ids=lambda path: path.stem)
def test_every_step_of_a_guide_does_what_the_guide_says(guide: Path, tmp_path: Path) -> None:
    with serving(tmp_path) as server:
        Reader(server, tmp_path).follow(guide.read_text())


def test_there_is_a_guide_for_each_audience() -> None:
    assert [guide.stem for guide in GUIDES] == ["api-users", "consumers", "operators", "producers"]
