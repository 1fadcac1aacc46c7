"""One comparer per keyword: what it says about two views of a value, as drafts. A new rule is a function here."""

from collections.abc import Callable, Iterable, Iterator
from fractions import Fraction

from tessera_gql.diff.changes import ChangeKind, Mode
from tessera_gql.diff.drafts import Difference, Rule
from tessera_gql.diff.json import Json, escape_token, is_equal, to_json_number
from tessera_gql.diff.kinds import ALL_TYPES, NULL
from tessera_gql.diff.regex import Language, find_example
from tessera_gql.diff.schema import Bound, Number
from tessera_gql.diff.view import View, describe_type, type_names

K = ChangeKind
BACKWARD_ONLY, FORWARD_ONLY = frozenset({Mode.BACKWARD}), frozenset({Mode.FORWARD})
BOTH_DIRECTIONS = BACKWARD_ONLY | FORWARD_ONLY
Comparer = Callable[[View, View], Iterator[Difference]]
ANNOTATION_KEYWORDS = frozenset(
    {
        "title",
        "description",
        "examples",
        "$comment",
        "readOnly",
        "writeOnly",
        "contentMediaType",
        "contentEncoding",
    }
)
CLOSING_KEYWORDS = ("additionalProperties", "unevaluatedProperties")
SUBSCHEMA_KEYWORDS = ("additionalItems", "items", "propertyNames", "contains", "unevaluatedItems")
MAP_KEYWORDS = ("patternProperties", "dependentRequired", "dependentSchemas", "dependencies")
MAX_TEXT = 200
LOWER_LIMITS = {"minLength": "min_length", "minItems": "min_items", "minProperties": "min_properties"}
UPPER_LIMITS = {"maxLength": "max_length", "maxItems": "max_items", "maxProperties": "max_properties"}


def compare_types(old: View, new: View) -> Iterator[Difference]:
    before, after = old.types, new.types
    if before == after:
        return
    plain = before & ~NULL, after & ~NULL
    had, has = bool(before & NULL), bool(after & NULL)
    if had != has and all(plain) and ALL_TYPES not in (before, after):
        if has:
            yield Difference(
                K.NULLABLE_ADDED,
                new.keyword_pointer("type"),
                "null is allowed now",
                had,
                has,
                unless_contained=FORWARD_ONLY,
            )
        else:
            yield Difference(
                K.NULLABLE_REMOVED,
                old.keyword_pointer("type"),
                "null is no longer allowed",
                had,
                has,
                unless_contained=BACKWARD_ONLY,
            )
        before, after = plain
    if before != after:
        yield _type_difference(before, after, old, new)


def _type_difference(before: int, after: int, old: View, new: View) -> Difference:
    kind, unless_contained = K.TYPE_CHANGED, BOTH_DIRECTIONS
    if before & after == before:
        kind, unless_contained = K.TYPE_WIDENED, FORWARD_ONLY
    elif before & after == after:
        kind, unless_contained = K.TYPE_NARROWED, BACKWARD_ONLY
    shown: list[Json] = [list[Json](type_names(mask)) if mask != ALL_TYPES else None for mask in (before, after)]
    message = f"the type was {describe_type(old)} and is {describe_type(new)}"
    return Difference(kind, new.keyword_pointer("type"), message, shown[0], shown[1], unless_contained=unless_contained)


def compare_enums(old: View, new: View) -> Iterator[Difference]:
    before, after = old.enum, new.enum
    if before is None and after is not None:
        yield Difference(
            K.ENUM_VALUES_REMOVED,
            new.keyword_pointer("enum"),
            "any value was allowed, now only those listed",
            unless_contained=BACKWARD_ONLY,
        )
    elif after is None and before is not None:
        yield Difference(
            K.ENUM_VALUES_ADDED,
            old.keyword_pointer("enum"),
            "only listed values were allowed, now any",
            unless_contained=FORWARD_ONLY,
        )
    elif before is not None and after is not None:
        removed = [value for key, value in before.items() if key not in after]
        added = [value for key, value in after.items() if key not in before]
        word = "enum" if any("enum" in node.keywords for node in new.schemas) else "const"
        if removed:
            yield Difference(
                K.ENUM_VALUES_REMOVED,
                new.keyword_pointer(word),
                f"{_count(removed)} no longer allowed",
                before=removed,
                unless_contained=BACKWARD_ONLY,
            )
        if added:
            yield Difference(
                K.ENUM_VALUES_ADDED,
                new.keyword_pointer(word),
                f"{_count(added)} allowed now",
                after=added,
                unless_contained=FORWARD_ONLY,
            )


