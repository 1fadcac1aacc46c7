"""A dbt manifest becomes assets, contracts and lineage: all of it in the caller's transaction, in a fixed number of
statements for what is new or unchanged. What changed goes through the same publish as everything else.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import select

from tessera_gql.diff import Change, Mode
from tessera_gql.errors import Invalid, Refusal
from tessera_gql.formats.dbt import Manifest, Model
from tessera_gql.policy import naming
from tessera_gql.policy.access import Actor, Verb, acting_team, allows, permit
from tessera_gql.policy.events import AssetCreated, AssetUpdated, ManifestSynced
from tessera_gql.policy.publish import Terms, judge
from tessera_gql.policy.version import FIRST
from tessera_gql.policy.words import DependencyType, Evidence, Outcome, ResourceType
from tessera_gql.store import assets, contracts, lineage, teams
from tessera_gql.store.assets import AssetRef
from tessera_gql.store.session import Session
from tessera_gql.store.tables import Asset, AssetDependency, Contract, new_id, table
from tessera_gql.store.teams import TeamRef
from tessera_gql.workflows import teams as team_verbs
from tessera_gql.workflows.contracts import Release, release_all
from tessera_gql.workflows.publishing import Published, PublishRequest, checked, publish_contract

RESOURCES = {
    "model": ResourceType.MODEL,
    "seed": ResourceType.SEED,
    "snapshot": ResourceType.SNAPSHOT,
    "source": ResourceType.SOURCE,
}


class SyncOutcome(StrEnum):
    """What became of one table of the manifest."""

    CREATED = "CREATED"
    PUBLISHED = "PUBLISHED"
    PROPOSED = "PROPOSED"
    UNCHANGED = "UNCHANGED"
    SKIPPED = "SKIPPED"


@dataclass(frozen=True)
class SyncOptions:
    """`owner` takes the tables whose manifest names none; `create_teams` makes the owners that do not exist yet."""

    owner: TeamRef | None = None
    create_teams: bool = False
    compatibility_mode: Mode = Mode.BACKWARD
    supersede: bool = False


@dataclass(frozen=True)
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
class SyncReport:
    """In the order of fqns; `warnings` are what the reader of the manifest passed over."""

    models: Sequence[Synced]
    dependencies_added: int = 0
    dependencies_removed: int = 0
    teams_created: int = 0
    warnings: tuple[str, ...] = ()

    def count(self, outcome: SyncOutcome) -> int:
        return sum(one.outcome is outcome for one in self.models)


@dataclass
class _Plan:
    """What was found in the database for the tables of the manifest."""

    owners: Mapping[str | None, UUID]
    known: dict[str, Asset] = field(default_factory=dict[str, Asset])
    active: dict[UUID, Contract] = field(default_factory=dict[UUID, Contract])


async def sync(session: Session, actor: Actor, manifest: Manifest, options: SyncOptions) -> SyncReport:
    """All of it or nothing: a refusal of one table names it and rolls everything back. Unchanged writes nothing."""
    permit(actor, Verb.SYNC_DBT_MANIFEST, actor.team_id)
    models = [model for model in manifest.models if not _problem(model)]
    skipped = [
        Synced(model.fqn, SyncOutcome.SKIPPED, reason=reason)
        for model in manifest.models
        if (reason := _problem(model))
    ]
    plan, created_teams = await _plan(session, actor, models, options)
    results = {one.fqn: one for one in skipped}
    mine: list[Model] = []
    for model in models:
        asset = plan.known.get(model.fqn)
        owner = asset.owner_team_id if asset else plan.owners[model.owner]
        if allows(actor, Verb.SYNC_DBT_MANIFEST, owner):
            mine.append(model)
        else:
            reason = "it belongs to another team than this key"
            results[model.fqn] = Synced(
                model.fqn, SyncOutcome.SKIPPED, asset_id=asset.id if asset else None, reason=reason
            )
    results |= {one.fqn: one for one in await _create(session, mine, plan, options)}
    for model in mine:
        if model.fqn not in results:
            results[model.fqn] = await _publish(session, actor, model, plan, options)
    added, removed = await _connect(session, mine, plan)
    report = SyncReport(
        models=[results[fqn] for fqn in sorted(results)],
        dependencies_added=added,
        dependencies_removed=removed,
        teams_created=created_teams,
        warnings=manifest.warnings,
    )
    _record(session, manifest, report)
    return report


def _problem(model: Model) -> str | None:
    try:
        naming.fqn(model.fqn)
    except Refusal as error:
        return error.message
    return None


async def _plan(session: Session, actor: Actor, models: Sequence[Model], options: SyncOptions) -> tuple[_Plan, int]:
    known = {one.fqn_key: one for one in await assets.by_fqns(session, [model.fqn for model in models])}
    await assets.lock_all(session, [one.id for one in known.values()])
    wanted = {model.owner for model in models if assets.key(model.fqn) not in known}
    owners, created = await _owners(session, actor, wanted, options)
    active = {one.asset_id: one for one in await contracts.active_of(session, [one.id for one in known.values()])}
    found = {model.fqn: known[key] for model in models if (key := assets.key(model.fqn)) in known}
    return _Plan(owners, found, active), created


async def _owners(
    session: Session, actor: Actor, wanted: set[str | None], options: SyncOptions
) -> tuple[dict[str | None, UUID], int]:
    """The team of each owner named, unknown names going to the default owner if there is one."""
    names = sorted(name for name in wanted if name is not None)
    known = {team.name_key: team.id for team in await teams.by_names(session, names)}
    missing = [name for name in names if teams.key(name) not in known]
    created = 0
    if options.create_teams:
        for name in missing:
            if teams.key(name) not in known:
                known[teams.key(name)] = (await team_verbs.create(session, actor, name=name)).id
                created += 1
        missing = []
    found: dict[str | None, UUID] = {name: known[teams.key(name)] for name in names if teams.key(name) in known}
    if missing or None in wanted:
        default = await _default_owner(session, actor, missing, options)
        found |= dict.fromkeys(missing, default) | {None: default}
    return found, created


async def _default_owner(session: Session, actor: Actor, missing: list[str], options: SyncOptions) -> UUID:
    if options.owner is None and actor.team_id is None:
        named = f" The manifest names {', '.join(missing[:10])}, which are no teams." if missing else ""
        raise Invalid(
            f"Some tables of the manifest have no owner.{named} Give `owner`, a team for them, or set `createTeams`.",
            field=("owner",),
        )
    named_team = await teams.get(session, options.owner, field=("owner",)) if options.owner else None
    return acting_team(actor, Verb.SYNC_DBT_MANIFEST, named_team.id if named_team else None)


def _details(model: Model) -> dict[str, Any]:
    about = {"unique_id": model.unique_id, "tags": list(model.tags), "version": model.version, "path": model.path}
    about |= {"deprecation_date": model.deprecation_date, "contract_enforced": model.contract_enforced or None}
    return {
        "resource_type": RESOURCES.get(model.resource_type, ResourceType.TABLE),
        "description": naming.prose(model.description and model.description[: naming.MAX_TEXT], "description"),
        "meta": {"dbt": {key: value for key, value in about.items() if value}},
    }


async def _create(session: Session, models: Sequence[Model], plan: _Plan, options: SyncOptions) -> list[Synced]:
    """Assets that are new, and first contracts for those that have none yet; a few statements for all."""
    fresh = [model for model in models if model.fqn not in plan.known]
    for model in fresh:
        plan.known[model.fqn] = Asset(
            id=new_id(),
            fqn=model.fqn,
            fqn_key=assets.key(model.fqn),
            owner_team_id=plan.owners[model.owner],
            compatibility_mode=options.compatibility_mode,
            row_version=1,
            created_at=session.now,
            **_details(model),
        )
    made = [plan.known[model.fqn] for model in fresh]
    await session.insert_all(made, clash="One of the manifest's assets was created at this moment.")
    for asset in made:
        session.record(AssetCreated(teams=frozenset({asset.owner_team_id}), asset_id=asset.id, fqn=asset.fqn))
    # An asset that has had contracts, now retired, goes through the ordinary publish: its next version is not the first.
    first = [*fresh, *await _never_published(session, [model for model in models if model not in fresh], plan)]
    offers = [(plan.known[model.fqn], None, _first(plan.known[model.fqn], model)) for model in first]
    published = await release_all(session, offers) if offers else []
    return [
        Synced(model.fqn, SyncOutcome.CREATED, asset_id=one.asset_id, contract_id=one.id)
        for model, one in zip(first, published, strict=True)
    ]


async def _never_published(session: Session, models: Sequence[Model], plan: _Plan) -> list[Model]:
    bare = {plan.known[model.fqn].id: model for model in models if plan.known[model.fqn].id not in plan.active}
    if not bare:
        return []
    rows = contracts.rows
    statement = select(rows.c.asset_id).where(session.among(rows.c.asset_id, bare)).distinct()
    had = set((await session.execute(statement)).scalars().all())
    return [model for identity, model in bare.items() if identity not in had]


def _first(asset: Asset, model: Model) -> Release:
    request = PublishRequest(schema=model.schema, guarantees=model.guarantees)
    _named(model, lambda: checked(request))
    terms = Terms(model.schema, model.guarantees or None, asset.compatibility_mode)
    return Release(terms=terms, version=FIRST, judgement=judge(None, terms), published_by=asset.owner_team_id)


def _named(model: Model, work: Any) -> Any:
    try:
        return work()
    except Refusal as error:
        raise type(error)(f"{model.fqn}: {error.message}", field=("manifest",)) from error


async def _publish(session: Session, actor: Actor, model: Model, plan: _Plan, options: SyncOptions) -> Synced:
    asset = plan.known[model.fqn]
    current = plan.active.get(asset.id)
    await _describe(session, asset, model)
    if current is not None:
        terms = Terms(model.schema, model.guarantees or None, current.compatibility_mode)
        if terms.schema_hash == current.schema_hash and terms.guarantees == current.guarantees:
            return Synced(model.fqn, SyncOutcome.UNCHANGED, asset_id=asset.id, contract_id=current.id)
    request = PublishRequest(schema=model.schema, guarantees=model.guarantees, supersede=options.supersede)
    try:
        done = await publish_contract(session, actor, AssetRef(id=asset.id), request)
    except Refusal as error:
        raise type(error)(f"{model.fqn}: {error.message}", field=("manifest",)) from error
    return _synced(model, done)


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


async def _describe(session: Session, asset: Asset, model: Model) -> None:
    wanted = _details(model)
    wanted["meta"] = {**asset.meta, **wanted["meta"]}
    differing = {key: value for key, value in wanted.items() if value != getattr(asset, key)}
    if not differing:
        return
    here = assets.rows.c.id == asset.id
    await session.update(Asset, here, **differing, row_version=asset.row_version + 1)
    changed = tuple(sorted("metadata" if key == "meta" else key for key in differing))
    session.record(AssetUpdated(teams=frozenset({asset.owner_team_id}), asset_id=asset.id, changed=changed))


async def _connect(session: Session, models: Sequence[Model], plan: _Plan) -> tuple[int, int]:
    """Makes the edges that dbt knows of equal to the manifest's; edges that people declared stay."""
    here = {plan.known[model.fqn].id for model in models}
    wanted = {
        (plan.known[model.fqn].id, plan.known[source].id)
        for model in models
        for source in model.depends_on
        if source in plan.known and source != model.fqn
    }
    edges = lineage.rows
    present = await session.list(select(edges).where(session.among(edges.c.dependent_asset_id, here)), AssetDependency)
    ours = [one for one in present if one.evidence is Evidence.DBT_MANIFEST]
    same = {
        (one.dependent_asset_id, one.dependency_asset_id)
        for one in present
        if one.dependency_type is DependencyType.TRANSFORMS
    }
    gone = [one.id for one in ours if (one.dependent_asset_id, one.dependency_asset_id) not in wanted]
    if gone:
        await session.execute(table(AssetDependency).delete().where(session.among(edges.c.id, gone)))
    fresh = [
        AssetDependency(
            id=new_id(),
            dependent_asset_id=dependent,
            dependency_asset_id=dependency,
            dependency_type=DependencyType.TRANSFORMS,
            evidence=Evidence.DBT_MANIFEST,
            created_at=session.now,
        )
        for dependent, dependency in sorted(wanted - same)
    ]
    await session.insert_all(fresh)
    return len(fresh), len(gone)


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
