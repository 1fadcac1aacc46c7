"""Edit a generated schema as people do: change, add, remove, rename, extract and inline its parts."""

from collections.abc import Iterator
from copy import deepcopy
from random import Random
from typing import Any

from bench._schema_grammar import NAMES, SchemaGrammar, resolve

SUBSCHEMA_MAPS = ("properties", "patternProperties", "dependentSchemas", "$defs", "definitions")
SUBSCHEMA_LISTS = ("allOf", "anyOf", "oneOf", "prefixItems", "items")
SUBSCHEMAS = (
    "items",
    "additionalItems",
    "additionalProperties",
    "propertyNames",
    "contains",
    "not",
    "if",
    "then",
    "else",
)
STRUCTURE = frozenset({"$schema", "$ref", "$defs", "definitions"})
"""Keywords that an edit doesn't remove, because other parts need them."""


def edit_schema(random: Random, grammar: SchemaGrammar, schema: dict[str, Any]) -> dict[str, Any]:
    """Return an edited copy. Some edits don't fit the part that they are tried on."""
    edited = deepcopy(schema)
    for edit_count in (random.choice((1, 1, 1, 2, 3)), *[1] * 10):
        for _ in range(edit_count):
            parts = [part for part in iterate_subschemas(edited) if isinstance(part, dict)]
            random.choice(EDITS)(random, grammar, random.choice(parts), edited)
        grammar.add_definitions(edited)
        if edited != schema:
            break
    return edited


def iterate_subschemas(schema: Any) -> Iterator[Any]:
    """Iterate over a schema and all schemas inside it."""
    yield schema
    if not isinstance(schema, dict):
        return
    for keyword, value in schema.items():
        if keyword in SUBSCHEMA_MAPS and isinstance(value, dict):
            inside = [*value.values()]
        elif keyword in SUBSCHEMA_LISTS and isinstance(value, list):
            inside = value
        else:
            inside = [value] if keyword in SUBSCHEMAS else []
        for subschema in inside:
            yield from iterate_subschemas(subschema)


def _remove_keyword(random: Random, _grammar: SchemaGrammar, part: dict[str, Any], _root: Any) -> None:
    keywords = [keyword for keyword in part if keyword not in STRUCTURE]
    if keywords:
        _delete(part, random.choice(keywords))


def _delete(part: dict[str, Any], keyword: str) -> None:
    del part[keyword]
    if keyword in ("minimum", "maximum"):
        flag = f"exclusive{keyword.capitalize()}"
        if isinstance(part.get(flag), bool):  # in draft 4 the flag needs its limit
            del part[flag]


def _regenerate(random: Random, grammar: SchemaGrammar, part: dict[str, Any], _root: Any) -> None:
    """Replace a scalar schema, or a property of an object."""
    if properties := part.get("properties"):
        properties[random.choice(list(properties))] = grammar.schema(2)
    elif not part.keys() & (STRUCTURE | {"allOf", "anyOf", "oneOf", "items"}):
        part.clear()
        part.update(grammar.typed_scalar())


def _shift_number(random: Random, _grammar: SchemaGrammar, part: dict[str, Any], _root: Any) -> None:
    numbers = [key for key, value in part.items() if isinstance(value, int | float) and not isinstance(value, bool)]
    numbers = [key for key in numbers if key not in ("const", "default")]
    if numbers:
        keyword = random.choice(numbers)
        minimum = 1 if keyword == "multipleOf" else None if "imum" in keyword else 0
        shifted = part[keyword] + random.choice((-1, 1, 2))
        part[keyword] = shifted if minimum is None else max(minimum, shifted)


def _change_type(random: Random, _grammar: SchemaGrammar, part: dict[str, Any], _root: Any) -> None:
    match part.get("type"):
        case "integer":
            part["type"] = random.choice(("number", "string", ["integer", "null"]))
        case "number":
            part["type"] = random.choice(("integer", ["number", "null"]))
        case str() as name if name != "null":
            part["type"] = [name, random.choice(("null", "integer")) if name != "integer" else "null"]
        case list() as names if len(names) > 1:
            part["type"] = random.sample(names, len(names) - 1)
        case _:
            pass


