"""A command words the messages of the API in its own terms."""

import ast
import re
from collections.abc import Awaitable, Iterator
from pathlib import Path

import pytest

import tessera_gql
from tessera_gql.cli.api_terms import COMMAND_TERMS, RESOURCE_TYPES, to_command_terms
from tessera_gql.cli.errors import describe_error
from tessera_gql.cli.exit_codes import ExitCode
from tessera_gql.client.errors import BadRequest, build_refusal
from tessera_gql.errors import Refusal
from tessera_gql.policy.enums import ResourceType
from tessera_gql.store.tables import Asset, new_id
from tests.world import World, without

SOURCES = Path(tessera_gql.__file__).parent
REFUSALS = {"Invalid", "Conflict", "Forbidden", "NotFound"}
UNKNOWN_FIELD = (
    "Variable '$input' has invalid value: Expected value of type 'PublishContractInput' not to include unknown field"
    " 'intent', found: {}."
)
NEWER_COMMAND = (
    "The server does not know `intent`: its version is older than that of this command. Update the server, or use the"
    " command of its version."
)


@pytest.mark.parametrize(
    ("message", "reworded"),
    [
        (
            "There is no team x. Create it with createTeam, or look it up with teams(filter:).",
            "There is no team x. Create it with `tessera team create`, or look it up with `tessera team list`.",
        ),
        (
            "Variable '$input' has invalid value at .schema: This JSON can't be kept: it has the character NUL.",
            "schema: This JSON can't be kept: it has the character NUL.",
        ),
        (UNKNOWN_FIELD, NEWER_COMMAND),
        (
            "There is no such change set. `change_sets()` lists them all.",
            "There is no such change set. `tessera change-set list --all` lists them all.",
        ),
        (
            "There is no change set x. List changeSets(filter:) to find it.",
            "There is no change set x. `tessera change-set list --all` lists them all.",
        ),
        (
            "a.b was archived on 2031-01-01. Restore it with unarchiveAsset first.",
            "a.b was archived on 2031-01-01. Restore it with `tessera asset unarchive` first.",
        ),
        (
            ("Look it up with usageSources, or ask an administrator to create it with createUsageSource."),
            (
                "Look it up with `tessera usage sources`, or ask an administrator to create it"
                " with `tessera usage create-source`."
            ),
        ),
        (
            "b.c has no owner: give `owner` (--owner), or map it in `owners` (--owners)",
            "b.c has no owner: give --owner, or map it in --owners",
        ),
        (
            "The intent ASK publishes nothing, so `force` contradicts it. Use RELEASE, or leave the option out.",
            "--ask publishes nothing, so --force contradicts it. Leave one of them out.",
        ),
        ("`dueDays` is 0, but must be 1 to 366 days.", "--due is 0, but must be 1 to 366 days."),
        ("The active schema has no field 'a'.", "The active schema has no field 'a'."),
    ],
)
def test_a_message_is_reworded_for_the_reader_of_a_command(message: str, reworded: str) -> None:
    assert to_command_terms(message) == reworded
    assert describe_error(BadRequest(message)) == (reworded, ExitCode.REFUSED)


def test_messages_of_the_server_have_no_name_of_the_api_in_a_command() -> None:
    """Idempotency keys and row versions have no command."""
    allowed = ("idempotencyKey", "rowVersion")
    texts = [to_command_terms(text) for text in _iter_messages()]
    assert len(texts) > 100
    names = [name for text in texts for name in re.findall(r"\b[a-z]+[A-Z]\w*", text) if name not in allowed]
    assert not names, names


def _iter_messages() -> Iterator[str]:
    """Yield the first text of each refusal in the sources, with `x` for what is inserted."""
    for package in ("policy", "workflows", "store"):
        for file in (SOURCES / package).rglob("*.py"):
            calls = (node for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, ast.Call))
            yield from (_read_text(node.args[0]) for node in calls if ast.unparse(node.func) in REFUSALS and node.args)


def _read_text(node: ast.expr) -> str:
    parts = node.values if isinstance(node, ast.JoinedStr) else [node]
    return "".join(str(part.value) if isinstance(part, ast.Constant) else "x" for part in parts)


def test_an_unknown_kind_of_asset_is_refused_with_the_known_ones() -> None:
    assert [*RESOURCE_TYPES] == [*ResourceType]
    fault = "Variable '$input' has invalid value at .resourceType: Value 'X' does not exist in 'ResourceType' enum."
    assert to_command_terms(fault).startswith("--type X is no kind of asset. Use one of TABLE, VIEW, ")


def test_a_command_that_lacks_an_owner_asks_for_the_option_that_it_has() -> None:
    message = "This key belongs to no team, so say which team acts."
    for field, option in ((("input", "team"), "--team"), (("input", "owner"), "--owner")):
        refusal = build_refusal("FORBIDDEN", message, field)
        assert describe_error(refusal)[0] == f"This key belongs to no team, so say with {option} which team acts."


async def test_the_advice_of_workflows_names_commands_and_options(world: World) -> None:
    asset, _ = await world.proposed(consumers=1)
    reader, newcomer = world.consumers[0], await world.team("newcomer")
    missing = Asset(id=new_id(), fqn="no.such")
    attempts: list[tuple[str, Awaitable[object]]] = [
        ("publish again with --supersede.", world.publish(asset, without("total"))),
        ("Change it with --change.", world.register(asset, reader)),
        ("Leave --field out", world.register(asset, newcomer, "nope")),
        ("Create it with `tessera asset create`, or look it up with `tessera asset list`.", world.publish(missing)),
    ]
    for advice, attempt in attempts:
        with pytest.raises(Refusal) as refused:
            await attempt
        message, _ = describe_error(build_refusal(refused.value.code, refused.value.message))
        assert advice in message
        assert not any(term in message for term in COMMAND_TERMS)
