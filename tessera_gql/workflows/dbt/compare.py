"""Complete a plan: compare what changed with the active contracts, and find the readers of what breaks."""

import asyncio
from collections.abc import Collection, Sequence
from dataclasses import replace
from uuid import UUID

from tessera_gql.errors import Refusal
from tessera_gql.formats import dbt as dbt_format
from tessera_gql.formats.dbt import Manifest, Model
from tessera_gql.policy import compatibility
from tessera_gql.policy.access import Actor
from tessera_gql.policy.affected_teams import AffectedTeams
from tessera_gql.policy.compatibility import Judgement, Terms, waive_move_to_consumer
from tessera_gql.policy.coverage import MissingCoverage
from tessera_gql.policy.enums import Outcome, ProposalStatus
from tessera_gql.policy.retirement import RETIREMENT_FINGERPRINT, judge_retirement
from tessera_gql.policy.table_state import ProposalFit, TableState, decide_breaking_state
from tessera_gql.policy.version import FIRST_VERSION
from tessera_gql.store import assets, change_sets, contracts, dbt, events, lineage, proposals
from tessera_gql.store.dbt import KnownAsset
from tessera_gql.store.session import Session
from tessera_gql.store.tables import Acknowledgment, Contract, Proposal
from tessera_gql.workflows.comparisons import compare_terms
from tessera_gql.workflows.contracts import find_base_version, terms_of
from tessera_gql.workflows.coverage_holds import list_missing
from tessera_gql.workflows.dbt import assets as manifest_assets
from tessera_gql.workflows.dbt import owners as manifest_owners
from tessera_gql.workflows.dbt import plan as manifest_plan
from tessera_gql.workflows.dbt import readers as manifest_readers
from tessera_gql.workflows.dbt.affected import PlanLineage, load_plan_lineage
from tessera_gql.workflows.dbt.column_lineage import compare_column_lineage
from tessera_gql.workflows.dbt.coverage import load_missing_coverage
from tessera_gql.workflows.dbt.deprecations import find_deprecated_reads, load_deprecated
from tessera_gql.workflows.dbt.lineage import compare_lineage, find_pairs, sort_by_dependencies
from tessera_gql.workflows.dbt.options import Purpose, SyncOptions
from tessera_gql.workflows.dbt.plan import BATCH_SIZE, ManifestPlan, TablePlan
from tessera_gql.workflows.dbt.readers import Consumers, TableReader
from tessera_gql.workflows.dbt.removals import TableShape, create_shape, describe_removals
from tessera_gql.workflows.dbt.state import ManifestCache, contract_columns
from tessera_gql.workflows.open_proposals import is_agreed
from tessera_gql.workflows.proposal_bases import find_stale_reason
from tessera_gql.workflows.quiet_proofs import PossibleAsk, exclude_all_proven


async def plan_manifest(
    session: Session,
    actor: Actor,
    manifest: Manifest,
    options: SyncOptions,
    purpose: Purpose,
    cache: ManifestCache | None = None,
) -> ManifestPlan:
    """Decide what a sync of the manifest by the actor would do. Reads only.

    Consumers are those after the sync: a model that changes in the same manifest counts with what it reads then.
    """
    sequence = await events.load_last_sequence(session) if purpose.is_write else None
    plan = await manifest_plan.classify(session, actor, manifest, options, purpose)
    plan.sequence, plan.cache = sequence, cache or plan.cache
    return await _Comparison(session, plan).complete()


