"""What files say, merged into the database by natural keys: each kind once, in the order in which they need each other.

Contracts have a module of their own, `git_history`.
"""

from collections.abc import Iterable, Mapping, Sequence
from uuid import UUID

from sqlalchemy import select

from tessera_gql.diff import Mode
from tessera_gql.errors import Invalid
from tessera_gql.formats.git import AssetFile, DependencyEntry, RegistrationEntry, TeamFile
from tessera_gql.policy import naming
from tessera_gql.policy.access import Actor
from tessera_gql.policy.events import AssetCreated, DependencyAdded, RegistrationCreated
from tessera_gql.policy.version import parse
from tessera_gql.policy.words import DependencyType, Evidence, RegistrationStatus, ResourceType
from tessera_gql.store import assets, lineage, registrations, teams
from tessera_gql.store.assets import AssetRef
from tessera_gql.store.session import Session
from tessera_gql.store.tables import Asset, AssetDependency, Registration, new_id
from tessera_gql.store.teams import TeamRef
from tessera_gql.workflows import assets as asset_verbs
from tessera_gql.workflows import git_history, progress
from tessera_gql.workflows import registrations as registration_verbs
from tessera_gql.workflows import teams as team_verbs
from tessera_gql.workflows.assets import AssetDetails
from tessera_gql.workflows.git_state import Merge, Pulled, once, placed, word


async def merge(session: Session, actor: Actor, files: Sequence[tuple[str, TeamFile | AssetFile]]) -> Pulled:
    """All of it or nothing; a refusal names file and line."""
    state = Merge(session, actor)
    team_files = [(path, one) for path, one in files if isinstance(one, TeamFile)]
    asset_files = [(path, one) for path, one in files if isinstance(one, AssetFile)]
    await _merge_teams(state, team_files, _teams_named(asset_files))
    await _merge_assets(state, asset_files)
    await git_history.merge(state, asset_files)
    await _merge_registrations(state, asset_files)
    await _merge_dependencies(state, asset_files)
    return state.pulled()


def _teams_named(files: Iterable[tuple[str, AssetFile]]) -> set[str]:
    found: set[str] = set()
    for _, one in files:
        found |= {
            one.owner,
            *(each.published_by for each in one.contracts),
            *(each.consumer for each in one.registrations),
        }
    return found


async def _merge_teams(state: Merge, files: Sequence[tuple[str, TeamFile]], named: set[str]) -> None:
    once((path, one.line, teams.key(one.name)) for path, one in files)
    wanted = sorted(named | {one.name for _, one in files})
    known = {one.name_key: one for one in await teams.by_names(state.session, wanted)}
    for path, one in files:
        present = known.get(teams.key(one.name))
        with placed(path, one.line):
            if present is None:
                made = await team_verbs.create(state.session, state.actor, name=one.name, metadata=one.metadata)
                known[made.name_key] = made
                state.count("teams_created")
            elif (present.name, present.meta) != (one.name, one.metadata):
                ref = TeamRef(id=present.id)
                await team_verbs.update(state.session, state.actor, ref, name=one.name, metadata=one.metadata)
                state.count("teams_updated")
    state.teams = {key: one.id for key, one in known.items()}


def _assets_named(files: Iterable[tuple[str, AssetFile]]) -> set[str]:
    found: set[str] = set()
    for _, one in files:
        readers = {each.consumer_asset for each in one.registrations if each.consumer_asset}
        found |= {one.fqn, *readers, *(each.asset for each in one.dependencies)}
    return found


async def _merge_assets(state: Merge, files: Sequence[tuple[str, AssetFile]]) -> None:
    once((path, one.line, assets.key(one.fqn)) for path, one in files)
    found = await assets.by_fqns(state.session, sorted(_assets_named(files)))
    ours = {assets.key(one.fqn) for _, one in files}
    await assets.lock_all(state.session, [one.id for one in found if one.fqn_key in ours])
    state.assets = {one.fqn_key: one for one in await assets.by_ids(state.session, [one.id for one in found])}
    made: list[Asset] = []
    for path, one in files:
        with placed(path, one.line):
            wanted = _asset(state, one)
            present = state.assets.get(wanted.fqn_key)
            if present is None:
                made.append(wanted)
                state.session.record(
                    AssetCreated(teams=frozenset({wanted.owner_team_id}), asset_id=wanted.id, fqn=wanted.fqn)
                )
            else:
                await _update(state, present, wanted)
    await state.session.insert_all(made, clash="One of these assets was created at this moment.")
    state.assets |= {one.fqn_key: one for one in made}
    state.count("assets_created", len(made))


def _asset(state: Merge, one: AssetFile) -> Asset:
    return Asset(
        id=new_id(),
        fqn=(fqn := naming.fqn(one.fqn)),
        fqn_key=assets.key(fqn),
        owner_team_id=state.team(one.owner),
        resource_type=word(ResourceType, one.resource_type),
        description=naming.prose(one.description, "description"),
        compatibility_mode=word(Mode, one.compatibility_mode),
        meta=naming.metadata(one.metadata),
        row_version=1,
        created_at=state.session.now,
    )


async def _update(state: Merge, present: Asset, wanted: Asset) -> None:
    told = ("owner_team_id", "resource_type", "description", "compatibility_mode", "meta")
    if all(getattr(present, name) == getattr(wanted, name) for name in told):
        return
    details = AssetDetails(
        owner=TeamRef(id=wanted.owner_team_id),
        resource_type=wanted.resource_type,
        description=wanted.description or "",
        compatibility_mode=wanted.compatibility_mode,
        metadata=wanted.meta,
    )
    await asset_verbs.update(state.session, state.actor, AssetRef(id=present.id), details=details)
    state.count("assets_updated")


