"""A difference before it is judged, and the routes on which a value is reached."""

from dataclasses import dataclass
from enum import Enum

from tessera_gql.diff.changes import ChangeKind, Mode
from tessera_gql.diff.json import Json


class Rule(Enum):
    """Why a draft breaks. CONTENT: where containment fails for what producers write. OPEN: where it fails for anything
    valid. ALWAYS: by its kind, whatever containment says. NEVER: it is information."""

    CONTENT = "CONTENT"
    OPEN = "OPEN"
    ALWAYS = "ALWAYS"
    NEVER = "NEVER"


@dataclass(frozen=True)
class Name:
    """A step to a property."""

    name: str


@dataclass(frozen=True)
class Index:
    """A step to an item."""

    index: int


@dataclass(frozen=True)
class Other:
    """A step to a property that is not named; its name matches the pattern, if there is one."""

    pattern: str | None = None


@dataclass(frozen=True)
class AnyName:
    """A step to the name of a property."""


@dataclass(frozen=True)
class Here:
    """No step: another schema about the same value."""


Step = Name | Index | Other | AnyName | Here
Route = tuple[Step, ...]


@dataclass
class Draft:
    """`content` are the directions that break unless containment is proven, `always` those that break whatever it says.

    `name` is the property it is about, below the place it was found in.
    """

    kind: ChangeKind
    pointer: str
    message: str
    before: Json = None
    after: Json = None
    name: str | None = None
    content: frozenset[Mode] = frozenset()
    always: frozenset[Mode] = frozenset()
    rule: Rule = Rule.CONTENT


def text(route: Route, found: str = "") -> str:
    """A route for people, from the path found so far: `items[].sku`; a property that is not named is `*`."""
    for step in route:
        match step:
            case Name(name):
                found += f".{name}" if found else name
            case Index():
                found += "[]"
            case Other():
                found += ".*" if found else "*"
            case AnyName() | Here():
                pass
    return found


def declared_field(path: str) -> str:
    """The declared field a path lies in: `tags[]` belongs to `tags`."""
    while path.endswith(("[]", ".*")) or path == "*":
        path = path[:-2]
    return path
