"""The table of rights for keys of projects: every mutation on what owners have, in the project's schemas or not.

`test_access.py` has the same table for keys of teams.
"""

from typing import Any
from uuid import uuid4

import pytest

from tessera_gql.auth import Identity
from tessera_gql.components import create_components
from tessera_gql.config import Settings
from tessera_gql.policy.access import Action, Actor, ProjectScope, Scope
from tessera_gql.store.database import Database
from tessera_gql.store.tables import Project, Team
from tests.graphql.authenticated_api import AuthenticatedApi, authenticated_api, codes
from tests.graphql.test_access import CALLS, Scene, call
from tests.policy.test_access import FOR_PROJECTS
from tests.world import World

SIDES = ("an owner's", "an owner's in another schema", "another team's")

VIEWER = """
query { viewer {
  actor scopes team { name } project { name schemas } teams { name }
  apiKey { name team { name } project { name } } inbox { totalCount }
} }
"""


async def project_scene(world: World, api: AuthenticatedApi, side: str) -> tuple[Scene, Project]:
    """A project of two owners, so that a call has no default team; the scene is of the first or of a stranger."""
    first, second, stranger, outsider = [await world.team(name) for name in ("first", "second", "stranger", "outsider")]
    schema = "elsewhere.core" if side == SIDES[1] else "shop.*"
    project = await world.project("shop", first, second, schemas=[schema])
    return Scene(world, api, stranger if side == SIDES[2] else first, outsider, project), project


@pytest.mark.parametrize("verb", CALLS, ids=lambda verb: verb.name)
@pytest.mark.parametrize("side", SIDES)
async def test_each_key_of_a_project_may_call_exactly_what_the_table_allows(
    world: World, database: Database, verb: Action, side: str
) -> None:
    api = authenticated_api(database)
    scene, project = await project_scene(world, api, side)
    reader, writer = [(await api.create_project_key(project, scope)).token for scope in (Scope.READ, Scope.WRITE)]
    asked = await CALLS[verb](scene)
    before = await world.size()
    refusal_codes, message = await call(api, reader, verb, asked)
    assert refusal_codes == ["FORBIDDEN"], message
    refusal_codes, message = await call(api, writer, verb, asked)
    if verb in FOR_PROJECTS and side == SIDES[0]:
        assert refusal_codes == [], message
        assert await world.size() != before
        return
    if verb is Action.SYNC_DBT_MANIFEST and side == SIDES[1]:
        assert refusal_codes == [], message  # its tables are reported as skipped
    else:
        assert refusal_codes == ["FORBIDDEN"], message
    assert await world.size() == before


async def test_a_sync_skips_tables_outside_the_schemas_of_the_project_with_the_reason(
    world: World, database: Database
) -> None:
    api = authenticated_api(database)
    scene, project = await project_scene(world, api, SIDES[1])
    token = (await api.create_project_key(project, Scope.WRITE)).token
    query = """mutation ($input: SyncDbtManifestInput!) { syncDbtManifest(input: $input) {
      report { models { fqn outcome reason } } errors { message } } }"""
    asked = await CALLS[Action.SYNC_DBT_MANIFEST](scene)
    payload = (await api.data(token, query, input=asked))["syncDbtManifest"]
    assert payload["errors"] == []
    assert payload["report"]["models"] == [
        {"fqn": "shop.core.orders", "outcome": "SKIPPED", "reason": "it belongs to no schema of this key's project"}
    ]


async def test_the_owner_of_a_table_acts_when_a_projects_key_publishes_and_proposes(
    world: World, database: Database
) -> None:
    api = authenticated_api(database)
    scene, project = await project_scene(world, api, SIDES[0])
    token = (await api.create_project_key(project, Scope.WRITE)).token
    asset = await scene.asset()
    await world.register(asset, scene.outsider)
    query = """mutation ($input: PublishContractInput!) { publishContract(input: $input) {
      outcome proposal { proposedBy { name } changeSet { openedBy { name } project { name } } }
      contract { publishedBy { name } } errors { message } } }"""
    properties = {"order_id": {"type": "integer"}, "customer_id": {"type": "integer"}}
    breaking = {"type": "object", "properties": properties, "required": ["order_id", "customer_id"]}
    asked = {"asset": {"fqn": asset.fqn}, "schema": breaking, "changeSet": {"key": "org/shop#1"}}
    payload = (await api.data(token, query, input=asked))["publishContract"]
    assert (payload["outcome"], payload["proposal"]["proposedBy"]) == ("PROPOSED", {"name": "first"})
    assert payload["proposal"]["changeSet"] == {"openedBy": None, "project": {"name": project.name}}
    fresh = await world.asset("shop.core.fresh", scene.owner)
    payload = (await api.data(token, query, input={"asset": {"fqn": fresh.fqn}, "schema": breaking}))["publishContract"]
    assert (payload["outcome"], payload["contract"]["publishedBy"]) == ("PUBLISHED", {"name": "first"})


