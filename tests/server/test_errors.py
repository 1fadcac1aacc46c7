"""What of an error is sent to the client, and what only to the log."""

import logging
from typing import Any

import pytest

from tessera_gql.config import Profile
from tessera_gql.errors import Forbidden
from tessera_gql.server.http import execute

from .sample_schema import Guest, SampleBackend


async def ask(backend: SampleBackend, query: str, profile: Profile = Profile.OPEN, **variables: Any) -> dict[str, Any]:
    return await execute(backend.transport(profile), query=query, variables=variables, identity=Guest("guest"))


async def failure(backend: SampleBackend, query: str, **variables: Any) -> dict[str, Any]:
    reply = await ask(backend, query, **variables)
    return reply["errors"][0]


async def test_an_exception_is_masked_and_its_reference_is_in_the_log(
    backend: SampleBackend, caplog: pytest.LogCaptureFixture
) -> None:
    error = await failure(backend, "{boom}")
    assert error["extensions"]["code"] == "INTERNAL"
    assert error["path"] == ["boom"]
    assert "secret" not in str(error)
    (record,) = caplog.records
    assert error["extensions"]["reference"] in record.getMessage()
    assert error["extensions"]["reference"] in error["message"]
    assert record.levelno == logging.ERROR
    assert record.exc_info
    assert str(record.exc_info[1]) == "the secret"


async def test_a_refusal_keeps_its_message_code_and_field(
    backend: SampleBackend, caplog: pytest.LogCaptureFixture
) -> None:
    error = await failure(backend, "{forbidden}")
    assert error["message"] == "Only the owner may. Ask them."
    assert error["extensions"] == {"code": "FORBIDDEN", "field": ["input", "team"]}
    assert not caplog.records


async def test_an_exception_with_a_code_is_shown(backend: SampleBackend) -> None:
    error = await failure(backend, "{coded}")
    assert (error["message"], error["extensions"]) == ("Tea only.", {"code": "TEAPOT"})


async def test_a_deliberate_graphql_error_is_shown(backend: SampleBackend) -> None:
    error = await failure(backend, "{deliberate}")
    assert (error["message"], error["extensions"]) == ("On purpose.", {"code": "CHOSEN"})


async def test_a_translated_failure_has_the_message_of_the_translator(backend: SampleBackend) -> None:
    error = await failure(backend, "{database}")
    assert (error["message"], error["extensions"]) == ("The database is away. Try again.", {"code": "UNAVAILABLE"})


async def test_a_client_mistake_is_returned_and_not_logged(
    backend: SampleBackend, caplog: pytest.LogCaptureFixture
) -> None:
    for query, variables, message in (
        ("query ($v: Even!) {even(value: $v)}", {"v": 3}, "3 is odd"),
        ("{even(value: 3)}", {}, "3 is odd"),
        ("query ($v: Int!) {number(value: $v)}", {"v": 2**40}, "32-bit"),
        ("query ($v: Int!) {number(value: $v)}", {}, "$v"),
        ("{number(value: %s)}" % ("9" * 6000), {}, "digits"),
        ("{", {}, "Syntax Error"),
        ("{nope}", {}, "nope"),
    ):
        error = await failure(backend, query, **variables)
        assert message in error["message"]
        assert error["extensions"]["code"] in {"BAD_REQUEST", "GRAPHQL_PARSE_FAILED", "GRAPHQL_VALIDATION_FAILED"}
    assert not caplog.records


async def test_at_most_ten_errors_are_listed_and_the_remaining_ones_counted(
    backend: SampleBackend, caplog: pytest.LogCaptureFixture
) -> None:
    reply = await ask(backend, "{brokenThings(count: 25) {broken}}")
    assert len(reply["errors"]) == 10
    assert reply["extensions"] == {"errorsOmitted": 15}
    assert len(reply["data"]["brokenThings"]) == 25
    assert len(caplog.records) == 10
    invalid = await ask(backend, "{" + " ".join(f"nope{n}" for n in range(25)) + "}")
    assert len(invalid["errors"]) == 10


async def test_only_the_open_profile_suggests_names(backend: SampleBackend) -> None:
    for query, variables in (
        ("{helo}", {}),
        ("{number(vale: 1)}", {}),
        ("{...on Thin {name}}", {}),
        ("query ($p: Shape!) {area(shape: $p)}", {"p": {"sids": 3}}),
        ("{area(shape: {sids: 3})}", {}),
    ):
        open_reply = await ask(backend, query, **variables)
        locked = await ask(backend, query, Profile.LOCKED, **variables)
        assert "Did you mean" in str(open_reply), query
        assert "Did you mean" not in str(locked)


async def test_a_context_that_fails_to_close_fails_the_reply(backend: SampleBackend) -> None:
    backend.fail_on_close = ValueError("the commit's secret")
    reply = await ask(backend, "{add: hello} # a query here, but a mutation would be undone")
    assert "data" not in reply
    assert reply["errors"][0]["extensions"]["code"] == "INTERNAL"
    backend.fail_on_close = Forbidden("Not after all.")
    assert (await ask(backend, "{hello}"))["errors"][0]["message"] == "Not after all."
    assert backend.open_contexts == 0
