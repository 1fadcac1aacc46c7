"""The fields that schemas declare. Those of contracts are kept, since a contract never changes."""

from collections import OrderedDict
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from tessera_gql import diff
from tessera_gql.graphql.context import Context
from tessera_gql.store.tables import Contract
from tessera_gql.workflows.comparisons import IdentityKey

MAX_CACHED_FIELDS = 50_000


class DeclaredFieldCache:
    """The fields of the contracts that were read last, with a bounded number of fields in all."""

    def __init__(self, max_fields: int = MAX_CACHED_FIELDS) -> None:
        self._max_fields = max_fields
        self._fields: OrderedDict[UUID, Sequence[diff.Field]] = OrderedDict()
        self._count = 0

    def find(self, contract_id: UUID) -> Sequence[diff.Field] | None:
        """Return the fields of a contract, which then counts as read last; None if they are not kept."""
        fields = self._fields.get(contract_id)
        if fields is not None:
            self._fields.move_to_end(contract_id)
        return fields

    def keep(self, contract_id: UUID, fields: Sequence[diff.Field]) -> None:
        """Keep the fields of a contract, and drop those that were read longest ago. Each contract counts one more."""
        if contract_id in self._fields or len(fields) >= self._max_fields:
            return
        self._fields[contract_id] = fields
        self._count += len(fields) + 1
        while self._count > self._max_fields:
            _, dropped = self._fields.popitem(last=False)
            self._count -= len(dropped) + 1


_contract_fields = DeclaredFieldCache()


async def load_contract_fields(context: Context, contract: Contract) -> Sequence[diff.Field]:
    """List the fields that a contract declares."""
    fields = _contract_fields.find(contract.id)
    if fields is None:
        fields = await load_declared_fields(context, contract.schema_def)
        _contract_fields.keep(contract.id, fields)
    return fields


async def load_declared_fields(context: Context, schema: Any) -> Sequence[diff.Field]:
    """List the fields that a schema declares, in a worker process if that takes long."""
    if diff.small_schema_size(schema) is not None:
        return diff.list_fields(schema)
    return await context.computer.run(diff.list_fields, schema, key=("fields", IdentityKey(schema)))
