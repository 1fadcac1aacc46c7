"""Load who reads assets: registrations, observed reads, and the teams that a forced publish did not ask."""

import asyncio
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from tessera_gql.diff import small_schema_size
from tessera_gql.policy.affected_teams import FieldReader
from tessera_gql.policy.debts import (
    PATH_KINDS,
    OpenPathDebts,
    exclude_top_level,
    find_all_undeclared,
    find_undeclared,
    to_forced_readers,
)
from tessera_gql.policy.enums import DebtKind
from tessera_gql.store import contracts, debts, usage
from tessera_gql.store.session import Session
from tessera_gql.store.tables import Contract, Debt, Registration

BATCH_SIZE = 1_000
"""Registrations per step between which the event loop runs other tasks: a few milliseconds each."""


@dataclass(frozen=True)
class ReaderDebts:
    """The open debts of assets: those of `paths` say what registrations read, and `forced` has further readers."""

    paths: OpenPathDebts
    forced: Mapping[UUID, Sequence[FieldReader]] = field(default_factory=dict[UUID, Sequence[FieldReader]])

    def to_reader(self, registration: Registration) -> FieldReader:
        return self.paths.to_reader(registration)


async def load_reader_debts(session: Session, asset_ids: Sequence[UUID]) -> ReaderDebts:
    """Load the open debts of assets as far as they decide who reads these."""
    rows = await debts.list_open(session, asset_ids)
    paths = OpenPathDebts(row for row in rows if row.kind in PATH_KINDS)
    forced = [row for row in rows if row.kind is DebtKind.FORCED]
    return ReaderDebts(paths, await _load_forced_readers(session, forced)) if forced else ReaderDebts(paths)


async def _load_forced_readers(session: Session, rows: Sequence[Debt]) -> dict[UUID, Sequence[FieldReader]]:
    changed_paths = await debts.load_changed_paths(session, rows)
    by_asset: dict[UUID, list[Debt]] = defaultdict(list)
    for row in rows:
        by_asset[row.asset_id].append(row)
    active = {row.asset_id: row for row in await contracts.list_active(session, [*by_asset])}
    pairs = [
        (contract, frozenset(path for debt in by_asset[asset] for path in changed_paths[debt.id] if path))
        for asset, contract in active.items()
    ]
    undeclared = dict(zip(active, await find_undeclared_paths(session, pairs), strict=True))
    return {
        asset: to_forced_readers(group, changed_paths, undeclared.get(asset, frozenset()))
        for asset, group in by_asset.items()
    }


async def load_readers(
    session: Session, asset_ids: Collection[UUID], live: Sequence[Registration], start: UUID | None = None
) -> dict[UUID, list[FieldReader]]:
    """Load the readers of assets, whose live registrations are given; `start` as in `load_observed_readers`."""
    known_debts = await load_reader_debts(session, [*asset_ids])
    readers: dict[UUID, list[FieldReader]] = {asset_id: [] for asset_id in asset_ids}
    for number, row in enumerate(live):
        readers[row.asset_id].append(known_debts.to_reader(row))
        if number % BATCH_SIZE == 0:
            await asyncio.sleep(0)
    for asset_id, observed in (await usage.load_observed_readers(session, asset_ids, start)).items():
        readers[asset_id] += observed
    for asset_id, forced in known_debts.forced.items():
        readers[asset_id] += forced
    return readers


async def find_undeclared_paths(
    session: Session, contracts_and_paths: Sequence[tuple[Contract | None, frozenset[str]]]
) -> list[frozenset[str]]:
    """Find for each contract the paths that it does not declare. Large schemas are read in one computation."""
    results: list[frozenset[str]] = []
    large: dict[int, tuple[Any, list[str]]] = {}
    key: list[object] = ["undeclared"]
    for index, (contract, paths) in enumerate(contracts_and_paths):
        schema = contract.schema_def if contract else {}
        candidates = exclude_top_level(sorted(paths), schema)
        if candidates and contract and small_schema_size(schema) is None:
            large[index] = (schema, candidates)
            key += [contract.schema_hash, *candidates]
        results.append(frozenset(() if index in large else find_undeclared(candidates, schema)))
    if large:
        missing = await session.compute(find_all_undeclared, [*large.values()], key=tuple(key))
        for index, undeclared in zip(large, missing, strict=True):
            results[index] = frozenset(undeclared)
    return results
