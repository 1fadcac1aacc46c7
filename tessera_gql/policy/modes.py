"""When a change of the compatibility mode weakens the promise of a contract."""

from tessera_gql.diff import Change, ChangeKind, Mode

JUDGING_MODES = frozenset(Mode) - {Mode.NONE}
"""The modes under which a change can break at all."""


def is_weaker(before: Mode, after: Mode) -> bool:
    """Return whether some change passes after the change of mode that did not pass before.

    FULL allows the least and NONE everything. BACKWARD, FORWARD and CONSUMER each allow what another one forbids.
    """
    return before is not after and after is not Mode.FULL and before is not Mode.NONE


def compare_modes(before: Mode, after: Mode) -> tuple[Change, ...]:
    """Compare the modes of two contracts. A weaker mode is a breaking change of the whole schema."""
    if not is_weaker(before, after):
        return ()
    change = Change(
        kind=ChangeKind.MODE_WEAKENED,
        pointer="",
        path="",
        fields=("",),
        before=before.value,
        after=after.value,
        breaks=JUDGING_MODES,
        message=f"The compatibility mode was weakened from {before} to {after}.",
    )
    return (change,)
