"""Compute what a publish would do and whom it would ask, by the decisions of a publish; nothing is written."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from tessera_gql.policy import compatibility
from tessera_gql.policy.access import Actor
from tessera_gql.policy.affected_teams import AffectedTeams, Reasons, select_unasked
from tessera_gql.policy.compatibility import Judgement, Terms
from tessera_gql.policy.coverage import MissingCoverage
from tessera_gql.policy.enums import Outcome
from tessera_gql.policy.unasked_readers import TeamsOfChange
from tessera_gql.store import assets, contracts, lineage
from tessera_gql.store.assets import AssetRef
from tessera_gql.store.lineage import Direction, ReachableAsset
from tessera_gql.store.session import Session
from tessera_gql.store.tables import Asset, Contract
from tessera_gql.workflows.affected_teams import load_affected_teams
from tessera_gql.workflows.contracts import find_base_version
from tessera_gql.workflows.coverage_holds import load_missing
from tessera_gql.workflows.publishing import PublishRequest, build_terms, judge_request, validate_request
from tessera_gql.workflows.quiet_proofs import exclude_proven
from tessera_gql.workflows.unasked_readers import ChangedAsset


@dataclass(frozen=True)
class Impact:
    """The effect of a publish: the next version (None if nothing changes), affected teams and downstream assets."""

    asset: Asset
    current: Contract | None
    terms: Terms
    outcome: Outcome
    version: str | None
    judgement: Judgement
    affected: AffectedTeams
    downstream: Sequence[ReachableAsset]
    released: frozenset[UUID] = frozenset()
    """Teams that are informed only because a proof shows that they no longer read what breaks."""
    missing_coverage: tuple[MissingCoverage, ...] = ()
    """What a proposal would be held for, although it asks nobody about some of the changes."""

    @property
    def asked_teams(self) -> Mapping[UUID, Reasons]:
        """The teams that would be asked, with their reasons."""
        return self.affected.asked


async def compute_impact(session: Session, actor: Actor, ref: AssetRef, request: PublishRequest) -> Impact:
    """Compute the impact of a request by the actor; raises Invalid for what a publish would refuse."""
    schema_hash = await validate_request(session, request)
    asset = await assets.get(session, ref)
    current = await contracts.find_active(session, asset.id)
    terms = build_terms(request, asset, current, schema_hash)
    judgement = await judge_request(session, actor, request, current, terms)
    downstream = (await lineage.load_reachable(session, [asset.id], Direction.DOWNSTREAM))[asset.id]
    affected, released = AffectedTeams({}, frozenset()), frozenset[UUID]()
    missing: tuple[MissingCoverage, ...] = ()
    if judgement.breaking:
        affected = await load_affected_teams(session, asset, judgement.breaking, downstream)
        proven = await exclude_proven(session, asset.id, judgement.breaking, affected.asked, is_new=True)
        affected = AffectedTeams(proven.asked, affected.informed | proven.released.keys())
        released = frozenset(proven.released)
        missing = await load_missing(session, asset, select_unasked(judgement.breaking, affected))
    version = None
    if not judgement.is_unchanged:
        base_version = await find_base_version(session, asset.id, current)
        version = compatibility.next_version(request.version, base_version, judgement)
    outcome = compatibility.decide_outcome(judgement)
    if outcome is Outcome.PROPOSED and not affected.asked and not missing:
        outcome = Outcome.PUBLISHED
    return Impact(asset, current, terms, outcome, version, judgement, affected, downstream, released, missing)


def to_changed_asset(result: Impact) -> ChangedAsset:
    """Return the changed asset with its teams, as the readers who would not be asked are found for it."""
    teams = TeamsOfChange(
        asked=frozenset(result.affected.asked),
        released=result.released,
        informed=result.affected.informed,
        proposers=frozenset({result.asset.owner_team_id}),
    )
    return ChangedAsset(result.asset.id, teams)
