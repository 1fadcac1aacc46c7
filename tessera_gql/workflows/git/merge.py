"""Merge files into the database by natural keys, each kind once, in the order in which they depend on each other.

`workflows.git.history` merges contracts.
"""

from collections.abc import Iterable, Mapping, Sequence
from uuid import UUID

from tessera_gql.diff import Mode
from tessera_gql.errors import Invalid
from tessera_gql.formats.git_files import AssetFile, DependencyEntry, GitFile, PolicyFile, RegistrationEntry, TeamFile
from tessera_gql.policy import validation
from tessera_gql.policy.access import Actor
from tessera_gql.policy.enums import (
    AssetTier,
    DependencyType,
    Evidence,
    LabelOrigin,
    RegistrationStatus,
    ReleaseKind,
    ResourceType,
)
from tessera_gql.policy.events import DependencyAdded
from tessera_gql.policy.version import parse_version
from tessera_gql.store import assets, labels, lineage, registrations, teams
from tessera_gql.store.assets import AssetRef
from tessera_gql.store.session import Session
from tessera_gql.store.tables import Asset, AssetDependency, Registration, new_id
from tessera_gql.store.teams import TeamRef
from tessera_gql.workflows import archiving, dependencies
from tessera_gql.workflows import assets as asset_verbs
from tessera_gql.workflows import registrations as registration_verbs
from tessera_gql.workflows import teams as team_verbs
from tessera_gql.workflows.acknowledgment_requests import ReleaseEvidence
from tessera_gql.workflows.affected_teams import lock_with_sources
from tessera_gql.workflows.assets import AssetDetails
from tessera_gql.workflows.debts import settle_corrected
from tessera_gql.workflows.git import history
from tessera_gql.workflows.git.announcements import merge_announcements
from tessera_gql.workflows.git.policies import merge_policies
from tessera_gql.workflows.git.state import PullResult, PullState, locate_errors, parse_enum, require_unique
from tessera_gql.workflows.labels import set_labels
from tessera_gql.workflows.proposal_lifecycle import update_upstream_proposals
from tessera_gql.workflows.reopening import Registrants
from tessera_gql.workflows.teams import DelegateChange, EscalationChange, SubstituteChanges

PULL_EVIDENCE = ReleaseEvidence(ReleaseKind.REGISTRATION, "files pulled from git")
"""The proof by which a registration in a file releases its team."""


async def merge_files(session: Session, actor: Actor, files: Sequence[tuple[str, GitFile]]) -> PullResult:
    """Merge all files, all or nothing; an error names file and line."""
    state = PullState(session, actor)
    team_files = [(path, file) for path, file in files if isinstance(file, TeamFile)]
    asset_files = [(path, file) for path, file in files if isinstance(file, AssetFile)]
    await merge_policies(state, [(path, file) for path, file in files if isinstance(file, PolicyFile)])
    await _merge_teams(state, team_files, _referenced_teams(asset_files) | _referenced_substitutes(team_files))
    await _merge_substitutes(state, team_files)
    await _merge_assets(state, asset_files)
    await history.merge_contracts(state, asset_files)
    await _merge_registrations(state, asset_files)
    await _merge_dependencies(state, asset_files)
    await _archive_marked(state, team_files, asset_files)
    await _merge_labels(state, asset_files)
    await merge_announcements(state, asset_files)
    return state.to_result()


def _referenced_teams(files: Iterable[tuple[str, AssetFile]]) -> set[str]:
    names: set[str] = set()
    for _, file in files:
        names |= {file.owner, *(contract.published_by for contract in file.contracts)}
        names |= {registration.consumer for registration in file.registrations}
        names |= {entry.declared_by for entry in file.deprecations}
    return names


def _referenced_substitutes(files: Iterable[tuple[str, TeamFile]]) -> set[str]:
    return {name for _, file in files for name in (file.delegate, file.escalation_team) if name is not None}


