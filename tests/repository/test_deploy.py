"""The files of deploy/ use settings, commands, metrics and labels that exist, without privileges."""

import json
import re
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client.process_collector import ProcessCollector

from tessera_gql.cli.commands import load_command
from tessera_gql.config import Settings, secrets
from tests.repository.test_docs import PAGES

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
SETTINGS = {field.upper() for field in Settings.model_fields}
SECRET_FILES = {f"{name.upper()}_FILE" for name in secrets.secret_names(Settings.model_fields)}
SUFFIX = re.compile(r"_(?:bucket|count|sum)$")
DASHBOARD = DEPLOY / "grafana/tessera.json"
RULES = DEPLOY / "prometheus/tessera-rules.yml"


def documents(*paths: Path) -> list[dict[str, Any]]:
    return [document for path in paths for document in yaml.safe_load_all(path.read_text())]


MANIFESTS = documents(*sorted((DEPLOY / "kubernetes").glob("*.yaml")))


def manifests(kind: str) -> dict[str, dict[str, Any]]:
    return {item["metadata"]["name"]: item for item in MANIFESTS if item["kind"] == kind}


PODS = {name: item["spec"]["template"] for kind in ("Deployment", "Job") for name, item in manifests(kind).items()}


def check_command(words: list[str]) -> None:
    command: Any = load_command(words[0])
    for word in words[1:]:
        command = command.commands[word]


# Kubernetes


def test_the_base_names_each_of_its_files_and_this_version() -> None:
    base = yaml.safe_load((DEPLOY / "kubernetes/kustomization.yaml").read_text())
    files = {path.name for path in (DEPLOY / "kubernetes").glob("*.yaml")}
    assert {*base["resources"], "kustomization.yaml"} == files
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert base["images"] == [{"name": "tessera-gql", "newName": "tessera-gql", "newTag": project["version"]}]


def test_there_are_two_servers_a_worker_and_a_migration() -> None:
    replicas = {name: item["spec"]["replicas"] for name, item in manifests("Deployment").items()}
    assert replicas == {"tessera-server": 2, "tessera-worker": 1}
    commands = {name: " ".join(pod["spec"]["containers"][0]["args"]) for name, pod in PODS.items()}
    assert commands == {"tessera-server": "serve", "tessera-worker": "worker", "tessera-migration": "db upgrade"}
    for command in commands.values():
        check_command(command.split())


@pytest.mark.parametrize("name", PODS)
def test_a_pod_has_no_privileges_and_writes_to_tmp_only(name: str) -> None:
    spec = PODS[name]["spec"]
    (container,) = spec["containers"]
    assert spec["automountServiceAccountToken"] is False
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    writable = {mount["mountPath"] for mount in container["volumeMounts"] if not mount.get("readOnly")}
    assert writable == {"/tmp"}
    assert "memory" in container["resources"]["limits"]


def test_the_configuration_has_settings_that_exist_and_secrets_as_files() -> None:
    data = manifests("ConfigMap")["tessera"]["data"]
    assert set(data) <= SETTINGS | SECRET_FILES
    assert not set(data) & {name.removesuffix("_FILE") for name in SECRET_FILES}
    for name in set(data) & SECRET_FILES:
        assert data[name] == f"/run/secrets/tessera/{name.removesuffix('_FILE').lower()}"


def test_a_pod_is_given_the_time_that_a_server_takes_to_stop() -> None:
    data = manifests("ConfigMap")["tessera"]["data"]
    needed = float(data["SHUTDOWN_DELAY_SECONDS"]) + float(data["SHUTDOWN_SECONDS"])
    for name in ("tessera-server", "tessera-worker"):
        assert PODS[name]["spec"]["terminationGracePeriodSeconds"] > needed + 5


def test_probes_ask_for_the_process_and_for_readiness() -> None:
    for name in ("tessera-server", "tessera-worker"):
        container = PODS[name]["spec"]["containers"][0]
        paths = {probe: container[f"{probe}Probe"]["httpGet"]["path"] for probe in ("startup", "readiness", "liveness")}
        assert paths == {"startup": "/healthz", "readiness": "/readyz", "liveness": "/healthz"}


def test_selectors_match_the_labels_of_pods() -> None:
    labels = {name: pod["metadata"]["labels"] for name, pod in PODS.items()}
    for name, item in manifests("Deployment").items():
        assert item["spec"]["selector"]["matchLabels"].items() <= labels[name].items()
    for selector in (
        manifests("Service")["tessera"]["spec"]["selector"],
        manifests("PodDisruptionBudget")["tessera-server"]["spec"]["selector"]["matchLabels"],
        manifests("NetworkPolicy")["tessera-server"]["spec"]["podSelector"]["matchLabels"],
    ):
        assert [name for name in labels if selector.items() <= labels[name].items()] == ["tessera-server"]


# systemd


