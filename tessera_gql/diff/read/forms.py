"""Read subschemas as forms: what they assert, without annotations, names of references and the order of keys."""

from collections.abc import Callable, Iterator, Sequence
from operator import itemgetter
from typing import NamedTuple, TypeVar, cast

from tessera_gql.diff.keywords.groups import NON_ASSERTING
from tessera_gql.diff.read.documents import DYNAMIC, Document
from tessera_gql.diff.read.guard import identity
from tessera_gql.diff.values.json import escape_token

TRUE_NUMBER, FALSE_NUMBER = 0, 1
"""The meanings of the boolean schemas."""
COUNTS_NAMES, IS_UNSTABLE, COMPARES_WHOLE = 1, 2, 4
"""Traits of a schema and of all it consists of.

COUNTS_NAMES: whether a value is valid may depend on properties that the schema doesn't name. IS_UNSTABLE: a valid value
may become invalid when such properties are left out. COMPARES_WHOLE: keywords in it are asked of whole values, whatever
a reader sees of them: the minimum of properties, `uniqueItems` and listed values.
"""
ALL_TRAITS = COUNTS_NAMES | IS_UNSTABLE | COMPARES_WHOLE
NEGATED = frozenset(("not", "if", "oneOf"))
"""Keywords with subschemas that a valid value may have to violate."""
IDENTIFIERS = frozenset(("$id", "id", "$anchor", "$dynamicAnchor", "$recursiveAnchor"))
REFERENCE_KEYWORDS = frozenset(("$ref", *DYNAMIC))
UNORDERED = frozenset(("allOf", "anyOf"))
KEYWORD_TRAITS = {
    **dict.fromkeys(("maxProperties", "propertyNames", "unevaluatedProperties"), COUNTS_NAMES),
    **dict.fromkeys(("minProperties", "uniqueItems"), COMPARES_WHOLE),
}
NodeId = tuple[object, object]
Entries = dict[str, object]
Identify = Callable[[object, dict[int, int]], object]
"""Returns a hashable value that is equal exactly when JSON values are; the second argument numbers the containers."""
Label = TypeVar("Label", int, str)


class Part(NamedTuple):
    """A subschema of a document. Equal texts without references share a `node_id`."""

    node_id: NodeId
    document: Document
    raw: Entries
    pointer: str


Child = int | Part
"""A part, or the number of a boolean schema."""


class Group(NamedTuple):
    """The children of one keyword."""

    keyword: str
    children: tuple[Child, ...]

    def signature(self, labels: Sequence[Label]) -> tuple[Label, ...]:
        """Return the labels of the children, without their order and repetitions where these mean nothing."""
        if self.keyword in UNORDERED:
            return tuple(sorted(set(labels)))
        return tuple(sorted(labels) if self.keyword == "oneOf" else labels)


class Form(NamedTuple):
    """What a subschema asserts: constants and groups of children, both in the order of keywords."""

    constants: tuple[tuple[str, object], ...]
    groups: tuple[Group, ...]
    traits: int

    @property
    def is_alias(self) -> bool:
        """Whether the subschema means the same as its only child."""
        if self.constants or len(self.groups) != 1:
            return False
        (group,) = self.groups
        return group.keyword == "allOf" and len(group.children) == 1

    def combine_traits(self, traits_of: Callable[[Child], int]) -> int:
        """Return the traits of the form with those of its children."""
        traits = self.traits
        has_maximum = any(keyword == "maxContains" for keyword, _ in self.constants)
        for group in self.groups:
            combined = 0
            for child in group.children:
                combined |= traits_of(child)
            is_negated = group.keyword in NEGATED or (group.keyword == "contains" and has_maximum)
            traits |= combined | (IS_UNSTABLE if is_negated and combined & COUNTS_NAMES else 0)
        return traits

    def children(self) -> Iterator[Child]:
        for group in self.groups:
            yield from group.children

    def signature(self, number: Callable[[Child], int]) -> tuple[object, ...]:
        """Return a value that is equal for forms of the same meaning, if the numbers of their children are."""
        groups = ((group.keyword, group.signature([*map(number, group.children)])) for group in self.groups)
        return (self.constants, *groups) if self.groups else self.constants


