"""Options of a sync, and the purposes of a plan: preview, ask, release."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum, auto

from tessera_gql.diff import Mode
from tessera_gql.store.teams import TeamRef
from tessera_gql.workflows.change_sets import ChangeSetRequest
from tessera_gql.workflows.dbt.owners import OwnerRules


class Purpose(Enum):
    """What a plan is for: to show the impact, to preview a sync, to ask, or to sync."""

    IMPACT = auto()
    PREVIEW = auto()
    ASK = auto()
    RELEASE = auto()

    @property
    def is_sync(self) -> bool:
        """Whether registrations and lineage count as well, and a new table without an owner is refused."""
        return self in {Purpose.PREVIEW, Purpose.RELEASE}

    @property
    def is_write(self) -> bool:
        """Whether the plan is carried out."""
        return self in {Purpose.ASK, Purpose.RELEASE}

    @property
    def is_authorized(self) -> bool:
        """Whether tables that the caller may not sync are skipped."""
        return self is not Purpose.IMPACT


@dataclass(frozen=True)
class SyncOptions:
    """Options of a sync. `owner` owns models without owner; `create_teams` creates owners that do not exist.

    `compatibility_mode` is for new assets for which the manifest names none. It is CONSUMER by default, because a
    warehouse replaces tables in place. `owners` maps owners in the manifest, in any case, to teams; `sources` maps
    sources that no project builds. `atomic` refuses all tables because of one, instead of skipping that one.
    `retire_removed` retires assets that left the manifest, if no other team reads them.

    `allow_empty` accepts a manifest without tables for a known project, `new_target` one whose tables are all in other
    places than before, and `schema_map` maps schemas of the manifest to those of the assets. The proposals belong to
    the `change_set`, and their teams see the `reason`.
    """

    owner: TeamRef | None = None
    create_teams: bool = False
    compatibility_mode: Mode = Mode.CONSUMER
    supersede: bool = False
    owners: Mapping[str, str] = field(default_factory=dict[str, str])
    sources: Mapping[str, str] = field(default_factory=dict[str, str])
    atomic: bool = False
    retire_removed: bool = False
    allow_empty: bool = False
    new_target: bool = False
    schema_map: Mapping[str, str] = field(default_factory=dict[str, str])
    change_set: ChangeSetRequest | None = None
    reason: str | None = None

    @property
    def owner_rules(self) -> OwnerRules:
        return OwnerRules(self.owner, self.create_teams, self.owners, self.sources)
