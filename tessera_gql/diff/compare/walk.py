"""Walk the old and the new schema side by side and collect their differences."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import chain

from tessera_gql.diff.changes import ChangeKind
from tessera_gql.diff.compare.comparers import compare_views
from tessera_gql.diff.compare.routes import explore
from tessera_gql.diff.compare.unvisited import Visits, find_unvisited_differences
from tessera_gql.diff.differences import (
    BACKWARD,
    BOTH,
    FORWARD,
    Difference,
    ItemStep,
    OtherPropertyStep,
    PropertyNameStep,
    PropertyStep,
    SameValueStep,
    Step,
    digest_sides,
)
from tessera_gql.diff.messages import PRESENCE_MESSAGES, REQUIRED_NOTES, describe_count
from tessera_gql.diff.read.in_place import changed_properties, in_place_names
from tessera_gql.diff.read.schema import Schema, count_schemas
from tessera_gql.diff.read.view import View, describe_type, non_null_option
from tessera_gql.diff.values.json import Json, compute_digest
from tessera_gql.diff.values.json_types import OBJECT

Key = tuple[tuple[str, ...], tuple[str, ...], bool]
"""The pointers of a pair, and whether it is below a condition."""
MAX_PREFIX = 64
DEPENDENT = "dependentSchemas"
SUBSCHEMA_STEPS: dict[str, Step] = {
    "additionalProperties": OtherPropertyStep(),
    "unevaluatedProperties": OtherPropertyStep(),
    "unevaluatedItems": ItemStep(0),
    "propertyNames": PropertyNameStep(),
    "contains": ItemStep(0),
}

CONDITION_MESSAGES = {
    "not": "excluded values changed (not)",
    **{keyword: f"condition changed ({keyword})" for keyword in ("if", "then", "else")},
}


@dataclass
class ViewPair:
    """The old and the new view of a value, their differences, and the edges to pairs of its parts.

    `is_condition`: the value need not be valid under the views, because they are below a condition, such as `then`.
    What they accept is decided and reported where the condition is; only other differences are reported here.
    `equal_parts` are the parts that have the same text.
    """

    old: View
    new: View
    differences: list[Difference] = field(default_factory=list[Difference])
    edges: list[tuple[Step, Key]] = field(default_factory=list[tuple[Step, Key]])
    is_cut: bool = False
    is_condition: bool = False
    equal_parts: list["ViewPair"] = field(default_factory=list["ViewPair"])


def walk(old: Schema, new: Schema) -> dict[Key, ViewPair]:
    """Return all pairs of views that differ, the root first. Equal parts are not entered."""
    root = _make_pair(View((old,)), View((new,)))
    pairs = explore(root, _key, _visit, count_schemas(old, new))
    root.differences += find_unvisited_differences(old, new, *_visited_pointers(pairs.values()))
    return pairs


def _visited_pointers(pairs: Iterable[ViewPair]) -> tuple[Visits, Visits]:
    """Return the pointers that were visited, and those of parts that were equal, on both sides."""
    old, new = Visits(), Visits()
    for pair in pairs:
        for visits, view in ((old, pair.old), (new, pair.new)):
            visits.compared |= {node.pointer for node in view.schemas}
        for part in pair.equal_parts:
            old.equal |= {*part.old.pointers}
            new.equal |= {*part.new.pointers}
    return old, new


def _visit(pair: ViewPair) -> Iterator[tuple[Step, ViewPair]]:
    """Collect the differences of a pair; yield its parts."""
    pair.differences += compare_views(pair.old, pair.new)
    if pair.old.is_scalar and pair.new.is_scalar:
        return
    pair.differences += _property_differences(pair)
    pair.differences += _composition_differences(pair)
    for step, part in chain(_child_pairs(pair), _condition_pairs(pair)):
        part.is_condition = part.is_condition or pair.is_condition
        if _is_same(part):
            pair.equal_parts.append(part)
        else:
            yield step, part


def _key(pair: ViewPair) -> Key:
    return pair.old.pointers, pair.new.pointers, pair.is_condition


def _is_same(pair: ViewPair) -> bool:
    """Return whether both views have the same text without references."""
    old, new = pair.old.nodes, pair.new.nodes
    return len(old) == len(new) and all(
        left.identity is not None and left.identity == right.identity for left, right in zip(old, new, strict=True)
    )


def _make_pair(old: View, new: View) -> ViewPair:
    return ViewPair(_dereference(old), _dereference(new))


def _dereference(view: View) -> View:
    """Replace bare references by their targets."""
    return View(tuple(_dereference_node(node) for node in view.nodes))


def _dereference_node(node: Schema) -> Schema:
    for _ in range(50):
        target = node.target() if len(node.entries) == 1 else None
        if target is None:
            break
        node = target
    return node


def _child_pairs(pair: ViewPair) -> Iterator[tuple[Step, ViewPair]]:
    old, new = pair.old, pair.new
    for name, _, _ in changed_properties(old.properties, new.properties):
        yield PropertyStep(name), _make_pair(old.property(name), new.property(name))
    yield from _item_pairs(old, new)
    for keyword, step in SUBSCHEMA_STEPS.items():
        before, after = old.child_view(keyword), new.child_view(keyword)
        if before is not None and after is not None:
            yield step, _make_pair(before, after)
    left, right = _nodes_by_pattern(old), _nodes_by_pattern(new)
    for pattern in sorted(left.keys() & right.keys()):
        was, now = left[pattern].pattern_property(pattern), right[pattern].pattern_property(pattern)
        yield OtherPropertyStep(pattern), _make_pair(View((was,)), View((now,)))
    yield from _alternative_pairs(pair)


def _nodes_by_pattern(view: View) -> dict[str, Schema]:
    return {pattern: node for node in view.schemas for pattern in node.pattern_properties}


def _item_pairs(old: View, new: View) -> Iterator[tuple[Step, ViewPair]]:
    length = min(MAX_PREFIX, max(len(node.prefix_items) for view in (old, new) for node in view.schemas))
    for index in range(length + 1):
        before, after = _item_schemas(old, index), _item_schemas(new, index)
        if before and after:
            yield ItemStep(index), _make_pair(View(before), View(after))


def _item_schemas(view: View, index: int) -> tuple[Schema, ...]:
    return tuple(item for node in view.schemas if (item := node.item_schema(index)) is not None)


def _property_differences(pair: ViewPair) -> Iterator[Difference]:
    """Yield properties that only one side declares. Effects on declared paths are found separately."""
    old, new = pair.old, pair.new
    for kind, declaring, missing, directions in (
        (ChangeKind.PROPERTY_REMOVED, old, new, FORWARD),
        (ChangeKind.PROPERTY_ADDED, new, old, BACKWARD),
    ):
        names = [name for name in declaring.properties if name not in missing.properties]
        if not names:
            continue
        names_elsewhere = frozenset[str]().union(*(in_place_names(node)[0] for node in missing.nodes))
        allows_undeclared = _allows_undeclared(missing)
        for name in names:
            pointer = min(declaring.properties[name], key=lambda node: node.pointer).property_schema(name).pointer
            if name in names_elsewhere:
                moved, digest = "is declared in another branch now", digest_sides(old.digests, new.digests)
                yield Difference(
                    ChangeKind.COMPOSITION_CHANGED, pointer, moved, name=name, digest=digest, directions=BOTH
                )
                continue
            is_required = name in declaring.required
            declaration = declaring.property(name)
            summary: Json = {"type": describe_type(declaration), "required": is_required}
            before, after = (summary, None) if declaring is old else (None, summary)
            yield Difference(
                kind,
                pointer,
                PRESENCE_MESSAGES[kind] + (REQUIRED_NOTES[kind] if is_required else ""),
                before=before,
                after=after,
                name=name,
                digest=digest_sides(declaration.digests, None),
                directions=directions if is_required or allows_undeclared else frozenset(),
            )


def _allows_undeclared(view: View) -> bool:
    """Return whether producers may write properties that the view does not declare."""
    additional = [node.additional_properties for node in view.schemas if node.additional_properties is not None]
    if not view.types & OBJECT or any(node.is_false for node in additional):
        return False
    has_rule = additional or any(node.pattern_properties or node.has_unevaluated for node in view.schemas)
    return bool(has_rule) or not view.properties


def _composition_differences(pair: ViewPair) -> Iterator[Difference]:
    for keyword in ("anyOf", "oneOf"):
        match _alternative_groups(pair.old, keyword), _alternative_groups(pair.new, keyword):
            case [before], [after]:
                removed, added = _find_unmatched(before.children(keyword), after.children(keyword))
                sides = (removed, before, BACKWARD, "removed"), (added, after, FORWARD, "added")
                for nodes, parent, directions, verb in sides:
                    if nodes:
                        difference = _composition_difference(
                            parent, keyword, describe_count(nodes, "alternative", verb)
                        )
                        difference.directions = directions if keyword == "anyOf" else BOTH
                        difference.digest = digest_sides(verb, View(tuple(nodes)).digests)
                        yield difference
            case old_groups, new_groups if _sorted_keys(old_groups, keyword) != _sorted_keys(new_groups, keyword):
                message = f"alternatives changed ({keyword})"
                difference = _composition_difference((new_groups or old_groups)[0], keyword, message)
                difference.digest = digest_sides(
                    *(_digest_groups(groups, keyword) for groups in (old_groups, new_groups))
                )
                yield difference
            case _:
                pass
    for keyword, message in CONDITION_MESSAGES.items():
        was, now = pair.old.child_view(keyword), pair.new.child_view(keyword)
        if (was and was.keys) != (now and now.keys):
            view = pair.new if now else pair.old
            digest = digest_sides(*(_digest_condition(view, keyword) for view in (pair.old, pair.new)))
            pointer = view.pointer_to(keyword)
            yield Difference(ChangeKind.COMPOSITION_CHANGED, pointer, message, digest=digest, directions=BOTH)


def _condition_pairs(pair: ViewPair) -> Iterator[tuple[Step, ViewPair]]:
    """Yield the pairs of schemas that apply to the value under a condition, or with others beside them."""
    old, new = _conditional_views(pair.old), _conditional_views(pair.new)
    views = [(old[name], new[name]) for name in old if name in new]
    for keyword in ("anyOf", "oneOf"):
        before, after = _alternative_groups(pair.old, keyword), _alternative_groups(pair.new, keyword)
        if len(before) > 1 or len(after) > 1:
            views += _pair_across_groups(before, after, keyword)
    for was, now in views:
        part = _make_pair(was, now)
        part.is_condition = True
        yield SameValueStep(), part


def _conditional_views(view: View) -> dict[tuple[str, str], View]:
    """Map the keywords, and the names of properties that `dependentSchemas` depends on, to the views of a condition."""
    views = {(keyword, ""): child for keyword in CONDITION_MESSAGES if (child := view.child_view(keyword))}
    for node in view.schemas:
        for name, schema in node.dependent_schemas():
            dependent = views.get((DEPENDENT, name), View(()))
            views[DEPENDENT, name] = View((*dependent.nodes, schema))
    return views


def _pair_across_groups(old: list[Schema], new: list[Schema], keyword: str) -> list[tuple[View, View]]:
    """Return the alternatives of several groups in pairs: those of equal meaning first, the remaining ones in order."""
    before, after = (tuple(branch for node in side for branch in node.children(keyword)) for side in (old, new))
    pairs = (*_equal_pairs(before, after), *zip(*_remove_equal(before, after), strict=False))
    return [(View((was,)), View((now,))) for was, now in pairs]


def _digest_condition(view: View, keyword: str) -> list[Json]:
    """Return the digests of what is excluded, or of a condition together with what follows from it."""
    keywords = ("not",) if keyword == "not" else ("if", "then", "else")
    return [view.digests_of(item) for item in keywords]


def _composition_difference(node: Schema, keyword: str, message: str) -> Difference:
    return Difference(ChangeKind.COMPOSITION_CHANGED, f"{node.pointer}/{keyword}", message, directions=BOTH)


def _digest_groups(nodes: list[Schema], keyword: str) -> list[Json]:
    return [*sorted(compute_digest(View(node.children(keyword)).digests) for node in nodes)]


def _sorted_keys(nodes: list[Schema], keyword: str) -> list[list[int]]:
    return [sorted(branch.key for branch in node.children(keyword)) for node in nodes]


def _alternative_groups(view: View, keyword: str) -> list[Schema]:
    """Return the parts with alternatives, except those that mean "this or null"."""
    return [node for node in view.schemas if keyword in node.keywords and non_null_option(node, keyword) is None]


def _find_unmatched(old: tuple[Schema, ...], new: tuple[Schema, ...]) -> tuple[list[Schema], list[Schema]]:
    """Return the alternatives without a partner after equal ones are removed and the others paired in order."""
    before, after = _remove_equal(old, new)
    return before[len(after) :], after[len(before) :]


def _remove_equal(old: tuple[Schema, ...], new: tuple[Schema, ...]) -> tuple[list[Schema], list[Schema]]:
    shared_keys = {node.key for node in old} & {node.key for node in new}
    return [node for node in old if node.key not in shared_keys], [node for node in new if node.key not in shared_keys]


def _alternative_pairs(pair: ViewPair) -> Iterator[tuple[Step, ViewPair]]:
    """Yield the alternatives of the same meaning in pairs, for their annotations, and the remaining ones in order."""
    for keyword in ("anyOf", "oneOf"):
        match _alternative_groups(pair.old, keyword), _alternative_groups(pair.new, keyword):
            case [before], [after]:
                old, new = before.children(keyword), after.children(keyword)
                for was, now in (*_equal_pairs(old, new), *zip(*_remove_equal(old, new), strict=False)):
                    yield SameValueStep(), _make_pair(View((was,)), View((now,)))
            case _:
                pass


def _equal_pairs(old: tuple[Schema, ...], new: tuple[Schema, ...]) -> Iterator[tuple[Schema, Schema]]:
    """Yield the alternatives of the same meaning in pairs; those that differ in annotations alone in order."""
    partners: dict[int, list[Schema]] = {}
    for node in reversed(new):
        partners.setdefault(node.key, []).append(node)
    for node in old:
        if remaining := partners.get(node.key):
            yield node, remaining.pop()
