"""The documents that a producer writes, and the part of them that a reader of another schema sees.

Both follow the definitions of the modes, not the diff engine. Where the definitions leave room, a document is not
used: with fewer documents a refutation stays valid.
"""

import re
from collections.abc import Iterator
from typing import Any

from bench._schema_grammar import Draft, resolve

MAX_DEPTH = 12
MAX_PATH_DEPTH = 4
IN_PLACE_LISTS = ("allOf", "anyOf", "oneOf")
IN_PLACE = ("if", "then", "else")
MAP_RULES = frozenset(
    {"additionalProperties", "propertyNames", "unevaluatedProperties", "minProperties", "maxProperties"}
)
"""Rules for the keys of an object that declares none. A reader by name may not see the keys."""

WHOLE_RULES = frozenset({"uniqueItems", "enum", "const", "not", "contains"})
"""Rules that are asked of whole values, also where a reader sees less, or that may contain such a rule."""
BRANCHES = frozenset({"oneOf", "if"})
"""Rules that may hold no longer where a reader sees less. A column with such a rule may be unchanged."""


class Ambiguous(Exception):  # noqa: N818 - not an error: the document is left out
    """The projection of a document depends on the reading of the definitions."""


class DeclaredProperties:
    """The properties that a schema declares for each part of a document."""

    def __init__(self, root: Any, draft: Draft) -> None:
        self.root = root
        self.draft = draft

    def is_produced(self, document: Any) -> bool:
        """Return whether every object that has declared properties contains no other properties."""
        return self._is_produced(document, self.root, 0)

    def _is_produced(self, value: Any, schema: Any, depth: int) -> bool:
        if depth > MAX_DEPTH:
            return False
        parts = self._in_place(schema)
        if isinstance(value, dict):
            declared = _declared_names(parts)
            if declared and not value.keys() <= declared:
                return False
            children = [(item, inside) for name, item in value.items() for inside in _property_schemas(parts, name)]
        elif isinstance(value, list):
            children = [(item, inside) for n, item in enumerate(value) for inside in _item_schemas(parts, n)]
        else:
            return True
        return all(self._is_produced(item, inside, depth + 1) for item, inside in children)

    def project(self, document: Any) -> Any:
        """Return the document without the properties that the schema doesn't declare. Raises Ambiguous."""
        return self._project(document, self.root, 0)

    def _project(self, value: Any, schema: Any, depth: int) -> Any:
        if depth > MAX_DEPTH:
            raise Ambiguous
        parts = self._in_place(schema)
        visible = self._project_container(value, parts, depth)
        rules = WHOLE_RULES | BRANCHES if depth else WHOLE_RULES
        if visible != value and any(rules & part.keys() for part in parts):
            raise Ambiguous
        return visible

    def _project_container(self, value: Any, parts: list[dict[str, Any]], depth: int) -> Any:
        if isinstance(value, list):
            return [self._project_child(item, _item_schemas(parts, n), depth) for n, item in enumerate(value)]
        if not isinstance(value, dict):
            return value
        declared = _declared_names(parts)
        if not declared and value and any(_hides_keys(part) for part in parts):
            raise Ambiguous
        if declared and not value.keys() <= declared:
            if _has_rule_for_others(parts):
                raise Ambiguous
            value = {name: item for name, item in value.items() if name in declared}
        return {name: self._project_child(item, _property_schemas(parts, name), depth) for name, item in value.items()}

    def _project_child(self, value: Any, schemas: list[Any], depth: int) -> Any:
        projections = [self._project(value, schema, depth + 1) for schema in schemas] or [value]
        if any(projection != projections[0] for projection in projections):
            raise Ambiguous
        return projections[0]

    def paths(self) -> set[str]:
        """Return the declared field paths, to a bounded depth."""
        return set(self._iterate_paths([self.root], "", 0))

    def _iterate_paths(self, schemas: list[Any], path: str, depth: int) -> Iterator[str]:
        if depth > MAX_PATH_DEPTH:
            return
        parts = [part for schema in schemas for part in self._in_place(schema)]
        for name in _declared_names(parts):
            yield f"{path}/{name}"
            inside = [part["properties"][name] for part in parts if name in part.get("properties", {})]
            yield from self._iterate_paths(inside, f"{path}/{name}", depth + 1)
        for step, list_inside in (("[]", _all_item_schemas), ("*", _undeclared_schemas)):
            inside = [schema for part in parts for schema in list_inside(part)]
            if inside:
                yield from self._iterate_paths(inside, path + step, depth + 1)

    def _in_place(self, schema: Any) -> list[dict[str, Any]]:
        """Return all schemas that may apply to the same value as this one."""
        parts: list[dict[str, Any]] = []
        stack = [schema]
        while stack:
            part = stack.pop()
            if not isinstance(part, dict) or any(part is previous for previous in parts):
                continue
            if "$ref" in part:
                stack.append(resolve(self.root, part["$ref"]))
                if self.draft.ignores_siblings_of_ref:
                    continue
            parts.append(part)
            stack += [inside for keyword in IN_PLACE_LISTS for inside in part.get(keyword, ())]
            stack += [part[keyword] for keyword in IN_PLACE if keyword in part]
            stack += [*part.get("dependentSchemas", {}).values(), *part.get("dependencies", {}).values()]
        return parts