def _count(values: list[Json]) -> str:
    return "1 value is" if len(values) == 1 else f"{len(values)} values are"


def compare_bounds(old: View, new: View) -> Iterator[Difference]:
    for words, before, after, sign in (
        (("minimum", "exclusiveMinimum"), old.low, new.low, 1),
        (("maximum", "exclusiveMaximum"), old.high, new.high, -1),
    ):
        if before != after:
            pointer = next(
                (new.keyword_pointer(word) for word in words if new.keyword_value(word) is not None),
                old.keyword_pointer(words[0]),
            )
            limits = [_rank(bound, sign) for bound in (before, after)]
            yield _limit(pointer, (_shown(before), _shown(after)), words[0], is_tighter=limits[1] > limits[0])


def _rank(bound: Bound | None, sign: int) -> tuple[Number, ...]:
    """The tighter the bound, the higher."""
    return () if bound is None else (sign * bound.value, bound.is_open)


def _shown(bound: Bound | None) -> Json:
    if bound is None:
        return None
    value = to_json_number(bound.value)
    return {"exclusive": value} if bound.is_open else value


def _limit(pointer: str, shown: tuple[Json, Json], word: str, *, is_tighter: bool) -> Difference:
    before, after = shown
    verb = "is tighter than before" if is_tighter else "is looser than before"
    return Difference(
        K.CONSTRAINT_TIGHTENED if is_tighter else K.CONSTRAINT_RELAXED,
        pointer,
        f"{word} {verb}",
        before,
        after,
        unless_contained=BACKWARD_ONLY if is_tighter else FORWARD_ONLY,
    )


def compare_counts(old: View, new: View) -> Iterator[Difference]:
    for word, attribute in LOWER_LIMITS.items():
        before, after = old.lower_limit(attribute), new.lower_limit(attribute)
        if before != after:
            pointer = (new if after else old).keyword_pointer(word)
            yield _limit(pointer, (before or None, after or None), word, is_tighter=after > before)
    for word, attribute in UPPER_LIMITS.items():
        yield from _most(old, new, word, attribute)


def _most(old: View, new: View, word: str, attribute: str) -> Iterator[Difference]:
    before, after = old.upper_limit(attribute), new.upper_limit(attribute)
    if before != after:
        is_tighter = before is None or (after is not None and after < before)
        yield _limit(
            (old if after is None else new).keyword_pointer(word), (before, after), word, is_tighter=is_tighter
        )


def compare_multiples(old: View, new: View) -> Iterator[Difference]:
    before, after = old.multiples, new.multiples
    if before == after:
        return
    finer = _all_divide(after, before), _all_divide(before, after)
    kind, unless_contained = {
        (True, False): (K.CONSTRAINT_RELAXED, FORWARD_ONLY),
        (False, True): (K.CONSTRAINT_TIGHTENED, BACKWARD_ONLY),
    }.get(finer, (K.CONSTRAINT_CHANGED, BOTH_DIRECTIONS))
    pointer = (new if after else old).keyword_pointer("multipleOf")
    limits = [to_json_number(min(steps)) if steps else None for steps in (before, after)]
    yield Difference(kind, pointer, "multipleOf is different", limits[0], limits[1], unless_contained=unless_contained)


def _all_divide(steps: frozenset[Number], others: frozenset[Number]) -> bool:
    """Whether multiples of all `others` are multiples of all `steps`."""
    return all(any((Fraction(other) / Fraction(step)).denominator == 1 for other in others) for step in steps)


