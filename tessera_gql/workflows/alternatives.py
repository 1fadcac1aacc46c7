"""Schemas computed from others: a proposed one with its hints followed, and the active one without some fields."""

from collections.abc import Sequence
from typing import Any

from tessera_gql import diff
from tessera_gql.diff import Mode, SchemaError
from tessera_gql.errors import Invalid
from tessera_gql.policy.compatibility import Terms
from tessera_gql.policy.schema_fields import remove_fields
from tessera_gql.store import assets, contracts
from tessera_gql.store.assets import AssetRef
from tessera_gql.store.session import Session
from tessera_gql.workflows.comparisons import IdentityKey, RunCompute
from tessera_gql.workflows.publishing import PublishRequest


async def follow_hints(compute: RunCompute, base: Any, terms: Terms, mode: Mode) -> PublishRequest | None:
    """Return the request to publish proposed terms with all hints followed that avoid a break in the mode of the base.

    None if there is no such hint. The version is left to the changes that remain.
    """
    key = ("hints", IdentityKey(base), IdentityKey(terms.schema), mode)
    try:
        schema = await compute(diff.follow_hints, base, terms.schema, mode, key=key)
    except SchemaError:  # the present engine refuses a schema of an earlier version
        return None
    if schema is None:
        return None
    return PublishRequest(schema=schema, guarantees=terms.guarantees, mode=terms.mode)


async def load_schema_without(session: Session, ref: AssetRef, paths: Sequence[str]) -> Any:
    """Load the schema of the active contract without some fields; raises Invalid if it does not declare them."""
    asset = await assets.get(session, ref)
    contract = await contracts.find_active(session, asset.id)
    if contract is None:
        raise Invalid(
            f"{asset.fqn} has no active contract whose fields could be left out. Give a schema.",
            field=("withoutFields",),
        )
    return remove_fields(contract.schema_def, paths)
