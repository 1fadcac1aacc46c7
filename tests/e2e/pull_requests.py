"""Teams, a dbt project and its pull requests against a running server that requires keys, by the commands of CI."""

import itertools
import json
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from tests.e2e.dbt_projects import DATABASE, Model, Project
from tests.e2e.server import Running, run_tessera

ADMIN_KEY = "an-administrators-key-for-pull-requests"
NUMBERS = itertools.count(1)

ORDERS = Model(
    "orders",
    {"order_id": "bigint", "ordered_at": "timestamp", "status": "varchar", "coupon": "varchar"},
    not_null=("order_id",),
)
CUSTOMERS = Model("customers", {"customer_id": "bigint", "email": "varchar"})

CREATE_TEAM = "mutation($input: CreateTeamInput!) { createTeam(input: $input) { errors { message } } }"
CREATE_KEY = "mutation($input: CreateApiKeyInput!) { createApiKey(input: $input) { token errors { message } } }"
CREATE_PROJECT = "mutation($input: CreateProjectInput!) { createProject(input: $input) { errors { message } } }"
REGISTER = "mutation($input: RegisterInput!) { register(input: $input) { errors { message } } }"
ANSWER = """mutation($input: AcknowledgeProposalInput!) {
  acknowledgeProposal(input: $input) { proposal { status } errors { message } }
}"""
ASSET = """query($fqn: String!) { asset(by: {fqn: $fqn}) {
  owner { name } currentContract { version schema } openProposal { id status reason awaiting { name } }
  proposals(first: 50) { nodes { id status } }
  registrations(first: 50) { nodes { consumerTeam { name } fields } }
} }"""
REQUESTS = """query($fqn: String!) { asset(by: {fqn: $fqn}) {
  events(first: 0, filter: {kind: {eq: ACKNOWLEDGMENT_REQUESTED}}) { totalCount }
} }"""


@dataclass(frozen=True)
class Report:
    """Exit code and output of a command with `--json`."""

    code: int
    body: dict[str, Any]
    error: str

    def model(self, fqn: str) -> dict[str, Any]:
        """The row of a table; every table that changes, is asked for or refused has one."""
        rows = [row for key in ("models", "removed") for row in self.body.get(key, ()) if row["fqn"] == fqn]
        assert rows, f"{fqn} is not in {self.body}"
        return dict(rows[0])

    @property
    def text(self) -> str:
        return json.dumps(self.body) + self.error


@dataclass(frozen=True)
class Repository:
    """The checkout of a dbt project whose CI has a key of that project."""

    server: Running
    folder: Path
    key: str

    def run(self, *arguments: str, key: str | None = None, **settings: str) -> "subprocess.CompletedProcess[str]":
        settings = {"TESSERA_URL": self.server.url, "TESSERA_API_KEY": key or self.key, **settings}
        return run_tessera(*arguments, cwd=self.folder, **settings)

    def gate(self, project: Project, *options: str, **artifacts: bool) -> Report:
        """`tessera dbt impact` on the artifacts of the project."""
        return self._report("impact", project, options, artifacts)

    def ask(self, project: Project, change_set: str, *options: str) -> Report:
        """`tessera dbt impact --ask` for a pull request, as its workflow does on every push."""
        return self.gate(project, "--ask", "--change-set", change_set, *options)

    def sync(self, project: Project, *options: str, **artifacts: bool) -> Report:
        """`tessera dbt sync`, as the workflow does after the merge."""
        return self._report("sync", project, options, artifacts)

    def plan(self, project: Project, *options: str, **artifacts: bool) -> Report:
        return self._report("plan", project, options, artifacts)

    def _report(self, verb: str, project: Project, options: Sequence[str], artifacts: Mapping[str, bool]) -> Report:
        manifest = project.write(self.folder, **artifacts)
        completed = self.run("dbt", verb, str(manifest), "--json", *options)
        assert "Traceback" not in completed.stderr, completed.stderr
        body = json.loads(completed.stdout) if completed.stdout.strip() else {}
        return Report(completed.returncode, body, completed.stderr)


