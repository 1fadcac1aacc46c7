"""API keys: cached for seconds, revoked at once in every process, and never stored in plain text."""

import asyncio
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from tessera_gql.auth import Authenticator, Identity, InvalidCredential
from tessera_gql.policy.access import ANONYMOUS, ProjectScope, Scope
from tessera_gql.policy.visibility import UNRESTRICTED
from tessera_gql.store import keys as store
from tessera_gql.store.database import Database
from tessera_gql.store.projects import ProjectRef
from tessera_gql.store.tables import ApiKey, Project
from tessera_gql.store.teams import TeamRef
from tessera_gql.workflows import keys, projects
from tessera_gql.workflows.keys import CreatedKey, KeyRequest
from tessera_gql.workflows.projects import ProjectDetails
from tests.conftest import FixedClock, statements
from tests.world import World

ADMIN_KEY = "an-administrators-key-for-this-test"


@dataclass
class Seconds:
    """A monotonic clock that stands still."""

    now: float = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def seconds() -> Seconds:
    return Seconds()


@pytest.fixture
def authenticator(database: Database, seconds: Seconds) -> Authenticator:
    return Authenticator(database, admin_key=ADMIN_KEY, monotonic=seconds)


async def create_key(database: Database, *scopes: Scope, **asked: Any) -> CreatedKey:
    async with database.write("tester") as session:
        return await keys.create(session, ANONYMOUS, KeyRequest("ci", scopes or (Scope.ADMIN,), **asked))


async def revoke(database: Database, key: ApiKey) -> None:
    async with database.write("tester") as session:
        await keys.revoke(session, ANONYMOUS, key.id)


def bearer(created_key: CreatedKey) -> str:
    return f"Bearer {created_key.token}"


async def test_a_key_identifies_its_team_and_scopes(
    authenticator: Authenticator, database: Database, world: World
) -> None:
    team = await world.team("shop")
    created_key = await create_key(database, Scope.WRITE, team=TeamRef(id=team.id))
    actor = (await authenticator.identify(bearer(created_key))).actor
    assert (actor.name, actor.team_id, actor.key_id) == (f"ci ({created_key.key.prefix})", team.id, created_key.key.id)
    assert actor.scopes == {Scope.READ, Scope.WRITE}


async def test_the_ids_of_a_caller_can_be_written_as_json(
    authenticator: Authenticator, database: Database, world: World
) -> None:
    team = await world.team("shop")
    actor = (await authenticator.identify(bearer(await create_key(database, team=TeamRef(id=team.id))))).actor
    assert (type(actor.team_id), type(actor.key_id)) == (UUID, UUID)


async def test_a_valid_key_costs_no_statement_for_five_seconds(
    authenticator: Authenticator, database: Database, seconds: Seconds
) -> None:
    created_key = await create_key(database)
    first = await authenticator.identify(bearer(created_key))
    with statements(database) as sql:
        seconds.now += 4.9
        assert await authenticator.identify(bearer(created_key)) is first
        assert sql == []
        seconds.now += 0.2
        assert await authenticator.identify(bearer(created_key)) is first
        assert len([statement for statement in sql if statement.startswith("SELECT")]) == 1


async def test_a_change_by_another_process_is_seen_after_five_seconds(
    authenticator: Authenticator, database: Database, seconds: Seconds, clock: FixedClock
) -> None:
    created_key = await create_key(database)
    await authenticator.identify(bearer(created_key))
    async with database.write() as session:
        await session.update(ApiKey, store.TABLE.c.id == created_key.key.id, revoked_at=clock.now)
    seconds.now += 5.1
    with pytest.raises(InvalidCredential, match="was revoked"):
        await authenticator.identify(bearer(created_key))


async def test_a_revocation_in_this_process_ends_the_streams_of_the_key_before_it_returns(
    authenticator: Authenticator, database: Database
) -> None:
    database.observe_commits(authenticator.on_commit)
    created_key, other_key = await create_key(database), await create_key(database)
    identity, bystander = (
        await authenticator.identify(bearer(created_key)),
        await authenticator.identify(bearer(other_key)),
    )
    await revoke(database, created_key.key)
    assert identity.ended.is_set()
    assert not bystander.ended.is_set()
    with pytest.raises(InvalidCredential, match="was revoked"):
        await authenticator.identify(bearer(created_key))


async def test_a_look_up_during_a_revocation_does_not_accept_the_key(database: Database, seconds: Seconds) -> None:
    created_key = await create_key(database)

    class Slow(Authenticator):
        """Revoke the key in another process between reading its row and returning it."""

        async def _verify_key(self, digest: str) -> Identity:
            self.revoke(created_key.key.id)
            return await super()._verify_key(digest)

    with pytest.raises(InvalidCredential, match="was revoked"):
        await Slow(database, monotonic=seconds).identify(bearer(created_key))


