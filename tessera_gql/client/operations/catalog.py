"""Operations on teams, assets, lineage and registrations."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, TypedDict

from typing_extensions import Unpack

from tessera_gql.client.enums import AssetTier, CompatibilityMode, DependencyType, ResourceType
from tessera_gql.client.models import Asset, Dependency, JsonObject, Registration, Team, Viewer
from tessera_gql.client.operation import (
    AssetRef,
    Operation,
    PaginatedQuery,
    RootField,
    TeamRef,
    build_asset_ref,
    build_filter,
    build_nullable_variables,
    build_team_ref,
    build_variables,
)
from tessera_gql.client.result_models import RegistrationPayload, RegistrationResult

TEAM = RootField("team", Team, {"by": "TeamRef!"})
ASSET = RootField("asset", Asset, {"by": "AssetRef!"})


def viewer() -> Operation[Viewer]:
    """Get the actor, scopes, and team or project of the key."""
    return RootField("viewer", Viewer).build_get_query({}, "The server does not say who this is.")


def create_team(
    name: str, *, metadata: JsonObject | None = None, idempotency_key: str | None = None
) -> Operation[Team]:
    """Create a team; raises Conflict if the name is taken, or the key was used for another input."""
    input_ = build_variables(name=name, metadata=metadata, idempotency_key=idempotency_key)
    return RootField("createTeam", Team).build_idempotent_mutation(input_, payload_field="team")


class TeamChanges(TypedDict, total=False):
    """Attributes to change. A delegate needs `delegate_until`; None ends the delegation or the escalation."""

    name: str
    metadata: JsonObject | None
    delegate: TeamRef | None
    delegate_until: datetime
    escalation_team: TeamRef | None
    expected_row_version: int


def update_team(team: TeamRef, **changes: Unpack[TeamChanges]) -> Operation[Team]:
    """Change the given attributes of a team. Raises Stale for an old row version."""
    values: dict[str, Any] = {**changes}
    until = values.pop("delegate_until", None)
    if (delegate := changes.get("delegate")) is not None:
        values["delegate"] = build_variables(team=build_team_ref(delegate), until=until)
    if "escalation_team" in changes:
        values["escalation_team"] = build_team_ref(changes["escalation_team"])
    input_ = {"team": build_team_ref(team), **build_nullable_variables(values)}
    return RootField("updateTeam", Team).build_mutation(input_, payload_field="team")


def get_team(team: TeamRef) -> Operation[Team]:
    """Get a team; raises NotFound."""
    missing = f"There is no team {_format_ref(team)}. `teams()` lists them all."
    return TEAM.build_get_query({"by": build_team_ref(team)}, missing)


def find_team(team: TeamRef) -> Operation[Team | None]:
    """Get a team, or None if it does not exist."""
    return TEAM.build_find_query({"by": build_team_ref(team)})


def teams(*, name_contains: str | None = None, is_archived: bool = False) -> PaginatedQuery[Team]:
    """List all teams, or those whose name contains a text; the archived ones instead with `is_archived`."""
    filter_ = _build_archive_filter(build_filter(name=("contains", name_contains)), is_archived=is_archived)
    return RootField("teams", Team, {"filter": "TeamFilter"}).build_paginated_query(filter=filter_)


def archive_team(team: TeamRef) -> Operation[Team]:
    """Archive a team; raises Conflict with all that it still owns, reads and answers. Needs the scope ADMIN."""
    return RootField("archiveTeam", Team).build_mutation({"team": build_team_ref(team)}, payload_field="team")


def unarchive_team(team: TeamRef) -> Operation[Team]:
    """Restore an archived team. Needs the scope ADMIN."""
    return RootField("unarchiveTeam", Team).build_mutation({"team": build_team_ref(team)}, payload_field="team")


def _build_archive_filter(filter_: JsonObject | None, *, is_archived: bool) -> JsonObject | None:
    """Add the condition to a filter that selects archived objects; without it a list leaves them out."""
    return {**(filter_ or {}), "isArchived": True} if is_archived else filter_


class AssetDetails(TypedDict, total=False):
    """Optional attributes of an asset. `compatibility_mode` is the default of its contracts, `tier` a suggestion."""

    description: str | None
    resource_type: ResourceType
    compatibility_mode: CompatibilityMode
    tier: AssetTier
    metadata: JsonObject | None


class NewAssetDetails(AssetDetails, total=False):
    """Optional attributes of a new asset, and the key with which the call can be repeated."""

    idempotency_key: str | None


def create_asset(
    *, fqn: str, owner_team_id: str | None = None, owner: TeamRef | None = None, **details: Unpack[NewAssetDetails]
) -> Operation[Asset]:
    """Create an asset; the owner defaults to the team of the key. Raises Conflict if the fqn is taken."""
    owner_ref = {"id": owner_team_id} if owner_team_id else build_team_ref(owner)
    input_ = build_variables(fqn=fqn, owner=owner_ref, **details)
    return RootField("createAsset", Asset).build_idempotent_mutation(input_, payload_field="asset")


class AssetChanges(AssetDetails, total=False):
    """Attributes to change; None removes a description, metadata or the successor.

    Raises Stale if `expected_row_version` is old.
    """

    owner: TeamRef
    superseded_by: AssetRef | None
    expected_row_version: int


def update_asset(asset: AssetRef, **changes: Unpack[AssetChanges]) -> Operation[Asset]:
    """Change the given attributes of an asset."""
    values: dict[str, Any] = {**changes}
    if "owner" in changes:
        values["owner"] = build_team_ref(changes["owner"])
    if (successor := changes.get("superseded_by")) is not None:
        values["superseded_by"] = build_asset_ref(successor)
    input_ = {"asset": build_asset_ref(asset), **build_nullable_variables(values)}
    return RootField("updateAsset", Asset).build_mutation(input_, payload_field="asset")


def get_asset(asset: AssetRef) -> Operation[Asset]:
    """Get an asset; raises NotFound."""
    missing = f"There is no asset {_format_ref(asset)}. `assets()` lists them all."
    return ASSET.build_get_query({"by": build_asset_ref(asset)}, missing)


def find_asset(asset: AssetRef) -> Operation[Asset | None]:
    """Get an asset, or None if it does not exist."""
    return ASSET.build_find_query({"by": build_asset_ref(asset)})


def archive_asset(asset: AssetRef) -> Operation[Asset]:
    """Archive an asset; raises Conflict with all that still uses it."""
    return RootField("archiveAsset", Asset).build_mutation({"asset": build_asset_ref(asset)}, payload_field="asset")


def unarchive_asset(asset: AssetRef) -> Operation[Asset]:
    """Restore an archived asset, with its last contract."""
    return RootField("unarchiveAsset", Asset).build_mutation({"asset": build_asset_ref(asset)}, payload_field="asset")


def rename_asset(asset: AssetRef, fqn: str) -> Operation[Asset]:
    """Give an asset another fqn, with its history; raises Conflict if the fqn is taken."""
    input_ = {"asset": build_asset_ref(asset), "fqn": fqn}
    return RootField("renameAsset", Asset).build_mutation(input_, payload_field="asset")


def set_asset_tier(asset: AssetRef, tier: AssetTier) -> Operation[Asset]:
    """Set and confirm the tier of an asset. Needs the scope ADMIN."""
    input_ = {"asset": build_asset_ref(asset), "tier": tier}
    return RootField("setAssetTier", Asset).build_mutation(input_, payload_field="asset")


def assets(
    *,
    fqn_contains: str | None = None,
    owner_team_id: str | None = None,
    tier: AssetTier | None = None,
    is_archived: bool = False,
) -> PaginatedQuery[Asset]:
    """List the assets that match all of the filters; archived ones only with `is_archived`."""
    filter_ = build_filter(fqn=("contains", fqn_contains), owner=("eq", owner_team_id), tier=("eq", tier))
    filter_ = _build_archive_filter(filter_, is_archived=is_archived)
    return RootField("assets", Asset, {"filter": "AssetFilter"}).build_paginated_query(filter=filter_)


def add_dependency(
    dependent: AssetRef,
    dependency: AssetRef,
    *,
    type: DependencyType | None = None,  # noqa: A002 - the name in the schema
    idempotency_key: str | None = None,
) -> Operation[Dependency]:
    """Add a lineage edge: `dependent` is made from, or reads, `dependency`. Raises NotFound and Conflict."""
    refs = {"dependent": build_asset_ref(dependent), "dependency": build_asset_ref(dependency)}
    input_ = build_variables(**refs, type=type, idempotency_key=idempotency_key)
    return RootField("addDependency", Dependency).build_idempotent_mutation(input_, payload_field="dependency")


class RegistrationDetails(TypedDict, total=False):
    """Optional attributes of a registration; those that are None are left out.

    `team` defaults to the team of the key. `fields` are field paths; without them the registration covers the whole
    asset. `idempotency_key` is the key with which the call can be repeated.
    """

    team: TeamRef | None
    fields: Sequence[str] | None
    consumer_asset: AssetRef | None
    pinned_version: str | None
    purpose: str | None
    metadata: JsonObject | None
    idempotency_key: str | None


def register(asset: AssetRef, **details: Unpack[RegistrationDetails]) -> Operation[RegistrationResult]:
    """Register a team as a consumer of an asset, so that it is asked before a change breaks the fields it reads."""
    values: dict[str, Any] = {**details, "team": build_team_ref(details.get("team"))}
    if (consumer_asset := details.get("consumer_asset")) is not None:
        values["consumer_asset"] = build_asset_ref(consumer_asset)
    input_ = build_variables(asset=build_asset_ref(asset), **values)
    return _with_warnings(RootField("register", RegistrationPayload).build_idempotent_mutation(input_))


def _with_warnings(operation: Operation[RegistrationPayload]) -> Operation[RegistrationResult]:
    """Return the operation with the warnings of its payload on the registration."""

    def parse(data: JsonObject) -> RegistrationResult:
        payload = operation.parse(data)
        result = RegistrationResult(**dict(payload.registration), warnings=payload.warnings or ())
        return result.with_idempotency_key(key) if (key := operation.idempotency_key) else result

    return Operation(
        operation.document,
        operation.variables,
        parse,
        is_idempotent=operation.is_idempotent,
        idempotency_key=operation.idempotency_key,
    )


class RegistrationChanges(TypedDict, total=False):
    """Attributes to change. None clears an attribute; `fields=None` covers the whole asset."""

    fields: Sequence[str] | None
    pinned_version: str | None
    purpose: str | None
    metadata: JsonObject
    expected_row_version: int


def update_registration(registration_id: str, **changes: Unpack[RegistrationChanges]) -> Operation[RegistrationResult]:
    """Change the given attributes of a registration."""
    input_ = {"registration": registration_id, **build_nullable_variables(changes)}
    return _with_warnings(RootField("updateRegistration", RegistrationPayload).build_mutation(input_))


def unregister(registration_id: str) -> Operation[Registration]:
    """End a registration; its status becomes INACTIVE."""
    root = RootField("unregister", Registration)
    return root.build_mutation({"registration": registration_id}, payload_field="registration")


def registrations(*, asset_id: str | None = None, consumer_team_id: str | None = None) -> PaginatedQuery[Registration]:
    """List the registrations that match all of the filters, ended ones (INACTIVE) included."""
    filter_ = build_filter(asset=("eq", asset_id), consumer_team=("eq", consumer_team_id))
    root = RootField("registrations", Registration, {"filter": "RegistrationFilter"})
    return root.build_paginated_query(filter=filter_)


def _format_ref(ref: Any) -> str:
    return repr(getattr(ref, "name", None) or getattr(ref, "fqn", ref))
