"""Renamed properties are recognized by similar names and by declaration."""

import pytest

from tessera_gql.diff import ChangeKind, Mode, compare
from tessera_gql.diff.budget import STEPS_PER_UNIT, Budget
from tessera_gql.diff.compare.renames import STEPS_PER_PAIR, find_renames, name_similarity
from tessera_gql.diff.read.documents import read
from tessera_gql.diff.read.guard import Identities
from tessera_gql.diff.read.schema import NodeCache
from tests.diff.schemas import INTEGER, TEXT


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("customer_id", "customerID", 1.0),
        ("HTTPStatus2", "http_status_2", 1.0),
        ("cust_id", "customer_id", 0.9),
        ("customer_id", "cust_id", 0.9),
        ("cu_id", "customer_id", 0.0),
        ("sum", "name", 0.0),
        ("summary", "sum", 0.8),
        ("order_total", "total", 2 / 3),
        ("amt", "amount", 0.8),
        ("order_qty", "order_quantity", 0.9),
        ("created_at", "creation_time", 0.7),
        ("orders_shipped", "order_shipping", 0.8),
        ("customer_field_1", "customerField1", 1.0),
        ("line_1", "line_2", 0.0),
        ("city", "country", 0.0),
        ("county", "country", 0.0),
        ("first_name", "last_name", 0.0),
        ("billing_address", "shipping_address", 0.0),
        ("min_price", "max_price", 0.0),
        ("größe", "Größe", 1.0),
        ("", "a", 0.0),
        ("___", "a", 0.0),
    ],
)
def test_similarity_compares_the_words_of_names(old, new, expected):
    assert name_similarity(old, new) == pytest.approx(expected)
    assert name_similarity(new, old) == pytest.approx(expected)


def kinds(old, new):
    schemas = [{"type": "object", "properties": each} for each in (old, new)]
    return sorted(change.kind for change in compare(*schemas).changes)


RENAMED = [ChangeKind.PROPERTY_RENAMED]
BOTH = [ChangeKind.PROPERTY_ADDED, ChangeKind.PROPERTY_REMOVED]


def test_similar_names_with_the_same_schema_are_a_rename():
    assert kinds({"user_name": TEXT}, {"userName": TEXT}) == RENAMED
    assert kinds({"amount": TEXT}, {"colour": TEXT}) == BOTH
    assert kinds({"user_name": TEXT}, {"userName": INTEGER}) == BOTH


def test_a_declared_rename_takes_precedence():
    assert kinds({"amount": TEXT}, {"colour": {**INTEGER, "x-renamed-from": "amount"}}) == RENAMED
    assert kinds({"amount": TEXT}, {"colour": {**TEXT, "x-renamed-from": "never_there"}}) == BOTH


def test_two_candidates_are_no_rename():
    reported = kinds({"user_name": TEXT}, {"userName": TEXT, "UserName": TEXT})
    assert ChangeKind.PROPERTY_RENAMED not in reported


def columns(template, count, schema=TEXT):
    return {template.format(index): schema for index in range(count)}


def test_a_thousand_renamed_columns_are_recognized():
    assert kinds(columns("customer_field_{}", 1_000), columns("customerField{}", 1_000)) == RENAMED * 1_000


def test_a_rename_is_recognized_among_a_thousand_other_columns():
    removed = {"user_name": TEXT, "amount": INTEGER, **columns("x{}", 1_000, INTEGER)}
    added = {"userName": TEXT, "colour": {**INTEGER, "x-renamed-from": "amount"}, **columns("y{}", 1_000, INTEGER)}
    assert kinds(removed, added).count(ChangeKind.PROPERTY_RENAMED) == 2


def parse_columns(properties, budget):
    node = NodeCache(budget=budget).root(read({"properties": properties}, Identities()))
    return [(name, node.property_schema(name)) for name in properties]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("customer_field_{}", "customerField{}"),
        ("customer_field_{}", "client_field_{}"),
        ("abc{}x", "abc{}y"),
        ("field", "field_{}"),
    ],
)
def test_a_name_is_compared_with_twenty_candidates_at_most(old, new):
    budget = Budget(10_000)
    removed, added = (parse_columns(columns(template, 1_000), budget) for template in (old, new))
    find_renames(removed, added)
    assert budget.fuel >= 10_000 - 20 * 1_000 * STEPS_PER_PAIR // STEPS_PER_UNIT


def test_without_fuel_only_declared_renames_are_recognized():
    budget = Budget(-1)
    removed = parse_columns({"user_name": TEXT, "amount": INTEGER}, budget)
    added = parse_columns({"userName": TEXT, "colour": {**INTEGER, "x-renamed-from": "amount"}}, budget)
    assert find_renames(removed, added) == {"amount": "colour"}


def test_the_most_similar_name_is_the_rename_and_a_tie_is_no_rename():
    reported = kinds({"user_name": TEXT, "user": TEXT}, {"userName": TEXT})
    assert reported == [ChangeKind.PROPERTY_REMOVED, *RENAMED]
    reported = kinds({"userName": TEXT}, {"user_name": TEXT, "user": TEXT})
    assert reported == [ChangeKind.PROPERTY_ADDED, *RENAMED]
    assert kinds({"a_b": TEXT, "c_d": TEXT}, {"aB": TEXT, "cD": TEXT}) == RENAMED * 2


@pytest.mark.parametrize(
    ("old", "new"),
    [("city", "country"), ("first_name", "last_name"), ("user_name", "user_mail"), ("user_name_x", "user_mail_y")],
)
def test_names_that_each_have_a_word_of_their_own_are_no_rename(old, new):
    assert kinds({old: TEXT}, {new: TEXT}) == BOTH


@pytest.mark.parametrize(
    ("old", "new"),
    [("created_at", "creation_time"), ("cust_id", "customer_id"), ("amt", "amount"), ("total", "order_total")],
)
def test_short_and_inflected_forms_are_a_rename(old, new):
    assert kinds({old: TEXT}, {new: TEXT}) == RENAMED


@pytest.mark.parametrize("mode", [Mode.BACKWARD, Mode.FORWARD, Mode.FULL])
def test_a_rename_breaks_as_the_removal_and_the_addition_do(mode):
    schemas = ({"type": "object", "properties": {name: TEXT}} for name in ("user_name", "userName", "mail"))
    old, renamed, replaced = schemas
    assert compare(old, renamed).is_compatible(mode) == compare(old, replaced).is_compatible(mode)


def test_a_declared_rename_is_not_used_for_a_guess():
    old = {"user_name": TEXT, "mail": TEXT}
    new = {"mail_address": {**TEXT, "x-renamed-from": "user_name"}, "userName": TEXT}
    assert kinds(old, new) == [*BOTH, *RENAMED]
