"""Subschemas in a normal form that does not depend on the draft."""

from collections import Counter
from collections.abc import Iterator
from functools import cached_property
from typing import cast

from tessera_gql.diff.budget import Budget
from tessera_gql.diff.keywords.groups import CONSTRAINED_TYPES, NON_ASSERTING
from tessera_gql.diff.keywords.registry import KEYWORDS
from tessera_gql.diff.read.digests import MeaningDigests
from tessera_gql.diff.read.documents import Document
from tessera_gql.diff.read.forms import IDENTIFIERS
from tessera_gql.diff.read.meaning import MeaningNumbers
from tessera_gql.diff.values.json import Json, escape_token
from tessera_gql.diff.values.json_types import ALL_TYPES, INTEGER, NULL
from tessera_gql.diff.values.numbers import Bound, Number

Keywords = dict[str, object]
SILENT_KEYWORDS = NON_ASSERTING | IDENTIFIERS
ENUM_KEYWORDS = NON_ASSERTING | {"enum", "const"}
STRING_SCHEMA: Keywords = {"type": "string"}
NULL_SCHEMA: Keywords = {"type": "null"}


class NodeCache:
    """The nodes of the compared documents, the numbers of their meanings, and the budget of the comparison."""

    def __init__(self, *documents: Document, budget: Budget | None = None) -> None:
        self.budget = budget or Budget()
        self.nodes: dict[tuple[int, str], Schema] = {}
        self.meanings = MeaningNumbers(documents)
        self.digests = MeaningDigests(self.meanings)

    def root(self, document: Document) -> "Schema":
        return self.node(document, document.raw, "")

    def node(self, document: Document, raw: object, pointer: str) -> "Schema":
        node = self.nodes.get((id(document), pointer))
        if node is None:
            node = self.nodes[id(document), pointer] = Schema(self, document, raw, pointer)
        return node

    def any_string(self, document: Document) -> "Schema":
        """Return a node that accepts any string."""
        return self.node(document, STRING_SCHEMA, " text")

    def null(self, document: Document) -> "Schema":
        """Return a node that accepts null alone."""
        return self.node(document, NULL_SCHEMA, " null")

    def object_with(self, document: Document, name: str) -> "Schema":
        """Return a node that accepts objects with a property."""
        return self.node(document, {"type": "object", "required": [name]}, f" with {name}")


def count_schemas(*nodes: "Schema") -> int:
    """Count the subschemas in the documents of the nodes."""
    return sum(len(node.document.schemas) for node in nodes)