def compare_patterns(old: View, new: View) -> Iterator[Difference]:
    before = {node.pattern for node in old.schemas if node.pattern is not None}
    after = {node.pattern for node in new.schemas if node.pattern is not None}
    if before == after:
        return
    is_narrower, is_wider = _implied(before, after), _implied(after, before)
    kind, unless_contained = K.CONSTRAINT_CHANGED, BOTH_DIRECTIONS
    if is_wider and not is_narrower:
        kind, unless_contained = K.CONSTRAINT_TIGHTENED, BACKWARD_ONLY
    elif is_narrower and not is_wider:
        kind, unless_contained = K.CONSTRAINT_RELAXED, FORWARD_ONLY
    was, now = (", ".join(sorted(each))[:MAX_TEXT] or None for each in (before, after))
    pointer = (new if after else old).keyword_pointer("pattern")
    yield Difference(kind, pointer, "the pattern is different", was, now, unless_contained=unless_contained)


def _implied(given: set[str], wanted: set[str]) -> bool:
    """Proven: what matches all of `given` matches all of `wanted`."""
    return all(find_example(Language(frozenset(given), frozenset({each}))) is False for each in wanted)


def compare_formats(old: View, new: View) -> Iterator[Difference]:
    before, after = old.keyword_value("format"), new.keyword_value("format")
    if not is_equal(before, after):
        pointer = (old if after is None else new).keyword_pointer("format")
        yield Difference(
            K.FORMAT_CHANGED,
            pointer,
            "the format is different; formats are not checked",
            before,
            after,
            rule=Rule.ALWAYS,
        )


def compare_uniqueness(old: View, new: View) -> Iterator[Difference]:
    before, after = any(node.unique for node in old.schemas), any(node.unique for node in new.schemas)
    if before != after:
        yield _limit(
            (new if after else old).keyword_pointer("uniqueItems"), (before, after), "uniqueItems", is_tighter=after
        )


def compare_required(old: View, new: View) -> Iterator[Difference]:
    """Names that become or cease to be required; for a property that comes or goes its own change says it."""
    for name in new.required.keys() - old.required.keys():
        if name not in new.properties or name in old.properties:
            pointer = f"{new.required[name].pointer}/required"
            yield Difference(K.REQUIRED_ADDED, pointer, "it is required now", name=name, unless_contained=BACKWARD_ONLY)
    for name in old.required.keys() - new.required.keys():
        if name not in old.properties or name in new.properties:
            pointer = f"{old.required[name].pointer}/required"
            yield Difference(
                K.REQUIRED_REMOVED, pointer, "it is no longer required", name=name, unless_contained=FORWARD_ONLY
            )


def compare_additional(old: View, new: View) -> Iterator[Difference]:
    """Other properties allowed or not. Judged in the open: undeclared, but readers were told to expect them."""
    for word in CLOSING_KEYWORDS:
        before, after = old.keyword_view(word), new.keyword_view(word)
        closed = [each is not None and any(node.is_false for node in each.nodes) for each in (before, after)]
        if closed[0] != closed[1]:
            pointer = (new if closed[1] else old).keyword_pointer(word)
            difference = _limit(pointer, (not closed[0], not closed[1]), word, is_tighter=closed[1])
            difference.rule = Rule.OPEN
            yield difference
        elif (before is None) != (after is None):
            yield _limit(
                (old if after is None else new).keyword_pointer(word), (None, None), word, is_tighter=after is not None
            )
    for word in SUBSCHEMA_KEYWORDS:
        before, after = old.keyword_view(word), new.keyword_view(word)
        if (before is None) != (after is None):
            yield _limit(
                (old if after is None else new).keyword_pointer(word), (None, None), word, is_tighter=after is not None
            )


def compare_contains(old: View, new: View) -> Iterator[Difference]:
    if old.keyword_view("contains") is None or new.keyword_view("contains") is None:
        return
    before, after = old.lower_limit("min_contains"), new.lower_limit("min_contains")
    if before != after:
        yield _limit(new.keyword_pointer("minContains"), (before, after), "minContains", is_tighter=after > before)
    yield from _most(old, new, "maxContains", "max_contains")


