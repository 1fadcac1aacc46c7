"""Renamed properties are recognized by similar names and by declaration."""

import pytest

from tessera_gql.diff import ChangeKind, compare
from tessera_gql.diff.compare.renames import name_similarity
from tests.diff.schemas import INTEGER, TEXT


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("customer_id", "customerID", 1.0),
        ("HTTPStatus2", "http_status_2", 1.0),
        ("cust_id", "customer_id", 0.9),
        ("customer_id", "cust_id", 0.9),
        ("cu_id", "customer_id", 0.5),
        ("sum", "name", 0.0),
        ("summary", "sum", 0.8),
        ("order_total", "total", 2 / 3),
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


@pytest.mark.parametrize(("count", "renamed"), [(200, True), (201, False)])
def test_among_more_than_two_hundred_names_only_declared_renames_count(count, renamed):
    removed = {"user_name": TEXT, "amount": INTEGER, **{f"x{index}": INTEGER for index in range(count - 2)}}
    come = {"userName": TEXT, "colour": {**INTEGER, "x-renamed-from": "amount"}}
    assert kinds(removed, come).count(ChangeKind.PROPERTY_RENAMED) == 1 + renamed
    come["colour"] = INTEGER
    assert kinds(come, removed).count(ChangeKind.PROPERTY_RENAMED) == renamed


def test_the_most_similar_name_is_the_rename_and_a_tie_is_no_rename():
    reported = kinds({"user_name": TEXT, "user": TEXT}, {"userName": TEXT})
    assert reported == [ChangeKind.PROPERTY_REMOVED, *RENAMED]
    reported = kinds({"userName": TEXT}, {"user_name": TEXT, "user": TEXT})
    assert reported == [ChangeKind.PROPERTY_ADDED, *RENAMED]
    assert kinds({"a_b": TEXT, "c_d": TEXT}, {"aB": TEXT, "cD": TEXT}) == RENAMED * 2


def test_names_that_are_half_similar_are_a_rename():
    assert kinds({"user_name": TEXT}, {"user_mail": TEXT}) == RENAMED
    assert kinds({"user_name_x": TEXT}, {"user_mail_y": TEXT}) == BOTH


def test_a_declared_rename_is_not_used_for_a_guess():
    old = {"user_name": TEXT, "mail": TEXT}
    new = {"mail_address": {**TEXT, "x-renamed-from": "user_name"}, "userName": TEXT}
    assert kinds(old, new) == [*BOTH, *RENAMED]