async def _merge_substitutes(state: PullState, files: Sequence[tuple[str, TeamFile]]) -> None:
    """Set the delegates and escalation teams of the files. A delegation that has ended meanwhile is left out."""
    rows = await teams.by_ids(state.session, [state.get_team_id(file.name) for _, file in files])
    present = {row.id: row for row in rows}
    for path, file in files:
        with locate_errors(path, file.line):
            row = present[state.get_team_id(file.name)]
            until = file.delegate_until if file.delegate is not None else None
            delegate = state.get_team_id(file.delegate) if file.delegate and until else None
            if until is not None and until <= state.session.now:
                delegate = until = None
            escalation = state.get_team_id(file.escalation_team) if file.escalation_team else None
            if (row.delegate_team_id, row.delegate_until, row.escalation_team_id) == (delegate, until, escalation):
                continue
            substitutes = SubstituteChanges(
                DelegateChange(TeamRef(id=delegate) if delegate else None, until),
                EscalationChange(TeamRef(id=escalation) if escalation else None),
            )
            await team_verbs.update(state.session, state.actor, TeamRef(id=row.id), substitutes=substitutes)


async def _merge_teams(state: PullState, files: Sequence[tuple[str, TeamFile]], other_names: set[str]) -> None:
    require_unique((path, file.line, teams.key(file.name)) for path, file in files)
    all_names = sorted(other_names | {file.name for _, file in files})
    known_teams = {team.name_key: team for team in await teams.by_names(state.session, all_names)}
    for path, file in files:
        present = known_teams.get(teams.key(file.name))
        with locate_errors(path, file.line):
            if present is None:
                team = await team_verbs.create(state.session, state.actor, name=file.name, metadata=file.metadata)
                known_teams[team.name_key] = team
                state.count("teams_created")
            elif (present.name, present.meta) != (file.name, file.metadata):
                ref = TeamRef(id=present.id)
                await team_verbs.update(state.session, state.actor, ref, name=file.name, metadata=file.metadata)
                state.count("teams_updated")
            if present is not None and present.archived_at is not None and not file.archived:
                await archiving.unarchive_team(state.session, state.actor, TeamRef(id=present.id))
    state.teams = {key: team.id for key, team in known_teams.items()}


def _referenced_assets(files: Iterable[tuple[str, AssetFile]]) -> set[str]:
    fqns: set[str] = set()
    for _, file in files:
        consumers = {entry.consumer_asset for entry in file.registrations if entry.consumer_asset}
        consumers |= {file.superseded_by} if file.superseded_by else set()
        fqns |= {file.fqn, *consumers, *(entry.asset for entry in file.dependencies)}
    return fqns


async def _merge_assets(state: PullState, files: Sequence[tuple[str, AssetFile]]) -> None:
    require_unique((path, file.line, assets.key(file.fqn)) for path, file in files)
    existing_assets = await assets.by_fqns(state.session, sorted(_referenced_assets(files)))
    own_keys = {assets.key(file.fqn) for _, file in files}
    await assets.lock_by_ids(state.session, [asset.id for asset in existing_assets if asset.fqn_key in own_keys])
    locked_assets = await assets.by_ids(state.session, [asset.id for asset in existing_assets])
    state.assets = {asset.fqn_key: asset for asset in locked_assets}
    new_assets: list[Asset] = []
    for path, file in files:
        with locate_errors(path, file.line):
            asset = _to_asset(state, file)
            present = state.assets.get(asset.fqn_key)
            if present is None:
                new_assets.append(asset)
                asset_verbs.record_created(state.session, asset)
            else:
                await _update_asset(state, present, asset)
                await _update_tier(state, present, asset)
                if present.archived_at is not None and not file.archived:
                    await archiving.unarchive_asset(state.session, state.actor, AssetRef(id=present.id))
    await state.session.insert_all(new_assets, conflict_message="One of these assets was created at this moment.")
    state.assets |= {asset.fqn_key: asset for asset in new_assets}
    state.count("assets_created", len(new_assets))


def _to_asset(state: PullState, file: AssetFile) -> Asset:
    details = AssetDetails(
        resource_type=parse_enum(ResourceType, file.resource_type),
        description=file.description,
        compatibility_mode=parse_enum(Mode, file.compatibility_mode),
        metadata=file.metadata,
        tier=parse_enum(AssetTier, file.tier) if file.tier else AssetTier.NORMAL,
    )
    owner = state.get_team_id(file.owner)
    asset = asset_verbs.new_asset(state.session, validation.clean_fqn(file.fqn), owner, details)
    asset.is_tier_confirmed = file.tier_confirmed
    return asset


async def _merge_labels(state: PullState, files: Sequence[tuple[str, AssetFile]]) -> None:
    """Make the labels that owner teams have set those of the files."""
    rows = await labels.list_by_assets(state.session, [state.get_asset(file.fqn).id for _, file in files])
    present: dict[UUID, set[str]] = {}
    for row in rows:
        if row.origin is LabelOrigin.DECLARED:
            present.setdefault(row.asset_id, set()).add(row.name)
    for path, file in files:
        asset_id = state.get_asset(file.fqn).id
        if set(file.labels) != present.get(asset_id, set()):
            with locate_errors(path, file.line):
                await set_labels(state.session, state.actor, AssetRef(id=asset_id), file.labels)


