"""The locked server refuses, quickly and without details, every attack of graphql-cop and GraphQL Armor."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.e2e.server import Running, serving

ADMIN = "an-administrators-key-for-this-test"
KEY = {"Authorization": f"Bearer {ADMIN}"}
QUICK_SECONDS = 1.0
"""Far above what a refusal takes, and far below what each of these attacks takes where it is carried out."""

INTERNALS = ("Traceback", 'File "', ".py", "sqlalchemy", "sqlite", "asyncpg", "strawberry", "graphql-core", "uvicorn")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with serving(tmp_path_factory.mktemp("attacked"), ADMIN_KEY=ADMIN) as running:
        yield running
        assert running.process.poll() is None
        assert "Traceback" not in running.log.read_text()


def post(server: Running, query: str, **variables: Any) -> httpx.Response:
    body = {"query": query, "variables": variables}
    return httpx.post(f"{server.url}/graphql", json=body, headers=KEY, timeout=10)


def refused(server: Running, query: str, **variables: Any) -> dict[str, Any]:
    """The first error of a reply that has no data, and that came quickly."""
    post(server, "{ viewer { actor } }")
    started = time.monotonic()
    answer = post(server, query, **variables).json()
    assert time.monotonic() - started < QUICK_SECONDS
    assert "data" not in answer, answer
    assert len(answer["errors"]) <= 10
    error: dict[str, Any] = answer["errors"][0]
    return error


def limit(server: Running, query: str, **variables: Any) -> str:
    error = refused(server, query, **variables)
    assert error["extensions"]["code"] == "QUERY_TOO_COMPLEX", error
    name: str = error["extensions"]["limit"]
    return name


def nested(depth: int) -> str:
    return (
        "{ assets(first: 1) { nodes "
        + "{ owner { assets(first: 1) { nodes " * depth
        + "{ id }"
        + " } } }" * depth
        + "} }"
    )


def test_a_normal_query_is_executed(server: Running) -> None:
    assert post(server, "{ viewer { actor } }").json() == {"data": {"viewer": {"actor": "admin"}}} | _budget(server)


def _budget(server: Running) -> dict[str, Any]:
    """Ignore the extension with the remaining rate limit; this test doesn't check it."""
    answer = post(server, "{ viewer { actor } }").json()
    return {"extensions": answer["extensions"]} if "extensions" in answer else {}


def test_too_many_aliases_are_refused(server: Running) -> None:
    assert limit(server, "{" + " ".join(f"a{n}: __typename" for n in range(101)) + "}") == "aliases"
    assert limit(server, "{" + " ".join(f"a{n}: viewer {{ actor }}" for n in range(10_000)) + "}") in {
        "aliases",
        "tokens",
    }


def test_a_mutation_repeated_by_aliases_is_refused(server: Running) -> None:
    mutations = " ".join(f'm{n}: createTeam(input: {{ name: "t{n}" }}) {{ team {{ id }} }}' for n in range(31))
    assert limit(server, f"mutation {{ {mutations} }}") == "aliases"
    assert post(server, "{ teams { totalCount } }").json()["data"]["teams"]["totalCount"] == 0


def test_endlessly_repeated_fields_are_refused(server: Running) -> None:
    assert limit(server, "{ viewer { " + "actor " * 1990 + "} }") == "overlaps"
    assert limit(server, "{ " + "viewer { actor } " * 490 + "}") == "overlaps"
    assert limit(server, "{ " + "__typename " * 5000 + "}") == "tokens"


def test_too_many_directives_are_refused(server: Running) -> None:
    assert limit(server, "{ __typename " + "@include(if: true) " * 10 + "}") == "directives"
    assert limit(server, "{ __typename " + "@aa" * 500 + "}") == "directives"


def test_circular_fragments_are_refused(server: Running) -> None:
    for fragments in (
        "fragment A on Query { ...A }",
        "fragment A on Query { ...B } fragment B on Query { ...A viewer { actor } }",
        "fragment A on Query { viewer { actor } ...B ...C } fragment B on Query { ...C } fragment C on Query { ...A }",
    ):
        error = refused(server, "{ ...A } " + fragments)
        assert error["extensions"]["code"] == "GRAPHQL_VALIDATION_FAILED"
        assert "Cannot spread fragment" in error["message"]


