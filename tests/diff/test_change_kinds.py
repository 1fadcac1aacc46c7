"""The modes that each kind of change breaks, with the bump it causes."""

import pytest

from tessera_gql.diff import Bump, Certainty, ChangeKind, Mode, compare
from tests.diff.expected_changes import BACKWARD, FORWARD, FULL
from tests.diff.schemas import INTEGER, NULLABLE_TEXT, NUMBER, TEXT

K = ChangeKind
MODES = (BACKWARD, FORWARD, FULL)


def table(**columns):
    """A table schema with columns by name; `required` lists the required ones."""
    required = columns.pop("required", None)
    schema = {"type": "object", "properties": columns}
    return schema if required is None else {**schema, "required": required}


def closed_table(**columns):
    return {**table(**columns), "additionalProperties": False}


def open_table(**columns):
    return {**table(**columns), "additionalProperties": True}


ROWS = [
    (table(a=TEXT, b=TEXT), table(a=TEXT), K.PROPERTY_REMOVED, {BACKWARD, FULL}),
    (table(a=TEXT, b=TEXT, required=["b"]), table(a=TEXT), K.PROPERTY_REMOVED, {BACKWARD, FORWARD, FULL}),
    (table(a=TEXT), table(a=TEXT, b=TEXT), K.PROPERTY_ADDED, {FORWARD, FULL}),
    (table(a=TEXT), table(a=TEXT, b=TEXT, required=["b"]), K.PROPERTY_ADDED, {BACKWARD, FORWARD, FULL}),
    (table(customer_id=TEXT), table(customerId=TEXT), K.PROPERTY_RENAMED, {BACKWARD, FORWARD, FULL}),
    (table(x=TEXT), table(y={**TEXT, "x-renamed-from": "x"}), K.PROPERTY_RENAMED, {BACKWARD, FORWARD, FULL}),
    (closed_table(a=TEXT), closed_table(a=TEXT, b=TEXT), K.PROPERTY_ADDED, {FORWARD, FULL}),
    (closed_table(a=TEXT, b=TEXT), closed_table(a=TEXT), K.PROPERTY_REMOVED, {BACKWARD, FULL}),
    (open_table(a=TEXT), open_table(a=TEXT, b=TEXT), K.PROPERTY_ADDED, {BACKWARD, FORWARD, FULL}),
    (open_table(a=TEXT, b=TEXT), open_table(a=TEXT), K.PROPERTY_REMOVED, {BACKWARD, FORWARD, FULL}),
    ({"type": "object"}, table(b=TEXT), K.PROPERTY_ADDED, {BACKWARD, FORWARD, FULL}),
    (open_table(a=TEXT), closed_table(a=TEXT), K.CONSTRAINT_TIGHTENED, {BACKWARD, FULL}),
    (table(a=INTEGER), table(a=NUMBER), K.TYPE_WIDENED, {FORWARD, FULL}),
    (table(a=NUMBER), table(a=INTEGER), K.TYPE_NARROWED, {BACKWARD, FULL}),
    (table(a=TEXT), table(a=INTEGER), K.TYPE_CHANGED, {BACKWARD, FORWARD, FULL}),
    (table(a=TEXT), table(a=TEXT, required=["a"]), K.REQUIRED_ADDED, {BACKWARD, FULL}),
    (table(a=TEXT, required=["a"]), table(a=TEXT), K.REQUIRED_REMOVED, {FORWARD, FULL}),
    (table(a={"enum": [1, 2]}), table(a={"enum": [1]}), K.ENUM_VALUES_REMOVED, {BACKWARD, FULL}),
    (table(a={"enum": [1]}), table(a={"enum": [1, 2]}), K.ENUM_VALUES_ADDED, {FORWARD, FULL}),
    (table(a={"const": 1}), table(a={"enum": [1, 2]}), K.ENUM_VALUES_ADDED, {FORWARD, FULL}),
    (table(a=TEXT), table(a={**TEXT, "enum": ["x"]}), K.ENUM_VALUES_REMOVED, {BACKWARD, FULL}),
    (table(a={**TEXT, "enum": ["x"]}), table(a=TEXT), K.ENUM_VALUES_ADDED, {FORWARD, FULL}),
    (table(a=TEXT), table(a={**TEXT, "maxLength": 3}), K.CONSTRAINT_TIGHTENED, {BACKWARD, FULL}),
    (table(a={**TEXT, "minLength": 3}), table(a=TEXT), K.CONSTRAINT_RELAXED, {FORWARD, FULL}),
    (
        table(a={**NUMBER, "minimum": 1}),
        table(a={**NUMBER, "exclusiveMinimum": 1}),
        K.CONSTRAINT_TIGHTENED,
        {BACKWARD, FULL},
    ),
    (table(a={**NUMBER, "maximum": 1}), table(a={**NUMBER, "maximum": 2}), K.CONSTRAINT_RELAXED, {FORWARD, FULL}),
    (
        table(a={**INTEGER, "multipleOf": 2}),
        table(a={**INTEGER, "multipleOf": 4}),
        K.CONSTRAINT_TIGHTENED,
        {BACKWARD, FULL},
    ),
    (
        table(a={**INTEGER, "multipleOf": 4}),
        table(a={**INTEGER, "multipleOf": 2}),
        K.CONSTRAINT_RELAXED,
        {FORWARD, FULL},
    ),
    (
        table(a={**INTEGER, "multipleOf": 2}),
        table(a={**INTEGER, "multipleOf": 3}),
        K.CONSTRAINT_CHANGED,
        {BACKWARD, FORWARD, FULL},
    ),
    (
        table(a={**TEXT, "pattern": "^a"}),
        table(a={**TEXT, "pattern": "^b"}),
        K.CONSTRAINT_CHANGED,
        {BACKWARD, FORWARD, FULL},
    ),
    (
        table(a={**TEXT, "pattern": "^a"}),
        table(a={**TEXT, "pattern": "^a+$"}),
        K.CONSTRAINT_TIGHTENED,
        {BACKWARD, FULL},
    ),
    (table(a={**TEXT, "pattern": "^a+$"}), table(a={**TEXT, "pattern": "^a"}), K.CONSTRAINT_RELAXED, {FORWARD, FULL}),
    (
        table(a={"type": "array"}),
        table(a={"type": "array", "uniqueItems": True}),
        K.CONSTRAINT_TIGHTENED,
        {BACKWARD, FULL},
    ),
    (table(a={"type": "array", "contains": True}), table(a={"type": "array"}), K.CONSTRAINT_RELAXED, {FORWARD, FULL}),
    (
        table(a={"type": "array", "contains": TEXT}),
        table(a={"type": "array", "contains": TEXT, "minContains": 2}),
        K.CONSTRAINT_TIGHTENED,
        {BACKWARD, FULL},
    ),
    (
        table(a={"type": "array", "contains": TEXT, "maxContains": 1}),
        table(a={"type": "array", "contains": TEXT, "maxContains": 2}),
        K.CONSTRAINT_RELAXED,
        {FORWARD, FULL},
    ),
    (table(a=TEXT), {**table(a=TEXT), "additionalProperties": False}, K.CONSTRAINT_TIGHTENED, {BACKWARD, FULL}),
    ({**table(a=TEXT), "additionalProperties": False}, table(a=TEXT), K.CONSTRAINT_RELAXED, {FORWARD, FULL}),
    (table(a=TEXT), {**table(a=TEXT), "dependentRequired": {"a": ["b"]}}, K.CONSTRAINT_TIGHTENED, {BACKWARD, FULL}),
    (
        {"type": "object"},
        {"type": "object", "patternProperties": {"^x": TEXT}},
        K.CONSTRAINT_TIGHTENED,
        {BACKWARD, FULL},
    ),
    (
        {"type": "object"},
        {"type": "object", "propertyNames": {"maxLength": 2}},
        K.CONSTRAINT_TIGHTENED,
        {BACKWARD, FULL},
    ),
    (table(a=NULLABLE_TEXT), table(a=TEXT), K.NULLABLE_REMOVED, {BACKWARD, FULL}),
    (table(a=TEXT), table(a=NULLABLE_TEXT), K.NULLABLE_ADDED, {FORWARD, FULL}),
    (table(a=TEXT), table(a={**TEXT, "nullable": True}), K.NULLABLE_ADDED, {FORWARD, FULL}),
    (table(a=TEXT), table(a={**TEXT, "default": "x"}), K.DEFAULT_ADDED, {FORWARD, FULL}),
    (table(a={**TEXT, "default": "x"}), table(a=TEXT), K.DEFAULT_REMOVED, {BACKWARD, FULL}),
    (table(a={**TEXT, "default": None}), table(a=TEXT), K.DEFAULT_REMOVED, {BACKWARD, FULL}),
    (table(a={**TEXT, "default": "x"}), table(a={**TEXT, "default": "y"}), K.DEFAULT_CHANGED, {FULL}),
    (table(a={**TEXT, "format": "date"}), table(a={**TEXT, "format": "email"}), K.FORMAT_CHANGED, {FULL}),
    (table(a=TEXT), table(a={**TEXT, "title": "A"}), K.ANNOTATION_CHANGED, set()),
    (table(a=TEXT), table(a={**TEXT, "x-owner": "me"}), K.ANNOTATION_CHANGED, set()),
    (table(a=TEXT), table(a={**TEXT, "deprecated": True}), K.DEPRECATED_CHANGED, set()),
    ({"anyOf": [TEXT, INTEGER]}, {"anyOf": [TEXT, INTEGER, {"type": "array"}]}, K.COMPOSITION_CHANGED, {FORWARD, FULL}),
    (
        {"anyOf": [TEXT, INTEGER, {"type": "array"}]},
        {"anyOf": [TEXT, INTEGER]},
        K.COMPOSITION_CHANGED,
        {BACKWARD, FULL},
    ),
    ({"not": TEXT}, {"not": {"enum": ["x"]}}, K.COMPOSITION_CHANGED, {FORWARD, FULL}),
    (
        {"if": TEXT, "then": {"minLength": 1}},
        {"if": TEXT, "then": {"minLength": 2}},
        K.COMPOSITION_CHANGED,
        {BACKWARD, FULL},
    ),
]