async def test_a_projects_key_has_the_owners_and_schemas_of_its_project(
    authenticator: Authenticator, database: Database, world: World
) -> None:
    owners = [await world.team(name) for name in ("shop", "finance")]
    project = await world.project("dbt", *owners, schemas=["Prod.Marts"])
    key = await create_key(database, Scope.WRITE, project=ProjectRef(id=project.id))
    actor = (await authenticator.identify(bearer(key))).actor
    scope = ProjectScope(project.id, "dbt", frozenset(owner.id for owner in owners), ("prod.marts",))
    assert (actor.team_id, actor.project, actor.scopes) == (None, scope, {Scope.READ, Scope.WRITE})
    assert {type(identity) for identity in (scope.id, *scope.owner_ids)} == {UUID}


async def update_project(database: Database, project: Project, **details: Any) -> None:
    async with database.write("tester") as session:
        await projects.update(session, ANONYMOUS, ProjectRef(id=project.id), ProjectDetails(**details))


async def test_a_change_of_a_project_in_this_process_applies_to_the_next_request_and_ends_open_streams(
    authenticator: Authenticator, database: Database, world: World
) -> None:
    database.observe_commits(authenticator.on_commit)
    shop, finance = await world.team("shop"), await world.team("finance")
    project, other_project = await world.project("dbt", shop), await world.project("other", shop)
    key, other_key = [
        await create_key(database, Scope.WRITE, project=ProjectRef(id=row.id)) for row in (project, other_project)
    ]
    identity, bystander = [await authenticator.identify(bearer(item)) for item in (key, other_key)]
    await update_project(database, project, owners=[TeamRef(id=finance.id)])
    assert (identity.ended.is_set(), bystander.ended.is_set()) == (True, False)
    actor = (await authenticator.identify(bearer(key))).actor
    assert actor.team_ids == {finance.id}
    assert await authenticator.identify(bearer(other_key)) is bystander


async def test_a_change_of_a_project_in_another_process_applies_after_five_seconds_at_the_latest(
    authenticator: Authenticator, database: Database, world: World, seconds: Seconds
) -> None:
    shop, finance = await world.team("shop"), await world.team("finance")
    project = await world.project("dbt", shop)
    key = await create_key(database, Scope.WRITE, project=ProjectRef(id=project.id))
    assert (await authenticator.identify(bearer(key))).actor.team_ids == {shop.id}
    await update_project(database, project, owners=[TeamRef(id=finance.id)])
    seconds.now += 4.9
    assert (await authenticator.identify(bearer(key))).actor.team_ids == {shop.id}
    seconds.now += 0.2
    assert (await authenticator.identify(bearer(key))).actor.team_ids == {finance.id}


async def test_a_look_up_during_a_change_of_the_project_has_the_new_rights(database: Database, world: World) -> None:
    shop, finance = await world.team("shop"), await world.team("finance")
    project = await world.project("dbt", shop)
    key = await create_key(database, Scope.WRITE, project=ProjectRef(id=project.id))

    class Slow(Authenticator):
        """Change the project between reading it and returning the first identity."""

        changed = False

        async def _verify_key(self, digest: str) -> Identity:
            identity = await super()._verify_key(digest)
            if not self.changed:
                self.changed = True
                await update_project(database, project, owners=[TeamRef(id=finance.id)])
            return identity

    authenticator = Slow(database)
    database.observe_commits(authenticator.on_commit)
    assert (await authenticator.identify(bearer(key))).actor.team_ids == {finance.id}


async def test_a_rolled_back_revocation_ends_nothing(authenticator: Authenticator, database: Database) -> None:
    database.observe_commits(authenticator.on_commit)
    created_key = await create_key(database)
    identity = await authenticator.identify(bearer(created_key))
    async with database.write(dry_run=True) as session:
        await keys.revoke(session, ANONYMOUS, created_key.key.id)
    assert not identity.ended.is_set()
    assert await authenticator.identify(bearer(created_key)) is identity


async def test_an_expiry_ends_the_streams_of_the_key_with_a_reason(
    authenticator: Authenticator, database: Database, clock: FixedClock
) -> None:
    created_key = await create_key(database, expires_at=clock.now + timedelta(minutes=1))
    identity = await authenticator.identify(bearer(created_key))
    clock.advance(seconds=59)
    authenticator.expire()
    assert not identity.ended.is_set()
    clock.advance(seconds=1)
    authenticator.expire()
    assert identity.ended.is_set()
    with pytest.raises(InvalidCredential, match="expired at 2026-01-01 12:01 UTC"):
        await authenticator.identify(bearer(created_key))


