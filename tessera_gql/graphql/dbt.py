"""Sync a dbt manifest, preview a sync, or ask the readers of what it breaks."""

from dataclasses import replace
from typing import Any

import strawberry

from tessera_gql.diff import Mode
from tessera_gql.errors import Invalid
from tessera_gql.formats import dbt
from tessera_gql.graphql.change_sets import ChangeSetInput
from tessera_gql.graphql.context import Context
from tessera_gql.graphql.dbt_batches import ask, sync
from tessera_gql.graphql.dbt_impact import ManifestImpact, SchemaMapping, read_manifest
from tessera_gql.graphql.dbt_report import ManifestReport
from tessera_gql.graphql.filters import flag, optional, or_none
from tessera_gql.graphql.mutations import (
    Call,
    CreatingInput,
    Payload,
    check_storable,
    context_mutation,
    payload_field,
    run_part,
)
from tessera_gql.graphql.refs import TeamRefInput, team_ref
from tessera_gql.graphql.scalars import JSON
from tessera_gql.policy.access import Action, authorize_for_own_teams
from tessera_gql.policy.enums import Intent
from tessera_gql.workflows.dbt.batches import BatchRules
from tessera_gql.workflows.dbt.compare import plan_manifest
from tessera_gql.workflows.dbt.options import Purpose, SyncOptions
from tessera_gql.workflows.dbt.plan import ManifestPlan
from tessera_gql.workflows.dbt.progress import Phase
from tessera_gql.workflows.dbt.report import build_report
from tessera_gql.workflows.dbt.sync import sync_batch
from tessera_gql.workflows.dbt.sync_progress import SyncProgress


@strawberry.input(description="The team that stands for an owner in the manifest.")
class OwnerMapping:
    owner: str = strawberry.field(description="The owner as the manifest spells it, ignoring case.")
    team: str = strawberry.field(description="The name of the team.")


@strawberry.input(description="The team that owns sources which no project builds.")
class SourceMapping:
    source: str = strawberry.field(
        description="The name of the source, `source.table`, or the fqn; `*` stands for any text."
    )
    team: str = strawberry.field(description="The name of the team.")


@strawberry.input(description="The dbt manifest to sync, with options.")
class SyncDbtManifestInput(CreatingInput):
    manifest: JSON = strawberry.field(
        description="The content of manifest.json, version 1 to 12, or the file itself in a multipart request."
    )
    catalog: JSON | None = optional(
        "The content of catalog.json of the same run, or the file itself in a multipart request. It has the columns of"
        " the tables in the warehouse."
    )
    intent: Intent = strawberry.field(
        default=Intent.RELEASE,
        description="RELEASE syncs: it publishes what is approved and what breaks no reader. ASK opens and updates"
        " proposals for what breaks, and writes nothing else; it needs no `idempotencyKey`.",
    )
    change_set: ChangeSetInput | None = optional(
        "The change set of the proposals; its proposals for tables that no longer break are withdrawn."
    )
    reason: str | None = optional("The reason of the change, which the asked teams see.")
    owner: TeamRefInput | None = optional("The owner team of tables for which the manifest names no owner.")
    create_teams: bool = flag("Create the owner teams that do not exist yet.")
    compatibility_mode: Mode | None = optional(
        "The mode of new assets without `meta.compatibility_mode`; DEFAULT_COMPATIBILITY_MODE or CONSUMER if left out."
    )
    supersede: bool = flag("Replace open proposals of the assets and ask the teams again.")
    owners: list[OwnerMapping] = strawberry.field(
        default_factory=list,
        description="The teams of owners in the manifest; an owner without an entry is the team of that name.",
    )
    sources: list[SourceMapping] = strawberry.field(
        default_factory=list,
        description="The teams that own sources which no project builds; the first entry that matches decides.",
    )
    atomic: bool = flag(
        "Refuse the whole manifest because of one table, instead of skipping and reporting it. All is one transaction,"
        " for which other writers of SQLite wait."
    )
    retire_removed: bool = flag(
        "Retire the contracts of assets that are no longer in the manifest and that no team reads."
    )
    allow_empty: bool = flag("Accept a manifest without models although its project is known.")
    new_target: bool = flag("Accept a manifest whose tables are all in other schemas than before.")
    schema_map: list[SchemaMapping] = strawberry.field(
        default_factory=list, description="The schemas of the assets by those of the manifest."
    )
    dry_run: bool = flag("Return the report that a sync would have, and write nothing.")