@dataclass
class Company:
    """Teams with keys on a server that other tests use too: names end in a number."""

    server: Running
    folder: Path
    number: int = field(default_factory=lambda: next(NUMBERS))
    keys: dict[str, str] = field(default_factory=dict[str, str])

    def name(self, name: str) -> str:
        return f"{name}-{self.number}"

    def mutate(self, document: str, key: str = ADMIN_KEY, **fields: Any) -> dict[str, Any]:
        (payload,) = self.query(document, key, input=fields).values()
        assert payload["errors"] == [], payload
        return dict(payload)

    def query(self, document: str, key: str = ADMIN_KEY, **variables: Any) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {key}"}
        body = {"query": document, "variables": variables}
        reply = httpx.post(f"{self.server.url}/graphql", json=body, headers=headers, timeout=30).json()
        assert "errors" not in reply, reply
        return dict(reply["data"])

    def hire(self, *teams: str) -> None:
        """Create teams, each with a key of the scope WRITE."""
        for team in map(self.name, teams):
            self.mutate(CREATE_TEAM, name=team)
            self.keys[team] = self.mutate(CREATE_KEY, name=team, team={"name": team}, scopes=["READ", "WRITE"])["token"]

    def start_project(self, name: str, *owners: str) -> Repository:
        """Create the teams that own a dbt project, the project, and the key of its CI."""
        self.hire(*owners)
        schema = f"{DATABASE}.{self.schema(name)}"
        refs = [{"name": self.name(owner)} for owner in owners]
        self.mutate(CREATE_PROJECT, name=self.name(name), owners=refs, schemas=[schema])
        arguments = {"project": {"name": self.name(name)}, "scopes": ["READ", "WRITE"]}
        token = self.mutate(CREATE_KEY, name="CI", **arguments)["token"]
        folder = self.folder / self.name(name)
        folder.mkdir()
        return Repository(self.server, folder, token)

    def schema(self, project: str) -> str:
        return f"{project}_{self.number}"

    def change_set(self, number: int) -> str:
        """The key of a pull request."""
        return f"github.com/acme/{self.name('shop')}#{number}"

    def project(self, name: str, *models: Model, **fields: Any) -> Project:
        return Project(self.name(name), self.schema(name), models, **fields)

    def register(self, team: str, fqn: str, *fields: str, purpose: str | None = None) -> None:
        """Register a team as reader of columns, or of everything."""
        reader = self.name(team)
        arguments = {"asset": {"fqn": fqn}, "team": {"name": reader}, "fields": list(fields) or None}
        self.mutate(REGISTER, self.keys[reader], **arguments, purpose=purpose)

    def answer(self, team: str, fqn: str, response: str = "APPROVED", notes: str | None = None) -> str:
        """Answer the open proposal for a table, and return its status."""
        reader, proposal = self.name(team), self.find_proposal(fqn)
        assert proposal, f"{fqn} has no open proposal"
        arguments = {"proposal": proposal["id"], "team": {"name": reader}, "response": response, "notes": notes}
        payload = self.mutate(ANSWER, self.keys[reader], **arguments)
        return str(payload["proposal"]["status"])

    def asset(self, fqn: str) -> dict[str, Any]:
        return dict(self.query(ASSET, fqn=fqn)["asset"])

    def find_proposal(self, fqn: str) -> dict[str, Any] | None:
        proposal: dict[str, Any] | None = self.asset(fqn)["openProposal"]
        return proposal

    def find_version(self, fqn: str) -> str | None:
        contract = self.asset(fqn)["currentContract"]
        return contract and str(contract["version"])

    def columns(self, fqn: str) -> set[str]:
        return set(self.asset(fqn)["currentContract"]["schema"]["properties"])

    def count_requests(self, fqn: str) -> int:
        """How many requests for an answer all proposals for a table have sent."""
        return int(self.query(REQUESTS, fqn=fqn)["asset"]["events"]["totalCount"])


def start_shop(company: Company, *models: Model) -> tuple[Repository, Project]:
    """Sync the first version of a project, and return its repository and that version."""
    repository = company.start_project("shop", "shop")
    project = company.project("shop", *(models or (ORDERS, CUSTOMERS)))
    report = repository.sync(project, "--owner", company.name("shop"))
    assert report.code == 0, report.text
    return repository, project


def add_readers(company: Company, fqn: str) -> None:
    """Register growth and finance as readers of the coupon, and support as a reader of the status."""
    company.hire("growth", "finance", "support")
    company.register("growth", fqn, "coupon", purpose="Which campaigns sell.")
    company.register("finance", fqn)
    company.register("support", fqn, "order_id", "status")
