"""Queries that return parts of a reply as JSON text, compiled once for each shape of their lists."""

import asyncio
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

from sqlalchemy import Dialect, Select

from tessera_gql.compute.collection_pause import pause_until_next_callback
from tessera_gql.store.compiled import CompiledStatement, compile_statement
from tessera_gql.store.conditions import shapes_of
from tessera_gql.store.json_pages import IS_LONG
from tessera_gql.store.json_statements import KEY, KEYS, NUMBER, StatementBuilder, size_token
from tessera_gql.store.json_trees import JsonList, JsonObject
from tessera_gql.store.lookups import RowLookup
from tessera_gql.store.pagination import PageRequest, QueryShape, request_parameters, use_index
from tessera_gql.store.session import Session
from tessera_gql.store.text_matches import MAX_COUNT_SHARE

CompiledQuery: TypeAlias = tuple[CompiledStatement, Mapping[str, Any]]
"""A compiled statement and the values of parameters that a request does not have."""
MAX_COMPILED = 8
"""Compiled statements of one query: one for each database and combination of filters and orders."""


@dataclass(frozen=True)
class ListRequest:
    """The page of one list of a tree that an operation asks for."""

    tree: JsonList
    request: PageRequest
    shape: QueryShape
    parameters: Mapping[str, Any]
    size: int

    @classmethod
    def of(cls, tree: JsonList, request: PageRequest) -> "ListRequest":
        """Raise Invalid for a cursor of another list."""
        prefix = f"list_{tree.number}_"
        shape = QueryShape.public(tree.source, tree.parent, request, prefix)
        return cls(tree, request, shape, request_parameters(tree.source, request, prefix), request.size)

    @property
    def list_name(self) -> Hashable:
        """The whole list, whatever the page of it; None for lists of parents."""
        return (self.tree.source, self.request.conditions) if self.tree.parent is None else None

    async def prepare(self, session: Session) -> "ListRequest":
        """Return an equal request that finds rare texts by their index, and does not count what is known to be long."""
        request = await use_index(session, self.tree.source, self.request)
        page = self if request is self.request else replace(ListRequest.of(self.tree, request), request=self.request)
        if self.list_name in session.long_lists:
            return replace(page, shape=replace(page.shape, is_long=True))
        if page is self:
            return self
        counted = await use_index(session, self.tree.source, self.request, MAX_COUNT_SHARE)
        return replace(page, shape=replace(page.shape, counted_conditions=shapes_of(counted.conditions)))


class JsonQuery:
    """One statement for a list, a list of each parent, or the object that a lookup finds by each key.

    With `has_single_key` it is always executed with one key, for which PostgreSQL chooses a better plan.
    """

    def __init__(
        self, tree: JsonList | JsonObject, lookup: RowLookup | None = None, *, has_single_key: bool = False
    ) -> None:
        self._tree = tree
        self._lookup = lookup
        self._has_single_key = has_single_key
        self._compiled: dict[Any, CompiledQuery] = {}

    async def fetch(self, session: Session, keys: Sequence[Any], requests: Sequence[ListRequest]) -> list[str | None]:
        """Return the text for each key, None where there is no row.

        A list of all rows has one key, which is ignored.
        """
        requests = [await request.prepare(session) for request in requests]
        parameters: dict[str, Any] = {KEYS: keys, KEY: keys[0], "now": session.now}
        for request in requests:
            parameters |= request.parameters
        compiled = await self._find_compiled(session, tuple(request.shape for request in requests))
        statement = replace(compiled[0], text=_insert_sizes(compiled[0].text, requests))
        rows = await session.fetch_compiled(statement, statement.bind(parameters, compiled[1]))
        if self._has_no_keys:
            if getattr(rows[0], IS_LONG, False):
                session.long_lists.add(requests[0].list_name)
            return [row.text for row in rows]
        first = 1 if session.dialect == "postgresql" else 0
        texts = {getattr(row, NUMBER) - first: row.text for row in rows}
        return [texts.get(index) for index in range(len(keys))]

    @property
    def _has_no_keys(self) -> bool:
        return isinstance(self._tree, JsonList) and self._tree.parent is None

    async def _find_compiled(self, session: Session, shapes: tuple[QueryShape, ...]) -> CompiledQuery:
        key = (session.dialect, *shapes)
        if (entry := self._compiled.pop(key, None)) is None:
            # In a thread, because a statement with many lists would hold the event loop for some 30 ms.
            entry = await asyncio.to_thread(self._compile, session.sql_dialect, shapes)
            if len(self._compiled) >= MAX_COMPILED:
                del self._compiled[next(iter(self._compiled))]
        self._compiled[key] = entry
        return entry

    def _compile(self, dialect: Dialect, shapes: tuple[QueryShape, ...]) -> CompiledQuery:
        with pause_until_next_callback():
            compiled, compiler = compile_statement(self._build(dialect.name, shapes), dialect)
        return compiled, compiler.params

    def _build(self, dialect: str, shapes: Sequence[QueryShape]) -> Select[Any]:
        builder = StatementBuilder(dialect, shapes, has_single_key=self._has_single_key)
        match self._tree, self._lookup:
            case JsonList() as tree, _:
                return builder.whole_list(tree) if tree.parent is None else builder.lists_by_key(tree)
            case JsonObject() as tree, RowLookup() as lookup:
                return builder.objects_by_key(lookup, tree)
            case _:
                raise TypeError("An object needs a lookup.")


def _insert_sizes(text: str, requests: Sequence[ListRequest]) -> str:
    for number, request in enumerate(requests):
        text = text.replace(size_token(number), str(request.size))
        text = text.replace(size_token(number, with_next=True), str(request.size + 1))
    return text
