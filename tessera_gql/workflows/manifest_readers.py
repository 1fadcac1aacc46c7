"""Who reads what, as dbt has it: models across teams and exposures become registrations; those people declared stay."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, or_, select

from tessera_gql.formats.dbt import Exposure, Manifest, Model
from tessera_gql.formats.dbt_sql import columns_read
from tessera_gql.policy.events import RegistrationCreated, RegistrationEnded, RegistrationUpdated
from tessera_gql.policy.words import Evidence, RegistrationStatus
from tessera_gql.store import assets, proposals, registrations
from tessera_gql.store.session import Session
from tessera_gql.store.tables import Registration, new_id
from tessera_gql.workflows import progress
from tessera_gql.workflows.manifest_state import DBT, State

Key = tuple[UUID, UUID, UUID | None]


@dataclass(frozen=True)
class Read:
    """What a model of one team reads of a table of another; `fields` None is everything, and `why` says why."""

    fqn: str
    upstream: str
    fields: tuple[str, ...] | None
    why: str | None = None


@dataclass(frozen=True)
class Reader:
    """A registration as dbt would have it."""

    fields: tuple[str, ...] | None
    purpose: str
    meta: dict[str, Any]


@dataclass
class Readers:
    """All of them by (asset, consumer team, consumer asset); `reads` are for the report."""

    wanted: dict[Key, Reader] = field(default_factory=dict[Key, Reader])
    reads: list[Read] = field(default_factory=list[Read])


def of_models(
    state: State, ids: Mapping[str, UUID], models: Iterable[Model], promised: Mapping[UUID, Sequence[str]]
) -> Readers:
    """Parses the queries of models that read tables of other teams, which takes some milliseconds each.

    A table's columns are those of the manifest and those `promised` now, by asset.
    """
    found = Readers()
    project = state.manifest.project
    for model in models:
        crossing = [fqn for fqn in state.crossing(model) if fqn in ids]
        if not crossing:
            continue
        columns = {fqn: tuple(dict.fromkeys((*state.columns[fqn], *promised.get(ids[fqn], ())))) for fqn in crossing}
        about = {DBT: {"project": project, "unique_id": model.unique_id}}
        for fqn, read in columns_read(model.compiled_code, state.manifest.adapter, columns).items():
            found.reads.append(Read(model.fqn, fqn, read.columns, read.why))
            key = (ids[fqn], state.owners[model.fqn], ids[model.fqn])
            found.wanted[key] = Reader(read.columns, f"The dbt {model.resource_type} {model.name} reads it.", about)
    return found


def of_exposures(
    manifest: Manifest, exposures: Iterable[tuple[Exposure, UUID]], ids: Mapping[str, UUID], owners: Mapping[str, UUID]
) -> dict[Key, Reader]:
    """Each exposure comes with its team; several of one team on one table are one reader."""
    named: dict[tuple[UUID, UUID], list[Exposure]] = defaultdict(list)
    for exposure, team in exposures:
        for fqn in exposure.depends_on:
            if fqn in ids and owners.get(fqn) != team:
                named[ids[fqn], team].append(exposure)
    found: dict[Key, Reader] = {}
    for (asset, team), several in named.items():
        names = sorted({one.name for one in several})
        about = {DBT: {"project": manifest.project, "exposures": sorted({one.unique_id for one in several})}}
        said = f"dbt exposure{'s' if len(names) > 1 else ''}: {', '.join(names)[:1000]}."
        found[asset, team, None] = Reader(None, said, about)
    return found


@dataclass(frozen=True)
class Registered:
    created: int = 0
    updated: int = 0
    ended: int = 0


async def register(
    session: Session,
    manifest: Manifest,
    wanted: Mapping[Key, Reader],
    consumers: Sequence[UUID],
    owners: Mapping[UUID, UUID],
) -> Registered:
    """Makes the registrations that dbt made equal to what is wanted: those of these consumer assets, and of exposures.

    `owners` has the owning team of every asset that is wanted or may be left.
    """
    if wanted:
        await assets.lock_all(session, list({asset for asset, _, _ in wanted}))
    present = await _present(session, wanted, consumers)
    values: list[dict[str, Any]] = []
    touched: set[UUID] = set()
    counts = {"created": 0, "updated": 0, "ended": 0}
    for key, reader in wanted.items():
        row = present.pop(key, None)
        if row is None:
            values.append(_row(session, key, reader))
            counts["created"] += 1
            touched.add(key[0])
        elif row.evidence is Evidence.DBT_MANIFEST and await _follow(session, row, reader, owners):
            counts["updated"] += 1
            touched.add(key[0])
    for row in present.values():
        if _is_left(row, manifest, set(consumers)):
            await _end(session, row, owners)
            counts["ended"] += 1
            touched.add(row.asset_id)
    fresh = await session.insert_many(Registration, values, clash="One of these teams registered at this moment.")
    for row in fresh:
        reads = None if row.fields is None else tuple(row.fields)
        session.record(RegistrationCreated(**_address(row, owners), reads=reads))
    await _reconsider(session, touched)
    return Registered(**counts)


async def _present(
    session: Session, wanted: Mapping[Key, Reader], consumers: Sequence[UUID]
) -> dict[Key, Registration]:
    """Live ones that are in the way or may be left over, whoever made them."""
    rows = registrations.rows
    exposed = (rows.c.evidence == Evidence.DBT_MANIFEST) & rows.c.consumer_asset_id.is_(None)
    near: list[ColumnElement[bool]] = [exposed]
    if consumers:
        near.append(session.among(rows.c.consumer_asset_id, consumers))
    if direct := {asset for asset, _, via in wanted if via is None}:
        near.append(session.among(rows.c.asset_id, direct) & rows.c.consumer_asset_id.is_(None))
    found = await session.list(select(rows).where(registrations.is_live, or_(*near)), Registration)
    return {(one.asset_id, one.consumer_team_id, one.consumer_asset_id): one for one in found}


def _is_left(row: Registration, manifest: Manifest, consumers: set[UUID]) -> bool:
    if row.evidence is not Evidence.DBT_MANIFEST:
        return False
    if row.consumer_asset_id is not None:
        return row.consumer_asset_id in consumers
    return manifest.project is not None and (row.meta.get(DBT) or {}).get("project") == manifest.project


def _row(session: Session, key: Key, reader: Reader) -> dict[str, Any]:
    return {
        "id": new_id(),
        "asset_id": key[0],
        "consumer_team_id": key[1],
        "consumer_asset_id": key[2],
        "fields": None if reader.fields is None else list(reader.fields),
        "pinned_version": None,
        "status": RegistrationStatus.ACTIVE,
        "evidence": Evidence.DBT_MANIFEST,
        "purpose": reader.purpose,
        "registered_at": session.now,
        "acknowledged_at": None,
        "meta": reader.meta,
        "row_version": 1,
        "created_at": session.now,
    }


async def _follow(session: Session, row: Registration, reader: Reader, owners: Mapping[UUID, UUID]) -> bool:
    values = {
        "fields": None if reader.fields is None else list(reader.fields),
        "purpose": reader.purpose,
        "meta": {**row.meta, **reader.meta},
    }
    differing = {key: value for key, value in values.items() if value != getattr(row, key)}
    if not differing:
        return False
    here = registrations.rows.c.id == row.id
    await session.update(Registration, here, **differing, row_version=row.row_version + 1)
    changed = tuple(sorted("metadata" if key == "meta" else key for key in differing))
    session.record(RegistrationUpdated(**_address(row, owners), changed=changed))
    return True


async def _end(session: Session, row: Registration, owners: Mapping[UUID, UUID]) -> None:
    here = registrations.rows.c.id == row.id
    await session.update(Registration, here, status=RegistrationStatus.INACTIVE, row_version=row.row_version + 1)
    session.record(RegistrationEnded(**_address(row, owners)))


def _address(row: Registration, owners: Mapping[UUID, UUID]) -> dict[str, Any]:
    concerned = {row.consumer_team_id, owners.get(row.asset_id, row.consumer_team_id)}
    return {
        "teams": frozenset(concerned),
        "asset_id": row.asset_id,
        "registration_id": row.id,
        "consumer_team_id": row.consumer_team_id,
    }


async def _reconsider(session: Session, touched: set[UUID]) -> None:
    """Open proposals follow their readers."""
    if not touched:
        return
    rows = proposals.rows
    here = (session.among(rows.c.asset_id, touched)) & proposals.is_open
    waiting = [row.asset_id for row in await session.rows(select(rows.c.asset_id).where(here))]
    for asset in await assets.by_ids(session, waiting):
        await progress.reconsider(session, asset)
