"""Build the image, run docker-compose.yml, and upgrade it under load: what `deploy/check` does with an engine."""

import http.client
import itertools
import json
import os
import secrets
import shutil
import socket
import subprocess
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

ROOT = Path(__file__).resolve().parents[2]
LOCKED_DOWN = ("--read-only", "--tmpfs", "/tmp", "--cap-drop", "ALL", "--security-opt", "no-new-privileges")
SERVICES = ("api", "api-2", "worker")
CLIENTS = 6
PAUSE_SECONDS = 0.05
REQUESTS_TO_A_MUTATION = 20
"""At most six mutations a second of all clients, below the limit of a key, however long the upgrade takes."""


@dataclass
class Trial:
    """A project of compose with names, ports and secrets of its own."""

    engine: str
    compose: Sequence[str]
    folder: Path
    images: dict[str, str] = field(default_factory=dict)
    project: str = field(default_factory=lambda: f"tessera-trial-{secrets.token_hex(3)}")
    ports: tuple[int, int] = field(default_factory=lambda: (free_port(), free_port()))

    @property
    def image(self) -> str:
        return f"{self.project}:latest"

    @property
    def environment(self) -> dict[str, str]:
        own = {
            "COMPOSE_PROJECT_NAME": self.project,
            "SECRETS_FOLDER": str(self.folder / "secrets"),
            "SBOM": str(self.folder / "bill-of-materials.json"),
            "TESSERA_PORT": str(self.ports[0]),
            "TESSERA_PORT_2": str(self.ports[1]),
            "TESSERA_IMAGE": self.project,
            "IMAGE": self.project,
            "ENGINE": self.engine,
            "COMPOSE": " ".join(self.compose),
        }
        return {**os.environ, **own, **self.images}

    def run(self, *command: str, check: bool = True, timeout: float = 900) -> "subprocess.CompletedProcess[str]":
        process = subprocess.run(
            command, cwd=ROOT, env=self.environment, capture_output=True, text=True, check=False, timeout=timeout
        )
        if check and process.returncode:
            lines = (process.stdout + process.stderr).splitlines()[-15:]
            raise AssertionError("\n".join([f"{' '.join(command)} exited with {process.returncode}:", *lines]))
        return process

    def write_secrets(self) -> None:
        folder = self.folder / "secrets"
        folder.mkdir()
        password = secrets.token_hex(24)
        contents = {
            "admin_key": secrets.token_hex(24),
            "secrets_key": self.run("openssl", "rand", "-base64", "32").stdout,
            "postgres_password": password,
            "database_url": f"postgresql://tessera:{password}@postgres/tessera",
        }
        for name, text in contents.items():
            (folder / name).write_text(text)
            (folder / name).chmod(0o644)

    def container(self, service: str) -> str:
        return self.run(*self.compose, "ps", "-q", service).stdout.strip()

    def inspect(self, name: str, template: str) -> str:
        return self.run(self.engine, "inspect", "--format", template, name).stdout.strip()

    @contextmanager
    def container_running(self, *arguments: str) -> Iterator[str]:
        """Run a container of the image, as locked down as those of compose, with an empty volume."""
        name, volume = f"{self.project}-{secrets.token_hex(3)}", f"{self.project}-{secrets.token_hex(3)}"
        options, command = (arguments[: arguments.index("--")], arguments[arguments.index("--") + 1 :])
        try:
            storage = ("-v", f"{volume}:/var/lib/tessera")
            self.run(self.engine, "run", "-d", "--name", name, *LOCKED_DOWN, *storage, *options, self.image, *command)
            yield name
        finally:
            self.run(self.engine, "rm", "-f", name, check=False)
            self.run(self.engine, "volume", "rm", volume, check=False)

    def logs(self, name: str) -> str:
        process = self.run(self.engine, "logs", name)
        return process.stdout + process.stderr

    def wait_until_healthy(self, name: str, seconds: float = 120) -> None:
        deadline = time.monotonic() + seconds
        while (state := self.inspect(name, "{{.State.Status}} {{.State.Health.Status}}")) != "running healthy":
            if time.monotonic() > deadline or state.startswith("exited"):
                raise AssertionError(f"{name} is {state}:\n{self.logs(name)[-2000:]}")
            time.sleep(0.5)

    def stop_everything(self) -> None:
        self.run(*self.compose, "down", "--volumes", "--timeout", "5", check=False)
        listing = self.run(self.engine, "images", "--format", "{{.Repository}}:{{.Tag}}", check=False).stdout
        for name in listing.split():
            if name.startswith((f"{self.project}:", f"localhost/{self.project}:")):
                self.run(self.engine, "rmi", "-f", name, check=False)


