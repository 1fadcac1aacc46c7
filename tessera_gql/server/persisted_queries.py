"""Automatic persisted queries: a client sends the hash of a document, and the document itself only when it is unknown.

Each process has a cache of its own. A process that doesn't know a hash says so, and the client repeats the request with
the document, as the protocol of Apollo requires. A document from the cache passes the same checks as any other one.
"""

from __future__ import annotations

import hashlib
import sys
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, TypeAlias

from graphql import GraphQLError

from tessera_gql.server.codec import RequestParams
from tessera_gql.server.documents import Operation, PrepareResult

VERSION = 1
NOT_FOUND = GraphQLError("PersistedQueryNotFound", extensions={"code": "PERSISTED_QUERY_NOT_FOUND"})
"""Clients compare the message, and repeat the request with the document."""
NOT_SUPPORTED = GraphQLError("PersistedQueryNotSupported", extensions={"code": "PERSISTED_QUERY_NOT_SUPPORTED"})
"""Clients compare the message, and send whole documents from then on."""
MISMATCH = GraphQLError(
    "`sha256Hash` is not the hash of `query`. Send the SHA-256 of its UTF-8 text in hexadecimal digits.",
    extensions={"code": "PERSISTED_QUERY_MISMATCH"},
)

PrepareDocument: TypeAlias = Callable[[str, dict[str, Any], str | None], PrepareResult]


class PersistedQueryCache:
    """Documents by their hash, bounded by memory: the one that was used least recently is dropped first."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._documents: OrderedDict[str, str] = OrderedDict()
        self._size = 0

    def __len__(self) -> int:
        return len(self._documents)

    def prepare(self, params: RequestParams, prepare_document: PrepareDocument) -> PrepareResult:
        """Prepare the operation of a request, which may name its document by a hash.

        A document is kept only after it has passed every check, so that invalid ones drop none that is in use.
        """
        persisted = params.persisted_query
        if persisted is None or (params.query and not self._max_bytes):
            return prepare_document(params.query, params.variables, params.operation_name)
        if persisted.version != VERSION or not self._max_bytes:
            return [NOT_SUPPORTED]
        query = params.query or self._find(persisted.sha256_hash)
        if query is None:
            return [NOT_FOUND]
        prepared = prepare_document(query, params.variables, params.operation_name)
        if params.query and isinstance(prepared, Operation):
            if hashlib.sha256(query.encode()).hexdigest() != persisted.sha256_hash:
                return [MISMATCH]
            self._add(persisted.sha256_hash, query)
        return prepared

    def _find(self, sha256_hash: str) -> str | None:
        if sha256_hash in self._documents:
            self._documents.move_to_end(sha256_hash)
        return self._documents.get(sha256_hash)

    def _add(self, sha256_hash: str, query: str) -> None:
        if sha256_hash in self._documents:
            self._documents.move_to_end(sha256_hash)
            return
        self._documents[sha256_hash] = query
        self._size += _weigh(sha256_hash, query)
        while self._size > self._max_bytes:
            self._size -= _weigh(*self._documents.popitem(last=False))


def _weigh(sha256_hash: str, query: str) -> int:
    """Return the bytes of memory of an entry, with about 100 for its place in the cache."""
    return sys.getsizeof(sha256_hash) + sys.getsizeof(query) + 100
