"""Compare JSON Schemas for compatibility. A change counts as breaking unless it is proven compatible.

The package is pure and imports nothing else of the project. `engine` puts its folders together: `read` parses schemas,
`compare` finds differences, `prove` decides which of them break, and `report` backs these with evidence.
"""

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
from tessera_gql.diff.engine import check, compare
from tessera_gql.diff.read.errors import SchemaError
from tessera_gql.diff.read.fields import Field, list_fields
from tessera_gql.diff.read.guard import guard
from tessera_gql.diff.read.json import Json, canonical_json, json_pointer
from tessera_gql.diff.small_schemas import small_schema_size

__all__ = [
    "FINGERPRINT_VERSION",
    "Bump",
    "Certainty",
    "Change",
    "ChangeEvidence",
    "ChangeKind",
    "Field",
    "Json",
    "Mode",
    "SchemaDiff",
    "SchemaError",
    "canonical_json",
    "check",
    "compare",
    "guard",
    "json_pointer",
    "list_fields",
    "small_schema_size",
]
