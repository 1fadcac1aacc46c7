"""An independent verdict on schemas: validity by `jsonschema`, and whether a document has only declared properties."""

from typing import Any

from jsonschema import Draft202012Validator
from referencing import Registry


def is_valid(schema: Any, document: Any) -> bool | None:
    """Validate with `jsonschema`; None for a schema that applies itself to the same value, which never ends."""
    if asks_itself(schema):
        return None
    return Draft202012Validator(schema, registry=Registry()).is_valid(document)


def asks_itself(root: Any) -> bool:
    definitions = root.get("$defs") if isinstance(root, dict) else None
    schemas = definitions.values() if isinstance(definitions, dict) else ()
    return any(_returns(root, schema, ()) for schema in (root, *schemas))


def _returns(root: Any, schema: Any, above: tuple[int, ...]) -> bool:
    if not isinstance(schema, dict):
        return False
    if id(schema) in above:
        return True
    inside = [subschema for keyword in ("allOf", "anyOf", "oneOf") for subschema in schema.get(keyword, [])]
    inside += [schema[keyword] for keyword in ("if", "then", "else", "not") if keyword in schema]
    inside += schema.get("dependentSchemas", {}).values()
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        definitions = root.get("$defs")
        inside.append(root if schema["$ref"] == "#" else isinstance(definitions, dict) and definitions.get(name))
    return any(_returns(root, subschema, (*above, id(schema))) for subschema in inside)


def is_declared(root: Any, schema: Any, document: Any, depth: int = 0) -> bool:
    """Whether every object that has declared properties has no property beyond those.

    Stricter than what a producer may write: with fewer documents a refutation stays valid.
    """
    around = schemas_around(root, schema)
    if depth > 8:
        return False
    if isinstance(document, list):
        items = [subschema for part in around for subschema in _items(part)]
        return all(all(is_declared(root, subschema, item, depth + 1) for subschema in items) for item in document)
    if not isinstance(document, dict):
        return True
    declared = {name for part in around for name in part.get("properties", {})}
    if declared and not document.keys() <= declared:
        return False
    for name, item in document.items():
        inside = [part["properties"][name] for part in around if name in part.get("properties", {})]
        inside += [subschema for part in around for subschema in part.get("patternProperties", {}).values()]
        inside += [part["additionalProperties"] for part in around if "additionalProperties" in part]
        if not all(is_declared(root, subschema, item, depth + 1) for subschema in inside):
            return False
    return True


def _items(schema: dict[str, Any]) -> list[Any]:
    return [*schema.get("prefixItems", []), *([schema["items"]] if "items" in schema else [])]


def schemas_around(root: Any, schema: Any, *further: str) -> list[dict[str, Any]]:
    """The schemas that apply to the same value, entered also through the further keywords."""
    schemas: list[dict[str, Any]] = []
    stack = [schema]
    while stack:
        candidate = stack.pop()
        if not isinstance(candidate, dict) or any(candidate is previous for previous in schemas):
            continue
        schemas.append(candidate)
        for keyword in ("allOf", "anyOf", "oneOf"):
            stack += candidate.get(keyword, [])
        stack += [candidate[keyword] for keyword in ("if", "then", "else", *further) if keyword in candidate]
        stack += candidate.get("dependentSchemas", {}).values()
        if candidate.get("$ref") == "#":
            stack.append(root)
        elif "$ref" in candidate:
            stack.append(root["$defs"][candidate["$ref"].rpartition("/")[2]])
    return schemas
