"""The changes that a comparison is expected to find, as values."""

import json
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Any

from tessera_gql.diff import ChangeKind, Mode, compare

BACKWARD, FORWARD, FULL = Mode.BACKWARD, Mode.FORWARD, Mode.FULL


@dataclass
class ExpectedChange:
    """A change without its evidence. Two are equal only if their values are the same JSON: 1, 1.0 and true differ."""

    kind: ChangeKind
    pointer: str
    before: Any = field(default=None, kw_only=True)
    after: Any = field(default=None, kw_only=True)
    breaks: AbstractSet[Mode] = field(default=frozenset(), kw_only=True)
    message: str = field(kw_only=True)
    json_values: str = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self.json_values = json.dumps([self.before, self.after])


def list_changes(old: Any, new: Any) -> list[ExpectedChange]:
    """The changes that comparing two schemas finds. Their effect on CONSUMER follows from the one on FORWARD."""
    return [
        ExpectedChange(
            change.kind,
            change.pointer,
            before=change.before,
            after=change.after,
            breaks=change.breaks - {Mode.CONSUMER},
            message=change.message,
        )
        for change in compare(old, new).changes
    ]
