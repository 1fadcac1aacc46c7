"""Find what is missing of the coverage that policies demand, for tables of a manifest about which nobody is asked."""

from collections.abc import Sequence
from dataclasses import dataclass

from tessera_gql.policy.ask_policy import choose_policy
from tessera_gql.policy.coverage import MissingCoverage
from tessera_gql.store import ask_policies, assets
from tessera_gql.store.session import Session
from tessera_gql.workflows.coverage import CoverageChecks, CoverageSubject
from tessera_gql.workflows.dbt.plan import TablePlan


@dataclass(frozen=True)
class _DemandingTable:
    """A table whose policy demands coverage of the last days."""

    fqn: str
    days: int
    subject: CoverageSubject


async def load_missing_coverage(
    session: Session, tables: Sequence[TablePlan]
) -> dict[str, tuple[MissingCoverage, ...]]:
    """Load what is missing for new proposals of these tables, by fqn. Tables for which nothing is are left out."""
    policies = await ask_policies.load(session) if tables else {}
    if all(policy.require_coverage_days is None for policy in policies.values()):
        return {}
    by_id = {table.asset_id: table for table in tables if table.asset_id is not None}
    demanding: list[_DemandingTable] = []
    for asset in await assets.by_ids(session, sorted(by_id)):
        table = by_id[asset.id]
        days = choose_policy(asset.tier, policies, is_tier_confirmed=asset.is_tier_confirmed).require_coverage_days
        if days is not None:
            breaking = tuple(table.judgement.breaking)
            subject = CoverageSubject(asset.id, asset.owner_team_id, breaking, table.unaffected)
            demanding.append(_DemandingTable(table.fqn, days, subject))
    if not demanding:
        return {}
    checks = await CoverageChecks.load(session, [item.subject for item in demanding])
    checked = {item.fqn: await checks.check(item.subject, item.days, session.now) for item in demanding}
    return {fqn: result.missing for fqn, result in checked.items() if result.missing}
