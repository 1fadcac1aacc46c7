"""Compare JSON Schemas for compatibility. A change counts as breaking unless it is proven compatible.

The package is pure and imports nothing else of the project. `engine` puts its folders together: `read` parses schemas,
`compare` finds differences, `prove` decides which of them break, and `report` backs these with evidence.
"""

from tessera_gql.diff.changes import Bump, Certainty, Change, ChangeKind, Mode, SchemaDiff
from tessera_gql.diff.engine import check, compare
from tessera_gql.diff.guarantees import compare_guarantees
from tessera_gql.diff.read.budget import Budget
from tessera_gql.diff.read.errors import SchemaError
from tessera_gql.diff.read.fields import Field, list_fields
from tessera_gql.diff.read.json import canonical_json
from tessera_gql.diff.small_schemas import small_schema_size

__all__ = [
    "Budget",
    "Bump",
    "Certainty",
    "Change",
    "ChangeKind",
    "Field",
    "Mode",
    "SchemaDiff",
    "SchemaError",
    "canonical_json",
    "check",
    "compare",
    "compare_guarantees",
    "list_fields",
    "small_schema_size",
]
