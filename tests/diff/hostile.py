"""Pairs of schemas that would take long without limits, by name. Each pair differs in a part that is hard to decide."""

from collections.abc import Callable
from itertools import product
from typing import Any

from tests.diff.schemas import INTEGER, TEXT, array, obj

Schema = dict[str, Any]
SchemaPair = tuple[Schema, Schema]
NULLABLE = {"type": ["string", "null"]}


def reference(name: str) -> Schema:
    return {"$ref": f"#/$defs/{name}"}


def chain_of_references(leaf: Any) -> Schema:
    links = {f"d{index}": obj(properties={"next": reference(f"d{index + 1}")}) for index in range(200)}
    return {**reference("d0"), "$defs": {**links, "d200": leaf}}


def nested_alternatives(depth: int, leaf: Any) -> Any:
    if not depth:
        return leaf
    inner = nested_alternatives(depth - 1, leaf)
    return {"oneOf": [inner, {"minLength": depth}, {"maxLength": depth, "anyOf": [inner, INTEGER]}]}


def nested_negations(depth: int, leaf: Any) -> Any:
    if not depth:
        return leaf
    inner = nested_negations(depth - 1, leaf)
    return {"not": {"anyOf": [inner, {"not": {"allOf": [inner, {"const": depth}]}}]}}


def recursive_union(leaf: Any, keyword: str) -> Schema:
    def node(index: int, peer: int) -> Schema:
        return obj(properties={"left": reference(f"d{peer}"), "right": reference(f"d{index}")}, required=["left"])

    defs = {f"d{index}": {keyword: [*(node(index, peer) for peer in range(6)), leaf]} for index in range(6)}
    return {**reference("d0"), "$defs": defs}


def crossed_patterns(letters: str) -> Schema:
    patterns = {f"^{first}.*{last}$": {"maxLength": len(letters)} for first, last in product(letters, letters)}
    return obj(patternProperties=patterns, additionalProperties=False)


def dependent_ladder(leaf: Any) -> Schema:
    def rung(index: int) -> Schema:
        return {"required": [f"p{index + 1}"], "properties": {f"p{index + 1}": leaf}}

    return obj(dependentSchemas={f"p{index}": rung(index) for index in range(60)})


def tuple_of_objects(**keywords: Any) -> Schema:
    items = [obj(properties={"a": {"const": index}}, required=["a"]) for index in range(100)]
    return array(prefixItems=items, items=False, minItems=100, **keywords)


def named_columns(template: str, count: int, schema: Any, **keywords: Any) -> Schema:
    return obj(properties={template.format(index): schema for index in range(count)}, **keywords)


def conjunction(count: int, leaf: Any) -> Schema:
    return {"allOf": [obj(properties={f"a{index}": leaf}, required=[f"a{index}"]) for index in range(count)]}


def conditions(leaf: Schema) -> Schema:
    def branch(index: int) -> Schema:
        condition = {"properties": {"kind": {"const": index}}, "required": ["kind"]}
        return {"if": condition, "then": {"properties": {"value": {**leaf, "maxLength": index + 1}}}}

    return {"allOf": [branch(index) for index in range(30)]}


def alternatives(keyword: str, first: int) -> Schema:
    return {keyword: [obj(properties={f"k{n}": TEXT}, required=[f"k{n}"]) for n in range(first, first + 400)]}


def doubling_definitions(leaf: Any) -> Schema:
    def level(index: int) -> Schema:
        below = reference(f"d{index + 1}")
        return {"allOf": [below, {**below, "minProperties": 0}], "properties": {f"q{index}": leaf}}

    return {**reference("d0"), "$defs": {**{f"d{index}": level(index) for index in range(16)}, "d16": obj()}}


def both(build: Callable[[Any], Schema]) -> SchemaPair:
    """The schema with two leaves of different types."""
    return build(TEXT), build(INTEGER)


