"""The gate asks exactly the readers whose queries on the tables that dbt builds meet something else than before.

Each edit of a shop is built by dbt on DuckDB. A reader for each column of each table queries the tables before and
after it. `tests/conformance/run "dbt builds"` installs dbt into an environment of its own.
"""

import json
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tessera_gql.client import TesseraClient
from tests.conformance import tools
from tests.conformance.dbt_build.edits import BASE, EDITS, PROMISED_VALUES, Edit, copy_shop
from tests.e2e.server import run_tessera, serving

FOLDER = Path(__file__).parent / "dbt_build"
DBT_PYTHON = tools.find_locked_python(FOLDER / "requirements.lock")
DATABASE = "warehouse"
Observations = Mapping[str, Mapping[str, Any]]

pytestmark = [
    pytest.mark.dbt,
    pytest.mark.skipif(DBT_PYTHON is None, reason='dbt is not installed: run `tests/conformance/run "dbt builds"`'),
]


@dataclass(frozen=True)
class Gate:
    """A server with the tables of the base, each column read by a team of the column's name."""

    folder: Path
    url: str

    def find_asked_readers(self, edit: Edit) -> set[str]:
        manifest = self.folder / edit.name / "target/manifest.json"
        completed = run_tessera("dbt", "impact", str(manifest), "--json", cwd=self.folder, TESSERA_URL=self.url)
        report = json.loads(completed.stdout)
        readers = {asked["team"] for model in report["models"] for asked in model["asked"]}
        assert completed.returncode == (1 if readers else 0), completed.stderr
        return readers


@pytest.fixture(scope="module")
def projects(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The base and all edits, built by dbt: about a minute."""
    folder = tmp_path_factory.mktemp("projects")
    copy_shop(folder / BASE)
    for edit in EDITS:
        edit.create(folder)
    command = [str(DBT_PYTHON), str(FOLDER / "build.py"), str(folder), BASE]
    completed = subprocess.run(command, capture_output=True, text=True, check=False, timeout=1_500)
    assert completed.returncode == 0, completed.stdout + completed.stderr
    return folder


@pytest.fixture(scope="module")
def gate(projects: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gate]:
    folder = tmp_path_factory.mktemp("server")
    with serving(folder) as server:
        gate = Gate(projects, server.url)
        with TesseraClient(server.url) as client:
            client.create_team("shop")
            sync = ("dbt", "sync", str(projects / BASE / "target/manifest.json"), "--owner", "shop")
            completed = run_tessera(*sync, cwd=folder, TESSERA_URL=server.url)
            assert completed.returncode == 0, completed.stdout + completed.stderr
            for reader in observe(projects, BASE):
                table, _, column = reader.rpartition(".")
                team = client.create_team(reader)
                client.register(f"{DATABASE}.{table}", team=team, fields=[column])
        yield gate


def observe(projects: Path, name: str) -> Observations:
    """What the query of each reader meets in a project: an error, or the type, nulls and values."""
    observations: Observations = json.loads((projects / name / "observed.json").read_text())
    return observations


def find_hurt_readers(before: Observations, after: Observations) -> set[str]:
    return {reader for reader in before if is_hurt(reader, before[reader], after[reader])}


def is_hurt(reader: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> bool:
    """Return whether a query fails, or returns another type, nulls where there were none, or unpromised values."""
    if "error" in after or after["type"] != before["type"]:
        return True
    promised_values = PROMISED_VALUES.get(reader)
    has_new_values = promised_values is not None and not promised_values.issuperset(after["values"])
    return has_new_values or after["has_nulls"] > before["has_nulls"]


@pytest.mark.parametrize("edit", EDITS, ids=lambda edit: edit.name)
def test_the_built_tables_hurt_exactly_the_readers_that_the_edit_names(projects: Path, edit: Edit) -> None:
    assert find_hurt_readers(observe(projects, BASE), observe(projects, edit.name)) == set(edit.hurts)


@pytest.mark.parametrize("edit", EDITS, ids=lambda edit: edit.name)
def test_the_gate_asks_every_hurt_reader_and_others_only_for_a_stated_reason(gate: Gate, edit: Edit) -> None:
    asked, hurt = gate.find_asked_readers(edit), set(edit.hurts)
    assert hurt - asked == set(edit.unpromised), "readers that the gate misses"
    assert asked - hurt == set(edit.stricter), "readers that the gate asks for nothing"


def test_the_base_itself_asks_nobody(gate: Gate) -> None:
    assert gate.find_asked_readers(Edit(BASE)) == set()
