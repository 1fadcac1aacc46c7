"""The judgement of a retirement: the asset's contract ends, which breaks every reader in every mode."""

from tessera_gql.diff import Bump, Change, ChangeKind, Mode
from tessera_gql.policy.compatibility import Judgement

RETIREMENT_FINGERPRINT = "retirement"
"""The fingerprint of every retirement proposal, where that of a change is the hash of its terms."""


def judge_retirement(mode: Mode) -> Judgement:
    """Judge the end of a contract with this mode: one breaking change of the whole schema."""
    change = Change(
        kind=ChangeKind.ASSET_RETIRED,
        pointer="",
        path="",
        fields=("",),
        before=None,
        after=None,
        breaks=frozenset(Mode),
        message="The asset is retired: its contract ends and has no successor.",
    )
    return Judgement(changes=(change,), breaking=(change,), bump=Bump.MAJOR, mode=mode)
