"""Projects are created and changed by administrators, with an event that has the values before and after."""

import asyncio
from typing import Any

import pytest

from tessera_gql.errors import Conflict, Forbidden, Invalid, NotFound, Stale
from tessera_gql.policy.access import ANONYMOUS, Actor, ProjectScope, Scope
from tessera_gql.store import projects as store
from tessera_gql.store.database import Database
from tessera_gql.store.projects import ProjectRef
from tessera_gql.store.tables import Project
from tessera_gql.store.teams import TeamRef
from tessera_gql.workflows import projects
from tessera_gql.workflows.projects import MAX_OWNERS, ProjectDetails
from tests.world import World


async def create(database: Database, actor: Actor = ANONYMOUS, **details: Any) -> Project:
    async with database.write("tester") as session:
        return await projects.create(session, actor, ProjectDetails(**details))


async def update(
    database: Database, ref: ProjectRef, actor: Actor = ANONYMOUS, version: int | None = None, **details: Any
) -> Project:
    async with database.write("tester") as session:
        return await projects.update(session, actor, ref, ProjectDetails(**details), expected_row_version=version)


async def find_scope(database: Database, name: str) -> ProjectScope | None:
    async with database.read() as session:
        return await store.find_scope(session, name)


async def test_a_project_is_found_by_its_name_in_any_case_with_its_owners_and_schemas(
    world: World, database: Database
) -> None:
    shop, finance = await world.team("shop"), await world.team("finance")
    owners = [TeamRef(name="SHOP"), TeamRef(id=finance.id), TeamRef(id=shop.id)]
    project = await create(database, name=" Warehouse ", owners=owners, schemas=["Prod.Marts", "prod.stg_*"])
    expected = ProjectScope(project.id, "Warehouse", frozenset({shop.id, finance.id}), ("prod.marts", "prod.stg_*"))
    assert await find_scope(database, "wareHOUSE") == expected
    assert await find_scope(database, "another") is None


async def test_creating_and_updating_are_events_with_the_values_before_and_after(
    world: World, database: Database
) -> None:
    shop, finance = await world.team("shop"), await world.team("finance")
    project = await create(database, name="dbt", owners=[TeamRef(id=shop.id)], schemas=["a.b"])
    ref = ProjectRef(name="DBT")
    changed = await update(database, ref, name="warehouse", owners=[TeamRef(id=finance.id)], schemas=[])
    assert (changed.name, changed.name_key, changed.schemas, changed.row_version) == ("warehouse", "warehouse", [], 2)
    created, updated = (await world.events())[-2:]
    assert (created.kind, created.entity_id, created.teams) == ("PROJECT_CREATED", project.id, [str(shop.id)])
    assert created.payload == {
        "project_id": str(project.id),
        "name": "dbt",
        "owners": [str(shop.id)],
        "schemas": ["a.b"],
    }
    assert (updated.kind, sorted(updated.teams)) == ("PROJECT_UPDATED", sorted([str(shop.id), str(finance.id)]))
    assert updated.payload == {
        "project_id": str(project.id),
        "changed": ["name", "owners", "schemas"],
        "changes": {
            "name": {"before": "dbt", "after": "warehouse"},
            "owners": {"before": [str(shop.id)], "after": [str(finance.id)]},
            "schemas": {"before": ["a.b"], "after": []},
        },
    }


async def test_an_update_that_changes_nothing_writes_nothing(world: World, database: Database) -> None:
    shop = await world.team("shop")
    project = await create(database, name="dbt", owners=[TeamRef(id=shop.id)], schemas=["a.b", "a.c"])
    before = await world.events()
    same = await update(
        database, ProjectRef(id=project.id), name="dbt", owners=[TeamRef(name="shop")], schemas=["A.C", "a.b", "a.b"]
    )
    assert same.row_version == 1
    assert await world.events() == before


