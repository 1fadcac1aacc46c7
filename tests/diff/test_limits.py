"""Search and parsing stop exactly at their limits and report that they did."""

from dataclasses import dataclass, field

import pytest

from tessera_gql.diff import Certainty, ChangeKind, Mode, SchemaError, check, compare
from tessera_gql.diff.budget import Budget
from tessera_gql.diff.compare.routes import explore, find_routes
from tessera_gql.diff.differences import PropertyStep, SameValueStep
from tessera_gql.diff.prove.constraints import Literal, NoWitness, Witness
from tessera_gql.diff.prove.solver import Solver
from tessera_gql.diff.prove.validation import accepts
from tessera_gql.diff.read.documents import read
from tessera_gql.diff.read.guard import Identities
from tessera_gql.diff.read.schema import NodeCache, count_schemas
from tessera_gql.diff.values.regular_languages import Language, find_example, matches
from tests.diff.engine import find_witness, parse_schema
from tests.diff.schemas import DRAFT_4, DRAFT_6, DRAFT_7, INTEGER, TEXT


def nested(levels, leaf):
    for _ in range(levels):
        leaf = {"type": "array", "minItems": 1, "items": leaf}
    return leaf


def merged(levels, leaf):
    for _ in range(levels):
        leaf = {"allOf": [leaf]}
    return leaf


def test_the_search_goes_36_queries_deep():
    deepest = nested(17, TEXT)
    assert isinstance(find_witness(deepest, nested(17, INTEGER)), Witness)
    assert find_witness(nested(18, TEXT), nested(18, INTEGER)) is NoWitness.UNKNOWN
    assert isinstance(find_witness(deepest, nested(17, {"minLength": 1})), Witness)
    assert isinstance(find_witness(nested(18, {"const": 1}), nested(18, {"const": 2})), Witness)
    assert find_witness(nested(19, {"const": 1}), nested(19, {"const": 2})) is NoWitness.UNKNOWN


def test_a_query_costs_one_unit_of_fuel():
    identities, space = Identities(), NodeCache()
    left, right = (space.root(read(raw, identities)) for raw in (INTEGER, {"type": "number"}))
    assert Solver(Budget(1)).find([Literal(left, holds=True), Literal(right, holds=False)]) is NoWitness.EMPTY


def test_validation_goes_40_schemas_deep():
    assert accepts(parse_schema(merged(40, {"minimum": 0})), 1) is True
    assert accepts(parse_schema(merged(41, {"minimum": 0})), 1) is None


def test_validation_makes_twenty_thousand_steps():
    asking = parse_schema({"items": {"minimum": 0}})
    assert accepts(asking, [*range(19_999)]) is True
    assert accepts(asking, [*range(20_000)]) is None


def test_generated_texts_have_a_hundred_thousand_characters_at_most():
    assert find_example(Language(frozenset(), frozenset(), min_length=100_000)) == "a" * 100_000
    assert find_example(Language(frozenset(), frozenset(), min_length=100_001)) is True


def test_groups_are_read_50_deep():
    assert matches("(" * 50 + "a" + ")" * 50, "a") is True
    assert matches("(" * 51 + "a" + ")" * 51, "a") is None


def test_built_documents_have_twenty_thousand_properties_at_most():
    names = [f"n{index}" for index in range(20_001)]
    assert isinstance(find_witness({"type": "object", "required": names[1:]}, False), Witness)
    assert find_witness({"type": "object", "required": names}, False) is NoWitness.UNKNOWN


@pytest.mark.parametrize(("ways", "fields"), [(8, ("x", *(f"n{n}" for n in range(8)))), (9, ("",))])
def test_a_node_entered_again_on_more_than_eight_paths_concerns_every_reader(ways, fields):
    edges = {"root": [(PropertyStep(f"n{n}"), f"p{n}") for n in range(ways)] + [(PropertyStep("x"), "leaf")]}
    edges |= {f"p{n}": [(SameValueStep(), "root")] for n in range(ways)}
    assert find_routes("root", edges)["leaf"].fields() == fields


@pytest.mark.parametrize(("count", "concerns_everyone"), [(64, False), (65, True)])
def test_a_node_within_more_than_64_recursive_nodes_concerns_every_reader(count, concerns_everyone):
    edges = {f"p{n}": [(PropertyStep("x"), f"p{n + 1}")] for n in range(count)}
    edges[f"p{count}"] = [(PropertyStep(f"r{n}"), f"p{n}") for n in range(count)]
    reached = find_routes("p0", edges)[f"p{count}"]
    assert reached.is_everywhere == concerns_everyone
    assert (len(reached.fields()) == count + 1) != concerns_everyone


def test_the_traversal_limit_grows_by_two_nodes_for_each_schema():
    @dataclass
    class Part:
        at: int
        edges: list = field(default_factory=list)
        is_cut: bool = False

    nodes = explore(
        Part(0),
        lambda part: part.at,
        lambda part: [(SameValueStep(), Part(part.at + 1)), (SameValueStep(), Part(0))],
        3,
    )
    assert [*nodes] == [*range(1_006)]
    assert [at for at, part in nodes.items() if part.is_cut] == [1_005]
    assert [target for _, target in nodes[0].edges] == [1, 0]
    assert [target for _, target in nodes[1_005].edges] == [0]


def test_the_schemas_of_both_sides_count():
    space = NodeCache()
    left, right = (space.root(read(raw, Identities())) for raw in ({"anyOf": [{}, {}]}, {"not": {}}))
    assert count_schemas(left, right) == 5


