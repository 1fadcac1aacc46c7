"""Run the jobs of a GitHub Actions workflow for an event, against a repository and a platform on this machine.

The steps with `run:` are executed, and so are those of our own action in `action.yml`. Of the other actions,
`actions/checkout` clones the repository and `actions/setup-python` does nothing; the installation of packages is only
recorded, and `dbt` copies the artifacts that the commit has in `built`.
"""

import json
import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from tests.e2e.forking import programs_folder
from tests.e2e.server import ROOT, environment
from tests.e2e.workflow_expressions import evaluate, interpolate, to_text

PROGRAMS = {
    "pip": "#!/bin/sh\nexit 0\n",
    "dbt": "#!/bin/sh\nmkdir -p target && cp built/* target/\n",
    "python3": """#!/bin/sh
echo "$@" >> "$RUNNER_TEMP/installed"
if [ "$1 $2" = "-m venv" ]; then mkdir -p "$3/bin" && cp "$0" "$3/bin/python"; fi
""",
}
OWN_ACTION = "tessera/tessera-gql@"
WORKFLOW_KEYS = {"name", True, "permissions", "concurrency", "env", "jobs"}
"""`True` is the key `on` of YAML 1.1."""
STEP_KEYS = {"name", "id", "if", "env", "run", "uses", "with", "shell"}
ACTIONS = ("actions/checkout@", "actions/setup-python@")


@dataclass(frozen=True)
class Event:
    """An event of the platform: its name, payload, commit and ref."""

    name: str
    payload: Mapping[str, Any]
    commit: str
    ref: str


@dataclass
class JobResult:
    """The outcome of a job that ran: its exit code and the output of each step by its name or command."""

    exit_code: int = 0
    outputs: dict[str, str] = field(default_factory=dict[str, str])
    summary: str = ""
    installed: str = ""
    """The arguments with which Python was called to install packages."""
    action_outputs: dict[str, str] = field(default_factory=dict[str, str])
    """The outputs of our own action."""

    @property
    def text(self) -> str:
        return "\n".join(self.outputs.values())


@dataclass(frozen=True)
class Runner:
    """A runner of the platform at `api_url`, with the variables and secrets of the repository."""

    workflow: Path
    origin: Path
    folder: Path
    repository: str
    api_url: str
    variables: Mapping[str, str]
    secrets: Mapping[str, str]

    def run(self, event: Event) -> dict[str, JobResult]:
        """Run the jobs that the event starts, and return their results by name."""
        document = yaml.safe_load(self.workflow.read_text())
        assert set(document) <= WORKFLOW_KEYS, f"the runner knows no {set(document) - WORKFLOW_KEYS}"
        if not _is_triggered(document[True], event):
            return {}
        context = self.build_context(event)
        names = [name for name, job in document["jobs"].items() if evaluate(job.get("if", "true"), context)]
        return {name: self._run_job(document, document["jobs"][name], event) for name in names}

    def evaluate_concurrency(self, event: Event) -> tuple[str, bool]:
        """Return the group of a run, and whether it cancels the run before it."""
        concurrency = yaml.safe_load(self.workflow.read_text())["concurrency"]
        context = self.build_context(event)
        is_cancelling = evaluate(concurrency["cancel-in-progress"], context)
        return interpolate(concurrency["group"], context), bool(is_cancelling)

    def build_context(self, event: Event) -> dict[str, Any]:
        """The values for expressions. The branch of a fork gets no secrets."""
        head = event.payload.get("pull_request", {}).get("head", {}).get("repo", {}).get("full_name", self.repository)
        github = {
            "event": event.payload,
            "event_name": event.name,
            "ref": event.ref,
            "sha": event.commit,
            "repository": self.repository,
            "server_url": "https://github.com",
            "run_id": 1,
            "token": "token-of-the-run",
            "action_path": str(ROOT),
        }
        return {"github": github, "vars": self.variables, "secrets": self.secrets if head == self.repository else {}}

    def _run_job(self, document: Mapping[str, Any], job: Mapping[str, Any], event: Event) -> JobResult:
        work = self.folder / f"run-{len(list(self.folder.iterdir()))}"
        run = _JobRun(self, work, self.build_context(event) | {"steps": {}})
        run.install_programs()
        scopes = {**document.get("env", {}), **job.get("env", {})}
        for step in job["steps"]:
            assert set(step) <= STEP_KEYS, f"the runner knows no {set(step) - STEP_KEYS}"
            if evaluate(step.get("if", "true"), run.context) and run.run_step(step, scopes):
                break
        return run.finish()