def test_multiplying_fragments_are_refused(server: Running) -> None:
    bomb = "".join(f"fragment F{n} on Query {{ ...F{n + 1} ...F{n + 1} }} " for n in range(22))
    bomb = "{ ...F0 } " + bomb + "fragment F22 on Query { viewer { actor } }"
    assert len(bomb) < 1100
    assert limit(server, bomb) == "cost"
    wide = "".join(f"fragment W{n} on Query {{ a{n}: viewer {{ actor }} ...W{n + 1} ...W{n + 1} }} " for n in range(18))
    assert limit(server, "{ ...W0 } " + wide + "fragment W18 on Query { __typename }") in {"aliases", "cost"}


def test_introspection_is_off_and_its_cycles_are_refused(server: Running) -> None:
    circle = "fields { type { " * 20 + "name" + " } }" * 20
    for query in (
        "{ __schema { types { name } } }",
        '{ __type(name: "Query") { name } }',
        f"{{ __schema {{ types {{ {circle} }} }} }}",
    ):
        error = refused(server, query)
        assert error["extensions"]["code"] in {"GRAPHQL_VALIDATION_FAILED", "QUERY_TOO_COMPLEX"}
    assert (
        "Introspection is off"
        in refused(server, "{ ...A } fragment A on Query { s: __schema { types { name } } }")["message"]
    )


def test_introspection_is_within_the_limits_of_the_open_profile(tmp_path: Path) -> None:
    circle = "fields { type { " * 20 + "name" + " } }" * 20
    with serving(tmp_path) as server:
        assert "errors" in post(server, f"{{ __schema {{ types {{ {circle} }} }} }}").json()
        repeated = " ".join(f"a{n}: __schema {{ types {{ fields {{ name }} }} }}" for n in range(30))
        assert limit(server, f"{{ {repeated} }}") == "cost"


def test_depth_and_cost_are_limited_before_execution(server: Running) -> None:
    assert limit(server, nested(25)) == "depth"
    inner = "events(first: 100) { nodes { id } }"
    wide = f"assets(first: 100) {{ nodes {{ registrations(first: 100) {{ nodes {{ asset {{ {inner} }} }} }} }} }}"
    wide = f"{{ {wide} }}"
    assert limit(server, wide) == "cost"
    assert limit(server, "{ assets(first: 101) { nodes { id } } }") == "page"
    assert limit(server, "query ($n: Int) { assets(first: $n) { nodes { id } } }", n=10**9) == "page"
    assert limit(server, "query ($i: [ID!]!) { nodes(ids: $i) { id } }", i=["x"] * 101) == "page"


def test_too_large_documents_are_refused(server: Running) -> None:
    assert limit(server, "{ viewer { " + "a " * 10_000 + "} }") == "tokens"
    assert limit(server, "{ viewer { " + "# a\n" * 10_000 + "actor } }") == "tokens"
    assert limit(server, "{ viewer { actor } }" + " " * 300_000) == "document"
    assert post(server, "{ viewer { actor } }" + " " * 5_000_000).status_code == 413


def test_batches_of_operations_are_refused(server: Running) -> None:
    batch = [{"query": "{ viewer { actor } }"}] * 10
    answer = httpx.post(f"{server.url}/graphql", json=batch, headers=KEY)
    assert answer.status_code == 400
    assert "Batching is off" in answer.text


@pytest.mark.parametrize(
    "query", ["{ viewer { actor } }", 'mutation { createTeam(input: { name: "x" }) { team { id } } }']
)
def test_get_is_refused_by_the_locked_profile(server: Running, query: str) -> None:
    answer = httpx.get(f"{server.url}/graphql", params={"query": query}, headers=KEY)
    assert answer.status_code == 405
    assert answer.headers["allow"] == "POST"


def test_a_mutation_over_get_is_refused_by_the_open_profile_too(tmp_path: Path) -> None:
    with serving(tmp_path) as server:
        query = 'mutation { createTeam(input: { name: "x" }) { team { id } } }'
        assert httpx.get(f"{server.url}/graphql", params={"query": query}).status_code == 405
        assert server.data("{ teams { totalCount } }") == {"teams": {"totalCount": 0}}


