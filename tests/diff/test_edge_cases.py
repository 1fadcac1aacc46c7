"""Small cases at the edges of parsing, comparing and reporting."""

import pytest

from tessera_gql.diff import Certainty, ChangeKind, Mode, SchemaError, check, compare
from tessera_gql.diff.compare.renames import name_similarity
from tessera_gql.diff.prove.constraints import NoWitness, Witness
from tessera_gql.diff.values.regular_languages import is_pattern, matches
from tests.diff.engine import find_witness
from tests.diff.oracle import is_valid
from tests.diff.schemas import DRAFT_4, DRAFT_7, DRAFT_2019, DRAFT_2020, INTEGER, NULL, NUMBER, TEXT, array, obj, table

K = ChangeKind
TWO_TARGETS = {"$ref": "#/$defs/a", "$dynamicRef": "#/$defs/b", "$defs": {"a": TEXT, "b": {"minLength": 1}}}
SPACES = "\t\n\v\f\r \xa0\u1680\u2028\u2029\u202f\u205f\u3000\ufeff" + "".join(map(chr, range(0x2000, 0x200B)))


def changes(old, new):
    return compare(old, new).changes


def kinds(old, new):
    return [change.kind for change in changes(old, new)]


@pytest.mark.parametrize(("pattern", "members"), [("^\\s$", SPACES), ("^\\d$", "0123456789")])
def test_a_character_class_contains_exactly_the_characters_of_ecma_262(pattern, members):
    near = {chr(ord(char) + step) for char in members for step in (-1, 0, 1)}
    assert {char for char in near if matches(pattern, char)} == set(members)


def test_a_dot_is_anything_but_a_line_end():
    assert {char for char in map(chr, range(0x2040)) if not matches("^.$", char)} == set("\n\r\u2028\u2029")


def test_a_word_character_is_ascii():
    matching = "".join(char for char in map(chr, range(300)) if matches("^\\w$", char))
    assert matching == "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz"


def test_a_pattern_a_matcher_warns_about_is_refused_without_a_warning():
    assert not is_pattern("[[a")


def test_limits_include_their_figure():
    check({"title": "x" * (8_000_000 - len("title"))})
    check({"examples": [[0] * (250_000 - 2)]})
    check({"minimum": (1 << 4_096) - 1})
    assert matches("^a{500}$", "a" * 500) is True
    assert matches("^a{501}$", "a" * 501) is None


def test_a_schema_without_a_draft_is_read_by_its_keywords_at_any_depth():
    old = {"anyOf": [array(items=[TEXT], additionalItems=False), INTEGER]}
    assert changes(old, {**DRAFT_7, **old}) == ()


def test_a_tuple_of_2019_is_prefix_items_of_2020():
    assert changes({**DRAFT_2019, **array(items=[TEXT, INTEGER])}, array(prefixItems=[TEXT, INTEGER])) == ()


def test_an_identifier_next_to_a_reference_counts_only_in_drafts_with_siblings():
    whole = {"$id": "http://x/d/y", "$ref": "http://x/d/z", "$defs": {"q": {"$id": "z", **TEXT}}}
    assert changes(whole, TEXT) == ()
    identified = {"$id": "http://x/z", "$ref": "#/definitions/t"}
    old = {**DRAFT_7, **table(a={"$ref": "#/definitions/q"}), "definitions": {"q": identified, "t": TEXT}}
    assert changes(old, {**DRAFT_7, **table(a=TEXT)}) == ()


def test_an_anchor_outside_an_embedded_resource_is_not_found_from_inside():
    inside = {"$id": "http://x/q", "$ref": "#a"}
    with pytest.raises(SchemaError, match="leads nowhere"):
        check({"$ref": "#/$defs/q", "$defs": {"a": {"$anchor": "a", **TEXT}, "q": inside}})


def test_only_draft_4_forbids_an_empty_required_list():
    check({**DRAFT_4, "required": ["a"]})
    check({**DRAFT_7, "required": []})
    with pytest.raises(SchemaError):
        check({**DRAFT_4, "required": []})


