"""Every question that resolvers may ask, each batched: one `Loaders` a request, an attribute a question.

Loaders give rows; a field that would need a question of its own for every parent gets a loader here instead.
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

from tessera_gql.graphql.loader import Loader
from tessera_gql.policy.access import Actor
from tessera_gql.policy.affected import ReaderIndex
from tessera_gql.policy.visibility import view_of
from tessera_gql.store import (
    assets,
    contracts,
    events,
    keys,
    lineage,
    page,
    proposals,
    registrations,
    teams,
    visibility,
    webhooks,
)
from tessera_gql.store.lineage import Direction, Reached
from tessera_gql.store.page import Page, PageRequest
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

Reading: TypeAlias = Callable[[], AbstractAsyncContextManager[Session]]
Paged: TypeAlias = tuple[FromClause, str | None, PageRequest]


class Identified(Protocol):
    id: UUID


I = TypeVar("I", bound=Identified)  # noqa: E741 - beside K, R and V


class Loaders:
    def __init__(self, reading: Reading, viewer: Actor, asking: Callable[[int], None] | None = None) -> None:
        """`asking` is told how many keys are asked for at once."""
        self._reading = reading
        self._view = view_of(viewer)
        self._asking = asking
        self._running: set[asyncio.Future[Any]] = set()
        self._pages: dict[Paged, Loader[UUID | None, Page]] = {}
        self._counts: dict[Paged, Loader[UUID | None, int]] = {}

    @cached_property
    def team(self) -> Loader[UUID, Team | None]:
        return self._by_id(teams.by_ids)

    @cached_property
    def api_key(self) -> Loader[UUID, ApiKey | None]:
        return self._visible(keys.rows.c.id)

    @cached_property
    def asset(self) -> Loader[UUID, Asset | None]:
        return self._by_id(assets.by_ids)

    @cached_property
    def contract(self) -> Loader[UUID, Contract | None]:
        return self._by_id(contracts.by_ids)

    @cached_property
    def registration(self) -> Loader[UUID, Registration | None]:
        return self._by_id(registrations.by_ids)

    @cached_property
    def proposal(self) -> Loader[UUID, Proposal | None]:
        return self._by_id(proposals.by_ids)

    @cached_property
    def acknowledgment(self) -> Loader[UUID, Acknowledgment | None]:
        return self._by_id(proposals.acknowledgments_by_ids)

    @cached_property
    def dependency(self) -> Loader[UUID, AssetDependency | None]:
        return self._by_id(lineage.by_ids)

    @cached_property
    def event(self) -> Loader[UUID, EventRow | None]:
        return self._visible(events.rows.c.id)

    @cached_property
    def webhook(self) -> Loader[UUID, Webhook | None]:
        return self._visible(webhooks.rows.c.id)

    @cached_property
    def webhook_delivery(self) -> Loader[UUID, WebhookDelivery | None]:
        return self._visible(webhooks.deliveries.c.id)

    @cached_property
    def event_by_sequence(self) -> Loader[int, EventRow | None]:
        return self._visible(events.rows.c.sequence)

    @cached_property
    def team_by_name(self) -> Loader[str, Team | None]:
        """By `teams.key`."""
        return self._by(teams.by_names, lambda row: row.name_key)

    @cached_property
    def asset_by_fqn(self) -> Loader[str, Asset | None]:
        """By `assets.key`."""
        return self._by(assets.by_fqns, lambda row: row.fqn_key)

    @cached_property
    def active_contract(self) -> Loader[UUID, Contract | None]:
        """Of an asset."""
        return self._by(contracts.active_of, lambda row: row.asset_id)

    @cached_property
    def contract_by_version(self) -> Loader[tuple[UUID, str], Contract | None]:
        return self._by(contracts.by_versions, lambda row: (row.asset_id, row.version))

    @cached_property
    def previous_contract(self) -> Loader[UUID, Contract | None]:
        """Of a contract."""

        async def load(keys: list[UUID]) -> list[Contract | None]:
            async with self._reading() as session:
                found = await contracts.previous_of(session, keys)
            return [found.get(key) for key in keys]

        return self._batched(load)

    @cached_property
    def open_proposal(self) -> Loader[UUID, Proposal | None]:
        """Of an asset."""
        return self._by(proposals.open_of, lambda row: row.asset_id)

    @cached_property
    def proposal_of_contract(self) -> Loader[UUID, Proposal | None]:
        """The one the contract came from."""
        return self._by(proposals.by_contracts, lambda row: row.contract_id)

    @cached_property
    def acknowledgments_of_proposal(self) -> Loader[UUID, list[Acknowledgment]]:
        """Released ones included."""
        return self._grouped(proposals.acknowledgments_of, lambda row: row.proposal_id)

    @cached_property
    def reader_index(self) -> Loader[UUID, ReaderIndex]:
        """The teams that read each field of an asset, by its live registrations."""
        live = self._grouped(registrations.live_of, lambda row: row.asset_id)

        async def load(keys: list[UUID]) -> list[ReaderIndex]:
            return [ReaderIndex([registrations.reader_of(row) for row in rows]) for rows in await live.load_many(keys)]

        return Loader(load, self._running)

    @cached_property
    def reached(self) -> Loader[tuple[UUID, Direction, int], list[Reached]]:
        """What lies within so many steps of an asset."""

        async def load(keys: list[tuple[UUID, Direction, int]]) -> list[list[Reached]]:
            found: dict[tuple[UUID, Direction, int], list[Reached]] = {}
            async with self._reading() as session:
                for direction, depth in dict.fromkeys((direction, depth) for _, direction, depth in keys):
                    starts = [key[0] for key in keys if key[1:] == (direction, depth)]
                    near = await lineage.reach(session, starts, direction, depth)
                    found |= {(start, direction, depth): reached for start, reached in near.items()}
            return [found[key] for key in keys]

        return self._batched(load)

    def pages(self, source: FromClause, parent: str | None, request: PageRequest) -> Loader[UUID | None, Page]:
        """Pages of a list: of each parent's rows, or (parent None, key None) of all."""
        return self._paged(self._pages, (source, parent, request), page.root, page.of_parents)

    def counts(self, source: FromClause, parent: str | None, request: PageRequest) -> Loader[UUID | None, int]:
        return self._paged(self._counts, (source, parent, request), page.count, page.counts)

    def _paged(
        self, kept: dict[Paged, Loader[UUID | None, V]], asked: Paged, one: Any, many: Any
    ) -> Loader[UUID | None, V]:
        """A loader for each request, so that equal ones of many parents are one statement."""
        if asked in kept:
            return kept[asked]
        source, parent, request = asked

        async def load(keys: list[UUID | None]) -> list[V]:
            async with self._reading() as session:
                if parent is None:
                    return [await one(session, source, request, self._view)]
                by_key = await many(session, source, parent, keys, request, self._view)
            return [by_key[key] for key in keys]

        kept[asked] = self._batched(load)
        return kept[asked]

    def _batched(self, load: Callable[[list[K]], Awaitable[list[V]]]) -> Loader[K, V]:
        def ask(keys: list[K]) -> Awaitable[list[V]]:
            if self._asking is not None:
                self._asking(len(keys))
            return load(keys)

        return Loader(ask, self._running)

    async def asked(self, question: Callable[[Session], Awaitable[R]]) -> R:
        """A question that nothing else asks, so there is nothing to batch."""

        async def ask() -> R:
            async with self._reading() as session:
                return await question(session)

        task = asyncio.ensure_future(ask())  # to its end: a statement cut off would break the connection for the others
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return await asyncio.shield(task)

    async def close(self) -> None:
        """Wait for what is still being asked, then forget it all."""
        if self._running:
            await asyncio.gather(*self._running, return_exceptions=True)
        self.forget()

    def forget(self) -> None:
        """Let go of every loader and of all that was found.

        Loaders refer to this object: the cycle would keep them until the garbage is collected, which would cost a
        quarter of a page.
        """
        made = [name for name, value in self.__dict__.items() if isinstance(value, Loader)]
        for name in made:
            del self.__dict__[name]
        self._pages.clear()
        self._counts.clear()

    def _visible(self, by: Column[Any]) -> Loader[Any, Any]:
        """Rows of a table with private rows, by the value in a column; None for those that are hidden."""

        async def question(session: Session, wanted: Sequence[Any]) -> list[Any]:
            return await visibility.rows(session, by, wanted, self._view)

        return self._by(question, attrgetter(by.key))

    def _by_id(self, question: Callable[[Session, Sequence[UUID]], Awaitable[list[I]]]) -> Loader[UUID, I | None]:
        return self._by(question, lambda row: row.id)

    def _by(
        self, question: Callable[[Session, Sequence[K]], Awaitable[list[R]]], key: Callable[[R], K | None]
    ) -> Loader[K, R | None]:
        async def load(keys: list[K]) -> list[R | None]:
            async with self._reading() as session:
                found = {key(row): row for row in await question(session, keys)}
            return [found.get(one) for one in keys]

        return self._batched(load)

    def _grouped(
        self, question: Callable[[Session, Sequence[K]], Awaitable[list[R]]], key: Callable[[R], K]
    ) -> Loader[K, list[R]]:
        async def load(keys: list[K]) -> list[list[R]]:
            found: dict[K, list[R]] = {one: [] for one in keys}
            async with self._reading() as session:
                for row in await question(session, keys):
                    found[key(row)].append(row)
            return [found[one] for one in keys]

        return self._batched(load)
