"""Compare JSON Schemas for compatibility. A change counts as breaking unless it is proven compatible.

    >>> from tessera_gql.diff import Mode, compare
    >>> old = {"type": "object", "properties": {"id": {"type": "integer"}, "note": {"type": "string"}}}
    >>> new = {"type": "object", "properties": {"id": {"type": "integer"}}}
    >>> diff = compare(old, new)
    >>> [(change.kind.value, change.path) for change in diff.breaking_changes(Mode.BACKWARD)]
    [('PROPERTY_REMOVED', 'note')]
    >>> diff.is_compatible(Mode.FORWARD)
    True
    >>> diff.bump(Mode.BACKWARD).value
    'MAJOR'

The package is a library of its own: it does no I/O and imports nothing else of the project. `engine` puts its folders
together: `read` parses schemas, `compare` finds differences, `prove` decides which of them break, and `report` backs
these with evidence. docs/diff-library.md describes how to use it.
"""

from tessera_gql.diff.budget import Budget
from tessera_gql.diff.changes import (
    FINGERPRINT_VERSION,
    Bump,
    Certainty,
    Change,
    ChangeEvidence,
    ChangeKind,
    Mode,
    SchemaDiff,
)
from tessera_gql.diff.engine import check, compare, follow_hints
from tessera_gql.diff.errors import SchemaError
from tessera_gql.diff.modes import MODE_DESCRIPTIONS, EverydayVerdict, judge_everyday_changes
from tessera_gql.diff.read.fields import Field, list_fields
from tessera_gql.diff.read.guard import guard
from tessera_gql.diff.small_schemas import is_table, small_schema_size
from tessera_gql.diff.values.json import Json, canonical_json, json_pointer
from tessera_gql.diff.values.physical_types import Family, PhysicalType, read_physical_type

__all__ = [
    "FINGERPRINT_VERSION",
    "MODE_DESCRIPTIONS",
    "Budget",
    "Bump",
    "Certainty",
    "Change",
    "ChangeEvidence",
    "ChangeKind",
    "EverydayVerdict",
    "Family",
    "Field",
    "Json",
    "Mode",
    "PhysicalType",
    "SchemaDiff",
    "SchemaError",
    "canonical_json",
    "check",
    "compare",
    "follow_hints",
    "guard",
    "is_table",
    "json_pointer",
    "judge_everyday_changes",
    "list_fields",
    "read_physical_type",
    "small_schema_size",
]
