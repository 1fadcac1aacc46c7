"""A message is a sentence about a column: its path, what was edited, and the values before and after."""

import pytest

from tessera_gql.diff import compare
from tessera_gql.diff.messages import describe_edit, format_value, format_values
from tests.diff.schemas import INTEGER, NULL, NULLABLE_TEXT, NUMBER, TEXT, array, obj


def table(*required, **columns):
    return obj(properties=columns, required=[*required])


def enum(*values):
    return {"enum": [*values]}


def messages(old, new):
    return [change.message for change in compare(old, new).changes]


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (table("coupon", id=TEXT, coupon=TEXT), table(id=TEXT), "coupon was removed (it was required)."),
        (table(id=TEXT, coupon=TEXT), table(id=TEXT), "coupon was removed."),
        (table(id=TEXT), table("note", id=TEXT, note=TEXT), "note was added (it is required)."),
        (table(created_at=TEXT), table(createdAt=TEXT), "created_at was renamed to createdAt."),
        (table(id=TEXT), table("id", id=TEXT), "id is required now."),
        (table("id", id=TEXT), table(id=TEXT), "id is optional now."),
        (table(amount=INTEGER), table(amount=TEXT), "amount: type changed from integer to string."),
        (table(amount=INTEGER), table(amount=NUMBER), "amount: type widened from integer to number."),
        (table(amount=NUMBER), table(amount=INTEGER), "amount: type narrowed from number to integer."),
        (
            table(status=enum("new")),
            table(status=enum("new", "returned", "lost")),
            "status: values were added: 'returned', 'lost'.",
        ),
        (table(status=enum("new", "lost")), table(status=enum("new")), "status: value was removed: 'lost'."),
        (
            table(status=TEXT),
            table(status={**TEXT, "enum": ["new", "lost"]}),
            "status: values were limited to 'new', 'lost'.",
        ),
        (
            table(amount={**NUMBER, "maximum": 100}),
            table(amount={**NUMBER, "maximum": 1000}),
            "amount: maximum relaxed from 100 to 1000.",
        ),
        (
            table(amount=NUMBER),
            table(amount={**NUMBER, "exclusiveMinimum": 0}),
            "amount: minimum was added: 0 (exclusive).",
        ),
        (table(amount={**NUMBER, "maximum": 100}), table(amount=NUMBER), "amount: maximum was removed (was 100)."),
        (
            table(customer=table(email=TEXT)),
            table(customer=table(email=NULLABLE_TEXT)),
            "customer.email: null is allowed now (was never null).",
        ),
        (table(email=NULLABLE_TEXT), table(email=TEXT), "email: null is not allowed any more."),
        (
            table(sku={**TEXT, "pattern": "^a"}),
            table(sku={**TEXT, "pattern": "^b"}),
            "sku: pattern changed from '^a' to '^b'.",
        ),
        (
            table(tags=array(items={**TEXT, "maxLength": 9})),
            table(tags=array(items={**TEXT, "maxLength": 5})),
            "tags[]: maxLength tightened from 9 to 5.",
        ),
        (
            table(tags=obj(propertyNames={"maxLength": 9})),
            table(tags=obj(propertyNames={"maxLength": 5})),
            "tags (names of its fields): maxLength tightened from 9 to 5.",
        ),
        (table(tags=array(contains=TEXT)), table(tags=array()), "tags need not contain a certain item any more."),
        (
            table(at={**TEXT, "title": "At"}),
            table(at={**TEXT, "title": "Time"}),
            "at: title changed from 'At' to 'Time'.",
        ),
        (TEXT, INTEGER, "The schema: type changed from string to integer."),
        (NULL, False, "The schema: no value is allowed any more (was null)."),
    ],
)
def test_a_message_names_the_path_the_edit_and_the_values(old, new, expected):
    assert messages(old, new) == [expected]


def test_a_change_of_type_and_nullability_is_one_message_each():
    assert messages(table(a=NULLABLE_TEXT), table(a=INTEGER)) == [
        "a: null is not allowed any more.",
        "a: type changed from string to integer.",
    ]


def test_values_that_change_the_type_are_reported_as_values_alone():
    assert messages(table(a=enum("x")), table(a=enum("x", 1))) == ["a: value was added: 1."]
    assert messages(enum("x", 1), enum("x", 2)) == [
        "The schema: value was added: 2.",
        "The schema: value was removed: 1.",
    ]


def test_null_among_the_values_is_reported_as_nullability_alone():
    nullable = {"type": ["string", "null"], "enum": ["x", None]}
    assert messages({**TEXT, "enum": ["x"]}, nullable) == ["The schema: null is allowed now (was never null)."]
    assert messages(nullable, {**TEXT, "enum": ["x"]}) == ["The schema: null is not allowed any more."]


def test_an_object_that_looks_like_a_bound_is_shown_as_it_is():
    old, new = enum(1), enum(1, {"exclusive": 2})
    assert messages(old, new) == ['The schema: value was added: {"exclusive":2}.']


def test_a_change_of_one_item_names_its_position():
    old, new = (table(a=array(prefixItems=[TEXT, {**TEXT, "maxLength": limit}])) for limit in (9, 5))
    assert messages(old, new) == ["a[1]: maxLength tightened from 9 to 5."]


def test_all_steps_of_a_multiple_are_named():
    old = {**INTEGER, "multipleOf": 2}
    new = {**old, "allOf": [{"multipleOf": 3}]}
    assert messages(old, new) == ["The schema: multipleOf tightened from 2 to 2, 3."]


def test_five_values_are_listed_and_the_remaining_ones_counted():
    assert format_values([1, 2, 3, 4, 5]) == "1, 2, 3, 4, 5"
    assert format_values([*range(1, 8)]) == "1, 2, 3, 4, 5 and 2 more"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("lost", "'lost'"),
        ("x" * 80, f"'{'x' * 80}'"),
        ("x" * 81, f"'{'x' * 79}…'"),
        ("\n" * 80, f"'{(chr(92) + 'n') * 39}{chr(92)}…'"),
        ("\u202e\ud800", "'\\u202e\\ud800'"),
        (None, "null"),
        (True, "true"),
        (1.0, "1"),
        ([1, "a"], '[1,"a"]'),
    ],
)
def test_a_value_is_one_line_of_limited_length(value, expected):
    assert format_value(value) == expected


def test_a_keyword_that_appears_or_disappears_shows_its_value():
    assert describe_edit("title", None, "At") == "title was added: 'At'"
    assert describe_edit("title", "At", None) == "title was removed (was 'At')"
