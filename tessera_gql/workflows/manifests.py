"""A dbt manifest becomes assets, contracts, lineage and readers, in the caller's transaction.

What is new or unchanged takes a fixed number of statements; what changed goes through the same publish as everything
else. Unchanged writes nothing.
"""

import asyncio
from collections.abc import AsyncGenerator, Generator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from uuid import UUID

from sqlalchemy import text

from tessera_gql.diff import Change, Mode
from tessera_gql.errors import Refusal
from tessera_gql.formats.dbt import Manifest, Model
from tessera_gql.policy import naming
from tessera_gql.policy.access import Actor, Verb, allows, permit
from tessera_gql.policy.events import ManifestSynced
from tessera_gql.policy.publish import Terms
from tessera_gql.policy.words import Outcome
from tessera_gql.store import assets, contracts
from tessera_gql.store.assets import AssetRef
from tessera_gql.store.session import Session
from tessera_gql.store.tables import Asset, new_id
from tessera_gql.store.teams import TeamRef
from tessera_gql.workflows import manifest_lineage, manifest_owners, manifest_readers, manifest_rows, manifest_state
from tessera_gql.workflows.contracts import retire
from tessera_gql.workflows.manifest_owners import Naming
from tessera_gql.workflows.manifest_progress import Phase, Tell, silent
from tessera_gql.workflows.manifest_readers import Read, Registered
from tessera_gql.workflows.manifest_state import Gone, State
from tessera_gql.workflows.publishing import Published, PublishRequest, publish_contract


class SyncOutcome(StrEnum):
    """What became of one table of the manifest."""

    CREATED = "CREATED"
    PUBLISHED = "PUBLISHED"
    PROPOSED = "PROPOSED"
    UNCHANGED = "UNCHANGED"
    SKIPPED = "SKIPPED"


@dataclass(frozen=True)
class SyncOptions:
    """`owner` takes the tables whose manifest names none; `create_teams` makes the owners that do not exist yet.

    `owners` maps owners as the manifest spells them, whatever the case, to teams. `per_asset` skips a refused table
    with the reason instead of refusing all. `retire_removed` retires what left the manifest, if nobody reads it.
    """

    owner: TeamRef | None = None
    create_teams: bool = False
    compatibility_mode: Mode = Mode.BACKWARD
    supersede: bool = False
    owners: Mapping[str, str] = field(default_factory=dict[str, str])
    per_asset: bool = False
    retire_removed: bool = False


@dataclass(frozen=True, slots=True)
class Synced:
    """One table of the manifest and what became of it; `reason` says why it was skipped."""

    fqn: str
    outcome: SyncOutcome
    asset_id: UUID | None = None
    contract_id: UUID | None = None
    proposal_id: UUID | None = None
    changes: tuple[Change, ...] = ()
    breaking: tuple[Change, ...] = ()
    reason: str | None = None


@dataclass(frozen=True)
class Removed:
    """An asset of the project that the manifest no longer has; `reason` says why it was not retired."""

    fqn: str
    asset_id: UUID
    retired: bool = False
    reason: str | None = None


@dataclass(frozen=True)
class SyncReport:
    """In the order of fqns; `warnings` are what was passed over, `reads` what was found out about readers anew."""

    models: Sequence[Synced]
    dependencies_added: int = 0
    dependencies_removed: int = 0
    teams_created: int = 0
    warnings: tuple[str, ...] = ()
    removed: tuple[Removed, ...] = ()
    reads: tuple[Read, ...] = ()
    registrations_created: int = 0
    registrations_updated: int = 0
    registrations_ended: int = 0

    def count(self, outcome: SyncOutcome) -> int:
        return sum(one.outcome is outcome for one in self.models)


@dataclass
class _Work:
    """One sync under way: `results` by fqn; `ids` has every asset of the manifest that is there by now."""

    session: Session
    actor: Actor
    options: SyncOptions
    state: State
    tell: Tell = silent
    results: dict[str, Synced] = field(default_factory=dict[str, Synced])
    ids: dict[str, UUID] = field(default_factory=dict[str, UUID])

    @property
    def naming(self) -> Naming:
        return Naming(self.options.owner, self.options.create_teams, self.options.owners)

    def skip(self, model: Model, reason: str) -> None:
        known = self.state.known.get(model.fqn)
        self.results[model.fqn] = Synced(model.fqn, SyncOutcome.SKIPPED, known.id if known else None, reason=reason)


