"""The policies of asks: time to answer, reminders, escalation and the meaning of silence, for each tier of assets."""

from datetime import datetime
from typing import Any, Self

import strawberry
from strawberry import UNSET

from tessera_gql.graphql.context import Info
from tessera_gql.graphql.filters import optional, or_keep, or_none
from tessera_gql.graphql.mutations import Call, Payload, VersionedInput, mutation, payload_field
from tessera_gql.graphql.type_registry import computed_field
from tessera_gql.policy import ask_policy
from tessera_gql.policy.enums import AssetTier, OnSilence
from tessera_gql.store import ask_policies, tables
from tessera_gql.store.ask_policies import to_policy
from tessera_gql.workflows.ask_policies import set_policy


@strawberry.type(description="What an ask about an asset of a tier gives, and what silence means.")
class AskPolicy:
    tier: AssetTier = strawberry.field(description="The tier of the assets.")
    due_days: int = strawberry.field(description="The days that an asked team has for its answer.")
    remind_days_before: list[int] = strawberry.field(
        description="The days before the due date on which it is reminded."
    )
    escalate_after_days: int | None = strawberry.field(
        description="The days after which the escalation team of the asked team may answer, too; null for never."
    )
    on_silence: OnSilence = strawberry.field(
        description="What happens without an answer. APPROVE needs an asset whose tier an administrator set."
    )
    silence_means: str = strawberry.field(description="The same for people, as in `the proposal expires`.")
    require_coverage_days: int | None = strawberry.field(
        description="The days that observed reads must cover without a gap before a change about which nobody is asked"
        " is approved; null if that needs no coverage."
    )
    row_version: int = strawberry.field(
        description="A number that rises with every change, 0 for a default; for `expectedRowVersion`."
    )
    updated_at: datetime | None = strawberry.field(
        description="The time of the last change; null for a default that no administrator has set."
    )

    @classmethod
    def of(cls, tier: AssetTier, row: tables.AskPolicyRow | None) -> Self:
        """Make the policy of a tier from its row, or the default without one."""
        policy = to_policy(row) if row else ask_policy.DEFAULT_POLICY
        return cls(
            tier=tier,
            due_days=policy.due_days,
            remind_days_before=list(policy.remind_days_before),
            escalate_after_days=policy.escalate_after_days,
            on_silence=policy.on_silence,
            require_coverage_days=policy.require_coverage_days,
            silence_means=ask_policy.describe_silence([policy]),
            row_version=row.row_version if row else 0,
            updated_at=row.updated_at if row else None,
        )


@strawberry.type
class Queries:
    @computed_field("The policies of asks, one for each tier, the most important first.")
    async def ask_policies(self, info: Info) -> list[AskPolicy] | None:
        rows = await info.context.loaders.run_query(lambda session: ask_policies.by_tiers(session, [*AssetTier]))
        by_tier = {row.tier: row for row in rows}
        return [AskPolicy.of(tier, by_tier.get(tier)) for tier in AssetTier]


@strawberry.input(description="The policy of the asks about assets of a tier; fields that are left out stay.")
class SetAskPolicyInput(VersionedInput):
    tier: AssetTier = strawberry.field(description="The tier of the assets.")
    due_days: int | None = optional("The days that an asked team has for its answer: 1 to 366.")
    remind_days_before: list[int] | None = optional(
        "The days before the due date on which it is reminded; [] for none."
    )
    escalate_after_days: int | None = optional(
        "The days after which the escalation team may answer, too, fewer than `dueDays`; null for never."
    )
    on_silence: OnSilence | None = optional("What happens if an asked team does not answer.")
    require_coverage_days: int | None = optional(
        "The days that observed reads must cover before a change about which nobody is asked is approved: 1 to 366;"
        " null to demand nothing."
    )


@strawberry.type(description="The result of `setAskPolicy`.")
class SetAskPolicyPayload(Payload):
    policy: AskPolicy | None = payload_field("The policy; null if refused.")


async def set_ask_policy(call: Call, arguments: SetAskPolicyInput) -> SetAskPolicyPayload:
    names = ("due_days", "remind_days_before", "on_silence")
    values = {name: or_keep(getattr(arguments, name), name) for name in names}
    changes: dict[str, Any] = {name: value for name, value in values.items() if value is not None}
    if "remind_days_before" in changes:
        changes["remind_days_before"] = tuple(changes["remind_days_before"])
    for name in ("escalate_after_days", "require_coverage_days"):
        if getattr(arguments, name) is not UNSET:
            changes[name] = getattr(arguments, name)
    row_version = or_none(arguments.expected_row_version)
    row = await set_policy(call.session, call.actor, arguments.tier, changes, expected_row_version=row_version)
    return SetAskPolicyPayload(policy=AskPolicy.of(row.tier, row))


@strawberry.type
class Mutations:
    set_ask_policy: Any = mutation(
        set_ask_policy,
        "Set the policy of the asks about assets of a tier that are made from now on. Needs the scope ADMIN.",
    )
