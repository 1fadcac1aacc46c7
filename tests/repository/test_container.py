"""The container files use settings and commands that exist, and their processes can't write anywhere else."""

import re
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

from tessera_gql.cli import build_app
from tessera_gql.config import Settings, secrets

ROOT = Path(__file__).resolve().parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
OWN_SERVICES = {name: service for name, service in COMPOSE["services"].items() if "image" not in service}


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
    command: Any = typer.main.get_command(build_app())
    for subcommand in OWN_SERVICES[name]["command"]:
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
    assert re.search(r"^USER 10001$", last, re.MULTILINE)
    assert "PYTHONDONTWRITEBYTECODE=1" in last
    code = re.search(r'^  CMD \["python", "-c", "(.*)"\]$', last, re.MULTILINE)
    assert code
    compile(code[1], "HEALTHCHECK", "exec")
    assert "/readyz" in code[1]
    variables = re.findall(r"([A-Z_]+)=", re.findall(r"^ENV (.*)$", last, re.MULTILINE)[0])
    assert {variable.lower() for variable in variables if not variable.startswith("PYTHON")} <= set(
        Settings.model_fields
    )


def test_the_secrets_stay_out_of_the_checkout_and_the_image() -> None:
    assert "secrets/" in (ROOT / ".gitignore").read_text().splitlines()
    assert "secrets" in (ROOT / ".dockerignore").read_text().splitlines()
