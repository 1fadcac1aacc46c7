"""Compare the column lineage of a manifest's queries with the stored one, and write the difference.

A query is read once: the hash of what its lineage depends on is kept with the asset. Without a compiled query, what is
known stays.
"""

import asyncio
import hashlib
import threading
import time
from collections import defaultdict
from collections.abc import AsyncGenerator, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import orjson

from tessera_gql.compute.bounded_cache import BoundedCache
from tessera_gql.formats.dbt import Model
from tessera_gql.formats.dbt_column_lineage import QueryLineage, find_column_lineage
from tessera_gql.policy.enums import ColumnEdgeKind, ReleaseKind
from tessera_gql.store import assets, column_edges
from tessera_gql.store.column_edges import AssetPair
from tessera_gql.store.dbt import DBT, LINEAGE_MARK
from tessera_gql.store.session import Session
from tessera_gql.store.tables import ColumnEdge
from tessera_gql.workflows.acknowledgment_requests import ReleaseEvidence
from tessera_gql.workflows.dbt.state import ManifestCache, ManifestState
from tessera_gql.workflows.proposal_lifecycle import update_upstream_proposals

Edge = tuple[str, str, ColumnEdgeKind]
"""The source column, the target column (empty: every column) and the kind."""
LINEAGE_VERSION = 1
"""Raise it when the same query gets other edges, so that the next sync reads all queries again."""
MAX_SECONDS = 20.0
"""The time for reading queries of one manifest; the next sync reads the others."""
TARGETS_PER_STEP = 100
MAX_KEPT_EDGES = 200_000
"""The edges of queries that a process keeps, of 200 bytes each."""

_lineages: BoundedCache[str, QueryLineage] = BoundedCache(MAX_KEPT_EDGES)
"""The lineage of queries by the hash of what it depends on: a plan, an impact and a sync of one manifest read the same.

Several threads read it.
"""
_lock = threading.Lock()


@dataclass(frozen=True)
class ColumnLineageChanges:
    """The edges that replace those of pairs of assets, and the hash of what the lineage of each target rests on."""

    edges: Mapping[AssetPair, frozenset[Edge]] = field(default_factory=dict[AssetPair, frozenset[Edge]])
    stamps: Mapping[UUID, str] = field(default_factory=dict[UUID, str])
    warnings: tuple[str, ...] = ()

    @property
    def is_empty(self) -> bool:
        return not self.edges and not self.stamps

    @property
    def asset_ids(self) -> set[UUID]:
        """The targets, and the sources of edges that change."""
        return {*self.stamps, *(pair.source for pair in self.edges), *(pair.target for pair in self.edges)}

    def without(self, step: "ColumnLineageChanges") -> "ColumnLineageChanges":
        """Return what is left after a step."""
        edges = {pair: edges for pair, edges in self.edges.items() if pair not in step.edges}
        stamps = {asset: stamp for asset, stamp in self.stamps.items() if asset not in step.stamps}
        return ColumnLineageChanges(edges, stamps, self.warnings)

    def select_pairs(self, pairs: Collection[tuple[UUID, UUID]]) -> "ColumnLineageChanges":
        """Select the edges of some pairs of dependent and dependency; the hashes of their targets are not selected."""
        return ColumnLineageChanges(
            {pair: edges for pair, edges in self.edges.items() if (pair.target, pair.source) in pairs}
        )

    def group_by_target(self) -> dict[UUID, dict[AssetPair, frozenset[Edge]]]:
        groups: dict[UUID, dict[AssetPair, frozenset[Edge]]] = defaultdict(dict)
        for pair, edges in self.edges.items():
            groups[pair.target][pair] = edges
        return groups

    def split(self) -> "list[ColumnLineageChanges]":
        """Split the changes into those of some targets each."""
        by_target = self.group_by_target()
        targets = sorted({*self.stamps, *by_target})
        return [
            ColumnLineageChanges(
                {pair: edges for target in step for pair, edges in by_target.get(target, {}).items()},
                {target: self.stamps[target] for target in step if target in self.stamps},
            )
            for start in range(0, len(targets), TARGETS_PER_STEP)
            if (step := targets[start : start + TARGETS_PER_STEP])
        ]


