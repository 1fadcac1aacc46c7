"""Comparers: functions that yield the differences of two views of a value, one per group of keywords.

A new keyword gets a function here and an entry in `COMPARERS`.
"""

from collections.abc import Callable, Iterable, Iterator
from fractions import Fraction

from tessera_gql.diff.changes import ChangeKind, Mode
from tessera_gql.diff.compare.differences import Difference, Rule
from tessera_gql.diff.compare.messages import (
    describe_edit,
    describe_text_edit,
    describe_types,
    describe_values,
    format_value,
    format_values,
)
from tessera_gql.diff.read.json import Json, escape_token, is_equal, to_json_number
from tessera_gql.diff.read.json_types import ALL_TYPES, NULL
from tessera_gql.diff.read.regex import Language, find_example
from tessera_gql.diff.read.schema import LOWER_LIMITS, UPPER_LIMITS, Bound, Number
from tessera_gql.diff.read.view import View, type_names

K = ChangeKind
BACKWARD, FORWARD = frozenset({Mode.BACKWARD}), frozenset({Mode.FORWARD})
BOTH = BACKWARD | FORWARD
Comparer = Callable[[View, View], Iterator[Difference]]
ANNOTATION_KEYWORDS = frozenset(
    {"title", "description", "examples", "$comment", "readOnly", "writeOnly", "contentMediaType", "contentEncoding"}
)
CLOSING_KEYWORDS = ("additionalProperties", "unevaluatedProperties")
SUBSCHEMA_KEYWORDS = ("additionalItems", "items", "propertyNames", "contains", "unevaluatedItems")
SUBJECTS_OF_RULES = {
    **dict.fromkeys(CLOSING_KEYWORDS, "undeclared fields"),
    **dict.fromkeys(("additionalItems", "unevaluatedItems"), "further items"),
    "items": "items",
    "propertyNames": "names of fields",
}
ENTRY_NOUNS = {
    "patternProperties": "rule for fields that match",
    **dict.fromkeys(("dependentRequired", "dependentSchemas", "dependencies"), "dependency on"),
}
MAX_TEXT = 200


def compare_types(old: View, new: View) -> Iterator[Difference]:
    before, after = old.types, new.types
    if _changes_nullability(before, after):
        has = bool(after & NULL)
        kind, view, directions = (K.NULLABLE_ADDED, new, FORWARD) if has else (K.NULLABLE_REMOVED, old, BACKWARD)
        message = "null is allowed now (was never null)" if has else "null is not allowed any more"
        yield Difference(kind, view.pointer_to("type"), message, not has, has, directions=directions)
        before, after = before & ~NULL, after & ~NULL
    if before != after and not (_lists_values(old) and _lists_values(new)):
        yield _type_difference(before, after, new)


def _changes_nullability(before: int, after: int) -> bool:
    """Return whether null is added to or removed from the types of other values."""
    return bool((before ^ after) & NULL and before & ~NULL and after & ~NULL and ALL_TYPES not in (before, after))


def _lists_values(view: View) -> bool:
    """Return whether the types are those of the listed values, whose differences are reported as values."""
    keywords = {keyword for node in view.schemas for keyword in node.keywords}
    return view.enum is not None and keywords.isdisjoint(("type", "anyOf", "oneOf"))


def _type_difference(before: int, after: int, new: View) -> Difference:
    kind, directions = K.TYPE_CHANGED, BOTH
    if before & after == before:
        kind, directions = K.TYPE_WIDENED, FORWARD
    elif before & after == after:
        kind, directions = K.TYPE_NARROWED, BACKWARD
    type_lists: list[Json] = [list[Json](type_names(mask)) if mask != ALL_TYPES else None for mask in (before, after)]
    pointer, message = new.pointer_to("type"), describe_types(kind, before, after)
    return Difference(kind, pointer, message, type_lists[0], type_lists[1], directions=directions)


