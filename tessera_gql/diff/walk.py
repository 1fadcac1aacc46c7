"""The structural walk: old and new side by side, every value both describe, and what each comparer says there."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from tessera_gql.diff.changes import ChangeKind, Mode
from tessera_gql.diff.comparers import BACK, BOTH, FORTH, compared
from tessera_gql.diff.declared import changed, names_in_place
from tessera_gql.diff.drafts import AnyName, Draft, Here, Index, Name, Other, Step
from tessera_gql.diff.json import Json
from tessera_gql.diff.kinds import OBJECT
from tessera_gql.diff.routes import follow
from tessera_gql.diff.schema import Schema, size
from tessera_gql.diff.view import View, describe, or_null

Key = tuple[tuple[str, ...], tuple[str, ...]]
MAX_PREFIX = 64


@dataclass
class Spot:
    """Two views of one value, what differs, and where its parts lie."""

    old: View
    new: View
    drafts: list[Draft] = field(default_factory=list[Draft])
    edges: list[tuple[Step, Key]] = field(default_factory=list[tuple[Step, Key]])
    is_cut: bool = False


def walk(old: Schema, new: Schema) -> dict[Key, Spot]:
    """Every pair of views that differ, the root first. Parts that are equal are not entered."""
    return follow(_spot(View((old,)), View((new,))), _key, _compared, size(old, new))


def _compared(spot: Spot) -> Iterator[tuple[Step, Spot]]:
    """Notes what differs here; yields the parts that are to be compared in turn."""
    spot.drafts += compared(spot.old, spot.new)
    if spot.old.is_scalar and spot.new.is_scalar:
        return
    spot.drafts += _properties(spot)
    spot.drafts += _composition(spot)
    yield from ((step, part) for step, part in _parts(spot) if not _is_same(part))


def _key(spot: Spot) -> Key:
    return spot.old.place, spot.new.place


def _is_same(spot: Spot) -> bool:
    """Word for word, with no reference in it."""
    old, new = spot.old.nodes, spot.new.nodes
    return len(old) == len(new) and all(
        left.number is not None and left.number == right.number for left, right in zip(old, new, strict=True)
    )


def _spot(old: View, new: View) -> Spot:
    return Spot(_bare(old), _bare(new))


def _bare(view: View) -> View:
    """References that say nothing else are what they lead to."""
    return View(tuple(_followed(node) for node in view.nodes))


def _followed(node: Schema) -> Schema:
    for _ in range(50):
        target = node.target() if len(node.entries) == 1 else None
        if target is None:
            break
        node = target
    return node


def _parts(spot: Spot) -> Iterator[tuple[Step, Spot]]:
    old, new = spot.old, spot.new
    for name, _, _ in changed(old.properties, new.properties):
        yield Name(name), _spot(old.property(name), new.property(name))
    yield from _items(old, new)
    for step, word in ((Other(), "additionalProperties"), (AnyName(), "propertyNames"), (Index(0), "contains")):
        before, after = old.together(word), new.together(word)
        if before is not None and after is not None:
            yield step, _spot(before, after)
    left, right = ({pattern: node for node in view.schemas for pattern in node.patterns} for view in (old, new))
    for pattern in sorted(left.keys() & right.keys()):
        was, now = (View((each[pattern].pattern_property(pattern),)) for each in (left, right))
        yield Other(pattern), _spot(was, now)
    yield from _branches(spot)


def _items(old: View, new: View) -> Iterator[tuple[Step, Spot]]:
    size = min(MAX_PREFIX, max(len(node.prefix) for view in (old, new) for node in view.schemas))
    for index in range(size + 1):
        before, after = _item(old, index), _item(new, index)
        if before and after:
            yield Index(index), _spot(View(before), View(after))


def _item(view: View, index: int) -> tuple[Schema, ...]:
    found = (node.prefix[index] if index < len(node.prefix) else node.rest for node in view.schemas)
    return tuple(each for each in found if each is not None)


def _properties(spot: Spot) -> Iterator[Draft]:
    """Properties that only one side declares; what that means for declared paths is told by `paths`."""
    old, new = spot.old, spot.new
    for kind, one, other, content, verb in (
        (ChangeKind.PROPERTY_REMOVED, old, new, FORTH, "it is gone"),
        (ChangeKind.PROPERTY_ADDED, new, old, BACK, "it is new"),
    ):
        names = [name for name in one.properties if name not in other.properties]
        if not names:
            continue
        elsewhere = frozenset[str]().union(*(names_in_place(node)[0] for node in other.nodes))
        admits = _admits_others(other)
        for name in names:
            where = min(one.properties[name], key=lambda node: node.at).named(name).at
            if name in elsewhere:
                message = "it is declared in another branch now"
                yield Draft(ChangeKind.COMPOSITION_CHANGED, where, message, name=name, content=BOTH)
                continue
            is_required = name in one.required
            shown: Json = {"type": describe(one.property(name)), "required": is_required}
            before, after = (shown, None) if one is old else (None, shown)
            yield Draft(
                kind,
                where,
                verb + (" and required" if is_required else ""),
                before=before,
                after=after,
                name=name,
                content=content if is_required or admits else frozenset(),
            )


def _admits_others(view: View) -> bool:
    """Whether producers of the view may write properties it does not declare."""
    if not view.types & OBJECT or any(node.extra is not None and node.extra.is_false for node in view.schemas):
        return False
    said = any(node.extra is not None or node.patterns or node.has_unevaluated for node in view.schemas)
    return said or not view.properties


def _composition(spot: Spot) -> Iterator[Draft]:
    for word in ("anyOf", "oneOf"):
        match _groups(spot.old, word), _groups(spot.new, word):
            case [before], [after]:
                gone, come = _unmatched(before.children(word), after.children(word))
                if gone:
                    content = BACK if word == "anyOf" else BOTH
                    yield _composed(before, word, f"{_alternatives(gone)} gone", content)
                if come:
                    content = FORTH if word == "anyOf" else BOTH
                    yield _composed(after, word, f"{_alternatives(come)} new", content)
            case some, others if [_keys(node, word) for node in some] != [_keys(node, word) for node in others]:
                yield _composed((others or some)[0], word, f"{word} is different", BOTH)
            case _:
                pass
    for word in ("not", "if", "then", "else"):
        was, now = spot.old.together(word), spot.new.together(word)
        if (was and was.keys) != (now and now.keys):
            view = spot.new if now else spot.old
            yield Draft(ChangeKind.COMPOSITION_CHANGED, view.where(word), f"{word} is different", content=BOTH)


def _composed(node: Schema, word: str, message: str, content: frozenset[Mode]) -> Draft:
    return Draft(ChangeKind.COMPOSITION_CHANGED, f"{node.at}/{word}", message, content=content)


def _alternatives(nodes: list[Schema]) -> str:
    return "1 alternative is" if len(nodes) == 1 else f"{len(nodes)} alternatives are"


def _keys(node: Schema, word: str) -> list[int]:
    return sorted(each.key for each in node.children(word))


def _groups(view: View, word: str) -> list[Schema]:
    """The parts that offer alternatives; "this or null" is not one."""
    return [node for node in view.schemas if word in node.words and or_null(node, word) is None]


def _unmatched(old: tuple[Schema, ...], new: tuple[Schema, ...]) -> tuple[list[Schema], list[Schema]]:
    """Alternatives without a partner: beyond the shorter list once equal ones are set aside."""
    before, after = _set_aside(old, new)
    return before[len(after) :], after[len(before) :]


def _set_aside(old: tuple[Schema, ...], new: tuple[Schema, ...]) -> tuple[list[Schema], list[Schema]]:
    same = {node.key for node in old} & {node.key for node in new}
    return [node for node in old if node.key not in same], [node for node in new if node.key not in same]


def _branches(spot: Spot) -> Iterator[tuple[Step, Spot]]:
    """Alternatives in pairs, in order."""
    for word in ("anyOf", "oneOf"):
        match _groups(spot.old, word), _groups(spot.new, word):
            case [before], [after]:
                pairs = zip(*_set_aside(before.children(word), after.children(word)), strict=False)
                yield from ((Here(), _spot(View((left,)), View((right,)))) for left, right in pairs)
            case _:
                pass
