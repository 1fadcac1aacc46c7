"""Queries of ask policies (time to answer, reminders, meaning of silence), one for each tier of assets."""

from typing import Any

from sqlalchemy import select

from tessera_gql.policy.ask_policy import AskPolicy
from tessera_gql.policy.enums import AssetTier
from tessera_gql.store.session import RowQuery, Session
from tessera_gql.store.tables import AskPolicyRow, table

TABLE = table(AskPolicyRow)

by_tiers = RowQuery(AskPolicyRow, "tier")


async def load(session: Session) -> dict[AssetTier, AskPolicy]:
    """Load the policies that administrators have set, by tier."""
    return {row.tier: to_policy(row) for row in await session.list(select(TABLE), AskPolicyRow)}


async def update(session: Session, row: AskPolicyRow, policy: AskPolicy) -> bool:
    """Update the policy of a tier; return False if it was changed since it was read."""
    is_unchanged = (TABLE.c.tier == row.tier) & (TABLE.c.row_version == row.row_version)
    values = {**to_columns(policy), "row_version": row.row_version + 1, "updated_at": session.now}
    return bool(await session.update(AskPolicyRow, is_unchanged, **values))


def to_columns(policy: AskPolicy) -> dict[str, Any]:
    """Convert a policy to the columns of its row."""
    return {
        "due_days": policy.due_days,
        "remind_days_before": list(policy.remind_days_before),
        "escalate_after_days": policy.escalate_after_days,
        "on_silence": policy.on_silence,
        "require_coverage_days": policy.require_coverage_days,
    }


def to_policy(row: AskPolicyRow) -> AskPolicy:
    """Convert a row to the value that `policy.ask_policy` takes."""
    return AskPolicy(
        row.due_days, tuple(row.remind_days_before), row.escalate_after_days, row.on_silence, row.require_coverage_days
    )