async def _update_asset(state: PullState, present: Asset, asset: Asset) -> None:
    columns = ("owner_team_id", "resource_type", "description", "compatibility_mode", "meta")
    if all(getattr(present, name) == getattr(asset, name) for name in columns):
        return
    details = AssetDetails(
        owner=TeamRef(id=asset.owner_team_id),
        resource_type=asset.resource_type,
        description=asset.description or "",
        compatibility_mode=asset.compatibility_mode,
        metadata=asset.meta,
    )
    await asset_verbs.update(state.session, state.actor, AssetRef(id=present.id), details=details)
    state.count("assets_updated")


async def _update_tier(state: PullState, present: Asset, asset: Asset) -> None:
    """Set the tier of an asset as its file has it; a pull is made by an administrator."""
    if (present.tier, present.is_tier_confirmed) == (asset.tier, asset.is_tier_confirmed):
        return
    if asset.is_tier_confirmed:
        await asset_verbs.set_tier(state.session, state.actor, AssetRef(id=present.id), asset.tier)
    elif not present.is_tier_confirmed:
        await asset_verbs.update(
            state.session, state.actor, AssetRef(id=present.id), details=AssetDetails(tier=asset.tier)
        )


async def _merge_registrations(state: PullState, files: Sequence[tuple[str, AssetFile]]) -> None:
    """Insert new registrations as they were; in live ones, fields and purpose follow the file.

    Open proposals follow all of them together, since what one registration no longer reads another one may.
    """
    file_assets = [state.get_asset(file.fqn) for _, file in files]
    live = await registrations.list_live(state.session, [asset.id for asset in file_assets])
    present = {(row.asset_id, row.consumer_team_id, row.consumer_asset_id): row for row in live}
    new_rows: list[Registration] = []
    changed_rows: list[Registration] = []
    for (path, file), asset in zip(files, file_assets, strict=True):
        require_unique(
            (path, entry.line, (teams.key(entry.consumer), assets.key(entry.consumer_asset or "")))
            for entry in file.registrations
        )
        for entry in file.registrations:
            with locate_errors(path, entry.line):
                row = _to_registration(state, asset, entry)
                before = present.get((asset.id, row.consumer_team_id, row.consumer_asset_id))
                if before is None:
                    new_rows.append(row)
                elif await _update_registration(state, before, row):
                    changed_rows.append(row)
    await state.session.insert_all(new_rows, conflict_message="One of these teams registered at this moment.")
    state.count("registrations_created", len(new_rows))
    by_id = {asset.id: asset for asset in file_assets}
    for row in new_rows:
        registration_verbs.record_created(state.session, row, by_id[row.asset_id].owner_team_id)
    if read_ids := {row.asset_id for row in [*new_rows, *changed_rows]}:
        await settle_corrected(state.session, sorted(read_ids))
        team_ids = frozenset(row.consumer_team_id for row in [*new_rows, *changed_rows])
        registrants = Registrants(team_ids, state.actor.is_admin, is_sync=True)
        await update_upstream_proposals(state.session, read_ids, PULL_EVIDENCE, registrants, includes_assets=True)


def _to_registration(state: PullState, asset: Asset, entry: RegistrationEntry) -> Registration:
    if entry.fields is not None and not 0 < len(entry.fields) <= registration_verbs.MAX_FIELDS:
        raise Invalid(f"`fields` names 1 to {registration_verbs.MAX_FIELDS} paths; leave it out for everything.")
    if entry.pinned_version is not None:
        parse_version(entry.pinned_version)
    status = parse_enum(RegistrationStatus, entry.status)
    if status is RegistrationStatus.INACTIVE:
        raise Invalid("An INACTIVE registration has ended, and files keep only live ones. Remove it from the file.")
    consumer_asset = state.get_asset(entry.consumer_asset) if entry.consumer_asset else None
    if consumer_asset is not None and consumer_asset.id == asset.id:
        raise Invalid("An asset can't be registered as its own reader.")
    return Registration(
        id=new_id(),
        asset_id=asset.id,
        consumer_team_id=state.get_team_id(entry.consumer),
        consumer_asset_id=consumer_asset.id if consumer_asset else None,
        fields=None if entry.fields is None else list(entry.fields),
        pinned_version=entry.pinned_version,
        status=status,
        evidence=parse_enum(Evidence, entry.evidence),
        purpose=validation.clean_text(entry.purpose, "purpose"),
        registered_at=entry.registered_at,
        acknowledged_at=entry.acknowledged_at,
        meta=validation.clean_metadata(entry.metadata),
        row_version=1,
        created_at=state.session.now,
    )