@pytest.mark.parametrize(
    ("old", "new", "holds"),
    [
        ({**DRAFT_4, **table(a={"const": 1})}, table(a={"const": 1}), False),
        (table(a={"const": 1}), {**DRAFT_4, **table(a={"const": 1})}, True),
        (table(a={}), table(a=False), False),
        ({"anyOf": [INTEGER, {}]}, {"anyOf": [INTEGER, False]}, False),
        (table(ab=INTEGER), obj(properties={"ab": True}, patternProperties={"^a": TEXT}), False),
        (table(ab=INTEGER), obj(properties={"ab": True}, patternProperties={"^b": TEXT}), True),
        ({"minLength": 1}, TWO_TARGETS, False),
        ({**DRAFT_2019, **array(items={"$recursiveRef": "#"})}, {**DRAFT_2019, **array(items=array())}, True),
        (
            {**DRAFT_2019, "$recursiveAnchor": True, **array(items={"$recursiveRef": "#"})},
            {**DRAFT_2019, **array(items=array())},
            True,
        ),
        (array(minItems=10**9), array(minItems=10**9 + 1), False),
        ({"allOf": [False, {}], **TEXT}, INTEGER, True),
        ({"enum": [[1, 2]]}, array(minItems=2, maxItems=2), True),
        ({"enum": [[1]]}, array(minItems=2), False),
        ({"enum": [[1, 2, 3]]}, array(maxItems=2), False),
        ({"enum": [4, -6, 0]}, {"multipleOf": 2}, True),
        ({"enum": [3]}, {"multipleOf": 2}, False),
        ({"enum": [0.5]}, {"multipleOf": 0.25}, True),
        (array(contains=INTEGER, minContains=2), array(contains=NUMBER, minContains=2), True),
        (array(prefixItems=[{"const": 1}, {"const": 1}], items=False), array(uniqueItems=True), False),
        (array(prefixItems=[{"const": 1}, {"const": 2}], items=False), array(uniqueItems=True), True),
        ({"minimum": 0.5, "exclusiveMaximum": 0.5, **NUMBER}, False, True),
        ({"exclusiveMinimum": 0.5, "maximum": 0.5, **NUMBER}, False, True),
        ({"minimum": 0.5, "maximum": 0.5, **NUMBER}, False, False),
    ],
)
def test_every_document_of_the_old_schema_is_valid_under_the_new_schema(old, new, holds):
    assert compare(old, new).is_compatible(Mode.BACKWARD) == holds


def test_a_wide_schema_is_proven_property_by_property():
    def wide(more):
        return table(**{f"c{n}": table(x={**TEXT, "maxLength": n + more}) for n in range(400)})

    assert compare(wide(1), wide(2)).is_compatible(Mode.BACKWARD)


def test_a_witness_meets_every_constraint_on_one_item():
    demands = [{"not": {"prefixItems": [{"const": value}]}} for value in (1, 2)]
    old = array(prefixItems=[{"enum": [1, 2, 3]}], allOf=demands)
    witness = find_witness(old, False)
    assert not isinstance(witness, Witness) or is_valid(old, witness.value)


