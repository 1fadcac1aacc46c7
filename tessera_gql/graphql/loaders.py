"""The dataloaders of a request, one attribute per query.

They return rows. A field that would run a statement for every parent needs a loader here instead.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Sequence
from contextlib import AbstractAsyncContextManager
from functools import cached_property
from operator import attrgetter
from typing import Any, TypeAlias, TypeVar
from uuid import UUID

from tessera_gql.diff import Change
from tessera_gql.graphql.dataloader import Loader
from tessera_gql.policy.access import Actor
from tessera_gql.policy.affected_teams import FieldReader, FieldReaderIndex
from tessera_gql.policy.coverage import CoveredWindow, LastReadIndex
from tessera_gql.policy.enums import FieldChangeKind
from tessera_gql.policy.field_history import FieldHistory, FieldHistoryIndex, enclosing_paths, list_former_paths
from tessera_gql.policy.visibility import visibility_of
from tessera_gql.store import (
    answers,
    assets,
    change_sets,
    column_edges,
    comments,
    contracts,
    coverage,
    debts,
    deprecations,
    events,
    field_changes,
    inbox,
    keys,
    labels,
    lineage,
    pagination,
    projects,
    proposals,
    registrations,
    teams,
    usage,
    webhooks,
)
from tessera_gql.store.lineage import Direction, ReachableAsset
from tessera_gql.store.lookups import RowLookup
from tessera_gql.store.pagination import Page, PageRequest
from tessera_gql.store.rows import TableLike
from tessera_gql.store.session import RowQuery, Session
from tessera_gql.store.tables import Answer, ApiKey, Contract, EventRow, Webhook, WebhookDelivery
from tessera_gql.store.usage import TeamReads
from tessera_gql.store.visibility import load_visible_rows
from tessera_gql.workflows import unasked_readers
from tessera_gql.workflows.coverage import load_asset_coverages, load_coverages, load_proposal_coverages, load_windows
from tessera_gql.workflows.usage_suggestions import load_suggested_teams, load_team_reads

K = TypeVar("K", bound=Hashable)
R = TypeVar("R")
V = TypeVar("V")

OpenSession: TypeAlias = Callable[[], AbstractAsyncContextManager[Session]]
LoadRows: TypeAlias = Callable[[Session, Sequence[K]], Awaitable[list[R]]]
"""A function that reads the rows of some keys, in any order."""
Load: TypeAlias = Callable[[Session, list[K]], Awaitable[list[V]]]
"""A function that reads the values of some keys, in the order of the keys."""
PageKey: TypeAlias = tuple[TableLike, str | None, PageRequest]


def _by_key(query: LoadRows[K, R], key: Callable[[R], K | None]) -> Load[K, R | None]:
    async def load(session: Session, keys: list[K]) -> list[R | None]:
        rows = {key(row): row for row in await query(session, keys)}
        return [rows.get(key_) for key_ in keys]

    return load


class RowLoader(cached_property[Loader[K, R | None]]):
    """A declared loader of one row for each key, with the lookup by which its query finds the rows, if it is one."""

    def __init__(self, create: Callable[[Any], Loader[K, R | None]], lookup: RowLookup | None) -> None:
        super().__init__(create)
        self.lookup = lookup


def row_loader(query: LoadRows[K, R], key: Callable[[R], K | None] | None = None) -> RowLoader[K, R]:
    """Declare a loader of one row for each key, None if there is none.

    The key is the column of the query's lookup unless `key` returns it.
    """
    lookup = query.lookup if isinstance(query, RowQuery) and key is None else None
    get_key = key or attrgetter(lookup.column.key if lookup else "id")

    def create(loaders: Loaders) -> Loader[K, R | None]:
        return loaders.create_loader(_by_key(query, get_key))

    return RowLoader(create, lookup)


def visible_row_loader(table: TableLike, column: str = "id") -> cached_property[Loader[Any, Any]]:
    """Declare a loader of rows by a unique column, None for a row that the caller may not see."""

    def create(loaders: Loaders) -> Loader[Any, Any]:
        by: Any = table.c[column]

        def query(session: Session, values: Sequence[Any]) -> Awaitable[list[Any]]:
            return load_visible_rows(session, by, values, loaders.visibility)

        return loaders.create_loader(_by_key(query, attrgetter(column)))

    return cached_property(create)


def rows_loader(query: LoadRows[K, R], key: Callable[[R], K]) -> cached_property[Loader[K, list[R]]]:
    """Declare a loader of all rows of each key."""

    async def load(session: Session, keys: list[K]) -> list[list[R]]:
        rows: dict[K, list[R]] = {key_: [] for key_ in keys}
        for row in await query(session, keys):
            rows[key(row)].append(row)
        return [rows[key_] for key_ in keys]

    return value_loader(load)


def value_loader(load: Load[K, V]) -> cached_property[Loader[K, V]]:
    """Declare a loader by the function that loads the values of keys in order."""

    def create(loaders: Loaders) -> Loader[K, V]:
        return loaders.create_loader(load)

    return cached_property(create)


async def _load_first_event_sequence(session: Session, keys: list[None]) -> list[int]:
    return [await events.load_first_sequence(session)] * len(keys)


async def _load_previous_contracts(session: Session, keys: list[UUID]) -> list[Contract | None]:
    previous = await contracts.load_previous(session, keys)
    return [previous.get(key) for key in keys]


async def _load_reachable(session: Session, keys: list[tuple[UUID, Direction, int]]) -> list[list[ReachableAsset]]:
    by_key: dict[tuple[UUID, Direction, int], list[ReachableAsset]] = {}
    for direction, depth in dict.fromkeys((direction, depth) for _, direction, depth in keys):
        starts = [key[0] for key in keys if key[1:] == (direction, depth)]
        near = await lineage.load_reachable(session, starts, direction, depth)
        by_key |= {(start, direction, depth): reached for start, reached in near.items()}
    return [by_key[key] for key in keys]


async def _load_answers(session: Session, keys: list[tuple[UUID, UUID]]) -> list[dict[str, Answer]]:
    rows = await answers.load_by_teams(session, {asset for asset, _ in keys}, {team for _, team in keys})
    return [rows.get(key, {}) for key in keys]


async def _load_team_reads(session: Session, keys: list[tuple[UUID, UUID]]) -> list[list[TeamReads]]:
    by_key: dict[tuple[UUID, UUID], list[TeamReads]] = {key: [] for key in keys}
    for read in await usage.load_team_reads(session, {asset for asset, _ in keys}, {team for _, team in keys}):
        if (reads := by_key.get((read.observation.asset_id, read.team_id))) is not None:
            reads.append(read)
    return [by_key[key] for key in keys]


async def _load_reader_indexes(session: Session, keys: list[UUID]) -> list[FieldReaderIndex]:
    readers: dict[UUID, list[FieldReader]] = {key: [] for key in keys}
    path_debts = await debts.load_open_path_debts(session, keys)
    for row in await registrations.list_live(session, keys):
        readers[row.asset_id].append(path_debts.to_reader(row))
    return [FieldReaderIndex(readers[key]) for key in keys]


async def _load_windows(session: Session, keys: list[UUID]) -> list[CoveredWindow]:
    windows = await load_windows(session, keys)
    return [windows[key] for key in keys]


async def _load_last_reads(session: Session, keys: list[UUID]) -> list[LastReadIndex]:
    reads = await coverage.load_last_reads(session, keys)
    return [LastReadIndex(reads[key]) for key in keys]


async def _load_field_histories(session: Session, keys: list[tuple[UUID, str]]) -> list[FieldHistory]:
    """Load the histories of fields with one statement, and another one for the names that they had before."""
    assets_ = [*dict.fromkeys(asset for asset, _ in keys)]
    paths = {enclosing for _, path in keys for enclosing in enclosing_paths(path)}
    rows = await field_changes.list_by_paths(session, assets_, sorted(paths), with_renames=True)
    renames = [row for row in rows if row.kind is FieldChangeKind.RENAMED]
    former = list_former_paths([path for _, path in keys], renames) if renames else set()
    if missing := {enclosing for path in former for enclosing in enclosing_paths(path)} - paths:
        rows += await field_changes.list_by_paths(session, assets_, sorted(missing), with_renames=False)
    by_asset: dict[UUID, dict[UUID, Any]] = {asset: {} for asset in assets_}
    for row in rows:
        by_asset[row.asset_id][row.id] = row
    indexes = {asset: FieldHistoryIndex(found_rows.values()) for asset, found_rows in by_asset.items()}
    return [indexes[asset].trace(path) for asset, path in keys]


class Loaders:
    """The dataloaders of one request or of one message. `on_batch` is called with the number of keys of each batch."""

    team = row_loader(teams.by_ids)
    api_key: cached_property[Loader[UUID, ApiKey | None]] = visible_row_loader(keys.TABLE)
    asset = row_loader(assets.by_ids)
    contract = row_loader(contracts.by_ids)
    registration = row_loader(registrations.by_ids)
    registrations_of_team = rows_loader(registrations.list_live_of_teams, lambda row: row.consumer_team_id)
    """The live registrations of a team, oldest first."""
    project = row_loader(projects.by_ids)
    proposal = row_loader(proposals.by_ids)
    change_set = row_loader(change_sets.by_ids)
    acknowledgment = row_loader(proposals.acknowledgments_by_ids)
    comment = row_loader(comments.by_ids)
    debt = row_loader(debts.by_ids)
    deprecation = row_loader(deprecations.by_ids)
    deprecations_of_asset = rows_loader(deprecations.list_live, lambda row: row.asset_id)
    dependency = row_loader(lineage.by_ids)
    dependencies_of_dependent = rows_loader(lineage.list_of_dependents, lambda row: row.dependent_asset_id)
    """The dependencies of an asset on others."""
    dependencies_of_dependency = rows_loader(lineage.list_of_dependencies, lambda row: row.dependency_asset_id)
    """The dependencies of others on an asset."""
    labels_of_asset = rows_loader(labels.list_by_assets, lambda row: row.asset_id)
    field_change = row_loader(field_changes.by_ids)
    field_history = value_loader(_load_field_histories)
    """The changes that led to a field, by asset id and path."""
    informed_teams = value_loader(proposals.load_informed_teams)
    """The ids of the teams that a proposal informed without asking them, by proposal id."""
    coverage_of_proposal = value_loader(load_proposal_coverages)
    """The coverage of what proposals change, by proposal id."""
    coverage_of_asset = value_loader(load_asset_coverages)
    coverage_of_changes = value_loader(load_coverages)
    """The coverage of what changes of assets break."""
    covered_window = value_loader(_load_windows)
    """The time that the sources of an asset cover, by asset id."""
    field_reads = value_loader(load_team_reads)
    """When a team was last seen reading the fields of an asset, by asset id and team id."""
    suggested_team = value_loader(load_suggested_teams)
    """The suggested team of a principal, by its name."""
    last_reads = value_loader(_load_last_reads)
    """When the fields of an asset were last read, by asset id."""
    usage_source = row_loader(usage.by_ids)
    principal = row_loader(usage.principals_by_ids)
    principal_rule = row_loader(usage.rules_by_ids)
    observation = row_loader(usage.observations_by_ids)
    event: cached_property[Loader[UUID, EventRow | None]] = visible_row_loader(events.TABLE)
    webhook: cached_property[Loader[UUID, Webhook | None]] = visible_row_loader(webhooks.TABLE)
    webhook_delivery: cached_property[Loader[UUID, WebhookDelivery | None]] = visible_row_loader(webhooks.DELIVERIES)

    first_event_sequence = value_loader(_load_first_event_sequence)
    """The sequence of the oldest event that is not archived, by None."""
    event_by_sequence: cached_property[Loader[int, EventRow | None]] = visible_row_loader(events.TABLE, "sequence")
    team_by_name = row_loader(teams.by_name_keys)
    """Teams by `teams.key` of the name."""
    asset_by_fqn = row_loader(assets.by_fqn_keys)
    """Assets by `assets.key` of the fqn."""
    project_by_name = row_loader(projects.by_name_keys)
    """Projects by `projects.key` of the name."""
    usage_source_by_name = row_loader(usage.by_name_keys)
    """Usage sources by `uniqueness_key` of the name."""
    owners_of_project = rows_loader(projects.list_owners, lambda row: row.project_id)
    change_set_by_key = row_loader(change_sets.by_keys)
    active_contract = row_loader(contracts.list_active)
    contract_by_version = row_loader(contracts.by_versions, lambda row: (row.asset_id, row.version))
    """Contracts by asset id and version."""
    previous_contract = value_loader(_load_previous_contracts)
    """The contracts published before, by contract id."""
    open_proposal = row_loader(proposals.list_open)
    proposal_of_contract = row_loader(proposals.by_contracts)
    """The proposals that led to contracts, by contract id."""
    acknowledgments_of_proposal = rows_loader(proposals.list_acknowledgments, lambda row: row.proposal_id)
    """All acknowledgments, the released ones included."""
    answers_of_team = value_loader(_load_answers)
    """The answers of a team to changes of an asset by fingerprint, by asset id and team id."""
    asks_of_group = value_loader(inbox.load_asks)
    """The awaited acknowledgments of an inbox, by inbox team, asked team, and change set or proposal."""
    team_reads = value_loader(_load_team_reads)
    """What sources have seen of the reads of a team at an asset, by asset id and team id."""
    unasked_readers = value_loader(unasked_readers.load_of_proposals)
    """The readers who are not asked about a proposal, by proposal id."""
    reader_index = value_loader(_load_reader_indexes)
    """The readers of an asset's fields from its live registrations, by asset id."""
    column_links_from = rows_loader(column_edges.list_by_sources, lambda row: row.source_asset_id)
    """The column edges that start at an asset."""
    column_links_to = rows_loader(column_edges.list_by_targets, lambda row: row.target_asset_id)
    """The column edges that lead to an asset."""
    reachable_assets = value_loader(_load_reachable)
    """The assets within a number of steps, by asset id, direction and depth."""

    def __init__(self, open_session: OpenSession, viewer: Actor, on_batch: Callable[[int], None] | None = None) -> None:
        self._open_session = open_session
        self.visibility = visibility_of(viewer)
        self._on_batch = on_batch
        self._running: set[asyncio.Future[Any]] = set()
        self._pages: dict[PageKey, Loader[UUID | None, Page]] = {}
        self._counts: dict[PageKey, Loader[UUID | None, int]] = {}

    def pages(self, source: TableLike, parent: str | None, request: PageRequest) -> Loader[UUID | None, Page]:
        """Load pages of a list by parent id; with no parent column, the only key is None."""
        return self._page_loader(
            self._pages, (source, parent, request), pagination.load_page, pagination.load_pages_by_parent
        )

    def counts(self, source: TableLike, parent: str | None, request: PageRequest) -> Loader[UUID | None, int]:
        return self._page_loader(self._counts, (source, parent, request), pagination.count, pagination.count_by_parent)

    def _page_loader(
        self, loaders: dict[PageKey, Loader[UUID | None, V]], key: PageKey, load_root: Any, load_by_parent: Any
    ) -> Loader[UUID | None, V]:
        """Return the loader of a page request, so that equal requests of many parents become one statement."""
        if key in loaders:
            return loaders[key]
        source, parent, request = key

        async def load(session: Session, keys: list[UUID | None]) -> list[V]:
            if parent is None:
                return [await load_root(session, source, request, self.visibility)]
            by_key = await load_by_parent(session, source, parent, keys, request, self.visibility)
            return [by_key[key] for key in keys]

        return loaders.setdefault(key, self.create_loader(load))

    @cached_property
    def parsed_changes(self) -> dict[UUID, list[Change]]:
        """The breaking changes of proposals that were parsed already, by proposal id."""
        return {}

    @cached_property
    def asked_teams_by_change(self) -> dict[UUID, dict[str, list[UUID]]]:
        """The asked teams of proposals that were indexed already, by proposal id and fingerprint of a change."""
        return {}

    def create_loader(self, load: Load[K, V]) -> Loader[K, V]:
        """Create a loader that opens a session for each batch."""

        async def load_batch(keys: list[K]) -> list[V]:
            if self._on_batch is not None:
                self._on_batch(len(keys))
            async with self._open_session() as session:
                return await load(session, keys)

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


