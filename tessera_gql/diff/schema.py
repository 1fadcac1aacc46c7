"""One subschema in normal form, whatever its draft. A keyword its draft does not know is not there."""

from collections import Counter
from collections.abc import Callable, Iterator
from fractions import Fraction
from functools import cached_property
from typing import NamedTuple, cast

from tessera_gql.diff.documents import Document
from tessera_gql.diff.guard import identity
from tessera_gql.diff.json import Json, canonical, escaped
from tessera_gql.diff.kinds import BROKEN_BY, EVERY, INERT, MASKS, NULL

Number = int | Fraction
Words = dict[str, object]
LISTING = INERT | {"enum", "const"}
TEXT: Words = {"type": "string"}


class Bound(NamedTuple):
    value: Number
    is_open: bool


def exact(value: float) -> Number:
    """The number as written: `0.1` is a tenth."""
    if isinstance(value, int):
        return value
    return int(value) if value.is_integer() else Fraction(repr(value))


class Space:
    """The nodes of the documents being compared; equal subschemas without references share one `key`."""

    def __init__(self) -> None:
        self.nodes: dict[tuple[int, str], Schema] = {}
        self.meanings: dict[object, int] = {True: 0, False: 1}

    def root(self, document: Document) -> "Schema":
        return self.node(document, document.raw, "")

    def node(self, document: Document, raw: object, at: str) -> "Schema":
        found = self.nodes.get((id(document), at))
        if found is None:
            found = self.nodes[id(document), at] = Schema(self, document, raw, at)
        return found

    def text(self, document: Document) -> "Schema":
        """Any string."""
        return self.node(document, TEXT, " text")

    def key(self, document: Document, raw: object, words: Words) -> int:
        """From 0 and the same for what means the same wherever it stands, below 0 for what is itself alone.

        Asked once for each node, before it is among the nodes.
        """
        if isinstance(raw, bool):
            return self.meanings[raw]
        if document.number(raw) is None:
            return ~len(self.nodes)
        said = sorted(word for word in words if word not in INERT)
        if not said:
            return self.meanings[True]
        parts = (identity(words[word], document.numbers) for word in said)
        is_nullable = cast("Words", raw).get("nullable") is True
        meaning = (document.dialect.year, is_nullable, *said, *parts)
        return self.meanings.setdefault(meaning, len(self.meanings))


def size(*nodes: "Schema") -> int:
    """How many schemas their documents hold together."""
    return sum(len(node.document.schemas) for node in nodes)


