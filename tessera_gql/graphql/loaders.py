"""The dataloaders of a request, one attribute per query.

They return rows. A field that would run a statement for every parent needs a loader here instead.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Sequence
from contextlib import AbstractAsyncContextManager
from functools import cached_property
from operator import attrgetter
from typing import Any, Protocol, TypeAlias, TypeVar
from uuid import UUID

from sqlalchemy import Column, FromClause

from tessera_gql.graphql.dataloader import Loader
from tessera_gql.policy.access import Actor
from tessera_gql.policy.affected_teams import FieldReaderIndex
from tessera_gql.policy.visibility import visibility_of
from tessera_gql.store import (
    assets,
    contracts,
    events,
    keys,
    lineage,
    pagination,
    proposals,
    registrations,
    teams,
    visibility,
    webhooks,
)
from tessera_gql.store.lineage import Direction, ReachableAsset
from tessera_gql.store.pagination import Page, PageRequest
from tessera_gql.store.session import Session
from tessera_gql.store.tables import (
    Acknowledgment,
    ApiKey,
    Asset,
    AssetDependency,
    Contract,
    EventRow,
    Proposal,
    Registration,
    Team,
    Webhook,
    WebhookDelivery,
)

K = TypeVar("K", bound=Hashable)
R = TypeVar("R")
V = TypeVar("V")

OpenSession: TypeAlias = Callable[[], AbstractAsyncContextManager[Session]]
PageKey: TypeAlias = tuple[FromClause, str | None, PageRequest]


class HasId(Protocol):
    id: UUID


I = TypeVar("I", bound=HasId)  # noqa: E741 - next to K, R and V


class Loaders:
    """The dataloaders of one request or, for a subscription, of one message."""

    def __init__(self, open_session: OpenSession, viewer: Actor, on_batch: Callable[[int], None] | None = None) -> None:
        """`on_batch` is called with the number of keys of each batch."""
        self._open_session = open_session
        self._view = visibility_of(viewer)
        self._on_batch = on_batch
        self._running: set[asyncio.Future[Any]] = set()
        self._pages: dict[PageKey, Loader[UUID | None, Page]] = {}
        self._counts: dict[PageKey, Loader[UUID | None, int]] = {}

    @cached_property
    def team(self) -> Loader[UUID, Team | None]:
        return self._unique_by_id(teams.by_ids)

    @cached_property
    def api_key(self) -> Loader[UUID, ApiKey | None]:
        return self._visible_by(keys.TABLE.c.id)

    @cached_property
    def asset(self) -> Loader[UUID, Asset | None]:
        return self._unique_by_id(assets.by_ids)

    @cached_property
    def contract(self) -> Loader[UUID, Contract | None]:
        return self._unique_by_id(contracts.by_ids)

    @cached_property
    def registration(self) -> Loader[UUID, Registration | None]:
        return self._unique_by_id(registrations.by_ids)

    @cached_property
    def proposal(self) -> Loader[UUID, Proposal | None]:
        return self._unique_by_id(proposals.by_ids)

    @cached_property
    def acknowledgment(self) -> Loader[UUID, Acknowledgment | None]:
        return self._unique_by_id(proposals.acknowledgments_by_ids)

    @cached_property
    def dependency(self) -> Loader[UUID, AssetDependency | None]:
        return self._unique_by_id(lineage.by_ids)

    @cached_property
    def event(self) -> Loader[UUID, EventRow | None]:
        return self._visible_by(events.TABLE.c.id)

    @cached_property
    def webhook(self) -> Loader[UUID, Webhook | None]:
        return self._visible_by(webhooks.TABLE.c.id)

    @cached_property
    def webhook_delivery(self) -> Loader[UUID, WebhookDelivery | None]:
        return self._visible_by(webhooks.DELIVERIES.c.id)

    @cached_property
    def event_by_sequence(self) -> Loader[int, EventRow | None]:
        return self._visible_by(events.TABLE.c.sequence)

    @cached_property
    def team_by_name(self) -> Loader[str, Team | None]:
        """Load teams by `teams.key` of the name."""
        return self._unique_by(teams.by_names, lambda row: row.name_key)

    @cached_property
    def asset_by_fqn(self) -> Loader[str, Asset | None]:
        """Load assets by `assets.key` of the fqn."""
        return self._unique_by(assets.by_fqns, lambda row: row.fqn_key)

    @cached_property
    def active_contract(self) -> Loader[UUID, Contract | None]:
        """Load active contracts by asset id."""
        return self._unique_by(contracts.list_active, lambda row: row.asset_id)

    @cached_property
    def contract_by_version(self) -> Loader[tuple[UUID, str], Contract | None]:
        return self._unique_by(contracts.by_versions, lambda row: (row.asset_id, row.version))

    @cached_property
    def previous_contract(self) -> Loader[UUID, Contract | None]:
        """Load the contract published before, by contract id."""

        async def load(keys: list[UUID]) -> list[Contract | None]:
            async with self._open_session() as session:
                previous = await contracts.load_previous(session, keys)
            return [previous.get(key) for key in keys]

        return self._batch_loader(load)

    @cached_property
    def open_proposal(self) -> Loader[UUID, Proposal | None]:
        """Load open proposals by asset id."""
        return self._unique_by(proposals.list_open, lambda row: row.asset_id)

    @cached_property
    def proposal_of_contract(self) -> Loader[UUID, Proposal | None]:
        """Load the proposal that led to a contract, by contract id."""
        return self._unique_by(proposals.by_contracts, lambda row: row.contract_id)

    @cached_property
    def acknowledgments_of_proposal(self) -> Loader[UUID, list[Acknowledgment]]:
        """Load acknowledgments by proposal id, the released ones included."""
        return self._grouped_by(proposals.list_acknowledgments, lambda row: row.proposal_id)

    @cached_property
    def reader_index(self) -> Loader[UUID, FieldReaderIndex]:
        """Load the readers of an asset's fields from its live registrations, by asset id."""
        live = self._grouped_by(registrations.list_live, lambda row: row.asset_id)

        async def load(keys: list[UUID]) -> list[FieldReaderIndex]:
            return [
                FieldReaderIndex([registrations.to_reader(row) for row in rows]) for rows in await live.load_many(keys)
            ]

        return Loader(load, self._running)

    @cached_property
    def reachable_assets(self) -> Loader[tuple[UUID, Direction, int], list[ReachableAsset]]:
        """Load the assets within a number of steps, by asset id, direction and depth."""

        async def load(keys: list[tuple[UUID, Direction, int]]) -> list[list[ReachableAsset]]:
            by_key: dict[tuple[UUID, Direction, int], list[ReachableAsset]] = {}
            async with self._open_session() as session:
                for direction, depth in dict.fromkeys((direction, depth) for _, direction, depth in keys):
                    starts = [key[0] for key in keys if key[1:] == (direction, depth)]
                    near = await lineage.load_reachable(session, starts, direction, depth)
                    by_key |= {(start, direction, depth): reached for start, reached in near.items()}
            return [by_key[key] for key in keys]

        return self._batch_loader(load)

    def pages(self, source: FromClause, parent: str | None, request: PageRequest) -> Loader[UUID | None, Page]:
        """Load pages of a list by parent id; with no parent column, the only key is None."""
        return self._page_loader(
            self._pages, (source, parent, request), pagination.load_page, pagination.load_pages_by_parent
        )

    def counts(self, source: FromClause, parent: str | None, request: PageRequest) -> Loader[UUID | None, int]:
        return self._page_loader(self._counts, (source, parent, request), pagination.count, pagination.count_by_parent)

    def _page_loader(
        self, loaders: dict[PageKey, Loader[UUID | None, V]], key: PageKey, load_root: Any, load_by_parent: Any
    ) -> Loader[UUID | None, V]:
        """Return the loader of a page request, so that equal requests of many parents become one statement."""
        if key in loaders:
            return loaders[key]
        source, parent, request = key

        async def load(keys: list[UUID | None]) -> list[V]:
            async with self._open_session() as session:
                if parent is None:
                    return [await load_root(session, source, request, self._view)]
                by_key = await load_by_parent(session, source, parent, keys, request, self._view)
            return [by_key[key] for key in keys]

        loaders[key] = self._batch_loader(load)
        return loaders[key]

    def _batch_loader(self, load: Callable[[list[K]], Awaitable[list[V]]]) -> Loader[K, V]:
        def load_batch(keys: list[K]) -> Awaitable[list[V]]:
            if self._on_batch is not None:
                self._on_batch(len(keys))
            return load(keys)

        return Loader(load_batch, self._running)

    async def run_query(self, query: Callable[[Session], Awaitable[R]]) -> R:
        """Run a query that can't be batched."""

        async def run() -> R:
            async with self._open_session() as session:
                return await query(session)

        task = asyncio.ensure_future(run())  # never cancelled: that would break the shared connection
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return await asyncio.shield(task)

    async def close(self) -> None:
        """Wait for running queries, then drop every loader."""
        if self._running:
            await asyncio.gather(*self._running, return_exceptions=True)
        self.clear()

    def clear(self) -> None:
        """Drop every loader with its cached rows.

        Loaders refer to this object, and collecting that reference cycle would cost a quarter of the time of a page.
        """
        names = [name for name, value in self.__dict__.items() if isinstance(value, Loader)]
        for name in names:
            del self.__dict__[name]
        self._pages.clear()
        self._counts.clear()

    def _visible_by(self, by: Column[Any]) -> Loader[Any, Any]:
        """Create a loader of rows by column value that returns None for rows the caller may not see."""

        async def query(session: Session, wanted: Sequence[Any]) -> list[Any]:
            return await visibility.load_visible_rows(session, by, wanted, self._view)

        return self._unique_by(query, attrgetter(by.key))

    def _unique_by_id(self, query: Callable[[Session, Sequence[UUID]], Awaitable[list[I]]]) -> Loader[UUID, I | None]:
        return self._unique_by(query, lambda row: row.id)

    def _unique_by(
        self, query: Callable[[Session, Sequence[K]], Awaitable[list[R]]], key: Callable[[R], K | None]
    ) -> Loader[K, R | None]:
        async def load(keys: list[K]) -> list[R | None]:
            async with self._open_session() as session:
                rows = {key(row): row for row in await query(session, keys)}
            return [rows.get(key_) for key_ in keys]

        return self._batch_loader(load)

    def _grouped_by(
        self, query: Callable[[Session, Sequence[K]], Awaitable[list[R]]], key: Callable[[R], K]
    ) -> Loader[K, list[R]]:
        async def load(keys: list[K]) -> list[list[R]]:
            rows: dict[K, list[R]] = {key_: [] for key_ in keys}
            async with self._open_session() as session:
                for row in await query(session, keys):
                    rows[key(row)].append(row)
            return [rows[key_] for key_ in keys]

        return self._batch_loader(load)