NODE_LOADERS: dict[str, Callable[[Loaders], Loader[UUID, Any]]] = {
    "Acknowledgment": lambda loaders: loaders.acknowledgment,
    "ApiKey": lambda loaders: loaders.api_key,
    "Asset": lambda loaders: loaders.asset,
    "AssetDependency": lambda loaders: loaders.dependency,
    "ChangeSet": lambda loaders: loaders.change_set,
    "Comment": lambda loaders: loaders.comment,
    "Contract": lambda loaders: loaders.contract,
    "Debt": lambda loaders: loaders.debt,
    "Deprecation": lambda loaders: loaders.deprecation,
    "Event": lambda loaders: loaders.event,
    "FieldChange": lambda loaders: loaders.field_change,
    "Observation": lambda loaders: loaders.observation,
    "Principal": lambda loaders: loaders.principal,
    "PrincipalRule": lambda loaders: loaders.principal_rule,
    "Project": lambda loaders: loaders.project,
    "Proposal": lambda loaders: loaders.proposal,
    "Registration": lambda loaders: loaders.registration,
    "Team": lambda loaders: loaders.team,
    "UsageSource": lambda loaders: loaders.usage_source,
    "Webhook": lambda loaders: loaders.webhook,
    "WebhookDelivery": lambda loaders: loaders.webhook_delivery,
}
"""The loader by id of each type with a global id."""
