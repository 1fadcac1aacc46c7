"""A repository on the platform of GitHub with a workflow, and the server of a company, for tests of workflows."""

import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.e2e.dbt_projects import Model, Project
from tests.e2e.github_api import GitHub, serving_github
from tests.e2e.pull_requests import ADMIN_KEY, Company
from tests.e2e.server import serving
from tests.e2e.workflow_runner import Event, JobResult, Runner

ORDERS = Model("orders", {"order_id": "bigint", "coupon": "varchar"}, not_null=("order_id",))
SCHEDULE = Event("schedule", {}, "0" * 40, "refs/heads/main")


@dataclass
class Platform:
    """A repository on the platform, with its runner and the server of the company."""

    company: Company
    github: GitHub
    runner: Runner
    checkout: Path
    asking: str = "ask"
    """Names of the jobs that ask and publish."""
    publishing: str = "publish"

    def push(self, project: Project, branch: str) -> str:
        """Commit the artifacts of the project to a branch of the repository, and return the commit."""
        self.git("checkout", "--quiet", "-B", branch)
        built = self.checkout / "built"
        project.write(self.checkout)
        shutil.rmtree(built, ignore_errors=True)
        (self.checkout / "target").rename(built)
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", f"Change {branch}")
        self.git("push", "--quiet", "--force", "origin", branch)
        return self.git("rev-parse", "HEAD").strip()

    def git(self, *arguments: str) -> str:
        names = ("-c", "user.name=Ada", "-c", "user.email=ada@example.com")
        completed = subprocess.run(
            ["git", "-C", self.checkout, *names, *arguments], capture_output=True, text=True, check=False
        )
        assert completed.returncode == 0, completed.stderr
        return completed.stdout

    def open(self, project: Project, number: int = 4711, action: str = "opened") -> JobResult:
        """Push the branch of a pull request, and run the job that the event starts."""
        commit = self.push(project, f"change-{number}")
        return self.deliver(build_pull_request(number, action, commit))[self.asking]

    def merge(self, project: Project) -> JobResult:
        commit = self.push(project, "main")
        return self.deliver(Event("push", {}, commit, "refs/heads/main"))[self.publishing]

    def deliver(self, event: Event) -> dict[str, JobResult]:
        return self.runner.run(event)

    def head(self) -> str:
        """The commit that was pushed last."""
        return self.git("rev-parse", "HEAD").strip()

    def states(self, commit: str) -> list[str]:
        assert {status["context"] for status in self.github.statuses[commit]} == {"tessera/contracts"}
        return [status["state"] for status in self.github.statuses[commit]]


def build_pull_request(number: int, action: str, commit: str, **fields: Any) -> Event:
    pull_request = {
        "title": 'Drop the coupon, "for good" $(touch injected)',
        "html_url": f"https://github.com/acme/shop/pull/{number}",
        "merged": False,
        "head": {"sha": commit, "repo": {"full_name": "acme/shop"}},
        **fields,
    }
    payload = {"action": action, "number": number, "pull_request": pull_request}
    return Event("pull_request", payload, commit, f"refs/pull/{number}/merge")


@contextmanager
def serving_platform(folder: Path, workflow: Path, settings: Mapping[str, str], **jobs: str) -> Iterator[Platform]:
    """Serve the platform and the company's server until the block is left."""
    for name in ("server", "projects", "runs"):
        (folder / name).mkdir()
    origin, checkout = folder / "origin.git", folder / "checkout"
    subprocess.run(["git", "init", "--quiet", "--bare", "--initial-branch=main", origin], check=True)
    subprocess.run(["git", "clone", "--quiet", origin, checkout], check=True, capture_output=True)
    with serving(folder / "server", ADMIN_KEY=ADMIN_KEY, **settings) as server, serving_github() as github:
        company = Company(server, folder / "projects")
        key = company.start_project("shop", "shop").key
        variables, secrets = {"TESSERA_URL": server.url}, {"TESSERA_API_KEY": key}
        runner = Runner(workflow, origin, folder / "runs", "acme/shop", github.url, variables, secrets)
        yield Platform(company, github, runner, checkout, **jobs)


def merge_shop(platform: Platform) -> Project:
    """Merge the first version of a project into main, which growth reads, and return it."""
    company = platform.company
    project = company.project("shop", Model("orders", ORDERS.columns, company.name("shop"), not_null=("order_id",)))
    merged = platform.merge(project)
    assert merged.exit_code == 0, merged.text
    company.hire("growth")
    company.register("growth", project.fqn("orders"), "coupon")
    return project