class Schema:
    """A node. Children are made on demand; class attributes are what an absent keyword means."""

    types = EVERY
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
    is_opaque = False

    def __init__(self, space: Space, document: Document, raw: object, at: str) -> None:
        self.space = space
        self.document = document
        self.raw = raw
        self.at = at
        self.entries: Words = cast("Words", raw) if isinstance(raw, dict) else {}
        self.words = _words(document, self.entries)
        self.key = space.key(document, raw, self.words)
        self.kids: dict[str, tuple[Schema, ...]] = {}
        self.lists: dict[str, tuple[Schema, ...]] = {}
        self.counts: dict[str, Counter[str] | None] = {}
        self.whole: tuple[Schema, ...] | None = None
        self.unshared: tuple[Schema, ...] | None = None
        self.same: dict[int, frozenset[str]] = {}
        self.closure: tuple[frozenset[str], frozenset[str]] | None = None
        self.written: tuple[frozenset[str] | None] | None = None
        if raw is False:
            self.types = 0
        for word in self.words:
            reader = READERS.get(word)
            if reader is not None:
                reader(self)
        if self.entries.get("nullable") is True and "type" in self.words:
            self.types |= NULL

    @cached_property
    def breakable(self) -> int:
        """The types of value that may break it; of any other type every value is valid."""
        mask = EVERY & ~self.types
        for word in self.words:
            mask |= BROKEN_BY.get(word, EVERY)
        return mask

    @property
    def number(self) -> object:
        """The identity of the text, annotations and all; None where it holds a reference."""
        if isinstance(self.raw, bool):
            return self.raw
        found = self.document.number(self.raw)
        return None if found is None else (found, self.document.dialect.year)

    @property
    def is_false(self) -> bool:
        return self.raw is False

    def below(self, raw: object, *tokens: str) -> "Schema":
        return self.space.node(self.document, raw, self.at + "".join("/" + escaped(token) for token in tokens))

    def child(self, word: str) -> "Schema | None":
        found = self.kids.get(word)
        if found is None:
            raw = self.words.get(word)
            found = (self.below(raw, word),) if isinstance(raw, dict | bool) else ()
            self.kids[word] = found
        return found[0] if found else None

    def children(self, word: str) -> "tuple[Schema, ...]":
        found = self.lists.get(word)
        if found is None:
            listed = self.words.get(word)
            raws = cast("list[object]", listed) if isinstance(listed, list) else []
            found = tuple(self.below(raw, word, str(index)) for index, raw in enumerate(raws))
            self.lists[word] = found
        return found

    def listed(self, word: str) -> Counter[str] | None:
        """How many of the alternatives list each value, where they do nothing but list values."""
        if word not in self.counts:
            kids = self.children(word)
            plain = all(each.enum is not None and each.words.keys() <= LISTING for each in kids)
            self.counts[word] = Counter(text for each in kids for text in each.enum or ()) if plain else None
        return self.counts[word]

    def target(self) -> "Schema | None":
        """What the reference means; None where there is none, or where only the reading decides (`is_opaque`)."""
        at = self.document.targets.get(self.at)
        if at is None or self.is_opaque:
            return None
        return self.space.node(self.document, self.document.schemas[at], at)

    @property
    def is_shared(self) -> bool:
        """More than one reference leads here."""
        return self.document.uses[self.at] > 1

    @property
    def properties(self) -> Words:
        return cast("Words", self.words.get("properties", {}))

    def named(self, name: str) -> "Schema":
        return self.below(self.properties[name], "properties", name)

    def says_alike(self, other: "Schema", word: str) -> bool:
        """Both say the same by the word, in the same draft and without a reference."""
        if self.document.dialect is not other.document.dialect or word not in self.entries:
            return False
        mine, theirs = self.entries[word], other.entries.get(word)
        if isinstance(mine, str) and isinstance(theirs, str):
            return mine == theirs
        number = self.document.number(mine)
        return number is not None and number == other.document.number(theirs)

    def unchanged(self, other: "Schema") -> frozenset[str]:
        """Properties that the other declares with the same text, in a draft that reads it alike, free of references."""
        found = self.same.get(id(other))
        if found is None:
            found = frozenset(_unchanged(self, other)) if self.document.dialect is other.document.dialect else NONE
            self.same[id(other)] = other.same[id(self)] = found
        return found

    @property
    def patterns(self) -> Words:
        return cast("Words", self.words.get("patternProperties", {}))

    def pattern_property(self, pattern: str) -> "Schema":
        return self.below(self.patterns[pattern], "patternProperties", pattern)

    @property
    def extra(self) -> "Schema | None":
        """What a property that is not named must be; None where nothing is said."""
        return self.child("additionalProperties")

    @property
    def prefix(self) -> "tuple[Schema, ...]":
        return self.children("prefixItems") or self.children("items")

    @property
    def rest(self) -> "Schema | None":
        """What an item after the prefix must be; None where nothing is said."""
        if isinstance(self.words.get("items"), list):
            return self.child("additionalItems")
        return self.child("items")

    @property
    def dependent_names(self) -> dict[str, tuple[str, ...]]:
        found = dict(cast("dict[str, list[str]]", self.words.get("dependentRequired", {})))
        if self.document.dialect.knows_dependencies:
            old = cast("Words", self.words.get("dependencies", {}))
            found |= {name: cast("list[str]", each) for name, each in old.items() if isinstance(each, list)}
        return {name: tuple(each) for name, each in found.items()}

    def dependent_schemas(self) -> "Iterator[tuple[str, Schema]]":
        word = "dependencies" if self.document.dialect.knows_dependencies else "dependentSchemas"
        for name, raw in cast("Words", self.words.get(word, {})).items():
            if not isinstance(raw, list):
                yield name, self.below(raw, word, name)

    @property
    def has_unevaluated(self) -> bool:
        return "unevaluatedProperties" in self.words or "unevaluatedItems" in self.words


