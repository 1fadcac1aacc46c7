"""What an independent reader says: `jsonschema` about validity, and a plain reading of "only declared properties"."""

from typing import Any

from jsonschema import Draft202012Validator
from referencing import Registry


def is_valid(schema: Any, document: Any) -> bool | None:
    """None for a schema that asks itself about the same value, of which no reading ends."""
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
    inside = [each for word in ("allOf", "anyOf", "oneOf") for each in schema.get(word, [])]
    inside += [schema[word] for word in ("if", "then", "else", "not") if word in schema]
    inside += schema.get("dependentSchemas", {}).values()
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        definitions = root.get("$defs")
        inside.append(root if schema["$ref"] == "#" else isinstance(definitions, dict) and definitions.get(name))
    return any(_returns(root, each, (*above, id(schema))) for each in inside)


def is_declared(root: Any, schema: Any, document: Any, depth: int = 0) -> bool:
    """No object in the document has a property beyond those declared for it, where any is declared for it at all.

    Narrower than what a producer may write: refuting with fewer documents is fair, with others it would not be.
    """
    around = _around(root, schema)
    if depth > 8:
        return False
    if isinstance(document, list):
        items = [each for one in around for each in _items(one)]
        return all(all(is_declared(root, each, item, depth + 1) for each in items) for item in document)
    if not isinstance(document, dict):
        return True
    declared = {name for one in around for name in one.get("properties", {})}
    if declared and not document.keys() <= declared:
        return False
    for name, item in document.items():
        inside = [one["properties"][name] for one in around if name in one.get("properties", {})]
        inside += [each for one in around for each in one.get("patternProperties", {}).values()]
        inside += [one["additionalProperties"] for one in around if "additionalProperties" in one]
        if not all(is_declared(root, each, item, depth + 1) for each in inside):
            return False
    return True


def _items(schema: dict[str, Any]) -> list[Any]:
    return [*schema.get("prefixItems", []), *([schema["items"]] if "items" in schema else [])]


def _around(root: Any, schema: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    stack = [schema]
    while stack:
        one = stack.pop()
        if not isinstance(one, dict) or any(one is each for each in found):
            continue
        found.append(one)
        for word in ("allOf", "anyOf", "oneOf"):
            stack += one.get(word, [])
        stack += [one[word] for word in ("if", "then", "else") if word in one]
        stack += one.get("dependentSchemas", {}).values()
        if one.get("$ref") == "#":
            stack.append(root)
        elif "$ref" in one:
            stack.append(root["$defs"][one["$ref"].rpartition("/")[2]])
    return found