@dataclass
class Load:
    """Clients that send queries and mutations through a proxy until the block is left, and count what they get."""

    url: str
    key: str
    outcomes: Counter[str] = field(default_factory=Counter)
    ended: threading.Event = field(default_factory=threading.Event)

    @contextmanager
    def running(self) -> Iterator[None]:
        threads = [threading.Thread(target=self._work) for _ in range(CLIENTS)]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self.ended.set()
            for thread in threads:
                thread.join()

    def _work(self) -> None:
        connection = http.client.HTTPConnection(urlsplit(self.url).netloc, timeout=60)
        query = "{ teams(first: 2) { nodes { name } } }"
        for number in itertools.count():
            if self.ended.wait(PAUSE_SECONDS):
                return
            change = f'mutation {{ createTeam(input: {{name: "t{secrets.token_hex(8)}"}}) {{ errors {{ message }} }} }}'
            kind, document = ("query", query) if number % REQUESTS_TO_A_MUTATION else ("mutation", change)
            self.outcomes[self._send(connection, kind, document)] += 1

    def _send(self, connection: http.client.HTTPConnection, kind: str, document: str) -> str:
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {self.key}"}
        try:
            connection.request("POST", "/graphql", json.dumps({"query": document}), headers)
            response = connection.getresponse()
            body = response.read()
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            return f"{kind}: {error!r}"
        is_done = response.status == 200 and "errors" not in json.loads(body)
        return "done" if is_done else f"{kind}: {response.status} {body[:100]!r}"


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def read(port: int, path: str) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request("GET", path)
    return connection.getresponse().status


@contextmanager
def caddy(trial: Trial) -> Iterator[str]:
    """Run Caddy with deploy/proxies/Caddyfile, but for the name and the ports."""
    port = free_port()
    text = (ROOT / "deploy/proxies/Caddyfile").read_text()
    text = text.replace("data.example.com {", f"http://127.0.0.1:{port} {{")
    text = text.replace("127.0.0.1:8000", f"127.0.0.1:{trial.ports[0]}").replace(
        "127.0.0.1:8001", f"127.0.0.1:{trial.ports[1]}"
    )
    file = trial.folder / "Caddyfile"
    file.write_text("{\n\tadmin off\n\tauto_https off\n}\n" + text)
    variables = {**os.environ, "HOME": str(trial.folder), "XDG_DATA_HOME": str(trial.folder)}
    command = ["caddy", "run", "--config", str(file), "--adapter", "caddyfile"]
    with (trial.folder / "caddy.log").open("w") as log:
        process = subprocess.Popen(command, env=variables, stdout=log, stderr=log)
    try:
        deadline = time.monotonic() + 30
        while True:
            try:
                if read(port, "/readyz") == 200:
                    break
            except OSError:
                pass
            if time.monotonic() > deadline:
                raise AssertionError((trial.folder / "caddy.log").read_text()[-2000:])
            time.sleep(0.2)
        time.sleep(2)  # for a check of each server
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(10)


def check_image(trial: Trial) -> str:
    labels = json.loads(trial.inspect(trial.image, "{{json .Config.Labels}}"))
    version = labels["org.opencontainers.image.version"]
    assert f'version = "{version}"' in (ROOT / "pyproject.toml").read_text()
    assert labels["org.opencontainers.image.revision"] != "unknown"
    bill = json.loads((trial.folder / "bill-of-materials.json").read_text())
    assert bill["metadata"]["component"]["name"] == "tessera-gql"
    names = {component["name"] for component in bill["components"]}
    assert {"graphql-core", "sqlalchemy", "uvicorn"} <= names
    size = int(trial.inspect(trial.image, "{{.Size}}")) / 1e6
    return f"version {version}, {len(names)} packages in the bill of materials, {size:.0f} MB with the base"


