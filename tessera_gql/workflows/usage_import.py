"""Import a log of reads in several short transactions, between which other writers get their turn.

Each transaction takes whole days of readers, and a day that is imported again raises no number twice, so that an import
that was interrupted is repeated as a whole. Only the last transaction says what the log covers: from then on, quiet
readers prove that their teams have migrated.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import Any, TypeAlias
from uuid import UUID

from tessera_gql.errors import Unavailable
from tessera_gql.formats.usage_rows import UsageFault
from tessera_gql.policy.access import Actor, authorize_import, require_import_scope
from tessera_gql.policy.usage import CoveredSpan, choose_span, merge_spans, resolve_field
from tessera_gql.policy.usage_events import ReadsObserved, UsageImported
from tessera_gql.policy.validation import uniqueness_key
from tessera_gql.store import assets, contracts, proposals, usage, usage_days, usage_partitions
from tessera_gql.store.assets import AssetRef
from tessera_gql.store.session import Session
from tessera_gql.store.tables import Observation, ObservationDay, Principal, UsageSource, new_id
from tessera_gql.store.usage import UsageSourceRef
from tessera_gql.store.usage_partitions import first_of_month
from tessera_gql.workflows import proposal_lifecycle
from tessera_gql.workflows.acknowledgment_requests import release_request
from tessera_gql.workflows.proposal_lifecycle import ProposalResult, update_upstream_proposals
from tessera_gql.workflows.quiet_proofs import find_releases
from tessera_gql.workflows.usage_log import DayReads, ReadsByDay, UsageLog
from tessera_gql.workflows.usage_sources import load_rules

log = logging.getLogger(__name__)

BATCH_DAYS = 4_000
"""Days of readers that one transaction takes: a fraction of a second."""
CONTRACTS_AT_ONCE = 200
MAX_MONTHS = 36
"""Months for which an import creates partitions, the latest first; others have their days in the default partition."""
MAX_PROOFS = 500
"""Proposals whose migrating teams are looked at in one transaction; an import leaves others to the worker."""


@dataclass(frozen=True)
class ReaderDays:
    """The reads of a field of an asset by a principal."""

    asset_id: UUID
    principal: str
    field: str
    days: ReadsByDay


ObservationKey: TypeAlias = tuple[UUID, UUID, str]
"""The principal, the asset and the field."""


@dataclass(frozen=True, slots=True)
class StoredObservation:
    """The id of an observation, and the last day that retention has deleted of it."""

    id: UUID
    summed_until: date | None = None


@dataclass(frozen=True)
class ImportCounts:
    """What an import has changed so far."""

    principals: int = 0
    observations: int = 0
    days: int = 0


@dataclass(frozen=True)
class ImportPlan:
    """An import: its source, the span that its log covers, what is left to store, and what was stored.

    `span` is None if the log proves nothing about what it does not have. `log` is the first part of the log, with what
    all of it says; `batches` and `names` are of the part that is being stored.
    """

    source: UsageSource
    log: UsageLog
    span: CoveredSpan | None
    batches: Sequence[Sequence[ReaderDays]]
    names: Mapping[str, str]
    """The names of the principals by key."""
    months: tuple[date, ...] = ()
    """Months of the batches that may still lack a partition."""
    counts: ImportCounts = field(default_factory=ImportCounts)


async def plan_import(
    session: Session,
    actor: Actor,
    ref: UsageSourceRef,
    log: UsageLog,
    requested: tuple[datetime | None, datetime | None],
) -> ImportPlan:
    """Plan an import without writing; rows of assets that are not known are counted as faults."""
    require_import_scope(actor)
    source = await usage.get_source(session, ref)
    authorize_import(actor, source.id, source.name)
    span = choose_span(requested, (log.first_at, log.last_at), session.now, log.kept_from)
    return await plan_part(session, ImportPlan(source, log, span if log.is_complete else None, (), {}), log)


async def plan_part(session: Session, plan: ImportPlan, log: UsageLog) -> ImportPlan:
    """Plan to store a part of the log of an import."""
    asset_ids = {row.fqn_key: row.id for row in await assets.by_fqns(session, [*log.reads])}
    for key in log.reads.keys() - asset_ids.keys():
        rows = sum(reads.rows for days in log.reads[key].values() for reads in days.values())
        plan.log.add_fault(UsageFault.UNKNOWN_ASSET, None, rows)
    readers: list[ReaderDays] = []
    keys = sorted(asset_ids, key=asset_ids.__getitem__)
    for start in range(0, len(keys), CONTRACTS_AT_ONCE):
        chunk = {asset_ids[key]: key for key in keys[start : start + CONTRACTS_AT_ONCE]}
        declared = await _load_declared(session, [*chunk])
        for asset_id, key in chunk.items():
            readers += _resolve_readers(log, asset_id, key, declared.get(asset_id, {}))
    months = await _find_missing_months(session, readers)
    return replace(plan, batches=_split(readers), names=log.principals, months=months)


async def _find_missing_months(session: Session, readers: Sequence[ReaderDays]) -> tuple[date, ...]:
    if not await usage_partitions.may_change(session):
        return ()
    months = {first_of_month(day) for reader in readers for day in reader.days}
    return tuple(sorted(months - await usage_partitions.list_months(session))[-MAX_MONTHS:])


async def _load_declared(session: Session, asset_ids: Sequence[UUID]) -> dict[UUID, dict[str, str]]:
    """Load the names of the columns of assets, by their names without case."""
    declared: dict[UUID, dict[str, str]] = {}
    for row in await contracts.list_active(session, asset_ids):
        properties = row.schema_def.get("properties") if isinstance(row.schema_def, dict) else None
        names = [str(name) for name in properties] if isinstance(properties, dict) else []
        declared[row.asset_id] = {uniqueness_key(name): name for name in reversed(names)}
    return declared


def _resolve_readers(log: UsageLog, asset_id: UUID, key: str, declared: dict[str, str]) -> list[ReaderDays]:
    """Return the readers of an asset, with the fields as its contract spells them."""
    readers: dict[tuple[str, str], ReadsByDay] = {}
    for (principal, path), days in log.reads[key].items():
        reader = (principal, resolve_field(path, declared))
        readers[reader] = _merge_days(readers[reader], days) if reader in readers else days
    return [ReaderDays(asset_id, principal, path, days) for (principal, path), days in readers.items()]


def _merge_days(first: ReadsByDay, second: ReadsByDay) -> ReadsByDay:
    merged = {day: replace(reads) for day, reads in first.items()}
    for day, reads in second.items():
        if day in merged:
            merged[day].add(reads)
        else:
            merged[day] = replace(reads)
    return merged


def _split(readers: Sequence[ReaderDays]) -> list[list[ReaderDays]]:
    batches: list[list[ReaderDays]] = []
    size = BATCH_DAYS
    for reader in readers:
        if size >= BATCH_DAYS:
            batches.append([])
            size = 0
        batches[-1].append(reader)
        size += len(reader.days)
    return batches


async def create_partitions(session: Session, plan: ImportPlan) -> ImportPlan:
    """Create the partitions for the days of an import; where others use the table for too long, do without."""
    try:
        async with session.savepoint():
            await usage_partitions.create_months(session, plan.months)
    except Unavailable:
        log.warning("The days of an import are stored in the default partition: others use the table.")
    return replace(plan, months=())


async def import_batch(session: Session, actor: Actor, plan: ImportPlan) -> ImportPlan:
    """Store the next batch of an import, and ask teams that are seen to read what an open proposal breaks."""
    source = await _lock_source(session, actor, plan)
    batch = plan.batches[0]
    asset_ids = sorted({reader.asset_id for reader in batch})
    await assets.lock_by_ids(session, asset_ids)
    principals, new_principals = await _ensure_principals(session, source, plan.names, batch)
    observations, new_observations = await _ensure_observations(session, batch, principals)
    changed_days = await _store_days(session, batch, observations, principals)
    changed = {observation for observation, _ in changed_days}
    await usage_days.summarize_days(session, changed)
    read_assets = {
        reader.asset_id
        for reader in batch
        if (principal := principals[reader.principal]).team_id is not None
        and observations[principal.id, reader.asset_id, reader.field].id in changed
    }
    if read_assets:
        session.record(ReadsObserved(usage_source_id=source.id, assets=len(read_assets)))
    await update_upstream_proposals(session, read_assets, includes_assets=True)
    counts = ImportCounts(
        plan.counts.principals + new_principals,
        plan.counts.observations + new_observations,
        plan.counts.days + len(changed_days),
    )
    return replace(plan, batches=plan.batches[1:], counts=counts)


async def _lock_source(session: Session, actor: Actor, plan: ImportPlan) -> UsageSource:
    source = await usage.get_source(session, UsageSourceRef(id=plan.source.id), lock=True)
    authorize_import(actor, source.id, source.name)
    return source


async def _ensure_principals(
    session: Session, source: UsageSource, names: Mapping[str, str], batch: Sequence[ReaderDays]
) -> tuple[dict[str, Principal], int]:
    """Return the principals of a batch by key, and how many of them are new."""
    keys = {reader.principal for reader in batch}
    principals = await usage.load_principals(session, source.id, keys)
    if not (missing := sorted(keys - principals.keys())):
        return principals, 0
    rules = await load_rules(session)
    values = [
        {
            "id": new_id(),
            "source_id": source.id,
            "name": names[key],
            "name_key": key,
            "team_id": rules.find_team(key),
            "created_at": session.now,
        }
        for key in missing
    ]
    inserted = await session.insert_many(Principal, values)
    return principals | {row.name_key: row for row in inserted}, len(missing)


async def _ensure_observations(
    session: Session, batch: Sequence[ReaderDays], principals: dict[str, Principal]
) -> tuple[dict[ObservationKey, StoredObservation], int]:
    """Return the observations of a batch by principal, asset and field, and how many of them are new."""
    rows = await usage.load_observations(
        session, {principals[reader.principal].id for reader in batch}, {reader.asset_id for reader in batch}
    )
    stored = {(row.principal_id, row.asset_id, row.field): StoredObservation(row.id, row.summed_until) for row in rows}
    values: list[dict[str, Any]] = []
    for reader in batch:
        key = (principals[reader.principal].id, reader.asset_id, reader.field)
        if key not in stored:
            stored[key] = StoredObservation(new_id())
            values.append(_new_observation(session, stored[key].id, key, reader))
    await session.insert_many(Observation, values)
    return stored, len(values)


def _new_observation(session: Session, row_id: UUID, key: ObservationKey, reader: ReaderDays) -> dict[str, Any]:
    return {
        "id": row_id,
        "principal_id": key[0],
        "asset_id": key[1],
        "field": key[2],
        "first_seen": min(reads.first_at for reads in reader.days.values()),
        "last_seen": max(reads.last_at for reads in reader.days.values()),
        "read_count": 0,
        "longest_pause_seconds": 0,
        "created_at": session.now,
    }


async def _store_days(
    session: Session,
    batch: Sequence[ReaderDays],
    observations: Mapping[ObservationKey, StoredObservation],
    principals: dict[str, Principal],
) -> list[tuple[UUID, date]]:
    """Insert days and raise the numbers of known ones; returns those that changed.

    Days that retention has deleted count already, and are not stored again.
    """
    days = {
        (observation.id, day): reads
        for reader in batch
        for observation in (observations[principals[reader.principal].id, reader.asset_id, reader.field],)
        for day, reads in reader.days.items()
        if observation.summed_until is None or day > observation.summed_until
    }
    if not days:
        return []
    first, last = min(day for _, day in days), max(day for _, day in days)
    earlier_days = await usage.load_days(session, {observation for observation, _ in days}, first, last)
    new_rows: list[dict[str, Any]] = []
    changed_rows: list[dict[str, Any]] = []
    for (observation, day), reads in days.items():
        row = earlier_days.get((observation, day))
        if row is None:
            new_rows.append(_to_row(observation, day, reads))
        elif (raised := _raise(row, reads)) != DayReads(row.read_count, row.first_at, row.last_at):
            changed_rows.append(_to_row(observation, day, raised))
    await session.insert_many(ObservationDay, new_rows)
    await usage.update_days(session, changed_rows)
    return [(row["observation_id"], row["day"]) for row in (*new_rows, *changed_rows)]


def _raise(row: ObservationDay, reads: DayReads) -> DayReads:
    count = max(row.read_count, reads.count)
    return DayReads(count, min(row.first_at, reads.first_at), max(row.last_at, reads.last_at))


def _to_row(observation: UUID, day: date, reads: DayReads) -> dict[str, Any]:
    return {
        "observation_id": observation,
        "day": day,
        "read_count": reads.count,
        "first_at": reads.first_at,
        "last_at": reads.last_at,
    }


async def finish_import(session: Session, actor: Actor, plan: ImportPlan) -> ImportPlan:
    """Note the span that the log covers, and release the migrating teams whose migration that proves."""
    source = await _lock_source(session, actor, plan)
    if plan.span is not None:
        await _cover(session, source, plan.span)
    event = UsageImported(
        usage_source_id=source.id,
        rows=plan.log.row_count,
        ignored_rows=sum(rows.count for rows in plan.log.faults.values()),
        covered=(plan.span.start, plan.span.end) if plan.span else None,
    )
    session.record(event)
    await _release_proven(session, source.id)
    (source,) = await usage.by_ids(session, [source.id])
    return replace(plan, source=source)


async def _cover(session: Session, source: UsageSource, span: CoveredSpan) -> None:
    spans = merge_spans([*map(CoveredSpan.from_json, source.covered), span])
    covered = [item.as_json() for item in spans]
    if covered != source.covered:
        await session.update_row(UsageSource, source.id, covered=covered, row_version=source.row_version + 1)


async def _release_proven(session: Session, source_id: UUID) -> None:
    rows = await proposals.by_ids(session, await usage.list_provable(session, MAX_PROOFS, source_id=source_id))
    releases = await find_releases(session, rows)
    asset_ids = {item.proposal.id: item.proposal.asset_id for item in releases}
    await assets.lock_by_ids(session, sorted(asset_ids.values()))
    for proposal_id in sorted(asset_ids, key=asset_ids.__getitem__):
        await release_quiet(session, proposal_id)


async def find_quiet_proposals(session: Session, after: UUID | None = None) -> tuple[list[UUID], UUID | None]:
    """Find open proposals in which observed reads prove a migration, in a page `after` a proposal.

    Returns the proposals, and the last one of the page; None if no other page follows.
    """
    page = await usage.list_provable(session, MAX_PROOFS, after=after)
    releases = await find_releases(session, await proposals.by_ids(session, page))
    return sorted({item.proposal.id for item in releases}), page[-1] if len(page) == MAX_PROOFS else None


async def release_quiet(session: Session, proposal_id: UUID) -> ProposalResult:
    """Release the migrating teams of a proposal whose migration observed reads prove."""
    row = await proposals.get(session, proposal_id)
    asset = await assets.lock(session, AssetRef(id=row.asset_id))
    result = await proposal_lifecycle.update_status(session, asset, await proposals.get(session, proposal_id))
    releases = await find_releases(session, [result.proposal])
    for item in releases:
        await release_request(session, asset, item.proposal, item.acknowledgment, item.evidence)
    if not releases:
        return result
    return await proposal_lifecycle.update_status(session, asset, result.proposal)
