"""Record what new contracts change in the fields of assets, and by which columns the assets are found."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from tessera_gql import diff
from tessera_gql.diff import Change, small_schema_size
from tessera_gql.policy.compatibility import Terms
from tessera_gql.policy.enums import ContractStatus
from tessera_gql.policy.field_history import draft_field_changes, list_column_keys, read_plain_columns
from tessera_gql.store import field_changes
from tessera_gql.store.session import Session
from tessera_gql.store.tables import Contract, FieldChange, new_id
from tessera_gql.workflows.comparisons import compare_terms


@dataclass(frozen=True)
class PublishedFields:
    """A new contract, the one before it, and the changes between them.

    `is_restored` says that the columns of the one before were never recorded.
    """

    contract: Contract
    previous: Contract | None
    changes: Sequence[Change]
    is_restored: bool = False


async def record_field_changes(session: Session, published: Sequence[PublishedFields]) -> None:
    """Record the changes of the fields of new contracts, and the columns of active ones."""
    values: list[dict[str, Any]] = []
    for item in published:
        drafts = draft_field_changes(item.changes, is_first=item.previous is None)
        common = {
            "asset_id": item.contract.asset_id,
            "contract_id": item.contract.id,
            "changed_at": item.contract.published_at,
        }
        values += [{"id": new_id(), **common, **vars(draft)} for draft in drafts]
    await session.insert_many(FieldChange, values)
    await _update_columns(session, [item for item in published if item.contract.status is ContractStatus.ACTIVE])


async def compare_restored(session: Session, contracts: Sequence[Contract]) -> list[PublishedFields]:
    """Compare each restored contract with the one that was published before it, whatever their order."""
    published: list[PublishedFields] = []
    previous: Contract | None = None
    for contract in sorted(contracts, key=lambda row: (row.asset_id, row.published_at, row.id)):
        if previous is None or previous.asset_id != contract.asset_id:
            published.append(PublishedFields(contract, None, ()))
        else:
            judgement = await compare_terms(session.compute, _terms_of(previous), _terms_of(contract))
            published.append(PublishedFields(contract, previous, judgement.changes, is_restored=True))
        previous = contract
    return published


def _terms_of(contract: Contract) -> Terms:
    mode, known_columns = contract.compatibility_mode, contract.known_columns
    return Terms(contract.schema_def, contract.guarantees, mode, contract.schema_hash, known_columns)


async def forget_columns(session: Session, asset_id: UUID) -> None:
    """Remove the columns of an asset whose active contract has ended."""
    stored_keys = await field_changes.list_columns(session, [asset_id])
    await field_changes.replace_columns(session, {}, {asset_id: sorted(stored_keys[asset_id])})


async def _update_columns(session: Session, published: Sequence[PublishedFields]) -> None:
    """Write the difference to the columns that are known, which takes no statement if the columns stay."""
    keys = {item.contract.asset_id: await _column_keys(session, item.contract) for item in published}
    changed = [
        item.contract.asset_id
        for item in published
        if item.previous is None
        or item.is_restored
        or await _column_keys(session, item.previous) != keys[item.contract.asset_id]
    ]
    if not changed:
        return
    stored_keys = await field_changes.list_columns(session, changed)
    added: dict[UUID, frozenset[str]] = {asset: keys[asset] - stored_keys[asset] for asset in changed}
    removed = {asset: sorted(stored_keys[asset] - keys[asset]) for asset in changed}
    await field_changes.replace_columns(session, added, removed)


async def _column_keys(session: Session, contract: Contract) -> frozenset[str]:
    schema = contract.schema_def
    if (names := read_plain_columns(schema)) is None:
        names = await _list_top_names(session, contract)
    return list_column_keys(names)


async def _list_top_names(session: Session, contract: Contract) -> frozenset[str]:
    schema = contract.schema_def
    if small_schema_size(schema) is not None:
        fields = diff.list_fields(schema)
    else:
        fields = await session.compute(diff.list_fields, schema, key=("columns", contract.schema_hash))
    return frozenset(field.path for field in fields if "." not in field.path and "[]" not in field.path)