def _change_required(random: Random, _grammar: SchemaGrammar, part: dict[str, Any], _root: Any) -> None:
    if "properties" not in part:
        return
    name = random.choice(list(part["properties"]))
    required = set(part.get("required", ())) ^ {name}
    part.pop("required", None)
    if required:
        part["required"] = sorted(required)


def _add_property(random: Random, grammar: SchemaGrammar, part: dict[str, Any], _root: Any) -> None:
    if "properties" in part:
        part["properties"][random.choice(NAMES)] = grammar.schema(2)


def _rename_property(random: Random, _grammar: SchemaGrammar, part: dict[str, Any], _root: Any) -> None:
    if properties := part.get("properties"):
        name = random.choice(list(properties))
        properties[f"{name}_new"] = properties.pop(name)


def _remove_property(random: Random, _grammar: SchemaGrammar, part: dict[str, Any], _root: Any) -> None:
    properties = part.get("properties", {})
    if len(properties) > 1:
        del properties[random.choice(list(properties))]


def _change_values(random: Random, grammar: SchemaGrammar, part: dict[str, Any], _root: Any) -> None:
    if len(part.get("enum", ())) > 1 and random.random() < 0.5:
        part["enum"].pop(random.randrange(len(part["enum"])))
    elif "enum" in part:
        part.update(grammar.listed_values())


def _close_or_open(random: Random, _grammar: SchemaGrammar, part: dict[str, Any], _root: Any) -> None:
    if "properties" in part and "additionalProperties" in part:
        del part["additionalProperties"]
    elif "properties" in part:
        part["additionalProperties"] = random.choice((False, False, True))


def _change_alternatives(random: Random, grammar: SchemaGrammar, part: dict[str, Any], _root: Any) -> None:
    for keyword in ("anyOf", "oneOf", "allOf"):
        if alternatives := part.get(keyword):
            if len(alternatives) > 1 and random.random() < 0.5:
                alternatives.pop(random.randrange(len(alternatives)))
            else:
                alternatives.append(grammar.typed_scalar())


def _annotate(random: Random, _grammar: SchemaGrammar, part: dict[str, Any], _root: Any) -> None:
    keyword = random.choice(("title", "description", "x-owner"))
    part[keyword] = random.choice(("first", "second"))


def _extract(_random: Random, grammar: SchemaGrammar, part: dict[str, Any], root: dict[str, Any]) -> None:
    """Move a property into a definition of its own."""
    definitions = root.setdefault(grammar.draft.definitions, {})
    for name, subschema in part.get("properties", {}).items():
        if f"of_{name}" in definitions or (isinstance(subschema, dict) and "$ref" in subschema):
            continue
        definitions[f"of_{name}"] = subschema
        part["properties"][name] = {"$ref": f"#/{grammar.draft.definitions}/of_{name}"}
        break


def _inline(_random: Random, _grammar: SchemaGrammar, part: dict[str, Any], root: dict[str, Any]) -> None:
    """Write the target of a reference in its place."""
    if part.keys() == {"$ref"} and part["$ref"] != "#":
        target = resolve(root, part["$ref"])
        if isinstance(target, dict):
            part.clear()
            part.update(deepcopy(target))


def _add_constraint(random: Random, grammar: SchemaGrammar, part: dict[str, Any], _root: Any) -> None:
    if "$ref" not in part:
        part.update(random.choice((grammar.text_keywords, grammar.number_keywords))())


EDITS = (
    _remove_keyword,
    _remove_keyword,
    _regenerate,
    _shift_number,
    _shift_number,
    _change_type,
    _change_type,
    _change_required,
    _change_required,
    _add_property,
    _add_property,
    _rename_property,
    _remove_property,
    _change_values,
    _change_values,
    _close_or_open,
    _change_alternatives,
    _annotate,
    _extract,
    _inline,
    _add_constraint,
)
