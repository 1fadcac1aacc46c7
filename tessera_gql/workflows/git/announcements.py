"""Merge deprecations and successors of assets from files: what is new is added, what differs follows the file."""

from collections.abc import Sequence
from typing import Any

from tessera_gql.formats.git_files import AssetFile, DeprecationEntry
from tessera_gql.policy import deprecation, validation
from tessera_gql.policy.deprecation import WHOLE, DeprecationTerms
from tessera_gql.policy.enums import DeprecationOrigin
from tessera_gql.store import deprecations
from tessera_gql.store.assets import AssetRef
from tessera_gql.store.tables import Asset, Deprecation, new_id
from tessera_gql.workflows import assets as asset_verbs
from tessera_gql.workflows.assets import AssetDetails
from tessera_gql.workflows.deprecations import load_read_assets, record_declared, update_terms
from tessera_gql.workflows.git.state import PullState, locate_errors, parse_enum, require_unique


async def merge_announcements(state: PullState, files: Sequence[tuple[str, AssetFile]]) -> None:
    """Merge the deprecations and the successors of all files."""
    file_assets = [state.get_asset(file.fqn) for _, file in files]
    live = await deprecations.list_live(state.session, [asset.id for asset in file_assets])
    present = {(row.asset_id, row.path): row for row in live}
    for (path, file), asset in zip(files, file_assets, strict=True):
        require_unique((path, entry.line, entry.path or WHOLE) for entry in file.deprecations)
        for entry in file.deprecations:
            with locate_errors(path, entry.line):
                row = _to_deprecation(state, asset, entry)
                await _merge(state, asset, present.get((asset.id, row.path)), row)
        if file.superseded_by is not None:
            with locate_errors(path, file.line):
                await _merge_successor(state, asset, state.get_asset(file.superseded_by))


def _to_deprecation(state: PullState, asset: Asset, entry: DeprecationEntry) -> Deprecation:
    now = state.session.now
    return Deprecation(
        id=new_id(),
        asset_id=asset.id,
        path=entry.path or WHOLE,
        sunset_at=entry.sunset_at,
        replacement=validation.clean_text(entry.replacement, "replacement"),
        reason=validation.clean_text(entry.reason, "reason"),
        origin=parse_enum(DeprecationOrigin, entry.origin),
        declared_by=state.get_team_id(entry.declared_by),
        declared_at=entry.declared_at,
        ended_at=None,
        reminded_days=deprecation.list_passed_reminders(entry.sunset_at, now),
        row_version=1,
        created_at=now,
    )


async def _merge(state: PullState, asset: Asset, before: Deprecation | None, row: Deprecation) -> None:
    """Insert a new deprecation as it was, or give one that is known the terms of the file."""
    names: tuple[str, ...] = ("sunset_at", "replacement", "reason", "origin")
    values: dict[str, Any] = {name: getattr(row, name) for name in names}
    if before is not None and values == {name: getattr(before, name) for name in names}:
        return
    read = (await load_read_assets(state.session, [asset]))[asset.id]
    if before is None:
        await state.session.insert(row, conflict_message="This was deprecated at this moment.")
        record_declared(state.session, read, row)
        state.count("deprecations_added")
    else:
        terms = DeprecationTerms(row.sunset_at, row.replacement, row.reason)
        await update_terms(state.session, read, before, terms, row.origin)
        state.count("deprecations_updated")


async def _merge_successor(state: PullState, asset: Asset, successor: Asset) -> None:
    if asset.superseded_by_id != successor.id:
        details = AssetDetails(superseded_by=AssetRef(id=successor.id))
        await asset_verbs.update(state.session, state.actor, AssetRef(id=asset.id), details=details)
        state.count("assets_updated")