def compare_enums(old: View, new: View) -> Iterator[Difference]:
    before, after = old.enum, new.enum
    if before is None and after is not None:
        message = f"values were limited to {format_values(after.values())}"
        yield Difference(K.ENUM_VALUES_REMOVED, new.pointer_to("enum"), message, directions=BACKWARD)
    elif after is None and before is not None:
        message = f"values are not limited any more (were {format_values(before.values())})"
        yield Difference(K.ENUM_VALUES_ADDED, old.pointer_to("enum"), message, directions=FORWARD)
    elif before is not None and after is not None:
        hidden = {"null"} if _changes_nullability(old.types, new.types) else set[str]()
        removed = [value for key, value in before.items() if key not in after and key not in hidden]
        added = [value for key, value in after.items() if key not in before and key not in hidden]
        pointer = new.pointer_to("enum" if any("enum" in node.keywords for node in new.schemas) else "const")
        if removed:
            message = describe_values(removed, "removed")
            yield Difference(K.ENUM_VALUES_REMOVED, pointer, message, removed, directions=BACKWARD)
        if added:
            yield Difference(
                K.ENUM_VALUES_ADDED, pointer, describe_values(added, "added"), after=added, directions=FORWARD
            )


def compare_bounds(old: View, new: View) -> Iterator[Difference]:
    for keywords, before, after, sign in (
        (("minimum", "exclusiveMinimum"), old.low, new.low, 1),
        (("maximum", "exclusiveMaximum"), old.high, new.high, -1),
    ):
        if before != after:
            pointers = [new.pointer_to(keyword) for keyword in keywords if new.value_of(keyword) is not None]
            pointer = pointers[0] if pointers else old.pointer_to(keywords[0])
            limits = _bound_json(before), _bound_json(after)
            is_tighter = _tightness(after, sign) > _tightness(before, sign)
            texts = _bound_text(before), _bound_text(after)
            message = describe_text_edit(keywords[0], *texts, _constraint_kind(is_tighter=is_tighter)[0])
            yield _constraint_difference(pointer, limits, message, is_tighter=is_tighter)


def _bound_text(bound: Bound | None) -> str | None:
    if bound is None:
        return None
    return f"{format_value(to_json_number(bound.value))}{' (exclusive)' if bound.is_open else ''}"


def _tightness(bound: Bound | None, sign: int) -> tuple[Number, ...]:
    """Return a sort key that is higher for a tighter bound."""
    return () if bound is None else (sign * bound.value, bound.is_open)


def _bound_json(bound: Bound | None) -> Json:
    if bound is None:
        return None
    value = to_json_number(bound.value)
    return {"exclusive": value} if bound.is_open else value


def _limit_difference(pointer: str, limits: tuple[Json, Json], keyword: str, *, is_tighter: bool) -> Difference:
    message = describe_edit(keyword, *limits, _constraint_kind(is_tighter=is_tighter)[0])
    return _constraint_difference(pointer, limits, message, is_tighter=is_tighter)


def _constraint_difference(pointer: str, values: tuple[Json, Json], message: str, *, is_tighter: bool) -> Difference:
    kind, directions = _constraint_kind(is_tighter=is_tighter)
    return Difference(kind, pointer, message, *values, directions=directions)


def _constraint_kind(*, is_tighter: bool) -> tuple[ChangeKind, frozenset[Mode]]:
    return (K.CONSTRAINT_TIGHTENED, BACKWARD) if is_tighter else (K.CONSTRAINT_RELAXED, FORWARD)


def compare_counts(old: View, new: View) -> Iterator[Difference]:
    for keyword, attribute in LOWER_LIMITS.items():
        before, after = old.lower_limit(attribute), new.lower_limit(attribute)
        if before != after:
            pointer = (new if after else old).pointer_to(keyword)
            yield _limit_difference(pointer, (before or None, after or None), keyword, is_tighter=after > before)
    for keyword, attribute in UPPER_LIMITS.items():
        yield from _compare_upper_limit(old, new, keyword, attribute)