@pytest.mark.parametrize("content", ["application/x-www-form-urlencoded", "text/plain", "application/graphql"])
def test_a_form_of_another_site_is_refused(server: Running, content: str) -> None:
    headers = {**KEY, "Content-Type": content}
    for body in ("query=%7Bviewer%7Bactor%7D%7D", json.dumps({"query": "{ viewer { actor } }"})):
        assert httpx.post(f"{server.url}/graphql", content=body, headers=headers).status_code == 415


def test_a_cookie_is_no_credential(server: Running) -> None:
    headers = {"Cookie": f"Authorization=Bearer {ADMIN}; authorization={ADMIN}"}
    answer = httpx.post(f"{server.url}/graphql", json={"query": "{ viewer { actor } }"}, headers=headers)
    assert answer.status_code == 401


@pytest.mark.parametrize(
    ("query", "hint"),
    [
        ("{ asset { fqn } }", "Asset"),
        ("{ viewr { actor } }", "viewer"),
        ("{ assets(frst: 1) { nodes { id } } }", "first"),
        ("{ viewer { ...F } } fragment F on Viewr { actor }", '"Viewer"'),
        ('mutation { createTeam(input: { nam: "x" }) { team { id } } }', '"name"'),
        ("{ assets(orderBy: { field: FQM }) { nodes { id } } }", "FQN"),
    ],
)
def test_no_name_is_suggested_for_a_wrong_field(server: Running, query: str, hint: str) -> None:
    answer = refused(server, query)
    assert "Did you mean" not in answer["message"]
    assert hint == "Asset" or hint not in answer["message"]


def test_no_name_is_suggested_for_a_wrong_field_in_a_variable(server: Running) -> None:
    query = "query ($o: AssetOrder) { assets(orderBy: $o) { nodes { id } } }"
    assert "Did you mean" not in post(server, query, o={"field": "FQM"}).text
    assert "Did you mean" not in post(server, query, o={"feld": "FQN"}).text


@pytest.mark.parametrize(
    "body",
    [
        b"{", b"null", b'"x"', b"[[[[", b"\xff\xfe", b'{"query": 1}',
        b'{"query": "{", "variables": {}}', b"[" * 100_000,
        b'{"query": "{ viewer { actor } }", "variables": "x"}', b'{"query": "{ viewer { actor } }", "extensions": 7}',
        b'{"query": "query ($i: Int) { assets(first: $i) { nodes { id } } }", "variables": {"i": 1e400}}',
        b'{"query": "{ node(id: \\"\\u0000\\") { id } }"}', b'{"query": "{ node(id: \\"QXNzZXQ6Jw==\\") { id } }"}',
        b'{"query": "{ assets(after: \\"\\ud800\\") { nodes { id } } }"}',
    ],
)  # fmt: skip
def test_no_error_shows_a_traceback_or_an_internal_name(server: Running, body: bytes) -> None:
    answer = httpx.post(f"{server.url}/graphql", content=body, headers={**KEY, "Content-Type": "application/json"})
    assert answer.status_code < 500
    assert not [name for name in INTERNALS if name in answer.text], answer.text
    assert not {"server", "x-powered-by"} & answer.headers.keys()


def test_tracing_can_not_be_requested(server: Running) -> None:
    headers = {**KEY, "Apollo-Federation-Include-Trace": "ftv1", "X-Apollo-Tracing": "1"}
    body = {"query": "{ viewer { actor } }", "extensions": {"tracing": True}}
    answer = httpx.post(f"{server.url}/graphql", json=body, headers=headers).json()
    assert not {"tracing", "ftv1"} & (answer.get("extensions") or {}).keys()


@pytest.mark.parametrize(
    "path", ["/graphiql", "/playground", "/altair", "/voyager", "/console", "/static/graphiql.html"]
)
def test_no_ide_is_exposed(server: Running, path: str) -> None:
    answer = httpx.get(f"{server.url}{path}", headers={**KEY, "Accept": "text/html"})
    assert answer.status_code == 404
    assert httpx.get(f"{server.url}/graphql", headers={**KEY, "Accept": "text/html"}).status_code == 405
