"""Operations on teams, assets, lineage and registrations: who owns what, and who reads it."""

from collections.abc import Sequence
from typing import Any, TypedDict

from typing_extensions import Unpack

from tessera_gql.client.nouns import Asset, Dependency, JsonObject, Registration, Team, Viewer
from tessera_gql.client.operation import (
    AssetRef,
    Field,
    Listing,
    Operation,
    TeamRef,
    asset_ref,
    change,
    create,
    find,
    get,
    given,
    pages,
    stated,
    team_ref,
)
from tessera_gql.client.words import CompatibilityMode, DependencyType, ResourceType

TEAM = Field("team", Team, {"by": "TeamRef!"})
ASSET = Field("asset", Asset, {"by": "AssetRef!"})


def viewer() -> Operation[Viewer]:
    """Who the key is."""
    return get(Field("viewer", Viewer), {}, "The server does not say who this is.")


def create_team(name: str, *, metadata: JsonObject | None = None) -> Operation[Team]:
    return create(Field("createTeam", Team), given(name=name, metadata=metadata), of="team")


def get_team(team: TeamRef) -> Operation[Team]:
    """Raises NotFound."""
    return get(TEAM, {"by": team_ref(team)}, f"There is no team {_shown(team)}. `teams()` lists them all.")


def find_team(team: TeamRef) -> Operation[Team | None]:
    return find(TEAM, {"by": team_ref(team)})


def teams(*, name_contains: str | None = None) -> Listing[Team]:
    where = {"name": {"contains": name_contains}} if name_contains else None
    return pages(Field("teams", Team, {"filter": "TeamFilter"}), filter=where)


class AssetDetails(TypedDict, total=False):
    description: str
    resource_type: ResourceType
    compatibility_mode: CompatibilityMode
    """Of its contracts, unless they say otherwise."""
    metadata: JsonObject


def create_asset(
    *, fqn: str, owner_team_id: str | None = None, owner: TeamRef | None = None, **details: Unpack[AssetDetails]
) -> Operation[Asset]:
    """Without an owner it belongs to the key's own team."""
    owned = {"id": owner_team_id} if owner_team_id else team_ref(owner)
    return create(Field("createAsset", Asset), given(fqn=fqn, owner=owned, **details), of="asset")


class AssetChanges(AssetDetails, total=False):
    owner: TeamRef
    expected_row_version: int
    """Raises Stale if the asset was changed since."""


def update_asset(asset: AssetRef, **changes: Unpack[AssetChanges]) -> Operation[Asset]:
    """What is left out stays as it is."""
    said: dict[str, Any] = {**changes}
    if "owner" in changes:
        said["owner"] = team_ref(changes["owner"])
    return change(Field("updateAsset", Asset), {"asset": asset_ref(asset), **stated(said)}, of="asset")


def get_asset(asset: AssetRef) -> Operation[Asset]:
    """Raises NotFound."""
    return get(ASSET, {"by": asset_ref(asset)}, f"There is no asset {_shown(asset)}. `assets()` lists them all.")


def find_asset(asset: AssetRef) -> Operation[Asset | None]:
    return find(ASSET, {"by": asset_ref(asset)})


def assets(*, fqn_contains: str | None = None, owner_team_id: str | None = None) -> Listing[Asset]:
    where = given(
        fqn={"contains": fqn_contains} if fqn_contains else None,
        owner={"eq": owner_team_id} if owner_team_id else None,
    )
    return pages(Field("assets", Asset, {"filter": "AssetFilter"}), filter=where or None)


def add_dependency(
    dependent: AssetRef,
    dependency: AssetRef,
    *,
    type: DependencyType | None = None,  # noqa: A002 - the graph's word
) -> Operation[Dependency]:
    """Lineage: the dependent is made from, or reads, the dependency."""
    edge = given(dependent=asset_ref(dependent), dependency=asset_ref(dependency), type=type)
    return create(Field("addDependency", Dependency), edge, of="dependency")


class Reading(TypedDict, total=False):
    """`fields` are columns as paths; left out it reads everything."""

    team: TeamRef
    fields: Sequence[str] | None
    consumer_asset: AssetRef
    pinned_version: str
    purpose: str
    metadata: JsonObject


def register(asset: AssetRef, **reading: Unpack[Reading]) -> Operation[Registration]:
    """Says that a team reads the asset, so that it is asked before what it reads breaks."""
    said: dict[str, Any] = {**reading, "team": team_ref(reading.get("team"))}
    if "consumer_asset" in reading:
        said["consumer_asset"] = asset_ref(reading["consumer_asset"])
    if (fields := reading.get("fields")) is not None:
        said["fields"] = [*fields]
    return create(Field("register", Registration), given(asset=asset_ref(asset), **said), of="registration")


class ReadingChanges(TypedDict, total=False):
    """None takes away what was there; `fields=None` reads everything."""

    fields: Sequence[str] | None
    pinned_version: str | None
    purpose: str | None
    metadata: JsonObject
    expected_row_version: int


def update_registration(registration_id: str, **changes: Unpack[ReadingChanges]) -> Operation[Registration]:
    said: dict[str, Any] = {**changes}
    if (fields := changes.get("fields")) is not None:
        said["fields"] = [*fields]
    root = Field("updateRegistration", Registration)
    return change(root, {"registration": registration_id, **stated(said)}, of="registration")


def unregister(registration_id: str) -> Operation[Registration]:
    return change(Field("unregister", Registration), {"registration": registration_id}, of="registration")


def registrations(*, asset_id: str | None = None, consumer_team_id: str | None = None) -> Listing[Registration]:
    """With the ended ones, whose status is INACTIVE."""
    where = given(
        asset={"eq": asset_id} if asset_id else None,
        consumer_team={"eq": consumer_team_id} if consumer_team_id else None,
    )
    return pages(Field("registrations", Registration, {"filter": "RegistrationFilter"}), filter=where or None)


def _shown(thing: Any) -> str:
    return repr(getattr(thing, "name", None) or getattr(thing, "fqn", thing))
