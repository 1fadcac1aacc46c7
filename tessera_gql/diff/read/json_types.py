"""JSON types as bit masks, and the types that each keyword constrains."""

NULL, BOOLEAN, INTEGER, FRACTION, STRING, ARRAY, OBJECT = (1 << bit for bit in range(7))
NUMBER = INTEGER | FRACTION
ALL_TYPES = 127
TYPE_MASKS = {
    "null": NULL,
    "boolean": BOOLEAN,
    "integer": INTEGER,
    "number": NUMBER,
    "string": STRING,
    "array": ARRAY,
    "object": OBJECT,
}
NON_ASSERTING = frozenset(
    [
        "$schema",
        "$comment",
        "$defs",
        "definitions",
        "title",
        "description",
        "default",
        "examples",
        "deprecated",
        "readOnly",
        "writeOnly",
        "format",
        "contentEncoding",
        "contentMediaType",
        "contentSchema",
        "$vocabulary",
    ]
)
CONSTRAINED_TYPES = {
    **dict.fromkeys((*NON_ASSERTING, "type"), 0),
    **dict.fromkeys(("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"), NUMBER),
    **dict.fromkeys(("minLength", "maxLength", "pattern"), STRING),
    **dict.fromkeys(("minItems", "maxItems", "uniqueItems"), ARRAY),
    **dict.fromkeys(("items", "prefixItems", "additionalItems", "contains", "minContains", "maxContains"), ARRAY),
    **dict.fromkeys(("minProperties", "maxProperties", "required", "properties", "patternProperties"), OBJECT),
    **dict.fromkeys(("additionalProperties", "propertyNames", "dependentRequired", "dependentSchemas"), OBJECT),
    "dependencies": OBJECT,
}
"""The types that a keyword constrains. A keyword that is not listed may constrain every type."""
SCALAR_KEYWORDS = NON_ASSERTING | frozenset(
    [
        "type",
        "enum",
        "const",
        "minimum",
        "maximum",
        "exclusiveMinimum",
        "exclusiveMaximum",
        "multipleOf",
        "minLength",
        "maxLength",
        "pattern",
        "uniqueItems",
        "minItems",
        "maxItems",
        "minProperties",
        "maxProperties",
    ]
)


def type_mask(value: object) -> int:
    """Return the type bit of a JSON value."""
    match value:
        case None:
            return NULL
        case bool():
            return BOOLEAN
        case int():
            return INTEGER
        case float():
            return INTEGER if value.is_integer() else FRACTION
        case str():
            return STRING
        case list():
            return ARRAY
        case _:
            return OBJECT