def compare_entries(old: View, new: View) -> Iterator[Difference]:
    """Maps whose entries each restrict: `patternProperties`, and what depends on a property being there."""
    for word in MAP_KEYWORDS:
        before, after = (_entries(view, word) for view in (old, new))
        for name in sorted(after.keys() - before.keys()):
            yield _limit(after[name], (None, name), word, is_tighter=True)
        for name in sorted(before.keys() - after.keys()):
            yield _limit(before[name], (name, None), word, is_tighter=False)


def _entries(view: View, word: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for node in view.schemas:
        entries = node.keywords.get(word)
        if isinstance(entries, dict):
            found |= {str(name): f"{node.pointer}/{word}/{escape_token(str(name))}" for name in entries}
    return found


def compare_defaults(old: View, new: View) -> Iterator[Difference]:
    before, after = (_default(view) for view in (old, new))
    match before, after:
        case (None, None):
            return
        case (None, (pointer, value)):
            yield Difference(
                K.DEFAULT_ADDED, pointer, "it has a default now", None, value, always=FORWARD_ONLY, rule=Rule.ALWAYS
            )
        case ((pointer, value), None):
            yield Difference(
                K.DEFAULT_REMOVED,
                pointer,
                "it has no default any more",
                value,
                None,
                always=BACKWARD_ONLY,
                rule=Rule.ALWAYS,
            )
        case ((_, value), (pointer, other)) if not is_equal(value, other):
            yield Difference(K.DEFAULT_CHANGED, pointer, "its default is another one", value, other, rule=Rule.ALWAYS)
        case _:
            return


def _default(view: View) -> tuple[str, Json] | None:
    for node in view.schemas:
        if "default" in node.entries:
            return f"{node.pointer}/default", view.keyword_value("default")
    return None


def compare_annotations(old: View, new: View, words: Iterable[str]) -> Iterator[Difference]:
    for word in words:
        if word == "deprecated":
            yield from _deprecation(old, new)
        elif word in ANNOTATION_KEYWORDS or word.startswith("x-"):
            was, now = old.keyword_value(word), new.keyword_value(word)
            if not is_equal(was, now):
                pointer = _annotated(old if now is None else new, word)
                message = f"{word} is different"
                yield Difference(K.ANNOTATION_CHANGED, pointer, message, _short(was), _short(now), rule=Rule.NEVER)


def _deprecation(old: View, new: View) -> Iterator[Difference]:
    before, after = (any(node.entries.get("deprecated") is True for node in view.schemas) for view in (old, new))
    if before != after:
        message = "it is deprecated now" if after else "it is no longer deprecated"
        pointer = _annotated((new if after else old), "deprecated")
        yield Difference(K.DEPRECATED_CHANGED, pointer, message, before, after, rule=Rule.NEVER)


def _annotated(view: View, word: str) -> str:
    return next((f"{node.pointer}/{escape_token(word)}" for node in view.schemas if word in node.entries), view.pointer)


def _short(value: Json) -> Json:
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
    (compare_entries, frozenset(MAP_KEYWORDS)),
    (compare_defaults, frozenset({"default"})),
)


def compare_views(old: View, new: View) -> Iterator[Difference]:
    """What the comparers say of two views, each where one of its words differs; `""` is a schema without words."""
    words = _words(old, new)
    for comparer, triggers in COMPARERS:
        if not words.isdisjoint(triggers):
            yield from comparer(old, new)
    yield from compare_annotations(old, new, sorted(words))


def _words(old: View, new: View) -> set[str]:
    """The words of both views; where one schema speaks on either side, only those it does not say alike."""
    found = {word for view in (old, new) for node in view.schemas for word in node.entries or ("",)}
    match old.schemas, new.schemas:
        case (one,), (other,):
            return {word for word in found if not one.has_equal_keyword(other, word)}
        case _:
            return found
