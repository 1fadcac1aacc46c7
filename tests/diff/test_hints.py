"""A hint is offered only if comparing again shows that it does not break."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tessera_gql.diff import Mode, compare
from tessera_gql.diff.compare.comparers import compare_views
from tessera_gql.diff.compare.walk import ViewPair
from tessera_gql.diff.differences import PropertyStep
from tessera_gql.diff.prove.assessment import Assessment
from tessera_gql.diff.read.documents import read
from tessera_gql.diff.read.guard import Identities
from tessera_gql.diff.read.schema import NodeCache
from tessera_gql.diff.read.view import View
from tessera_gql.diff.report.hints import find_hint
from tests.diff.schemas import INTEGER, NULLABLE_TEXT, NUMBER, TEXT, array, obj


def table(*required, **columns):
    return obj(properties=columns, required=[*required])


def hints(old, new):
    return [change.hint for change in compare(old, new).breaking_changes(Mode.FULL)]


SHORT, SHORTER = {**TEXT, "maxLength": 3}, {**TEXT, "maxLength": 2}
KEEP_MAXIMUM = "Keep maxLength at 3."


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (table("b", a=TEXT, b=TEXT), table("a", "b", a=TEXT, b=TEXT), "Keep a optional."),
        (table(a=TEXT), table("a", a=TEXT), "Keep a optional."),
        (table(a=TEXT), table("b", a=TEXT, b=TEXT), "Add b as optional."),
        (obj(allOf=[table(a=TEXT)]), obj(allOf=[table("a", a=TEXT)]), "Keep a optional."),
        (table(a=TEXT), table(a=INTEGER), "Keep a as it was and add a new column of type integer."),
        (
            {**table(a={"$ref": "#/$defs/b"}), "$defs": {"b": TEXT}},
            {**table(a={"$ref": "#/$defs/b"}), "$defs": {"b": INTEGER}},
            "Keep a as it was and add a new column of type integer.",
        ),
        (TEXT, INTEGER, "Accept string as well."),
        (table(a=NULLABLE_TEXT), table(a=TEXT), "Accept null as well."),
        (table(a=NUMBER), table(a=INTEGER), "Accept number as well."),
        (table(a={"enum": [1, 2]}), table(a={"enum": [2]}), "Keep 1 in the enum."),
        (table(a=TEXT), table(a={**TEXT, "enum": ["x"]}), "Leave the values unlimited."),
        (table(a=SHORT), table(a=SHORTER), KEEP_MAXIMUM),
        (table(a=TEXT), table(a=SHORTER), "Leave maxLength out."),
        (array(prefixItems=[{}, SHORT]), array(prefixItems=[{}, SHORTER]), KEEP_MAXIMUM),
        (table(**{"a/b~c": SHORT}), table(**{"a/b~c": SHORTER}), KEEP_MAXIMUM),
        (table(a={**NUMBER, "exclusiveMinimum": 1}), table(a={**NUMBER, "minimum": 2}), "Keep exclusiveMinimum at 1."),
        (table(a={**TEXT, "pattern": "^a"}), table(a={**TEXT, "pattern": "^b"}), "Keep pattern at '^a'."),
        (table(a=TEXT), {**table(a=TEXT), "additionalProperties": False}, "Keep undeclared fields allowed."),
        (table(a=array()), table(a=array(uniqueItems=True)), "Keep duplicate items allowed."),
        (table(a={**TEXT, "default": "x"}), table(a=TEXT), "Keep the default 'x'."),
        (table(a={**TEXT, "default": None}), table(a=TEXT), "Keep the default null."),
        (table(a=TEXT, b=TEXT), table(a=TEXT), "Keep b as well, marked deprecated, until nobody reads it."),
        (table("b", a=TEXT, b=TEXT), table(a=TEXT), "Keep b as well, marked deprecated, until nobody reads it."),
        (table(user_id=TEXT), table(userId=TEXT), "Keep user_id as well, marked deprecated, until nobody reads it."),
        (
            table("user_id", user_id=TEXT),
            table("userId", userId=TEXT),
            "Keep user_id as well, marked deprecated, until nobody reads it, and add userId as optional.",
        ),
    ],
)
def test_a_hint_that_does_not_break_is_offered(old, new, expected):
    assert hints(old, new) == [expected]


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (INTEGER, NUMBER, "Keep the type integer."),
        (TEXT, NULLABLE_TEXT, "Leave null out."),
        ({"enum": [1]}, {"enum": [1, 2]}, "Leave 2 out of the enum."),
        ({"enum": [1]}, {}, "Keep the enum."),
        (SHORTER, SHORT, "Keep maxLength at 2."),
        (table("a", a=TEXT), table(a=TEXT), "Keep a required."),
        ({**table(a=TEXT), "additionalProperties": False}, table(a=TEXT), "Keep undeclared fields forbidden."),
        (table(a=TEXT), table(a={**TEXT, "default": "x"}), "Leave the default out."),
    ],
)
def test_a_hint_is_offered_for_a_change_that_the_old_schema_does_not_accept(old, new, expected):
    assert expected in hints(old, new)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (table(a=TEXT), table(a=TEXT, b=TEXT)),
        (table(a=TEXT), {**table(a=TEXT), "additionalProperties": TEXT}),
        (table(a={**TEXT, "allOf": [SHORT]}), table(a={**TEXT, "allOf": [SHORTER]})),
        (TEXT, False),
    ],
)
def test_nothing_is_offered_that_would_break_all_the_same(old, new):
    assert set(hints(old, new)) == {None}


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (TEXT, NULLABLE_TEXT, "Keep a as it was and add a new column that allows null."),
        (INTEGER, NUMBER, "Keep a as it was and add a new column of type number."),
        ({"enum": ["x"]}, {"enum": ["x", "y"]}, "Keep a as it was and add a new column that allows 'y'."),
        ({"enum": ["x"]}, {}, "Keep a as it was and add a new column for the new values."),
        (SHORTER, SHORT, "Keep maxLength at 2."),
    ],
)
def test_a_change_that_breaks_consumers_alone_is_avoided_by_a_new_column(old, new, expected):
    schemas = table(a=old), table(a=new)
    cache, identities = NodeCache(), Identities()
    roots = [cache.root(read(schema, identities)) for schema in schemas]
    before, after = (View((root.property_schema("a"),)) for root in roots)
    difference = [*compare_views(before, after)][-1]
    pair = ViewPair(before, after)
    assessment = Assessment(difference, frozenset({Mode.CONSUMER}), ("a",), (PropertyStep("a"),), pair)
    hint = find_hint(assessment, [assessment], *schemas, compare)
    assert (hint.edit.sentence, hint.modes) == (expected, {Mode.CONSUMER})


@pytest.mark.parametrize(
    ("old", "new", "modes"),
    [
        (table(a=TEXT), table("b", a=TEXT, b=TEXT), {Mode.BACKWARD}),
        (table(a=TEXT, b=TEXT), table(b=TEXT), {Mode.BACKWARD, Mode.CONSUMER, Mode.FULL}),
        (
            table("user_id", "b", user_id=TEXT, b=TEXT),
            table("userId", "b", userId=TEXT, b=TEXT),
            {Mode.BACKWARD, Mode.CONSUMER},
        ),
    ],
)
def test_a_hint_names_the_modes_in_which_it_was_verified(old, new, modes):
    (change,) = compare(old, new).changes
    assert change.hint_modes == modes
    assert all((change.hint_for(mode) is not None) == (mode in modes) for mode in Mode)


def test_a_hint_is_offered_although_another_change_still_breaks():
    assert hints(table(a=SHORT, b=TEXT), table(a=SHORTER, b=INTEGER)) == [
        KEEP_MAXIMUM,
        "Keep b as it was and add a new column of type integer.",
    ]


def test_a_hint_that_needs_a_removed_definition_is_not_offered():
    old = {**table(a=TEXT, b={"$ref": "#/$defs/b"}), "$defs": {"b": TEXT}}
    (gone,) = compare(old, table(a=TEXT)).breaking_changes(Mode.BACKWARD)
    assert gone.hint is None


def test_the_schemas_stay_as_they_are():
    old, new = table(a=SHORT), table(a=SHORTER)
    assert hints(old, new) == [KEEP_MAXIMUM]
    assert new == table(a=SHORTER)


def columns(count, schema):
    return {f"c{index}": schema for index in range(count)}


def test_the_first_twenty_changes_get_a_hint():
    edits = hints(table(**columns(22, SHORT)), table(**columns(22, SHORTER)))
    assert edits == [KEEP_MAXIMUM] * 20 + [None] * 2


@pytest.mark.parametrize(("count", "expected"), [(249, KEEP_MAXIMUM), (250, None)])
def test_hints_are_for_schemas_of_five_hundred_parts_together(count, expected):
    old, new = ({**table(a=each, **columns(count - 1, {})), "minProperties": 0} for each in (SHORT, SHORTER))
    assert hints(old, new) == [expected]


def test_a_plain_table_of_any_width_gets_hints():
    old, new = (table(a=each, **columns(3_000, TEXT)) for each in (SHORT, SHORTER))
    assert hints(old, new) == [KEEP_MAXIMUM]


COLUMNS = [
    TEXT,
    NULLABLE_TEXT,
    SHORT,
    SHORTER,
    INTEGER,
    NUMBER,
    {**TEXT, "default": "x"},
    {"enum": [1, 2]},
    {"enum": [2, 3]},
]
COLUMNS += [table("x", x=TEXT, y=INTEGER), table(x=INTEGER), array(items=table(x=TEXT)), array()]


@st.composite
def tables(draw):
    """Tables whose columns share no definition: a change of a shared one is reported once, at the first column."""
    names = sorted(draw(st.sets(st.sampled_from(["total", "a/b", "country", "since", "weight"]), min_size=1)))
    required = draw(st.sets(st.sampled_from([*names, "missing"])))
    columns, definitions = {}, {}
    for name in names:
        column, key = draw(st.sampled_from(COLUMNS)), name.replace("/", "")
        reference = {"$ref": f"#/$defs/{key}"}
        columns[name], definition = draw(
            st.sampled_from([(column, TEXT), (reference, column), (array(items=reference), column)])
        )
        definitions[key] = definition
    return {**table(*sorted(required), **columns), "$defs": definitions}


@given(tables(), tables())
@settings(max_examples=150, deadline=None)
def test_comparing_only_the_changed_columns_gives_the_hints_of_comparing_whole_schemas(old, new):
    whole_old, whole_new = ({**schema, "minProperties": 0} for schema in (old, new))
    assert [(change.path, change.hint, change.hint_modes) for change in compare(old, new).changes] == [
        (change.path, change.hint, change.hint_modes) for change in compare(whole_old, whole_new).changes
    ]
