"""Declared field paths: what one side declares and the other does not. Breaking whatever values either side accepts."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import cast

from tessera_gql.diff.declared import Declared, by_name, changed, in_place, in_place_unshared
from tessera_gql.diff.drafts import Index, Name, Other, Step
from tessera_gql.diff.routes import follow
from tessera_gql.diff.schema import Schema, Words, size

Key = tuple[frozenset[int], frozenset[int]]
Around = Callable[[Schema], tuple[Schema, ...]]


@dataclass
class State:
    """All subschemas that speak about one value, on both sides."""

    old: list[Schema]
    new: list[Schema]
    gone: list[tuple[str, Schema]] = field(default_factory=list[tuple[str, Schema]])
    come: list[tuple[str, Schema]] = field(default_factory=list[tuple[str, Schema]])
    edges: list[tuple[Step, Key]] = field(default_factory=list[tuple[Step, Key]])
    is_cut: bool = False


def states(old: Schema, new: Schema, around: Around = in_place) -> dict[Key, State]:
    """Every place where the declared paths may part, the root first."""

    def parted(state: State) -> Iterator[tuple[Step, State]]:
        before, after = by_name(state.old), by_name(state.new)
        state.gone = [(name, _first(nodes, name)) for name, nodes in before.items() if name not in after]
        state.come = [(name, _first(nodes, name)) for name, nodes in after.items() if name not in before]
        for step, left, right in _children(state, before, after):
            yield step, _state(left, right, around)

    return follow(_state([old], [new], around), _key, parted, size(old, new))


def _state(old: list[Schema], new: list[Schema], around: Around) -> State:
    return State(_around(old, around), _around(new, around))


def _around(nodes: list[Schema], around: Around) -> list[Schema]:
    return [*{id(each): each for node in nodes for each in around(node)}.values()]


def _key(state: State) -> Key:
    return frozenset(map(id, state.old)), frozenset(map(id, state.new))


def _first(nodes: tuple[Schema, ...], name: str) -> Schema:
    return min(nodes, key=lambda node: node.at).named(name)


def _children(state: State, before: Declared, after: Declared) -> Iterator[tuple[Step, list[Schema], list[Schema]]]:
    for name, nodes, others in changed(before, after):
        if not all(_is_plain(each.properties[name]) for each in (*nodes, *others)):
            yield Name(name), [node.named(name) for node in nodes], [node.named(name) for node in others]
    for step, select in ((Index(0), _items), (Other(), _others)):
        left, right = ([each for node in side for each in select(node)] for side in (state.old, state.new))
        if left or right:
            yield step, left, right


def _items(node: Schema) -> Iterator[Schema]:
    yield from node.prefix
    if node.rest is not None:
        yield node.rest


def _others(node: Schema) -> Iterator[Schema]:
    yield from (node.pattern_property(pattern) for pattern in node.patterns)
    if node.extra is not None:
        yield node.extra


def _is_plain(raw: object) -> bool:
    return PLAIN.issuperset(cast("Words", raw)) if isinstance(raw, dict) else True


PLAIN = frozenset(
    [
        "type",
        "enum",
        "const",
        "minimum",
        "maximum",
        "exclusiveMinimum",
        "exclusiveMaximum",
        "multipleOf",
        "minLength",
        "maxLength",
        "pattern",
        "format",
        "title",
        "description",
        "default",
        "examples",
        "deprecated",
        "nullable",
        "readOnly",
        "writeOnly",
        "$comment",
    ]
)


def spelled_out(old: Schema, new: Schema) -> dict[Key, State]:
    """The same, where a definition that several places share is not entered.

    Fields that were spelled out and now come from a shared definition, or the other way round, are the same fields; but
    what declared paths are is read both ways by those who check contracts, and of two readings the stricter is safe.
    """
    return states(old, new, in_place_unshared)
