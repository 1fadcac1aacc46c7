"""An edit of a contract with what the diff engine must say about it, and the effects that edits have."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from tessera_gql.diff import Bump, ChangeKind, Mode
from tests.diff.schemas import INTEGER, table

BACKWARD, FORWARD, FULL, CONSUMER = Mode.BACKWARD, Mode.FORWARD, Mode.FULL, Mode.CONSUMER


class Effect(NamedTuple):
    """The modes that an edit breaks, and the bump of the version in the modes BACKWARD and CONSUMER."""

    breaks: frozenset[Mode]
    bump: Bump
    consumer_bump: Bump


NO_CHANGE = Effect(frozenset(), Bump.NONE, Bump.NONE)
"""Both schemas mean the same."""
ANNOTATION = Effect(frozenset(), Bump.PATCH, Bump.PATCH)
"""Only texts for people differ."""
DETAIL = Effect(frozenset({FULL}), Bump.PATCH, Bump.PATCH)
"""No value is affected, but FULL allows no change of a contract's keywords."""
ADDITION = Effect(frozenset({FORWARD, FULL}), Bump.MINOR, Bump.MINOR)
"""A field or a default is new: who reads the known fields keeps working, and so does data without it."""
REQUIRED_ADDITION = Effect(frozenset({BACKWARD, FORWARD, FULL}), Bump.MAJOR, Bump.MINOR)
"""A field is new and required: old data lacks it, readers of the known fields keep working."""
REMOVAL = Effect(frozenset({BACKWARD, FULL, CONSUMER}), Bump.MAJOR, Bump.MAJOR)
"""An optional field disappears: who reads it stops working."""
MORE_VALUES = Effect(frozenset({FORWARD, FULL, CONSUMER}), Bump.MINOR, Bump.MAJOR)
"""Values are allowed that readers have never met."""
FEWER_VALUES = Effect(frozenset({BACKWARD, FULL}), Bump.MAJOR, Bump.MINOR)
"""Values of old data are no longer allowed."""
OPENING = Effect(frozenset({FORWARD, FULL}), Bump.MINOR, Bump.MINOR)
"""Fields that nobody declares are allowed: who reads by name doesn't meet them."""
WIDER_STORAGE = Effect(frozenset({FORWARD, FULL}), Bump.MINOR, Bump.MINOR)
"""The warehouse stores a larger range of the same family, and engines convert it."""
NARROWER_STORAGE = Effect(frozenset({BACKWARD, FULL}), Bump.MAJOR, Bump.MINOR)
"""The warehouse stores a smaller range of the same family."""
LOST_DEFAULT = Effect(frozenset({BACKWARD, FULL}), Bump.MAJOR, Bump.PATCH)
"""Old data that relies on the default lacks a value; readers keep working."""
BREAK = Effect(frozenset({BACKWARD, FORWARD, FULL, CONSUMER}), Bump.MAJOR, Bump.MAJOR)
"""Neither old data nor old readers work with the other version."""


@dataclass(frozen=True)
class Edit:
    """An edit, the kind of the change that is listed for it, its effect, and facts that the message states.

    `kind` is None if nothing is listed. The facts are parts of the message of the change, compared without case:
    the path first, then the values before and after.
    """

    name: str
    old: Any
    new: Any
    kind: ChangeKind | None
    effect: Effect
    facts: Sequence[str] = ()


def column(name: str, old: Any, new: Any) -> tuple[Any, Any]:
    """Two versions of a table in which the schema of one column differs."""
    return table(order_id=INTEGER, **{name: old}), table(order_id=INTEGER, **{name: new})
