"""Generate JSON Schemas of every draft, and documents that nearly satisfy them, from a grammar and a random source."""

from copy import deepcopy
from random import Random
from typing import Any, NamedTuple

Schema = dict[str, Any] | bool
NAMES = ("city", "zip", "lines", "total", "note")
EXTRA_NAMES = ("extra", "Z", "x_1")
TEXTS = ("", "a", "b", "abc", "AB", "12", "o", "x_1", "foo bar", "é")
SAMPLES = {"^[A-Z]{2}$": "AB", "^a": "abc", "b+$": "ab", "^[0-9]+$": "12", "o": "foo", "^(a|bc)*$": "abc", "^x_": "x_1"}
"""Patterns, each with a text that matches."""
NUMBERS = (-2, -1, 0, 1, 2, 3, 5, 10, 0.5, 1.5, 2.5)
SCALARS: tuple[Any, ...] = (None, True, False, *TEXTS[:6], *NUMBERS)
TYPES = ("null", "boolean", "integer", "number", "string", "array", "object")
MAX_DEPTH = 3
MAX_DEFINITIONS = 3


class Draft(NamedTuple):
    """A draft of JSON Schema: its year or number, and its URI."""

    number: int
    uri: str

    @property
    def definitions(self) -> str:
        return "$defs" if self.number >= 2019 else "definitions"

    @property
    def ignores_siblings_of_ref(self) -> bool:
        return self.number < 2019


DRAFTS = (
    Draft(4, "http://json-schema.org/draft-04/schema#"),
    Draft(6, "http://json-schema.org/draft-06/schema#"),
    Draft(7, "http://json-schema.org/draft-07/schema#"),
    Draft(2019, "https://json-schema.org/draft/2019-09/schema"),
    Draft(2020, "https://json-schema.org/draft/2020-12/schema"),
)