async def test_only_an_administrator_creates_and_updates_projects(world: World, database: Database) -> None:
    shop = await world.team("shop")
    row = await world.project("dbt", shop)
    project_scope = ProjectScope(row.id, row.name, frozenset({shop.id}))
    writers = (
        Actor("shop", shop.id, frozenset({Scope.WRITE})),
        Actor("ci", None, frozenset({Scope.WRITE}), project=project_scope),
    )
    for actor in writers:
        with pytest.raises(Forbidden, match="may not create projects"):
            await create(database, actor, name="mine", owners=[TeamRef(id=shop.id)])
        with pytest.raises(Forbidden, match="may not update projects"):
            await update(database, ProjectRef(id=row.id), actor, schemas=[])


async def test_a_name_that_exists_in_any_case_is_a_conflict(world: World, database: Database) -> None:
    shop = await world.team("shop")
    await world.project("dbt", shop)
    other_project = await world.project("other", shop)
    with pytest.raises(Conflict, match="A project named dbt exists already"):
        await create(database, name="DBT", owners=[TeamRef(id=shop.id)])
    with pytest.raises(Conflict, match="A project named dbt exists already"):
        await update(database, ProjectRef(id=other_project.id), name="Dbt")
    assert (await update(database, ProjectRef(id=other_project.id), name="OTHER")).name == "OTHER"


async def test_of_concurrent_projects_of_one_name_one_is_created(world: World, database: Database) -> None:
    shop = await world.team("shop")
    attempts = [create(database, name="dbt", owners=[TeamRef(id=shop.id)]) for _ in range(4)]
    results = await asyncio.gather(*attempts, return_exceptions=True)
    assert [type(result) for result in results if isinstance(result, BaseException)] == [Conflict] * 3
    assert len(await world.rows(Project)) == 1


@pytest.mark.parametrize(
    ("details", "error", "message"),
    [
        ({"owners": []}, Invalid, "1 to 200 owners"),
        ({"owners": [TeamRef(name="shop")] * (MAX_OWNERS + 1)}, Invalid, "1 to 200 owners"),
        ({"owners": [TeamRef(name="nobody")]}, NotFound, "There is no team nobody"),
        ({"name": " "}, Invalid, "1 to 200 visible characters"),
        ({"schemas": ["a.b.c"]}, Invalid, "is no schema"),
    ],
)
async def test_invalid_details_are_refused_and_leave_nothing_behind(
    world: World, database: Database, details: dict[str, Any], error: type[Exception], message: str
) -> None:
    await world.project("dbt", await world.team("shop"))
    before = await world.size()
    with pytest.raises(error, match=message):
        await create(database, **{"name": "new", "owners": [TeamRef(name="shop")], **details})
    with pytest.raises(error, match=message):
        await update(database, ProjectRef(name="dbt"), **details)
    assert await world.size() == before


async def test_an_update_of_an_older_row_version_is_stale(world: World, database: Database) -> None:
    project = await world.project("dbt", await world.team("shop"))
    ref = ProjectRef(id=project.id)
    await update(database, ref, version=1, schemas=["a.b"])
    with pytest.raises(Stale, match="rowVersion 2, not 1"):
        await update(database, ref, version=1, schemas=["a.c"])


async def test_concurrent_updates_of_a_project_raise_its_row_version_once_each_or_are_refused(
    world: World, database: Database
) -> None:
    project = await world.project("dbt", await world.team("shop"), await world.team("finance"))
    attempts = [
        update(database, ProjectRef(id=project.id), owners=[TeamRef(name=name)], schemas=[f"a.{name}"])
        for name in ("shop", "finance")
    ]
    results = await asyncio.gather(*attempts, return_exceptions=True)
    refusals = [result for result in results if isinstance(result, BaseException)]
    assert all(isinstance(refusal, Stale | Conflict) for refusal in refusals)
    (row,) = await world.rows(Project)
    assert row.row_version == 3 - len(refusals)
    scope = await find_scope(database, "dbt")
    assert scope is not None
    assert len(scope.owner_ids) == 1


async def test_a_reference_to_a_project_has_exactly_one_part_and_must_exist(world: World, database: Database) -> None:
    project = await world.project("dbt", await world.team("shop"))
    for ref in (ProjectRef(), ProjectRef(project.id, "dbt")):
        with pytest.raises(Invalid, match="one of the two"):
            await update(database, ref, schemas=[])
    with pytest.raises(NotFound, match="There is no project gone"):
        await update(database, ProjectRef(name="gone"), schemas=[])
