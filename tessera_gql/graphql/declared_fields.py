"""The fields that schemas declare. Those of contracts are kept, since a contract never changes."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from tessera_gql import diff
from tessera_gql.compute.bounded_cache import BoundedCache
from tessera_gql.graphql.context import Context
from tessera_gql.store.tables import Contract
from tessera_gql.workflows.comparisons import IdentityKey

MAX_CACHED_FIELDS = 50_000


_contract_fields: BoundedCache[UUID, Sequence[diff.Field]] = BoundedCache(MAX_CACHED_FIELDS)


async def load_contract_fields(context: Context, contract: Contract) -> Sequence[diff.Field]:
    """List the fields that a contract declares."""
    fields = _contract_fields.find(contract.id)
    if fields is None:
        fields = await load_declared_fields(context, contract.schema_def)
        _contract_fields.keep(contract.id, fields, len(fields))
    return fields


async def load_declared_fields(context: Context, schema: Any) -> Sequence[diff.Field]:
    """List the fields that a schema declares, in a worker process if that takes long."""
    if diff.small_schema_size(schema) is not None:
        return diff.list_fields(schema)
    return await context.computer.run(diff.list_fields, schema, key=("fields", IdentityKey(schema)))