class SchemaGrammar:
    """Generates the parts of one schema. A definition applies only later ones to the same value, so none loops."""

    def __init__(self, random: Random, draft: Draft) -> None:
        self.random = random
        self.draft = draft
        self.definition_count = random.choice((0, 0, 1, 2, MAX_DEFINITIONS))
        self.definitions: dict[str, Any] = {}
        self.first_reachable = 0
        """The first definition that may apply to the same value as the part that is being generated."""

    def has_chance(self, probability: float) -> bool:
        return self.random.random() < probability

    def root(self) -> dict[str, Any]:
        schema = self.object_schema(0) if self.has_chance(0.8) else self.keywords(0)
        for index in range(self.definition_count):
            self.first_reachable = index + 1
            self.definitions[f"D{index}"] = self.object_schema(1) if self.has_chance(0.5) else self.keywords(1)
        self.first_reachable = 0
        root = {"$schema": self.draft.uri, **schema}
        self.add_definitions(root)
        return root

    def add_definitions(self, root: dict[str, Any]) -> None:
        """Add the generated definitions that the schema uses and lacks."""
        while missing := self._missing_definitions(root):
            root.setdefault(self.draft.definitions, {}).update(deepcopy(missing))

    def _missing_definitions(self, root: dict[str, Any]) -> dict[str, Any]:
        present, text = root.get(self.draft.definitions, {}), str(root)
        return {
            name: schema for name, schema in self.definitions.items() if name not in present and f"/{name}'" in text
        }

    def schema(self, depth: int) -> Schema:
        """Generate a schema of a part of the value: every definition may be used, and so may the root."""
        first_reachable, self.first_reachable = self.first_reachable, 0
        generated = self.same_value_schema(depth, can_use_root=True)
        self.first_reachable = first_reachable
        return generated

    def same_value_schema(self, depth: int, *, can_use_root: bool = False) -> Schema:
        reachable = range(self.first_reachable, self.definition_count)
        if reachable and self.has_chance(0.2):
            return self._reference(f"#/{self.draft.definitions}/D{self.random.choice(reachable)}")
        if can_use_root and self.has_chance(0.02):
            return self._reference("#")
        if self.draft.number > 4 and self.has_chance(0.04):
            return self.has_chance(0.7)
        return self.keywords(depth)

    def _reference(self, target: str) -> dict[str, Any]:
        is_combined = not self.draft.ignores_siblings_of_ref and self.has_chance(0.15)
        return {"$ref": target} | (self.scalar_keywords() if is_combined else {})

    def keywords(self, depth: int) -> dict[str, Any]:
        if depth >= MAX_DEPTH:
            return self.random.choice((self.typed_scalar, self.listed_values))()
        rules = (
            (30, self.typed_scalar),
            (10, self.listed_values),
            (20, lambda: self.object_schema(depth)),
            (14, lambda: self.array_schema(depth)),
            (10, lambda: self.composition(depth)),
            (4, self.untyped),
            (4, lambda: self.object_schema(depth) | self.composition(depth)),
            (4, lambda: self.typed_scalar() | self.composition(depth)),
        )
        return self.random.choices([rule for _, rule in rules], [weight for weight, _ in rules])[0]()

    def untyped(self) -> dict[str, Any]:
        return self.random.choice(({}, {"description": "anything"}, self.scalar_keywords()))

    def typed_scalar(self) -> dict[str, Any]:
        match self.random.choice(("string", "integer", "number", "boolean", "null", "several", "nullable")):
            case "string":
                return {"type": "string", **self.text_keywords()}
            case "integer" | "number" as name:
                return {"type": name, **self.number_keywords()}
            case "several":
                return {"type": self.random.sample(TYPES, self.random.randint(1, 3)), **self.scalar_keywords()}
            case "nullable":
                return {"type": [self.random.choice(("string", "integer", "number")), "null"], **self.scalar_keywords()}
            case name:
                return {"type": name}

    def scalar_keywords(self) -> dict[str, Any]:
        return self.text_keywords() | self.number_keywords()

    def text_keywords(self) -> dict[str, Any]:
        keywords: dict[str, Any] = {}
        if self.has_chance(0.25):
            keywords["minLength"] = self.random.randint(0, 3)
        if self.has_chance(0.25):
            keywords["maxLength"] = self.random.randint(1, 5)
        if self.has_chance(0.2):
            keywords["pattern"] = self.random.choice(list(SAMPLES))
        return keywords

    def number_keywords(self) -> dict[str, Any]:
        keywords: dict[str, Any] = {}
        for limit, exclusive, bounds in (
            ("minimum", "exclusiveMinimum", (-2, 0, 1, 1.5)),
            ("maximum", "exclusiveMaximum", (1, 2.5, 3, 10)),
        ):
            if not self.has_chance(0.25):
                continue
            is_exclusive = self.has_chance(0.3)
            bound = self.random.choice(bounds)
            if self.draft.number == 4:
                keywords |= {limit: bound} | ({exclusive: True} if is_exclusive else {})
            else:
                keywords[exclusive if is_exclusive else limit] = bound
        if self.has_chance(0.1):
            keywords["multipleOf"] = self.random.choice((0.5, 2, 3, 5))
        return keywords

    def listed_values(self) -> dict[str, Any]:
        if self.draft.number > 4 and self.has_chance(0.3):
            return {"const": self.random.choice(SCALARS)}
        values: list[Any] = []
        for value in self.random.sample(SCALARS, self.random.randint(1, 5)):
            if not any(value == listed and isinstance(value, bool) == isinstance(listed, bool) for listed in values):
                values.append(value)
        return {"enum": values}

    def object_schema(self, depth: int) -> dict[str, Any]:
        names = self.random.sample(NAMES, self.random.randint(0, 4))
        schema: dict[str, Any] = {"type": "object"} if self.has_chance(0.85) else {}
        if names:
            schema["properties"] = {name: self.schema(depth + 1) for name in names}
        required = [name for name in names if self.has_chance(0.35)]
        required += [self.random.choice(NAMES)] if self.has_chance(0.04) else []
        if required:
            schema["required"] = sorted(set(required))
        return schema | self._extra_properties(depth) | self._dependent_properties(depth)

    def _extra_properties(self, depth: int) -> dict[str, Any]:
        keywords: dict[str, Any] = {}
        if self.has_chance(0.3):
            keywords["additionalProperties"] = self.random.choice((False, True, self.schema(depth + 2)))
        if self.has_chance(0.08):
            keywords["patternProperties"] = {self.random.choice(list(SAMPLES)): self.schema(depth + 1)}
        if self.draft.number > 4 and self.has_chance(0.06):
            keywords["propertyNames"] = {"type": "string", **self.text_keywords()}
        if self.has_chance(0.06):
            keywords["minProperties"] = self.random.randint(0, 2)
        if self.has_chance(0.06):
            keywords["maxProperties"] = self.random.randint(1, 4)
        if self.draft.number >= 2019 and self.has_chance(0.03):
            keywords["unevaluatedProperties"] = False
        return keywords

    def _dependent_properties(self, depth: int) -> dict[str, Any]:
        if not self.has_chance(0.06):
            return {}
        name, other_name = self.random.sample(NAMES, 2)
        is_list = self.has_chance(0.6)
        value = [other_name] if is_list else self.same_value_schema(depth + 2)
        if self.draft.number < 2019:
            return {"dependencies": {name: value}}
        return {"dependentRequired" if is_list else "dependentSchemas": {name: value}}

    def array_schema(self, depth: int) -> dict[str, Any]:
        schema: dict[str, Any] = {"type": "array"} if self.has_chance(0.9) else {}
        if self.has_chance(0.25):
            schema |= self._tuple_keywords(depth)
        elif self.has_chance(0.85):
            schema["items"] = self.schema(depth + 1)
        if self.has_chance(0.2):
            schema["minItems"] = self.random.randint(0, 2)
        if self.has_chance(0.2):
            schema["maxItems"] = self.random.randint(1, 4)
        if self.has_chance(0.1):
            schema["uniqueItems"] = True
        if self.draft.number > 4 and self.has_chance(0.12):
            schema["contains"] = self.schema(depth + 2)
            if self.draft.number >= 2019 and self.has_chance(0.5):
                schema[self.random.choice(("minContains", "maxContains"))] = self.random.randint(0, 2)
        return schema

    def _tuple_keywords(self, depth: int) -> dict[str, Any]:
        first_items = [self.schema(depth + 1) for _ in range(self.random.randint(1, 2))]
        first, further = ("prefixItems", "items") if self.draft.number == 2020 else ("items", "additionalItems")
        has_other = self.has_chance(0.5)
        further_items = (
            self.random.choice((False, self.schema(depth + 2))) if has_other and self.draft.number > 4 else {}
        )
        return {first: first_items} | ({further: further_items} if has_other else {})

    def composition(self, depth: int) -> dict[str, Any]:
        keywords = ["allOf", "anyOf", "anyOf", "oneOf", "not"] + (["if"] if self.draft.number >= 7 else [])
        match self.random.choice(keywords):
            case "not":
                return {"not": self.same_value_schema(depth + 2)}
            case "if":
                branches = {"then": self.same_value_schema(depth + 2), "else": self.same_value_schema(depth + 2)}
                chosen = self.random.choice((("then",), ("else",), ("then", "else")))
                return {"if": self.same_value_schema(depth + 2)} | {name: branches[name] for name in chosen}
            case keyword:
                return {keyword: [self.same_value_schema(depth + 1) for _ in range(self.random.randint(1, 3))]}


