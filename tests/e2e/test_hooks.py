"""The hooks of pre-commit check the changed files alone, by the commands of `.pre-commit-hooks.yaml`."""

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.e2e.dbt_projects import Project
from tests.e2e.pull_requests import CUSTOMERS, ORDERS, Company, Repository, add_readers, start_shop
from tests.e2e.server import ROOT, run_tessera

HOOKS: dict[str, dict[str, Any]] = {
    declared["id"]: declared for declared in yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())
}
SCHEMA = {"type": "object", "properties": {"id": {"type": "integer"}, "coupon": {"type": "string"}}, "required": ["id"]}
WITHOUT_COUPON = {**SCHEMA, "properties": {"id": {"type": "integer"}}}

pytestmark = pytest.mark.long


def call_hook(name: str, folder: Path, *arguments: str, **settings: str) -> "subprocess.CompletedProcess[str]":
    """Run a hook as pre-commit does: its command, the arguments of the configuration, and the changed files."""
    program, *command = HOOKS[name]["entry"].split()
    assert program == "tessera"
    completed = run_tessera(*command, *arguments, cwd=folder, **settings)
    assert "Traceback" not in completed.stderr
    return completed


def git(folder: Path, *arguments: str) -> None:
    identity = ("-c", "user.name=Ada", "-c", "user.email=ada@example.com")
    subprocess.run(["git", "-C", folder, *identity, *arguments], check=True, capture_output=True)


@pytest.fixture
def schemas(tmp_path: Path) -> Path:
    """A repository whose last commit has the schema of orders."""
    (tmp_path / "schemas").mkdir()
    (tmp_path / "schemas/orders.json").write_text(json.dumps(SCHEMA, indent=2))
    git(tmp_path, "init", "--quiet")
    git(tmp_path, "add", "--all")
    git(tmp_path, "commit", "--quiet", "--message", "Add orders")
    return tmp_path


def test_a_breaking_schema_is_refused_and_a_compatible_or_new_one_passes(schemas: Path) -> None:
    (schemas / "schemas/new.json").write_text(json.dumps(SCHEMA))
    files = ("schemas/orders.json", "schemas/new.json")
    unchanged = call_hook("tessera-diff", schemas, "--mode", "consumer", *files)
    assert unchanged.returncode == 0, unchanged.stderr
    assert "schemas/new.json is new." in unchanged.stdout
    (schemas / "schemas/orders.json").write_text(json.dumps(WITHOUT_COUPON))
    breaking = call_hook("tessera-diff", schemas, "--mode", "consumer", *files)
    assert breaking.returncode == 1
    assert re.search(r"^schemas/orders.json:\nbreaks +coupon", breaking.stdout, re.MULTILINE), breaking.stdout
    assert call_hook("tessera-diff", schemas, "--mode", "none", *files).returncode == 0


def test_every_file_is_compared_before_the_hook_fails(schemas: Path) -> None:
    (schemas / "schemas/customers.json").write_text(json.dumps(SCHEMA))
    git(schemas, "add", "--all")
    git(schemas, "commit", "--quiet", "--message", "Add customers")
    for name in ("orders", "customers"):
        (schemas / f"schemas/{name}.json").write_text(json.dumps(WITHOUT_COUPON))
    completed = call_hook(
        "tessera-diff", schemas, "--mode", "consumer", "schemas/orders.json", "schemas/customers.json"
    )
    assert completed.returncode == 1
    assert len(re.findall("^breaks", completed.stdout, re.MULTILINE)) == 2


