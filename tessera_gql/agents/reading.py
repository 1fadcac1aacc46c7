"""Tools that read: assets, contracts, the effect of a change, readers, and what waits for a team."""

from collections.abc import Sequence
from typing import Any, Protocol, TypeVar

from tessera_gql.agents.arguments import FindAsset, GetContract, ListAsks, ProposedSchema, WhoReads
from tessera_gql.agents.models import (
    Ask,
    AskGroup,
    AskGroupPage,
    AssetFields,
    AssetHead,
    AssetReaders,
    ColumnReaders,
    ContractAsset,
    ContractDetails,
    FieldHead,
    Inbox,
    ObservedReadPage,
    VersionAsset,
    ViewerInbox,
    build_asset_query,
    build_matches_query,
    build_team_query,
    build_viewer_query,
)
from tessera_gql.agents.results import Listing, Result, ToolError, Verbatim, measure
from tessera_gql.client.enums import SearchType
from tessera_gql.client.models import Change, ReasonPath
from tessera_gql.client.operation import Operation
from tessera_gql.client.operations import publishing
from tessera_gql.client.operations import search as search_operations
from tessera_gql.client.result_models import AskedTeam

T = TypeVar("T")

MAX_SCHEMA_BYTES = 14_000
"""Size up to which a schema is returned as a whole; of a larger one the fields are listed."""


class Caller(Protocol):
    """Runs operations of the client with the rights of one key, over HTTP or in the process of a server."""

    async def run(self, operation: Operation[T]) -> T:
        """Execute one operation and return its typed result; raises a TesseraError."""
        ...


async def find_asset(caller: Caller, arguments: FindAsset) -> Result:
    """Search assets by words; the best matches come first."""
    query = search_operations.search(arguments.query, types=[SearchType.ASSET], first=arguments.limit)
    results = await caller.run(query)
    fqns = [hit.title for hit in results.edges]
    matches = (await caller.run(build_matches_query(fqns))).items if fqns else ()
    heads = {match.fqn: match for match in matches}
    items = [
        {**describe_asset(heads[fqn]), "version": getattr(heads[fqn].current_contract, "version", None)}
        for fqn in fqns
        if fqn in heads
    ]
    return {"assets": Listing(items, results.total_count)}


async def get_contract(caller: Caller, arguments: GetContract) -> Result:
    """Get the terms of a contract: its schema, or the fields of one that is too large."""
    version = arguments.version
    asset = await _load_contract(caller, arguments.asset, version)
    if asset.contract is None:
        subject = "an active contract" if version is None else f"a version {version}"
        raise ToolError("NOT_FOUND", f"{asset.fqn} has not {subject}. Leave `version` out for the active one.")
    result = {**describe_asset(asset), **_describe_terms(asset.contract)}
    schema, size = asset.contract.schema_def, measure(asset.contract.schema_def)
    if arguments.fields is None and size <= MAX_SCHEMA_BYTES:
        return {**result, "schema": Verbatim(schema)}
    if asset.contract.status != "ACTIVE":
        message = f"The schema of version {version} has {size:,} bytes, too many to return, and only fields of the"
        raise ToolError("TOO_LARGE", f"{message} active version are listed. Leave `version` out.")
    filter_ = {"search": arguments.fields} if arguments.fields else None
    page = await caller.run(build_asset_query(AssetFields, arguments.asset, filter=("AssetFieldFilter", filter_)))
    return {
        **result,
        "schema_bytes": size,
        "fields": Listing([*map(_describe_field, page.fields.nodes)], page.fields.total_count),
    }


async def _load_contract(caller: Caller, asset: str, version: str | None) -> ContractAsset:
    if version is None:
        return await caller.run(build_asset_query(ContractAsset, asset))
    return await caller.run(build_asset_query(VersionAsset, asset, version=("String!", version)))


async def check_change(caller: Caller, arguments: ProposedSchema) -> Result:
    """Compute what publishing a schema would do, and which teams it would ask. Writes nothing."""
    impact = await caller.run(publishing.impact(arguments.definition, asset=arguments.asset))
    return {
        "asset": impact.asset.fqn,
        "outcome": impact.outcome,
        "version": impact.version,
        "mode": impact.mode,
        "changes_total": len(impact.changes),
        "breaking": Listing([*map(describe_change, impact.breaking)]),
        "asked": Listing([*map(_describe_asked_team, impact.asked)]),
        "informed": Listing([team.name for team in impact.informed]),
        "missing_coverage": Listing([item.message for item in impact.missing_coverage]),
        "coverage": impact.coverage.text if impact.coverage else None,
        "warnings": Listing(impact.warnings),
    }


async def who_reads(caller: Caller, arguments: WhoReads) -> Result:
    """List the readers of an asset or of one column: declared ones, observed ones, and what is made from it."""
    if arguments.field is not None:
        return await _find_column_readers(caller, arguments.asset, arguments.field)
    asset = await caller.run(build_asset_query(AssetReaders, arguments.asset))
    registrations = [
        {
            "team": item.consumer_team.name,
            "for_asset": item.consumer_asset.fqn if item.consumer_asset else None,
            "fields": "all" if item.fields is None else Listing(item.fields),
            "status": item.status,
            "purpose": item.purpose,
        }
        for item in asset.registrations.nodes
    ]
    downstream = [
        {"asset": edge.node.fqn, "owner": edge.node.owner.name, "steps": edge.degree} for edge in asset.downstream.edges
    ]
    return {
        "asset": asset.fqn,
        "owner": asset.owner.name,
        "registered": Listing(registrations, asset.registrations.total_count),
        "observed": _list_observed_reads(asset.observations),
        "downstream": Listing(downstream, asset.downstream.total_count),
        "coverage": asset.coverage.text,
    }


