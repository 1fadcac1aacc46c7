"""The operations and models of the SDK agree with the schema of the server."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from types import ModuleType, UnionType
from typing import Any, get_args, get_origin

import pytest
from graphql import (
    GraphQLEnumType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLSchema,
    build_schema,
    get_named_type,
    parse,
    validate,
)

from tessera_gql.client import AsyncTesseraClient, TesseraClient, enums
from tessera_gql.client.base_model import FieldSelection, Model
from tessera_gql.client.effects import Pause, Post, TransportFailure
from tessera_gql.client.endpoint import Endpoint
from tessera_gql.client.http_exchange import execute_operation
from tessera_gql.client.operation import Operation, PaginatedQuery, Subscription
from tessera_gql.client.operations import (
    acknowledgments,
    ask_policies,
    catalog,
    change_sets,
    comments,
    coverage,
    debts,
    deprecations,
    fields,
    lineage,
    manifests,
    outlook,
    projects,
    proposals,
    publishing,
    registrations,
    search,
    subscriptions,
    teams,
    usage,
    webhooks,
)
from tessera_gql.client.result_models import RegistrationResult
from tessera_gql.client.webhook_models import DeletedWebhook, WebhookResult
from tessera_gql.client.websocket_exchange import CURRENT_CURSOR
from tessera_gql.config import Profile
from tessera_gql.graphql.schema import print_sdl
from tessera_gql.server.documents import DocumentCache
from tessera_gql.server.limits import Limits

LATER = datetime(2031, 1, 1, tzinfo=UTC)
SCHEMA: GraphQLSchema = build_schema(print_sdl())

BUILT: dict[str, Callable[[], Operation[Any] | PaginatedQuery[Any] | Subscription[Any]]] = {
    "viewer": teams.viewer,
    "create_team": lambda: teams.create_team("a"),
    "get_team": lambda: teams.get_team("a"),
    "find_team": lambda: teams.find_team("a"),
    "teams": lambda: teams.teams(name_contains="a"),
    "update_team": lambda: teams.update_team("a", delegate="b", delegate_until=LATER, escalation_team=None),
    "ask_policies": ask_policies.ask_policies,
    "create_webhook": lambda: webhooks.create_webhook(
        "mailto:a@example.com", format=enums.WebhookFormat.EMAIL, team="a", kinds=["TEAM_CREATED"]
    ),
    "update_webhook": lambda: webhooks.update_webhook(
        "a", kinds=None, is_active=False, rotate_secret=True, expected_row_version=1
    ),
    "delete_webhook": lambda: webhooks.delete_webhook("a"),
    "test_webhook": lambda: webhooks.test_webhook("a"),
    "redeliver_webhook": lambda: webhooks.redeliver_webhook("a"),
    "webhooks": webhooks.webhooks,
    "set_ask_policy": lambda: ask_policies.set_ask_policy(enums.AssetTier.HIGH, due_days=14, escalate_after_days=None),
    "create_project": lambda: projects.create_project("a", owners=("b",), schemas=("c.d",)),
    "update_project": lambda: projects.update_project("a", owners=("b",), schemas=(), expected_row_version=1),
    "get_project": lambda: projects.get_project("a"),
    "find_project": lambda: projects.find_project("a"),
    "projects": lambda: projects.projects(name_contains="a"),
    "create_usage_source": lambda: usage.create_usage_source("a"),
    "usage_sources": usage.usage_sources,
    "import_usage": lambda: usage.import_usage(b"", source="a", start=datetime(2026, 1, 1, tzinfo=UTC)),
    "principals": lambda: usage.principals(is_mapped=False, name_contains="a"),
    "principal_rules": usage.principal_rules,
    "map_principal": lambda: usage.map_principal("a*", "b"),
    "unmap_principal": lambda: usage.unmap_principal("a*"),
    "observations": lambda: usage.observations("a.b"),
    "coverage": lambda: coverage.coverage("a.b"),
    "unused_fields": lambda: coverage.unused_fields("a.b", LATER),
    "unused_fields_coverage": lambda: coverage.unused_fields_coverage("a.b", LATER),
    "register_observed_reader": lambda: coverage.register_observed_reader("id", team="a"),
    "narrowable_registrations": lambda: coverage.narrowable_registrations(asset_id="id", consumer_team_id="id"),
    "create_asset": lambda: catalog.create_asset(fqn="a.b", owner="a", resource_type="TABLE"),
    "update_asset": lambda: catalog.update_asset("a.b", owner="b", expected_row_version=1),
    "get_asset": lambda: catalog.get_asset("a.b"),
    "rename_asset": lambda: catalog.rename_asset("a.b", "a.c"),
    "set_asset_tier": lambda: catalog.set_asset_tier("a.b", enums.AssetTier.HIGH),
    "set_labels": lambda: fields.set_labels("a.b", ("pii",)),
    "fields": lambda: fields.fields("a.b"),
    "archive_asset": lambda: catalog.archive_asset("a.b"),
    "unarchive_asset": lambda: catalog.unarchive_asset("a.b"),
    "archive_team": lambda: teams.archive_team("a"),
    "unarchive_team": lambda: teams.unarchive_team("a"),
    "archived assets": lambda: catalog.assets(tier=enums.AssetTier.HIGH, is_archived=True),
    "archived teams": lambda: teams.teams(name_contains="a", is_archived=True),
    "comment": lambda: comments.comment("id", "which currency?", team="a"),
    "find_asset": lambda: catalog.find_asset("a.b"),
    "assets": lambda: catalog.assets(fqn_contains="a"),
    "add_dependency": lambda: catalog.add_dependency("a.b", "a.c"),
    "register": lambda: registrations.register("a.b", team="a", fields=("x",), consumer_asset="c.d"),
    "update_registration": lambda: registrations.update_registration("id", fields=None, purpose=None),
    "unregister": lambda: registrations.unregister("id"),
    "registrations": lambda: registrations.registrations(asset_id="id"),
    "publish_contract": lambda: publishing.publish_contract(fqn="a.b", schema_def={}, guarantees=None, dry_run=True),
    "publish_contract of a change set": lambda: publishing.publish_contract(
        fqn="a.b",
        schema_def={},
        intent=enums.Intent.ASK,
        change_set=publishing.ChangeSetRequest("repo#1", "a", "https://example.com"),
        require_explicit_publish=True,
    ),
    "extend_proposal": lambda: proposals.extend_proposal("id", LATER),
    "propose_retirement": lambda: proposals.propose_retirement(
        "a.b", reason="gone", team="a", change_set=publishing.ChangeSetRequest("repo#1"), supersede=True
    ),
    "get_change_set": lambda: change_sets.get_change_set("repo#1"),
    "change_sets": lambda: change_sets.change_sets(status=[enums.ChangeSetStatus.OPEN]),
    "withdraw_change_set": lambda: change_sets.withdraw_change_set("repo#1"),
    "publish_change_set": lambda: change_sets.publish_change_set("repo#1"),
    "contracts": lambda: publishing.contracts(asset_id="id"),
    "get_contract": lambda: publishing.get_contract("id"),
    "export_contract": lambda: publishing.export_contract("id"),
    "retire_contract": lambda: publishing.retire_contract("id"),
    "lineage": lambda: lineage.lineage("a.b", enums.LineageDirection.DOWNSTREAM, depth=2),
    "lineage_start": lambda: lineage.lineage_start("a.b"),
    "contract_diff": lambda: lineage.contract_diff("a", "b", mode=enums.CompatibilityMode.FULL),
    "impact": lambda: publishing.impact({}, asset="a.b", guarantees={}),
    "impact without fields": lambda: publishing.impact(asset="a.b", without_fields=["c"]),
    "impact of a document": lambda: publishing.impact(
        publishing.Document(enums.DocumentFormat.AVRO, "{}"), asset="a.b"
    ),
    "diff": lambda: publishing.diff({}, {}),
    "get_proposal": lambda: proposals.get_proposal("id"),
    "proposals": lambda: proposals.proposals(status=(enums.ProposalStatus.PENDING,)),
    "acknowledge": lambda: proposals.acknowledge("id", enums.AcknowledgmentResponse.APPROVED),
    "withdraw_proposal": lambda: proposals.withdraw_proposal("id"),
    "publish_proposal": lambda: proposals.publish_proposal("id"),
    "publish_proposal without coverage": lambda: proposals.publish_proposal("id", waive_coverage=True, reason="a"),
    "owes": lambda: outlook.owes("a"),
    "team_deprecations": lambda: outlook.team_deprecations("a"),
    "proposal_outlook": lambda: outlook.proposal_outlook("id"),
    "event_log": outlook.event_log,
    "inbox": acknowledgments.inbox,
    "inbox of a team": lambda: acknowledgments.inbox("a"),
    "inbox_groups": acknowledgments.inbox_groups,
    "reason_paths": lambda: acknowledgments.reason_paths("id"),
    "inbox_groups of a team": lambda: acknowledgments.inbox_groups("a"),
    "acknowledge_change_set": lambda: acknowledgments.acknowledge_change_set(
        "repo#1", enums.AcknowledgmentResponse.APPROVED, except_proposals=["id"]
    ),
    "debts": debts.debts,
    "debts of a team": lambda: debts.debts("a"),
    "acknowledge_debt": lambda: debts.acknowledge_debt("id", notes="a"),
    "search": lambda: search.search("orders", types=[enums.SearchType.ASSET], include_archived=True),
    "search_suggestions": lambda: search.search_suggestions("ord"),
    "deprecate": lambda: deprecations.deprecate("a.b", sunset_at=datetime(2031, 1, 1, tzinfo=UTC), fields=("a",)),
    "end_deprecation": lambda: deprecations.end_deprecation("a.b"),
    "deprecations": lambda: deprecations.deprecations("a.b"),
    "sync_dbt": lambda: manifests.sync_dbt(b"{}", owner="a", create_teams=True),
    "ask_dbt": lambda: manifests.ask_dbt(b"{}", change_set=publishing.ChangeSetRequest("a#1"), catalog=b"{}"),
    "dbt_impact": lambda: manifests.dbt_impact(b"{}"),
    "dbt_impact of a change set": lambda: manifests.dbt_impact(b"{}", change_set="a#1", schema_map={"a": "b"}),
    "events": lambda: subscriptions.events(kinds=("TEAM_CREATED",), team_id="id"),
    "subscribe": lambda: subscriptions.subscribe(asset_id="id", after="cursor"),
    "acknowledgment_requests": lambda: subscriptions.acknowledgment_requests("a"),
    "status_changes": lambda: subscriptions.status_changes(proposal_id="id"),
    "the latest cursor": lambda: CURRENT_CURSOR,
}


def document(name: str) -> str:
    built = BUILT[name]()
    return built.first_page.document if isinstance(built, PaginatedQuery) else built.document


@pytest.mark.parametrize("name", BUILT)
def test_every_operation_validates_against_the_schema(name: str) -> None:
    assert validate(SCHEMA, parse(document(name))) == []


@pytest.mark.parametrize("name", BUILT)
def test_every_operation_is_within_the_limits_of_a_locked_server(name: str) -> None:
    built = BUILT[name]()
    operation = built.first_page if isinstance(built, PaginatedQuery) else built
    refused = DocumentCache(SCHEMA, Limits(), Profile.LOCKED).prepare(operation.document, dict(operation.variables))
    assert not isinstance(refused, list), refused


def test_a_string_is_the_path_of_a_manifest_and_the_key_of_a_change_set(tmp_path: Path) -> None:
    file = tmp_path / "manifest.json"
    file.write_text('{"nodes": {}}')
    request = publishing.ChangeSetRequest("org/shop#1")
    by_key = manifests.ask_dbt(str(file), change_set="org/shop#1")
    assert by_key.variables == manifests.ask_dbt(file, change_set=request).variables
    assert by_key.upload == file.read_bytes()
    for retirement in ("org/shop#1", request):
        operation = proposals.propose_retirement("a.b", reason="Unused.", change_set=retirement)
        assert operation.variables["input"]["changeSet"] == {"key": "org/shop#1"}


def test_every_method_of_both_clients_is_a_tested_operation() -> None:
    other_methods = {"run", "iterate", "listen", "close", "endpoint"}
    for face in (TesseraClient, AsyncTesseraClient):
        methods = {name for name in dir(face) if not name.startswith("_")} - other_methods
        assert methods == {name for name in BUILT if " " not in name}


def _models() -> Iterator[type[Model]]:
    waiting = [Model]
    while waiting:
        for subclass in waiting.pop().__subclasses__():
            waiting.append(subclass)
            if subclass.__module__.startswith("tessera_gql.client"):  # the tools of agents have models of their own
                yield subclass


PAYLOADS = {RegistrationResult, WebhookResult, DeletedWebhook}
"""Models of payloads, whose fields are null only in a refusal."""
TYPES = {
    "SearchHit": "SearchResultEdge",
    "SearchResults": "SearchResultConnection",
    "TeamSummary": "Team",
    "ProjectSummary": "Project",
    "AssetSummary": "Asset",
    "ContractSummary": "Contract",
    "PublishedVersion": "Contract",
    "CausingProposal": "Proposal",
    "LabeledAsset": "Asset",
    "ProposalSummary": "Proposal",
    "ProposalDetails": "Proposal",
    "ChangeSetSummary": "ChangeSet",
    "ChangeSetProposal": "Proposal",
    "RetirementResult": "ProposeRetirementPayload",
    "DeprecationResult": "DeprecatePayload",
    "DeclaredDeprecations": "DeprecatePayload",
    "RegistrationPayload": "RegisterPayload",
    "ChangeSummary": "Change",
    "PendingAcknowledgment": "Acknowledgment",
    "ContractDocuments": "Contract",
    "Diff": "SchemaDiff",
    "ContractDiff": "SchemaDiff",
    "LineageAsset": "Asset",
    "LineageDependency": "AssetDependency",
    "PublishResult": "PublishContractPayload",
    "AcknowledgeResult": "AcknowledgeProposalPayload",
    "AskedTeam": "ImpactedTeam",
    "ModelImpact": "DbtModelImpact",
    "Dependency": "AssetDependency",
    "StatusChange": "ProposalStatusChanged",
    "UsageSourceSummary": "UsageSource",
    "PrincipalSummary": "Principal",
    "MappedPrincipals": "MapPrincipalPayload",
    "UnmappedPrincipals": "UnmapPrincipalPayload",
    "OpenProposal": "Proposal",
    "ReadDeprecation": "Deprecation",
    "PromisedAcknowledgment": "Acknowledgment",
    "ProposalOutlook": "Proposal",
    "Alternative": "Impact",
    "AlternativeAsk": "ImpactedTeam",
    "InboxProposal": "Proposal",
    "AnsweredProposal": "Proposal",
    "InboxAcknowledgment": "Acknowledgment",
    "AnsweredAcknowledgment": "Acknowledgment",
    "PublishedContract": "Contract",
    "ChangeSetAcknowledgment": "AcknowledgeChangeSetPayload",
    "CoverageGap": "UsageSpan",
    "CoverageSummary": "Coverage",
    "CoveredProposal": "Proposal",
    "SyncedProposal": "Proposal",
    "NarrowableRegistration": "Registration",
    "ObservedReader": "RegisterObservedReaderPayload",
    "UnmappedPrincipal": "Principal",
    "UnusedField": "AssetField",
    "UnusedFieldsCoverage": "UnusedFieldConnection",
}
REQUIRED_AFTER_SUCCESS = {
    ("PublishResult", "outcome"),
    ("AcknowledgeResult", "proposal"),
    ("RetirementResult", "proposal"),
    ("DeprecationResult", "asset"),
    ("DeprecationResult", "deprecations"),
    ("DeclaredDeprecations", "asset"),
    ("DeclaredDeprecations", "deprecations"),
    ("RegistrationPayload", "registration"),
    ("MappedPrincipals", "principal_rule"),
    ("MappedPrincipals", "principals_changed"),
    ("CoveredProposal", "coverage"),
    ("ObservedReader", "principal"),
    ("ObservedReader", "registrations"),
    ("UnmappedPrincipals", "pattern"),
    ("UnmappedPrincipals", "principals_changed"),
    ("ChangeSetAcknowledgment", "change_set"),
    ("ChangeSetAcknowledgment", "acknowledgments"),
    ("ChangeSetAcknowledgment", "contracts"),
}


@pytest.mark.parametrize("model", sorted({*_models()} - PAYLOADS, key=lambda one: one.__name__))
def test_every_model_agrees_with_the_schema_about_null_list_and_enum(model: type[Model]) -> None:
    kind = SCHEMA.get_type(TYPES.get(model.__name__, model.__name__))
    assert isinstance(kind, GraphQLObjectType), model
    for name, field in model.model_fields.items():
        served: Any = kind.fields[field.alias or name].type
        annotation = field.annotation
        if annotation is Any:
            continue
        optional = type(None) in get_args(annotation)
        if (model.__name__, name) not in REQUIRED_AFTER_SUCCESS:
            assert optional == (not isinstance(served, GraphQLNonNull)), (model, name)
        bare = served.of_type if isinstance(served, GraphQLNonNull) else served
        inner = (
            next((argument for argument in get_args(annotation) if argument is not type(None)), annotation)
            if optional
            else annotation
        )
        wrapped = any(isinstance(item, FieldSelection) and item.wrapper for item in field.metadata)
        if get_origin(inner) is not UnionType:
            assert (get_origin(inner) is tuple) == (isinstance(bare, GraphQLList) or wrapped), (model, name)
        item_type = get_args(inner)[0] if get_origin(inner) is tuple else inner
        if isinstance(item_type, type) and issubclass(item_type, StrEnum):
            assert get_named_type(served).name == item_type.__name__, (model, name)


def _enums(module: ModuleType) -> list[type[StrEnum]]:
    return [
        member
        for member in vars(module).values()
        if isinstance(member, type) and issubclass(member, StrEnum) and member is not StrEnum
    ]


@pytest.mark.parametrize("word", _enums(enums))
def test_the_enums_are_those_of_the_schema(word: type[StrEnum]) -> None:
    kind = SCHEMA.get_type(word.__name__)
    assert isinstance(kind, GraphQLEnumType)
    assert set(kind.values) == {item.value for item in word}


def test_importing_the_client_imports_nothing_of_the_server() -> None:
    code = "import json, sys, tessera_gql.client; print(json.dumps(sorted(sys.modules)))"
    completed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded: list[str] = json.loads(completed.stdout)
    ours = {name for name in loaded if name.startswith("tessera_gql.") and not name.startswith("tessera_gql.client")}
    assert ours == set()
    tops = {name.partition(".")[0] for name in loaded}
    foreign = {"sqlalchemy", "sqlmodel", "strawberry", "starlette", "uvicorn", "graphql", "alembic", "typer", "orjson"}
    assert tops & foreign == set()


def test_a_creating_mutation_has_its_own_idempotency_key_and_keeps_it_over_retries() -> None:
    first, second = teams.create_team("a"), teams.create_team("a")
    keys = {operation.variables["input"]["idempotencyKey"] for operation in (first, second)}
    assert len(keys) == 2
    steps = execute_operation(first, Endpoint("http://x"))
    attempts = [next(steps), *(steps.send(step) for step in (TransportFailure("lost", maybe_sent=True), None))]
    assert [type(attempt) for attempt in attempts] == [Post, Pause, Post]
    assert all(str(first.idempotency_key) in str(attempt) for attempt in attempts[::2])