async def test_the_only_owner_of_a_project_owns_what_its_key_creates_and_of_several_one_must_be_named(
    world: World, database: Database
) -> None:
    api = authenticated_api(database)
    first, second = await world.team("first"), await world.team("second")
    single, shared = await world.project("single", first), await world.project("shared", first, second)
    query = """mutation ($input: CreateAssetInput!) { createAsset(input: $input) {
      asset { owner { name } } errors { code field message } } }"""
    asked: dict[str, Any] = {"fqn": "shop.core.orders"}
    token = (await api.create_project_key(shared, Scope.WRITE)).token
    (error,) = (await api.data(token, query, input=asked))["createAsset"]["errors"]
    assert (error["code"], error["field"]) == ("FORBIDDEN", ["input", "owner"])
    assert "shared has several owners" in error["message"]
    token = (await api.create_project_key(single, Scope.WRITE)).token
    assert (await api.data(token, query, input=asked))["createAsset"]["asset"] == {"owner": {"name": "first"}}


async def test_the_viewer_of_a_projects_key_has_the_project_its_owners_and_an_empty_inbox(
    world: World, database: Database
) -> None:
    api = authenticated_api(database)
    _, proposal = await world.proposed(consumers=1)
    assert await world.asked(proposal) == {world.consumers[0].id}
    project = await world.project("shop", world.consumers[0], await world.team("second"), schemas=["shop.core"])
    key = await api.create_project_key(project, Scope.WRITE)
    viewer = (await api.data(key.token, VIEWER))["viewer"]
    assert viewer == {
        "actor": f"ci ({key.key.prefix})",
        "scopes": ["READ", "WRITE"],
        "team": None,
        "project": {"name": "shop", "schemas": ["shop.core"]},
        "teams": [{"name": "consumer-0"}, {"name": "second"}],
        "apiKey": {"name": "ci", "team": None, "project": {"name": "shop"}},
        "inbox": {"totalCount": 0},
    }


@pytest.mark.parametrize("schemas", [["analytics.core"], ["analytics.marts"]])
async def test_what_the_viewer_can_do_follows_the_owners_and_schemas_of_its_project(
    world: World, database: Database, schemas: list[str]
) -> None:
    api = authenticated_api(database)
    asset, _ = await world.proposed(consumers=1)
    (producers,) = [team for team in await world.rows(Team) if team.id == asset.owner_team_id]
    token = (await api.create_project_key(await world.project("shop", producers, schemas=schemas), Scope.WRITE)).token
    query = """{ assets { nodes { viewerCanPublish viewerCanUpdate openProposal {
      viewerCanWithdraw viewerCanAcknowledge } } } }"""
    (node,) = (await api.data(token, query))["assets"]["nodes"]
    may_change = schemas == ["analytics.core"]
    assert node == {
        "viewerCanPublish": may_change,
        "viewerCanUpdate": may_change,
        "openProposal": {"viewerCanWithdraw": may_change, "viewerCanAcknowledge": False},
    }


async def test_only_callers_with_the_same_rights_share_a_subscription(world: World, database_url: str) -> None:
    owner = await world.team("owner")
    rows = [await world.project(name, owner, schemas=schemas) for name, schemas in (("a", ["x.*"]), ("b", ["y.*"]))]
    scopes = [ProjectScope(row.id, row.name, frozenset({owner.id}), tuple(row.schemas)) for row in rows]
    write = frozenset({Scope.READ, Scope.WRITE})
    actors = [Actor("ci", None, write, uuid4(), scope) for scope in (*scopes, scopes[0])]
    parts = create_components(Settings(database_url=database_url))
    first, second, equal, team, nobody = [
        parts.transport.find_sharing_scope(Identity(actor))
        for actor in (*actors, Actor("ci", owner.id, write), Actor("ci", None, write))
    ]
    await parts.database.dispose()
    assert first == equal
    assert len({first, second, team, nobody}) == 4


@pytest.mark.parametrize("root", ["apiKeys", "webhooks"])
async def test_a_projects_key_lists_no_keys_and_no_webhooks(world: World, database: Database, root: str) -> None:
    api = authenticated_api(database)
    _, project = await project_scene(world, api, SIDES[0])
    token = (await api.create_project_key(project, Scope.WRITE)).token
    assert codes(await api.reply(token, f"{{ {root} {{ totalCount }} }}")) == ["FORBIDDEN"]


async def test_equal_idempotency_keys_of_two_keys_of_a_project_do_not_collide(world: World, database: Database) -> None:
    api = authenticated_api(database)
    scene, project = await project_scene(world, api, SIDES[0])
    tokens = [(await api.create_project_key(project, Scope.WRITE)).token for _ in range(2)]
    query = "mutation ($input: CreateAssetInput!) { createAsset(input: $input) { asset { fqn } errors { code } } }"
    names = iter(("shop.core.a", "shop.core.b"))
    for token, fqn in zip(tokens, names, strict=True):
        asked = {"fqn": fqn, "owner": scene.owner_ref, "idempotencyKey": "one"}
        for _ in range(2):
            assert (await api.data(token, query, input=asked))["createAsset"] == {"asset": {"fqn": fqn}, "errors": []}
