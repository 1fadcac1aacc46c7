"""What the compatibility modes mean: a sentence for each, and a table of everyday changes.

The verdicts of the table are computed by comparing schemas, so that they can't differ from what the engine does.
"""

from collections.abc import Mapping
from typing import NamedTuple

from tessera_gql.diff.changes import Mode
from tessera_gql.diff.engine import compare
from tessera_gql.diff.values.json import Json

MODE_DESCRIPTIONS: Mapping[Mode, str] = {
    Mode.BACKWARD: "The new schema accepts all data written under the old one, and no declared field disappears.",
    Mode.FORWARD: "The old schema accepts all data written under the new one, and no field is added.",
    Mode.FULL: "Both BACKWARD and FORWARD hold, and no constraint changes at all.",
    Mode.CONSUMER: (
        "Queries that read the current version by name keep working: columns may be added, but none may vanish, change"
        " or widen its logical type, become nullable, gain values or lose a constraint. A physical type may change its"
        " size."
    ),
    Mode.NONE: "Nothing is breaking; changes are listed.",
}


class EverydayChange(NamedTuple):
    """A common change of a schema, as the smallest pair of schemas that shows it."""

    title: str
    old: Json
    new: Json


class EverydayVerdict(NamedTuple):
    """The title of an everyday change, and the modes in which it breaks."""

    title: str
    breaks: frozenset[Mode]


def judge_everyday_changes() -> tuple[EverydayVerdict, ...]:
    """Compare the schemas of each everyday change."""
    return tuple(
        EverydayVerdict(change.title, frozenset(mode for mode in Mode if not diff.is_compatible(mode)))
        for change in EVERYDAY_CHANGES
        for diff in [compare(change.old, change.new)]
    )


def _build_object(*required: str, **properties: Json) -> dict[str, Json]:
    return {"type": "object", "properties": properties, "required": [*required]}


def _build_column(**keywords: Json) -> Json:
    """Build a table with a key and one more column, which may be absent."""
    return _build_object("id", id=INTEGER, value={**keywords})


def _build_physical_column(**physical_type: Json) -> Json:
    return _build_column(**{"x-physical-type": {**physical_type}})


INTEGER: Json = {"type": "integer"}
TEXT: Json = {"type": "string"}
BASE = _build_object("id", id=INTEGER)
OPTIONAL = _build_object("id", id=INTEGER, value=TEXT)
REQUIRED = _build_object("id", "value", id=INTEGER, value=TEXT)
CLOSED: Json = {**OPTIONAL, "additionalProperties": False}

EVERYDAY_CHANGES = (
    EverydayChange("Optional property added", BASE, OPTIONAL),
    EverydayChange("Required property added", BASE, REQUIRED),
    EverydayChange("Optional property removed", OPTIONAL, BASE),
    EverydayChange("Required property removed", REQUIRED, BASE),
    EverydayChange(
        "Property renamed",
        _build_object("id", id=INTEGER, customer_name=TEXT),
        _build_object("id", id=INTEGER, customerName=TEXT),
    ),
    EverydayChange("Property becomes required", OPTIONAL, REQUIRED),
    EverydayChange("Property becomes optional", REQUIRED, OPTIONAL),
    EverydayChange("Null allowed", _build_column(type="string"), _build_column(type=["string", "null"])),
    EverydayChange("Null no longer allowed", _build_column(type=["string", "null"]), _build_column(type="string")),
    EverydayChange("Type: integer to number", _build_column(type="integer"), _build_column(type="number")),
    EverydayChange("Type: number to integer", _build_column(type="number"), _build_column(type="integer")),
    EverydayChange("Type: string to integer", _build_column(type="string"), _build_column(type="integer")),
    EverydayChange(
        "Physical type: a longer varchar",
        _build_physical_column(family="text", length=10, text="varchar(10)"),
        _build_physical_column(family="text", length=100, text="varchar(100)"),
    ),
    EverydayChange(
        "Physical type: a shorter varchar",
        _build_physical_column(family="text", length=100, text="varchar(100)"),
        _build_physical_column(family="text", length=10, text="varchar(10)"),
    ),
    EverydayChange(
        "Physical type: date to timestamp",
        _build_physical_column(family="date", text="date"),
        _build_physical_column(family="timestamp", text="timestamp"),
    ),
    EverydayChange("Enum values added", _build_column(enum=["new"]), _build_column(enum=["new", "paid"])),
    EverydayChange("Enum values removed", _build_column(enum=["new", "paid"]), _build_column(enum=["new"])),
    EverydayChange("Enum added", _build_column(type="string"), _build_column(type="string", enum=["new"])),
    EverydayChange("Enum dropped", _build_column(type="string", enum=["new"]), _build_column(type="string")),
    EverydayChange(
        "Constraint tightened: lower maximum",
        _build_column(type="integer", maximum=100),
        _build_column(type="integer", maximum=10),
    ),
    EverydayChange(
        "Constraint relaxed: higher maximum",
        _build_column(type="integer", maximum=10),
        _build_column(type="integer", maximum=100),
    ),
    EverydayChange(
        "Constraint changed: another pattern",
        _build_column(type="string", pattern="^a"),
        _build_column(type="string", pattern="^b"),
    ),
    EverydayChange("Additional properties forbidden", OPTIONAL, CLOSED),
    EverydayChange("Additional properties allowed", CLOSED, OPTIONAL),
    EverydayChange("Default added", _build_column(type="string"), _build_column(type="string", default="new")),
    EverydayChange("Default removed", _build_column(type="string", default="new"), _build_column(type="string")),
    EverydayChange(
        "Default changed", _build_column(type="string", default="new"), _build_column(type="string", default="paid")
    ),
    EverydayChange(
        "Format changed", _build_column(type="string", format="date"), _build_column(type="string", format="date-time")
    ),
    EverydayChange(
        "Title or description changed",
        _build_column(type="string", description="State."),
        _build_column(type="string", description="The state of the order."),
    ),
    EverydayChange("Marked as deprecated", _build_column(type="string"), _build_column(type="string", deprecated=True)),
)
