"""API keys have at most the rights of their creator, are stored as hashes, and are revoked for good."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from tessera_gql.errors import Conflict, Forbidden, Invalid, NotFound
from tessera_gql.policy.access import ADMIN_SCOPES, ANONYMOUS, Actor, ProjectScope, Scope
from tessera_gql.policy.visibility import UNRESTRICTED
from tessera_gql.store import keys as store
from tessera_gql.store.database import Database
from tessera_gql.store.projects import ProjectRef
from tessera_gql.store.tables import ApiKey, Team, new_id
from tessera_gql.store.teams import TeamRef
from tessera_gql.workflows import keys
from tessera_gql.workflows.keys import CreatedKey, KeyRequest
from tests.conftest import FixedClock
from tests.world import World


async def make(database: Database, name: str = "ci", *, actor: Actor = ANONYMOUS, **asked: Any) -> CreatedKey:
    async with database.write("tester") as session:
        return await keys.create(session, actor, KeyRequest(name, **asked))


async def revoke(database: Database, key: ApiKey, actor: Actor = ANONYMOUS) -> ApiKey:
    async with database.write("tester") as session:
        return await keys.revoke(session, actor, key.id)


def team_ref(team: Team) -> TeamRef:
    return TeamRef(id=team.id)


def holder(team: Team, scope: Scope) -> Actor:
    return Actor(f"{team.name} {scope}", team.id, frozenset({scope}))


async def test_a_token_is_a_prefix_and_32_random_bytes_and_only_its_hash_is_stored(
    world: World, database: Database
) -> None:
    team = await world.team("shop")
    created = await make(database, team=team_ref(team), scopes=[Scope.WRITE])
    assert created.token.startswith("tsr_")
    assert len(created.token) == 4 + 43
    assert created.key.prefix == created.token[:8]
    async with database.read() as session:
        row = await store.find_by_hash(session, store.hash_token(created.token))
        everything = [str(row) for name in ("api_keys", "events") for row in await _rows(session, name)]
    assert row is not None
    assert row.id == created.key.id
    assert not any(created.token[8:] in row for row in everything)
    assert created.token not in repr(created)


async def _rows(session: Any, name: str) -> list[Any]:
    schema = {"api_keys": "core.", "events": "audit."}[name] if session.dialect == "postgresql" else ""
    return list(await session.rows(text(f"SELECT * FROM {schema}{name}")))


async def test_scopes_are_kept_with_those_they_include(world: World, database: Database) -> None:
    team = await world.team("shop")
    created = [(await make(database, team=team_ref(team), scopes=[scope])).key.scopes for scope in ADMIN_SCOPES]
    assert created == [["READ"], ["READ", "WRITE"], ["READ", "WRITE", "ADMIN"]]


async def test_making_and_revoking_a_key_are_events_without_token_or_hash(world: World, database: Database) -> None:
    team = await world.team("shop")
    key = await make(database, "ci", team=team_ref(team), scopes=[Scope.WRITE])
    await revoke(database, key.key)
    created, revoked = (await world.events())[-2:]
    assert (created.kind, created.payload["name"], created.payload["scopes"]) == (
        "API_KEY_CREATED",
        "ci",
        ["READ", "WRITE"],
    )
    assert (revoked.kind, revoked.entity_id, revoked.teams) == ("API_KEY_REVOKED", key.key.id, [str(team.id)])
    for event in (created, revoked):
        assert key.token not in str(event)
        assert store.hash_token(key.token) not in str(event)


async def test_a_write_key_makes_keys_of_its_own_team_with_at_most_its_own_scopes(
    world: World, database: Database
) -> None:
    team, other_team = await world.team("shop"), await world.team("finance")
    writer = holder(team, Scope.WRITE)
    assert (await make(database, actor=writer, scopes=[Scope.WRITE])).key.team_id == team.id
    with pytest.raises(Forbidden, match="can't give the right ADMIN"):
        await make(database, actor=writer, scopes=[Scope.ADMIN])
    with pytest.raises(Forbidden, match="own team only"):
        await make(database, actor=writer, team=team_ref(other_team))
    with pytest.raises(Forbidden, match="lacks the scope WRITE"):
        await make(database, actor=holder(team, Scope.READ))


async def test_only_an_administrators_key_belongs_to_no_team(database: Database) -> None:
    assert (await make(database, scopes=[Scope.ADMIN])).key.team_id is None
    with pytest.raises(Invalid, match="Only an ADMIN key belongs to no team"):
        await make(database, scopes=[Scope.WRITE])


async def test_only_an_administrator_creates_the_key_of_a_project(world: World, database: Database) -> None:
    team = await world.team("shop")
    project = ProjectRef(id=(await world.project("dbt", team)).id)
    created = await make(database, project=project, scopes=[Scope.WRITE])
    assert (created.key.team_id, created.key.project_id, created.key.scopes) == (None, project.id, ["READ", "WRITE"])
    event = (await world.events())[-1]
    assert (event.kind, event.teams, event.payload["key_team_id"]) == ("API_KEY_CREATED", [str(team.id)], None)
    assert event.payload["project_id"] == str(project.id)
    with pytest.raises(Forbidden, match="so only an administrator creates it") as refused:
        await make(database, actor=holder(team, Scope.WRITE), project=project)
    assert refused.value.field == ("project",)
    with pytest.raises(Forbidden, match="lacks the scope WRITE"):
        await make(database, actor=holder(team, Scope.READ), project=project)


async def test_the_key_of_a_project_is_never_an_admin_key_and_never_of_a_team(world: World, database: Database) -> None:
    team = await world.team("shop")
    project = ProjectRef(id=(await world.project("dbt", team)).id)
    with pytest.raises(Invalid, match="can't be an ADMIN key"):
        await make(database, project=project, scopes=[Scope.ADMIN])
    with pytest.raises(Invalid, match="to a team or to a project"):
        await make(database, project=project, team=team_ref(team))
    with pytest.raises(NotFound, match="There is no project gone"):
        await make(database, project=ProjectRef(name="gone"))


async def test_an_owner_of_a_project_revokes_its_keys_and_other_teams_and_the_key_itself_do_not(
    world: World, database: Database
) -> None:
    owner, other_team = await world.team("shop"), await world.team("finance")
    row = await world.project("dbt", owner)
    created = await make(database, project=ProjectRef(id=row.id), scopes=[Scope.WRITE])
    scope = ProjectScope(row.id, row.name, frozenset({owner.id}))
    own_key = Actor("ci", None, frozenset({Scope.WRITE}), created.key.id, scope)
    with pytest.raises(Forbidden, match="The key of a project may not revoke API keys"):
        await revoke(database, created.key, own_key)
    with pytest.raises(NotFound, match="no such API key"):
        await revoke(database, created.key, holder(other_team, Scope.WRITE))
    assert (await revoke(database, created.key, holder(owner, Scope.WRITE))).revoked_at is not None
    event = (await world.events())[-1]
    assert (event.kind, event.teams) == ("API_KEY_REVOKED", [str(owner.id)])


@pytest.mark.parametrize("name", ["", "   ", "a" * 101, "a\nb", "\u202eevil"])
async def test_a_name_that_can_not_be_read_is_refused(database: Database, name: str) -> None:
    with pytest.raises(Invalid, match="1 to 100 visible characters"):
        await make(database, name, scopes=[Scope.ADMIN])


async def test_a_key_needs_a_scope_and_an_expiry_to_come(database: Database, clock: FixedClock) -> None:
    with pytest.raises(Invalid, match="needs a scope"):
        await make(database, scopes=[])
    with pytest.raises(Invalid, match="has passed already"):
        await make(database, scopes=[Scope.ADMIN], expires_at=clock.now)
    later = clock.now + timedelta(days=90)
    assert (await make(database, scopes=[Scope.ADMIN], expires_at=later)).key.expires_at == later


async def test_revoking_is_for_good_and_repeating_it_writes_nothing(
    world: World, database: Database, clock: FixedClock
) -> None:
    created = await make(database, scopes=[Scope.ADMIN])
    first = await revoke(database, created.key)
    number = len(await world.events())
    clock.advance(days=1)
    again = await revoke(database, created.key)
    assert first.revoked_at == again.revoked_at == clock.now - timedelta(days=1)
    assert len(await world.events()) == number


async def test_a_write_key_revokes_keys_of_its_team_but_no_stronger_key(world: World, database: Database) -> None:
    team, other_team = await world.team("shop"), await world.team("finance")
    writer = holder(team, Scope.WRITE)
    peer = await make(database, team=team_ref(team), scopes=[Scope.WRITE])
    assert (await revoke(database, peer.key, writer)).revoked_at is not None
    stronger = await make(database, team=team_ref(team), scopes=[Scope.ADMIN])
    with pytest.raises(Forbidden, match="has the right ADMIN, which yours lacks"):
        await revoke(database, stronger.key, writer)
    foreign = await make(database, team=team_ref(other_team))
    with pytest.raises(NotFound, match="no such API key"):
        await revoke(database, foreign.key, writer)


async def test_a_key_is_found_by_its_first_characters_while_it_is_good(database: Database) -> None:
    created = await make(database, scopes=[Scope.ADMIN])
    async with database.read() as session:
        assert (await keys.get_by_prefix(session, created.key.prefix)).id == created.key.id
    await revoke(database, created.key)
    async with database.read() as session:
        with pytest.raises(NotFound, match="still good begins with"):
            await keys.get_by_prefix(session, created.key.prefix)


async def test_an_ambiguous_key_prefix_is_refused(database: Database) -> None:
    created = await make(database, scopes=[Scope.ADMIN])
    twin = ApiKey(**created.key.model_dump() | {"id": new_id(), "token_hash": "another"})
    async with database.write() as session:
        await session.insert(twin)
    async with database.read() as session:
        with pytest.raises(Conflict, match="2 keys begin with"):
            await keys.get_by_prefix(session, created.key.prefix)


async def test_servers_that_start_at_once_create_one_first_key(database: Database) -> None:
    async def start() -> CreatedKey | None:
        async with database.write("start") as session:
            return await keys.create_first_key(session)

    created = [result for result in await asyncio.gather(*(start() for _ in range(5))) if result]
    assert [created_key.key.scopes for created_key in created] == [["READ", "WRITE", "ADMIN"]]
    assert await start() is None


async def test_a_server_whose_only_key_is_revoked_creates_no_new_key(database: Database) -> None:
    created = await make(database, scopes=[Scope.ADMIN])
    await revoke(database, created.key)
    async with database.write("start") as session:
        assert await keys.create_first_key(session) is None


async def test_the_last_use_never_moves_back(database: Database, clock: FixedClock) -> None:
    key = (await make(database, scopes=[Scope.ADMIN])).key
    for moment in (clock.now, clock.now + timedelta(minutes=5), clock.now + timedelta(minutes=1)):
        async with database.write() as session:
            await store.record_use(session, {key.id: moment})
    async with database.read() as session:
        assert (await store.get(session, key.id, UNRESTRICTED)).last_used_at == clock.now + timedelta(minutes=5)
