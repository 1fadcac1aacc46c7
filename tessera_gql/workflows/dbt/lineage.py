"""Compare the lineage of a manifest with the stored edges, and write the difference. Declared edges stay."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from uuid import UUID

from tessera_gql.formats.dbt import Model
from tessera_gql.policy.enums import DependencyType, Evidence
from tessera_gql.store import column_edges, lineage
from tessera_gql.store.session import Session
from tessera_gql.store.tables import AssetDependency, new_id
from tessera_gql.workflows.acknowledgment_requests import ReleaseEvidence
from tessera_gql.workflows.proposal_lifecycle import update_upstream_proposals


@dataclass(frozen=True)
class LineageChanges:
    """The edges to add, as dependent and dependency, and the ids of those to remove.

    Between the `removed_pairs` no other edge is left.
    """

    added: Sequence[tuple[UUID, UUID]] = ()
    removed: Sequence[UUID] = ()
    removed_pairs: frozenset[tuple[UUID, UUID]] = frozenset()


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
    removed_ids = set(obsolete)
    pairs = {edge.id: (edge.dependent_asset_id, edge.dependency_asset_id) for edge in present}
    removed = {*pairs.values()} - {pair for edge_id, pair in pairs.items() if edge_id not in removed_ids}
    return LineageChanges(sorted(set(manifest_pairs) - existing_pairs), obsolete, frozenset(removed))


async def apply_lineage(
    session: Session, changes: LineageChanges, evidence: ReleaseEvidence | None = None
) -> tuple[int, int]:
    """Write the changes, and return how many edges were added and removed."""
    if changes.removed:
        await lineage.remove(session, changes.removed)
        targets = sorted({dependent for dependent, _ in changes.removed_pairs})
        await column_edges.remove_without_dependency(session, targets)
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
    if changed := [*changes.added, *changes.removed_pairs]:
        asset_ids = {asset for pair in changed for asset in pair}
        await update_upstream_proposals(session, asset_ids, evidence, includes_assets=True)
    return len(rows), len(changes.removed)


def sort_by_dependencies(models: Sequence[Model]) -> list[Model]:
    """Sort models so that each comes after those that it reads; models that read each other stay as they are."""
    by_fqn = {model.fqn: model for model in models}
    graph = {fqn: [upstream for upstream in model.depends_on if upstream in by_fqn] for fqn, model in by_fqn.items()}
    try:
        return [by_fqn[fqn] for fqn in TopologicalSorter(graph).static_order()]
    except CycleError:
        return [*models]
