"""The diff engine works as a library of its own: without the rest of the project, with few dependencies."""

import ast
import doctest
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import tessera_gql.diff
from tests.language.identifiers import ROOT

FOLDER = ROOT / "tessera_gql/diff"
DEPENDENCIES = {"jsonschema", "jsonschema_specifications", "re2", "referencing"}
PROGRAM = """
import json, sys
from tessera_gql.diff import Mode, check, compare, list_fields

old = {"type": "object", "properties": {"id": {"type": "integer"}, "name": {"type": "string", "pattern": "^a"}}}
new = {"type": "object", "properties": {"id": {"type": "string"}}}
check(old)
changes = compare(old, new).breaking_changes(Mode.BACKWARD)
modules = {name for name in sys.modules if name.partition(".")[0] == "tessera_gql"}
print(json.dumps({
    "fields": [field.path for field in list_fields(old)],
    "changes": [change.as_json() for change in changes],
    "other_modules": sorted(name for name in modules if not f"{name}.".startswith("tessera_gql.diff.")),
}))
"""


def test_a_copy_of_the_folder_alone_compares_schemas(tmp_path: Path) -> None:
    shutil.copytree(FOLDER, tmp_path / "tessera_gql/diff", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "tessera_gql/__init__.py").touch()
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    completed = subprocess.run(
        [sys.executable, "-c", PROGRAM], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert completed.returncode == 0, completed.stderr
    report = json.loads(completed.stdout)
    assert report["fields"] == ["id", "name"]
    assert [(change["kind"], change["path"]) for change in report["changes"]] == [
        ("TYPE_CHANGED", "id"),
        ("PROPERTY_REMOVED", "name"),
    ]
    assert all(change["certainty"] == "PROVEN" for change in report["changes"])
    assert report["other_modules"] == ["tessera_gql"]


def test_it_imports_four_packages_beside_the_standard_library() -> None:
    trees = [ast.parse(path.read_text()) for path in FOLDER.rglob("*.py")]
    names = {
        alias.name for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names
    }
    names |= {node.module or "" for tree in trees for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    project_modules = {name for name in names if name.partition(".")[0] == "tessera_gql"}
    assert {name for name in project_modules if not f"{name}.".startswith("tessera_gql.diff.")} == set()
    assert {name.partition(".")[0] for name in names - project_modules} - sys.stdlib_module_names == DEPENDENCIES


def test_the_example_in_the_docstring_is_right() -> None:
    results = doctest.testmod(tessera_gql.diff)
    assert (results.attempted > 5, results.failed) == (True, 0)


def test_the_documented_example_runs() -> None:
    page = (ROOT / "docs/diff-library.md").read_text()
    (source,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    namespace: dict[str, object] = {}
    exec(compile(source, "docs/diff-library.md", "exec"), namespace)
    assert namespace["diff"] == tessera_gql.diff.compare(namespace["old"], namespace["new"])


def test_every_documented_name_is_exported() -> None:
    page = (ROOT / "docs/diff-library.md").read_text()
    table = page.split("## What you import")[1].split("##")[0]
    cells = re.findall(r"^\| (`.*?) \|", table, re.MULTILINE)
    documented = {name for cell in cells for name in re.findall(r"`(\w+)", cell)}
    assert {"compare", "check", "list_fields", "Mode", "SchemaError"} <= documented <= set(tessera_gql.diff.__all__)


def run_example(*arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, str(ROOT / "examples/compare_schemas.py"), *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def test_the_example_program_lists_changes_and_the_verdict_of_each_mode() -> None:
    completed = run_example()
    assert completed.stderr == ""
    for line in ("fields: order_id, status, channel", "PROPERTY_REMOVED coupon: breaks BACKWARD", "NONE: compatible"):
        assert line in completed.stdout


def test_the_example_program_compares_two_files_and_refuses_an_invalid_schema(tmp_path: Path) -> None:
    (tmp_path / "valid.json").write_text('{"type": "object"}')
    (tmp_path / "invalid.json").write_text('{"type": "table"}')
    same = run_example(str(tmp_path / "valid.json"), str(tmp_path / "valid.json"))
    assert (same.returncode, "BACKWARD: compatible, bump NONE" in same.stdout) == (0, True)
    invalid = run_example(str(tmp_path / "valid.json"), str(tmp_path / "invalid.json"))
    assert (invalid.returncode, "/type of the new schema" in invalid.stderr) == (2, True)
