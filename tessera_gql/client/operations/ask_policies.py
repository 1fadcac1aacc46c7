"""Operations on the policies of asks: time to answer, reminders, escalation and the meaning of silence."""

from collections.abc import Sequence
from typing import TypedDict

from typing_extensions import Unpack

from tessera_gql.client.ask_policy_models import AskPolicy
from tessera_gql.client.enums import AssetTier, OnSilence
from tessera_gql.client.operation import Operation, RootField, build_nullable_variables


class AskPolicyChanges(TypedDict, total=False):
    """Attributes to change. `escalate_after_days` None ends the escalation. Raises Stale for an old row version.

    `require_coverage_days` None demands no coverage any more.
    """

    due_days: int
    remind_days_before: Sequence[int]
    escalate_after_days: int | None
    on_silence: OnSilence
    require_coverage_days: int | None
    expected_row_version: int


def ask_policies() -> Operation[tuple[AskPolicy, ...]]:
    """Get the policies of asks, one for each tier, the most important first.

    Raises Unauthenticated without a key that the server knows.

    Example:
        for policy in tessera.ask_policies():
            print(policy.tier, policy.due_days, policy.silence_means)
    """
    return RootField("askPolicies", AskPolicy).build_list_query()


def set_ask_policy(tier: AssetTier, **changes: Unpack[AskPolicyChanges]) -> Operation[AskPolicy]:
    """Set the policy of the asks about assets of a tier that are made from now on, and return it.

    Needs the scope ADMIN.

    Raises Invalid for days that contradict each other, such as a reminder after the due date.

    Example:
        policy = tessera.set_ask_policy(AssetTier.LOW, due_days=20, remind_days_before=[7, 1])
        assert policy.due_days == 20
    """
    input_ = {"tier": tier, **build_nullable_variables({**changes})}
    return RootField("setAskPolicy", AskPolicy).build_mutation(input_, payload_field="policy")
