"""The keywords of JSON Schema in groups, and the types that each keyword constrains."""

from tessera_gql.diff.read.json_types import ARRAY, NUMBER, OBJECT, STRING

ANNOTATIONS = ("title", "description", "default", "examples", "deprecated", "readOnly", "writeOnly", "format")
CONTENT = ("$comment", "contentEncoding", "contentMediaType", "contentSchema")
NON_ASSERTING = frozenset({*ANNOTATIONS, *CONTENT, "$schema", "$defs", "definitions", "$vocabulary"})
NUMBER_BOUNDS = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum")
LENGTHS = ("minLength", "maxLength")
ITEM_COUNTS = ("minItems", "maxItems")
PROPERTY_COUNTS = ("minProperties", "maxProperties")
SCALAR_KEYWORDS = NON_ASSERTING.union(
    ("type", "enum", "const", "multipleOf", "pattern", "uniqueItems"),
    (*NUMBER_BOUNDS, *LENGTHS, *ITEM_COUNTS, *PROPERTY_COUNTS),
)
"""Keywords without subschemas and property names."""
CONSTRAINED_TYPES = {
    **dict.fromkeys((*NON_ASSERTING, "type"), 0),
    **dict.fromkeys((*NUMBER_BOUNDS, "multipleOf"), NUMBER),
    **dict.fromkeys((*LENGTHS, "pattern"), STRING),
    **dict.fromkeys((*ITEM_COUNTS, "uniqueItems", "contains", "minContains", "maxContains"), ARRAY),
    **dict.fromkeys(("items", "prefixItems", "additionalItems"), ARRAY),
    **dict.fromkeys((*PROPERTY_COUNTS, "required", "properties", "patternProperties", "additionalProperties"), OBJECT),
    **dict.fromkeys(("propertyNames", "dependentRequired", "dependentSchemas", "dependencies"), OBJECT),
}
"""The types that a keyword constrains. A keyword that is not listed may constrain every type."""
