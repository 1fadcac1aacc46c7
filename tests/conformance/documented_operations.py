"""Every documented operation, sent unchanged: those of the quickstart, the README and the SDK."""

import contextlib
import importlib.util
import io
import json
import re
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from graphql import OperationDefinitionNode, parse

from tessera_gql.client.enums import AcknowledgmentResponse, CompatibilityMode
from tessera_gql.client.errors import TesseraError
from tessera_gql.client.operation import UPLOAD_PLACEHOLDER, Operation, PaginatedQuery, Subscription
from tessera_gql.client.operations import (
    acknowledgments,
    catalog,
    manifests,
    proposals,
    publishing,
    registrations,
    teams,
)
from tessera_gql.client.operations import subscriptions as listening

from .client_process import ClientProcess, Failed, Reply

ROOT = Path(__file__).resolve().parents[2]
T = TypeVar("T")

Ask = Callable[[str, Reply], Reply]

V1 = {"type": "object", "properties": {"id": {"type": "integer"}, "coupon": {"type": "string"}}, "required": ["id"]}
V2 = {"type": "object", "properties": {"id": {"type": "string"}}, "required": ["id"]}
MANIFEST = {
    "metadata": {"dbt_schema_version": "https://schemas.getdbt.com/dbt/manifest/v12.json", "project_name": "p"},
    "nodes": {},
    "sources": {},
}


@dataclass
class Walk:
    """Execute operations through a client and record them; `plain` changes the same server without the client."""

    asker: ClientProcess
    plain: Ask
    asked: list[tuple[str, Reply]] = field(default_factory=list[tuple[str, Reply]])

    def ask(self, query: str, variables: Reply) -> Reply:
        found = self.asker.ask(query, variables)
        self.asked.append((query, variables))
        return found

    def run(self, operation: Operation[T]) -> T:
        return run(self.ask, operation)

    def every(self) -> None:
        quickstart(self.ask)
        readme(self)
        sdk(self.ask)
        subscriptions(self)


def run(ask: Ask, operation: Operation[T]) -> T:
    variables = json.dumps(operation.variables)
    if operation.upload is not None:
        variables = variables.replace(json.dumps(UPLOAD_PLACEHOLDER), operation.upload.decode())
    return operation.parse(ask(operation.document, json.loads(variables)))