@pytest.mark.parametrize(
    ("old", "new", "kind", "pointer"),
    [
        (obj(), obj(additionalProperties=TEXT), K.CONSTRAINT_TIGHTENED, "/additionalProperties"),
        (obj(additionalProperties=TEXT), obj(), K.CONSTRAINT_RELAXED, "/additionalProperties"),
        (obj(propertyNames={"maxLength": 3}), obj(), K.CONSTRAINT_RELAXED, "/propertyNames"),
        (NUMBER, {**NUMBER, "minimum": -5}, K.CONSTRAINT_TIGHTENED, "/minimum"),
        ({**NUMBER, "maximum": 5}, NUMBER, K.CONSTRAINT_RELAXED, "/maximum"),
        (array(), array(contains=TEXT, minContains=2), K.CONSTRAINT_TIGHTENED, "/contains"),
        (array(contains=TEXT, maxContains=2), array(), K.CONSTRAINT_RELAXED, "/contains"),
        ({"anyOf": [TEXT, NULL]}, TEXT, K.NULLABLE_REMOVED, "/anyOf/0/type"),
        (TEXT, {"anyOf": [TEXT, NULL]}, K.NULLABLE_ADDED, "/anyOf/0/type"),
        ({"oneOf": [NUMBER, TEXT]}, {"oneOf": [NUMBER, TEXT, INTEGER]}, K.COMPOSITION_CHANGED, "/oneOf"),
        ({"oneOf": [NUMBER, TEXT, INTEGER]}, {"oneOf": [NUMBER, TEXT]}, K.COMPOSITION_CHANGED, "/oneOf"),
    ],
)
def test_an_edit_is_reported_once_at_its_pointer(old, new, kind, pointer):
    (change,) = changes(old, new)
    assert (change.kind, change.pointer) == (kind, pointer)


def test_null_is_null_however_it_is_spelled():
    for spelled in (NULL, {"enum": [None]}, {"const": None}):
        assert changes({"anyOf": [TEXT, spelled]}, {"type": ["string", "null"]}) == ()


def test_a_new_property_is_not_breaking_because_a_sibling_is():
    for keywords in ({}, {"additionalProperties": False}):
        reported = changes({**table(a=TEXT), **keywords}, {**table(a=INTEGER, b=TEXT), **keywords})
        (added,) = [change for change in reported if change.kind is K.PROPERTY_ADDED]
        assert Mode.BACKWARD not in added.breaks


def test_each_change_has_its_own_counterexample():
    old = obj(properties={"a": TEXT, "b": TEXT}, minProperties=1)
    documents = {change.path: change.counterexample for change in changes(old, {**old, "required": ["a", "b"]})}
    assert documents == {"a": {"b": ""}, "b": {"a": ""}}
    documents = {change.path: change.counterexample for change in changes(table(a=TEXT, b=TEXT), table(a=INTEGER))}
    assert documents == {"a": {"a": ""}, "b": {"b": ""}}


def test_each_tightened_limit_has_a_counterexample_beyond_it():
    reported = changes(TEXT, {**TEXT, "maxLength": 3, "pattern": "^a"})
    assert [change.counterexample for change in reported] == ["aaaa", ""]
    reported = changes(INTEGER, {**INTEGER, "multipleOf": 2, "minimum": 5, "maximum": 7})
    assert [change.counterexample for change in reported] == [8, 4, 1]


def test_lost_fields_below_a_reference_or_declared_twice_are_reported():
    def referring(**columns):
        return {**table(a={"$ref": "#/$defs/q"}), "$defs": {"q": table(**columns)}}

    assert kinds(referring(x=TEXT, y=TEXT), referring(x=TEXT)) == [K.PROPERTY_REMOVED]

    def twice(**columns):
        return obj(allOf=[table(a=table(x=TEXT)), table(a=table(**columns))])

    assert kinds(twice(y=TEXT), twice(z=INTEGER)) == [K.PROPERTY_REMOVED, K.PROPERTY_ADDED]


def test_a_change_in_one_of_two_declarations_is_reported_at_its_pointer():
    def twice(limit):
        return obj(allOf=[table(a=TEXT), table(a={"maxLength": limit})])

    (change,) = changes(twice(3), twice(2))
    assert change.pointer == "/allOf/1/properties/a/maxLength"


def test_the_same_text_in_two_drafts_is_reported_at_its_path():
    reported = changes({**DRAFT_4, **table(a={"const": 1})}, table(a={"const": 1}))
    assert {change.path for change in reported} == {"a"}


def test_a_field_below_a_condition_is_listed_as_optional():
    old, new = ({"dependentSchemas": {"x": table(**columns)}} for columns in ({"y": TEXT}, {}))
    (gone,) = [change for change in changes(old, new) if change.kind is K.PROPERTY_REMOVED]
    assert gone.before == {"type": "string", "required": False}


