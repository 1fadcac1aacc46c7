"""JSON values of any shape, with the names and texts that parsers of documents look for."""

from typing import Any

from hypothesis import strategies as st

KEYS = st.sampled_from(
    [
        *("name", "type", "fields", "items", "values", "models", "definitions", "properties", "quality", "metric"),
        *(
            "mustBe",
            "arguments",
            "validValues",
            "required",
            "minimum",
            "pattern",
            "enum",
            "value",
            "property",
            "element",
        ),
        *("default", "symbols", "size", "namespace", "aliases", "$ref", "threshold", "format", "logicalType", "unit"),
    ]
)
TEXTS = st.sampled_from(
    [
        *("", "a", "t", "record", "enum", "array", "map", "string", "int", "null", "object", "table", "date", "["),
        *("#/definitions/a", "rowCount", "nullValues", "jsonSchema", "2020-01-01", "25h", "a.b", "\0", "decimal(1"),
    ]
)
SCALARS = st.none() | st.booleans() | st.integers(-3, 300) | st.floats(allow_nan=False, allow_infinity=False) | TEXTS
VALUES: st.SearchStrategy[Any] = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=5), max_leaves=12
)