@pytest.mark.parametrize(("old", "new", "kind", "breaks"), ROWS)
def test_each_kind_breaks_the_modes_of_its_row(old, new, kind, breaks):
    diff = compare(old, new)
    changes = [change for change in diff.changes if change.kind is kind]
    assert changes, diff.changes
    assert changes[0].breaks - {Mode.CONSUMER} == breaks
    for mode in MODES:
        assert diff.is_compatible(mode) == (mode not in breaks), mode


@pytest.mark.parametrize(("old", "new", "kind", "breaks"), ROWS)
def test_consumer_breaks_as_forward_except_for_fields_defaults_and_closed_objects(old, new, kind, breaks):
    diff = compare(old, new)
    is_opened = "additionalProperties" in old and "additionalProperties" not in new
    expected = kind in (K.PROPERTY_REMOVED, K.PROPERTY_RENAMED) or (
        FORWARD in breaks and kind not in (K.PROPERTY_ADDED, K.DEFAULT_ADDED) and not is_opened
    )
    assert (Mode.CONSUMER in next(change for change in diff.changes if change.kind is kind).breaks) == expected
    assert diff.is_compatible(Mode.CONSUMER) != expected


@pytest.mark.parametrize(("old", "new", "kind", "breaks"), [row for row in ROWS if row[3] & {BACKWARD, FORWARD}])
def test_every_break_of_the_table_is_proven(old, new, kind, breaks):  # noqa: ARG001 - one table for three tests
    change = next(change for change in compare(old, new).changes if change.kind is kind)
    if "nullable" not in str(new) and "uniqueItems" not in str(new):
        assert change.certainty is Certainty.PROVEN


