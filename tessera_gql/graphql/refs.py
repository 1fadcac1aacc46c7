"""References to assets, teams and projects in inputs and root fields, by exactly one of global id and name."""

from collections.abc import Callable
from typing import Any, TypeAlias

import strawberry
from strawberry import UNSET

from tessera_gql.graphql.dataloader import Loader
from tessera_gql.graphql.filters import or_none
from tessera_gql.graphql.ids import local_id
from tessera_gql.graphql.loaders import Loaders
from tessera_gql.graphql.scalars import check_text
from tessera_gql.policy.validation import uniqueness_key
from tessera_gql.store import assets, projects, teams
from tessera_gql.store.assets import AssetRef
from tessera_gql.store.projects import ProjectRef
from tessera_gql.store.tables import Asset, Project, Team, UsageSource
from tessera_gql.store.teams import TeamRef
from tessera_gql.store.usage import UsageSourceRef

RefLoader: TypeAlias = Callable[[Loaders, Any], tuple[Loader[Any, Any], Any]]
"""Returns the loader that loads the object of a reference, and its key there."""


@strawberry.input(name="AssetRef", one_of=True, description="A reference to an asset, by exactly one of id and fqn.")
class AssetRefInput:
    id: strawberry.ID | None = strawberry.field(default=UNSET, description="The global id of the asset.")
    fqn: str | None = strawberry.field(
        default=UNSET, description="The fully qualified name of the asset, ignoring case."
    )

    def to_ref(self, field: str = "asset") -> AssetRef:
        """Convert to a reference of the store. Raise Invalid for an id that is not an asset's."""
        if or_none(self.id) is not None:
            return AssetRef(id=local_id(str(self.id), "Asset", field=(field,)))
        return AssetRef(fqn=check_text(self.fqn or "", field))


@strawberry.input(name="TeamRef", one_of=True, description="A reference to a team, by exactly one of id and name.")
class TeamRefInput:
    id: strawberry.ID | None = strawberry.field(default=UNSET, description="The global id of the team.")
    name: str | None = strawberry.field(default=UNSET, description="The name of the team, ignoring case.")

    def to_ref(self, field: str = "team") -> TeamRef:
        """Convert to a reference of the store. Raise Invalid for an id that is not a team's."""
        if or_none(self.id) is not None:
            return TeamRef(id=local_id(str(self.id), "Team", field=(field,)))
        return TeamRef(name=check_text(self.name or "", field))


@strawberry.input(
    name="ProjectRef", one_of=True, description="A reference to a project, by exactly one of id and name."
)
class ProjectRefInput:
    id: strawberry.ID | None = strawberry.field(default=UNSET, description="The global id of the project.")
    name: str | None = strawberry.field(default=UNSET, description="The name of the project, ignoring case.")

    def to_ref(self, field: str = "project") -> ProjectRef:
        """Convert to a reference of the store. Raise Invalid for an id that is not a project's."""
        if or_none(self.id) is not None:
            return ProjectRef(id=local_id(str(self.id), "Project", field=(field,)))
        return ProjectRef(name=check_text(self.name or "", field))


@strawberry.input(
    name="UsageSourceRef", one_of=True, description="A reference to a usage source, by exactly one of id and name."
)
class UsageSourceRefInput:
    id: strawberry.ID | None = strawberry.field(default=UNSET, description="The global id of the usage source.")
    name: str | None = strawberry.field(default=UNSET, description="The name of the usage source, ignoring case.")

    def to_ref(self, field: str = "source") -> UsageSourceRef:
        """Convert to a reference of the store. Raise Invalid for an id that is not a usage source's."""
        if or_none(self.id) is not None:
            return UsageSourceRef(id=local_id(str(self.id), "UsageSource", field=(field,)))
        return UsageSourceRef(name=check_text(self.name or "", field))


def asset_ref(ref: AssetRefInput | None, field: str = "asset") -> AssetRef | None:
    """Convert an optional reference; None if it is null or left out."""
    return ref.to_ref(field) if ref else None


def team_ref(ref: TeamRefInput | None, field: str = "team") -> TeamRef | None:
    return ref.to_ref(field) if ref else None


def project_ref(ref: ProjectRefInput | None) -> ProjectRef | None:
    return ref.to_ref() if ref else None


def asset_loader(loaders: Loaders, ref: AssetRef) -> tuple[Loader[Any, Asset | None], Any]:
    return (loaders.asset, ref.id) if ref.id else (loaders.asset_by_fqn, assets.key(ref.fqn or ""))


def team_loader(loaders: Loaders, ref: TeamRef) -> tuple[Loader[Any, Team | None], Any]:
    return (loaders.team, ref.id) if ref.id else (loaders.team_by_name, teams.key(ref.name or ""))


def project_loader(loaders: Loaders, ref: ProjectRef) -> tuple[Loader[Any, Project | None], Any]:
    return (loaders.project, ref.id) if ref.id else (loaders.project_by_name, projects.key(ref.name or ""))


def usage_source_loader(loaders: Loaders, ref: UsageSourceRef) -> tuple[Loader[Any, UsageSource | None], Any]:
    return (loaders.usage_source, ref.id) if ref.id else (loaders.usage_source_by_name, uniqueness_key(ref.name or ""))
