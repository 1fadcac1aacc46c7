"""Ask the readers of what a manifest breaks, before it is merged: proposals and their change set, nothing else."""

from dataclasses import dataclass, field
from uuid import UUID

from tessera_gql.errors import Refusal
from tessera_gql.formats.dbt import Manifest
from tessera_gql.policy.access import Action, Actor, authorize_for_own_teams
from tessera_gql.policy.enums import ChangeSetStatus, Intent
from tessera_gql.policy.table_state import TableState
from tessera_gql.store import change_sets
from tessera_gql.store.assets import AssetRef
from tessera_gql.store.session import Session
from tessera_gql.store.tables import ChangeSet
from tessera_gql.workflows.change_sets import open_change_set, withdraw_unneeded
from tessera_gql.workflows.dbt.compare import plan_manifest, renew_plan
from tessera_gql.workflows.dbt.options import Purpose, SyncOptions
from tessera_gql.workflows.dbt.plan import ManifestPlan, TablePlan
from tessera_gql.workflows.dbt.progress import Phase, ReportProgress, ignore_progress
from tessera_gql.workflows.dbt.report import to_removal
from tessera_gql.workflows.proposals import RetirementRequest, propose_retirement
from tessera_gql.workflows.publishing import PublishRequest, publish_contract

ASKED_STATES = frozenset({TableState.ASK, TableState.WAITING, TableState.BLOCKED, TableState.APPROVED})


@dataclass
class _Ask:
    """A running ask. `refusals` are the reasons of refused tables, by fqn."""

    session: Session
    actor: Actor
    options: SyncOptions
    change_set_id: UUID | None = None
    refusals: dict[str, str] = field(default_factory=dict[str, str])


async def ask_readers(
    session: Session,
    actor: Actor,
    manifest: Manifest,
    options: SyncOptions,
    report_progress: ReportProgress = ignore_progress,
    *,
    draft: ManifestPlan | None = None,
) -> ManifestPlan:
    """Open or update a proposal for each table that breaks a reader, and return the plan as it is afterwards.

    Proposals of the same change set for tables that no longer break are withdrawn. `draft` is a plan that was made
    without locks.
    """
    authorize_for_own_teams(actor, Action.SYNC_DBT_MANIFEST)
    report_progress(Phase.COMPARE, 0, len(manifest.models))
    plan = draft or await plan_manifest(session, actor, manifest, options, Purpose.ASK)
    change_set = await open_needed_change_set(session, actor, options, is_needed=bool(_find_asked(plan)))
    ask = _Ask(session, actor, options, change_set.id if change_set else None)
    if not _find_asked(plan) and change_set is None:
        return plan
    plan = await renew_plan(session, manifest, plan)
    asked = _find_asked(plan)
    for number, table in enumerate(asked):
        report_progress(Phase.PUBLISH, number, len(asked))
        await _ask_or_refuse(ask, table)
    if change_set is not None:
        asset_ids = {table.asset_id for table in asked if table.asset_id is not None}
        await withdraw_unneeded(session, actor, change_set, plan.find_unneeded_assets(asset_ids))
    plan = await plan_manifest(session, actor, manifest, options, Purpose.ASK, plan.cache)
    return plan.with_refusals(ask.refusals)


def _find_asked(plan: ManifestPlan) -> list[TablePlan]:
    return [table for table in plan.tables.values() if table.state in ASKED_STATES]


async def open_needed_change_set(
    session: Session, actor: Actor, options: SyncOptions, *, is_needed: bool
) -> ChangeSet | None:
    """Open the change set of the options if proposals will belong to it; lock it if it is open already."""
    if (request := options.change_set) is None:
        return None
    if not is_needed:
        rows = await change_sets.by_keys(session, [request.key])
        if not rows or rows[0].status is not ChangeSetStatus.OPEN:
            return None
    return await open_change_set(session, actor, request)


async def _ask_or_refuse(ask: _Ask, table: TablePlan) -> None:
    try:
        async with ask.session.savepoint():
            await _ask_readers_of(ask, table)
    except Refusal as error:
        if ask.options.atomic:
            raise type(error)(f"{table.fqn}: {error.message}", field=("manifest",)) from error
        ask.refusals[table.fqn] = error.message


async def _ask_readers_of(ask: _Ask, table: TablePlan) -> None:
    ref, options = AssetRef(id=table.asset_id), ask.options
    if (model := table.model) is not None:
        request = PublishRequest(
            schema=model.schema,
            known_columns=model.known_columns,
            guarantees=model.guarantees,
            mode=model.compatibility_mode,
            supersede=options.supersede,
            intent=Intent.ASK,
            change_set_id=ask.change_set_id,
            reason=options.reason,
        )
        await publish_contract(ask.session, ask.actor, ref, request)
    elif (removal := to_removal(table)) is not None:
        retirement = RetirementRequest(
            " ".join(filter(None, (removal.proposal_reason, options.reason))),
            change_set_id=ask.change_set_id,
            intent=Intent.ASK,
            supersede=options.supersede,
        )
        await propose_retirement(ask.session, ask.actor, ref, retirement)
