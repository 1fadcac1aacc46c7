"""Models of what commands return: results of publishes and answers, diffs and impacts."""

from pydantic import Field

from tessera_gql.client.base_model import Model
from tessera_gql.client.coverage_models import CoverageSummary, MissingCoverage
from tessera_gql.client.enums import CompatibilityMode, PublishOutcome
from tessera_gql.client.models import (
    Acknowledgment,
    AssetSummary,
    Change,
    ChangeSummary,
    Contract,
    ContractSummary,
    CoveredProposal,
    Deprecation,
    Proposal,
    ReasonPath,
    Registration,
    TeamSummary,
)


class RegistrationPayload(Model):
    """A registration with the warnings about it, as the server returns them."""

    registration: Registration
    warnings: tuple[str, ...] | None = None


class RegistrationResult(Registration):
    """A registration after a call that wrote it; `warnings` say what it reads that is deprecated."""

    warnings: tuple[str, ...] = ()


class RetirementResult(Model):
    """The proposal to retire an asset; `contract` is the retired contract, None while the proposal waits."""

    proposal: CoveredProposal
    contract: Contract | None


class DeprecationResult(Model):
    """The deprecations that a call declared, changed or ended."""

    asset: AssetSummary
    deprecations: tuple[Deprecation, ...]


class DeclaredDeprecations(DeprecationResult):
    """Declared deprecations; a warning says that the replacement looks like a name but is no field and no asset."""

    warnings: tuple[str, ...] | None = None


class Diff(Model):
    """Comparison of two schemas. `breaking` are the changes that break under `mode`."""

    mode: CompatibilityMode
    bump: str
    changes: tuple[Change, ...]
    breaking: tuple[Change, ...]


class PublishResult(Model):
    """The result of a publish: the contract, or the proposal that waits for acknowledgments.

    `warnings` say which parts of the published document were left out; None in a payload of an older server.
    """

    outcome: PublishOutcome
    contract: Contract | None
    proposal: CoveredProposal | None
    diff: Diff | None
    warnings: tuple[str, ...] | None = None

    @property
    def id(self) -> str | None:
        """The id of `contract`; None if there is none, as in a dry run of the first contract."""
        return self.contract.id if self.contract else None

    @property
    def version(self) -> str | None:
        """The version of `contract`; None if there is none."""
        return self.contract.version if self.contract else None


class AcknowledgeResult(Model):
    """The result of an acknowledgment. `contract` is set if it completed and published the proposal."""

    proposal: Proposal
    acknowledgment: Acknowledgment | None
    contract: ContractSummary | None


class AskedTeam(Model):
    """A team whose fields a breaking change touches, with the changes that touch them.

    `paths` lead to tables that are made from the changed one. With `is_lineage_unknown` the team is asked only because
    nobody knows which columns these are made from.
    """

    team: TeamSummary
    reasons: tuple[ChangeSummary, ...] = Field(alias="because")
    paths: tuple[ReasonPath, ...] = ()
    is_lineage_unknown: bool = False


class Impact(Model):
    """What publishing a schema would do. `asked` teams must acknowledge first; `informed` teams are only notified.

    `missing_coverage` would hold it; `coverage` is about the breaking changes that ask nobody, None without any.
    """

    asset: AssetSummary
    outcome: PublishOutcome
    version: str | None
    bump: str
    mode: CompatibilityMode
    changes: tuple[Change, ...]
    breaking: tuple[Change, ...]
    asked: tuple[AskedTeam, ...]
    informed: tuple[TeamSummary, ...]
    missing_coverage: tuple[MissingCoverage, ...] = ()
    coverage: CoverageSummary | None = None
    warnings: tuple[str, ...] = ()
