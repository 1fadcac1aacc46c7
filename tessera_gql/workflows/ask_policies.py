"""Set what asks about assets of a tier give: time to answer, reminders, escalation, and the meaning of silence."""

from typing import Any

from tessera_gql.errors import Stale
from tessera_gql.policy.access import Action, Actor, authorize
from tessera_gql.policy.ask_events import AskPolicyChanged
from tessera_gql.policy.ask_policy import DEFAULT_POLICY, AskPolicy, apply_changes, validate_policy
from tessera_gql.policy.enums import AssetTier
from tessera_gql.policy.event_changes import ValueChanges
from tessera_gql.store import ask_policies
from tessera_gql.store.session import Session
from tessera_gql.store.tables import AskPolicyRow, new_id
from tessera_gql.workflows.teams import require_row_version


async def set_policy(
    session: Session, actor: Actor, tier: AssetTier, changes: dict[str, Any], *, expected_row_version: int | None = None
) -> AskPolicyRow:
    """Change the policy of a tier, as an administrator: `changes` has fields of `AskPolicy`, the others stay.

    It holds for the asks that are made from now on.
    """
    authorize(actor, Action.SET_ASK_POLICY, None)
    row = await ask_policies.by_tiers.find(session, tier)
    require_row_version(row.row_version if row else 0, expected_row_version, "policy")
    before = ask_policies.to_policy(row) if row else DEFAULT_POLICY
    after = validate_policy(apply_changes(before, changes))
    if row is None:
        await session.insert(_to_row(session, tier, after), conflict_message="This policy was set at this moment.")
    elif after == before:
        return row
    elif not await ask_policies.update(session, row, after):
        raise Stale("Somebody changed this policy at this moment. Read it again, then repeat your change.")
    event = AskPolicyChanged(policy_id=new_id(), tier=tier, changes=_describe_changes(before, after))
    session.record(event)
    return await ask_policies.by_tiers.get(session, tier, "tier", "Set its policy again.")


def _to_row(session: Session, tier: AssetTier, policy: AskPolicy) -> AskPolicyRow:
    return AskPolicyRow(tier=tier, **ask_policies.to_columns(policy), row_version=1, updated_at=session.now)


def _describe_changes(before: AskPolicy, after: AskPolicy) -> ValueChanges:
    old, new = ask_policies.to_columns(before), ask_policies.to_columns(after)
    return {name: {"before": old[name], "after": new[name]} for name in sorted(new)}
