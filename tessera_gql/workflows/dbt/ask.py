"""Ask the readers of what a manifest breaks, before it is merged: proposals and their change set, nothing else."""

from collections.abc import AsyncGenerator, Collection, Mapping
from dataclasses import dataclass, field, replace
from uuid import UUID

from tessera_gql.errors import Conflict, Refusal
from tessera_gql.formats.dbt import Manifest
from tessera_gql.policy.access import Action, Actor, authorize_for_own_teams
from tessera_gql.policy.enums import ChangeSetStatus, Intent
from tessera_gql.policy.table_state import TableState
from tessera_gql.store import change_sets, proposals
from tessera_gql.store.assets import AssetRef
from tessera_gql.store.session import Session
from tessera_gql.store.tables import ChangeSet
from tessera_gql.workflows.change_set_notifications import notify_of_change_set, postpone_notifications
from tessera_gql.workflows.change_sets import open_change_set, withdraw_unneeded
from tessera_gql.workflows.dbt.batches import WHOLE, BatchRules, confirm_plan, run_steps
from tessera_gql.workflows.dbt.options import SyncOptions
from tessera_gql.workflows.dbt.plan import ManifestPlan, TablePlan
from tessera_gql.workflows.dbt.progress import Phase, ReportProgress, ignore_progress
from tessera_gql.workflows.dbt.report import to_removal
from tessera_gql.workflows.proposals import RetirementRequest, propose_retirement
from tessera_gql.workflows.publishing import PublishRequest, publish_contract

ASKED_STATES = frozenset({TableState.ASK, TableState.WAITING, TableState.HELD, TableState.BLOCKED, TableState.APPROVED})
WITHDRAWALS_PER_STEP = 20


@dataclass(frozen=True)
class AskProgress:
    """The plan of an ask, and what its transactions have done so far.

    `refusals` are the reasons of refused tables, by fqn.
    """

    plan: ManifestPlan
    change_set_id: UUID | None = None
    refusals: Mapping[str, str] = field(default_factory=dict[str, str])
    is_complete: bool = False

    def with_plan(self, plan: ManifestPlan) -> "AskProgress":
        """Go on with a new plan."""
        return replace(self, plan=replace(plan, finished=self.plan.finished))


@dataclass
class _Ask:
    """A running transaction of an ask."""

    session: Session
    plan: ManifestPlan
    change_set: ChangeSet | None
    refusals: dict[str, str]
    finished: set[str]

    @property
    def change_set_id(self) -> UUID | None:
        return self.change_set.id if self.change_set else None


def needs_transaction(plan: ManifestPlan) -> bool:
    """Return whether an ask may have something to write."""
    return bool(_find_asked(plan)) or plan.options.change_set is not None


async def ask_batch(
    session: Session,
    manifest: Manifest,
    progress: AskProgress,
    report_progress: ReportProgress = ignore_progress,
    batch: BatchRules = WHOLE,
) -> AskProgress:
    """Open or update proposals for the tables that break a reader, until the time of the batch is up.

    Proposals of the same change set for tables that no longer break are withdrawn at the end. What an interrupted ask
    has left undone, the next one does.
    """
    authorize_for_own_teams(progress.plan.actor, Action.SYNC_DBT_MANIFEST)
    change_set = await _open_change_set(session, progress)
    if change_set is None and not _find_asked(progress.plan):
        return replace(progress, is_complete=True)
    plan = await confirm_plan(session, manifest, progress.plan, batch)
    ask = _Ask(session, plan, change_set, dict(progress.refusals), set(plan.finished))
    is_complete = await run_steps(_ask_all(ask, report_progress), batch)
    await _notify_when_complete(ask, is_complete=is_complete)
    return AskProgress(
        replace(plan, finished=frozenset(ask.finished)), ask.change_set_id, ask.refusals, is_complete=is_complete
    )


async def _notify_when_complete(ask: _Ask, *, is_complete: bool) -> None:
    """Notify each team once: in the last transaction, of all that the change set asks about the tables."""
    if not is_complete:
        postpone_notifications(ask.session)
    elif ask.change_set is not None:
        asset_ids = [table.asset_id for table in ask.plan.tables.values() if table.asset_id is not None]
        await notify_of_change_set(ask.session, ask.change_set.id, asset_ids)


def _find_asked(plan: ManifestPlan) -> list[TablePlan]:
    return [table for table in plan.tables.values() if table.state in ASKED_STATES]


async def _open_change_set(session: Session, progress: AskProgress) -> ChangeSet | None:
    """Open or lock the change set; raise Conflict if it has ended since the ask began, as with a pull request."""
    if progress.change_set_id is None:
        plan = progress.plan
        return await open_needed_change_set(session, plan.actor, plan.options, is_needed=bool(_find_asked(plan)))
    row = await change_sets.lock(session, progress.change_set_id)
    if row.status is not ChangeSetStatus.OPEN:
        raise Conflict(
            f"The change set {row.key} ended as {row.status} while its teams were asked. Ask again if it is needed.",
            field=("change_set",),
        )
    return row


async def _ask_all(ask: _Ask, report_progress: ReportProgress) -> AsyncGenerator[None]:
    asked = _find_asked(ask.plan)
    for number, table in enumerate(asked):
        if table.fqn in ask.finished:
            continue
        report_progress(Phase.PUBLISH, number, len(asked))
        await _ask_or_refuse(ask, table)
        ask.finished.add(table.fqn)
        yield
    if ask.change_set is not None:
        asset_ids = {table.asset_id for table in asked if table.asset_id is not None}
        async for fqns in withdraw_in_steps(ask.session, ask.plan, ask.change_set, asset_ids):
            ask.finished.update(fqns)
            yield


async def withdraw_in_steps(
    session: Session, plan: ManifestPlan, change_set: ChangeSet, waiting: Collection[UUID]
) -> AsyncGenerator[list[str]]:
    """Withdraw the proposals of the change set for tables that no longer break: all judged ones but `waiting`.

    Yields the fqns of the tables of each step.
    """
    unneeded = plan.find_unneeded_assets(waiting)
    rows = await proposals.list_open_by_change_sets(session, [change_set.id])
    fqns = {table.asset_id: table.fqn for table in plan.tables.values()}
    asset_ids = [row.asset_id for row in rows if row.asset_id in unneeded]
    for start in range(0, len(asset_ids), WITHDRAWALS_PER_STEP):
        step = asset_ids[start : start + WITHDRAWALS_PER_STEP]
        await withdraw_unneeded(session, plan.actor, change_set, step)
        yield [fqns[asset] for asset in step]


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
        if ask.plan.options.atomic:
            raise type(error)(f"{table.fqn}: {error.message}", field=("manifest",)) from error
        ask.refusals[table.fqn] = error.message


async def _ask_readers_of(ask: _Ask, table: TablePlan) -> None:
    ref, options, actor = AssetRef(id=table.asset_id), ask.plan.options, ask.plan.actor
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
            known_judgement=ask.plan.find_judgement(table),
            unaffected_assets=table.unaffected,
        )
        await publish_contract(ask.session, actor, ref, request)
    elif (removal := to_removal(table)) is not None:
        retirement = RetirementRequest(
            " ".join(filter(None, (removal.proposal_reason, options.reason))),
            change_set_id=ask.change_set_id,
            intent=Intent.ASK,
            supersede=options.supersede,
            unaffected_assets=table.unaffected,
        )
        await propose_retirement(ask.session, actor, ref, retirement)
