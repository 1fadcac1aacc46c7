"""Register the team of a principal for all that the principal was seen reading, in one call of an administrator."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from tessera_gql.diff import list_fields, small_schema_size
from tessera_gql.errors import Invalid
from tessera_gql.policy.access import Action, Actor, authorize
from tessera_gql.policy.enums import Evidence, RegistrationStatus, ReleaseKind
from tessera_gql.policy.global_ids import encode_global_id
from tessera_gql.store import assets, contracts, registrations, teams, usage
from tessera_gql.store.session import Session
from tessera_gql.store.tables import Asset, Contract, Observation, Principal, Registration, Team, new_id
from tessera_gql.store.teams import TeamRef
from tessera_gql.workflows.acknowledgment_requests import ReleaseEvidence
from tessera_gql.workflows.archiving import require_live_teams
from tessera_gql.workflows.proposal_lifecycle import update_upstream_proposals
from tessera_gql.workflows.registrations import record_created, update_columns
from tessera_gql.workflows.reopening import Registrants
from tessera_gql.workflows.usage_sources import map_principal
from tessera_gql.workflows.usage_suggestions import load_suggested_teams

MAX_ASSETS = 500
"""Assets for which one call registers a team."""


@dataclass(frozen=True)
class RegisteredReader:
    """A principal with its team, and the registrations that were made or widened."""

    principal: Principal
    team: Team
    registrations: Sequence[Registration]


async def register_observed_reader(
    session: Session, actor: Actor, principal_id: UUID, team: TeamRef | None
) -> RegisteredReader:
    """Map a principal to a team, and register the team for the fields that the principal was seen reading.

    Without a `team` it is the one that the principal has, or else the suggested one. A registration that the team has
    is widened. Fields that the contract no longer declares, archived assets and those of the team are left out.
    """
    authorize(actor, Action.REGISTER_OBSERVED_READER, None)
    principal = await usage.principals_by_ids.get(session, principal_id, "principal", "List them with principals.")
    owner = await _choose_team(session, principal, team)
    if principal.team_id != owner.id:
        if "*" in principal.name:
            raise Invalid(
                "The name has a `*`, which would be a pattern of other names, too. Map it with mapPrincipal.",
                field=("principal",),
            )
        await map_principal(session, actor, pattern=principal.name, team=TeamRef(id=owner.id))
    await require_live_teams(session, owner.id)
    asset_ids = await usage.list_assets_of(session, [principal.id])
    if len(asset_ids) > MAX_ASSETS:
        raise Invalid(
            f"{principal.name} was seen reading {len(asset_ids)} assets; {MAX_ASSETS} is the limit. It is mapped with"
            " mapPrincipal, which is enough to be asked; register for single assets.",
            field=("principal",),
        )
    await assets.lock_more(session, asset_ids)
    registered = await _register_all(session, principal, owner, asset_ids)
    if registered:
        reference = encode_global_id("Principal", principal.id)
        evidence = ReleaseEvidence(ReleaseKind.REGISTRATION, reference)
        registrants = Registrants(frozenset({owner.id}), is_admin=True)
        await update_upstream_proposals(
            session, [row.asset_id for row in registered], evidence, registrants, includes_assets=True
        )
    (principal,) = await usage.principals_by_ids(session, [principal.id])
    rows = await registrations.by_ids(session, [row.id for row in registered]) if registered else []
    return RegisteredReader(principal, owner, sorted(rows, key=lambda row: row.asset_id))


async def _choose_team(session: Session, principal: Principal, ref: TeamRef | None) -> Team:
    if ref is not None:
        return await teams.get(session, ref)
    team_id = principal.team_id
    if team_id is None:
        (suggestion,) = await load_suggested_teams(session, [principal.name])
        team_id = suggestion.team_id if suggestion else None
    if team_id is None:
        raise Invalid(
            f"{principal.name} has no team, and its name suggests none. Say for which team it reads.", field=("team",)
        )
    return await teams.get(session, TeamRef(id=team_id))


async def _register_all(
    session: Session, principal: Principal, owner: Team, asset_ids: Sequence[UUID]
) -> list[Registration]:
    observations = await usage.load_observations(session, [principal.id], asset_ids) if asset_ids else []
    by_asset: dict[UUID, list[Observation]] = {}
    for row in observations:
        by_asset.setdefault(row.asset_id, []).append(row)
    active = {row.asset_id: row for row in await contracts.list_active(session, asset_ids)} if asset_ids else {}
    live = await registrations.list_live(session, asset_ids) if asset_ids else []
    own = {row.asset_id: row for row in live if row.consumer_team_id == owner.id and row.consumer_asset_id is None}
    registered: list[Registration] = []
    for asset in sorted(await assets.by_ids(session, asset_ids), key=lambda row: row.id):
        contract = active.get(asset.id)
        if asset.owner_team_id == owner.id or asset.archived_at is not None or contract is None:
            continue
        is_whole, fields = await _list_read_fields(session, contract, by_asset.get(asset.id, []))
        if fields or is_whole:
            read = None if is_whole else fields
            registration = await _register(session, asset, owner, read, own.get(asset.id), principal)
            registered += [registration] if registration is not None else []
    return registered


async def _list_read_fields(
    session: Session, contract: Contract, observations: Sequence[Observation]
) -> tuple[bool, list[str]]:
    """Return whether the whole asset was read, and the fields that were and that the contract declares."""
    schema = contract.schema_def
    if small_schema_size(schema) is not None:
        declared = list_fields(schema)
    else:
        declared = await session.compute(list_fields, schema, key=("declared fields", contract.id))
    paths = {field.path for field in declared}
    read = {row.field for row in observations}
    return "" in read, sorted(read & paths)


async def _register(
    session: Session,
    asset: Asset,
    owner: Team,
    fields: list[str] | None,
    existing: Registration | None,
    principal: Principal,
) -> Registration | None:
    """Insert or widen a registration; None if it has all of the fields."""
    if existing is not None:
        declared = existing.fields
        if declared is None or (fields is not None and set(fields) <= set(declared)):
            return None
        wider = None if fields is None else [*declared, *(path for path in fields if path not in declared)]
        await update_columns(session, existing, asset.owner_team_id, {"fields": wider})
        return existing
    row = Registration(
        id=new_id(),
        asset_id=asset.id,
        consumer_team_id=owner.id,
        consumer_asset_id=None,
        fields=fields,
        pinned_version=None,
        status=RegistrationStatus.ACTIVE,
        evidence=Evidence.OBSERVED,
        purpose=f"seen reading as {principal.name}",
        registered_at=session.now,
        acknowledged_at=None,
        meta={},
        row_version=1,
        created_at=session.now,
        updated_at=session.now,
    )
    await session.insert(row, conflict_message="This team registered at this moment.")
    record_created(session, row, asset.owner_team_id)
    return row
