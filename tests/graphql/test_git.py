"""Push to and pull from git by mutations: for administrators only, with a report or a refusal."""

from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import pytest

from tessera_gql.config import Profile
from tessera_gql.executor import core_schema
from tessera_gql.formats import git_files
from tessera_gql.graphql import context
from tessera_gql.graphql.context import Context
from tessera_gql.graphql.schema import schema
from tessera_gql.policy.access import ANONYMOUS, Actor, Scope
from tessera_gql.server.http import Transport, execute
from tessera_gql.store.database import Database
from tests.graphql.conftest import Ask, anyone
from tests.world import World

PUSH = """mutation ($input: PushToGitInput!) {
  pushToGit(input: $input) { written removed unknown unchanged commit clientMutationId errors { code message } }
}"""
PULL = """mutation ($input: PullFromGitInput!) {
  pullFromGit(input: $input) { report { teamsUpdated assetsUpdated passedOver } errors { code message } }
}"""


@pytest.fixture
def run(database: Database, tmp_path: Path) -> Ask:
    """Execute operations as a server does whose GIT_SYNC_PATH is a folder of the test."""

    def open_context(identity: Any) -> AbstractAsyncContextManager[Context]:
        return context.Context(database, identity, context.Resources(git_sync_path=tmp_path / "contracts"))

    transport = Transport(
        schema=core_schema(schema), authenticate=anyone, open_operation_context=open_context, profile=Profile.OPEN
    )

    async def ask(query: str, *, actor: Actor = ANONYMOUS, **variables: Any) -> dict[str, Any]:
        reply = await execute(transport, query=query, variables=variables, identity=actor)
        assert "errors" not in reply, reply["errors"]
        return reply["data"]

    return ask


async def test_pushed_files_can_be_edited_and_pulled(run: Ask, world: World, tmp_path: Path) -> None:
    await world.published()
    payload = (await run(PUSH, input={"clientMutationId": "one"}))["pushToGit"]
    assert payload == {
        "written": ["assets/analytics.core.orders.yaml", "teams/producers.yaml"],
        "removed": [],
        "unknown": [],
        "unchanged": 0,
        "commit": None,
        "clientMutationId": "one",
        "errors": [],
    }
    file = tmp_path / "contracts/assets/analytics.core.orders.yaml"
    file.write_text(file.read_text().replace("resource_type: TABLE", "resource_type: VIEW"))
    report = {"teamsUpdated": 0, "assetsUpdated": 1, "passedOver": []}
    for dry_run in (True, False):
        assert (await run(PULL, input={"dryRun": dry_run}))["pullFromGit"] == {"report": report, "errors": []}
    again = (await run(PULL, input={}))["pullFromGit"]["report"]
    assert again == {"teamsUpdated": 0, "assetsUpdated": 0, "passedOver": []}


async def test_files_of_unknown_teams_are_removed_only_if_asked(run: Ask, world: World, tmp_path: Path) -> None:
    await world.team("a")
    (tmp_path / "contracts/teams").mkdir(parents=True)
    (tmp_path / "contracts/teams/gone.yaml").write_text(git_files.render_file(git_files.TeamFile(name="gone")))
    unknown, removed = [(await run(PUSH, input={"prune": prune}))["pushToGit"] for prune in (False, True)]
    assert (unknown["unknown"], unknown["removed"]) == (["teams/gone.yaml"], [])
    assert (removed["unknown"], removed["removed"]) == ([], ["teams/gone.yaml"])


async def test_a_mistake_in_a_file_is_reported_with_its_line(run: Ask, world: World, tmp_path: Path) -> None:
    await world.published()
    await run(PUSH, input={})
    (tmp_path / "contracts/teams/producers.yaml").write_text("kind: team\nformat: 1\nnaem: x\n")
    refused = (await run(PULL, input={}))["pullFromGit"]
    assert refused["report"] is None
    assert (
        "teams/producers.yaml, line 3: `naem` is not known here; did you mean `name`?"
        in refused["errors"][0]["message"]
    )


async def test_only_administrators_may_and_only_where_a_folder_is_set(run: Ask, ask: Ask, world: World) -> None:
    team = await world.team("a")
    writer = Actor("ci", team.id, frozenset({Scope.WRITE}))
    for query, field in ((PUSH, "pushToGit"), (PULL, "pullFromGit")):
        (refused,) = (await run(query, actor=writer, input={}))[field]["errors"]
        assert refused["code"] == "FORBIDDEN"
        (unset,) = (await ask(query, input={}))[field]["errors"]
        assert "GIT_SYNC_PATH" in unset["message"]
