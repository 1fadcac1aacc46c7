"""Warn if the replacement that a deprecation names does not exist."""

from tessera_gql.diff import small_schema_size
from tessera_gql.policy.affected_teams import find_nearest_fields
from tessera_gql.policy.deprecation import describe_unknown_replacement, list_replacement_fqns
from tessera_gql.store import assets, contracts
from tessera_gql.store.session import Session
from tessera_gql.store.tables import Asset


async def load_replacement_warnings(session: Session, asset: Asset, replacement: str | None) -> list[str]:
    """Describe a replacement that is neither an asset, nor a field of one or of the deprecated asset.

    It is no more than a warning, because a replacement may be a text, or be created later.
    """
    fqns = list_replacement_fqns(replacement)
    if replacement is None or not fqns:
        return []
    assets_by_key = {row.fqn_key: row for row in await assets.by_fqns(session, list(filter(None, fqns)))}
    if assets.key(fqns[0]) in assets_by_key:
        return []
    holder = next((assets_by_key[assets.key(fqn)] for fqn in fqns if assets.key(fqn) in assets_by_key), None)
    path = replacement.strip()
    if holder is not None:
        path = path[len(holder.fqn) + 1 :]
    nearest = await _find_nearest_fields(session, holder or asset, path)
    if nearest is None:
        return []
    described = (holder or asset).fqn
    return [describe_unknown_replacement(replacement, described, nearest, is_asset_known=holder is not None)]


async def _find_nearest_fields(session: Session, asset: Asset, path: str) -> list[str] | None:
    """Return the fields most similar to a path; None if the active contract declares the path."""
    contract = await contracts.find_active(session, asset.id)
    if contract is None:
        return []
    if small_schema_size(contract.schema_def) is not None:
        return find_nearest_fields(path, contract.schema_def)
    key = ("nearest fields", contract.id, path)
    return await session.compute(find_nearest_fields, path, contract.schema_def, key=key)