@pytest.mark.parametrize(("position", "pointer"), [(64, "/prefixItems/64/type"), (65, "")])
def test_sixty_five_positions_of_a_list_are_distinguished(position, pointer):
    old, new = ({"type": "array", "prefixItems": [*[{}] * position, item]} for item in (TEXT, {"type": "null"}))
    assert [change.pointer for change in compare(old, new).changes if change.breaks] == [pointer]


def test_a_keyword_that_one_draft_lacks_is_reported_as_a_change_of_that_keyword():
    changes = compare({**DRAFT_4, "const": 1}, {**DRAFT_7, "const": 1}).changes
    assert ChangeKind.ENUM_VALUES_REMOVED in [change.kind for change in changes]


def test_a_break_that_no_keyword_explains_is_reported_as_a_change_of_the_accepted_values():
    short, long = ({"type": "array", "prefixItems": items} for items in ([TEXT], [TEXT, INTEGER]))
    (removed,), (added,) = compare(short, long).changes, compare(long, short).changes
    assert removed.kind is added.kind is ChangeKind.COMPOSITION_CHANGED
    assert (removed.message, removed.breaks) == ("The schema accepts less than before.", {Mode.BACKWARD, Mode.FULL})
    assert (added.message, added.breaks) == (
        "The schema accepts more than before.",
        {Mode.FORWARD, Mode.CONSUMER, Mode.FULL},
    )


def test_a_field_that_only_one_draft_declares_is_reported_although_the_text_is_equal():
    text = {"properties": {"a": {"if": {}, "then": {"properties": {"y": {}}}}}}
    lost = compare({**DRAFT_7, **text}, {**DRAFT_6, **text})
    assert [(change.kind, change.path) for change in lost.breaking_changes(Mode.BACKWARD)] == [
        (ChangeKind.PROPERTY_REMOVED, "a.y")
    ]
    assert compare({**DRAFT_6, **text}, {**DRAFT_7, **text}).is_compatible(Mode.BACKWARD)


@pytest.mark.parametrize(
    ("schema", "pointer"),
    [
        ({"properties": {"a/b": {"examples": [[1, [float("nan")]]]}}}, "/properties/a~1b/examples/0/1"),
        ({"a": {"b": [{1: 2}]}}, "/a/b/0"),
        ({"a": [{"b": {1, 2}}]}, "/a/0"),
        ({"a": {"enum": [*range(10_001)]}}, "/a/enum"),
        ({"a": [0, {"b": 1 << 4_096}]}, "/a/1"),
        (merged(101, {}), "/allOf/0" * 100),
        ({"anyOf": [merged(101, {}), merged(101, {})]}, "/anyOf/0" + "/allOf/0" * 99),
    ],
)
def test_invalid_or_too_large_json_is_reported_with_its_pointer(schema, pointer):
    with pytest.raises(SchemaError) as refused:
        check(schema)
    assert refused.value.pointer == pointer


def test_two_hundred_levels_are_read():
    check(merged(100, {}))


@pytest.mark.parametrize(
    ("old", "new", "holds"),
    [
        ({"minimum": 3}, {"anyOf": [TEXT, {"minimum": 2}]}, True),
        (TEXT, {"minimum": 5, "items": False, "required": ["a"]}, True),
        ({"minimum": 5, "items": False, "required": ["a"]}, TEXT, False),
        ({"type": ["integer", "array"]}, {"minItems": 1}, False),
        ({"type": ["integer", "object"]}, {"propertyNames": False}, False),
        ({"type": ["integer", "string"]}, {"pattern": "a"}, False),
        ({"type": ["integer", "string"]}, {"multipleOf": 2}, False),
        ({"type": ["integer", "string"]}, {"nullable": True, "type": ["integer", "string"]}, True),
        ({"type": ["null", "string"]}, {"nullable": True, "type": "string"}, True),
    ],
)
def test_a_keyword_breaks_only_the_types_it_speaks_about(old, new, holds):
    assert compare(old, new).is_compatible(Mode.BACKWARD) == holds


def growing(levels, keyword, leaf):
    """A schema in which the definitions that apply to a value double with each level."""

    def both(name):
        return {"properties": {"a": {"$ref": f"#/$defs/{name}"}, "b": {"$ref": f"#/$defs/{name}"}}}

    defs = {f"n{n}": both(f"n{n + 1}") for n in range(1, levels)}
    start = {keyword: [both("n0"), {"properties": {"a": {"$ref": "#/$defs/n1"}}}]}
    return {"$ref": "#/$defs/n0", "$defs": {"n0": start, **defs, f"n{levels}": leaf}}


@pytest.mark.parametrize(
    ("keyword", "old", "new"), [("anyOf", {"properties": {"x": TEXT}}, {}), ("allOf", {"default": 1}, {})]
)
def test_a_difference_beyond_the_traversal_limit_is_undecided_not_compatible(keyword, old, new):
    assert not compare(growing(6, keyword, old), growing(6, keyword, new)).is_compatible(Mode.BACKWARD)
    (change,) = [
        change
        for change in compare(growing(14, keyword, old), growing(14, keyword, new)).changes
        if change.kind is ChangeKind.UNDECIDED and not change.path
    ]
    assert change.breaks == {Mode.BACKWARD, Mode.FORWARD, Mode.CONSUMER, Mode.FULL}
    assert (change.certainty, change.pointer, change.fields) == (Certainty.UNPROVEN, "", ("",))
