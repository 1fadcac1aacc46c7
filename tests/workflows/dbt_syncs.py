"""Syncs, impacts and asks of small dbt manifests, and what they left in the database."""

from typing import Any

from sqlalchemy import select

from tessera_gql.formats import dbt
from tessera_gql.formats.dbt_catalog import parse_catalog
from tessera_gql.policy.access import ANONYMOUS, Actor, Scope
from tessera_gql.store import assets, registrations
from tessera_gql.store.assets import AssetRef
from tessera_gql.store.tables import Asset, Registration, Team
from tessera_gql.store.tables import table as table_of
from tessera_gql.store.teams import TeamRef
from tessera_gql.workflows.change_sets import ChangeSetRequest
from tessera_gql.workflows.dbt.ask import AskProgress, ask_batch
from tessera_gql.workflows.dbt.compare import plan_manifest
from tessera_gql.workflows.dbt.options import Purpose, SyncOptions
from tessera_gql.workflows.dbt.plan import ManifestPlan
from tessera_gql.workflows.dbt.report import SyncReport
from tessera_gql.workflows.dbt.sync import sync_manifest
from tests.formats.manifests import column, table
from tests.world import World

BOARD = {
    "unique_id": "exposure.shop.board",
    "name": "board",
    "type": "dashboard",
    "owner": {"name": "finance"},
    "depends_on": {"nodes": ["model.shop.orders"]},
}
"""An exposure of the team finance that reads the table orders of the project shop."""


async def run_sync(
    world: World, manifest: Any, *, actor: Actor = ANONYMOUS, catalog: Any = None, **options: Any
) -> SyncReport:
    parsed = dbt.parse_manifest(manifest, catalog and parse_catalog(catalog))
    async with world.database.write() as session:
        sync_options = SyncOptions(
            **{"owner": TeamRef(name="data-platform"), "create_teams": actor.is_admin, **options}
        )
        return await sync_manifest(session, actor, parsed, sync_options)


async def plan(
    world: World, manifest: Any, *, actor: Actor = ANONYMOUS, purpose: Purpose = Purpose.IMPACT, **options: Any
) -> ManifestPlan:
    async with world.database.read() as session:
        sync_options = SyncOptions(**options)
        return await plan_manifest(session, actor, dbt.parse_manifest(manifest), sync_options, purpose)


async def ask(world: World, manifest: Any, key: str | None = "org/shop#1", *, actor: Actor = ANONYMOUS) -> ManifestPlan:
    async with world.database.write() as session:
        options, parsed = SyncOptions(change_set=ChangeSetRequest(key) if key else None), dbt.parse_manifest(manifest)
        progress = AskProgress(await plan_manifest(session, actor, parsed, options, Purpose.ASK))
        progress = await ask_batch(session, parsed, progress)
        impact = await plan_manifest(session, actor, parsed, options, Purpose.ASK)
        return impact.with_refusals(progress.refusals)


def states(impact: ManifestPlan) -> dict[str, str]:
    """The states of the tables by their names, without unchanged ones."""
    tables = impact.tables.values()
    return {table.fqn.rpartition(".")[2]: table.state.value for table in tables if table.state != "UNCHANGED"}


def team_table(name: str, owner: str, *columns: str, **fields: Any) -> dict[str, Any]:
    config = {"materialized": "table", "meta": {"owner": owner}}
    return table(name, *(column(each, "bigint") for each in columns), config=config, **fields)


def reading(name: str, owner: str, columns: str, upstream: str = "orders", **fields: Any) -> dict[str, Any]:
    """A model of a team that reads some columns of a model."""
    query = f"select {columns} from analytics.core.{upstream}"
    depends_on = {"nodes": [f"model.shop.{upstream}"]}
    return team_table(name, owner, "id", **{"depends_on": depends_on, "compiled_code": query, **fields})


def of_project(manifest: dict[str, Any], project: str) -> dict[str, Any]:
    """The manifest under the name of another project."""
    return {**manifest, "metadata": {**manifest["metadata"], "project_name": project}}


async def team_actor(world: World, name: str) -> Actor:
    """The key of a team that may write."""
    async with world.database.read() as session:
        rows = await session.list(select(table_of(Team)), Team)
    return Actor(f"{name}-ci", next(team.id for team in rows if team.name == name), frozenset({Scope.WRITE}))


async def find_readers(world: World) -> dict[tuple[str, str], Registration]:
    """Live registrations by consumer team and fqn of the asset."""
    async with world.database.read() as session:
        rows = await session.list(select(registrations.TABLE).where(registrations.IS_LIVE), Registration)
        names = {team.id: team.name for team in await session.list(select(table_of(Team)), Team)}
        fqns = {asset.id: asset.fqn for asset in await session.list(select(assets.TABLE), Asset)}
    return {(names[registration.consumer_team_id], fqns[registration.asset_id]): registration for registration in rows}


async def asset_at(world: World, fqn: str) -> Asset:
    async with world.database.read() as session:
        return await assets.get(session, AssetRef(fqn=fqn))