@pytest.mark.parametrize(("old", "new", "kind", "breaks"), ROWS)
def test_the_bump_follows_the_mode(old, new, kind, breaks):
    bump = compare(old, new).bump(Mode.BACKWARD)
    patches = {K.DEFAULT_CHANGED, K.FORMAT_CHANGED, K.ANNOTATION_CHANGED, K.DEPRECATED_CHANGED}
    assert bump is (Bump.MAJOR if BACKWARD in breaks else Bump.PATCH if kind in patches else Bump.MINOR)


def test_pointers_are_escaped():
    odd = {"a/b": TEXT, "m~n": TEXT, "~1": TEXT}
    changed = dict.fromkeys(odd, INTEGER)
    pointers = [change.pointer for change in compare(table(**odd), table(**changed)).changes]
    assert pointers == ["/properties/a~1b/type", "/properties/m~0n/type", "/properties/~01/type"]


def test_no_change_is_no_bump_and_bumps_are_ranked():
    assert compare(table(a=TEXT), table(a=TEXT)).bump(Mode.FULL) is Bump.NONE
    assert [bump.rank for bump in (Bump.NONE, Bump.PATCH, Bump.MINOR, Bump.MAJOR)] == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ({"type": "integer", "minimum": 4, "maximum": 4}, {"const": 4.0}),
        ({"anyOf": [TEXT, {"type": "null"}]}, NULLABLE_TEXT),
        ({"oneOf": [{"type": "null"}, TEXT]}, NULLABLE_TEXT),
        ({**TEXT, "nullable": True}, NULLABLE_TEXT),
        ({"enum": [1, True]}, {"enum": [True, 1.0]}),
        ({**TEXT, "minLength": 0}, TEXT),
        ({"allOf": [TEXT, {"maxLength": 3}]}, {**TEXT, "maxLength": 3}),
        ({"type": ["integer", "number"]}, NUMBER),
        ({"$ref": "#/$defs/a", "$defs": {"a": TEXT}}, TEXT),
        ({"$ref": "#a", "$defs": {"x": {"$anchor": "a", **TEXT}}}, TEXT),
        ({"$id": "http://x/y", "$ref": "z", "$defs": {"x": {"$id": "z", **TEXT}}}, TEXT),
        ({**TEXT, "pattern": "^(?:a|b)$"}, {**TEXT, "pattern": "^[ab]$"}),
        ({"type": "array", "prefixItems": [TEXT], "items": TEXT}, {"type": "array", "items": TEXT}),
        ({"type": "boolean"}, {"enum": [True, False]}),
        ({"not": {"not": TEXT}}, TEXT),
    ],
)
def test_equivalent_schemas_do_not_differ(old, new):
    assert compare(old, new).changes == ()


