"""Make the lineage edges that come from dbt equal to a manifest; edges that people declared stay."""

from collections.abc import Mapping, Sequence
from uuid import UUID

from tessera_gql.formats.dbt import Model
from tessera_gql.policy.enums import DependencyType, Evidence
from tessera_gql.store import lineage
from tessera_gql.store.session import Session
from tessera_gql.store.tables import AssetDependency, new_id


async def sync_dependencies(
    session: Session, ids: Mapping[str, UUID], models: Sequence[Model], new_ids: set[UUID], removed_ids: Sequence[UUID]
) -> tuple[int, int]:
    """Add and remove edges, and return both counts. `new_ids` have no edges; removed ones lose all of dbt's."""
    manifest_pairs = {
        (ids[model.fqn], ids[fqn])
        for model in models
        for fqn in model.depends_on
        if fqn in ids and ids[fqn] != ids[model.fqn]
    }
    dependents = {ids[model.fqn] for model in models}.difference(new_ids).union(removed_ids)
    present = await lineage.list_by_dependents(session, dependents) if dependents else []
    existing_pairs: set[tuple[UUID, UUID]] = set()
    obsolete: list[UUID] = []
    for edge in present:
        pair = (edge.dependent_asset_id, edge.dependency_asset_id)
        if edge.dependency_type is DependencyType.TRANSFORMS:
            existing_pairs.add(pair)
        if edge.evidence is Evidence.DBT_MANIFEST and pair not in manifest_pairs:
            obsolete.append(edge.id)
    if obsolete:
        await lineage.remove(session, obsolete)
    new_rows = [
        {
            "id": new_id(),
            "dependent_asset_id": dependent,
            "dependency_asset_id": dependency,
            "dependency_type": DependencyType.TRANSFORMS,
            "evidence": Evidence.DBT_MANIFEST,
            "created_at": session.now,
        }
        for dependent, dependency in sorted(manifest_pairs - existing_pairs)
    ]
    await session.insert_many(AssetDependency, new_rows)
    return len(new_rows), len(obsolete)