def _compare_upper_limit(old: View, new: View, keyword: str, attribute: str) -> Iterator[Difference]:
    before, after = old.upper_limit(attribute), new.upper_limit(attribute)
    if before != after:
        is_tighter = before is None or (after is not None and after < before)
        pointer = (old if after is None else new).pointer_to(keyword)
        yield _limit_difference(pointer, (before, after), keyword, is_tighter=is_tighter)


def compare_multiples(old: View, new: View) -> Iterator[Difference]:
    before, after = old.multiples, new.multiples
    if before == after:
        return
    kind, directions = _set_kind(is_wider=_all_divide(after, before), is_narrower=_all_divide(before, after))
    pointer = (new if after else old).pointer_to("multipleOf")
    limits = [to_json_number(min(steps)) if steps else None for steps in (before, after)]
    texts = [format_values([*map(to_json_number, sorted(steps))]) if steps else None for steps in (before, after)]
    message = describe_text_edit("multipleOf", texts[0], texts[1], kind)
    yield Difference(kind, pointer, message, limits[0], limits[1], directions=directions)


def _set_kind(*, is_wider: bool, is_narrower: bool) -> tuple[ChangeKind, frozenset[Mode]]:
    """Return the kind of a change whose new constraint contains the old one, or is contained in it."""
    return (K.CONSTRAINT_CHANGED, BOTH) if is_wider == is_narrower else _constraint_kind(is_tighter=is_narrower)


def _all_divide(steps: frozenset[Number], multiples: frozenset[Number]) -> bool:
    """Return whether a multiple of all `multiples` is a multiple of all `steps`."""
    return all(any((Fraction(multiple) / Fraction(step)).denominator == 1 for multiple in multiples) for step in steps)


def compare_patterns(old: View, new: View) -> Iterator[Difference]:
    before = {node.pattern for node in old.schemas if node.pattern is not None}
    after = {node.pattern for node in new.schemas if node.pattern is not None}
    if before == after:
        return
    kind, directions = _set_kind(is_wider=_is_implied(before, after), is_narrower=_is_implied(after, before))
    was, now = (", ".join(sorted(patterns))[:MAX_TEXT] or None for patterns in (before, after))
    pointer = (new if after else old).pointer_to("pattern")
    texts = [format_values(sorted(patterns)) if patterns else None for patterns in (before, after)]
    message = describe_text_edit("pattern", texts[0], texts[1], kind)
    yield Difference(kind, pointer, message, was, now, directions=directions)


def _is_implied(premises: set[str], conclusions: set[str]) -> bool:
    """Return whether it is proven that a string matching all `premises` matches all `conclusions`."""
    return all(find_example(Language(frozenset(premises), frozenset({pattern}))) is False for pattern in conclusions)


def compare_formats(old: View, new: View) -> Iterator[Difference]:
    before, after = old.value_of("format"), new.value_of("format")
    if not is_equal(before, after):
        pointer = (old if after is None else new).pointer_to("format")
        message = f"{describe_edit('format', before, after)}; formats are not checked"
        yield Difference(K.FORMAT_CHANGED, pointer, message, before, after, rule=Rule.ALWAYS)


def compare_uniqueness(old: View, new: View) -> Iterator[Difference]:
    before, after = any(node.unique for node in old.schemas), any(node.unique for node in new.schemas)
    if before != after:
        pointer = (new if after else old).pointer_to("uniqueItems")
        message = f"duplicate items are {'not allowed any more' if after else 'allowed now'}"
        yield _constraint_difference(pointer, (before, after), message, is_tighter=after)


def compare_required(old: View, new: View) -> Iterator[Difference]:
    """Yield names that become or cease to be required; added and removed properties report it themselves."""
    for kind, message, requiring, missing, directions in (
        (K.REQUIRED_ADDED, "is required now", new, old, BACKWARD),
        (K.REQUIRED_REMOVED, "is optional now", old, new, FORWARD),
    ):
        for name in requiring.required.keys() - missing.required.keys():
            if name not in requiring.properties or name in missing.properties:
                pointer = f"{requiring.required[name].pointer}/required"
                yield Difference(kind, pointer, message, name=name, directions=directions)


