"""Each wrong input of wrong_inputs.txt prints what is written there: the setting, the value and the next step."""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.cli.wrong_world import ADMIN_KEY, build_world, write_files
from tests.e2e.server import serving
from tests.security.commands import run

pytestmark = pytest.mark.long

TABLE = Path(__file__).with_name("wrong_inputs.txt")
ROW = re.compile(
    r"^(?P<code>\d+) \$ (?:(?P<setting>'[A-Z_]+=[^']*'|[A-Z_]+=\S*) |(?P<holder>[a-z]+): )?(?P<command>[^\n]*)\n"
    r"(?P<message>.+?)\n(?:\n|\Z)",
    re.MULTILINE | re.DOTALL,
)
API_WORDS = re.compile(r"\b[a-z]+[A-Z]\w*|GraphQL|[Mm]utation|Variable '|\(filter:|enum\b|`null`|Traceback|defect")
"""Words of the API, of Python and of defects, which say nothing to the reader of a command."""


@dataclass(frozen=True)
class WrongInput:
    """A command that must fail, its setting or the holder of its key, and the expected message."""

    command: str
    code: int
    message: str
    setting: str
    holder: str

    def matches(self, text: str, names: dict[str, str]) -> bool:
        for name, value in names.items():
            text = text.replace(value, f"{{{name}}}")
        pattern = ".*".join(map(re.escape, self.message.split("…")))
        return re.fullmatch(pattern, text) is not None


def read_table() -> list[WrongInput]:
    return [
        WrongInput(
            match["command"],
            int(match["code"]),
            " ".join(match["message"].split()),
            next(iter(shlex.split(match["setting"] or "")), ""),
            match["holder"] or "",
        )
        for match in ROW.finditer(TABLE.read_text())
    ]


@dataclass(frozen=True)
class Surroundings:
    """The server, its names and the folder of the files."""

    url: str
    home: Path
    names: dict[str, str]


@pytest.fixture(scope="module")
def surroundings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Surroundings]:
    folder = tmp_path_factory.mktemp("wrong")
    files, server_folder = folder / "files", folder / "server"
    files.mkdir()
    server_folder.mkdir()
    write_files(files)
    with pytest.MonkeyPatch.context() as patch, serving(server_folder, ADMIN_KEY=ADMIN_KEY) as server:
        patch.chdir(files)
        yield Surroundings(server.url, folder / "home", build_world(server.url))


def test_the_table_has_at_least_twice_the_inputs_of_the_first_review_in_all_its_parts() -> None:
    rows = read_table()
    assert len(rows) == len(re.findall(r"^\d+ \$ ", TABLE.read_text(), re.MULTILINE)) >= 128
    assert len(set(rows)) == len(rows)
    for row in rows:
        assert not API_WORDS.search(row.message), row


@pytest.mark.parametrize("number", range(0, 240, 40))
def test_each_wrong_input_prints_its_line(surroundings: Surroundings, number: int) -> None:
    problems: list[str] = []
    for row in read_table()[number : number + 40]:
        key = surroundings.names[row.holder] if row.holder else ADMIN_KEY
        variables = {"TESSERA_URL": surroundings.url, "TESSERA_API_KEY": key}
        if row.setting:
            name, _, value = row.setting.partition("=")
            variables[name] = value
        command = row.command.replace("NEXT_MONTH", surroundings.names["next_month"])
        command = re.sub(r"\{(\w+)\}", lambda match: surroundings.names[match[1]], command)
        result = run(
            surroundings.home, shlex.split(command.replace("TOMORROW", surroundings.names["next_month"])), **variables
        )
        lines = [line for line in result.stderr.splitlines() if not line.startswith("Watching ")]
        names = {name: value for name, value in surroundings.names.items() if name not in {"read", "growth"}}
        if result.code != row.code or len(lines) != 1 or not row.matches(lines[0], names) or result.stdout:
            problems.append(
                f"{row.command}\n  expected {row.code}: {row.message}\n  has {result.code}: {result.stderr}"
            )
    assert not problems, "\n".join(problems)


def test_a_registration_is_changed_by_its_team_and_asset(surroundings: Surroundings) -> None:
    variables = {"TESSERA_URL": surroundings.url, "TESSERA_API_KEY": ADMIN_KEY}
    command = ["register", "ns.orders", "--team", "finance", "--change"]
    for options, reads in ((["--field", "total", "--purpose", "Taxes."], "total"), (["--all-fields"], "everything")):
        result = run(surroundings.home, [*command, *options], **variables)
        assert (result.code, result.stderr) == (0, "")
        assert result.stdout.startswith(f"finance reads {reads} of ns.orders ")
    registration = run(surroundings.home, [*command, "--field", "coupon", "--json"], **variables)
    assert '"purpose": "Taxes."' in registration.stdout