class _Comparison:
    """The rows that the decisions of one plan need, loaded with one statement for each kind of row."""

    def __init__(self, session: Session, plan: ManifestPlan) -> None:
        self.session = session
        self.plan = plan
        self.active: dict[UUID, Contract] = {}
        self.open_proposals: dict[UUID, Proposal] = {}
        self.change_set_id: UUID | None = None

    async def complete(self) -> ManifestPlan:
        plan = self.plan
        removed_assets = [asset for asset in plan.removed if asset.contract_id is not None]
        await self._load_contracts(removed_assets)
        plan.changed_models = [self._apply_known_columns(model) for model in plan.changed_models]
        plan.warnings += manifest_assets.describe_unknown_tiers(plan.written_models)
        await self._plan_new_models()
        for model in plan.changed_models:
            plan.tables[model.fqn] = await self._compare_model(model)
        await self._plan_removals(removed_assets)
        breaks = any(table.judgement.breaking for table in plan.tables.values())
        deprecated = await load_deprecated(self.session, plan)
        if breaks or deprecated or plan.purpose.is_sync:
            await self._compare_consumers()
        plan.deprecated_reads = find_deprecated_reads(plan, deprecated, self.session.now)
        if plan.purpose.is_sync:
            plan.warnings += tuple(f"{read.fqn} {read.message}" for read in plan.deprecated_reads)
        if plan.purpose.is_sync:
            await self._compare_lineage()
            await self._compare_column_lineage()
        if breaks:
            await self._find_affected()
        return plan

    async def _plan_new_models(self) -> None:
        plan = self.plan
        for number, model in enumerate(plan.new_models, start=1):
            if number % BATCH_SIZE == 0:
                await asyncio.sleep(0)
            plan.tables[model.fqn] = table = _plan_new(model)
            if table.state is not TableState.NEW:
                del plan.ids[model.fqn]
        plan.new_models = sort_by_dependencies([model for model in plan.new_models if model.fqn in plan.ids])
        await asyncio.sleep(0)

    async def _load_contracts(self, removed_assets: Sequence[KnownAsset]) -> None:
        """Load the active contracts and open proposals of what changed or is gone, and of tables that others build."""
        plan = self.plan
        changed = [plan.ids[model.fqn] for model in plan.changed_models] + [asset.id for asset in removed_assets]
        read = {plan.ids[fqn] for model in plan.written_models for fqn in model.depends_on if fqn in plan.ids}
        existing_ids = {asset.id for asset in plan.state.assets.values()}
        if asset_ids := sorted({*changed, *(read & existing_ids)}):
            self.active = {row.asset_id: row for row in await contracts.list_active(self.session, asset_ids)}
        if changed:
            self.open_proposals = {row.asset_id: row for row in await proposals.list_open(self.session, changed)}
        if self.open_proposals and (change_set := plan.options.change_set) is not None:
            rows = await change_sets.by_keys(self.session, [change_set.key])
            self.change_set_id = rows[0].id if rows else None

    def _apply_known_columns(self, model: Model) -> Model:
        """Return the model with the columns that only an earlier catalog showed."""
        contract = self.active.get(self.plan.ids[model.fqn])
        known_columns = contract.known_columns if contract else None
        if undocumented := dbt_format.find_undocumented(known_columns, model):
            names = ", ".join(undocumented[:5])
            advice = "A catalog shows whether the table still has them: run `dbt docs generate`."
            self.plan.warnings += (f"{model.fqn} no longer documents {names}. {advice}",)
        return dbt_format.apply_known_columns(model, known_columns, contract_columns(contract) if contract else ())

    async def _compare_model(self, model: Model) -> TablePlan:
        """Judge a changed model, without the teams that the change affects."""
        asset = self.plan.ids[model.fqn]
        current = self.active.get(asset)
        table = TablePlan(
            model.fqn,
            TableState.UNCHANGED,
            asset,
            current,
            current.id if current else None,
            model,
            proposal=self.open_proposals.get(asset),
        )
        try:
            manifest_assets.validate_model(model)
            judgement = await self._judge(current, model)
            if judgement.is_unchanged:
                return table
            base_version = await find_base_version(self.session, asset, current)
            version = compatibility.next_version(None, base_version, judgement)
        except Refusal as error:
            return replace(table, state=TableState.REFUSED, reason=error.message)
        outcome = compatibility.decide_outcome(judgement)
        return replace(table, state=TableState.COMPATIBLE, outcome=outcome, version=version, judgement=judgement)

    async def _judge(self, current: Contract | None, model: Model) -> Judgement:
        if current is None:
            return Judgement(is_first=True)
        key = (current.id, model.fqn)
        if (judgement := self.plan.cache.judgements.get(key)) is None:
            judgement = await compare_terms(self.session.compute, terms_of(current), build_terms(model, current))
            self.plan.cache.judgements[key] = judgement
            if self.plan.purpose.is_write:
                for change in judgement.breaking:
                    change.evidence()  # computed before a lock is held, and kept
        return waive_move_to_consumer(judgement, self.plan.actor)

    async def _compare_consumers(self) -> None:
        """Find the registrations of what the manifest reads, and how they differ from the live ones."""
        plan, state = self.plan, self.plan.state
        exposures = await manifest_owners.match_exposure_teams(
            self.session, plan.may_act_for, state.manifest, plan.options.owner_rules
        )
        plan.warnings += exposures.warnings if plan.purpose.is_sync else ()
        exposed = manifest_readers.find_exposure_reads(state.manifest, exposures.permitted, plan.ids, state.owners)
        models = [model for model in plan.written_models if model.fqn in state.owners]
        consumer_ids = frozenset([plan.ids[model.fqn] for model in models] + [asset.id for asset in plan.removed])
        project = state.manifest.project
        live = await dbt.list_registrations(self.session, consumer_ids, {asset for asset, _, _ in exposed}, project)
        columns = {asset: contract_columns(contract) for asset, contract in self.active.items()}
        readers = await asyncio.to_thread(
            manifest_readers.find_model_reads, state, plan.ids, models, columns, live=live, cache=self.plan.cache
        )
        consumers = Consumers(plan.may_act_for, plan.owns_project, project, consumer_ids, exposures.passed_over)
        plan.reads = readers.reads
        plan.registrations = manifest_readers.compare_registrations(readers.registrations | exposed, live, consumers)
        self._leave_out_archived_sources()

    def _leave_out_archived_sources(self) -> None:
        """Register no readers of archived tables, except of those that the sync restores."""
        plan = self.plan
        restored = {plan.ids[model.fqn] for model in plan.changed_models}
        archived = {item.id: item.fqn for item in plan.state.assets.values() if item.is_archived}
        left_out = {asset for asset, _, _ in plan.registrations.created if asset in archived} - restored
        if left_out:
            plan.registrations = plan.registrations.select(lambda asset: asset not in left_out)
            names = ", ".join(sorted(archived[asset] for asset in left_out)[:5])
            plan.warnings += (f"No reads of {names} were registered, because the tables are archived.",)

    async def _compare_lineage(self) -> None:
        plan = self.plan
        dependents = {plan.ids[model.fqn] for model in plan.changed_models} | {asset.id for asset in plan.removed}
        present = await lineage.list_of_dependents(self.session, [*dependents]) if dependents else []
        pairs = find_pairs(plan.ids, plan.written_models)
        await asyncio.sleep(0)
        plan.lineage = compare_lineage(pairs, present)
        await asyncio.sleep(0)

    async def _compare_column_lineage(self) -> None:
        """Compare the column lineage of all queries, since a model may be unchanged but for its query."""
        plan, state = self.plan, self.plan.state
        written_models = {model.fqn: model for model in plan.written_models}
        models = [
            written_models.get(model.fqn, model)
            for model in state.manifest.models
            if model.fqn in written_models or (plan.is_kept(model) and not state.is_described_elsewhere(model))
        ]
        plan.column_lineage = await compare_column_lineage(self.session, state, plan.ids, models, plan.cache)
        plan.warnings += plan.column_lineage.warnings

    async def _plan_removals(self, removed_assets: Sequence[KnownAsset]) -> None:
        """Plan the end of each table that is gone. A source that is no longer declared still exists."""
        tables = [asset for asset in removed_assets if not asset.is_source]
        removals = describe_removals(self.plan.state, tables, await self._load_shapes(tables))
        for asset in tables:
            contract = self.active[asset.id]
            self.plan.tables[asset.fqn] = TablePlan(
                asset.fqn,
                TableState.UNREAD,
                asset.id,
                contract,
                contract.id,
                removal=removals[asset.id],
                outcome=Outcome.PROPOSED,
                judgement=judge_retirement(contract.compatibility_mode),
                proposal=self.open_proposals.get(asset.id),
            )

    async def _load_shapes(self, removed_assets: Sequence[KnownAsset]) -> dict[UUID, TableShape]:
        """Load columns and lineage of tables that are gone, if a new table could be one of them."""
        if not removed_assets or not self.plan.new_models:
            return {}
        state = self.plan.state
        fqns = {asset.id: fqn for fqn, asset in state.assets.items()}
        fqns |= {asset.id: asset.fqn for asset in state.project_assets if asset.id not in fqns}
        upstream: dict[UUID, set[str]] = {asset.id: set() for asset in removed_assets}
        for edge in await lineage.list_of_dependents(self.session, list(upstream)):
            if edge.dependency_asset_id in fqns:
                upstream[edge.dependent_asset_id].add(fqns[edge.dependency_asset_id])
        columns = {asset.id: contract_columns(self.active[asset.id]) for asset in removed_assets}
        return {asset: create_shape(columns[asset], fqns) for asset, fqns in upstream.items()}

    async def _find_affected(self) -> None:
        """Find the readers of the tables that break, and decide their states."""
        plan = self.plan
        breaking = [table for table in plan.tables.values() if table.judgement.breaking]
        asset_ids = [table.asset_id for table in breaking if table.asset_id]
        own_lineage = await load_plan_lineage(self.session, plan, asset_ids)
        plan.family_ids = frozenset(own_lineage.readers)
        open_ids = [table.proposal.id for table in breaking if table.proposal]
        acknowledgments = await proposals.list_acknowledgments(self.session, open_ids) if open_ids else []
        by_proposal: dict[UUID, list[Acknowledgment]] = {}
        for row in acknowledgments:
            if row.released_at is None:
                by_proposal.setdefault(row.proposal_id, []).append(row)
        compatible = {
            plan.ids[fqn] for fqn, table in plan.tables.items() if fqn in plan.ids and not table.judgement.breaking
        }
        affected: list[tuple[TablePlan, UUID, ProposalFit | None]] = []
        for table in breaking:
            if table.asset_id is not None:
                rows = by_proposal.get(table.proposal.id, []) if table.proposal else []
                answered = replace(table, acknowledgments=tuple(rows))
                teams = self._find_teams(answered, own_lineage, compatible)
                affected.append((teams, table.asset_id, await self._fit_proposal(answered)))
        affected = await self._exclude_proven(affected)
        missing = await load_missing_coverage(
            self.session, [table for table, _, _ in affected if not table.affected.asked]
        )
        for table, asset, fit in affected:
            covered = replace(table, missing_coverage=missing.get(table.fqn, ()))
            plan.tables[table.fqn] = await self._decide(covered, asset, fit, own_lineage.readers.get(asset, ()))

    async def _exclude_proven(
        self, affected: Sequence[tuple[TablePlan, UUID, ProposalFit | None]]
    ) -> list[tuple[TablePlan, UUID, ProposalFit | None]]:
        """Leave out the teams that observed reads have released, as a publish does; they are informed."""
        asks = [
            PossibleAsk(
                asset, table.judgement.breaking, table.affected.asked, is_new=fit is None or not fit.has_same_terms
            )
            for table, asset, fit in affected
        ]
        new_readers = {(asset, team) for asset, team, _ in self.plan.registrations.created}
        proven = await exclude_all_proven(self.session, asks, new_readers)
        results: list[tuple[TablePlan, UUID, ProposalFit | None]] = []
        for (table, asset, fit), ask in zip(affected, proven, strict=True):
            teams = AffectedTeams(ask.asked, table.affected.informed | ask.released.keys())
            results.append((replace(table, affected=teams), asset, fit))
        return results

    def _find_teams(self, table: TablePlan, own_lineage: PlanLineage, compatible: Collection[UUID]) -> TablePlan:
        """Find the teams that a table affects, before a look at observed reads."""
        owner = self._owner_of(table)
        is_sync = self.plan.purpose.is_sync
        unaffected = frozenset[UUID]() if is_sync else own_lineage.find_unaffected(table, owner, compatible)
        return replace(table, affected=own_lineage.find_teams(table, owner, unaffected), unaffected=unaffected)

    async def _decide(
        self, table: TablePlan, asset: UUID, fit: ProposalFit | None, readers: Sequence[TableReader]
    ) -> TablePlan:
        owner, teams = self._owner_of(table), table.affected
        downstream = await lineage.load_downstream_team_ids(self.session, asset)
        informed = (teams.informed | downstream).difference(teams.asked, {owner})
        state = decide_breaking_state(teams.asked, fit, is_uncovered=bool(table.missing_coverage))
        reason = table.reason
        if state is TableState.CONFLICT and table.proposal is not None:
            reason = await self._describe_conflict(table.proposal)
        return replace(
            table,
            state=state,
            affected=AffectedTeams(teams.asked, informed),
            readers=tuple(reader for reader in readers if reader.team_id != owner),
            reason=reason,
            missing_coverage=_choose_missing(table, fit) if state is TableState.HELD else (),
        )

    async def _describe_conflict(self, proposal: Proposal) -> str:
        if proposal.change_set_id is None:
            subject = f"version {proposal.proposed_version}" if proposal.proposed_version else "its retirement"
            source = f"{subject}, proposed on {proposal.proposed_at:%Y-%m-%d}"
        else:
            (change_set,) = await change_sets.by_ids(self.session, [proposal.change_set_id])
            source = f"change set {change_set.key}" + (f", {change_set.url}" if change_set.url else "")
        reason = f": {proposal.reason.rstrip('.')}" if proposal.reason else ""
        advice = "Publish or withdraw it first, or replace it with `supersede` (--supersede)."
        return f"another change of it is open ({source}){reason}. {advice}"

    def _owner_of(self, table: TablePlan) -> UUID:
        if table.removal is None:
            return self.plan.state.owners[table.fqn]
        return next(asset.owner_team_id for asset in self.plan.removed if asset.id == table.asset_id)

    async def _fit_proposal(self, table: TablePlan) -> ProposalFit | None:
        proposal = table.proposal
        if proposal is None or table.contract is None:
            return None
        if table.model is None:
            fingerprint = RETIREMENT_FINGERPRINT
        else:
            fingerprint = build_terms(table.model, table.contract).fingerprint
        has_same_terms = proposal.fingerprint == fingerprint
        is_stale = False
        if has_same_terms and proposal.base_contract_id != table.contract.id:
            (asset,) = await assets.by_ids(self.session, [proposal.asset_id])
            is_stale = await find_stale_reason(self.session, asset, proposal) is not None
        return ProposalFit(
            proposal.status,
            {row.consumer_team_id for row in table.acknowledgments},
            has_same_terms=has_same_terms,
            is_stale=is_stale,
            is_replaceable=self.plan.options.supersede or self._is_of_change_set(proposal),
            is_agreed=self.plan.purpose.is_sync and is_agreed(proposal, table.judgement.breaking),
            is_held=proposal.hold is not None,
            is_covered=proposal.required_coverage_days is not None and proposal.status is ProposalStatus.APPROVED,
        )

    def _is_of_change_set(self, proposal: Proposal) -> bool:
        return self.change_set_id is not None and proposal.change_set_id == self.change_set_id


def _choose_missing(table: TablePlan, fit: ProposalFit | None) -> tuple[MissingCoverage, ...]:
    """Return what a held table waits for: what its proposal does, or what one would that is opened now."""
    is_proposed = table.proposal is not None and fit is not None and fit.has_same_terms and fit.is_held
    return tuple(list_missing(table.proposal)) if table.proposal and is_proposed else table.missing_coverage


def build_terms(model: Model, current: Contract) -> Terms:
    """The terms that a publish of the model proposes; a model without a mode keeps that of the contract."""
    mode = model.compatibility_mode or current.compatibility_mode
    return Terms(model.schema, model.guarantees or None, mode, known_columns=model.known_columns)


def _plan_new(model: Model) -> TablePlan:
    try:
        manifest_assets.validate_model(model)
    except Refusal as error:
        return TablePlan(model.fqn, TableState.REFUSED, model=model, reason=error.message)
    judgement = Judgement(is_first=True)
    return TablePlan(
        model.fqn, TableState.NEW, model=model, outcome=Outcome.PUBLISHED, version=FIRST_VERSION, judgement=judgement
    )