async def sync(
    session: Session, actor: Actor, manifest: Manifest, options: SyncOptions, tell: Tell = silent
) -> SyncReport:
    """All of it or nothing: a refusal of one table names it and rolls everything back, unless `per_asset` is set."""
    permit(actor, Verb.SYNC_DBT_MANIFEST, actor.team_id)
    problems = {model.fqn: reason for model in manifest.models if (reason := _problem(model))}
    models = [model for model in manifest.models if model.fqn not in problems]
    tell(Phase.COMPARE, 0, len(models))
    work = _Work(session, actor, options, await manifest_state.load(session, manifest, models), tell)
    for model in manifest.models:
        if model.fqn in problems:
            work.skip(model, problems[model.fqn])
    created = await manifest_owners.resolve(session, actor, work.state, models, work.naming)
    mine = _mine(work, models)
    fresh, changed = _sorted_out(work, mine)
    work.ids = {fqn: one.id for fqn, one in work.state.known.items()}
    tell(Phase.CREATE, 0, len(fresh))
    made = await _create(work, fresh)
    tell(Phase.READERS, 0, 0)
    here = await manifest_state.describe(session, [model.fqn for model in changed]) if changed else {}
    gone = [
        one for one in await manifest_state.gone(session, manifest) if allows(actor, Verb.SYNC_DBT_MANIFEST, one.owner)
    ]
    touched = [model for model in (*fresh, *changed) if model.fqn in work.ids]
    active = (
        await contracts.active_of(session, [work.state.known[model.fqn].id for model in changed]) if changed else []
    )
    promised = {one.asset_id: manifest_state.promised(one) for one in active}
    readers, registered, unnamed = await _register(work, touched, gone, promised)
    await _publish_all(work, changed, here)
    added, removed = await manifest_lineage.connect(session, work.ids, touched, made, [one.id for one in gone])
    report = SyncReport(
        models=[work.results[fqn] for fqn in sorted(work.results)],
        dependencies_added=added,
        dependencies_removed=removed,
        teams_created=created,
        warnings=(*manifest.warnings, *unnamed),
        removed=tuple([await _remove(work, one) for one in gone if one.contract_id]),
        reads=tuple(readers),
        registrations_created=registered.created,
        registrations_updated=registered.updated,
        registrations_ended=registered.ended,
    )
    _record(session, manifest, report)
    return report


def _problem(model: Model) -> str | None:
    try:
        naming.fqn(model.fqn)
    except Refusal as error:
        return error.message
    return None


def _mine(work: _Work, models: Sequence[Model]) -> list[Model]:
    """The tables that the actor may sync."""
    found: list[Model] = []
    allowed: dict[UUID, bool] = {}
    for model in models:
        owner = work.state.owners[model.fqn]
        if owner not in allowed:
            allowed[owner] = allows(work.actor, Verb.SYNC_DBT_MANIFEST, owner)
        if allowed[owner]:
            found.append(model)
        else:
            work.skip(model, "it belongs to another team than this key")
    return found


def _sorted_out(work: _Work, models: Sequence[Model]) -> tuple[list[Model], list[Model]]:
    """The new and the changed ones; the others are done."""
    fresh: list[Model] = []
    changed: list[Model] = []
    state = work.state
    for model in models:
        known = state.known.get(model.fqn)
        if known is None:
            fresh.append(model)
        elif state.is_unchanged(model):
            work.results[model.fqn] = Synced(model.fqn, SyncOutcome.UNCHANGED, known.id, known.contract_id)
        else:
            changed.append(model)
    return fresh, changed


async def _create(work: _Work, models: Sequence[Model]) -> set[UUID]:
    """New assets with their first contracts."""
    wanted: list[Model] = []
    for model in models:
        with _told(work, model):
            manifest_rows.check(model)
            wanted.append(model)
    state = work.state
    described = [(model, state.owners[model.fqn], state.stamp(model)) for model in wanted]
    made = await manifest_rows.create(work.session, state.manifest, described, work.options.compatibility_mode)
    published = await manifest_rows.release_first(work.session, [(model, made[model.fqn]) for model in wanted])
    for model, contract in zip(wanted, published, strict=True):
        work.ids[model.fqn] = contract.asset_id
        work.results[model.fqn] = Synced(model.fqn, SyncOutcome.CREATED, contract.asset_id, contract.id)
    return {one.id for one in made.values()}


async def _register(
    work: _Work, models: Sequence[Model], gone: Sequence[Gone], promised: Mapping[UUID, Sequence[str]]
) -> tuple[list[Read], Registered, list[str]]:
    """Before anything is published: who adapts in the same manifest is asked about what it reads from now on."""
    manifest, state = work.state.manifest, work.state
    found = await asyncio.to_thread(manifest_readers.of_models, state, work.ids, models, promised)
    exposures, passed = await manifest_owners.of_exposures(work.session, work.actor, manifest.exposures, work.naming)
    wanted = found.wanted | manifest_readers.of_exposures(manifest, exposures, work.ids, state.owners)
    consumers = [work.ids[model.fqn] for model in models] + [one.id for one in gone]
    owners = {work.ids[fqn]: owner for fqn, owner in state.owners.items() if fqn in work.ids}
    owners |= {one.id: one.owner for one in gone}
    done = await manifest_readers.register(work.session, manifest, wanted, consumers, owners)
    return found.reads, done, passed


