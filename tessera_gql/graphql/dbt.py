"""Sync a dbt manifest in one transaction, preview a sync, or ask the readers of what it breaks."""

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import strawberry

from tessera_gql.compute import run_deferrable
from tessera_gql.diff import Mode
from tessera_gql.errors import Invalid
from tessera_gql.formats import dbt
from tessera_gql.graphql.change_sets import ChangeSetInput
from tessera_gql.graphql.context import Context
from tessera_gql.graphql.dbt_impact import ManifestImpact, SchemaMapping, read_manifest
from tessera_gql.graphql.dbt_report import ManifestReport
from tessera_gql.graphql.filters import flag, optional, or_none
from tessera_gql.graphql.idempotency import to_idempotent_call
from tessera_gql.graphql.mutations import (
    Call,
    CreatingInput,
    Payload,
    check_storable,
    context_mutation,
    payload_field,
    run_once,
)
from tessera_gql.graphql.refs import TeamRefInput, team_ref
from tessera_gql.graphql.scalars import JSON
from tessera_gql.policy.access import Action, authorize_for_own_teams
from tessera_gql.policy.enums import Intent
from tessera_gql.store.idempotency import is_key_used
from tessera_gql.store.session import Session
from tessera_gql.workflows.dbt.ask import ask_readers
from tessera_gql.workflows.dbt.compare import plan_manifest
from tessera_gql.workflows.dbt.options import Purpose, SyncOptions
from tessera_gql.workflows.dbt.plan import ManifestPlan
from tessera_gql.workflows.dbt.progress import Phase
from tessera_gql.workflows.dbt.report import ModelSyncResult, SyncReport, build_report
from tessera_gql.workflows.dbt.state import ManifestCache
from tessera_gql.workflows.dbt.sync import BATCH_SIZE, WHOLE_SYNC, SyncBatch, sync_manifest

T = TypeVar("T")


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
        description="RELEASE syncs: it publishes what is approved and what breaks nobody. ASK opens and updates"
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
    atomic: bool = flag("Refuse the whole manifest because of one table, instead of skipping and reporting it.")
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
    """Plan without locks, then ask or sync in a write transaction if there is something to write."""
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
    purpose = Purpose.RELEASE if arguments.intent is Intent.RELEASE else Purpose.ASK
    draft = await _plan(context, manifest, options, purpose)
    if arguments.intent is Intent.ASK:
        plan = await _write(
            context,
            lambda session: ask_readers(
                session, context.actor, manifest, options, context.report_progress, draft=draft
            ),
        )
        return SyncDbtManifestPayload(impact=ManifestImpact.of(plan))
    return await _sync(context, arguments, manifest, draft)


async def _plan(
    context: Context, manifest: dbt.Manifest, options: SyncOptions, purpose: Purpose, cache: ManifestCache | None = None
) -> ManifestPlan:
    """Plan without a write lock, on the primary."""
    async with context.database.read() as session:
        session.computer = context.computer
        return await plan_manifest(session, context.actor, manifest, options, purpose, cache)


async def _sync(
    context: Context, arguments: SyncDbtManifestInput, manifest: dbt.Manifest, draft: ManifestPlan
) -> SyncDbtManifestPayload:
    """Sync in several transactions if many tables changed, so that other writers get their turn, unless `atomic`.

    The last one stores the payload under the idempotency key. A retry goes on where an interrupted sync has ended.
    """
    options, earlier, batch = draft.options, SyncReport([]), WHOLE_SYNC

    async def sync_batch(session: Session) -> SyncReport:
        return await sync_manifest(session, context.actor, manifest, options, context.report_progress, batch)

    results_before: dict[str, ModelSyncResult] = {}
    is_replay = await _is_key_used(context, arguments)
    while (
        not (options.atomic or is_replay)
        and len(models := SyncBatch(results_before).choose(draft.changed_models)) > BATCH_SIZE
    ):
        batch = SyncBatch(results_before, BATCH_SIZE, draft)
        report = await _write(context, sync_batch)
        results = {result.fqn: result for result in report.models}
        results_before |= {model.fqn: results[model.fqn] for model in models[:BATCH_SIZE]}
        earlier = report.add_counts(earlier)
        draft = await _plan(context, manifest, options, Purpose.RELEASE, draft.cache)
    batch = SyncBatch(results_before, draft=draft)

    async def sync_dbt_manifest(call: Call, _: SyncDbtManifestInput) -> SyncDbtManifestPayload:
        if not results_before and draft.is_empty and options.change_set is None and not options.atomic:
            return _to_payload(draft, Intent.RELEASE)
        return SyncDbtManifestPayload(report=ManifestReport.of((await sync_batch(call.session)).add_counts(earlier)))

    return await run_once(context, sync_dbt_manifest, SyncDbtManifestPayload, arguments)


async def _is_key_used(context: Context, arguments: SyncDbtManifestInput) -> bool:
    """Return whether the call is one that ended before: its batches must not be written over what came after it."""
    call = to_idempotent_call(context.actor, "syncDbtManifest", arguments)
    if call is None:
        return False
    async with context.database.read() as session:
        return await is_key_used(session, call)


async def _write(context: Context, execute: Callable[[Session], Awaitable[T]]) -> T:
    """Execute in one write transaction, again if a long comparison was deferred."""

    async def attempt(may_defer: bool) -> T:  # noqa: FBT001 - as `run_deferrable` calls it
        async with context.write(may_defer=may_defer) as session:
            return await execute(session)

    return await run_deferrable(context.computer, attempt)


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
