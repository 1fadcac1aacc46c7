"""A document is cached when it is sent again, and the cache is bounded."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tessera_gql.config import Profile
from tessera_gql.server import documents as module
from tessera_gql.server.documents import DocumentCache, Operation
from tessera_gql.server.limits import Limits

from .sample_schema import SCHEMA


def documents(**limits: int) -> DocumentCache:
    return DocumentCache(SCHEMA._schema, Limits(**limits), Profile.OPEN)


def document(cache: DocumentCache, query: str) -> object:
    """Send a query twice, so that it is cached, and return its document."""
    cache.prepare(query)
    prepared = cache.prepare(query)
    assert isinstance(prepared, Operation)
    return prepared.document


def test_a_document_sent_once_is_not_cached() -> None:
    cache = documents()
    for number in range(100):
        cache.prepare(f"{{a{number}: hello}}")
    assert cache._weight == 0


def test_few_of_the_queries_sent_once_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_REMEMBERED_QUERIES", 2)
    cache = documents()
    for query in ("{a: hello}", "{b: hello}", "{c: hello}", "{a: hello}", "{c: hello}"):
        cache.prepare(query)
    assert [*cache._entries] == ["{c: hello}"]
    assert len(cache._sent_once) <= 2


def test_a_document_sent_twice_is_cached_whatever_its_variables() -> None:
    cache = documents()
    query = "query ($n: Int) {things(first: $n) {totalCount}}"
    cache.prepare(query, {"n": 0})
    first = cache.prepare(query, {"n": 1})
    second = cache.prepare(query, {"n": 2})
    assert isinstance(first, Operation)
    assert isinstance(second, Operation)
    assert first.document is second.document
    assert (first.variables, second.variables) == ({"n": 1}, {"n": 2})


@pytest.mark.parametrize(
    "query", ["{", "{nope}", "{" + "thing {" * 20 + "name" + "}" * 21, "{" + "hello " * 3000 + "}"], ids=str.__len__
)
def test_a_validation_error_is_cached_too(query: str) -> None:
    cache = documents()
    cache.prepare(query)
    first, second = cache.prepare(query), cache.prepare(query)
    assert isinstance(first, list)
    assert isinstance(second, list)
    assert first[0] is second[0]


def test_the_least_recently_used_document_is_evicted_first() -> None:
    cache = documents(cached_tokens=15)
    a, b = document(cache, "{a: hello}"), document(cache, "{b: hello}")
    assert document(cache, "{a: hello}") is a
    document(cache, "{c: hello}")
    assert document(cache, "{a: hello}") is a
    assert document(cache, "{b: hello}") is not b


def test_the_cache_stays_within_its_budget() -> None:
    cache = documents(cached_tokens=1000)
    for number in range(100):
        for query in (f"{{a{number}: hello}}", f"{{a{number}", "#" + "x" * number * 500 + "\n{hello}"):
            cache.prepare(query)
            cache.prepare(query)
    assert cache._weight <= 1000
    assert cache._weight == sum(entry.weight for entry in cache._entries.values())


@pytest.mark.parametrize("query", ["{" + "hello " * 300, "{even(value: 3)}", "{" + "thing {" * 300, "{nope}"], ids=len)
def test_a_cached_error_does_not_keep_stack_frames_alive(query: str) -> None:
    (error,) = documents().prepare(query)
    for kept in (error, error.original_error):
        assert kept is None or (kept.__traceback__ is None and kept.__context__ is None)


def test_one_document_with_many_page_sizes_caches_few_of_them() -> None:
    cache = documents()
    for number in range(500):
        cache.prepare("query ($n: Int) {things(first: $n) {totalCount}}", {"n": number})
    (entry,) = cache._entries.values()
    assert len(entry.verdicts) <= 100


WORDS = [
    *["{", "}", "(", ")", "[", "]", ":", "$", "!", "=", "@", "...", "|", "&", '"', '"""', "#", ",", "\n"],
    *[
        "query",
        "mutation",
        "subscription",
        "fragment",
        "on",
        "null",
        "true",
        "1",
        "-1",
        "1e999",
        "9999999999999999999999",
        '"x"',
    ],
    *[
        "A",
        "B",
        "Query",
        "Thing",
        "Things",
        "Node",
        "Nope",
        "name",
        "thing",
        "things",
        "nodes",
        "edges",
        "node",
        "owner",
        "parts",
        "hello",
        "echo",
        "value",
        "first",
        "ids",
    ],
    *["__typename", "__schema", "__type", "types", "fields", "type", "ofType", "skip", "include", "if"],
    "{ thing { ...A } }",
    "fragment A on Thing { owner { ...B } }",
    "fragment B on Thing { parts { ...A } }",
    "things(first: $n) { edges { node { name } } }",
    "($n: Int = 5)",
    "$n",
    "@skip(if: true)",
    "... on Thing {",
]


@settings(max_examples=400, deadline=None)
@given(st.lists(st.sampled_from(WORDS), max_size=30).map(" ".join), st.sampled_from(list(Profile)))
def test_no_text_makes_the_cache_raise(text: str, profile: Profile) -> None:
    cache = DocumentCache(SCHEMA._schema, Limits(), profile)
    for query in (text, "{" + text + "}", "{ thing { " + text + " } }"):
        prepared = cache.prepare(query, {"n": text})
        if isinstance(prepared, list):
            assert prepared
            assert all(error.extensions and error.extensions["code"] for error in prepared)