def quickstart(ask: Ask) -> None:
    spec = importlib.util.spec_from_file_location("quickstart", ROOT / "examples/quickstart.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    output = io.StringIO()
    module.__dict__["call"] = lambda document, **variables: ask(document, variables)
    with contextlib.redirect_stdout(output):
        try:
            module.main()
        except SystemExit as error:
            raise Failed(f"the quickstart stopped: {output.getvalue()[-300:]} {error}") from None


def readme(walk: Walk) -> None:
    """Execute the README's operations; only the id of the proposal is inserted."""
    publish, acknowledge, subscribe = in_readme()
    for name in ("growth", "shop"):
        with contextlib.suppress(TesseraError):  # of an earlier client
            run(walk.plain, teams.create_team(name))
    with contextlib.suppress(TesseraError):
        run(walk.plain, catalog.create_asset(fqn="analytics.marts.orders", owner="shop"))
    walk.ask(publish, {})
    walk.asker.send(subscribe, {})
    for _ in range(20):  # until the subscription has begun to listen, nothing tells us
        proposal = proposed(walk.plain, "growth")
        if (message := walk.asker.receive(0.5)) is not None:
            break
    else:
        raise Failed("nothing came over the subscription of the README")
    if not (message.get("data") or {}).get("acknowledgmentRequested"):
        raise Failed(f"{message} for the subscription of the README")
    walk.asked.append((subscribe, {}))
    walk.ask(about(proposal, acknowledge), {})


def in_readme() -> list[str]:
    """The README's publish, acknowledgment and subscription."""
    return re.findall(r"```graphql\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)


def about(proposal: str, document: str) -> str:
    """The document with the id in place of its dots."""
    return re.sub(r'"[^"]*…"', json.dumps(proposal), document)


def proposed(ask: Ask, team: str) -> str:
    """The id of a new proposal about which the team is asked."""
    name = f"conformance.t{uuid.uuid4().hex[:8]}"
    run(ask, catalog.create_asset(fqn=name, owner="shop"))
    run(ask, publishing.publish_contract(fqn=name, schema_def=V1))
    run(ask, registrations.register(name, team=team))
    proposal = run(ask, publishing.publish_contract(fqn=name, schema_def=V2)).proposal
    if proposal is None:
        raise Failed("a breaking change was not proposed")
    return proposal.id


def sdk(ask: Ask) -> None:
    """Execute every operation of the SDK; needs the teams of the README."""

    def do(operation: Operation[T]) -> T:
        return run(ask, operation)

    mark = uuid.uuid4().hex[:8]
    do(teams.viewer())
    team = do(teams.create_team(f"team-{mark}", metadata={"made": ["by", 1]}))
    do(teams.get_team(team))
    do(teams.find_team("nobody"))
    do(catalog.create_asset(fqn=f"sdk.t{mark}", owner=team, description="read by all"))
    asset = do(catalog.update_asset(f"sdk.t{mark}", description=None))
    do(catalog.get_asset(asset))
    source = do(catalog.create_asset(fqn=f"sdk.s{mark}", owner="shop"))
    do(catalog.add_dependency(asset, source))
    do(publishing.publish_contract(fqn=f"sdk.t{mark}", schema_def=V1, dry_run=True))
    reading = do(registrations.register(asset, team="growth", fields=None))
    do(registrations.update_registration(reading.id, purpose="to see"))
    do(publishing.diff(V1, V2, mode=CompatibilityMode.FULL))
    do(publishing.impact(V2, asset=asset))
    _answered(ask)
    do(registrations.unregister(reading.id))
    do(manifests.sync_dbt(MANIFEST, owner="shop", dry_run=True))
    for listing in _listings():
        do(listing.first_page)


def subscriptions(walk: Walk) -> None:
    """Execute the subscriptions; needs an event of each subscribed kind."""
    for subscription in _subscriptions(walk.run(listening.events().first_page).items[0].cursor):
        message = walk.ask(subscription.document, {**subscription.variables, "after": subscription.after})
        subscription.parse(message)


def _answered(ask: Ask) -> None:
    proposal = proposed(ask, "growth")
    run(ask, proposals.get_proposal(proposal))
    run(ask, acknowledgments.inbox().first_page)
    run(ask, acknowledgments.inbox("growth").first_page)
    run(ask, proposals.acknowledge(proposal, AcknowledgmentResponse.APPROVED, team="growth"))
    contract = run(ask, proposals.publish_proposal(proposal))
    run(ask, publishing.get_contract(contract.id))
    run(ask, proposals.withdraw_proposal(proposed(ask, "growth")))


def _listings() -> Iterator[PaginatedQuery[Any]]:
    yield teams.teams()
    yield catalog.assets(fqn_contains="sdk")
    yield registrations.registrations()
    yield publishing.contracts()
    yield proposals.proposals()
    yield listening.events()


def _subscriptions(after: str) -> Iterator[Subscription[Any]]:
    yield listening.subscribe(after=after)
    yield listening.acknowledgment_requests("growth", after=after)
    yield listening.status_changes(after=after)


@dataclass(frozen=True)
class NamedOperation:
    """A document whose operation has a unique name, for tools that generate code from names."""

    name: str
    kind: str
    text: str
    variables: Reply


def name_operations(asked: list[tuple[str, Reply]]) -> Iterator[NamedOperation]:
    """Each document once, with a unique name for its operation."""
    texts, names = set[str](), set[str]()
    for text, variables in asked:
        if text in texts:
            continue
        texts.add(text)
        (node,) = parse(text).definitions
        assert isinstance(node, OperationDefinitionNode)
        kind = node.operation.value
        root = re.findall(r"\w+", text[node.selection_set.loc.start if node.selection_set.loc else 0 :])[0]
        stem, number = f"{root[0].upper()}{root[1:]}", 1
        while (name := f"{stem}{number if number > 1 else ''}{kind.capitalize()}") in names:
            number += 1
        names.add(name)
        yield NamedOperation(name, kind, _renamed(text, node, name), variables)


def _renamed(text: str, node: OperationDefinitionNode, name: str) -> str:
    if node.name and node.name.loc:
        return text[: node.name.loc.start] + name + text[node.name.loc.end :]
    match = re.search(rf"{node.operation.value}\b", text)
    assert match is not None
    return f"{text[: match.end()]} {name}{text[match.end() :]}"
