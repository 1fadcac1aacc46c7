"""Models of observed reads: usage sources, principals with their teams, and what an import has taken."""

from datetime import datetime

from pydantic import Field

from tessera_gql.client.base_model import Model
from tessera_gql.client.models import Registration, TeamSummary


class UsageSpan(Model):
    """A span of time of which a source has all reads."""

    start: datetime = Field(alias="from")
    end: datetime = Field(alias="to")


class UsageSource(Model):
    """A log of reads, such as that of a warehouse, with the spans that its imports cover."""

    id: str
    name: str
    covered: tuple[UsageSpan, ...]
    created_at: datetime


class UsageSourceSummary(Model):
    id: str
    name: str


class TeamSuggestion(Model):
    """The team for which a principal probably reads, and why."""

    team: TeamSummary
    reason: str


class Principal(Model):
    """A user or role that a source has seen reading; `team` is None while no rule says for which team it reads."""

    id: str
    name: str
    source: UsageSourceSummary
    team: TeamSummary | None
    suggested_team: TeamSuggestion | None = None


class NarrowerFields(Model):
    """Fewer fields that would do for a registration, why, and the covered time that this rests on."""

    fields: tuple[str, ...]
    reason: str
    start: datetime = Field(alias="from")
    end: datetime = Field(alias="to")


class NarrowableRegistration(Registration):
    """A registration with the fields to which it could be narrowed; None if it is as narrow as it is known to be."""

    suggested_fields: NarrowerFields | None


class ObservedReader(Model):
    """A principal with its team, and the registrations that were made or widened for it."""

    principal: Principal
    registrations: tuple[Registration, ...]


class PrincipalSummary(Model):
    id: str
    name: str
    team: TeamSummary | None


class Observation(Model):
    """The reads of a field of an asset by a principal; `field` is None if the source does not say which one."""

    id: str
    field: str | None
    first_seen: datetime
    last_seen: datetime
    read_count: float
    longest_pause_seconds: float
    principal: PrincipalSummary


class PrincipalRule(Model):
    """A pattern of principals that read for a team."""

    id: str
    pattern: str
    team: TeamSummary


class MappedPrincipals(Model):
    """A rule, and the number of principals whose team it changed."""

    principal_rule: PrincipalRule
    principals_changed: int


class UnmappedPrincipals(Model):
    """The pattern of a removed rule, and the number of principals whose team changed."""

    pattern: str
    principals_changed: int


class IgnoredRows(Model):
    """Rows that were not taken for one reason; `line` is that of the first one."""

    reason: str
    count: int
    line: int | None


class UsageImportReport(Model):
    """What an import has taken. `covered` is None if the log proves nothing about the reads that it does not have."""

    rows: int
    reads: int
    ignored: tuple[IgnoredRows, ...]
    is_truncated: bool
    covered: UsageSpan | None
    principals_created: int
    observations_created: int
    days_changed: int
