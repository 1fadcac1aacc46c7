"""The list of all keywords. A new keyword is a module with a record and a line here."""

from tessera_gql.diff.keywords.annotations import ANNOTATIONS, IDENTIFIERS
from tessera_gql.diff.keywords.bounds import MAXIMUM, MINIMUM
from tessera_gql.diff.keywords.composition import COMPOSITION
from tessera_gql.diff.keywords.contains import CONTAINS, MAX_CONTAINS, MIN_CONTAINS
from tessera_gql.diff.keywords.counts import COUNTS
from tessera_gql.diff.keywords.default import DEFAULT
from tessera_gql.diff.keywords.enum import CONST, ENUM
from tessera_gql.diff.keywords.format import FORMAT
from tessera_gql.diff.keywords.items import ITEMS, UNEVALUATED_ITEMS
from tessera_gql.diff.keywords.multiple_of import MULTIPLE_OF
from tessera_gql.diff.keywords.pattern import PATTERN
from tessera_gql.diff.keywords.physical_type import PHYSICAL_TYPE
from tessera_gql.diff.keywords.properties import DEPENDENCIES, PATTERN_PROPERTIES, PROPERTIES
from tessera_gql.diff.keywords.required import REQUIRED
from tessera_gql.diff.keywords.type import TYPE
from tessera_gql.diff.keywords.undeclared import ADDITIONAL_PROPERTIES, PROPERTY_NAMES, UNEVALUATED_PROPERTIES
from tessera_gql.diff.keywords.unique_items import UNIQUE_ITEMS

KEYWORDS = (
    TYPE,
    ENUM,
    CONST,
    MINIMUM,
    MAXIMUM,
    MULTIPLE_OF,
    *COUNTS,
    PATTERN,
    FORMAT,
    ITEMS,
    UNIQUE_ITEMS,
    CONTAINS,
    MIN_CONTAINS,
    MAX_CONTAINS,
    PROPERTY_NAMES,
    PATTERN_PROPERTIES,
    ADDITIONAL_PROPERTIES,
    REQUIRED,
    PROPERTIES,
    DEPENDENCIES,
    UNEVALUATED_PROPERTIES,
    UNEVALUATED_ITEMS,
    *COMPOSITION,
    DEFAULT,
    PHYSICAL_TYPE,
    *ANNOTATIONS,
    *IDENTIFIERS,
)
KEYWORDS_BY_NAME = {name: record for record in KEYWORDS for name in record.names}
