"""Resolve the names of types in Avro schemas: repeated and later definitions, and those of other files."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypeAlias

import orjson

from tessera_gql.formats.parsed_schema import DocumentError

Library: TypeAlias = Mapping[str, tuple[Any, str]]
"""Definitions with the namespaces around them, by full name."""

PRIMITIVE_NAMES = frozenset({"null", "boolean", "int", "long", "float", "double", "string", "bytes"})
_NAMED_TYPES = frozenset({"record", "error", "enum", "fixed"})
_COMPLEX_TYPES = _NAMED_TYPES | {"array", "map"}
_MAX_DEPTH = 100


def resolve_names(document: Any, other_documents: Iterable[Any] = ()) -> Any:
    """Return a schema that defines each type once, where it is used first, as Avro demands. Raises DocumentError.

    A type that the document does not define is taken from the other documents. A name that is in none of them stays.
    """
    library: dict[str, tuple[Any, str]] = {}
    for other_document in other_documents:
        library |= {name: entry for name, entry in _iterate_definitions(other_document, "", 0) if name not in library}
    own_definitions: dict[str, tuple[Any, str]] = {}
    for name, entry in _iterate_definitions(document, "", 0):
        if name in own_definitions and _canonical(own_definitions[name][0]) != _canonical(entry[0]):
            raise DocumentError(f"This Avro schema defines {name[:200]} twice, and differently. Leave one of them out.")
        own_definitions.setdefault(name, entry)
    return _Resolver(library | own_definitions).resolve(document, "", 0)


def find_missing_names(document: Any) -> set[str]:
    """Return the names that a schema uses and doesn't define."""
    defined = {name for name, _ in _iterate_definitions(document, "", 0)}
    return {name for name, namespace in _iterate_names(document, "", 0) if not _find_name(name, namespace, defined)}


def _find_name(name: str, namespace: str, names: Iterable[str]) -> str | None:
    """Return the full name of a type that is named within a namespace."""
    candidates = [f"{namespace}.{name}", name] if namespace and "." not in name else [name]
    return next((candidate for candidate in candidates if candidate in names), None)


def _check_depth(depth: int) -> None:
    if depth > _MAX_DEPTH:
        raise DocumentError(f"This Avro schema is nested deeper than {_MAX_DEPTH} levels. Name its inner types.")


def _full_name(definition: Mapping[str, Any], namespace: str) -> str:
    name = str(definition.get("name", ""))
    own_namespace = definition.get("namespace", namespace)
    return name if "." in name or not own_namespace else f"{own_namespace}.{name}"


def _is_definition(value: Any) -> bool:
    match value:
        case {"type": str() as name, "name": str()}:
            return name in _NAMED_TYPES
        case _:
            return False


def _nested_types(value: Any, namespace: str) -> Iterator[tuple[Any, str]]:
    """Yield the types within a type, with the namespaces around them."""
    match value:
        case list():
            yield from ((item, namespace) for item in value)
        case {"type": "record" | "error", "fields": list() as fields}:
            inner_namespace = _full_name(value, namespace).rpartition(".")[0]
            yield from ((item.get("type"), inner_namespace) for item in fields if isinstance(item, dict))
        case {"type": "array", "items": items}:
            yield items, namespace
        case {"type": "map", "values": values}:
            yield values, namespace
        case {"type": inner} if not isinstance(inner, str) or inner not in _COMPLEX_TYPES:
            yield inner, namespace
        case _:
            return


def _iterate_definitions(value: Any, namespace: str, depth: int) -> Iterator[tuple[str, tuple[Any, str]]]:
    _check_depth(depth)
    if _is_definition(value):
        yield _full_name(value, namespace), (value, namespace)
    for inner, inner_namespace in _nested_types(value, namespace):
        yield from _iterate_definitions(inner, inner_namespace, depth + 1)


def _iterate_names(value: Any, namespace: str, depth: int) -> Iterator[tuple[str, str]]:
    _check_depth(depth)
    if isinstance(value, str):
        if value not in PRIMITIVE_NAMES:
            yield value, namespace
        return
    for inner, inner_namespace in _nested_types(value, namespace):
        yield from _iterate_names(inner, inner_namespace, depth + 1)


def _canonical(value: Any) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


class _Resolver:
    """Copies a schema: the first use of a type is its definition, each later one is its name."""

    def __init__(self, library: Library) -> None:
        self.library = library
        self.defined: set[str] = set()

    def resolve(self, value: Any, namespace: str, depth: int) -> Any:
        _check_depth(depth)
        match value:
            case str():
                return self._resolve_name(value, namespace, depth)
            case list():
                return [self.resolve(item, namespace, depth + 1) for item in value]
            case dict() if _is_definition(value):
                return self._define(value, namespace, depth)
            case {"type": "array", "items": items}:
                return {**value, "items": self.resolve(items, namespace, depth + 1)}
            case {"type": "map", "values": values}:
                return {**value, "values": self.resolve(values, namespace, depth + 1)}
            case {"type": str() as name} if name not in PRIMITIVE_NAMES and name not in _COMPLEX_TYPES:
                return self._resolve_name(name, namespace, depth)
            case {"type": dict() | list() as inner}:
                resolved = self.resolve(inner, namespace, depth + 1)
                return {**value, **resolved} if isinstance(resolved, dict) else resolved
            case _:
                return value

    def _resolve_name(self, name: str, namespace: str, depth: int) -> Any:
        full_name = None if name in PRIMITIVE_NAMES else _find_name(name, namespace, self.library)
        if full_name is None:
            return name
        return full_name if full_name in self.defined else self._define(*self.library[full_name], depth)

    def _define(self, definition: dict[str, Any], namespace: str, depth: int) -> Any:
        full_name = _full_name(definition, namespace)
        if full_name in self.defined:
            return full_name
        self.defined.add(full_name)
        own_namespace, _, name = full_name.rpartition(".")
        result = {**definition, "name": name, "namespace": own_namespace}
        if isinstance(fields := definition.get("fields"), list):
            result["fields"] = [self._resolve_field(item, own_namespace, depth + 1) for item in fields]
        return result

    def _resolve_field(self, item: Any, namespace: str, depth: int) -> Any:
        if not isinstance(item, dict) or "type" not in item:
            return item
        return {**item, "type": self.resolve(item["type"], namespace, depth + 1)}


def is_valid_default(avro_type: Any, default: Any) -> bool:
    """Whether a default is a value of the type; of a union, of one of its members."""
    match avro_type:
        case list():
            return any(is_valid_default(member, default) for member in avro_type)
        case {"type": inner}:
            return is_valid_default(inner, default)
        case "null":
            return default is None
        case "boolean":
            return isinstance(default, bool)
        case _:
            return isinstance(default, _DEFAULT_TYPES.get(str(avro_type), object)) and not (
                isinstance(default, bool) and avro_type in _DEFAULT_TYPES
            )


_DEFAULT_TYPES: Mapping[str, Any] = {
    **dict.fromkeys(("int", "long"), int),
    **dict.fromkeys(("float", "double"), int | float),
    **dict.fromkeys(("string", "bytes", "enum", "fixed"), str),
    "array": list,
    **dict.fromkeys(("map", "record", "error"), dict),
}