NONE = frozenset[str]()


def _unchanged(one: Schema, other: Schema) -> Iterator[str]:
    numbers, others, bound = one.document.numbers, other.document.numbers, one.document.identities.bound
    raws = other.properties
    for name, raw in one.properties.items():
        number = numbers.get(id(raw))
        if number is not None and number not in bound and number == others.get(id(raws.get(name))):
            yield name


def _words(document: Document, entries: Words) -> Words:
    if "$ref" in entries and not document.dialect.knows_siblings_of_ref:
        return {"$ref": entries["$ref"]}
    return {word: value for word, value in entries.items() if word in document.dialect.shapes}


def _types(node: Schema) -> None:
    named = node.words["type"]
    listed = cast("list[str]", named) if isinstance(named, list) else [cast("str", named)]
    node.types = 0
    for name in listed:
        node.types |= MASKS[name]


def _enum(node: Schema) -> None:
    listed = cast("list[Json]", node.words["enum"])
    found = {canonical(value): value for value in listed}
    node.enum = found if node.enum is None else {key: value for key, value in found.items() if key in node.enum}


def _const(node: Schema) -> None:
    value = cast("Json", node.words["const"])
    text = canonical(value)
    node.enum = {text: value} if node.enum is None or text in node.enum else {}


def tighter_low(left: Bound | None, right: Bound | None) -> Bound | None:
    if left is None or right is None:
        return left or right
    return max(left, right)


def tighter_high(left: Bound | None, right: Bound | None) -> Bound | None:
    if left is None or right is None:
        return left or right
    return min(left, right, key=lambda bound: (bound.value, not bound.is_open))


def _number(node: Schema, word: str) -> Number:
    return exact(cast("float", node.words[word]))


def _minimum(node: Schema) -> None:
    is_open = node.words.get("exclusiveMinimum") is True
    node.low = tighter_low(node.low, Bound(_number(node, "minimum"), is_open))


def _maximum(node: Schema) -> None:
    is_open = node.words.get("exclusiveMaximum") is True
    node.high = tighter_high(node.high, Bound(_number(node, "maximum"), is_open))


def _exclusive_minimum(node: Schema) -> None:
    if not isinstance(node.words["exclusiveMinimum"], bool):
        node.low = tighter_low(node.low, Bound(_number(node, "exclusiveMinimum"), is_open=True))


def _exclusive_maximum(node: Schema) -> None:
    if not isinstance(node.words["exclusiveMaximum"], bool):
        node.high = tighter_high(node.high, Bound(_number(node, "exclusiveMaximum"), is_open=True))


def _multiple(node: Schema) -> None:
    node.multiples = (_number(node, "multipleOf"),)


def _required(node: Schema) -> None:
    node.required = tuple(cast("list[str]", node.words["required"]))


def _dynamic(node: Schema) -> None:
    node.is_opaque = node.at in node.document.opaque


def _setter(attribute: str, word: str) -> Callable[[Schema], None]:
    def read(node: Schema) -> None:
        value = node.words[word]
        setattr(node, attribute, int(value) if isinstance(value, float) else value)

    return read


READERS: dict[str, Callable[[Schema], None]] = {
    "type": _types,
    "enum": _enum,
    "const": _const,
    "minimum": _minimum,
    "maximum": _maximum,
    "exclusiveMinimum": _exclusive_minimum,
    "exclusiveMaximum": _exclusive_maximum,
    "multipleOf": _multiple,
    "required": _required,
    "$dynamicRef": _dynamic,
    "$recursiveRef": _dynamic,
    "minLength": _setter("min_length", "minLength"),
    "maxLength": _setter("max_length", "maxLength"),
    "pattern": _setter("pattern", "pattern"),
    "minItems": _setter("min_items", "minItems"),
    "maxItems": _setter("max_items", "maxItems"),
    "uniqueItems": _setter("unique", "uniqueItems"),
    "minContains": _setter("min_contains", "minContains"),
    "maxContains": _setter("max_contains", "maxContains"),
    "minProperties": _setter("min_properties", "minProperties"),
    "maxProperties": _setter("max_properties", "maxProperties"),
}
