"""Events of the catalog: assets and teams that are renamed, archived and restored, and comments on proposals."""

from dataclasses import dataclass
from uuid import UUID

from tessera_gql.policy.events import Event


@dataclass(frozen=True, kw_only=True)
class AssetRenamed(Event):
    """An asset got another fully qualified name and kept its history; the old name is free."""

    entity_field = "asset_id"
    before: str
    after: str


@dataclass(frozen=True, kw_only=True)
class AssetArchived(Event):
    """An asset was archived: lists leave it out, and nothing is published or registered until it is restored."""

    entity_field = "asset_id"
    fqn: str


@dataclass(frozen=True, kw_only=True)
class AssetUnarchived(Event):
    """An archived asset was restored, by its owner or by the sync of a manifest that has its table again."""

    entity_field = "asset_id"
    fqn: str
    reason: str | None = None


@dataclass(frozen=True, kw_only=True)
class TeamArchived(Event):
    """A team was archived: it can't own, read or answer anything until it is restored."""

    entity_field = "team_id"
    team_id: UUID
    name: str


@dataclass(frozen=True, kw_only=True)
class TeamUnarchived(Event):
    """An archived team was restored."""

    entity_field = "team_id"
    team_id: UUID
    name: str


@dataclass(frozen=True, kw_only=True)
class CommentAdded(Event):
    """A team, or an administrator without one, commented on a proposal; a long `body` is cut."""

    entity_field = "comment_id"
    comment_id: UUID
    team_id: UUID | None
    body: str
