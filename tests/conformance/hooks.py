"""pre-commit, unmodified, with the hooks of this checkout on a small repository of schemas and dbt models."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from tests.e2e.dbt_projects import Model, Project

from . import tools
from .documented_operations import ROOT
from .result import Result

if TYPE_CHECKING:
    from .suites import World

SECONDS = 900
SCHEMA = {"type": "object", "properties": {"id": {"type": "integer"}, "coupon": {"type": "string"}}, "required": ["id"]}
CONFIGURATION = """repos:
  - repo: {repository}
    rev: {revision}
    hooks:
      - id: tessera-diff
        args: [--mode, consumer]
      - id: tessera-dbt-impact
"""
IDENTITY = ("-c", "user.name=Ada", "-c", "user.email=ada@example.com", "-c", "commit.gpgsign=false")


def run_hooks(world: "World") -> Result:
    """Commit and push a compatible and a breaking change of a schema and of a model, with the hooks installed."""
    program = Path(tools.python(*tools.HOOKS)).with_name("pre-commit")
    with TemporaryDirectory(prefix="tessera-hooks-") as name:
        return _Repository(Path(name), program, world).check()


class _Repository:
    def __init__(self, folder: Path, program: Path, world: "World") -> None:
        self.work, self.program = folder / "shop", program
        self.hooks, self.world = folder / "tessera-gql", world
        self.failures: list[str] = []
        self.passed = 0
        self.project = Project("hooks_shop", "hooks_marts", (Model("orders", {"id": "bigint", "coupon": "varchar"}),))

    def check(self) -> Result:
        revision = self._copy_checkout()
        (self.work / "schemas").mkdir(parents=True)
        self._git(self.work, "init", "--quiet", "--initial-branch=main")
        configuration = CONFIGURATION.format(repository=self.hooks, revision=revision)
        (self.work / ".pre-commit-config.yaml").write_text(configuration)
        self._write_schema(SCHEMA)
        self._write_model(self.project)
        self._tessera("team", "create", "hooks-shop")
        self._tessera("team", "create", "hooks-growth")
        self._tessera("dbt", "sync", "target/manifest.json", "--owner", "hooks-shop")
        self._tessera("register", self.project.fqn("orders"), "--team", "hooks-growth", "--field", "coupon")
        self._git(self.work, "add", "--all")
        self._git(self.work, "commit", "--quiet", "--message", "Add the shop")
        self._expect("a compatible schema passes", "tessera-diff", 0, "")
        self._write_schema({**SCHEMA, "properties": {"id": {"type": "integer"}}})
        self._expect("a breaking schema is refused without a server", "tessera-diff", 1, "breaks")
        self._write_model(self.project.add_column("orders", "channel", "varchar"))
        self._expect("a compatible model passes", "tessera-dbt-impact", 0, "")
        self._write_model(self.project.drop_column("orders", "coupon"))
        self._expect("a model that breaks a reader is refused, and names it", "tessera-dbt-impact", 1, "hooks-growth")
        return Result(self.passed, len(self.failures), "\n".join(self.failures))

    def _copy_checkout(self) -> str:
        """Commit the files of this checkout to a repository of its own, and return the commit."""
        self.hooks.mkdir()
        listing = self._git(ROOT, "ls-files", "-z", "--cached", "--others", "--exclude-standard")
        files = [name for name in listing.split("\0") if name and not name.startswith(("tests/", "bench/", "docs/"))]
        for name in files:
            if (ROOT / name).is_file():
                (self.hooks / name).parent.mkdir(parents=True, exist_ok=True)
                (self.hooks / name).write_bytes((ROOT / name).read_bytes())
        self._git(self.hooks, "init", "--quiet", "--initial-branch=main")
        self._git(self.hooks, "add", "--all")
        self._git(self.hooks, "commit", "--quiet", "--message", "Release the hooks")
        return self._git(self.hooks, "rev-parse", "HEAD").strip()

    def _write_schema(self, schema: object) -> None:
        (self.work / "schemas/orders.json").write_text(json.dumps(schema, indent=2))

    def _write_model(self, project: Project) -> None:
        models = self.work / "models"
        models.mkdir(exist_ok=True)
        (models / "orders.sql").write_text(f"select {', '.join(project.get('orders').columns)} from raw\n")
        project.write(self.work)

    def _expect(self, claim: str, hook_id: str, code: int, text: str) -> None:
        self._git(self.work, "add", "--all")
        command = [
            self.program,
            "run",
            hook_id,
            "--all-files",
            "--hook-stage",
            "pre-push" if "dbt" in hook_id else "pre-commit",
        ]
        completed = self._run(command, self.work)
        output = completed.stdout + completed.stderr
        if completed.returncode == code and text in output:
            self.passed += 1
        else:
            self.failures.append(f"{claim}: exit {completed.returncode}\n{output}")

    def _tessera(self, *arguments: str) -> None:
        program = Path(sys.executable).with_name("tessera")
        completed = self._run([program, *arguments], self.work)
        if completed.returncode:
            self.failures.append(f"tessera {' '.join(arguments)}: {completed.stdout}{completed.stderr}")

    def _git(self, folder: Path, *arguments: str) -> str:
        completed = self._run(["git", "-C", folder, *IDENTITY, *arguments], folder)
        if completed.returncode:
            raise tools.Missing(f"git {' '.join(arguments)} failed: {completed.stderr}")
        return completed.stdout

    def _run(self, command: Sequence[str | Path], folder: Path) -> "subprocess.CompletedProcess[str]":
        variables = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("GIT_", "PYTHONPATH"))},
            "TESSERA_URL": self.world.locked.removesuffix("/graphql"),
            "TESSERA_API_KEY": self.world.key,
            "NO_COLOR": "1",
        }
        return subprocess.run(
            command, cwd=folder, env=variables, capture_output=True, text=True, check=False, timeout=SECONDS
        )
