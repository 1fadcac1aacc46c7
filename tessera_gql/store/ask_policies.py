"""Queries of the policies of asks, one for each tier of assets."""

from sqlalchemy import select

from tessera_gql.policy.ask_policy import AskPolicy
from tessera_gql.policy.enums import AssetTier
from tessera_gql.store.session import RowQuery, Session
from tessera_gql.store.tables import AskPolicy as AskPolicyRow
from tessera_gql.store.tables import table

TABLE = table(AskPolicyRow)

by_tiers = RowQuery(AskPolicyRow, "tier")


async def load(session: Session) -> dict[AssetTier, AskPolicy]:
    """Load the policies that administrators have set, by tier."""
    return {row.tier: to_policy(row) for row in await session.list(select(TABLE), AskPolicyRow)}


def to_policy(row: AskPolicyRow) -> AskPolicy:
    """Convert a row to the value that `policy.ask_policy` takes."""
    return AskPolicy(row.due_days, tuple(row.remind_days_before), row.escalate_after_days, row.on_silence)
