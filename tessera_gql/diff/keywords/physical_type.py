"""Compare physical types, the values of `x-physical-type`. They are no constraint of JSON, so rules decide, not proofs.

A larger range of the same family passes BACKWARD and CONSUMER, because engines convert to it without a loss. A smaller
one passes FORWARD and CONSUMER. Any other change breaks every mode, and so does a change of types that are not
understood.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from typing import TYPE_CHECKING, cast

from tessera_gql.diff.changes import ChangeKind, Mode
from tessera_gql.diff.differences import Difference, Rule, digest_sides
from tessera_gql.diff.keywords.record import Keyword
from tessera_gql.diff.messages import PRESENCE_MESSAGES
from tessera_gql.diff.values.json import Json, canonical_json, escape_token, is_equal
from tessera_gql.diff.values.json_types import NULL, type_names
from tessera_gql.diff.values.physical_types import CONTAINERS, KEYWORD, Family, PhysicalType, read_physical_type

if TYPE_CHECKING:
    from tessera_gql.diff.read.view import View

K = ChangeKind
EVERY_MODE = frozenset({Mode.BACKWARD, Mode.FORWARD, Mode.CONSUMER})
"""Every mode that a difference names. FULL follows from any difference."""
LOGICAL_KINDS = frozenset({K.TYPE_CHANGED, K.TYPE_WIDENED, K.TYPE_NARROWED, K.FORMAT_CHANGED})
NESTED_ATTRIBUTES: dict[Family | None, tuple[str, ...]] = {
    Family.ARRAY: ("element",),
    Family.STRUCT: ("fields",),
    Family.MAP: ("key", "value"),
}
MAX_TEXT = 200
MAX_EVIDENCE_LENGTH = 1_000
"""The length of a text type up to which a longer text is searched as evidence."""
Range = tuple[float, float]


class Relation(Enum):
    """How the values of a new type relate to those of the old one."""

    EQUAL = "EQUAL"
    WIDER = "WIDER"
    NARROWER = "NARROWER"
    DIFFERENT = "DIFFERENT"
    UNKNOWN = "UNKNOWN"


RULES = {
    Relation.WIDER: (K.TYPE_WIDENED, frozenset({Mode.FORWARD}), "widened from {} to {}"),
    Relation.NARROWER: (K.TYPE_NARROWED, frozenset({Mode.BACKWARD}), "narrowed from {} to {}"),
    Relation.DIFFERENT: (K.TYPE_CHANGED, EVERY_MODE, "changed from {} to {}"),
    Relation.UNKNOWN: (
        K.TYPE_CHANGED,
        EVERY_MODE,
        "changed from {} to {}; it is unknown whether they hold the same values",
    ),
}
"""The kind of change, the modes that it breaks beside FULL, and its message."""


@dataclass(frozen=True, slots=True)
class _Part:
    """A part of both types and its position; a field of a struct that only one side has is None on the other."""

    old: PhysicalType | None
    new: PhysicalType | None
    pointer: str = ""
    names: tuple[str, ...] = ()
    """The fields of structs on the way."""
    is_field: bool = True
    """Whether only fields lead to the part, and no element or value."""


def compare_physical_types(old: View, new: View) -> Iterator[Difference]:
    """Yield the differences of the physical type. Its first appearance and its disappearance break nothing."""
    for pointer, was, now in _pair_declarations(old, new):
        before, after = read_physical_type(was), read_physical_type(now)
        differences = [
            difference
            for part, difference in _compare_parts(old, new, pointer, before, after)
            if not _is_reported_at_property(part, difference, old, new)
        ]
        if not differences and not is_equal(was, now):
            texts = _text(before), _text(after)
            differences.append(Difference(K.ANNOTATION_CHANGED, pointer, _describe(*texts), *texts, rule=Rule.NEVER))
        yield from differences


def _pair_declarations(old: View, new: View) -> list[tuple[str, Json, Json]]:
    """Return the pointer and the values of the declarations to compare; usually a view has one at most.

    Equal ones are left out. One without a partner is compared with the first declaration of the other view.
    """
    before, after = _list_declarations(old), _list_declarations(new)
    removed = [before[text] for text in before if text not in after]
    added = [after[text] for text in after if text not in before]
    first_old, first_new = (next(iter(declared.values()), (None, None)) for declared in (before, after))
    removed += [first_old] * (len(added) - len(removed))
    added += [first_new] * (len(removed) - len(added))
    return [(now[0] or was[0] or new.pointer, was[1], now[1]) for was, now in zip(removed, added, strict=True)]


def _list_declarations(view: View) -> dict[str, tuple[str | None, Json]]:
    """Map the canonical text of each physical type of a view to its pointer and value."""
    declarations: dict[str, tuple[str | None, Json]] = {}
    for node in view.schemas:
        if KEYWORD in node.entries:
            value = cast("Json", node.entries[KEYWORD])
            declarations.setdefault(canonical_json(value), (f"{node.pointer}/{KEYWORD}", value))
    return declarations


def _compare_parts(
    old: View, new: View, pointer: str, before: PhysicalType | None, after: PhysicalType | None
) -> Iterator[tuple[_Part, Difference]]:
    """Yield the parts of two types that differ, if both are given."""
    if before is not None and after is not None:
        any_value: dict[str, Json] = {"type": [*type_names((old.types | new.types) & ~NULL)]}
        for part in _iterate_parts(before, after):
            if (difference := _compare_part(part, pointer, any_value)) is not None:
                yield part, difference


def _describe(before: str | None, after: str | None) -> str:
    if before == after:
        return f"{KEYWORD} changed"
    if before is None:
        return f"physical type is {after} now"
    return "physical type is not given any more" if after is None else f"physical type is spelled {after} now"


def report_type_once(differences: Sequence[Difference]) -> Sequence[Difference]:
    """Merge the change of `type` and `format` into that of the physical type, which says more and implies it."""
    physical = next((item for item in differences if _is_physical(item) and item.pointer.endswith(KEYWORD)), None)
    if physical is None:
        return differences
    logical = [item for item in differences if item.kind in LOGICAL_KINDS and not _is_physical(item)]
    merged = physical
    for item in logical:
        if item.kind is not K.FORMAT_CHANGED:
            always = physical.always if item.kind is physical.kind else EVERY_MODE
            kind = physical.kind if item.kind is physical.kind else K.TYPE_CHANGED
            digest = digest_sides(physical.digest, [item.before, item.after])
            merged = replace(
                physical, kind=kind, digest=digest, always=always, directions=item.directions, rule=item.rule
            )
    return [merged if item is physical else item for item in differences if all(item is not peer for peer in logical)]


def _is_physical(difference: Difference) -> bool:
    return difference.kind in LOGICAL_KINDS and KEYWORD in difference.pointer


def _is_reported_at_property(part: _Part, difference: Difference, old: View, new: View) -> bool:
    """Return whether a field of a struct is a property as well, whose own comparison finds the same change."""
    if not part.names:
        return False
    name, nested_names = part.names[0], part.names[1:]
    declaring = [view for view in (old, new) if name in view.properties]
    if len(declaring) < 2:
        return declaring == [old if part.new is None else new] and not nested_names
    before, after = old.property(name), new.property(name)
    return any(
        (peer.kind, peer.always, nested.names) == (difference.kind, difference.always, nested_names)
        for pointer, was, now in _pair_declarations(before, after)
        for nested, peer in _compare_parts(before, after, pointer, read_physical_type(was), read_physical_type(now))
    )


def _iterate_parts(old: PhysicalType, new: PhysicalType) -> Iterator[_Part]:
    """Yield the type, and the types in it that both sides describe."""
    stack = [_Part(old, new)]
    while stack:
        part = stack.pop()
        yield part
        if part.old is not None and part.new is not None and part.old.family is part.new.family:
            stack += reversed([*_nested_parts(part, part.old, part.new)])


def _nested_parts(part: _Part, old: PhysicalType, new: PhysicalType) -> Iterator[_Part]:
    for attribute, before, after in (
        ("element", old.element, new.element),
        ("key", old.key, new.key),
        ("value", old.value, new.value),
    ):
        if before is not None and after is not None:
            yield _Part(before, after, f"{part.pointer}/{attribute}", part.names, is_field=False)
    if old.fields is not None and new.fields is not None:
        left, right = dict(old.fields), dict(new.fields)
        for name in sorted(left.keys() | right.keys()):
            pointer = f"{part.pointer}/fields/{escape_token(name)}"
            yield _Part(left.get(name), right.get(name), pointer, (*part.names, name), part.is_field)


def _compare_part(part: _Part, pointer: str, any_value: dict[str, Json]) -> Difference | None:
    old, new = part.old, part.new
    evidence_schemas: tuple[dict[str, Json], ...] = (any_value,)
    if old is None or new is None:
        kind, breaks, message = _describe_presence(part)
    else:
        relation = relate(old, new)
        if relation is Relation.EQUAL:
            return None
        kind, breaks, predicate = RULES[relation]
        subject = "physical type" if part.is_field else f"physical type at {part.pointer}"
        message = f"{subject} {predicate.format(_text(old), _text(new))}"
        if relation is Relation.UNKNOWN:
            evidence_schemas = ()
        elif not part.pointer and relation is not Relation.DIFFERENT:
            smaller, larger = (old, new) if relation is Relation.WIDER else (new, old)
            evidence_schemas = (*_list_exceeding_values(smaller, larger), any_value)
    return Difference(
        kind,
        pointer + part.pointer,
        message,
        _text(old),
        _text(new),
        ".".join(part.names) if part.names and part.is_field else None,
        digest=digest_sides(*(None if side is None else side.as_json() for side in (old, new))),
        always=breaks,
        rule=Rule.ALWAYS,
        evidence_schemas=evidence_schemas,
    )


def _describe_presence(part: _Part) -> tuple[ChangeKind, frozenset[Mode], str]:
    """Return the change of a field that one side lacks. It breaks like that of a column."""
    kind, breaks, verb = K.PROPERTY_ADDED, frozenset({Mode.FORWARD}), "gained"
    if part.new is None:
        kind, breaks, verb = K.PROPERTY_REMOVED, frozenset({Mode.BACKWARD, Mode.CONSUMER}), "lost"
    if part.is_field:
        return kind, breaks, PRESENCE_MESSAGES[kind]
    kind = K.TYPE_CHANGED if part.new is None else K.TYPE_WIDENED
    return kind, breaks, f"physical type {verb} {part.pointer}"


def _list_exceeding_values(smaller: PhysicalType, larger: PhysicalType) -> Iterator[dict[str, Json]]:
    """Yield a schema of values that only the larger of two types of a family holds, if JSON can tell."""
    match smaller:
        case PhysicalType(family=Family.INTEGER):
            (low, high), (_, larger_high) = _integer_range(smaller), _integer_range(larger)
            limit: dict[str, Json] = {"minimum": high + 1} if high < larger_high else {"maximum": low - 1}
            yield {"type": "integer", **limit}
        case PhysicalType(family=Family.DECIMAL, precision=int(precision), scale=int(scale)) if scale <= precision:
            yield {"type": "number", "minimum": 10 ** (precision - scale)}
        case PhysicalType(family=Family.TEXT, length=int(length)) if length < MAX_EVIDENCE_LENGTH:
            yield {"type": "string", "minLength": length + 1}
        case _:
            pass


def _text(physical: PhysicalType | None) -> str | None:
    if physical is None:
        return None
    text = physical.text or (physical.family.value if physical.family else "")
    return text if len(text) <= MAX_TEXT else text[:MAX_TEXT] + "…"


def relate(old: PhysicalType, new: PhysicalType) -> Relation:
    """Relate two types, not counting the types in an array, struct or map that both describe."""
    if old.family is None or new.family is None:
        return Relation.EQUAL if old.text == new.text else Relation.UNKNOWN
    if old.family is not new.family or _fixed_attributes(old) != _fixed_attributes(new):
        return Relation.DIFFERENT
    if old.family in CONTAINERS:
        return _relate_containers(old, new)
    pairs = [*zip(value_ranges(old), value_ranges(new), strict=True)]
    is_wider = all(_contains(after, before) for before, after in pairs)
    is_narrower = all(_contains(before, after) for before, after in pairs)
    if is_wider and is_narrower:
        return Relation.EQUAL
    if is_wider:
        return Relation.WIDER
    return Relation.NARROWER if is_narrower else Relation.DIFFERENT


def _relate_containers(old: PhysicalType, new: PhysicalType) -> Relation:
    """Relate two of one family. Without the types in them only equal spellings are known to be equal."""
    parts = [getattr(side, attribute) for side in (old, new) for attribute in NESTED_ATTRIBUTES[side.family]]
    return Relation.EQUAL if old.text == new.text or all(part is not None for part in parts) else Relation.UNKNOWN


def _fixed_attributes(physical: PhysicalType) -> tuple[object, ...]:
    """The attributes of which another value is another type."""
    match physical.family:
        case Family.DECIMAL:
            return (physical.scale,)
        case Family.TIME | Family.TIMESTAMP:
            return (physical.timezone,)
        case Family.ARRAY:
            return (physical.length,)
        case _:
            return ()


def value_ranges(physical: PhysicalType) -> tuple[Range, ...]:
    """The ranges of a type. One type holds all values of another one if each of its ranges contains the other's."""
    match physical.family:
        case Family.INTEGER:
            return (_integer_range(physical),)
        case Family.FLOAT:
            return (_up_to(physical.bits),)
        case Family.TEXT:
            return _up_to(physical.length), (0, int(physical.unicode))
        case Family.BINARY:
            return (_up_to(physical.length),)
        case Family.DECIMAL | Family.TIME | Family.TIMESTAMP | Family.INTERVAL:
            return (_up_to(physical.precision),)
        case _:
            return ()


def _integer_range(physical: PhysicalType) -> Range:
    bits, digits = physical.bits, physical.precision
    if bits is not None:
        return (0, 2**bits - 1) if physical.unsigned else (-(2 ** max(bits - 1, 0)), 2 ** max(bits - 1, 0) - 1)
    high = math.inf if digits is None else 10**digits - 1
    return (0 if physical.unsigned else -high, high)


def _up_to(limit: int | None) -> Range:
    return 0, math.inf if limit is None else limit


def _contains(outer: Range, inner: Range) -> bool:
    return outer[0] <= inner[0] and inner[1] <= outer[1]


PHYSICAL_TYPE = Keyword(
    {KEYWORD: {}},
    "The type of a column in its warehouse: a family with its size, and the text of the warehouse.",
    constrained_types=0,
    is_asserting=False,
    has_subschemas=False,
    compare=compare_physical_types,
)
