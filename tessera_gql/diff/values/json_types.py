"""JSON types as bit masks."""

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


def type_names(mask: int) -> list[str]:
    """Return the JSON names of the types in a mask."""
    numbers = ["number"] if mask & FRACTION else ["integer"] if mask & INTEGER else []
    return sorted([*(name for name, bits in TYPE_MASKS.items() if not bits & NUMBER and mask & bits), *numbers])


def format_types(mask: int) -> str:
    """Format a type mask, such as `string | null`."""
    if mask == ALL_TYPES:
        return "any"
    return " | ".join([*type_names(mask & ~NULL), *(["null"] if mask & NULL else [])]) or "nothing"


def changes_nullability(before: int, after: int) -> bool:
    """Return whether null is added to, or removed from, a mask with other types."""
    return bool((before ^ after) & NULL and before & ~NULL and after & ~NULL and ALL_TYPES not in (before, after))
