"""How inputs and roots name things: by id or by the name people use, exactly one of the two."""

from typing import Any

import strawberry
from strawberry import UNSET

from tessera_gql.graphql.filters import given
from tessera_gql.graphql.ids import local_id
from tessera_gql.graphql.loader import Loader
from tessera_gql.graphql.loaders import Loaders
from tessera_gql.graphql.scalars import text
from tessera_gql.store import assets, teams
from tessera_gql.store.assets import AssetRef
from tessera_gql.store.tables import Asset, Team
from tessera_gql.store.teams import TeamRef


@strawberry.input(name="AssetRef", one_of=True, description="An asset, named by its id or by its fqn.")
class AssetRefInput:
    id: strawberry.ID | None = strawberry.field(default=UNSET, description="Its id.")
    fqn: str | None = strawberry.field(default=UNSET, description="Its fully qualified name, whatever the case.")

    def local(self, field: str = "asset") -> AssetRef:
        """Raises Invalid for an id that is not an asset's."""
        if given(self.id) is not None:
            return AssetRef(id=local_id(str(self.id), "Asset", field=(field,)))
        return AssetRef(fqn=text(self.fqn or "", field))


@strawberry.input(name="TeamRef", one_of=True, description="A team, named by its id or by its name.")
class TeamRefInput:
    id: strawberry.ID | None = strawberry.field(default=UNSET, description="Its id.")
    name: str | None = strawberry.field(default=UNSET, description="Its name, whatever the case.")

    def local(self, field: str = "team") -> TeamRef:
        """Raises Invalid for an id that is not a team's."""
        if given(self.id) is not None:
            return TeamRef(id=local_id(str(self.id), "Team", field=(field,)))
        return TeamRef(name=text(self.name or "", field))


def asset_ref(ref: AssetRefInput | None, field: str = "asset") -> AssetRef | None:
    return ref.local(field) if ref else None


def team_ref(ref: TeamRefInput | None, field: str = "team") -> TeamRef | None:
    return ref.local(field) if ref else None


def asset_by(loaders: Loaders, ref: AssetRef) -> tuple[Loader[Any, Asset | None], Any]:
    """The loader that finds it, and under which key."""
    return (loaders.asset, ref.id) if ref.id else (loaders.asset_by_fqn, assets.key(ref.fqn or ""))


def team_by(loaders: Loaders, ref: TeamRef) -> tuple[Loader[Any, Team | None], Any]:
    return (loaders.team, ref.id) if ref.id else (loaders.team_by_name, teams.key(ref.name or ""))


async def asset_of(loaders: Loaders, ref: AssetRef) -> Asset | None:
    loader, key = asset_by(loaders, ref)
    return await loader.load(key)


async def team_of(loaders: Loaders, ref: TeamRef) -> Team | None:
    loader, key = team_by(loaders, ref)
    return await loader.load(key)
