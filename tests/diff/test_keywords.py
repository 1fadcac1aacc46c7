"""Every keyword has one record, from which the tables of the stages are made."""

from collections import Counter

from tessera_gql.diff.keywords.registry import KEYWORDS, KEYWORDS_BY_NAME
from tessera_gql.diff.read.dialects import DIALECTS


def test_every_keyword_of_a_draft_has_one_record():
    counts = Counter(name for record in KEYWORDS for name in record.names)
    shaped = {keyword for dialect in DIALECTS for keyword in dialect.shapes}
    assert counts.keys() == shaped | {"default", "x-physical-type"}, "a default may have any shape"
    assert {*counts.values()} == {1}


def test_a_keyword_that_asserts_nothing_constrains_no_type():
    assert all(record.constrained_types == 0 for record in KEYWORDS if not record.is_asserting)


def test_a_comparer_is_called_for_known_keywords():
    triggers = {name for record in KEYWORDS for name in record.triggers}
    assert triggers - KEYWORDS_BY_NAME.keys() == {"nullable", ""}


def test_every_description_is_a_sentence():
    descriptions = [record.description for record in KEYWORDS]
    assert all(text[0].isupper() and text.endswith(".") for text in descriptions)
