"""A difference before it is judged, and the routes on which a value is reached."""

from dataclasses import dataclass
from enum import Enum

from tessera_gql.diff.changes import ChangeKind, Mode
from tessera_gql.diff.json import Json


class Rule(Enum):
    """Why a draft breaks. CONTENT: where containment fails for what producers write. OPEN: where it fails for anything
    valid. ALWAYS: by its kind, whatever containment says. NEVER: it is information."""

    CONTAINMENT = "CONTENT"
    OPEN = "OPEN"
    ALWAYS = "ALWAYS"
    NEVER = "NEVER"


@dataclass(frozen=True)
class PropertyStep:
    """A step to a property."""

    name: str


@dataclass(frozen=True)
class ItemStep:
    """A step to an item."""

    index: int


@dataclass(frozen=True)
class OtherPropertyStep:
    """A step to a property that is not named; its name matches the pattern, if there is one."""

    pattern: str | None = None


@dataclass(frozen=True)
class PropertyNameStep:
    """A step to the name of a property."""


@dataclass(frozen=True)
class SameValueStep:
    """No step: another schema about the same value."""


Step = PropertyStep | ItemStep | OtherPropertyStep | PropertyNameStep | SameValueStep
Route = tuple[Step, ...]


@dataclass
class Difference:
    """`content` are the directions that break unless containment is proven, `always` those that break whatever it says.

    `name` is the property it is about, below the place it was found in.
    """

    kind: ChangeKind
    pointer: str
    message: str
    before: Json = None
    after: Json = None
    name: str | None = None
    directions: frozenset[Mode] = frozenset()
    always: frozenset[Mode] = frozenset()
    rule: Rule = Rule.CONTAINMENT


def format_route(route: Route, path: str = "") -> str:
    """A route for people, from the path found so far: `items[].sku`; a property that is not named is `*`."""
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
    """The declared field a path lies in: `tags[]` belongs to `tags`."""
    while path.endswith(("[]", ".*")) or path == "*":
        path = path[:-2]
    return path
