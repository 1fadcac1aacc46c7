"""Deprecations that follow a document: the active contract's schema, or a dbt manifest. The caller locks the assets."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from uuid import UUID

from tessera_gql.diff import Change, ChangeKind, small_schema_size
from tessera_gql.policy import deprecation
from tessera_gql.policy.deprecation import DeprecationTerms
from tessera_gql.policy.enums import ContractStatus, DeprecationOrigin
from tessera_gql.store import deprecations
from tessera_gql.store.session import Session
from tessera_gql.store.tables import Asset, Contract, Deprecation
from tessera_gql.workflows.deprecations import Terms, declare, end, load_read_assets, update_terms

END_REASONS = {
    DeprecationOrigin.SCHEMA: "the schema no longer states it",
    DeprecationOrigin.DBT_MANIFEST: "the dbt manifest no longer states it",
}


async def follow_contracts(
    session: Session, published: Sequence[tuple[Asset, Contract | None, Contract, Sequence[Change]]]
) -> None:
    """Import the deprecations of new active contracts, and end those of fields that they remove.

    Each is an asset, its previous and its new contract and the changes between them. Schemas without deprecations,
    which replace no field, cost no statement.
    """
    active = [item for item in published if item[2].status is ContractStatus.ACTIVE]
    stated = {item[0].id: await _read_schema(session, item[2]) for item in active if _is_stated(item[1], item[2])}
    removing = {item[0].id for item in active if any(change.kind is ChangeKind.PROPERTY_REMOVED for change in item[3])}
    if not (stated or removing):
        return
    live = _group(await deprecations.list_live(session, [*(stated.keys() | removing)]))
    for asset, _, contract, changes in active:
        rows = live.get(asset.id, [])
        if removed := deprecation.find_removed(rows, changes):
            read = (await load_read_assets(session, [asset]))[asset.id]
            await end(session, read, removed, f"version {contract.version} no longer has the field")
            rows = [row for row in rows if row not in removed]
        if asset.id in stated:
            await _apply(session, asset, stated[asset.id], rows, DeprecationOrigin.SCHEMA)


def _is_stated(previous: Contract | None, contract: Contract) -> bool:
    """Return whether the schema of the contract states deprecations, or that of the contract before did."""
    return any(row is not None and deprecation.has_deprecations(row.schema_def) for row in (contract, previous))


async def _read_schema(session: Session, contract: Contract) -> Terms:
    if small_schema_size(contract.schema_def) is not None:
        return deprecation.read_schema(contract.schema_def)
    key = ("deprecations", contract.schema_hash)
    return await session.compute(deprecation.read_schema, contract.schema_def, key=key)


def _group(rows: Iterable[Deprecation]) -> dict[UUID, list[Deprecation]]:
    groups: dict[UUID, list[Deprecation]] = defaultdict(list)
    for row in rows:
        groups[row.asset_id].append(row)
    return groups


async def follow_manifest(session: Session, stated: Sequence[tuple[Asset, Mapping[str, DeprecationTerms]]]) -> None:
    """Import the deprecations that a dbt manifest states of tables, with a fixed number of statements to find them."""
    live = _group(await deprecations.list_live(session, [asset.id for asset, _ in stated]))
    for asset, terms in stated:
        rows = live.get(asset.id, ())
        if terms or rows:
            await _apply(session, asset, terms, rows, DeprecationOrigin.DBT_MANIFEST)


async def _apply(
    session: Session, asset: Asset, terms: Terms, live: Sequence[Deprecation], origin: DeprecationOrigin
) -> None:
    changes = deprecation.compare_imported(terms, live, origin)
    if not (changes.added or changes.updated or changes.ended):
        return
    read = (await load_read_assets(session, [asset]))[asset.id]
    await declare(session, read, changes.added, origin)
    for row, item in changes.updated:
        await update_terms(session, read, row, item, origin)
    await end(session, read, changes.ended, END_REASONS[origin])


async def end_with_contract(session: Session, asset: Asset, contract: Contract) -> None:
    """End all deprecations of an asset whose contract was retired: what they announced has happened."""
    if rows := await deprecations.list_live(session, [asset.id]):
        read = (await load_read_assets(session, [asset]))[asset.id]
        await end(session, read, rows, f"version {contract.version} was retired")