async def _publish_all(work: _Work, models: Sequence[Model], here: Mapping[str, Asset]) -> None:
    """Assets that were there: bare ones get their first contract, the others are published to one by one."""
    bare = await manifest_rows.never_published(
        work.session, [one.id for model in models if (one := work.state.known[model.fqn]).version is None]
    )
    for number, model in enumerate(models):
        work.tell(Phase.PUBLISH, number, len(models))
        asset = here[assets.key(model.fqn)]
        async with _alone(work, model):
            if asset.id in bare:
                manifest_rows.check(model)
                contract = (await manifest_rows.release_first(work.session, [(model, asset)]))[0]
                synced = Synced(model.fqn, SyncOutcome.CREATED, asset.id, contract.id)
            else:
                synced = await _publish(work, model, asset)
            await _note(work, model, asset, synced)
            work.results[model.fqn] = synced


async def _publish(work: _Work, model: Model, asset: Asset) -> Synced:
    current = await contracts.find_active(work.session, asset.id)
    if current is not None:
        terms = Terms(model.schema, model.guarantees or None, current.compatibility_mode)
        if terms.schema_hash == current.schema_hash and terms.guarantees == current.guarantees:
            return Synced(model.fqn, SyncOutcome.UNCHANGED, asset.id, current.id)
    request = PublishRequest(schema=model.schema, guarantees=model.guarantees, supersede=work.options.supersede)
    return _synced(model, await publish_contract(work.session, work.actor, AssetRef(id=asset.id), request))


def _synced(model: Model, done: Published) -> Synced:
    return Synced(
        fqn=model.fqn,
        outcome=SyncOutcome(done.outcome if done.outcome is not Outcome.FORCED else Outcome.PUBLISHED),
        asset_id=done.asset.id,
        contract_id=done.contract.id if done.contract else None,
        proposal_id=done.proposal.id if done.proposal else None,
        changes=done.changes,
        breaking=done.judgement.breaking,
    )


async def _note(work: _Work, model: Model, asset: Asset, synced: Synced) -> None:
    """What dbt says of the asset, and the marks by which the next sync recognises it as unchanged."""
    stamp = work.state.stamp(model)
    known = work.state.known[model.fqn]
    marks: dict[str, str | None] = {}
    if known.stamp != stamp or synced.outcome in {SyncOutcome.CREATED, SyncOutcome.PUBLISHED}:
        is_settled = synced.outcome is not SyncOutcome.PROPOSED
        contract = await contracts.find_active(work.session, asset.id) if is_settled else None
        marks = {"fingerprint": stamp, "contract": contract.version if contract else None}
    await manifest_rows.update(work.session, asset, manifest_rows.details(work.state.manifest, model), marks)


@contextmanager
def _told(work: _Work, model: Model) -> Generator[None]:
    """A refusal names its table, or is that table's alone where each asset is taken by itself."""
    try:
        yield
    except Refusal as error:
        if not work.options.per_asset:
            raise type(error)(f"{model.fqn}: {error.message}", field=("manifest",)) from error
        work.skip(model, error.message)


@asynccontextmanager
async def _alone(work: _Work, model: Model) -> AsyncGenerator[None]:
    """As `_told`; what a skipped table has written is taken back, its events too."""
    if not work.options.per_asset:
        with _told(work, model):
            yield
        return
    events = len(work.session.events)
    await work.session.execute(text("SAVEPOINT one_table"))
    with _told(work, model):
        try:
            yield
        except Refusal:
            await work.session.execute(text("ROLLBACK TO SAVEPOINT one_table"))
            del work.session.events[events:]
            raise
    await work.session.execute(text("RELEASE SAVEPOINT one_table"))


async def _remove(work: _Work, one: Gone) -> Removed:
    """Retired only when asked, and only if nobody else reads it."""
    if not work.options.retire_removed or one.contract_id is None:
        return Removed(one.fqn, one.id)
    try:
        await retire(work.session, work.actor, one.contract_id)
    except Refusal as error:
        return Removed(one.fqn, one.id, reason=error.message)
    return Removed(one.fqn, one.id, retired=True)


def _record(session: Session, manifest: Manifest, report: SyncReport) -> None:
    """Nothing changed, nothing happened."""
    if not (session.events or report.dependencies_added or report.dependencies_removed):
        return
    session.record(
        ManifestSynced(
            sync_id=new_id(),
            project=manifest.project,
            assets_created=report.count(SyncOutcome.CREATED),
            contracts_published=report.count(SyncOutcome.PUBLISHED) + report.count(SyncOutcome.CREATED),
            proposals_opened=report.count(SyncOutcome.PROPOSED),
            dependencies_added=report.dependencies_added,
            dependencies_removed=report.dependencies_removed,
        )
    )