def read_lineage(state: ManifestState, model: Model, cache: ManifestCache) -> QueryLineage:
    """Find the lineage of a model's query, under the names that its upstream tables have in the query."""
    stamp = compute_stamp(state, model)
    key = (model.fqn, stamp or "")
    if (lineage := cache.lineage.get(key)) is None:
        with _lock:
            lineage = _lineages.find(stamp) if stamp else None
        if lineage is None:
            lineage = _find_lineage(state, model)
            if stamp and lineage.reason is None:
                with _lock:
                    _lineages.keep(stamp, lineage, sum(map(len, lineage.edges.values())))
        cache.lineage[key] = lineage
    return lineage


def _find_lineage(state: ManifestState, model: Model) -> QueryLineage:
    names = {fqn: state.query_names.get(fqn, fqn) for fqn in model.depends_on}
    upstream = {names[fqn]: state.columns.get(fqn, ()) for fqn in names}
    by_name = find_column_lineage(model.compiled_code, state.manifest.adapter, model.columns, upstream)
    edges = {fqn: by_name.edges.get(name, frozenset()) for fqn, name in names.items()}
    stars = frozenset(fqn for fqn, name in names.items() if name in by_name.stars)
    return QueryLineage(edges, stars, by_name.reason)


def compute_stamp(state: ManifestState, model: Model, asset: UUID | None = None) -> str | None:
    """Hash what the lineage of a model depends on; None if there is nothing to read.

    The `asset` is part of a stored hash: metadata that was copied to another database says nothing of its edges.
    """
    if model.compiled_code is None or not model.depends_on:
        return None
    upstream = [[fqn, state.query_names.get(fqn), state.columns.get(fqn, ())] for fqn in model.depends_on]
    inputs = [str(asset), LINEAGE_VERSION, state.manifest.adapter, model.compiled_code, model.columns, upstream]
    return hashlib.blake2b(orjson.dumps(inputs), digest_size=12).hexdigest()


def read_all(
    state: ManifestState, models: Iterable[Model], cache: ManifestCache, *, seconds: float = MAX_SECONDS
) -> dict[str, QueryLineage]:
    """Read the queries of models, as long as there is time. Takes about 20 ms for each."""
    lineages: dict[str, QueryLineage] = {}
    started_at = time.monotonic()
    for model in models:
        if time.monotonic() - started_at > seconds:
            break
        lineages[model.fqn] = read_lineage(state, model, cache)
    return lineages


async def compare_column_lineage(
    session: Session, state: ManifestState, ids: Mapping[str, UUID], models: Sequence[Model], cache: ManifestCache
) -> ColumnLineageChanges:
    """Compare the lineage of the queries that changed since they were last read with the stored edges."""
    stamps = {model.fqn: stamp for model in models if (stamp := compute_stamp(state, model, ids[model.fqn]))}
    pending = [model for model in models if model.fqn in stamps and _known_stamp(state, model) != stamps[model.fqn]]
    if not pending:
        return ColumnLineageChanges()
    lineages = await asyncio.to_thread(read_all, state, pending, cache)
    stored = await _load_stored(session, [ids[model.fqn] for model in pending if model.fqn in state.assets])
    changed: dict[AssetPair, frozenset[Edge]] = {}
    for model in pending:
        if (lineage := lineages.get(model.fqn)) is not None:
            for fqn in model.depends_on:
                if fqn in ids and ids[fqn] != ids[model.fqn]:
                    pair = AssetPair(ids[model.fqn], ids[fqn])
                    before = stored.get(pair, frozenset[Edge]())
                    edges = combine_edges(lineage, fqn, state.columns.get(fqn, ()), before)
                    if edges != before:
                        changed[pair] = edges
    read_stamps = {ids[fqn]: stamps[fqn] for fqn in lineages}
    return ColumnLineageChanges(changed, read_stamps, _describe_gaps(pending, lineages))