def check_sqlite_on_a_fresh_volume(trial: Trial) -> str:
    proxies = ("-e", "http_proxy=http://127.0.0.1:9", "-e", "HTTP_PROXY=http://127.0.0.1:9", "-e", "LOG_FORMAT=json")
    for user in ((), ("--user", "123456:0")):
        with trial.container_running(*proxies, *user, "--") as name:
            trial.wait_until_healthy(name)
            lines = trial.logs(name).splitlines()
            assert all(json.loads(line)["event"] for line in lines), lines
    with trial.container_running("--user", "123456:123456", "--") as name:
        while trial.inspect(name, "{{.State.Status}}") == "running":
            time.sleep(0.2)
        assert "/var/lib/tessera belongs to user 10001, and this process is user 123456" in trial.logs(name)
    return "healthy as users 10001 and 123456 behind an http_proxy; every line is JSON; a foreign volume is named"


def check_sigterm_while_starting(trial: Trial) -> str:
    with trial.container_running("-e", "DATABASE_URL=postgresql://a:b@127.0.0.1:9/c", "--") as name:
        while "Waiting for up to" not in trial.logs(name):
            assert trial.inspect(name, "{{.State.Status}}") == "running", trial.logs(name)
            time.sleep(0.2)
        started = time.monotonic()
        trial.run(trial.engine, "stop", "-t", "20", name)
        took = time.monotonic() - started
        assert took < 10
        assert trial.inspect(name, "{{.State.ExitCode}}") == "143"
    return f"stopped in {took:.1f} seconds while it waited for its database"


def check_compose(trial: Trial) -> str:
    started = time.monotonic()
    trial.run(*trial.compose, "up", "-d")
    for service in SERVICES:
        trial.wait_until_healthy(trial.container(service))
    took = time.monotonic() - started
    assert [read(port, "/readyz") for port in trial.ports] == [200, 200]
    images = {trial.inspect(trial.container(service), "{{.Image}}") for service in SERVICES}
    assert len(images) == 1
    return f"all healthy from an empty volume after {took:.0f} seconds, one image for all"


def check_rolling_upgrade(trial: Trial) -> str:
    before = {service: trial.container(service) for service in SERVICES}
    dockerfile = f"FROM {trial.image}\nLABEL trial=upgraded\n"
    folder = trial.folder / "changed"
    folder.mkdir()
    (folder / "Dockerfile").write_text(dockerfile)
    trial.run(trial.engine, "build", "--tag", trial.image, str(folder))
    key = (trial.folder / "secrets/admin_key").read_text()
    with caddy(trial) as url:
        load = Load(url, key)
        with load.running():
            time.sleep(2)
            trial.run("deploy/rolling-upgrade", "--no-build")
            time.sleep(2)
    assert all(trial.container(service) != container for service, container in before.items())
    assert set(load.outcomes) == {"done"}, load.outcomes
    return f"{load.outcomes['done']} queries and mutations through Caddy, none failed"


CHECKS = {
    "image": check_image,
    "sqlite": check_sqlite_on_a_fresh_volume,
    "sigterm": check_sigterm_while_starting,
    "compose": check_compose,
    "rolling upgrade": check_rolling_upgrade,
}


def try_everything(
    engine: str, compose: Sequence[str], images: dict[str, str]
) -> Iterator[tuple[str, str | None, str]]:
    """Yield each check with None and what it saw, or with the fault."""
    with tempfile.TemporaryDirectory(prefix="tessera-trial-") as name:
        trial = Trial(engine, compose, Path(name), images)
        try:
            trial.write_secrets()
            trial.run("deploy/build", "--network", "host", timeout=1800)
            for title, check in CHECKS.items():
                if title == "rolling upgrade" and shutil.which("caddy") is None:
                    yield title, "skipped", "there is no caddy on this machine"
                    continue
                try:
                    yield title, None, check(trial)
                except (AssertionError, subprocess.SubprocessError, OSError, ValueError) as error:
                    yield title, "failed", f"{type(error).__name__}: {error}"
        except (AssertionError, subprocess.SubprocessError) as error:
            yield "build", "failed", str(error)
        finally:
            trial.stop_everything()
