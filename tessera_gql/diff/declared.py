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
    schemas: dict[int, Schema] = {}
    stack = [node]
    while stack:
        schema = stack.pop()
        if id(schema) in schemas:
            continue
        schemas[id(schema)] = schema
        if not PLAIN.issuperset(schema.keywords):
            stack.extend(reversed(_in_place_children(schema, enters_shared=enters_shared)))
    return tuple(schemas.values())


def _in_place_children(node: Schema, *, enters_shared: bool) -> list[Schema]:
    inside = [child for keyword in IN_PLACE if keyword in node.keywords for child in node.children(keyword)]
    inside += [child for keyword in ("if", "then", "else") if (child := node.child(keyword)) is not None]
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
            frozenset(name for schema in nodes for name in schema.properties),
            frozenset(pattern for schema in nodes for pattern in schema.pattern_properties),
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
        conditionals = conditional_schemas(node)
        is_open = bool(patterns) or any(schema.is_opaque for schema in in_place_schemas(node))
        is_open = is_open or any(
            schema.is_opaque or not OPENING_KEYWORDS.isdisjoint(schema.keywords) for schema in conditionals
        )
        conditional_names = (name for schema in conditionals for name in (*schema.properties, *schema.dependent_names))
        node.producer_names_cache = (None if is_open else names.union(conditional_names),)
    return node.producer_names_cache[0]


def conditional_schemas(node: Schema) -> list[Schema]:
    """The subschemas about the same value below `not` and `if`, which a value may have to obey or to break."""
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
    """Each declared property and who declares it."""
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
    """Properties of both sides, but for those one schema declares on either side and both with the same text."""
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
    """Whether some schema of the document speaks, through others, about the value it is asked about once more."""
    finished: set[str] = set()
    for pointer, raw in root.document.schemas.items():
        open_pointers: set[str] = set()
        stack: list[tuple[Schema, bool]] = [(root.space.node(root.document, raw, pointer), False)]
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
                children = _in_place_children(node, enters_shared=True) + ([negated] if negated else [])
                stack += [(node, True), *((child, False) for child in children)]
    return False
