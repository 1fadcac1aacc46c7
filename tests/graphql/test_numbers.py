"""Numbers of any size in JSON are kept exactly or refused with a code; they never cause an internal error."""

import json
from typing import Any

import pytest

from tessera_gql.diff import SchemaError, check, compare
from tessera_gql.server import codec
from tests.graphql.conftest import Ask
from tests.world import World

# As a literal in a document has them, or YAML: JSON in a request has none beyond 308 digits.
NUMBERS = {
    "zero": "-0.0",
    "tiny": "5e-324",
    "64 bits": "9223372036854775808",
    "a float's whole": "1e308",
    "400 digits": "7" * 400,
    "1,000 digits": "7" * 1_000,
    "minus 1,000 digits": "-" + "7" * 1_000,
    "1,300 digits": "7" * 1_300,
    "a long fraction": "1." + "7" * 1_000,
    "a fraction of 400 digits": "0." + "0" * 400 + "1",
}
KEYWORDS = (
    *("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "const", "default"),
    *("minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties", "minContains", "maxContains"),
)
PUBLISH = """mutation($input: PublishContractInput!) { publishContract(input: $input) {
  contract { schema guarantees } errors { code message } } }"""
DIFF = """query($old: JSON!, $new: JSON!) { diffSchemas(old: $old, new: $new) {
  changes { message before after counterexample } } }"""


@pytest.mark.parametrize("name", NUMBERS)
@pytest.mark.parametrize("keyword", KEYWORDS)
def test_a_keyword_with_any_number_is_compared_or_refused(keyword: str, name: str) -> None:
    number = json.loads(NUMBERS[name])
    for old, new in (({}, {keyword: number}), ({keyword: number}, {keyword: 3}), ({keyword: 2}, {keyword: number})):
        try:
            check(old)
            difference = compare(old, new)
        except SchemaError:
            continue
        assert codec.encode([(change.before, change.after) for change in difference.changes])


def test_a_multiple_of_a_thousand_digits_is_shown_exactly() -> None:
    (change,) = compare({"multipleOf": 1}, {"multipleOf": 10**999}).changes
    assert (change.before, change.after) == (1, 10**999)


@pytest.mark.parametrize("name", NUMBERS)
async def test_a_contract_and_a_comparison_keep_or_refuse_a_large_number(answer: Ask, world: World, name: str) -> None:
    number = json.loads(NUMBERS[name])
    asset = await world.asset("a.b.c", await world.team("shop"))
    literal = await answer(
        f"{{ diffSchemas(old: {{multipleOf: {NUMBERS[name]}}}, new: {{multipleOf: 3}}) {{ bump }} }}"
    )
    assert codes(literal) <= {"INVALID"}
    for schema in ({"multipleOf": number}, {"enum": [number]}, {"minimum": number, "maxLength": number}):
        reply = await answer(DIFF, old=schema, new={"multipleOf": 3, "minimum": 1})
        assert codes(reply) <= {"INVALID"}
        asked = {"asset": {"fqn": asset.fqn}, "schema": schema, "guarantees": {"volume": {"min_rows": number}}}
        reply = await answer(PUBLISH, input=asked)
        assert codes(reply) == set()
        assert {error["code"] for error in reply["data"]["publishContract"]["errors"]} <= {"INVALID", "CONFLICT"}
        assert codec.encode(reply)


def codes(reply: dict[str, Any]) -> set[str]:
    return {error["extensions"]["code"] for error in reply.get("errors", ())}


@pytest.mark.parametrize("text", ["1e400", "-1e999999999", "7" * 400, "7" * 5_000])
def test_a_number_beyond_a_float_in_a_request_is_refused_as_malformed(text: str) -> None:
    with pytest.raises(codec.MalformedRequest, match="is not JSON that can be read"):
        codec.decode(b'{"variables": {"a": %s}}' % text.encode())
