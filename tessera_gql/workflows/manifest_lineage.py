"""Edges that dbt knows of are made equal to the manifest's; edges that people declared stay."""

from collections.abc import Mapping, Sequence
from uuid import UUID

from sqlalchemy import select

from tessera_gql.formats.dbt import Model
from tessera_gql.policy.words import DependencyType, Evidence
from tessera_gql.store import lineage
from tessera_gql.store.session import Session
from tessera_gql.store.tables import AssetDependency, new_id, table


async def connect(
    session: Session, ids: Mapping[str, UUID], models: Sequence[Model], fresh: set[UUID], gone: Sequence[UUID]
) -> tuple[int, int]:
    """How many were added and removed. `fresh` assets have no edges yet; those that are `gone` keep none of dbt's."""
    edges = lineage.rows
    wanted = {
        (ids[model.fqn], ids[fqn])
        for model in models
        for fqn in model.depends_on
        if fqn in ids and ids[fqn] != ids[model.fqn]
    }
    here = {ids[model.fqn] for model in models}.difference(fresh).union(gone)
    present: list[AssetDependency] = []
    if here:
        statement = select(edges).where(session.among(edges.c.dependent_asset_id, here))
        present = await session.list(statement, AssetDependency)
    same: set[tuple[UUID, UUID]] = set()
    left: list[UUID] = []
    for one in present:
        pair = (one.dependent_asset_id, one.dependency_asset_id)
        if one.dependency_type is DependencyType.TRANSFORMS:
            same.add(pair)
        if one.evidence is Evidence.DBT_MANIFEST and pair not in wanted:
            left.append(one.id)
    if left:
        await session.execute(table(AssetDependency).delete().where(session.among(edges.c.id, left)))
    made = [
        {
            "id": new_id(),
            "dependent_asset_id": dependent,
            "dependency_asset_id": dependency,
            "dependency_type": DependencyType.TRANSFORMS,
            "evidence": Evidence.DBT_MANIFEST,
            "created_at": session.now,
        }
        for dependent, dependency in sorted(wanted - same)
    ]
    if made:
        await session.append(table(AssetDependency), made)
    return len(made), len(left)