async def _update_registration(state: PullState, before: Registration, row: Registration) -> bool:
    """Give a live registration the details of the file; return whether it has changed."""
    changes = {
        name: getattr(row, column)
        for name, column in (("fields", "fields"), ("pinned_version",) * 2, ("purpose",) * 2, ("metadata", "meta"))
        if getattr(before, column) != getattr(row, column)
    }
    if not changes:
        return False
    if changes.get("fields"):
        changes["fields"] = tuple(changes["fields"])
    _, _, is_changed = await registration_verbs.change(state.session, state.actor, before.id, changes)
    state.count("registrations_updated")
    return is_changed


async def _merge_dependencies(state: PullState, files: Sequence[tuple[str, AssetFile]]) -> None:
    """Add the dependencies of the files that are new; none is removed."""
    rows = await lineage.list_of_dependents(state.session, [state.get_asset(file.fqn).id for _, file in files])
    present = {(row.dependent_asset_id, row.dependency_asset_id, row.dependency_type) for row in rows}
    new_edges: list[AssetDependency] = []
    for path, file in files:
        require_unique((path, entry.line, (assets.key(entry.asset), entry.type)) for entry in file.dependencies)
        for entry in file.dependencies:
            with locate_errors(path, entry.line):
                edge = _to_dependency(state, state.get_asset(file.fqn), entry)
            if (edge.dependent_asset_id, edge.dependency_asset_id, edge.dependency_type) not in present:
                new_edges.append(edge)
    if new_edges:
        await assets.lock_more(state.session, {edge.dependency_asset_id for edge in new_edges})
    await state.session.insert_all(new_edges, conflict_message="One of these dependencies was added at this moment.")
    owners: Mapping[UUID, UUID] = {asset.id: asset.owner_team_id for asset in state.assets.values()}
    for edge in new_edges:
        audience = {owners[edge.dependent_asset_id], owners[edge.dependency_asset_id]}
        dependencies.record_event(state.session, DependencyAdded, edge, audience)
    if new_edges:
        await update_upstream_proposals(state.session, {edge.dependent_asset_id for edge in new_edges})
    state.count("dependencies_added", len(new_edges))


async def _archive_marked(
    state: PullState, team_files: Sequence[tuple[str, TeamFile]], asset_files: Sequence[tuple[str, AssetFile]]
) -> None:
    """Archive what the files mark, after everything else, and then check that nothing of the rest uses it."""
    session = state.session
    marked_assets = [(path, file.line, state.get_asset(file.fqn)) for path, file in asset_files if file.archived]
    marked_teams = [(path, file.line, TeamRef(name=file.name)) for path, file in team_files if file.archived]
    await _archive_assets(session, [asset for _, _, asset in marked_assets if asset.archived_at is None])
    locked_teams = [(path, line, await teams.lock(session, ref)) for path, line, ref in marked_teams]
    for _, _, team in locked_teams:
        if team.archived_at is None:
            await archiving.mark_team_archived(session, team)
    for path, line, asset in marked_assets:
        with locate_errors(path, line):
            await archiving.require_unused_asset(session, asset)
    for path, line, team in locked_teams:
        with locate_errors(path, line):
            await archiving.require_unused_team(session, team)


async def _archive_assets(session: Session, live: Sequence[Asset]) -> None:
    if asset_ids := [asset.id for asset in live]:
        await lock_with_sources(session, asset_ids)
        for asset in live:
            await archiving.mark_asset_archived(session, asset)
        await update_upstream_proposals(session, asset_ids)


def _to_dependency(state: PullState, dependent: Asset, entry: DependencyEntry) -> AssetDependency:
    dependency = state.get_asset(entry.asset)
    if dependency.id == dependent.id:
        raise Invalid("An asset can't depend on itself.")
    evidence = parse_enum(Evidence, entry.evidence)
    kind = parse_enum(DependencyType, entry.type)
    return dependencies.new_dependency(state.session, dependent, dependency, kind, evidence)
