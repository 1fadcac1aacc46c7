"""A merged view of all schemas of a value: references followed, `allOf` merged, `[T, null]` in one form.

Views describe changes to people. Verdicts come from the solver, because not every schema can be merged.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property, reduce
from operator import or_
from typing import NamedTuple, cast

from tessera_gql.diff.keywords.groups import SCALAR_KEYWORDS
from tessera_gql.diff.read.in_place import DeclaredProperties, declared_properties
from tessera_gql.diff.read.schema import SILENT_KEYWORDS, Schema
from tessera_gql.diff.values.json import Json, canonical_json
from tessera_gql.diff.values.json_types import ALL_TYPES, NULL, format_types, type_mask
from tessera_gql.diff.values.numbers import Bound, Number, tightest_high, tightest_low

MAX_PARTS = 200


class ViewPart(NamedTuple):
    """A schema that every value satisfies; with `or_null`, every value that is not null."""

    node: Schema
    or_null: bool = False


@dataclass(frozen=True)
class View:
    """The schemas that apply to one value together."""

    nodes: tuple[Schema, ...]

    @property
    def keys(self) -> tuple[int, ...]:
        """Keys of the schemas; equal for views with the same meaning (see `Schema.key`)."""
        return tuple(node.key for node in self.nodes)

    @property
    def digests(self) -> "list[Json]":
        """The digests of the schemas, in the order of the digests (see `Schema.digest`)."""
        return [*sorted(node.digest for node in self.nodes)]

    @property
    def pointers(self) -> tuple[str, ...]:
        return tuple(node.pointer for node in self.nodes)

    @property
    def pointer(self) -> str:
        return self.parts[0].node.pointer

    @cached_property
    def parts(self) -> tuple[ViewPart, ...]:
        if len(self.nodes) == 1 and SCALAR_KEYWORDS.issuperset(self.nodes[0].keywords):
            return (ViewPart(self.nodes[0]),)
        parts_by_id: dict[int, ViewPart] = {}
        stack = [ViewPart(node) for node in reversed(self.nodes)]
        while stack and len(parts_by_id) < MAX_PARTS:
            part = stack.pop()
            if id(part.node) in parts_by_id:
                continue
            parts_by_id[id(part.node)] = part
            stack += reversed([*_nested_parts(part)])
        return tuple(parts_by_id.values())

    @cached_property
    def schemas(self) -> tuple[Schema, ...]:
        return tuple(part.node for part in self.parts)

    @cached_property
    def is_scalar(self) -> bool:
        """Whether no part has subschemas or property names."""
        return all(SCALAR_KEYWORDS.issuperset(node.keywords) for node in self.schemas)

    @cached_property
    def types(self) -> int:
        mask = ALL_TYPES
        for part in self.parts:
            own = _possible_types(part.node, 4)
            mask &= own | NULL if part.or_null else own
        return mask

    @cached_property
    def enum(self) -> dict[str, Json] | None:
        values: dict[str, Json] | None = None
        for part in self.parts:
            listed = part.node.enum
            if listed is not None:
                if part.or_null:
                    listed = {**listed, "null": None}
                values = listed if values is None else {key: value for key, value in values.items() if key in listed}
        return values

    @cached_property
    def low(self) -> Bound | None:
        return tightest_low(node.low for node in self.schemas)

    @cached_property
    def high(self) -> Bound | None:
        return tightest_high(node.high for node in self.schemas)

    @cached_property
    def multiples(self) -> frozenset[Number]:
        return frozenset(Fraction(step) for node in self.schemas for step in node.multiples)

    def lower_limit(self, attribute: str) -> int:
        return max(int(getattr(node, attribute)) for node in self.schemas)

    def upper_limit(self, attribute: str) -> int | None:
        limits = [int(limit) for node in self.schemas if (limit := getattr(node, attribute)) is not None]
        return min(limits, default=None)

    @cached_property
    def required(self) -> dict[str, Schema]:
        return {name: node for node in self.schemas for name in node.required}

    @cached_property
    def properties(self) -> DeclaredProperties:
        return declared_properties(self.schemas)

    def property(self, name: str) -> "View":
        return View(tuple(node.property_schema(name) for node in self.properties[name]))

    def child_view(self, keyword: str) -> "View | None":
        """The view of a subschema keyword over all parts, if any."""
        children = tuple(child for node in self.schemas if (child := node.child(keyword)) is not None)
        return View(children) if children else None

    def digests_of(self, keyword: str) -> "list[Json] | None":
        """The digests of a subschema keyword over all parts, if any."""
        child = self.child_view(keyword)
        return None if child is None else child.digests

    def pointer_to(self, keyword: str) -> str:
        """The pointer of the first part with the keyword, or of the value's schema."""
        return next((f"{node.pointer}/{keyword}" for node in self.schemas if keyword in node.keywords), self.pointer)

    def value_of(self, keyword: str) -> "Json":
        """The value of the keyword in the first part that has it, or None."""
        return next((cast("Json", node.entries[keyword]) for node in self.schemas if keyword in node.entries), None)


def _possible_types(node: Schema, depth: int) -> int:
    """Return the types allowed by the schema's own keywords and its alternatives."""
    mask = node.types
    if node.enum is not None and "type" not in node.keywords:
        mask &= reduce(or_, map(type_mask, node.enum.values()), 0)
    if depth:
        for keyword in ("anyOf", "oneOf"):
            if keyword in node.keywords:
                alternatives = 0
                for alternative in node.children(keyword):
                    target = alternative.target()
                    target_types = ALL_TYPES if target is None else _possible_types(target, depth - 1)
                    alternatives |= _possible_types(alternative, depth - 1) & target_types
                mask &= alternatives
    return mask


def _nested_parts(part: ViewPart) -> Iterator[ViewPart]:
    node = part.node
    if (target := node.target()) is not None:
        yield ViewPart(target, part.or_null)
    for child in node.children("allOf"):
        yield ViewPart(child, part.or_null)
    for keyword in ("anyOf", "oneOf"):
        option = non_null_option(node, keyword)
        if option is not None:
            yield ViewPart(option, or_null=True)


def non_null_option(node: Schema, keyword: str) -> Schema | None:
    """Return the alternative to null if `anyOf` or `oneOf` means "this or null"."""
    options = node.children(keyword)
    if len(options) != 2:
        return None
    non_null = [option for option in options if not _is_null(option)]
    return non_null[0] if len(non_null) == 1 else None


def _is_null(node: Schema) -> bool:
    keywords = node.keywords.keys() - SILENT_KEYWORDS
    return (keywords == {"type"} and node.types == NULL) or (
        node.enum is not None and node.enum.keys() == {"null"} and len(keywords) == 1
    )


def describe_type(view: View) -> str:
    """Format the types of a view, such as `string | null`."""
    return format_types(view.types)


def shape_key(view: View) -> str:
    """Return a key that is equal for views of the same shape, names aside."""
    enum = None if view.enum is None else sorted(view.enum)
    return canonical_json([describe_type(view), enum, view.value_of("format"), sorted(view.properties)])