def _declared_names(parts: list[dict[str, Any]]) -> set[str]:
    return {name for part in parts for name in part.get("properties", {})}


def _has_rule_for_others(parts: list[dict[str, Any]]) -> bool:
    """Return whether the schema constrains or requires properties that it doesn't declare."""
    declared = _declared_names(parts)
    required = {name for part in parts for name in (*part.get("required", ()), *_dependent_names(part))}
    keywords = MAP_RULES | {"patternProperties", "not"}
    return not required <= declared or any(keywords & part.keys() for part in parts)


def _dependent_names(part: dict[str, Any]) -> Iterator[str]:
    for names in (*part.get("dependentRequired", {}).values(), *part.get("dependencies", {}).values()):
        yield from names if isinstance(names, list) else ()


def _hides_keys(part: dict[str, Any]) -> bool:
    """Return whether a reader by name may see no key, because a rule is about keys and not about a map's values."""
    return bool((MAP_RULES - {"additionalProperties"}) & part.keys()) or part.get("additionalProperties") is False


def _property_schemas(parts: list[dict[str, Any]], name: str) -> list[Any]:
    return [schema for part in parts for schema in _part_property_schemas(part, name)]


def _part_property_schemas(part: dict[str, Any], name: str) -> Iterator[Any]:
    matches = [schema for pattern, schema in part.get("patternProperties", {}).items() if re.search(pattern, name)]
    if name in part.get("properties", {}):
        matches.append(part["properties"][name])
    yield from matches or ([part["additionalProperties"]] if "additionalProperties" in part else [])


def _item_schemas(parts: list[dict[str, Any]], index: int) -> list[Any]:
    return [schema for part in parts for schema in _part_item_schemas(part, index)]


def _part_item_schemas(part: dict[str, Any], index: int) -> Iterator[Any]:
    items = part.get("items")
    first = items if isinstance(items, list) else part.get("prefixItems", [])
    further = "additionalItems" if isinstance(items, list) else "items"
    if index < len(first):
        yield first[index]
    elif further in part:
        yield part[further]
    if "contains" in part:
        yield part["contains"]


def _all_item_schemas(part: dict[str, Any]) -> Iterator[Any]:
    items = part.get("items", [])
    yield from items if isinstance(items, list) else [items]
    yield from part.get("prefixItems", [])
    yield from [part["additionalItems"]] if "additionalItems" in part else []


def _undeclared_schemas(part: dict[str, Any]) -> Iterator[Any]:
    yield from part.get("patternProperties", {}).values()
    yield from [part["additionalProperties"]] if "additionalProperties" in part else []