async def test_an_expired_key_is_refused_although_it_is_cached(
    authenticator: Authenticator, database: Database, clock: FixedClock
) -> None:
    created_key = await create_key(database, expires_at=clock.now + timedelta(seconds=1))
    await authenticator.identify(bearer(created_key))
    clock.advance(seconds=1)
    with pytest.raises(InvalidCredential, match="expired"):
        await authenticator.identify(bearer(created_key))


async def test_the_last_uses_are_written_later_in_one_transaction(
    authenticator: Authenticator, database: Database, clock: FixedClock
) -> None:
    created_keys = [await create_key(database) for _ in range(3)]
    for created_key in created_keys:
        await authenticator.identify(bearer(created_key))
    clock.advance(seconds=30)
    await authenticator.identify(bearer(created_keys[0]))
    await authenticator.flush()
    async with database.read() as session:
        used = [
            (await store.get(session, created_key.key.id, UNRESTRICTED)).last_used_at for created_key in created_keys
        ]
    assert used == [clock.now, *[clock.now - timedelta(seconds=30)] * 2]
    with statements(database) as sql:
        await authenticator.flush()
    assert sql == []


async def test_the_background_task_ends_expired_keys_and_writes_last_uses(
    database: Database, clock: FixedClock
) -> None:
    authenticator = Authenticator(database)
    created_key = await create_key(database, expires_at=clock.now + timedelta(seconds=0.05))
    identity = await authenticator.identify(bearer(created_key))

    async def used() -> bool:
        async with database.read() as session:
            return (await store.get(session, created_key.key.id, UNRESTRICTED)).last_used_at is not None

    keeper = asyncio.create_task(authenticator.run(flush_seconds=0))
    clock.advance(seconds=1)
    async with asyncio.timeout(5):
        await identity.ended.wait()
        while not await used():  # noqa: ASYNC110 - a database tells nobody
            await asyncio.sleep(0.01)
    keeper.cancel()
    with pytest.raises(asyncio.CancelledError):
        await keeper


@pytest.mark.parametrize(
    ("authorization", "said"),
    [
        (None, "This server needs a key"),
        ("", "This server needs a key"),
        ("Bearer", "This server needs a key"),
        ("Bearer   ", "This server needs a key"),
        (f"Basic {ADMIN_KEY}", "This server needs a key"),
        (ADMIN_KEY, "This server needs a key"),
        (f"Bearer {ADMIN_KEY}x", "not known here"),
        ("Bearer tsr_" + "A" * 43, "not known here"),
        ("Bearer tsr_", "not known here"),
        ("Bearer a.b.c", "not known here"),
        ("Bearer \ud800\x00é", "not known here"),
        ("Bearer " + "A" * 100_000, "not known here"),
    ],
)
async def test_an_invalid_key_is_refused_with_a_message(
    authenticator: Authenticator, authorization: str | None, said: str
) -> None:
    with pytest.raises(InvalidCredential, match=said) as refused:
        await authenticator.identify(authorization)
    assert ADMIN_KEY not in str(refused.value)


async def test_a_text_that_is_not_shaped_like_a_key_costs_no_statement(
    authenticator: Authenticator, database: Database
) -> None:
    with statements(database) as sql:
        for text in ("Bearer x", "Bearer a.b.c", None):
            with pytest.raises(InvalidCredential):
                await authenticator.identify(text)
    assert sql == []


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
async def test_the_administrators_key_of_the_settings_is_in_no_table(
    authenticator: Authenticator, database: Database, scheme: str
) -> None:
    with statements(database) as sql:
        actor = (await authenticator.identify(f"{scheme}  {ADMIN_KEY} ")).actor
    assert (actor.name, actor.is_admin, actor.key_id, sql) == ("admin", True, None, [])


async def test_an_open_server_requires_no_key(database: Database) -> None:
    authenticator = Authenticator(database, is_open=True)
    assert (await authenticator.identify(None)).actor is ANONYMOUS
    assert (await authenticator.identify("Bearer whatever")).actor is ANONYMOUS


async def test_a_key_without_a_scope_is_refused(authenticator: Authenticator, database: Database) -> None:
    created_key = await create_key(database)
    async with database.write() as session:
        await session.update(ApiKey, store.TABLE.c.id == created_key.key.id, scopes=[])
    with pytest.raises(InvalidCredential, match="has no scope"):
        await authenticator.identify(bearer(created_key))


async def test_the_cache_of_credentials_is_bounded(database: Database) -> None:
    authenticator = Authenticator(database, cache_size=2)
    created_keys = [await create_key(database) for _ in range(4)]
    identities = [await authenticator.identify(bearer(created_key)) for created_key in created_keys]
    assert len(authenticator._cache) == 2
    authenticator.revoke(created_keys[0].key.id)
    assert identities[0].ended.is_set()