class Schema:
    """One subschema.

    `entries` are all entries of its object, `keywords` those that its draft defines. Class attributes are the meaning
    of absent keywords. Children are created on demand.
    """

    types = ALL_TYPES
    enum: dict[str, Json] | None = None
    low: Bound | None = None
    high: Bound | None = None
    multiples: tuple[Number, ...] = ()
    min_length = 0
    max_length: int | None = None
    pattern: str | None = None
    min_items = 0
    max_items: int | None = None
    unique = False
    min_contains = 1
    max_contains: int | None = None
    min_properties = 0
    max_properties: int | None = None
    required: tuple[str, ...] = ()
    forbids_decimal_point = False

    def __init__(self, cache: NodeCache, document: Document, raw: object, pointer: str) -> None:
        self.cache = cache
        self.document = document
        self.raw = raw
        self.pointer = pointer
        self.entries: Keywords = cast("Keywords", raw) if isinstance(raw, dict) else {}
        self.is_opaque = pointer in document.opaque or document.dialect.is_ambiguous(self.entries)
        self.keywords = _known_keywords(document, self.entries)
        self.child_cache: dict[str, tuple[Schema, ...]] = {}
        self.children_cache: dict[str, tuple[Schema, ...]] = {}
        self.enum_counts_cache: dict[str, Counter[str] | None] = {}
        self.in_place_cache: tuple[Schema, ...] | None = None
        self.unchanged_cache: dict[int, frozenset[str]] = {}
        self.names_cache: tuple[frozenset[str], frozenset[str]] | None = None
        self.producer_names_cache: tuple[frozenset[str] | None] | None = None
        if raw is False:
            self.types = 0
        for keyword in self.keywords:
            reader = READERS.get(keyword)
            if reader is not None:
                reader(self)
        if document.dialect.knows_nullable and self.entries.get("nullable") is True and "type" in self.keywords:
            self.types |= NULL

    @cached_property
    def key(self) -> int:
        """A number that is equal for schemas with the same meaning (see `meaning`)."""
        return self.cache.meanings.number(self.document, self.raw, self.pointer)

    @cached_property
    def digest(self) -> str:
        """A hash that is equal for schemas with the same meaning, in every comparison (see `digests`)."""
        return self.cache.digests.digest(self.document, self.raw, self.pointer)

    @cached_property
    def breakable_types(self) -> int:
        """The types of which a value may violate the schema."""
        mask = ALL_TYPES & ~self.types | (INTEGER if self.forbids_decimal_point else 0)
        for keyword in self.keywords:
            mask |= CONSTRAINED_TYPES.get(keyword, ALL_TYPES)
        return mask

    @property
    def identity(self) -> object:
        """The identity of the text including annotations; None if it contains a reference."""
        if isinstance(self.raw, bool):
            return self.raw
        number = self.document.identity_of(self.raw)
        return None if number is None else (number, self.document.dialect.year)

    @property
    def is_false(self) -> bool:
        return self.raw is False

    def subschema(self, raw: object, *tokens: str) -> "Schema":
        pointer = self.pointer + "".join("/" + escape_token(token) for token in tokens)
        return self.cache.node(self.document, raw, pointer)

    def child(self, keyword: str) -> "Schema | None":
        cached = self.child_cache.get(keyword)
        if cached is None:
            raw = self.keywords.get(keyword)
            cached = (self.subschema(raw, keyword),) if isinstance(raw, dict | bool) else ()
            self.child_cache[keyword] = cached
        return cached[0] if cached else None

    def children(self, keyword: str) -> "tuple[Schema, ...]":
        schemas = self.children_cache.get(keyword)
        if schemas is None:
            listed = self.keywords.get(keyword)
            raws = cast("list[object]", listed) if isinstance(listed, list) else []
            schemas = tuple(self.subschema(raw, keyword, str(index)) for index, raw in enumerate(raws))
            self.children_cache[keyword] = schemas
        return schemas

    def enum_value_counts(self, keyword: str) -> Counter[str] | None:
        """Count the listed values if all alternatives are enums, else return None."""
        if keyword not in self.enum_counts_cache:
            options = self.children(keyword)
            are_enums = all(node.enum is not None and node.keywords.keys() <= ENUM_KEYWORDS for node in options)
            texts = (text for node in options for text in node.enum or ())
            self.enum_counts_cache[keyword] = Counter(texts) if are_enums else None
        return self.enum_counts_cache[keyword]

    def target(self) -> "Schema | None":
        """The target of the reference; None if there is none or it depends on the dynamic scope."""
        pointer = self.document.targets.get(self.pointer)
        if pointer is None or self.is_opaque:
            return None
        document = self.document.external.get(self.pointer, self.document)
        return self.cache.node(document, document.schemas[pointer], pointer)

    @cached_property
    def resolved(self) -> "Schema":
        """The schema that this one stands for: itself, or the end of the references that assert nothing beside."""
        node, visited = self, set[int]()
        while (target := node.alias_target()) is not None and id(target) not in visited:
            visited.add(id(target))
            node = target
        return node

    def alias_target(self) -> "Schema | None":
        """The only subschema that this one applies to its value; None if it asserts anything itself."""
        asserted = [keyword for keyword in self.keywords if keyword not in SILENT_KEYWORDS]
        if len(asserted) != 1:
            return None
        if asserted != ["allOf"]:
            return self.target()
        children = self.children("allOf")
        return children[0] if len(children) == 1 else None

    @property
    def is_bare_reference(self) -> bool:
        """Whether the schema is nothing but a reference with a target."""
        return len(self.entries) == 1 and self.target() is not None

    @property
    def properties(self) -> Keywords:
        return cast("Keywords", self.keywords.get("properties", {}))

    def property_schema(self, name: str) -> "Schema":
        return self.subschema(self.properties[name], "properties", name)

    def has_equal_keyword(self, peer: "Schema", keyword: str) -> bool:
        """Return whether both have the keyword with the same value, draft and no reference."""
        if self.document.dialect is not peer.document.dialect or keyword not in self.entries:
            return False
        own, peers = self.entries[keyword], peer.entries.get(keyword)
        if isinstance(own, str) and isinstance(peers, str):
            return own == peers
        number = self.document.identity_of(own)
        return number is not None and number == peer.document.identity_of(peers)

    def unchanged_properties(self, peer: "Schema") -> frozenset[str]:
        """Return the properties that the peer declares with the same text, draft and no reference."""
        names = self.unchanged_cache.get(id(peer))
        if names is None:
            is_same_draft = self.document.dialect is peer.document.dialect
            names = frozenset(_unchanged_names(self, peer)) if is_same_draft else NO_NAMES
            self.unchanged_cache[id(peer)] = peer.unchanged_cache[id(self)] = names
        return names

    @property
    def pattern_properties(self) -> Keywords:
        return cast("Keywords", self.keywords.get("patternProperties", {}))

    def pattern_property(self, pattern: str) -> "Schema":
        return self.subschema(self.pattern_properties[pattern], "patternProperties", pattern)

    @property
    def additional_properties(self) -> "Schema | None":
        """The schema of undeclared properties, if any."""
        return self.child("additionalProperties")

    @property
    def prefix_items(self) -> "tuple[Schema, ...]":
        return self.children("prefixItems") or self.children("items")

    @property
    def remaining_items(self) -> "Schema | None":
        """The schema of the items after the prefix, if any."""
        if isinstance(self.keywords.get("items"), list):
            return self.child("additionalItems")
        return self.child("items")

    def item_schema(self, index: int) -> "Schema | None":
        """The schema of the item at an index, if any."""
        prefix = self.prefix_items
        return prefix[index] if index < len(prefix) else self.remaining_items

    def item_schemas(self) -> "Iterator[Schema]":
        yield from self.prefix_items
        if (remaining := self.remaining_items) is not None:
            yield remaining

    def undeclared_schemas(self) -> "Iterator[Schema]":
        """Yield the schemas of properties that are not declared by name."""
        yield from map(self.pattern_property, self.pattern_properties)
        if (additional := self.additional_properties) is not None:
            yield additional

    @cached_property
    def dependent_names(self) -> dict[str, tuple[str, ...]]:
        dependents = dict(cast("dict[str, list[str]]", self.keywords.get("dependentRequired", {})))
        if self.document.dialect.knows_dependencies:
            dependencies = cast("Keywords", self.keywords.get("dependencies", {}))
            lists = ((name, names) for name, names in dependencies.items() if isinstance(names, list))
            dependents.update(cast("Iterator[tuple[str, list[str]]]", lists))
        return {name: tuple(names) for name, names in dependents.items()}

    def dependent_schemas(self) -> "Iterator[tuple[str, Schema]]":
        keyword = "dependencies" if self.document.dialect.knows_dependencies else "dependentSchemas"
        for name, raw in cast("Keywords", self.keywords.get(keyword, {})).items():
            if not isinstance(raw, list):
                yield name, self.subschema(raw, keyword, name)

    @property
    def has_unevaluated(self) -> bool:
        return "unevaluatedProperties" in self.keywords or "unevaluatedItems" in self.keywords


NO_NAMES = frozenset[str]()


def _unchanged_names(old: Schema, new: Schema) -> Iterator[str]:
    old_numbers, new_numbers = old.document.identity_numbers, new.document.identity_numbers
    with_references, new_properties = old.document.identities.with_references, new.properties
    for name, raw in old.properties.items():
        number = old_numbers.get(id(raw))
        if number is None or number in with_references:
            continue
        if number == new_numbers.get(id(new_properties.get(name))):
            yield name


def _known_keywords(document: Document, entries: Keywords) -> Keywords:
    dialect = document.dialect
    if "$ref" in entries and (not dialect.knows_siblings_of_ref or dialect.is_ambiguous(entries)):
        return {"$ref": entries["$ref"]}
    return {keyword: value for keyword, value in entries.items() if keyword in dialect.shapes}


READERS = {name: record.read for record in KEYWORDS for name in record.names if record.read is not None}
