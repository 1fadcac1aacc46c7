"""Compare the lineage of a manifest with the stored edges, and write the difference. Declared edges stay."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from tessera_gql.formats.dbt import Model
from tessera_gql.policy.enums import DependencyType, Evidence
from tessera_gql.store import lineage
from tessera_gql.store.session import Session
from tessera_gql.store.tables import AssetDependency, new_id


@dataclass(frozen=True)
class LineageChanges:
    """The edges to add, as dependent and dependency, and the ids of those to remove."""

    added: Sequence[tuple[UUID, UUID]] = ()
    removed: Sequence[UUID] = ()


def find_pairs(ids: Mapping[str, UUID], models: Sequence[Model]) -> set[tuple[UUID, UUID]]:
    """Return the edges of the models in the manifest; an asset is not made from itself."""
    return {
        (ids[model.fqn], ids[fqn])
        for model in models
        for fqn in model.depends_on
        if fqn in ids and ids[fqn] != ids[model.fqn]
    }


def compare_lineage(
    manifest_pairs: Collection[tuple[UUID, UUID]], present: Sequence[AssetDependency]
) -> LineageChanges:
    """Compare the edges of a manifest with those of its models that are stored."""
    existing_pairs: set[tuple[UUID, UUID]] = set()
    obsolete: list[UUID] = []
    for edge in present:
        pair = (edge.dependent_asset_id, edge.dependency_asset_id)
        if edge.dependency_type is DependencyType.TRANSFORMS:
            existing_pairs.add(pair)
        if edge.evidence is Evidence.DBT_MANIFEST and pair not in manifest_pairs:
            obsolete.append(edge.id)
    return LineageChanges(sorted(set(manifest_pairs) - existing_pairs), obsolete)


async def apply_lineage(session: Session, changes: LineageChanges) -> tuple[int, int]:
    """Write the changes, and return how many edges were added and removed."""
    if changes.removed:
        await lineage.remove(session, changes.removed)
    rows = [
        {
            "id": new_id(),
            "dependent_asset_id": dependent,
            "dependency_asset_id": dependency,
            "dependency_type": DependencyType.TRANSFORMS,
            "evidence": Evidence.DBT_MANIFEST,
            "created_at": session.now,
        }
        for dependent, dependency in changes.added
    ]
    await session.insert_many(AssetDependency, rows)
    return len(rows), len(changes.removed)