def test_1_and_true_are_two_values():
    assert not compare({"enum": [1]}, {"enum": [True]}).is_compatible(Mode.BACKWARD)


def test_a_break_below_a_reference_belongs_to_every_field_that_uses_it():
    def order(street):
        address = {"type": "object", "properties": {"street": street}}
        inside = {"home": {"$ref": "#/$defs/a"}, "work": {"$ref": "#/$defs/a"}}
        return {**table(**inside), "$defs": {"a": address}}

    (change,) = compare(order(TEXT), order(INTEGER)).changes
    assert change.fields == ("home.street", "work.street")
    assert change.pointer == "/$defs/a/properties/street/type"


def test_a_break_in_a_recursive_schema_belongs_to_its_deeper_selves_too():
    def tree(leaf):
        return table(leaf=leaf, children={"type": "array", "items": {"$ref": "#"}})

    (change,) = compare(tree(TEXT), tree(INTEGER)).changes
    assert change.fields == ("leaf", "children")


def test_a_change_at_the_root_and_a_change_of_items_have_their_paths():
    (root,) = compare({"type": "object"}, {"type": "array"}).changes
    assert (root.path, root.fields) == ("", ("",))
    (item,) = compare(
        table(tags={"type": "array", "items": TEXT}), table(tags={"type": "array", "items": INTEGER})
    ).changes
    assert (item.path, item.fields) == ("tags[]", ("tags",))