def test_a_pattern_that_would_stall_a_backtracking_matcher_is_proven_in_linear_time():
    old, new = table(a={"enum": ["a" * 40 + "!"]}), table(a={**TEXT, "pattern": "^(a+)+$"})
    (change,) = compare(old, new).breaking_changes(Mode.BACKWARD)
    assert (change.certainty, change.counterexample) == (Certainty.PROVEN, {"a": "a" * 40 + "!"})


def test_a_failed_search_is_no_proof_of_absence():
    assert find_witness({"minimum": 0, "maximum": 1, **NUMBER}, {"multipleOf": 1 / 64}) is NoWitness.UNKNOWN


def test_an_object_too_large_to_build_is_not_claimed():
    assert find_witness(obj(minProperties=1_000), False) is NoWitness.UNKNOWN


def test_an_object_outside_the_enumerated_values_is_found():
    assert find_witness(obj(required=["a"]), {"enum": [{"a": 1}]}) == Witness({"a": None})


@pytest.mark.parametrize(("old", "new"), [("ab", "abc"), ("foo", "bar"), ("total", "amount")])
def test_an_abbreviation_has_three_letters_and_is_a_prefix(old, new):
    assert name_similarity(old, new) == 0


@pytest.mark.parametrize("mode", ["backward", "FOO", None, 1])
def test_what_is_no_mode_is_refused_and_never_called_compatible(mode):
    diff = compare(TEXT, INTEGER)
    for judge in (diff.is_compatible, diff.breaking_changes, diff.bump):
        with pytest.raises(ValueError, match="is not a valid Mode"):
            judge(mode)


def incompatible_modes(old, new):
    return {mode for mode in (Mode.BACKWARD, Mode.FORWARD) if not compare(old, new).is_compatible(mode)}


@pytest.mark.parametrize("draft", [DRAFT_2019, DRAFT_2020])
def test_dependencies_that_a_draft_ignores_mean_nothing(draft):
    ignored = {**draft, "dependencies": {"a": ["b"]}}
    applied = {**draft, "dependencies": {}, "dependentRequired": {"a": ["b"]}}
    assert incompatible_modes(ignored, applied) == {Mode.BACKWARD}
    old, new = (
        {**draft, "dependentSchemas": {"a": {"required": [name]}}, "dependencies": {"a": {"type": "object"}}}
        for name in ("b", "c")
    )
    assert incompatible_modes(old, new) == {Mode.BACKWARD, Mode.FORWARD}


def test_contains_does_not_limit_the_names_of_an_item():
    head = {"type": "object", "properties": {"kind": {"const": "head"}}, "required": ["kind"]}
    items = table(kind=TEXT, x=INTEGER, y=INTEGER)
    old = array(items=items, contains=head)
    for closed in ({**head, "properties": {**head["properties"], "x": False}}, {**head, "maxProperties": 1}):
        assert Mode.BACKWARD in incompatible_modes(old, array(items=items, contains=closed))
        assert Mode.FORWARD in incompatible_modes(array(items=items, contains=closed), old)


def test_a_dynamic_reference_beside_keywords_of_different_drafts_is_undecided():
    column = {"$dynamicRef": "#n", "type": "object"}
    old, new = (
        {"$dynamicAnchor": "n", **table(a={"type": "string", "nullable": True}, c={**column, **extra})}
        for extra in ({}, {"dependencies": {"a": ["b"]}})
    )
    assert Mode.BACKWARD in incompatible_modes(old, new)


def test_enormous_limits_are_decided_or_left_undecided():
    huge = array(items={"const": 1}, minItems=10**20, contains={"const": 1}, maxContains=5)
    factors = [2**4000 + 1, 3**2500, 5**1700, 7**1400]
    multiple = {"type": "integer", "minimum": 1, "allOf": [{"multipleOf": factor} for factor in factors]}
    for schema in (huge, multiple):
        assert [change.certainty for change in compare(TEXT, schema).breaking_changes(Mode.BACKWARD)]
        assert [change.certainty for change in compare(schema, TEXT).breaking_changes(Mode.FULL)]
