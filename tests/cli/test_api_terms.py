"""A command words the messages of the API in its own terms."""

from collections.abc import Awaitable

import pytest

from tessera_gql.cli.api_terms import COMMAND_TERMS, to_command_terms
from tessera_gql.cli.errors import describe_error
from tessera_gql.cli.exit_codes import ExitCode
from tessera_gql.client.errors import BadRequest, build_refusal
from tessera_gql.errors import Refusal
from tessera_gql.store.tables import Asset, new_id
from tests.world import World, without

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
        ("`dueDays` is 0, but must be 1 to 366 days.", "--due is 0, but must be 1 to 366 days."),
        ("The active schema has no field 'a'.", "The active schema has no field 'a'."),
    ],
)
def test_a_message_is_reworded_for_the_reader_of_a_command(message: str, reworded: str) -> None:
    assert to_command_terms(message) == reworded
    assert describe_error(BadRequest(message)) == (reworded, ExitCode.REFUSED)


async def test_the_advice_of_workflows_names_commands_and_options(world: World) -> None:
    asset, _ = await world.proposed(consumers=1)
    reader, newcomer = world.consumers[0], await world.team("newcomer")
    missing = Asset(id=new_id(), fqn="no.such")
    attempts: list[tuple[str, Awaitable[object]]] = [
        ("publish again with --supersede.", world.publish(asset, without("total"))),
        ("End it with `tessera unregister`, then register again.", world.register(asset, reader)),
        ("Leave --field out", world.register(asset, newcomer, "nope")),
        ("Create it with `tessera asset create`, or look it up with `tessera asset list`.", world.publish(missing)),
    ]
    for advice, attempt in attempts:
        with pytest.raises(Refusal) as refused:
            await attempt
        message, _ = describe_error(build_refusal(refused.value.code, refused.value.message))
        assert advice in message
        assert not any(term in message for term in COMMAND_TERMS)