def test_a_rename_belongs_to_the_old_and_the_new_name():
    (change,) = compare(table(customer_id=TEXT), table(customerId=TEXT)).changes
    assert change.fields == ("customer_id", "customerId")
    assert (change.before, change.after) == ("customer_id", "customerId")
    assert change.counterexample == {"customer_id": ""}


def test_a_rename_is_not_guessed_between_rivals_or_across_types():
    kinds = {change.kind for change in compare(table(order_id=TEXT), table(id_order=TEXT, order_id_=TEXT)).changes}
    assert K.PROPERTY_RENAMED not in kinds
    kinds = {change.kind for change in compare(table(order_id=TEXT), table(orderId=INTEGER)).changes}
    assert K.PROPERTY_RENAMED not in kinds


def test_the_counterexample_of_a_removed_field_uses_the_field():
    (change,) = compare(table(a=TEXT, b=TEXT), table(a=TEXT)).changes
    assert change.counterexample == {"b": ""}


def test_the_counterexample_of_a_removed_default_relies_on_the_default():
    (change,) = compare(table(a={**TEXT, "default": "x"}), table(a=TEXT)).changes
    assert change.counterexample == {}


def test_changes_of_lists_are_reported_as_deltas():
    (change,) = compare({"enum": [1, 2, 3]}, {"enum": [1, 2]}).changes
    assert (change.before, change.after) == ([3], None)


def test_a_hint_names_a_change_that_does_not_break():
    old, new = table(a=TEXT, b=TEXT), {**table(a={**TEXT, "maxLength": 2}), "required": ["a"]}
    hints = {change.kind: change.hint for change in compare(old, new).changes}
    assert hints == {
        K.PROPERTY_REMOVED: "Keep b as well, marked deprecated, until nobody reads it.",
        K.CONSTRAINT_TIGHTENED: "Leave maxLength out.",
        K.REQUIRED_ADDED: "Keep a optional.",
    }


def test_messages_count_alternatives():
    def messages(old, new):
        return [change.message for change in compare(old, new).changes]

    assert messages({"anyOf": [TEXT, INTEGER, True]}, {"anyOf": [TEXT, True]}) == []
    assert "The schema: 1 alternative was removed." in messages({"anyOf": [TEXT, INTEGER]}, {"anyOf": [TEXT]})
    three = [TEXT, INTEGER, {"type": "array"}]
    assert "The schema: 2 alternatives were removed." in messages({"anyOf": three}, {"anyOf": [TEXT]})


def test_no_hint_without_a_break():
    (change,) = compare(table(a=TEXT), table(a=TEXT, b=TEXT)).changes
    assert change.hint is None


def test_fields_from_a_shared_definition_are_the_same_as_spelled_out_ones():
    address = table(street=TEXT)
    shared = {**table(home={"$ref": "#/$defs/a"}, work={"$ref": "#/$defs/a"}), "$defs": {"a": address}}
    assert compare(shared, table(home=address, work=address)).changes == ()
    assert compare(table(home=address, work=address), shared).changes == ()


@pytest.mark.parametrize("default", [{}, {"default": None}])
def test_a_second_use_of_a_definition_is_an_added_field(default):
    address = {"$ref": "#/$defs/a"}
    old = {**table(billing=address), "$defs": {"a": table(street=TEXT)}}
    shipping = {"anyOf": [address, {"type": "null"}], **default}
    (change,) = compare(old, {**old, "properties": {"billing": address, "shipping": shipping}}).changes
    assert (change.kind, change.path, change.breaks) == (K.PROPERTY_ADDED, "shipping", {FORWARD, FULL})
