"""Strategies for small schemas, edits of them, and documents at their boundaries."""

import os
from copy import deepcopy
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

NAMES = ("a", "b", "id")
TEXTS = ("", "a", "b", "ab", "aab", "x1")
PATTERNS = ("^a", "b$", "^[a-z]*$", "^a+$", "x")
NUMBERS = (-1, 0, 1, 2, 3, 0.5, 1.0, 6)
SCALARS: tuple[Any, ...] = (None, True, False, *TEXTS, *NUMBERS)
TYPES = ("null", "boolean", "integer", "number", "string", "array", "object")

IS_LONG = os.environ.get("TESSERA_FUZZ") == "long"
SUPPRESSED = [HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large]


def law(long: int, short: int = 25) -> settings:
    """Settings of a law: `short` examples, or `long` random ones with `TESSERA_FUZZ=long`."""
    return settings(
        max_examples=long if IS_LONG else short,
        deadline=None,
        derandomize=not IS_LONG,
        suppress_health_check=SUPPRESSED,
    )


counts = st.integers(0, 3)
scalars = st.sampled_from(SCALARS)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=3),
    max_leaves=5,
)


def _maybe(fields: dict[str, st.SearchStrategy[Any]]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({}, optional=fields)


_strings = _maybe({"minLength": counts, "maxLength": counts, "pattern": st.sampled_from(PATTERNS)})
_numbers = _maybe(
    {
        "minimum": st.sampled_from(NUMBERS),
        "maximum": st.sampled_from(NUMBERS),
        "exclusiveMinimum": st.sampled_from(NUMBERS),
        "exclusiveMaximum": st.sampled_from(NUMBERS),
        "multipleOf": st.sampled_from((1, 2, 3, 0.5)),
    }
)
_types = st.sampled_from(TYPES) | st.lists(st.sampled_from(TYPES), min_size=1, max_size=3, unique=True)


def _arrays(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return _maybe(
        {
            "items": inner,
            "prefixItems": st.lists(inner, min_size=1, max_size=2),
            "minItems": counts,
            "maxItems": counts,
            "uniqueItems": st.booleans(),
            "contains": inner,
            "minContains": st.integers(0, 2),
            "maxContains": st.integers(0, 2),
        }
    )


def _objects(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    names = st.lists(st.sampled_from(NAMES), max_size=2, unique=True)
    return _maybe(
        {
            "properties": st.dictionaries(st.sampled_from(NAMES), inner, max_size=3),
            "required": names,
            "additionalProperties": st.booleans() | inner,
            "patternProperties": st.dictionaries(st.sampled_from(PATTERNS[:3]), inner, max_size=2),
            "propertyNames": inner | st.just({"pattern": "^[ab]$"}),
            "minProperties": counts,
            "maxProperties": counts,
            "dependentRequired": st.dictionaries(st.sampled_from(NAMES), names, max_size=1),
            "dependentSchemas": st.dictionaries(st.sampled_from(NAMES), inner, max_size=1),
        }
    )


def _compositions(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    several = st.lists(inner, min_size=1, max_size=3)
    return _maybe({"anyOf": several, "oneOf": several, "allOf": several, "not": inner}) | st.fixed_dictionaries(
        {"if": inner}, optional={"then": inner, "else": inner}
    )


def _extended(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    facets = st.one_of(_strings, _numbers, _arrays(inner), _objects(inner), _objects(inner), _compositions(inner))
    return st.builds(
        lambda kind, one, other: {**kind, **one, **other}, _maybe({"type": _types}), facets, st.just({}) | facets
    )


_leaves = st.one_of(
    st.booleans(),
    st.just({}),
    st.builds(lambda kind: {"type": kind}, _types),
    st.builds(lambda kind, rest: {"type": kind, **rest}, _types, _strings | _numbers),
    st.builds(lambda listed: {"enum": listed}, st.lists(values, min_size=1, max_size=3)),
    st.builds(lambda value: {"const": value}, values),
    st.just({"$ref": "#"}),
    st.just({"$ref": "#/$defs/shared"}),
)
_plain = st.recursive(_leaves, _extended, max_leaves=6)


def _rooted(schema: Any, shared: Any) -> Any:
    if not isinstance(schema, dict):
        return schema
    return {**schema, "$defs": {"shared": shared}}


schemas = st.builds(
    _rooted, _plain, _plain.filter(lambda schema: schema not in ({"$ref": "#"}, {"$ref": "#/$defs/shared"}))
)


@st.composite
def edited(draw: st.DrawFn, schema: Any) -> Any:
    """The schema with one to three of its parts replaced, removed or extended."""
    result = deepcopy(schema)
    for _ in range(draw(st.integers(1, 3))):
        holders = [container for container in _containers(result) if container]
        if not holders:
            return draw(schemas)
        holder = draw(st.sampled_from(holders))
        key = draw(st.sampled_from(sorted(holder) if isinstance(holder, dict) else range(len(holder))))
        _replace(draw, holder, key)
    return result


def _containers(value: Any) -> list[Any]:
    inside = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    own = [value] if isinstance(value, dict | list) else []
    return own + [each for item in inside for each in _containers(item)]


def _replace(draw: st.DrawFn, holder: Any, key: Any) -> None:
    old = holder[key]
    if draw(st.booleans()) and isinstance(holder, dict):
        del holder[key]
    elif isinstance(old, bool):
        holder[key] = not old
    elif isinstance(old, int | float):
        holder[key] = draw(st.sampled_from((0, 1, 2, 3)))
    elif isinstance(old, str):
        holder[key] = draw(st.sampled_from((*TYPES, *NAMES, *PATTERNS)))
    elif isinstance(old, dict):
        holder[key] = deepcopy(draw(_plain))  # a later edit must not reach the strategy's own constants
    else:
        holder[key] = deepcopy(draw(values))


@st.composite
def pairs(draw: st.DrawFn) -> tuple[Any, Any]:
    """Two schemas, mostly a schema and an edit of it."""
    old = draw(schemas)
    return old, draw(edited(old)) if draw(st.integers(0, 4)) else draw(schemas)


def boundary_documents(*schemas: Any) -> list[Any]:
    """Documents made of the constants in the schemas and of values on both sides of each limit."""
    documents: list[Any] = [*SCALARS, [], {}, [0], ["a"], [0, 0], [None, "a", 1], ["a", "b", "ab"], [1, 2, 3]]
    numbers, texts = set[float](), set[str]()
    for schema in schemas:
        for holder in _containers(schema):
            if isinstance(holder, dict):
                documents += [holder["const"]] if "const" in holder else []
                documents += holder["enum"] if isinstance(holder.get("enum"), list) else []
                numbers |= {value for value in holder.values() if isinstance(value, int | float)}
    documents += [
        number + step for number in numbers if not isinstance(number, bool) for step in (-1, -0.25, 0, 0.25, 1)
    ]
    texts |= {"a" * int(number) for number in numbers if 0 <= number < 9}
    documents += sorted(texts)
    plain = documents[:40]
    for name in NAMES:
        documents += [{name: value} for value in plain[:24]]
    documents += [{"a": left, "b": right} for left in plain[:8] for right in plain[:8:2]]
    documents += [{"a": {"a": value}} for value in plain[:12]] + [[value] for value in plain[:24]]
    documents += [
        {"a": 1, "b": "a", "id": 0},
        {"a": [1], "b": {"a": 1}},
        {"a": {}, "id": "a"},
        [[0], [1]],
        [{}, {"a": 1}],
    ]
    return documents
