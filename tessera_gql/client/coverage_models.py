"""Models of coverage: on what it rests that nobody reads something, and what a policy finds missing."""

from datetime import datetime

from pydantic import Field

from tessera_gql.client.base_model import Model


class CoverageGap(Model):
    """A span of time in which a source is without its log."""

    start: datetime = Field(alias="from")
    end: datetime = Field(alias="to")


class UnmappedPrincipal(Model):
    id: str
    name: str


class UnmappedReader(Model):
    """A principal without a team that was seen reading, and its latest read."""

    principal: UnmappedPrincipal
    last_read_at: datetime


class CoverageSummary(Model):
    """On what it rests that nobody reads something, in words."""

    text: str


class Coverage(CoverageSummary):
    """On what it rests that nobody reads something.

    `registered` and `observed` count teams, `unmapped` principals without one. All `sources` have all reads from
    `start` to `end` but in the `gaps`; both are None if there is no such time.
    """

    registered: int
    observed: int
    unmapped: int
    unmapped_readers: tuple[UnmappedReader, ...]
    sources: tuple[str, ...]
    start: datetime | None = Field(alias="from")
    end: datetime | None = Field(alias="to")
    gaps: tuple[CoverageGap, ...]


class MissingCoverage(Model):
    """One part of the coverage that a policy demands and that is missing; `message` says what to do."""

    kind: str
    message: str


class ProposalHold(Model):
    """The coverage that a proposal waits for."""

    held_at: datetime
    required_days: int
    missing: tuple[MissingCoverage, ...]
    text: str


class UnusedField(Model):
    """A declared field that no team is registered for and nobody was seen reading since a time."""

    path: str
    type: str
    last_read_at: datetime | None


class UnusedFieldsCoverage(Model):
    """On what it rests that fields are unused. Without `is_complete` they may well be read."""

    total_count: int
    is_complete: bool
    coverage: Coverage