@dataclass
class _JobRun:
    """One run of a job in its own folder."""

    runner: Runner
    work: Path
    context: dict[str, Any]
    result: JobResult = field(default_factory=JobResult)

    def install_programs(self) -> None:
        (self.work / "bin").mkdir(parents=True)
        (self.work / "temp").mkdir()
        (self.work / "event.json").write_text(json.dumps(self.context["github"]["event"]))
        for name, script in PROGRAMS.items():
            (self.work / "bin" / name).write_text(script)
            (self.work / "bin" / name).chmod(0o755)

    def run_step(self, step: Mapping[str, Any], scopes: Mapping[str, Any]) -> int:
        """Run a step and return its exit code."""
        if "uses" in step and step["uses"].startswith(OWN_ACTION):
            return self._run_action(step)
        if "uses" in step:
            self._use(step["uses"])
            return 0
        variables = {
            name: interpolate(to_text(value), self.context) for name, value in {**scopes, **step.get("env", {})}.items()
        }
        self.result.exit_code = self._execute(step, variables)
        if "id" in step:
            self.context["steps"][step["id"]] = {"outputs": self._read_outputs()}
        return self.result.exit_code

    def _use(self, action: str) -> None:
        assert action.startswith(ACTIONS), f"the runner knows no action {action}"
        if action.startswith(ACTIONS[0]):
            _git("clone", "--quiet", str(self.runner.origin), str(self._checkout))
            _git("-C", str(self._checkout), "checkout", "--quiet", self.context["github"]["sha"])

    def _run_action(self, step: Mapping[str, Any]) -> int:
        """Run the steps of our own action with the inputs of a step, and return its exit code."""
        action = yaml.safe_load((ROOT / "action.yml").read_text())
        values = {name: interpolate(to_text(value), self.context) for name, value in step.get("with", {}).items()}
        assert values.keys() <= action["inputs"].keys(), (
            f"the action has no input {values.keys() - action['inputs'].keys()}"
        )
        defaults = {name: declared.get("default", "") for name, declared in action["inputs"].items()}
        inputs = {name: interpolate(text, self.context) for name, text in defaults.items()} | values
        workflow = self.context
        self.context = {"github": workflow["github"], "inputs": inputs, "steps": {}}
        try:
            for inner in action["runs"]["steps"]:
                assert set(inner) <= STEP_KEYS, f"the runner knows no {set(inner) - STEP_KEYS}"
                assert inner["shell"] == "bash"
                if evaluate(inner.get("if", "true"), self.context) and self.run_step(inner, {}):
                    break
            outputs = {name: interpolate(output["value"], self.context) for name, output in action["outputs"].items()}
        finally:
            self.context = workflow
        self.result.action_outputs = outputs
        if "id" in step:
            self.context["steps"][step["id"]] = {"outputs": outputs}
        return self.result.exit_code

    def _execute(self, step: Mapping[str, Any], variables: Mapping[str, str]) -> int:
        script = self.work / "script.sh"
        script.write_text(interpolate(step["run"], self.context))
        options = ["--noprofile", "--norc", "-eo", "pipefail"] if "shell" in step else ["-e"]
        completed = subprocess.run(
            ["bash", *options, str(script)],
            cwd=self._checkout if self._checkout.exists() else self.work,
            env=environment(**self._build_variables(), **variables),
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        self.result.outputs[step.get("name", step["run"])] = completed.stdout + completed.stderr
        return completed.returncode

    def _build_variables(self) -> dict[str, str]:
        """The variables that the platform sets for every step."""
        github = self.context["github"]
        names = {"GITHUB_REPOSITORY": "repository", "GITHUB_EVENT_NAME": "event_name", "GITHUB_REF": "ref"}
        names |= {"GITHUB_SHA": "sha", "GITHUB_SERVER_URL": "server_url"}
        return {
            **{name: to_text(github[key]) for name, key in names.items()},
            "CI": "true",
            "GITHUB_ACTIONS": "true",
            "GITHUB_API_URL": self.runner.api_url,
            "GITHUB_OUTPUT": str(self.work / "outputs"),
            "GITHUB_PATH": str(self.work / "path"),
            "GITHUB_WORKSPACE": str(self._checkout),
            "GITHUB_EVENT_PATH": str(self.work / "event.json"),
            "RUNNER_TEMP": str(self.work / "temp"),
            "GITHUB_STEP_SUMMARY": str(self.work / "summary"),
            "PATH": os.pathsep.join([*self._read_paths(), str(programs_folder()), os.environ["PATH"]]),
            "HOME": str(self.work),
        }

    @property
    def _checkout(self) -> Path:
        return self.work / "checkout"

    def _read_paths(self) -> list[str]:
        """The folders of programs: those that steps have added, the last one first, and the runner's own."""
        file = self.work / "path"
        added = file.read_text().splitlines() if file.exists() else []
        return [*reversed(added), str(self.work / "bin")]

    def _read_outputs(self) -> dict[str, str]:
        """The outputs of the step that ran last."""
        file = self.work / "outputs"
        lines = file.read_text().splitlines() if file.exists() else []
        file.unlink(missing_ok=True)
        return {name: value for name, _, value in (line.partition("=") for line in lines)}

    def finish(self) -> JobResult:
        file = self.work / "summary"
        self.result.summary = file.read_text() if file.exists() else ""
        installed = self.work / "temp/installed"
        self.result.installed = installed.read_text() if installed.exists() else ""
        return self.result


def _is_triggered(triggers: Mapping[str, Any], event: Event) -> bool:
    if event.name not in triggers:
        return False
    if event.name == "schedule":
        return True
    conditions = triggers[event.name] or {}
    branches, types = conditions.get("branches"), conditions.get("types")
    is_branch = branches is None or event.ref.removeprefix("refs/heads/") in branches
    return is_branch and (types is None or event.payload.get("action") in types)


def _git(*arguments: str) -> None:
    completed = subprocess.run(["git", *arguments], capture_output=True, text=True, check=False)
    assert completed.returncode == 0, completed.stderr
