"""Record what a publish leaves undone for teams that read the asset, and settle it. The caller locks the assets."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from tessera_gql.diff import Change
from tessera_gql.policy.debts import (
    PATH_KINDS,
    DebtDraft,
    OpenPathDebts,
    PublishedPaths,
    draft_forced_debts,
    draft_path_debts,
    find_corrected,
)
from tessera_gql.policy.enums import DebtKind
from tessera_gql.policy.events import DebtRecorded, DebtSettled
from tessera_gql.policy.version import FIRST_VERSION
from tessera_gql.store import assets, contracts, debts, registrations
from tessera_gql.store.session import Session
from tessera_gql.store.tables import Asset, Contract, Debt, Registration, new_id
from tessera_gql.workflows.readers import find_undeclared_paths

MAX_LISTED = 20
"""Debts that one event lists."""


@dataclass(frozen=True)
class Publication:
    """A contract that became active; `not_asked` has the fingerprints of what each team was not asked about."""

    asset: Asset
    contract: Contract
    previous: Contract | None
    changes: Sequence[Change] = ()
    not_asked: Mapping[UUID, Sequence[str]] = field(default_factory=dict[UUID, Sequence[str]])
    reason: str | None = None


async def update_debts(
    session: Session, publications: Sequence[Publication], live: Sequence[Registration]
) -> frozenset[UUID]:
    """Record and settle the debts that contracts cause, with a fixed number of statements.

    `live` are the live registrations of the assets. Returns the assets of which teams read other fields now.
    """
    rows_by_asset: dict[UUID, list[Registration]] = defaultdict(list)
    for row in live:
        if row.fields is not None:
            rows_by_asset[row.asset_id].append(row)
    concerned = [
        item
        for item in publications
        if item.asset.id in rows_by_asset or item.not_asked or item.previous or item.contract.version != FIRST_VERSION
    ]
    if not concerned:
        return frozenset()
    open_debts: dict[UUID, list[Debt]] = defaultdict(list)
    for debt in await debts.list_open(session, [item.asset.id for item in concerned]):
        open_debts[debt.asset_id].append(debt)
    path_debts = OpenPathDebts(debt for rows in open_debts.values() for debt in rows if debt.kind in PATH_KINDS)
    undeclared = await find_undeclared_paths(
        session, [(item.contract, _registered_paths(rows_by_asset[item.asset.id])) for item in concerned]
    )
    removed = await _find_removed(session, concerned, undeclared)
    settled: list[tuple[Publication, Debt]] = []
    drafts: list[tuple[Publication, DebtDraft]] = []
    for item, missing_paths, removed_paths in zip(concerned, undeclared, removed, strict=True):
        rows = rows_by_asset[item.asset.id]
        names = _registered_paths(rows)
        settled += [
            (item, debt)
            for debt in open_debts[item.asset.id]
            if debt.kind in PATH_KINDS and debt.path in names and debt.path not in missing_paths
        ]
        paths = PublishedPaths(item.contract.version, item.previous is None, missing_paths, removed_paths)
        drafts += [(item, draft) for draft in draft_path_debts(rows, paths, path_debts)]
        existing = {(debt.team_id, debt.change_fingerprint) for debt in open_debts[item.asset.id]}
        drafts += [(item, draft) for draft in draft_forced_debts(item.not_asked, item.changes, existing)]
    await _settle(session, settled)
    await _insert(session, drafts)
    # Which paths of a forced debt the contract declares decides what its team reads.
    forced = {asset for asset, rows in open_debts.items() if any(row.kind is DebtKind.FORCED for row in rows)}
    return frozenset(forced.union(item.asset.id for item, _ in [*drafts, *settled]))


def _registered_paths(rows: Sequence[Registration]) -> frozenset[str]:
    return frozenset(path for row in rows for path in row.fields or ())


async def _find_removed(
    session: Session, concerned: Sequence[Publication], undeclared: Sequence[frozenset[str]]
) -> list[frozenset[str]]:
    """Find which of the undeclared paths the contract before declared, be it retired."""
    without_active = [
        item.contract.id for item, paths in zip(concerned, undeclared, strict=True) if paths and item.previous is None
    ]
    earlier = await contracts.load_last_before(session, without_active) if without_active else {}
    previous = [item.previous or earlier.get(item.asset.id) for item in concerned]
    missing_before = await find_undeclared_paths(session, [*zip(previous, undeclared, strict=True)])
    return [paths - before for paths, before in zip(undeclared, missing_before, strict=True)]


async def _insert(session: Session, drafts: Sequence[tuple[Publication, DebtDraft]]) -> None:
    """Insert debts, and record an event for each asset, team and kind."""
    values = [
        {
            "id": new_id(),
            "asset_id": item.asset.id,
            "team_id": draft.team_id,
            "kind": draft.kind,
            "path": draft.path,
            "change_fingerprint": draft.change_fingerprint,
            "message": draft.message,
            "contract_id": item.contract.id,
            "since": session.now,
            "settled_at": None,
            "created_at": session.now,
        }
        for item, draft in drafts
    ]
    rows = await session.insert_many(Debt, values)
    groups: dict[tuple[UUID, UUID, DebtKind], list[Debt]] = defaultdict(list)
    publications = {item.asset.id: item for item, _ in drafts}
    for row in rows:
        groups[row.asset_id, row.team_id, row.kind].append(row)
    for (asset_id, team, _), group in groups.items():
        item = publications[asset_id]
        event = DebtRecorded(
            audience_team_ids=frozenset({team, item.asset.owner_team_id}),
            asset_id=asset_id,
            contract_id=item.contract.id,
            changes=tuple(row.message for row in group[:MAX_LISTED]),
            reason=item.reason,
            **_summarize(team, group),
        )
        session.record(event)


def _summarize(team: UUID, group: Sequence[Debt]) -> dict[str, Any]:
    return {
        "team_id": team,
        "debt_kind": group[0].kind,
        "count": len(group),
        "debts": tuple(row.id for row in group[:MAX_LISTED]),
        "paths": tuple(row.path for row in group[:MAX_LISTED]),
    }


async def _settle(session: Session, settled: Sequence[tuple[Publication, Debt]]) -> None:
    """Settle the debts of fields that a contract has again, or at last."""
    if settled:
        reasons = {item.asset.id: f"version {item.contract.version} has the field" for item, _ in settled}
        owners = {item.asset.id: item.asset.owner_team_id for item, _ in settled}
        await settle_rows(session, [debt for _, debt in settled], owners, reasons)


async def settle_rows(
    session: Session,
    rows: Sequence[Debt],
    owners: Mapping[UUID, UUID],
    reasons: Mapping[UUID, str],
    notes: str | None = None,
) -> None:
    """Mark debts as settled and record an event for each asset, team and kind; `owners` and `reasons` are by asset."""
    await debts.settle(session, [row.id for row in rows])
    groups: dict[tuple[UUID, UUID, DebtKind], list[Debt]] = defaultdict(list)
    for row in rows:
        groups[row.asset_id, row.team_id, row.kind].append(row)
    for (asset_id, team, _), group in groups.items():
        event = DebtSettled(
            audience_team_ids=frozenset({team, owners[asset_id]}),
            asset_id=asset_id,
            reason=reasons[asset_id],
            notes=notes,
            **_summarize(team, group),
        )
        session.record(event)


async def settle_corrected(session: Session, asset_ids: Sequence[UUID]) -> None:
    """Settle the debts of paths that no live registration of the team names any more."""
    open_debts = await debts.list_open_of_paths(session, asset_ids)
    if not open_debts:
        return
    live = await registrations.list_live(session, [debt.asset_id for debt in open_debts])
    if corrected := find_corrected(open_debts, live):
        corrected_assets = await assets.by_ids(session, [row.asset_id for row in corrected])
        owners = {asset.id: asset.owner_team_id for asset in corrected_assets}
        await settle_rows(session, corrected, owners, dict.fromkeys(owners, "the registration was corrected"))
