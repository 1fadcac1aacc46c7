"""What a value's schema declares in place: through references and every branch, not inside its properties."""

from collections.abc import Iterator, Sequence

from tessera_gql.diff.kinds import SCALAR_KEYWORDS
from tessera_gql.diff.schema import Schema

IN_PLACE = ("allOf", "anyOf", "oneOf")
PLAIN = SCALAR_KEYWORDS | {"properties", "items", "required", "additionalProperties", "patternProperties"}
"""Words that hold no schema for the same value."""


def in_place_schemas(node: Schema) -> tuple[Schema, ...]:
    """The node and every subschema that speaks about the same value, `not` aside."""
    if node.in_place_cache is None:
        node.in_place_cache = _collect_in_place(node, enters_shared=True)
    return node.in_place_cache


def unshared_in_place_schemas(node: Schema) -> tuple[Schema, ...]:
    """The same without definitions that several references lead to."""
    if node.unshared_cache is None:
        node.unshared_cache = _collect_in_place(node, enters_shared=False)
    return node.unshared_cache


def _collect_in_place(node: Schema, *, enters_shared: bool) -> tuple[Schema, ...]:
    found: dict[int, Schema] = {}
    stack = [node]
    while stack:
        each = stack.pop()
        if id(each) in found:
            continue
        found[id(each)] = each
        if not PLAIN.issuperset(each.keywords):
            stack.extend(reversed(_in_place_children(each, enters_shared=enters_shared)))
    return tuple(found.values())


def _in_place_children(node: Schema, *, enters_shared: bool) -> list[Schema]:
    inside = [each for word in IN_PLACE if word in node.keywords for each in node.children(word)]
    inside += [each for word in ("if", "then", "else") if (each := node.child(word)) is not None]
    inside += [schema for _, schema in node.dependent_schemas()]
    target = node.target()
    if target is None or (target.is_shared and not enters_shared):
        return inside
    return [target, *inside]


def in_place_names(node: Schema) -> tuple[frozenset[str], frozenset[str]]:
    """Declared property names and name patterns."""
    if node.names_cache is None:
        nodes = in_place_schemas(node)
        node.names_cache = (
            frozenset(name for each in nodes for name in each.properties),
            frozenset(pattern for each in nodes for pattern in each.pattern_properties),
        )
    return node.names_cache


OPENING_KEYWORDS = frozenset(
    ["additionalProperties", "patternProperties", "propertyNames", "maxProperties", "unevaluatedProperties"]
)


def producer_names(node: Schema) -> frozenset[str] | None:
    """The names a producer may write where nothing is said about others; None where some word is about others.

    What `not` and `if` ask may have to fail, so what they name may have to be there; so may others, where they speak
    about those. A reference that only the reading decides may declare any name.
    """
    if node.producer_names_cache is None:
        names, patterns = in_place_names(node)
        asked = conditional_schemas(node)
        is_open = bool(patterns) or any(each.is_opaque for each in in_place_schemas(node))
        is_open = is_open or any(each.is_opaque or not OPENING_KEYWORDS.isdisjoint(each.keywords) for each in asked)
        more = (name for each in asked for name in (*each.properties, *each.dependent_names))
        node.producer_names_cache = (None if is_open else names.union(more),)
    return node.producer_names_cache[0]


def conditional_schemas(node: Schema) -> list[Schema]:
    """The subschemas about the same value below `not` and `if`, which a value may have to obey or to break."""
    found: dict[int, Schema] = {}
    stack = [node]
    while stack:
        for each in in_place_schemas(stack.pop()):
            for asked in map(each.child, ("not", "if")):
                if asked is not None and id(asked) not in found:
                    found |= {id(below): below for below in in_place_schemas(asked)}
                    stack.append(asked)
    return [*found.values()]


DeclaredProperties = dict[str, tuple[Schema, ...]]


def declared_properties(nodes: Sequence[Schema]) -> DeclaredProperties:
    """Each declared property and who declares it."""
    if len(nodes) == 1:
        return dict.fromkeys(nodes[0].properties, (nodes[0],))
    found: DeclaredProperties = {}
    for node in nodes:
        for name in node.properties:
            found[name] = (*found.get(name, ()), node)
    return found


def changed_properties(
    before: DeclaredProperties, after: DeclaredProperties
) -> Iterator[tuple[str, tuple[Schema, ...], tuple[Schema, ...]]]:
    """Properties of both sides, but for those one schema declares on either side and both with the same text."""
    for name, nodes in before.items():
        others = after.get(name)
        if others is None:
            continue
        match nodes, others:
            case (node,), (other,) if name in node.unchanged_properties(other):
                pass
            case _:
                yield name, nodes, others


def has_cycle(root: Schema) -> bool:
    """Whether some schema of the document speaks, through others, about the value it is asked about once more."""
    done: set[str] = set()
    for pointer, raw in root.document.schemas.items():
        open_ones: set[str] = set()
        stack: list[tuple[Schema, bool]] = [(root.space.node(root.document, raw, pointer), False)]
        while stack:
            node, is_left = stack.pop()
            if is_left:
                open_ones.discard(node.pointer)
                done.add(node.pointer)
            elif node.pointer in open_ones:
                return True
            elif node.pointer not in done:
                open_ones.add(node.pointer)
                negated = node.child("not")
                inside = _in_place_children(node, enters_shared=True) + ([negated] if negated else [])
                stack += [(node, True), *((each, False) for each in inside)]
    return False
