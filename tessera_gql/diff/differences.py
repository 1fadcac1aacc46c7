"""Differences before they are assessed, and the steps of a route to a value."""

from dataclasses import dataclass
from enum import Enum

from tessera_gql.diff.changes import ChangeKind, Mode
from tessera_gql.diff.values.json import Json, compute_digest

BACKWARD, FORWARD = frozenset({Mode.BACKWARD}), frozenset({Mode.FORWARD})
BOTH = BACKWARD | FORWARD


class Rule(Enum):
    """When a difference breaks.

    CONTAINMENT: where containment fails for documents of producers. OPEN: where it fails for any valid document.
    ALWAYS: in the directions of its kind, without a proof. NEVER: it is informational.
    """

    CONTAINMENT = "CONTAINMENT"
    OPEN = "OPEN"
    ALWAYS = "ALWAYS"
    NEVER = "NEVER"


@dataclass(frozen=True)
class PropertyStep:
    """A step to a declared property."""

    name: str


@dataclass(frozen=True)
class ItemStep:
    """A step to an array item."""

    index: int


@dataclass(frozen=True)
class OtherPropertyStep:
    """A step to an undeclared property; its name matches the pattern, if there is one."""

    pattern: str | None = None


@dataclass(frozen=True)
class PropertyNameStep:
    """A step to the name of a property."""


@dataclass(frozen=True)
class SameValueStep:
    """A step to another schema of the same value."""


Step = PropertyStep | ItemStep | OtherPropertyStep | PropertyNameStep | SameValueStep
Route = tuple[Step, ...]


@dataclass
class Difference:
    """A difference between two schemas before it is assessed.

    `message` continues the path of the value: as its predicate if it begins with a verb (`was removed`), else after a
    colon (`type changed from integer to string`). It says nothing about the verdict. `directions` break unless
    containment is proven, `always` break in any case. `name` is the affected property of the value, if the difference
    is about one. `digest` is a hash of what changes, if `before` and `after` don't hold all of it. Values of
    `evidence_schemas` demonstrate it without a proof, the first best.
    """

    kind: ChangeKind
    pointer: str
    message: str
    before: Json = None
    after: Json = None
    name: str | None = None
    digest: str | None = None
    directions: frozenset[Mode] = frozenset()
    always: frozenset[Mode] = frozenset()
    rule: Rule = Rule.CONTAINMENT
    evidence_schemas: tuple[dict[str, Json], ...] = ()


def digest_sides(before: Json, after: Json) -> str:
    """Hash what a difference is about on both sides: values, or the digests of schemas."""
    return compute_digest([before, after])


def format_route(route: Route, path: str = "") -> str:
    """Format a route as a path such as `items[].sku`, appended to a prefix. Undeclared properties are `*`."""
    for step in route:
        match step:
            case PropertyStep(name):
                path += f".{name}" if path else name
            case ItemStep():
                path += "[]"
            case OtherPropertyStep():
                path += ".*" if path else "*"
            case PropertyNameStep() | SameValueStep():
                pass
    return path


def declared_field(path: str) -> str:
    """Return the declared field that contains a path: `tags` for `tags[]`."""
    while path.endswith(("[]", ".*")) or path == "*":
        path = path[:-2]
    return path