class DocumentGrammar:
    """Generates values that mostly satisfy a schema, with limits met exactly or missed by one."""

    def __init__(self, random: Random, root: dict[str, Any]) -> None:
        self.random = random
        self.root = root

    def document(self) -> Any:
        return self.value(self.root, 0)

    def value(self, schema: Any, depth: int) -> Any:
        """Generate a value of one schema."""
        schema = self._merge(schema, 0)
        if depth > 6 or not schema or self.random.random() < 0.06:
            return self.random.choice(SCALARS)
        if "enum" in schema and self.random.random() < 0.9:
            return self.random.choice(schema["enum"])
        if "const" in schema and self.random.random() < 0.9:
            return schema["const"]
        match self._choose_type(schema):
            case "object":
                return self._object(schema, depth)
            case "array":
                return self._array(schema, depth)
            case "string":
                return self._text(schema)
            case "integer" | "number" as name:
                return self._number(schema, name)
            case name:
                return None if name == "null" else self.random.random() < 0.5

    def _merge(self, schema: Any, depth: int) -> dict[str, Any]:
        """Merge a schema with its reference, its `allOf` and one alternative."""
        if not isinstance(schema, dict) or depth > 8:
            return {}
        merged = {key: value for key, value in schema.items() if key not in ("allOf", "anyOf", "oneOf", "$ref")}
        parts = [*schema.get("allOf", ())]
        parts += [self.random.choice(schema[keyword]) for keyword in ("anyOf", "oneOf") if schema.get(keyword)]
        parts += [
            schema[keyword] for keyword in ("if", "then", "else") if keyword in schema and self.random.random() < 0.3
        ]
        parts += [resolve(self.root, schema["$ref"])] if "$ref" in schema else []
        for part in parts:
            merged = self._combine(merged, self._merge(part, depth + 1))
        return merged

    @staticmethod
    def _combine(left: dict[str, Any], right: dict[str, Any]) -> dict[str, Any]:
        combined = left | right
        if "properties" in left and "properties" in right:
            combined["properties"] = left["properties"] | right["properties"]
        if "required" in left and "required" in right:
            combined["required"] = [*left["required"], *right["required"]]
        return combined

    def _choose_type(self, schema: dict[str, Any]) -> str:
        types = schema.get("type")
        if types is None:
            hints = {"object": ("properties", "required", "additionalProperties"), "array": ("items", "prefixItems")}
            types = [name for name, keywords in hints.items() if any(keyword in schema for keyword in keywords)]
            types = types or (["string"] if "maxLength" in schema or "pattern" in schema else list(TYPES))
        return str(types if isinstance(types, str) else self.random.choice(types))

    def _object(self, schema: dict[str, Any], depth: int) -> dict[str, Any]:
        properties, required = schema.get("properties", {}), schema.get("required", [])
        names = [name for name in properties if name in required or self.random.random() < 0.6]
        names += [name for name in required if name not in properties and self.random.random() < 0.9]
        if self.random.random() < 0.15:
            names.append(self.random.choice((*NAMES, *EXTRA_NAMES)))
        if names and self.random.random() < 0.1:
            names.remove(self.random.choice(names))
        additional = schema.get("additionalProperties", True)
        return {name: self.value(properties.get(name, additional), depth + 1) for name in names}

    def _array(self, schema: dict[str, Any], depth: int) -> list[Any]:
        first = schema.get("prefixItems") or (schema["items"] if isinstance(schema.get("items"), list) else [])
        items = schema.get("items", True)
        further = schema.get("additionalItems", True) if isinstance(items, list) else items
        low = schema.get("minItems", 0)
        high = min(schema.get("maxItems", low + 2), low + 3)
        length = max(0, self.random.randint(low, max(low, high)) + self.random.choice((0, 0, 0, 0, 0, 1, -1)))
        if "contains" in schema and self.random.random() < 0.7:
            further, length = schema["contains"], max(1, length)
        return [self.value(first[n] if n < len(first) else further, depth + 1) for n in range(length)]

    def _text(self, schema: dict[str, Any]) -> str:
        if "pattern" in schema and self.random.random() < 0.8:
            return SAMPLES.get(schema["pattern"], "a")
        lengths = [schema[keyword] for keyword in ("minLength", "maxLength") if keyword in schema]
        if lengths and self.random.random() < 0.7:
            return self.random.choice("abB1") * max(
                0, self.random.choice(lengths) + self.random.choice((0, 0, 0, 1, -1))
            )
        return self.random.choice(TEXTS)

    def _number(self, schema: dict[str, Any], name: str) -> float:
        keywords = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf")
        bounds = [schema[key] for key in keywords if key in schema and not isinstance(schema[key], bool)]
        number = self.random.choice(bounds or NUMBERS)
        number += self.random.choice((0, 0, 1, -1, 0.5, 2)) if self.random.random() < 0.7 else 0
        return int(number) if name == "integer" and self.random.random() < 0.9 else number


def resolve(root: Any, reference: str) -> Any:
    """Follow a reference within a schema; True if it leads nowhere."""
    target = root
    for token in reference.removeprefix("#").split("/")[1:]:
        name = token.replace("~1", "/").replace("~0", "~")
        target = target.get(name, True) if isinstance(target, dict) else True
    return target
