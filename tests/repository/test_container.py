"""The container files use settings and commands that exist, and their processes can't write anywhere else."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tessera_gql.cli.commands import load_command
from tessera_gql.config import Settings, secrets

ROOT = Path(__file__).resolve().parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
OWN_SERVICES = {name: service for name, service in COMPOSE["services"].items() if name != "postgres"}


def test_there_are_a_database_a_migration_two_servers_and_a_worker() -> None:
    assert sorted(" ".join(service["command"]) for service in OWN_SERVICES.values()) == [
        "db upgrade",
        "serve",
        "serve",
        "worker",
    ]
    assert set(COMPOSE["services"]) - set(OWN_SERVICES) == {"postgres"}


@pytest.mark.parametrize("name", OWN_SERVICES)
def test_each_variable_is_a_setting_and_each_command_exists(name: str) -> None:
    settings = {field.upper() for field in Settings.model_fields}
    files = {f"{secret_name.upper()}_FILE" for secret_name in secrets.secret_names(Settings.model_fields)}
    assert set(OWN_SERVICES[name]["environment"]) <= settings | files
    first, *subcommands = OWN_SERVICES[name]["command"]
    command = load_command(first)
    for subcommand in subcommands:
        command = command.commands[subcommand]


@pytest.mark.parametrize("name", COMPOSE["services"])
def test_each_service_has_a_read_only_file_system_and_secrets_from_files(name: str) -> None:
    service = COMPOSE["services"][name]
    assert service["read_only"] is True
    assert "/tmp" in service["tmpfs"]
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    secret_files = {value for key, value in service["environment"].items() if key.endswith("_FILE")}
    assert secret_files == {f"/run/secrets/{secret}" for secret in service["secrets"]}
    assert set(service["secrets"]) <= set(COMPOSE["secrets"])


def test_the_image_runs_without_privileges_and_has_a_health_check() -> None:
    text = (ROOT / "Dockerfile").read_text()
    last = text[text.rindex("FROM ") :]
    assert re.search(r"^USER 10001:0$", last, re.MULTILINE)
    assert "PYTHONDONTWRITEBYTECODE=1" in last
    assert re.search(r'^HEALTHCHECK .* CMD \["tessera-healthcheck"\]$', last, re.MULTILINE)
    assert "/readyz" in (ROOT / "deploy/container/healthcheck").read_text()
    variables = re.findall(r"([A-Z_]+)=", re.findall(r"^ENV (.*)$", last, re.MULTILINE)[0])
    own = {variable.lower() for variable in variables if not variable.startswith(("PYTHON", "HOME"))}
    assert own <= set(Settings.model_fields)


def test_the_image_has_labels_and_is_built_from_locked_packages_and_tools() -> None:
    text = (ROOT / "Dockerfile").read_text()
    for label in ("title", "version", "revision", "licenses", "base.name"):
        assert f"org.opencontainers.image.{label}=" in text
    installs = re.findall(r"pip (?:install|wheel) .*", text)
    assert all("--require-hashes" in line or "--no-index" in line or "--no-deps" in line for line in installs), installs
    assert "--no-build-isolation" in text
    assert "://" not in text


def test_one_image_serves_every_service_and_one_of_them_builds_it() -> None:
    assert len({service["image"] for service in OWN_SERVICES.values()}) == 1
    assert [name for name, service in OWN_SERVICES.items() if "build" in service] == ["migrate"]
    arguments = set(OWN_SERVICES["migrate"]["build"]["args"])
    assert arguments == set(re.findall(r"^ARG ([A-Z_]+)", (ROOT / "Dockerfile").read_text(), re.MULTILINE))


def test_no_service_that_runs_is_without_a_health_check() -> None:
    for service in COMPOSE["services"].values():
        assert not service.get("healthcheck", {}).get("disable")
    assert "127.0.0.1" in COMPOSE["services"]["postgres"]["healthcheck"]["test"]


def test_the_bill_of_materials_lists_the_packages_of_its_environment() -> None:
    script = ROOT / "deploy/container/sbom.py"
    printed = subprocess.run([sys.executable, script], capture_output=True, text=True, check=True).stdout
    bill = json.loads(printed)
    assert (bill["bomFormat"], bill["specVersion"]) == ("CycloneDX", "1.6")
    references = [component["bom-ref"] for component in bill["components"]]
    assert len(set(references)) == len(references)
    assert {"graphql-core", "sqlalchemy"} <= {component["name"] for component in bill["components"]}


def test_the_secrets_stay_out_of_the_checkout_and_the_image() -> None:
    assert "secrets/" in (ROOT / ".gitignore").read_text().splitlines()
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    assert ignored[0] == "*"
    assert "secrets" in ignored