@strawberry.type(description="The result of `syncDbtManifest`.")
class SyncDbtManifestPayload(Payload):
    report: ManifestReport | None = payload_field(
        "The report of a sync; null if refused, and for an ask.", load=ManifestReport.from_json
    )
    impact: ManifestImpact | None = strawberry.field(
        default=None, description="The effect of the manifest after an ask; null if refused, and for a sync."
    )


async def sync_dbt_manifest(context: Context, arguments: SyncDbtManifestInput) -> SyncDbtManifestPayload:
    """Plan without locks, then ask or sync in write transactions if there is something to write."""
    check_storable(arguments)
    authorize_for_own_teams(context.actor, Action.SYNC_DBT_MANIFEST)
    context.report_progress(Phase.READ, 0, 0)
    manifest = await read_manifest(arguments.manifest, or_none(arguments.catalog))
    context.report_progress(Phase.COMPARE, 0, len(manifest.models))
    options = _build_options(context, arguments)
    if arguments.dry_run:
        purpose = Purpose.PREVIEW if arguments.intent is Intent.RELEASE else Purpose.ASK
        plan = await context.loaders.run_query(
            lambda session: plan_manifest(session, context.actor, manifest, options, purpose)
        )
        return _to_payload(plan, arguments.intent)
    if arguments.intent is Intent.ASK:
        return SyncDbtManifestPayload(impact=ManifestImpact.of(await ask(context, manifest, options)))
    return await _sync(context, arguments, manifest, options)


async def _sync(
    context: Context, arguments: SyncDbtManifestInput, manifest: dbt.Manifest, options: SyncOptions
) -> SyncDbtManifestPayload:
    """Sync in as many transactions as it takes; the last one stores the payload under the idempotency key."""
    payload: SyncDbtManifestPayload | None = None

    async def run_batch(progress: SyncProgress, batch: BatchRules) -> SyncProgress:
        nonlocal payload
        result = progress

        async def sync_dbt_manifest(call: Call, _: SyncDbtManifestInput) -> SyncDbtManifestPayload | None:
            nonlocal result
            result = await sync_batch(call.session, manifest, progress, call.report_progress, batch)
            if not result.is_complete:
                return None
            return SyncDbtManifestPayload(report=ManifestReport.of(result.build_report()))

        payload = await run_part(context, sync_dbt_manifest, SyncDbtManifestPayload, arguments)
        return result if payload is None else replace(result, is_complete=True)

    await sync(context, manifest, options, run_batch)
    return payload or SyncDbtManifestPayload()


def _to_payload(plan: ManifestPlan, intent: Intent) -> SyncDbtManifestPayload:
    if intent is Intent.ASK:
        return SyncDbtManifestPayload(impact=ManifestImpact.of(plan))
    return SyncDbtManifestPayload(report=ManifestReport.of(build_report(plan)))


def _build_options(context: Context, arguments: SyncDbtManifestInput) -> SyncOptions:
    change_set = or_none(arguments.change_set)
    if arguments.intent is Intent.ASK and (arguments.retire_removed or arguments.create_teams):
        raise Invalid("An ask publishes and creates nothing: leave `retireRemoved` and `createTeams` out.")
    return SyncOptions(
        owner=team_ref(arguments.owner, "owner"),
        create_teams=arguments.create_teams,
        compatibility_mode=or_none(arguments.compatibility_mode) or context.default_mode or Mode.CONSUMER,
        supersede=arguments.supersede,
        owners={mapping.owner: mapping.team for mapping in arguments.owners},
        sources={mapping.source: mapping.team for mapping in arguments.sources},
        atomic=arguments.atomic,
        retire_removed=arguments.retire_removed,
        allow_empty=arguments.allow_empty,
        new_target=arguments.new_target,
        schema_map={mapping.old: mapping.new for mapping in arguments.schema_map},
        change_set=change_set and change_set.to_request(),
        reason=or_none(arguments.reason),
    )


@strawberry.type
class Mutations:
    sync_dbt_manifest: Any = context_mutation(
        sync_dbt_manifest,
        "Sync assets, contracts, registrations and lineage with a dbt manifest, or ask the readers of what it breaks.",
    )
