"""Compare JSON Schemas for compatibility. A change counts as breaking unless it is proven compatible.

The package is pure and imports nothing else of the project.
"""

from tessera_gql.diff.changes import Bump, Certainty, Change, ChangeKind, Mode, SchemaDiff
from tessera_gql.diff.engine import check, compare
from tessera_gql.diff.fields import Field, fields
from tessera_gql.diff.guarantees import compare_guarantees
from tessera_gql.diff.json import canonical
from tessera_gql.diff.refusals import SchemaError
from tessera_gql.diff.weight import weight

__all__ = [
    "Bump",
    "Certainty",
    "Change",
    "ChangeKind",
    "Field",
    "Mode",
    "SchemaDiff",
    "SchemaError",
    "canonical",
    "check",
    "compare",
    "compare_guarantees",
    "fields",
    "weight",
]
