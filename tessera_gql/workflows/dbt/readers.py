"""Make registrations that come from dbt equal to a manifest; registrations that people declared stay."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from tessera_gql.formats.dbt import Exposure, Manifest, Model
from tessera_gql.formats.dbt_sql import find_column_usage
from tessera_gql.policy.enums import Evidence, RegistrationStatus
from tessera_gql.store import assets, dbt, proposals
from tessera_gql.store.dbt import DBT
from tessera_gql.store.session import Session
from tessera_gql.store.tables import Registration, new_id
from tessera_gql.workflows import proposal_lifecycle
from tessera_gql.workflows.dbt.state import ManifestState
from tessera_gql.workflows.debts import settle_corrected
from tessera_gql.workflows.registrations import end, record_created, update_columns

RegistrationKey = tuple[UUID, UUID, UUID | None]


@dataclass(frozen=True)
class CrossTeamRead:
    """What a model reads of a model of another team. `fields` None is everything, and `assumption` is the reason."""

    fqn: str
    upstream: str
    fields: tuple[str, ...] | None
    assumption: str | None = None


@dataclass(frozen=True)
class DbtRegistration:
    """A registration that follows from a dbt manifest."""

    fields: tuple[str, ...] | None
    purpose: str
    meta: dict[str, Any]

    def columns(self, meta: Mapping[str, Any]) -> dict[str, Any]:
        """The columns of a registration that come from dbt, with the rest of its `meta`."""
        fields = None if self.fields is None else list(self.fields)
        return {"fields": fields, "purpose": self.purpose, "meta": {**meta, **self.meta}}


@dataclass
class DbtRegistrations:
    """Registrations by asset, consumer team and consumer asset; `reads` are for the report."""

    registrations: dict[RegistrationKey, DbtRegistration] = field(
        default_factory=dict[RegistrationKey, DbtRegistration]
    )
    reads: list[CrossTeamRead] = field(default_factory=list[CrossTeamRead])


def find_model_reads(
    state: ManifestState,
    ids: Mapping[str, UUID],
    models: Iterable[Model],
    contract_columns: Mapping[UUID, Sequence[str]],
) -> DbtRegistrations:
    """Find what models read of other teams. Parsing their queries takes some milliseconds each.

    The columns of a model are those of the manifest and those of its active contract (`contract_columns`, by asset).
    """
    readers = DbtRegistrations()
    project = state.manifest.project
    for model in models:
        upstream = [fqn for fqn in state.find_cross_team_upstream(model) if fqn in ids]
        if not upstream:
            continue
        columns = {
            fqn: tuple(dict.fromkeys((*state.columns[fqn], *contract_columns.get(ids[fqn], ())))) for fqn in upstream
        }
        metadata = {DBT: {"project": project, "unique_id": model.unique_id}}
        for fqn, usage in find_column_usage(model.compiled_code, state.manifest.adapter, columns).items():
            readers.reads.append(CrossTeamRead(model.fqn, fqn, usage.columns, usage.reason))
            key = (ids[fqn], state.owners[model.fqn], ids[model.fqn])
            readers.registrations[key] = DbtRegistration(
                usage.columns, f"The dbt {model.resource_type} {model.name} reads it.", metadata
            )
    return readers


def find_exposure_reads(
    manifest: Manifest, exposures: Iterable[tuple[Exposure, UUID]], ids: Mapping[str, UUID], owners: Mapping[str, UUID]
) -> dict[RegistrationKey, DbtRegistration]:
    """Find what exposures read, each with its team; several of one team on one asset become one registration."""
    by_asset_and_team: dict[tuple[UUID, UUID], list[Exposure]] = defaultdict(list)
    for exposure, team in exposures:
        for fqn in exposure.depends_on:
            if fqn in ids and owners.get(fqn) != team:
                by_asset_and_team[ids[fqn], team].append(exposure)
    registrations_by_key: dict[RegistrationKey, DbtRegistration] = {}
    for (asset, team), team_exposures in by_asset_and_team.items():
        names = sorted({exposure.name for exposure in team_exposures})
        metadata = {
            DBT: {"project": manifest.project, "exposures": sorted({exposure.unique_id for exposure in team_exposures})}
        }
        purpose = f"dbt exposure{'s' if len(names) > 1 else ''}: {', '.join(names)[:1000]}."
        registrations_by_key[asset, team, None] = DbtRegistration(None, purpose, metadata)
    return registrations_by_key


@dataclass(frozen=True)
class RegistrationCounts:
    created: int = 0
    updated: int = 0
    ended: int = 0


async def sync_registrations(
    session: Session,
    manifest: Manifest,
    readers: Mapping[RegistrationKey, DbtRegistration],
    consumers: Sequence[UUID],
    owners: Mapping[UUID, UUID],
) -> RegistrationCounts:
    """Create, update and end registrations so that those of these consumer assets and of exposures equal `readers`.

    `owners` has the owning team of each asset whose registrations may change.
    """
    if readers:
        await assets.lock_by_ids(session, list({asset for asset, _, _ in readers}))
    exposed_assets = {asset for asset, _, via in readers if via is None}
    live = await dbt.list_registrations(session, consumers, exposed_assets)
    existing = {(row.asset_id, row.consumer_team_id, row.consumer_asset_id): row for row in live}
    values: list[dict[str, Any]] = []
    changed_assets: set[UUID] = set()
    counts = {"created": 0, "updated": 0, "ended": 0}
    for key, reader in readers.items():
        row = existing.pop(key, None)
        if row is None:
            values.append(_row_values(session, key, reader))
            counts["created"] += 1
            changed_assets.add(key[0])
        elif row.evidence is Evidence.DBT_MANIFEST and await update_columns(
            session, row, _owner(row, owners), reader.columns(row.meta)
        ):
            counts["updated"] += 1
            changed_assets.add(key[0])
    for row in existing.values():
        if _is_obsolete(row, manifest, set(consumers)):
            await end(session, row, _owner(row, owners))
            counts["ended"] += 1
            changed_assets.add(row.asset_id)
    created_rows = await session.insert_many(
        Registration, values, conflict_message="One of these teams registered at this moment."
    )
    for row in created_rows:
        record_created(session, row, _owner(row, owners))
    await update_open_proposals(session, changed_assets)
    return RegistrationCounts(**counts)


def _is_obsolete(row: Registration, manifest: Manifest, consumers: set[UUID]) -> bool:
    if row.evidence is not Evidence.DBT_MANIFEST:
        return False
    if row.consumer_asset_id is not None:
        return row.consumer_asset_id in consumers
    return manifest.project is not None and (row.meta.get(DBT) or {}).get("project") == manifest.project


def _row_values(session: Session, key: RegistrationKey, reader: DbtRegistration) -> dict[str, Any]:
    return {
        "id": new_id(),
        "asset_id": key[0],
        "consumer_team_id": key[1],
        "consumer_asset_id": key[2],
        **reader.columns({}),
        "pinned_version": None,
        "status": RegistrationStatus.ACTIVE,
        "evidence": Evidence.DBT_MANIFEST,
        "registered_at": session.now,
        "acknowledged_at": None,
        "row_version": 1,
        "created_at": session.now,
    }


def _owner(row: Registration, owners: Mapping[UUID, UUID]) -> UUID:
    return owners.get(row.asset_id, row.consumer_team_id)


async def update_open_proposals(session: Session, changed_assets: set[UUID]) -> None:
    """Update the asked teams of open proposals, and settle debts, after the registrations of assets changed."""
    if not changed_assets:
        return
    await settle_corrected(session, list(changed_assets))
    proposed_assets = [row.asset_id for row in await proposals.list_open(session, list(changed_assets))]
    for asset in await assets.by_ids(session, proposed_assets):
        await proposal_lifecycle.update_asked_teams(session, asset)