CHARACTERS = "|".join(chr(0x4E00 + 3 * index) for index in range(200))
WORDS = "|".join(f"{chr(0x4E00 + 3 * index)}{chr(0x5E00 + 3 * index)}" for index in range(200))
HARD_PATTERN = "^(?:a|b)*{}(?:a|b){{{}}}$"
DOCUMENTS = [{"a": index, "b": [index, {"c": str(index)}]} for index in range(1_000)]
PAIRS: dict[str, SchemaPair] = {
    "a chain of references": both(chain_of_references),
    "nested alternatives": (nested_alternatives(5, TEXT), nested_alternatives(5, NULLABLE)),
    "nested negations": (nested_negations(7, TEXT), nested_negations(7, NULLABLE)),
    "a recursive anyOf": both(lambda leaf: recursive_union(leaf, "anyOf")),
    "a recursive oneOf": both(lambda leaf: recursive_union(leaf, "oneOf")),
    "crossed patterns of names": (crossed_patterns("abcdef"), crossed_patterns("bcdefg")),
    "a ladder of dependent schemas": both(dependent_ladder),
    "a unique tuple": (tuple_of_objects(), tuple_of_objects(uniqueItems=True)),
    "four hundred exclusive alternatives": (alternatives("oneOf", 0), alternatives("oneOf", 1)),
    "four hundred alternatives": (alternatives("anyOf", 0), alternatives("anyOf", 1)),
    "an allOf of four hundred": both(lambda leaf: conjunction(400, leaf)),
    "thirty conditions": (conditions(TEXT), conditions(NULLABLE)),
    "doubling definitions": both(doubling_definitions),
    "an enum of objects": ({"enum": DOCUMENTS}, {"enum": DOCUMENTS[1:]}),
    "objects against an enum": (obj(properties={"a": INTEGER}), {"enum": DOCUMENTS}),
    "huge counts": (array(minItems=10**12, uniqueItems=True), array(minItems=3, contains=TEXT, minContains=10**11)),
    "a huge length": ({**TEXT, "minLength": 10**12}, {**TEXT, "minLength": 10**12 + 1, "pattern": "^a*$"}),
    "many multiples": (
        {**INTEGER, "allOf": [{"multipleOf": step} for step in range(900, 1_000)]},
        {**INTEGER, "allOf": [{"multipleOf": step} for step in range(901, 1_001)]},
    ),
    "names and patterns": (
        named_columns("name_{}", 200, TEXT, patternProperties={f"{n}": {"maxLength": n + 1} for n in range(50)}),
        named_columns("name_{}", 200, INTEGER, patternProperties={f"{n}": {"maxLength": n + 1} for n in range(50)}),
    ),
    "renamed columns": (named_columns("customer_field_{}", 1_000, TEXT), named_columns("customerField{}", 1_000, TEXT)),
    "replaced columns": (named_columns("abc{}x_abc", 1_000, TEXT), named_columns("abc{}y_abd", 1_000, TEXT)),
    "columns of another type": (named_columns("c{}", 2_000, TEXT), named_columns("c{}", 2_000, INTEGER)),
    "alternatives of characters": ({"pattern": f"^(?:{CHARACTERS})*$"}, {"pattern": f"^(?:{CHARACTERS}|zz)*$"}),
    "alternatives of words": ({"pattern": f"^(?:{WORDS})*$"}, {"pattern": f"^(?:{WORDS}|zz)*$"}),
    "an exponential pattern": ({"pattern": HARD_PATTERN.format("a", 300)}, {"pattern": HARD_PATTERN.format("b", 300)}),
    "many exponential patterns": (
        obj(properties={f"c{n}": {"pattern": HARD_PATTERN.format("a", n)} for n in range(99)}),
        obj(properties={f"c{n}": {"pattern": HARD_PATTERN.format("b", n)} for n in range(99)}),
    ),
    "long texts and a pattern": ({"enum": [f"{'ab' * 500}{n}" for n in range(50)]}, {"pattern": "(?:a|b)*a[ab]{300}"}),
    "a long excluded text": ({**TEXT, "pattern": "^a*$"}, {"enum": ["a" * 500_000]}),
}
