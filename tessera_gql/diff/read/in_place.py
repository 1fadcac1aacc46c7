"""Collect the subschemas that apply to the same value, and the properties they declare.

They are reached through in-place applicators: references, `allOf`, `anyOf`, `oneOf`, conditionals and dependencies.
"""

from collections.abc import Iterator, Sequence

from tessera_gql.diff.keywords.groups import SCALAR_KEYWORDS
from tessera_gql.diff.read.schema import Schema

IN_PLACE = ("allOf", "anyOf", "oneOf")
OUT_OF_PLACE = SCALAR_KEYWORDS | {"properties", "items", "required", "additionalProperties", "patternProperties"}
"""Keywords without subschemas for the same value."""


def in_place_schemas(node: Schema) -> tuple[Schema, ...]:
    """Return the node and all subschemas that apply to the same value, except those in `not`."""
    if node.in_place_cache is None:
        node.in_place_cache = _collect_in_place(node)
    return node.in_place_cache


def _collect_in_place(node: Schema) -> tuple[Schema, ...]:
    schemas: dict[int, Schema] = {}
    stack = [node]
    while stack:
        schema = stack.pop()
        if id(schema) in schemas:
            continue
        schemas[id(schema)] = schema
        if not OUT_OF_PLACE.issuperset(schema.keywords):
            stack.extend(reversed(_in_place_children(schema)))
    return tuple(schemas.values())


def _in_place_children(node: Schema) -> list[Schema]:
    children = [child for keyword in IN_PLACE if keyword in node.keywords for child in node.children(keyword)]
    children += [child for keyword in ("if", "then", "else") if (child := node.child(keyword)) is not None]
    children += [schema for _, schema in node.dependent_schemas()]
    target = node.target()
    return children if target is None else [target, *children]


def in_place_names(node: Schema) -> tuple[frozenset[str], frozenset[str]]:
    """Return the declared property names and name patterns of a value."""
    if node.names_cache is None:
        nodes = in_place_schemas(node)
        node.names_cache = (
            frozenset(name for schema in nodes for name in schema.properties),
            frozenset(pattern for schema in nodes for pattern in schema.pattern_properties),
        )
    return node.names_cache


OPENING_KEYWORDS = frozenset(
    ["additionalProperties", "patternProperties", "propertyNames", "maxProperties", "unevaluatedProperties"]
)


def producer_names(node: Schema) -> frozenset[str] | None:
    """Return the names that a producer may write, or None if a keyword allows undeclared names.

    The subschemas in `not` and `if` may have to fail or to hold, so a document may need the names they declare.
    A dynamic reference may declare any name.
    """
    if node.producer_names_cache is None:
        names, patterns = in_place_names(node)
        conditionals = conditional_schemas(node)
        is_open = bool(patterns) or any(schema.is_opaque for schema in (*in_place_schemas(node), *conditionals))
        is_open = is_open or any(not OPENING_KEYWORDS.isdisjoint(schema.keywords) for schema in conditionals)
        conditional_names = (name for schema in conditionals for name in (*schema.properties, *schema.dependent_names))
        node.producer_names_cache = (None if is_open else names.union(conditional_names),)
    return node.producer_names_cache[0]


def conditional_schemas(node: Schema) -> list[Schema]:
    """Return the subschemas below `not` and `if`: a value may have to satisfy or to violate them."""
    schemas: dict[int, Schema] = {}
    stack = [node]
    while stack:
        for schema in in_place_schemas(stack.pop()):
            for conditional in map(schema.child, ("not", "if")):
                if conditional is not None and id(conditional) not in schemas:
                    schemas |= {id(nested): nested for nested in in_place_schemas(conditional)}
                    stack.append(conditional)
    return [*schemas.values()]


DeclaredProperties = dict[str, tuple[Schema, ...]]


def declared_properties(nodes: Sequence[Schema]) -> DeclaredProperties:
    """Map each declared property to the schemas that declare it."""
    if len(nodes) == 1:
        return dict.fromkeys(nodes[0].properties, (nodes[0],))
    declared: DeclaredProperties = {}
    for node in nodes:
        for name in node.properties:
            declared[name] = (*declared.get(name, ()), node)
    return declared


def changed_properties(
    before: DeclaredProperties, after: DeclaredProperties
) -> Iterator[tuple[str, tuple[Schema, ...], tuple[Schema, ...]]]:
    """Yield the properties of both sides, except those declared once on each side with the same text."""
    for name, nodes in before.items():
        new_nodes = after.get(name)
        if new_nodes is None:
            continue
        match nodes, new_nodes:
            case (node,), (new_node,) if name in node.unchanged_properties(new_node):
                pass
            case _:
                yield name, nodes, new_nodes


def has_cycle(root: Schema) -> bool:
    """Return whether a schema applies to the same value again through in-place applicators."""
    finished: set[str] = set()
    for pointer, raw in root.document.schemas.items():
        open_pointers: set[str] = set()
        stack: list[tuple[Schema, bool]] = [(root.cache.node(root.document, raw, pointer), False)]
        while stack:
            node, is_finished = stack.pop()
            if is_finished:
                open_pointers.discard(node.pointer)
                finished.add(node.pointer)
            elif node.pointer in open_pointers:
                return True
            elif node.pointer not in finished:
                open_pointers.add(node.pointer)
                negated = node.child("not")
                children = _in_place_children(node) + ([negated] if negated else [])
                stack += [(node, True), *((child, False) for child in children)]
    return False