async def _merge_registrations(state: Merge, files: Sequence[tuple[str, AssetFile]]) -> None:
    """Those that are new come in as they were; of those that are live here, what is read and why follows the file."""
    here = [state.asset(one.fqn) for _, one in files]
    live = await registrations.live_of(state.session, [one.id for one in here])
    present = {(one.asset_id, one.consumer_team_id, one.consumer_asset_id): one for one in live}
    made: list[Registration] = []
    for (path, one), asset in zip(files, here, strict=True):
        once(
            (path, each.line, (teams.key(each.consumer), assets.key(each.consumer_asset or "")))
            for each in one.registrations
        )
        for each in one.registrations:
            with placed(path, each.line):
                wanted = _registration(state, asset, each)
                known = present.get((asset.id, wanted.consumer_team_id, wanted.consumer_asset_id))
                if known is None:
                    made.append(wanted)
                else:
                    await _follow(state, known, wanted)
    await state.session.insert_all(made, clash="One of these teams registered at this moment.")
    state.count("registrations_created", len(made))
    owners = {one.id: one for one in here}
    for row in made:
        _record(state, owners[row.asset_id], row)
    for asset in {row.asset_id: owners[row.asset_id] for row in made if row.asset_id in state.had_history}.values():
        await progress.reconsider(state.session, asset)


def _registration(state: Merge, asset: Asset, each: RegistrationEntry) -> Registration:
    if each.fields is not None and not 0 < len(each.fields) <= registration_verbs.MAX_FIELDS:
        raise Invalid(f"`fields` names 1 to {registration_verbs.MAX_FIELDS} paths; leave it out for everything.")
    if each.pinned_version is not None:
        parse(each.pinned_version)
    status = word(RegistrationStatus, each.status)
    if status is RegistrationStatus.INACTIVE:
        raise Invalid("An INACTIVE registration has ended, and files keep only live ones. Remove it from the file.")
    via = state.asset(each.consumer_asset) if each.consumer_asset else None
    if via is not None and via.id == asset.id:
        raise Invalid("An asset can't be registered as its own reader.")
    return Registration(
        id=new_id(),
        asset_id=asset.id,
        consumer_team_id=state.team(each.consumer),
        consumer_asset_id=via.id if via else None,
        fields=None if each.fields is None else list(each.fields),
        pinned_version=each.pinned_version,
        status=status,
        evidence=word(Evidence, each.evidence),
        purpose=naming.prose(each.purpose, "purpose"),
        registered_at=each.registered_at,
        acknowledged_at=each.acknowledged_at,
        meta=naming.metadata(each.metadata),
        row_version=1,
        created_at=state.session.now,
    )


async def _follow(state: Merge, known: Registration, wanted: Registration) -> None:
    changes = {
        name: getattr(wanted, column)
        for name, column in (("fields", "fields"), ("pinned_version",) * 2, ("purpose",) * 2, ("metadata", "meta"))
        if getattr(known, column) != getattr(wanted, column)
    }
    if not changes:
        return
    if changes.get("fields"):
        changes["fields"] = tuple(changes["fields"])
    await registration_verbs.update(state.session, state.actor, known.id, changes=changes)
    state.count("registrations_updated")


def _record(state: Merge, asset: Asset, row: Registration) -> None:
    state.session.record(
        RegistrationCreated(
            teams=frozenset({row.consumer_team_id, asset.owner_team_id}),
            asset_id=asset.id,
            registration_id=row.id,
            consumer_team_id=row.consumer_team_id,
            reads=None if row.fields is None else tuple(row.fields),
        )
    )


async def _merge_dependencies(state: Merge, files: Sequence[tuple[str, AssetFile]]) -> None:
    """Edges are added, never removed."""
    edges = lineage.rows
    here = [state.asset(one.fqn).id for _, one in files]
    rows = await state.session.list(
        select(edges).where(state.session.among(edges.c.dependent_asset_id, here)), AssetDependency
    )
    present = {(one.dependent_asset_id, one.dependency_asset_id, one.dependency_type) for one in rows}
    made: list[AssetDependency] = []
    for path, one in files:
        once((path, each.line, (assets.key(each.asset), each.type)) for each in one.dependencies)
        for each in one.dependencies:
            with placed(path, each.line):
                edge = _edge(state, state.asset(one.fqn), each)
            if (edge.dependent_asset_id, edge.dependency_asset_id, edge.dependency_type) not in present:
                made.append(edge)
    await state.session.insert_all(made, clash="One of these dependencies was added at this moment.")
    owners: Mapping[UUID, UUID] = {one.id: one.owner_team_id for one in state.assets.values()}
    for edge in made:
        state.session.record(
            DependencyAdded(
                teams=frozenset({owners[edge.dependent_asset_id], owners[edge.dependency_asset_id]}),
                asset_id=edge.dependent_asset_id,
                dependency_id=edge.id,
                dependency_asset_id=edge.dependency_asset_id,
                dependency_type=edge.dependency_type,
            )
        )
    state.count("dependencies_added", len(made))


def _edge(state: Merge, dependent: Asset, each: DependencyEntry) -> AssetDependency:
    dependency = state.asset(each.asset)
    if dependency.id == dependent.id:
        raise Invalid("An asset can't depend on itself.")
    return AssetDependency(
        id=new_id(),
        dependent_asset_id=dependent.id,
        dependency_asset_id=dependency.id,
        dependency_type=word(DependencyType, each.type),
        evidence=word(Evidence, each.evidence),
        created_at=state.session.now,
    )