def test_the_first_commit_of_a_repository_breaks_nothing(tmp_path: Path) -> None:
    git(tmp_path, "init", "--quiet")
    (tmp_path / "orders.json").write_text(json.dumps(SCHEMA))
    completed = call_hook("tessera-diff", tmp_path, "orders.json")
    assert (completed.returncode, completed.stdout) == (0, "orders.json is new.\n")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--base", "missing", "schemas/orders.json"), "There is no revision missing"),
        (("--base", "--output=x", "schemas/orders.json"), "is no revision"),
        (("schemas/broken.json",), "broken.json"),
        ((), "FILE"),
    ],
)
def test_a_wrong_call_is_a_message(schemas: Path, arguments: tuple[str, ...], message: str) -> None:
    (schemas / "schemas/broken.json").write_text("{}")
    git(schemas, "add", "--all")
    git(schemas, "commit", "--quiet", "--message", "Add a schema")
    (schemas / "schemas/broken.json").write_text("{")
    completed = call_hook("tessera-diff", schemas, *arguments)
    assert completed.returncode == 2
    assert message in completed.stdout + completed.stderr


def write_models(repository: Repository, project: Project) -> None:
    """Write the files of the models, and then the manifest of `dbt compile`."""
    models = repository.folder / "models"
    models.mkdir(exist_ok=True)
    for model in project.models:
        (models / f"{model.name}.sql").write_text(f"select {', '.join(model.columns)} from raw\n")
    project.write(repository.folder)


def call_impact(repository: Repository, *files: str) -> "subprocess.CompletedProcess[str]":
    settings = {"TESSERA_URL": repository.server.url, "TESSERA_API_KEY": repository.key}
    return call_hook("tessera-dbt-impact", repository.folder, *files, **settings)


def test_only_the_models_of_changed_files_are_reported(company: Company) -> None:
    repository, shop = start_shop(company, ORDERS, CUSTOMERS)
    add_readers(company, shop.fqn("orders"))
    write_models(repository, shop.drop_column("orders", "coupon").add_column("customers", "country", "varchar"))
    breaking = call_impact(repository, "models/orders.sql")
    assert breaking.returncode == 1, breaking.stderr
    assert company.name("growth") in breaking.stdout
    assert shop.fqn("customers") not in breaking.stdout
    compatible = call_impact(repository, "models/customers.sql")
    assert compatible.returncode == 0, compatible.stderr
    assert shop.fqn("customers") in compatible.stdout
    assert shop.fqn("orders") not in compatible.stdout
    assert company.find_proposal(shop.fqn("orders")) is None, "a hook writes nothing"
    unrelated = call_impact(repository, "models/unknown.sql")
    assert (unrelated.returncode, unrelated.stdout) == (0, "0 tables: none.\n")


def test_a_manifest_that_is_older_than_a_changed_file_is_noted(company: Company) -> None:
    repository, shop = start_shop(company)
    write_models(repository, shop)
    file = repository.folder / "models/orders.sql"
    later = (repository.folder / "target/manifest.json").stat().st_mtime + 60
    os.utime(file, (later, later))
    noted = call_impact(repository, "models/orders.sql")
    assert noted.returncode == 0
    assert "models/orders.sql is newer than target/manifest.json" in noted.stderr


def test_a_hook_without_a_server_or_a_manifest_says_so(tmp_path: Path) -> None:
    missing = call_hook("tessera-dbt-impact", tmp_path, "models/orders.sql")
    assert (missing.returncode, "Run `dbt compile` first" in missing.stderr) == (2, True)
    (tmp_path / "target").mkdir()
    (tmp_path / "target/manifest.json").write_text('{"metadata": {}, "nodes": {}}')
    away = call_hook("tessera-dbt-impact", tmp_path, "models/orders.sql", TESSERA_URL="http://127.0.0.1:9")
    assert away.returncode == 4


@pytest.mark.parametrize(
    ("hook", "path", "is_checked"),
    [
        ("tessera-diff", "schemas/orders.json", True),
        ("tessera-diff", "contracts/shop/orders.yaml", True),
        ("tessera-diff", "package.json", False),
        ("tessera-dbt-impact", "models/marts/orders.sql", True),
        ("tessera-dbt-impact", "warehouse/models/schema.yml", True),
        ("tessera-dbt-impact", "src/models.py", False),
    ],
)
def test_a_hook_checks_the_files_of_its_kind(hook: str, path: str, is_checked: bool) -> None:
    assert (re.search(HOOKS[hook]["files"], path) is not None) is is_checked
