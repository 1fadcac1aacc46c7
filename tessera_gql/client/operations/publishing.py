"""Operations on contracts, and the computation of impact and diff."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, TypeAlias, TypedDict

from typing_extensions import Unpack

from tessera_gql.client.enums import CompatibilityMode, Intent
from tessera_gql.client.errors import InvalidArgument
from tessera_gql.client.models import Contract, ContractDocuments, JsonObject
from tessera_gql.client.operation import (
    AssetRef,
    Operation,
    PaginatedQuery,
    RootField,
    TeamRef,
    build_asset_ref,
    build_filter,
    build_team_ref,
    build_variables,
)
from tessera_gql.client.operations.change_sets import build_change_set_input
from tessera_gql.client.requests import ChangeSetRequest, Document
from tessera_gql.client.result_models import Diff, Impact, PublishResult

SchemaDef: TypeAlias = Mapping[str, Any]
"""A JSON Schema."""


class PublishOptions(TypedDict, total=False):
    """Options of a publish; those that are None are left out, except for `guarantees`.

    `guarantees`: carried over from the active contract if left out. `intent`: ASK publishes nothing, and RELEASE, the
    default, publishes what is approved. `change_set`: the pull request or release that the proposal belongs to.
    `require_explicit_publish`: keep an approved proposal for `publish_proposal`. `supersede`: end an open proposal of
    the asset. `force`: publish a breaking change at once; needs the scope ADMIN and a reason.
    `idempotency_key`: the key with which the call can be repeated.
    """

    guarantees: JsonObject | None
    compatibility_mode: CompatibilityMode | None
    version: str | None
    reason: str | None
    metadata: JsonObject | None
    expires_at: datetime | None
    intent: Intent | None
    change_set: ChangeSetRequest | str | None
    publish_when_approved: bool
    require_explicit_publish: bool
    supersede: bool
    force: bool
    dry_run: bool
    idempotency_key: str | None


def publish_contract(
    *,
    schema_def: SchemaDef | Document,
    asset_id: str | None = None,
    fqn: str | None = None,
    published_by: TeamRef | None = None,
    **options: Unpack[PublishOptions],
) -> Operation[PublishResult]:
    """Publish a schema. A breaking change that hurts consumers becomes a proposal instead; see `outcome` of the result.

    Raises Invalid for a schema that can't be a contract, Conflict if another proposal of the asset is open, Forbidden
    for an asset of another team.

    Example:
        schema = {"type": "object", "properties": {"id": {"type": "integer"}, "note": {"type": "string"}}}
        result = tessera.publish_contract(fqn="analytics.marts.refunds", schema_def=schema)
        assert result.outcome is PublishOutcome.PUBLISHED and result.contract
    """
    if (asset_id is None) == (fqn is None):
        raise InvalidArgument("Say which asset: give `asset_id` or `fqn`, one of them.")
    input_ = {
        "asset": {"id": asset_id} if asset_id else {"fqn": fqn},
        **_build_schema_input(schema_def),
        **build_variables(published_by=build_team_ref(published_by), **_build_options(options)),
    }
    if "guarantees" in options:
        input_["guarantees"] = options["guarantees"]
    return RootField("publishContract", PublishResult).build_idempotent_mutation(input_)


def _build_options(options: Mapping[str, Any]) -> JsonObject:
    """Return the options with the change set as an input."""
    return {**options, "change_set": build_change_set_input(options.get("change_set"))}


def _build_schema_input(schema: SchemaDef | Document) -> JsonObject:
    return {"document": build_variables(**vars(schema))} if isinstance(schema, Document) else {"schema": schema}


def export_contract(contract_id: str) -> Operation[ContractDocuments]:
    """Get a contract as an ODCS v3 document, with the document it was published from.

    Raises NotFound for an unknown id.

    Example:
        refunds = tessera.get_asset("analytics.marts.refunds")
        documents = tessera.export_contract(refunds.current_contract.id)
        assert "apiVersion" in documents.exported
    """
    root = RootField("contract", ContractDocuments, {"id": "ID!"})
    return root.build_get_query({"id": contract_id}, "There is no such contract.")


def contracts(*, asset_id: str | None = None) -> PaginatedQuery[Contract]:
    """List contracts, of one asset or of all assets, the latest version first.

    Raises Invalid for an id of another type.

    Example:
        orders = tessera.get_asset("analytics.marts.orders")
        versions = [contract.version for contract in tessera.contracts(asset_id=orders.id)]
    """
    root = RootField("contracts", Contract, {"filter": "ContractFilter"})
    return root.build_paginated_query(filter=build_filter(asset=("eq", asset_id)))


def get_contract(contract_id: str) -> Operation[Contract]:
    """Get a contract with its schema and guarantees.

    Raises NotFound for an unknown id.

    Example:
        refunds = tessera.get_asset("analytics.marts.refunds")
        contract = tessera.get_contract(refunds.current_contract.id)
        assert contract.asset.fqn == refunds.fqn
    """
    root = RootField("contract", Contract, {"id": "ID!"})
    return root.build_get_query({"id": contract_id}, "There is no such contract.")


def retire_contract(contract_id: str) -> Operation[Contract]:
    """Retire a contract for good. An active contract can only be retired if the asset has no other consumers.

    Raises Conflict while other teams read it; `propose_retirement` asks them.

    Example:
        tessera.create_asset(fqn="analytics.marts.trial", owner="shop-platform")
        result = tessera.publish_contract(fqn="analytics.marts.trial", schema_def={"type": "object"})
        assert tessera.retire_contract(result.contract.id).status is ContractStatus.RETIRED
    """
    return RootField("retireContract", Contract).build_mutation({"contract": contract_id}, payload_field="contract")


def impact(
    schema_def: SchemaDef | Document | None = None,
    *,
    asset: AssetRef,
    without_fields: Sequence[str] | None = None,
    guarantees: JsonObject | None = None,
    compatibility_mode: CompatibilityMode | None = None,
) -> Operation[Impact]:
    """Compute what publishing a schema would do and which teams would be asked. Writes nothing.

    `without_fields` leaves fields out of the active contract's schema, instead of a new one.

    Raises NotFound if there is no such asset, Invalid for a schema that can't be a contract.

    Example:
        impact = tessera.impact({"type": "object", "properties": {}}, asset="analytics.marts.orders")
        for asked in impact.asked:
            print(asked.team.name, [change.message for change in asked.reasons])
    """
    types = {
        "asset": "AssetRef!",
        "schema": "JSON",
        "document": "DocumentInput",
        "withoutFields": "[String!]",
        "guarantees": "JSON",
        "compatibilityMode": "CompatibilityMode",
    }
    optional = build_variables(
        guarantees=guarantees, compatibility_mode=compatibility_mode, without_fields=without_fields
    )
    schema_input = _build_schema_input(schema_def) if schema_def is not None else {}
    variables = {"asset": build_asset_ref(asset), **schema_input, **optional}
    arguments = {name: type_ for name, type_ in types.items() if name in variables}
    return RootField("impact", Impact, arguments).build_get_query(variables, "The server could not tell the impact.")


def diff(old: SchemaDef, new: SchemaDef, *, mode: CompatibilityMode = CompatibilityMode.BACKWARD) -> Operation[Diff]:
    """Compare two JSON Schemas as a publish does.

    Raises Invalid for a schema that can't be read.

    Example:
        text, number = {"type": "string"}, {"type": "integer"}
        result = tessera.diff({"properties": {"id": number}}, {"properties": {"id": text}})
        assert result.breaking
    """
    root = RootField("diffSchemas", Diff, {"old": "JSON!", "new": "JSON!", "mode": "CompatibilityMode!"})
    return root.build_get_query({"old": old, "new": new, "mode": mode}, "There is no difference.")