UNITS = sorted((DEPLOY / "systemd").glob("*.service"))


@pytest.mark.parametrize("unit", UNITS, ids=lambda path: path.stem)
def test_a_unit_calls_a_command_that_exists_without_privileges(unit: Path) -> None:
    text = unit.read_text()
    command = re.findall(r"^ExecStart=/opt/tessera/bin/tessera (.+)$", text, re.MULTILINE)
    check_command(command[0].split())
    for line in ("User=tessera", "NoNewPrivileges=yes", "ProtectSystem=strict", "CapabilityBoundingSet=", "UMask=0077"):
        assert f"\n{line}\n" in text


def test_the_environment_of_the_units_has_settings_that_exist() -> None:
    lines = (DEPLOY / "systemd/environment.example").read_text().splitlines()
    names = {line.partition("=")[0] for line in lines if line and not line.startswith("#")}
    assert names <= SETTINGS | SECRET_FILES


# Proxies


@pytest.mark.parametrize("name", ["Caddyfile", "nginx.conf"])
def test_a_proxy_allows_the_largest_upload_hides_metrics_and_closes_idle_connections_first(name: str) -> None:
    text = (DEPLOY / "proxies" / name).read_text()
    megabytes = Settings.model_fields["limit_upload_bytes"].default // 2**20
    assert re.search(rf"(max_size {megabytes}MiB|client_max_body_size {megabytes}m)", text)
    assert re.search(r"respond /metrics 404|location = /metrics \{\s+return 404", text)
    assert int(re.findall(r"keepalive(?:_timeout)? (\d+)s", text)[0]) < 75
    assert "127.0.0.1:8000" in text
    assert "127.0.0.1:8001" in text


# Metrics


def metric_names(*expressions: str) -> set[str]:
    names = set(re.findall(r"\b(?:tessera|process)_\w+", " ".join(expressions)))
    return {SUFFIX.sub("", name) for name in names}


def known_metrics() -> set[str]:
    """The metrics that docs/observing.md lists, which another test compares with the code."""
    listed = set(re.findall(r"`(tessera_\w+)`", PAGES["observing"]))
    process = {sample.name for metric in ProcessCollector(registry=None).collect() for sample in metric.samples}
    return listed | process


def panels() -> list[dict[str, Any]]:
    return [panel for panel in json.loads(DASHBOARD.read_text())["panels"] if panel["type"] != "row"]


def test_the_dashboard_shows_every_metric_and_no_other() -> None:
    expressions = [target["expr"] for panel in panels() for target in panel["targets"]]
    displayed = metric_names(*expressions)
    assert displayed <= known_metrics()
    assert {name for name in known_metrics() if name.startswith("tessera_")} <= displayed


def test_every_panel_has_a_title_a_description_and_a_place_of_its_own() -> None:
    positions = [tuple(panel["gridPos"].values()) for panel in panels()]
    assert len(set(positions)) == len(positions)
    for panel in panels():
        assert panel["title"]
        assert panel["description"].endswith(".")
        assert panel["fieldConfig"]["defaults"]["unit"]


def test_every_rule_is_about_metrics_that_exist_and_says_what_to_do() -> None:
    (group,) = yaml.safe_load(RULES.read_text())["groups"]
    for rule in group["rules"]:
        assert metric_names(rule["expr"]) <= known_metrics(), rule["alert"]
        assert rule["labels"]["severity"] in ("critical", "warning")
        assert rule["annotations"]["summary"]
        assert rule["annotations"]["description"].endswith(".")


def test_every_rule_is_tested_to_fire_and_not_to_fire() -> None:
    (group,) = yaml.safe_load(RULES.read_text())["groups"]
    tested = yaml.safe_load((DEPLOY / "prometheus/tessera-rules.test.yml").read_text())["tests"]
    outcomes: dict[str, set[bool]] = {}
    for test in tested:
        for case in test["alert_rule_test"]:
            outcomes.setdefault(case["alertname"], set()).add(bool(case["exp_alerts"]))
    assert outcomes == {rule["alert"]: {True, False} for rule in group["rules"]}


# Scripts


@pytest.mark.parametrize("name", ["build", "rolling-upgrade", "check", "container/healthcheck", "container/stand-ins"])
def test_a_script_is_executable_and_parses(name: str) -> None:
    path = DEPLOY / name
    assert path.stat().st_mode & 0o111
    if path.read_text().startswith("#!/usr/bin/env python3"):
        compile(path.read_text(), name, "exec")
    else:
        assert subprocess.run(["bash", "-n", path], check=False).returncode == 0


def test_the_upgrade_replaces_every_service_of_compose_that_runs() -> None:
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    running = [name for name, item in compose["services"].items() if name != "postgres" and item.get("restart") != "no"]
    script = (DEPLOY / "rolling-upgrade").read_text()
    assert f"for service in {' '.join(running)}; do" in script