def compare_additional(old: View, new: View) -> Iterator[Difference]:
    """Yield differences in the keywords for undeclared properties and items.

    Closing an object breaks even if producers never write undeclared properties, because consumers may expect them.
    """
    for keyword in CLOSING_KEYWORDS:
        before, after = old.child_view(keyword), new.child_view(keyword)
        closed = [child is not None and any(node.is_false for node in child.nodes) for child in (before, after)]
        if closed[0] != closed[1]:
            pointer = (new if closed[1] else old).pointer_to(keyword)
            message = f"undeclared fields are {'not allowed any more' if closed[1] else 'allowed now'}"
            is_open = not closed[0], not closed[1]
            difference = _constraint_difference(pointer, is_open, message, is_tighter=closed[1])
            difference.rule = Rule.OPEN
            yield difference
        else:
            yield from _compare_presence(old, new, keyword)
    for keyword in SUBSCHEMA_KEYWORDS:
        yield from _compare_presence(old, new, keyword)


def _compare_presence(old: View, new: View, keyword: str) -> Iterator[Difference]:
    """Yield a difference if only one view has the keyword."""
    before, after = old.child_view(keyword), new.child_view(keyword)
    if (before is None) != (after is None):
        pointer, message = (old if after is None else new).pointer_to(keyword), _describe_rule(keyword, before, after)
        yield _constraint_difference(pointer, (None, None), message, is_tighter=after is not None)


def _describe_rule(keyword: str, before: View | None, after: View | None) -> str:
    if keyword == "contains":
        return "must contain a certain item now" if after else "need not contain a certain item any more"
    noun, rule = SUBJECTS_OF_RULES[keyword], after or before
    if rule is not None and not rule.types:
        return f"{noun} are {'not allowed any more' if after else 'allowed now'}"
    return f"{noun} are restricted now" if after else f"{noun} are not restricted any more"


def compare_contains(old: View, new: View) -> Iterator[Difference]:
    if old.child_view("contains") is None or new.child_view("contains") is None:
        return
    before, after = old.lower_limit("min_contains"), new.lower_limit("min_contains")
    if before != after:
        pointer = new.pointer_to("minContains")
        yield _limit_difference(pointer, (before, after), "minContains", is_tighter=after > before)
    yield from _compare_upper_limit(old, new, "maxContains", "max_contains")


def compare_entries(old: View, new: View) -> Iterator[Difference]:
    """Yield added and removed entries of keywords whose value maps names to restrictions."""
    for keyword, noun in ENTRY_NOUNS.items():
        before, after = (_entry_pointers(view, keyword) for view in (old, new))
        for pointers, peers, is_new in ((after, before, True), (before, after, False)):
            for name in sorted(pointers.keys() - peers.keys()):
                message = f"{noun} {format_value(name)} was {'added' if is_new else 'removed'}"
                values = (None, name) if is_new else (name, None)
                yield _constraint_difference(pointers[name], values, message, is_tighter=is_new)


def _entry_pointers(view: View, keyword: str) -> dict[str, str]:
    pointers: dict[str, str] = {}
    for node in view.schemas:
        entries = node.keywords.get(keyword)
        if isinstance(entries, dict):
            pointers |= {str(name): f"{node.pointer}/{keyword}/{escape_token(str(name))}" for name in entries}
    return pointers


def compare_defaults(old: View, new: View) -> Iterator[Difference]:
    before, after = (_find_default(view) for view in (old, new))
    match before, after:
        case (None, None):
            return
        case (None, (pointer, value)):
            message = f"default was added: {format_value(value)}"
            yield Difference(K.DEFAULT_ADDED, pointer, message, None, value, always=FORWARD, rule=Rule.ALWAYS)
        case ((pointer, value), None):
            message = f"default was removed (was {format_value(value)})"
            yield Difference(K.DEFAULT_REMOVED, pointer, message, value, None, always=BACKWARD, rule=Rule.ALWAYS)
        case ((_, value), (pointer, new_value)) if not is_equal(value, new_value):
            message = f"default changed from {format_value(value)} to {format_value(new_value)}"
            yield Difference(K.DEFAULT_CHANGED, pointer, message, value, new_value, rule=Rule.ALWAYS)
        case _:
            return


