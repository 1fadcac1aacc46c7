"""The policy of an ask: when its answer is due, who is reminded, and what silence means.

Administrators set one policy for each tier of assets. An ask keeps a copy of the policy it was made with.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, TypeVar

from tessera_gql.errors import Invalid
from tessera_gql.policy.coverage import require_coverage_days
from tessera_gql.policy.enums import AssetTier, OnSilence

M = TypeVar("M", datetime, timedelta)

MAX_DAYS = 366
MAX_REMINDERS = 10
BLOCK_GRACE = timedelta(days=7)
"""Time for which a proposal stays open at least after silence has blocked it, so that the team may change that."""


@dataclass(frozen=True)
class AskPolicy:
    """What an ask gives: days to answer, days before that date at which to remind, and the meaning of silence.

    `escalate_after_days` after the ask, the escalation team of the asked team may answer, too; None for never. What
    nobody is asked about needs `require_coverage_days` of observed reads; None demands nothing. A proposal, not an ask,
    keeps a copy of that.
    """

    due_days: int = 30
    remind_days_before: tuple[int, ...] = (3, 1)
    escalate_after_days: int | None = None
    on_silence: OnSilence = OnSilence.EXPIRE
    require_coverage_days: int | None = None

    @property
    def span(self) -> timedelta:
        """The time to answer."""
        return timedelta(days=self.due_days)

    @property
    def open_span(self) -> timedelta:
        """The time for which a proposal stays open, unless its owner says otherwise."""
        return self.find_end(self.span)

    def find_end(self, due: M) -> M:
        """Return the end that a proposal needs for an answer that is due then: later if silence blocks it."""
        return due + BLOCK_GRACE if self.on_silence is OnSilence.BLOCK else due

    def as_json(self) -> dict[str, Any]:
        return {
            "dueDays": self.due_days,
            "remindDaysBefore": list(self.remind_days_before),
            "escalateAfterDays": self.escalate_after_days,
            "onSilence": self.on_silence.value,
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "AskPolicy":
        return cls(
            due_days=value["dueDays"],
            remind_days_before=tuple(value["remindDaysBefore"]),
            escalate_after_days=value["escalateAfterDays"],
            on_silence=OnSilence(value["onSilence"]),
        )


DEFAULT_POLICY = AskPolicy()


def choose_policy(
    tier: AssetTier, policies: Mapping[AssetTier, AskPolicy], *, is_tier_confirmed: bool, is_after_sunset: bool = False
) -> AskPolicy:
    """Choose the policy of an ask about an asset.

    If `is_after_sunset`, all that is asked about was announced to be gone by now, and silence approves. A tier that no
    administrator has set is a suggestion: the policy of NORMAL applies, and silence never approves otherwise.
    """
    policy = policies.get(tier if is_tier_confirmed else AssetTier.NORMAL, DEFAULT_POLICY)
    if is_after_sunset:
        return replace(policy, on_silence=OnSilence.APPROVE)
    if policy.on_silence is OnSilence.APPROVE and not is_tier_confirmed:
        return replace(policy, on_silence=OnSilence.EXPIRE)
    return policy


def apply_changes(policy: AskPolicy, changes: Mapping[str, Any]) -> AskPolicy:
    """Return the policy with some of its fields changed."""
    return replace(policy, **changes)


def validate_policy(policy: AskPolicy) -> AskPolicy:
    """Return the policy with its reminders in order; raise Invalid for one that contradicts itself."""
    _require_days(policy.due_days, "dueDays", MAX_DAYS)
    if len(policy.remind_days_before) > MAX_REMINDERS:
        raise Invalid(
            f"`remindDaysBefore` has {len(policy.remind_days_before)} entries; {MAX_REMINDERS} is the limit.",
            field=("remindDaysBefore",),
        )
    for days in policy.remind_days_before:
        _require_days(days, "remindDaysBefore", policy.due_days - 1)
    if policy.escalate_after_days is not None:
        _require_days(policy.escalate_after_days, "escalateAfterDays", policy.due_days - 1)
    require_coverage_days(policy.require_coverage_days)
    reminders = sorted(set(policy.remind_days_before), reverse=True)
    return replace(policy, remind_days_before=tuple(reminders))


def _require_days(days: int, name: str, highest: int) -> None:
    if 1 <= days <= highest:
        return
    reason = (
        f"1 to {MAX_DAYS} days"
        if name == "dueDays"
        else f"before the answer is due: 1 to {highest}"
        if highest >= 1
        else "before the answer is due, and with `dueDays` 1 there is no such day: leave it empty"
    )
    raise Invalid(f"`{name}` is {days}, but must be {reason}.", field=(name,))


def find_next_reminder(policy: AskPolicy, due_at: datetime, after: datetime) -> datetime | None:
    """Return the first moment after `after` at which a team is reminded; None if there is none."""
    moments = (due_at - timedelta(days=days) for days in policy.remind_days_before)
    return min((moment for moment in moments if moment > after), default=None)


def find_due_days(policy: AskPolicy, due_at: datetime, now: datetime) -> int | None:
    """Return the days before the due date of the reminder that is sent now; of several missed ones only the last.

    None if the due date has passed.
    """
    days = [days for days in policy.remind_days_before if due_at - timedelta(days=days) <= now < due_at]
    return min(days, default=None)


def extend_due_date(due_at: datetime, policy: AskPolicy, latest: datetime, now: datetime) -> datetime | None:
    """Return the next due date after `now` under the policy EXTEND; None if `latest` is reached before."""
    periods = (now - due_at) // policy.span + 1
    extended = due_at + periods * policy.span
    return extended if extended <= latest else None


def describe_silence(policies: Sequence[AskPolicy]) -> str:
    """Describe for people what no answer would mean."""
    meanings = {
        OnSilence.EXPIRE: "the proposal expires",
        OnSilence.APPROVE: "it counts as consent",
        OnSilence.BLOCK: "it counts as a block",
        OnSilence.EXTEND: "the time to answer is extended",
    }
    return " or ".join(dict.fromkeys(meanings[policy.on_silence] for policy in policies))
