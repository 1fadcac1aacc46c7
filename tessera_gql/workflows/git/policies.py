"""Policies of asks as files: one for each tier that an administrator has set, read before anything that asks."""

from collections.abc import Sequence
from dataclasses import asdict

from tessera_gql.errors import Invalid
from tessera_gql.formats.git_files import PolicyFile
from tessera_gql.policy.ask_policy import AskPolicy, validate_policy
from tessera_gql.policy.enums import AssetTier, OnSilence
from tessera_gql.store import ask_policies
from tessera_gql.store.session import Session
from tessera_gql.workflows.ask_policies import set_policy
from tessera_gql.workflows.git.state import PullState, locate_errors, parse_enum, require_unique

KEYS = {
    "dueDays": "due_days",
    "remindDaysBefore": "remind_days_before",
    "escalateAfterDays": "escalate_after_days",
    "requireCoverageDays": "require_coverage_days",
}
"""Keys of a file by the names of the API."""


async def load_policy_files(session: Session) -> list[PolicyFile]:
    """Load the policies that administrators have set, as files in the order of the tiers."""
    policies = await ask_policies.load(session)
    return [_to_file(tier, policies[tier]) for tier in AssetTier if tier in policies]


def _to_file(tier: AssetTier, policy: AskPolicy) -> PolicyFile:
    return PolicyFile(
        tier=tier.value,
        due_days=policy.due_days,
        remind_days_before=policy.remind_days_before,
        escalate_after_days=policy.escalate_after_days,
        on_silence=policy.on_silence.value,
        require_coverage_days=policy.require_coverage_days,
    )


async def merge_policies(state: PullState, files: Sequence[tuple[str, PolicyFile]]) -> None:
    """Set the policies of the files, for the asks that are made from now on; needs the right to set them."""
    require_unique((path, file.line, file.tier) for path, file in files)
    present = await ask_policies.load(state.session) if files else {}
    for path, file in files:
        with locate_errors(path, file.line):
            tier, policy = parse_enum(AssetTier, file.tier), _to_policy(file)
            if present.get(tier) != policy:
                await set_policy(state.session, state.actor, tier, asdict(policy))
                state.count("policies_updated")


def _to_policy(file: PolicyFile) -> AskPolicy:
    """Return the policy of a file; raise Invalid, with the keys of the file, for one that contradicts itself."""
    policy = AskPolicy(
        due_days=file.due_days,
        remind_days_before=file.remind_days_before,
        escalate_after_days=file.escalate_after_days,
        on_silence=parse_enum(OnSilence, file.on_silence),
        require_coverage_days=file.require_coverage_days,
    )
    try:
        return validate_policy(policy)
    except Invalid as error:
        message = error.message
        for name, key in KEYS.items():
            message = message.replace(f"`{name}`", f"`{key}`")
        raise Invalid(message) from None