def _find_default(view: View) -> tuple[str, Json] | None:
    pointers = (f"{node.pointer}/default" for node in view.schemas if "default" in node.entries)
    return next(((pointer, view.value_of("default")) for pointer in pointers), None)


def compare_annotations(old: View, new: View, keywords: Iterable[str]) -> Iterator[Difference]:
    for keyword in keywords:
        if keyword == "deprecated":
            yield from _compare_deprecation(old, new)
        elif keyword in ANNOTATION_KEYWORDS or keyword.startswith("x-"):
            was, now = old.value_of(keyword), new.value_of(keyword)
            if not is_equal(was, now):
                pointer = _annotation_pointer(old if now is None else new, keyword)
                message, values = describe_edit(keyword, was, now), (_abbreviate(was), _abbreviate(now))
                yield Difference(K.ANNOTATION_CHANGED, pointer, message, *values, rule=Rule.NEVER)


def _compare_deprecation(old: View, new: View) -> Iterator[Difference]:
    before, after = (any(node.entries.get("deprecated") is True for node in view.schemas) for view in (old, new))
    if before != after:
        message = "is deprecated now" if after else "is not deprecated any more"
        pointer = _annotation_pointer((new if after else old), "deprecated")
        yield Difference(K.DEPRECATED_CHANGED, pointer, message, before, after, rule=Rule.NEVER)


def _annotation_pointer(view: View, keyword: str) -> str:
    pointers = (f"{node.pointer}/{escape_token(keyword)}" for node in view.schemas if keyword in node.entries)
    return next(pointers, view.pointer)


def _abbreviate(value: Json) -> Json:
    if isinstance(value, str):
        return value if len(value) <= MAX_TEXT else value[:MAX_TEXT] + "…"
    return None if isinstance(value, list | dict) else value


COMPARERS: tuple[tuple[Comparer, frozenset[str]], ...] = (
    (compare_types, frozenset({"type", "enum", "const", "anyOf", "oneOf", "nullable", ""})),
    (compare_enums, frozenset({"enum", "const"})),
    (compare_bounds, frozenset({"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"})),
    (compare_counts, frozenset({*LOWER_LIMITS, *UPPER_LIMITS})),
    (compare_multiples, frozenset({"multipleOf"})),
    (compare_patterns, frozenset({"pattern"})),
    (compare_formats, frozenset({"format"})),
    (compare_uniqueness, frozenset({"uniqueItems"})),
    (compare_required, frozenset({"required"})),
    (compare_additional, frozenset({*CLOSING_KEYWORDS, *SUBSCHEMA_KEYWORDS})),
    (compare_contains, frozenset({"contains", "minContains", "maxContains"})),
    (compare_entries, frozenset(ENTRY_NOUNS)),
    (compare_defaults, frozenset({"default"})),
)


def compare_views(old: View, new: View) -> Iterator[Difference]:
    """Yield the differences of two views from every comparer with a keyword that differs.

    The keyword `""` stands for a schema without keywords.
    """
    keywords = _differing_keywords(old, new)
    for comparer, triggers in COMPARERS:
        if not keywords.isdisjoint(triggers):
            yield from comparer(old, new)
    yield from compare_annotations(old, new, sorted(keywords))


def _differing_keywords(old: View, new: View) -> set[str]:
    """The keywords of both views; only the differing ones if each view has a single schema."""
    all_keywords = {keyword for view in (old, new) for node in view.schemas for keyword in node.entries or ("",)}
    match old.schemas, new.schemas:
        case (old_schema,), (new_schema,):
            return {keyword for keyword in all_keywords if not old_schema.has_equal_keyword(new_schema, keyword)}
        case _:
            return all_keywords
