"""Events of observed reads: their sources, imports, and the teams of principals."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from tessera_gql.policy.events import Event


@dataclass(frozen=True, kw_only=True)
class UsageSourceCreated(Event):
    """A usage source was created: a log of reads, such as that of a warehouse."""

    entity_field = "usage_source_id"
    usage_source_id: UUID
    name: str


@dataclass(frozen=True, kw_only=True)
class UsageImported(Event):
    """Reads were imported from a usage source; `covered` is the span that the log covers, null if it proves none."""

    entity_field = "usage_source_id"
    usage_source_id: UUID
    rows: int
    ignored_rows: int
    covered: tuple[datetime, ...] | None


@dataclass(frozen=True, kw_only=True)
class ReadsObserved(Event):
    """Reads of mapped principals were stored: the teams that read `assets` assets may be others now."""

    entity_field = "usage_source_id"
    usage_source_id: UUID
    assets: int


@dataclass(frozen=True, kw_only=True)
class PrincipalMapped(Event):
    """Principals that match a pattern belong to a team now; `principals` of them had another one, or none."""

    entity_field = "principal_rule_id"
    principal_rule_id: UUID
    pattern: str
    team_id: UUID
    principals: int


@dataclass(frozen=True, kw_only=True)
class PrincipalUnmapped(Event):
    """The rule of a pattern was removed; `principals` of those that match it have another team now, or none."""

    entity_field = "principal_rule_id"
    principal_rule_id: UUID
    pattern: str
    team_id: UUID
    principals: int