async def _find_column_readers(caller: Caller, asset_ref: str, field: str) -> Result:
    query = build_asset_query(ColumnReaders, asset_ref, field=("String!", field))
    asset = await caller.run(query)
    if not asset.fields.nodes:
        raise ToolError(
            "NOT_FOUND", f"`field` is {field!r}; expected a field of {asset.fqn}, which get_contract lists."
        )
    column = asset.fields.nodes[0]
    downstream = [
        {"asset": link.target.fqn, "owner": link.target.owner.name, "column": link.target_column}
        for link in asset.column_lineage.nodes
    ]
    return {
        "asset": asset.fqn,
        "owner": asset.owner.name,
        "field": column.path,
        "type": column.type,
        "teams": Listing([team.name for team in column.readers]),
        "last_read_at": column.last_read_at,
        "observed": _list_observed_reads(asset.observations),
        "downstream": Listing(downstream, asset.column_lineage.total_count),
        "coverage": asset.coverage.text,
    }


async def list_asks(caller: Caller, arguments: ListAsks) -> Result:
    """List what waits for a team: who asks, what breaks, why, until when, and what silence means."""
    page = {"first": ("Int", arguments.limit), "after": ("String", arguments.after)}
    if arguments.team is not None:
        inbox = await caller.run(build_team_query(Inbox, arguments.team, **page))
        return {"team": arguments.team, "asks": _list_groups(inbox.inbox_groups)}
    viewer = await caller.run(build_viewer_query(ViewerInbox, **page))
    team = viewer.team.name if viewer.team else None
    return {"team": team, "asks": _list_groups(viewer.inbox_groups)}


def _list_groups(page: AskGroupPage) -> Listing:
    return Listing([{**_describe_group(edge.node), "cursor": edge.cursor} for edge in page.edges], page.total_count)


def _describe_group(group: AskGroup) -> Result:
    reference = group.change_set.key if group.change_set else group.proposal.id if group.proposal else ""
    first = group.acknowledgments[0].proposal if group.acknowledgments else None
    return {
        "ask": reference,
        "title": group.change_set.title if group.change_set else None,
        "url": group.url,
        "asked_by": first.proposed_by.name if first else None,
        "team": group.on_behalf_of.name if group.on_behalf_of else group.team.name,
        "due_at": group.due_at,
        "if_silent": group.silence_means,
        "changes_total": group.change_count,
        "tables": Listing([*map(_describe_ask, group.acknowledgments)], group.table_count),
    }


def _describe_ask(ask: Ask) -> Result:
    proposal = ask.proposal
    return {
        "proposal": proposal.id,
        "asset": proposal.asset.fqn,
        "kind": proposal.kind,
        "version": proposal.proposed_version,
        "reason": proposal.reason,
        "changes": Listing([{"path": item.path, "message": item.message} for item in ask.reasons]),
        "paths": Listing(describe_paths(ask.paths)),
    }


def describe_asset(asset: AssetHead) -> Result:
    """Describe an asset, with what is proposed for it."""
    proposal = asset.open_proposal
    return {
        "asset": asset.fqn,
        "id": asset.id,
        "owner": asset.owner.name,
        "description": asset.description,
        "tier": asset.tier,
        "deprecated": asset.is_deprecated,
        "superseded_by": asset.superseded_by.fqn if asset.superseded_by else None,
        "open_proposal": proposal and proposal.model_dump(mode="json"),
    }


def _describe_terms(contract: ContractDetails) -> Result:
    return {
        "version": contract.version,
        "status": contract.status,
        "mode": contract.compatibility_mode,
        "published_at": contract.published_at,
        "published_by": contract.published_by.name,
        "guarantees": contract.guarantees,
    }


def _describe_field(field: FieldHead) -> Result:
    return {
        "path": field.path,
        "type": field.type,
        "required": field.required,
        "nullable": field.nullable,
        "description": field.description,
        "deprecated": field.deprecated,
        "readers": field.reader_count,
    }


def describe_change(change: Change) -> Result:
    """Describe a breaking change, with a hint at a compatible one."""
    return {"path": change.path, "message": change.message, "hint": change.hint}


def _describe_asked_team(asked: AskedTeam) -> Result:
    return {
        "team": asked.team.name,
        "changes": Listing([change.message for change in asked.reasons]),
        "paths": Listing(describe_paths(asked.paths)),
        "lineage_unknown": asked.is_lineage_unknown,
    }


def describe_paths(paths: Sequence[ReasonPath]) -> list[str]:
    """Describe each path along which a change reaches a reader, as `shop.orders.note -> shop.daily.note`."""
    return [" -> ".join(filter(None, (_describe_step(step) for step in path.steps))) for path in paths if path.steps]


def _describe_step(step: Any) -> str:
    return f"{step.asset.fqn}.{step.field}" if step.field else str(step.asset.fqn)


def _list_observed_reads(page: ObservedReadPage) -> Listing:
    items = [
        {
            "principal": item.principal.name,
            "team": item.principal.team.name if item.principal.team else None,
            "field": item.field,
            "last_seen": item.last_seen,
        }
        for item in page.nodes
    ]
    return Listing(items, page.total_count)
