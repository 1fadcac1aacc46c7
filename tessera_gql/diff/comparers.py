"""One comparer per keyword: what it says about two views of a value, as drafts. A new rule is a function here."""

from collections.abc import Callable, Iterable, Iterator
from fractions import Fraction

from tessera_gql.diff.changes import ChangeKind, Mode
from tessera_gql.diff.drafts import Draft, Rule
from tessera_gql.diff.json import Json, escaped, exact, same
from tessera_gql.diff.kinds import EVERY, NULL
from tessera_gql.diff.regex import Language, example
from tessera_gql.diff.schema import Bound, Number
from tessera_gql.diff.view import View, describe, type_names

K = ChangeKind
BACK, FORTH = frozenset({Mode.BACKWARD}), frozenset({Mode.FORWARD})
BOTH = BACK | FORTH
Comparer = Callable[[View, View], Iterator[Draft]]
ANNOTATIONS = frozenset(
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
CLOSING = ("additionalProperties", "unevaluatedProperties")
OPENING = ("additionalItems", "items", "propertyNames", "contains", "unevaluatedItems")
NAMED = ("patternProperties", "dependentRequired", "dependentSchemas", "dependencies")
SHOWN = 200
COUNTS = {"minLength": "min_length", "minItems": "min_items", "minProperties": "min_properties"}
LIMITS = {"maxLength": "max_length", "maxItems": "max_items", "maxProperties": "max_properties"}


def types(old: View, new: View) -> Iterator[Draft]:
    before, after = old.types, new.types
    if before == after:
        return
    plain = before & ~NULL, after & ~NULL
    had, has = bool(before & NULL), bool(after & NULL)
    if had != has and all(plain) and EVERY not in (before, after):
        if has:
            yield Draft(K.NULLABLE_ADDED, new.where("type"), "null is allowed now", had, has, content=FORTH)
        else:
            yield Draft(K.NULLABLE_REMOVED, old.where("type"), "null is no longer allowed", had, has, content=BACK)
        before, after = plain
    if before != after:
        yield _type_draft(before, after, old, new)


def _type_draft(before: int, after: int, old: View, new: View) -> Draft:
    kind, content = K.TYPE_CHANGED, BOTH
    if before & after == before:
        kind, content = K.TYPE_WIDENED, FORTH
    elif before & after == after:
        kind, content = K.TYPE_NARROWED, BACK
    shown: list[Json] = [list[Json](type_names(mask)) if mask != EVERY else None for mask in (before, after)]
    message = f"the type was {describe(old)} and is {describe(new)}"
    return Draft(kind, new.where("type"), message, shown[0], shown[1], content=content)


def enums(old: View, new: View) -> Iterator[Draft]:
    before, after = old.enum, new.enum
    if before is None and after is not None:
        yield Draft(
            K.ENUM_VALUES_REMOVED, new.where("enum"), "any value was allowed, now only those listed", content=BACK
        )
    elif after is None and before is not None:
        yield Draft(K.ENUM_VALUES_ADDED, old.where("enum"), "only listed values were allowed, now any", content=FORTH)
    elif before is not None and after is not None:
        gone = [value for key, value in before.items() if key not in after]
        come = [value for key, value in after.items() if key not in before]
        word = "enum" if any("enum" in node.words for node in new.schemas) else "const"
        if gone:
            yield Draft(
                K.ENUM_VALUES_REMOVED, new.where(word), f"{_count(gone)} no longer allowed", before=gone, content=BACK
            )
        if come:
            yield Draft(K.ENUM_VALUES_ADDED, new.where(word), f"{_count(come)} allowed now", after=come, content=FORTH)


def _count(values: list[Json]) -> str:
    return "1 value is" if len(values) == 1 else f"{len(values)} values are"


def bounds(old: View, new: View) -> Iterator[Draft]:
    for words, before, after, sign in (
        (("minimum", "exclusiveMinimum"), old.low, new.low, 1),
        (("maximum", "exclusiveMaximum"), old.high, new.high, -1),
    ):
        if before != after:
            where = next((new.where(word) for word in words if new.says(word) is not None), old.where(words[0]))
            limits = [_rank(bound, sign) for bound in (before, after)]
            yield _limit(where, (_shown(before), _shown(after)), words[0], is_tighter=limits[1] > limits[0])


def _rank(bound: Bound | None, sign: int) -> tuple[Number, ...]:
    """The tighter the bound, the higher."""
    return () if bound is None else (sign * bound.value, bound.is_open)


def _shown(bound: Bound | None) -> Json:
    if bound is None:
        return None
    value = exact(bound.value)
    return {"exclusive": value} if bound.is_open else value


def _limit(where: str, shown: tuple[Json, Json], word: str, *, is_tighter: bool) -> Draft:
    before, after = shown
    verb = "is tighter than before" if is_tighter else "is looser than before"
    return Draft(
        K.CONSTRAINT_TIGHTENED if is_tighter else K.CONSTRAINT_RELAXED,
        where,
        f"{word} {verb}",
        before,
        after,
        content=BACK if is_tighter else FORTH,
    )


def counts(old: View, new: View) -> Iterator[Draft]:
    for word, attribute in COUNTS.items():
        before, after = old.least(attribute), new.least(attribute)
        if before != after:
            where = (new if after else old).where(word)
            yield _limit(where, (before or None, after or None), word, is_tighter=after > before)
    for word, attribute in LIMITS.items():
        yield from _most(old, new, word, attribute)


def _most(old: View, new: View, word: str, attribute: str) -> Iterator[Draft]:
    before, after = old.most(attribute), new.most(attribute)
    if before != after:
        is_tighter = before is None or (after is not None and after < before)
        yield _limit((old if after is None else new).where(word), (before, after), word, is_tighter=is_tighter)


def multiples(old: View, new: View) -> Iterator[Draft]:
    before, after = old.multiples, new.multiples
    if before == after:
        return
    finer = _all_divide(after, before), _all_divide(before, after)
    kind, content = {
        (True, False): (K.CONSTRAINT_RELAXED, FORTH),
        (False, True): (K.CONSTRAINT_TIGHTENED, BACK),
    }.get(finer, (K.CONSTRAINT_CHANGED, BOTH))
    where = (new if after else old).where("multipleOf")
    limits = [exact(min(steps)) if steps else None for steps in (before, after)]
    yield Draft(kind, where, "multipleOf is different", limits[0], limits[1], content=content)


def _all_divide(steps: frozenset[Number], others: frozenset[Number]) -> bool:
    """Whether multiples of all `others` are multiples of all `steps`."""
    return all(any((Fraction(other) / Fraction(step)).denominator == 1 for other in others) for step in steps)


def patterns(old: View, new: View) -> Iterator[Draft]:
    before = {node.pattern for node in old.schemas if node.pattern is not None}
    after = {node.pattern for node in new.schemas if node.pattern is not None}
    if before == after:
        return
    is_narrower, is_wider = _implied(before, after), _implied(after, before)
    kind, content = K.CONSTRAINT_CHANGED, BOTH
    if is_wider and not is_narrower:
        kind, content = K.CONSTRAINT_TIGHTENED, BACK
    elif is_narrower and not is_wider:
        kind, content = K.CONSTRAINT_RELAXED, FORTH
    was, now = (", ".join(sorted(each))[:SHOWN] or None for each in (before, after))
    where = (new if after else old).where("pattern")
    yield Draft(kind, where, "the pattern is different", was, now, content=content)


def _implied(given: set[str], wanted: set[str]) -> bool:
    """Proven: what matches all of `given` matches all of `wanted`."""
    return all(example(Language(frozenset(given), frozenset({each}))) is False for each in wanted)


def formats(old: View, new: View) -> Iterator[Draft]:
    before, after = old.says("format"), new.says("format")
    if not same(before, after):
        where = (old if after is None else new).where("format")
        yield Draft(
            K.FORMAT_CHANGED, where, "the format is different; formats are not checked", before, after, rule=Rule.ALWAYS
        )


def uniqueness(old: View, new: View) -> Iterator[Draft]:
    before, after = any(node.unique for node in old.schemas), any(node.unique for node in new.schemas)
    if before != after:
        yield _limit((new if after else old).where("uniqueItems"), (before, after), "uniqueItems", is_tighter=after)


def required(old: View, new: View) -> Iterator[Draft]:
    """Names that become or cease to be required; for a property that comes or goes its own change says it."""
    for name in new.required.keys() - old.required.keys():
        if name not in new.properties or name in old.properties:
            where = f"{new.required[name].at}/required"
            yield Draft(K.REQUIRED_ADDED, where, "it is required now", name=name, content=BACK)
    for name in old.required.keys() - new.required.keys():
        if name not in old.properties or name in new.properties:
            where = f"{old.required[name].at}/required"
            yield Draft(K.REQUIRED_REMOVED, where, "it is no longer required", name=name, content=FORTH)


def closing(old: View, new: View) -> Iterator[Draft]:
    """Other properties allowed or not. Judged in the open: undeclared, but readers were told to expect them."""
    for word in CLOSING:
        before, after = old.together(word), new.together(word)
        closed = [each is not None and any(node.is_false for node in each.nodes) for each in (before, after)]
        if closed[0] != closed[1]:
            where = (new if closed[1] else old).where(word)
            draft = _limit(where, (not closed[0], not closed[1]), word, is_tighter=closed[1])
            draft.rule = Rule.OPEN
            yield draft
        elif (before is None) != (after is None):
            yield _limit((old if after is None else new).where(word), (None, None), word, is_tighter=after is not None)
    for word in OPENING:
        before, after = old.together(word), new.together(word)
        if (before is None) != (after is None):
            yield _limit((old if after is None else new).where(word), (None, None), word, is_tighter=after is not None)


def contains(old: View, new: View) -> Iterator[Draft]:
    if old.together("contains") is None or new.together("contains") is None:
        return
    before, after = old.least("min_contains"), new.least("min_contains")
    if before != after:
        yield _limit(new.where("minContains"), (before, after), "minContains", is_tighter=after > before)
    yield from _most(old, new, "maxContains", "max_contains")


def named_rules(old: View, new: View) -> Iterator[Draft]:
    """Maps whose entries each restrict: `patternProperties`, and what depends on a property being there."""
    for word in NAMED:
        before, after = (_entries(view, word) for view in (old, new))
        for name in sorted(after.keys() - before.keys()):
            yield _limit(after[name], (None, name), word, is_tighter=True)
        for name in sorted(before.keys() - after.keys()):
            yield _limit(before[name], (name, None), word, is_tighter=False)


def _entries(view: View, word: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for node in view.schemas:
        entries = node.words.get(word)
        if isinstance(entries, dict):
            found |= {str(name): f"{node.at}/{word}/{escaped(str(name))}" for name in entries}
    return found


def defaults(old: View, new: View) -> Iterator[Draft]:
    before, after = (_default(view) for view in (old, new))
    match before, after:
        case (None, None):
            return
        case (None, (where, value)):
            yield Draft(K.DEFAULT_ADDED, where, "it has a default now", None, value, always=FORTH, rule=Rule.ALWAYS)
        case ((where, value), None):
            yield Draft(
                K.DEFAULT_REMOVED, where, "it has no default any more", value, None, always=BACK, rule=Rule.ALWAYS
            )
        case ((_, value), (where, other)) if not same(value, other):
            yield Draft(K.DEFAULT_CHANGED, where, "its default is another one", value, other, rule=Rule.ALWAYS)
        case _:
            return


def _default(view: View) -> tuple[str, Json] | None:
    for node in view.schemas:
        if "default" in node.entries:
            return f"{node.at}/default", view.says("default")
    return None


def annotations(old: View, new: View, words: Iterable[str]) -> Iterator[Draft]:
    for word in words:
        if word == "deprecated":
            yield from _deprecation(old, new)
        elif word in ANNOTATIONS or word.startswith("x-"):
            was, now = old.says(word), new.says(word)
            if not same(was, now):
                where = _annotated(old if now is None else new, word)
                message = f"{word} is different"
                yield Draft(K.ANNOTATION_CHANGED, where, message, _short(was), _short(now), rule=Rule.NEVER)


def _deprecation(old: View, new: View) -> Iterator[Draft]:
    before, after = (any(node.entries.get("deprecated") is True for node in view.schemas) for view in (old, new))
    if before != after:
        message = "it is deprecated now" if after else "it is no longer deprecated"
        where = _annotated((new if after else old), "deprecated")
        yield Draft(K.DEPRECATED_CHANGED, where, message, before, after, rule=Rule.NEVER)


def _annotated(view: View, word: str) -> str:
    return next((f"{node.at}/{escaped(word)}" for node in view.schemas if word in node.entries), view.at)


def _short(value: Json) -> Json:
    if isinstance(value, str):
        return value if len(value) <= SHOWN else value[:SHOWN] + "…"
    return None if isinstance(value, list | dict) else value


COMPARERS: tuple[tuple[Comparer, frozenset[str]], ...] = (
    (types, frozenset({"type", "enum", "const", "anyOf", "oneOf", "nullable", ""})),
    (enums, frozenset({"enum", "const"})),
    (bounds, frozenset({"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"})),
    (counts, frozenset({*COUNTS, *LIMITS})),
    (multiples, frozenset({"multipleOf"})),
    (patterns, frozenset({"pattern"})),
    (formats, frozenset({"format"})),
    (uniqueness, frozenset({"uniqueItems"})),
    (required, frozenset({"required"})),
    (closing, frozenset({*CLOSING, *OPENING})),
    (contains, frozenset({"contains", "minContains", "maxContains"})),
    (named_rules, frozenset(NAMED)),
    (defaults, frozenset({"default"})),
)


def compared(old: View, new: View) -> Iterator[Draft]:
    """What the comparers say of two views, each where one of its words differs; `""` is a schema without words."""
    words = _words(old, new)
    for comparer, triggers in COMPARERS:
        if not words.isdisjoint(triggers):
            yield from comparer(old, new)
    yield from annotations(old, new, sorted(words))


def _words(old: View, new: View) -> set[str]:
    """The words of both views; where one schema speaks on either side, only those it does not say alike."""
    found = {word for view in (old, new) for node in view.schemas for word in node.entries or ("",)}
    match old.schemas, new.schemas:
        case (one,), (other,):
            return {word for word in found if not one.says_alike(other, word)}
        case _:
            return found