def combine_edges(lineage: QueryLineage, fqn: str, columns: Sequence[str], before: Iterable[Edge]) -> frozenset[Edge]:
    """Return the edges from an upstream table, with those that a star still makes of columns not described now."""
    edges = frozenset((source, target, ColumnEdgeKind(kind)) for source, target, kind in lineage.edges.get(fqn, ()))
    if fqn not in lineage.stars:
        return edges
    described = {name.lower() for name in columns}
    passed_through = {
        (source, target, kind)
        for source, target, kind in before
        if kind is ColumnEdgeKind.COPIED and source.lower() == target.lower() and source.lower() not in described
    }
    return edges | passed_through


def _known_stamp(state: ManifestState, model: Model) -> str | None:
    asset = state.assets.get(model.fqn)
    return asset.lineage_stamp if asset else None


def _describe_gaps(pending: Sequence[Model], lineages: Mapping[str, QueryLineage]) -> tuple[str, ...]:
    """Describe the queries that can't be followed, and those that there was no time to read."""
    failed = [(fqn, lineage.reason) for fqn, lineage in lineages.items() if lineage.reason]
    warnings: list[str] = []
    if failed:
        fqn, reason = failed[0]
        warnings.append(
            f"The column lineage of {len(failed)} tables is unknown, so that each of their columns counts as made from"
            f" every column: {fqn}, because {reason}."
        )
    if unread := len(pending) - len(lineages):
        warnings.append(f"The column lineage of {unread} tables was not read for lack of time; the next sync reads it.")
    return tuple(warnings)


async def _load_stored(session: Session, targets: Sequence[UUID]) -> dict[AssetPair, frozenset[Edge]]:
    edges: dict[AssetPair, set[Edge]] = defaultdict(set)
    for row in await column_edges.list_by_targets(session, targets) if targets else ():
        edge = (row.source_column, row.target_column, row.kind)
        edges[AssetPair(row.target_asset_id, row.source_asset_id)].add(edge)
    return {pair: frozenset(items) for pair, items in edges.items()}


async def apply_column_lineage(
    session: Session, changes: ColumnLineageChanges, project: str | None
) -> AsyncGenerator[ColumnLineageChanges]:
    """Write the changes in steps, and yield each. Proposals of upstream tables ask and release teams by them."""
    for step in changes.split():
        await replace_edges(session, step)
        await _store_stamps(session, step.stamps)
        if targets := {pair.target for pair in step.edges}:
            await update_upstream_proposals(session, targets, describe_evidence(project))
        yield step


async def replace_edges(session: Session, changes: ColumnLineageChanges) -> None:
    """Replace the column edges of pairs of assets, and update no proposal yet."""
    await column_edges.remove_pairs(session, changes.edges)
    await write_edges(session, changes)


async def write_edges(session: Session, changes: ColumnLineageChanges) -> None:
    """Write the column edges of pairs of assets that have none."""
    await session.insert_many(ColumnEdge, [*_list_rows(session, changes)])


def describe_evidence(project: str | None) -> ReleaseEvidence:
    """Describe a synced manifest as the proof by which a team is released."""
    return ReleaseEvidence(ReleaseKind.MANIFEST, project or "a manifest without a project")


def _list_rows(session: Session, step: ColumnLineageChanges) -> Iterable[dict[str, Any]]:
    for pair, edges in step.edges.items():
        for source_column, target_column, kind in sorted(edges):
            yield {
                "target_asset_id": pair.target,
                "target_column": target_column,
                "source_asset_id": pair.source,
                "source_column": source_column,
                "kind": kind,
                "created_at": session.now,
            }


async def _store_stamps(session: Session, stamps: Mapping[UUID, str]) -> None:
    """Keep the hashes without an event: they say nothing that a client needs."""
    changed: dict[UUID, dict[str, Any]] = {}
    for asset in await assets.by_ids(session, [*stamps]):
        from_dbt = asset.meta.get(DBT)
        marks = from_dbt if isinstance(from_dbt, dict) else {}
        if marks.get(LINEAGE_MARK) != stamps[asset.id]:
            changed[asset.id] = {**asset.meta, DBT: {**marks, LINEAGE_MARK: stamps[asset.id]}}
    await assets.store_meta(session, changed)