def read_part(document: Document, raw: object, pointer: str, *tokens: str) -> Child:
    """Return the subschema at a pointer and further tokens."""
    if isinstance(raw, bool):
        return TRUE_NUMBER if raw else FALSE_NUMBER
    number = document.identity_of(raw)
    entries = cast("Entries", raw)
    if number is not None:
        return Part((document.dialect.year, number), document, entries, "")
    pointer += "".join("/" + escape_token(token) for token in tokens)
    return Part((id(document), pointer), document, entries, pointer)


def read_form(part: Part, identify: Identify = identity) -> Form | None:
    """Return the form of a subschema; None if what it means depends on the dynamic scope or on the draft."""
    is_opaque = part.node_id[1] in part.document.opaque or part.document.dialect.is_ambiguous(part.raw)
    return None if is_opaque else _FormReader(part, identify).read()


class _FormReader:
    """Collects the constants and groups of one subschema."""

    def __init__(self, part: Part, identify: Identify) -> None:
        _, self.document, self.entries, self.pointer = part
        self.identify = identify
        self.constants: list[tuple[str, object]] = []
        self.groups: dict[str, list[Child]] = {}
        self.traits = 0

    def read(self) -> Form:
        dialect = self.document.dialect
        shapes = dialect.shapes
        if "$ref" in self.entries and not dialect.knows_siblings_of_ref:
            self.read_reference("$ref")
            return self.form()
        for keyword, value in self.entries.items():
            if (shape := shapes.get(keyword)) is None or keyword in NON_ASSERTING:
                continue
            if isinstance(value, str) and keyword != "const" and keyword not in REFERENCE_KEYWORDS:
                if keyword not in IDENTIFIERS:
                    self.constants.append((keyword, value))
            else:
                READERS.get(keyword, SHAPE_READERS.get(shape, _FormReader.read_value))(self, keyword)
        self.read_draft()
        return self.form()

    def read_draft(self) -> None:
        """Tell drafts apart where the same keywords mean something else."""
        dialect = self.document.dialect
        year = dialect.year
        if dialect.knows_nullable and self.entries.get("nullable") is True and "type" in self.entries:
            self.constants.append(("nullable", year))
        if "$ref" in self.entries and (self.constants or len(self.groups) > 1):  # drafts differ about its siblings
            self.constants.append(("$schema", year))
        if dialect.forbids_decimal_points and "integer" in cast("str | list[str]", self.entries.get("type", ())):
            self.constants.append(("$schema", year))

    def form(self) -> Form:
        constants = tuple(sorted(self.constants, key=itemgetter(0)))
        if not self.groups:
            return Form(constants, (), self.traits)
        groups = (Group(keyword, tuple(children)) for keyword, children in sorted(self.groups.items()))
        return Form(constants, tuple(groups), self.traits)

    def read_value(self, keyword: str) -> None:
        self.constants.append((keyword, self.identify(self.entries[keyword], self.document.identity_numbers)))
        self.traits |= KEYWORD_TRAITS.get(keyword, 0)

    def read_ignored(self, keyword: str) -> None:
        """Skip a keyword without a meaning of its own."""

    def read_reference(self, keyword: str) -> None:
        target = self.document.targets.get(self.pointer)
        document = self.document.external.get(self.pointer, self.document)
        if target not in document.schemas:
            self.constants.append((keyword, target))
            self.traits |= ALL_TRAITS
            return
        child = read_part(document, document.schemas[target], target)
        self.groups.setdefault("allOf", []).append(child)

    def read_types(self, keyword: str) -> None:
        names = {*cast("list[str]", self.entries[keyword])}
        if "number" in names:
            names.discard("integer")
        self.constants.append((keyword, names.pop() if len(names) == 1 else frozenset(names)))

    def read_values(self, keyword: str) -> None:
        value = self.entries[keyword]
        values = [value] if keyword == "const" else cast("list[object]", value)
        numbers = self.document.identity_numbers
        label = "const" if keyword == "const" and "enum" in self.entries else "enum"
        self.constants.append((label, frozenset(self.identify(item, numbers) for item in values)))
        if any(isinstance(item, dict | list) for item in values):
            self.traits |= COMPARES_WHOLE

    def read_names(self, keyword: str) -> None:
        self.constants.append((keyword, frozenset(cast("list[str]", self.entries[keyword]))))

    def read_dependencies(self, keyword: str) -> None:
        """Read `dependencies`, `dependentRequired` or `dependentSchemas`; the first is ignored by later drafts."""
        if keyword == "dependencies" and not self.document.dialect.knows_dependencies:
            return
        entries = cast("Entries", self.entries[keyword])
        lists = {(name, frozenset(cast("list[str]", item))) for name, item in entries.items() if isinstance(item, list)}
        if lists:
            self.constants.append(("dependentRequired", frozenset(lists)))
        if names := [name for name in entries if not isinstance(entries[name], list)]:
            self.read_map(keyword, names, "dependentSchemas")

    def read_named(self, keyword: str) -> None:
        self.read_map(keyword, cast("Entries", self.entries[keyword]), keyword)

    def read_map(self, keyword: str, names: "Entries | list[str]", label: str) -> None:
        schemas, ordered = cast("Entries", self.entries[keyword]), sorted(names)
        self.constants.append((label, (*ordered,)))
        document, pointer = self.document, self.pointer
        self.groups[label] = [read_part(document, schemas[name], pointer, keyword, name) for name in ordered]

    def read_items(self, keyword: str) -> None:
        """Read `items` as `prefixItems` if it is a list; `additionalItems` then stands for `items`."""
        has_prefix = isinstance(self.entries.get("items"), list)
        if keyword == "additionalItems" and has_prefix:
            self.read_schema(keyword, "items")
        elif keyword == "items":
            (self.read_schemas if has_prefix else self.read_schema)(keyword, "prefixItems" if has_prefix else "items")

    def read_schemas(self, keyword: str, label: str | None = None) -> None:
        schemas = cast("list[object]", self.entries[keyword])
        children = [
            read_part(self.document, raw, self.pointer, keyword, str(index)) for index, raw in enumerate(schemas)
        ]
        self.groups.setdefault(label or keyword, []).extend(children)
        self.traits |= KEYWORD_TRAITS.get(keyword, 0)

    def read_schema(self, keyword: str, label: str | None = None) -> None:
        raw = self.entries[keyword]
        self.groups[label or keyword] = [read_part(self.document, raw, self.pointer, keyword)]
        self.traits |= KEYWORD_TRAITS.get(keyword, 0)
        if keyword == "additionalProperties" and raw is False:
            self.traits |= COUNTS_NAMES
        if keyword.startswith("unevaluated"):  # what counts as evaluated depends on the draft
            self.constants.append(("$schema", self.document.dialect.year))


Reader = Callable[[_FormReader, str], None]
READERS: dict[str, Reader] = {
    **dict.fromkeys(REFERENCE_KEYWORDS, _FormReader.read_reference),
    **dict.fromkeys((*IDENTIFIERS, "$vocabulary"), _FormReader.read_ignored),
    **dict.fromkeys(("enum", "const"), _FormReader.read_values),
    **dict.fromkeys(("items", "additionalItems"), _FormReader.read_items),
    **dict.fromkeys(("dependencies", "dependentRequired", "dependentSchemas"), _FormReader.read_dependencies),
    "type": _FormReader.read_types,
    "required": _FormReader.read_names,
}
SHAPE_READERS: dict[str, Reader] = {
    **dict.fromkeys(("map", "pattern map"), _FormReader.read_named),
    **dict.fromkeys(("schema", "flag or schema"), _FormReader.read_schema),
    "schemas": _FormReader.read_schemas,
}
