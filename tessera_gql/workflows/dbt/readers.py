"""Find what a manifest's models and exposures read of other teams, and how the registrations of dbt follow from it.

Registrations that people declared stay, and so do those of teams and projects that the caller may not act for.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from tessera_gql.formats.dbt import Exposure, Manifest, Model
from tessera_gql.formats.dbt_sql import ColumnUsage, find_column_usage
from tessera_gql.policy.affected_teams import FieldReader
from tessera_gql.policy.enums import Evidence
from tessera_gql.store import registrations
from tessera_gql.store.dbt import DBT
from tessera_gql.store.tables import Registration
from tessera_gql.workflows.dbt.state import ManifestCache, ManifestState

RegistrationKey = tuple[UUID, UUID, UUID | None]
"""The asset that is read, the consumer team and the consumer asset."""
ALSO_READ = "also_read"
"""The member of a registration's dbt metadata that holds what exposures of other projects read; null is everything."""
KEPT_REASON = "the manifest holds no compiled query, so what an earlier one said stays"


@dataclass(frozen=True)
class CrossTeamRead:
    """What a model reads of a model of another team. `fields` None is everything, and `assumption` is the reason."""

    fqn: str
    upstream: str
    fields: tuple[str, ...] | None
    assumption: str | None = None


@dataclass(frozen=True)
class DeprecatedRead:
    """Something deprecated that a model, or exposures, start to read; `message` has `reads …` for people."""

    fqn: str
    upstream: str
    asset_id: UUID
    path: str
    sunset_at: datetime | None
    replacement: str | None
    message: str


@dataclass(frozen=True)
class DbtRegistration:
    """A registration that follows from a dbt manifest."""

    fields: tuple[str, ...] | None
    purpose: str | None
    meta: dict[str, Any]

    def columns(self, meta: Mapping[str, Any]) -> dict[str, Any]:
        """The columns of a registration that come from dbt, with the rest of its `meta`."""
        fields = None if self.fields is None else list(self.fields)
        return {"fields": fields, "purpose": self.purpose, "meta": {**meta, **self.meta}}


@dataclass(frozen=True)
class TableReader:
    """A reader of a table after the sync: its team, what it reads (None: everything), and what for.

    No contract has its `removed_fields` any more.
    """

    team_id: UUID
    fields: tuple[str, ...] | None
    purpose: str | None
    removed_fields: tuple[str, ...] = ()

    @classmethod
    def of(cls, reader: FieldReader, purpose: str | None) -> "TableReader":
        return cls(reader.team_id, reader.fields, purpose, reader.removed_fields)

    @property
    def field_reader(self) -> FieldReader:
        return FieldReader(self.team_id, self.fields, self.removed_fields)


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
    *,
    live: Iterable[Registration],
    cache: ManifestCache,
) -> DbtRegistrations:
    """Find what models read of other teams. Parsing their queries takes some milliseconds each.

    The columns of a model are those of the manifest and those of its active contract (`contract_columns`, by asset).
    A model without a compiled query keeps its `live` registrations on the tables that it still depends on.
    """
    readers = DbtRegistrations()
    registered = {(row.consumer_asset_id, row.asset_id): row for row in live if row.consumer_asset_id is not None}
    for model in models:
        upstream = [fqn for fqn in state.find_cross_team_upstream(model) if fqn in ids]
        if not upstream:
            continue
        usage = dict[str, ColumnUsage]()
        if model.compiled_code is None:
            rows = {fqn: registered[key] for fqn in upstream if (key := (ids[model.fqn], ids[fqn])) in registered}
            usage = {fqn: ColumnUsage(registrations.to_reader(row).fields, KEPT_REASON) for fqn, row in rows.items()}
        columns = {
            fqn: tuple(dict.fromkeys((*state.columns[fqn], *contract_columns.get(ids[fqn], ()))))
            for fqn in upstream
            if fqn not in usage
        }
        usage |= _find_usage(state, model, columns, cache)
        _add_reads(readers, state, ids, model, usage)
    return readers


def _find_usage(
    state: ManifestState, model: Model, columns: Mapping[str, tuple[str, ...]], cache: ManifestCache
) -> dict[str, ColumnUsage]:
    """Find the columns that the query reads of each table, under the name that the table has in the query."""
    key = (model.fqn, tuple((fqn, *names) for fqn, names in columns.items()))
    if (usage := cache.usage.get(key)) is None:
        by_query_name = {state.query_names.get(fqn, fqn): names for fqn, names in columns.items()}
        by_name = find_column_usage(model.compiled_code, state.manifest.adapter, by_query_name)
        usage = cache.usage[key] = {fqn: by_name[state.query_names.get(fqn, fqn)] for fqn in columns}
    return usage


def _add_reads(
    readers: DbtRegistrations,
    state: ManifestState,
    ids: Mapping[str, UUID],
    model: Model,
    usage: Mapping[str, ColumnUsage],
) -> None:
    metadata = {DBT: {"project": state.manifest.project, "unique_id": model.unique_id}}
    purpose = f"The dbt {model.resource_type} {model.name} reads it."
    for fqn, columns in usage.items():
        readers.reads.append(CrossTeamRead(model.fqn, fqn, columns.columns, columns.reason))
        key = (ids[fqn], state.owners[model.fqn], ids[model.fqn])
        readers.registrations[key] = DbtRegistration(columns.columns, purpose, metadata)


def find_exposure_reads(
    manifest: Manifest, exposures: Iterable[tuple[Exposure, UUID]], ids: Mapping[str, UUID], owners: Mapping[str, UUID]
) -> dict[RegistrationKey, DbtRegistration]:
    """Find what exposures read, each with its team; several of one team on one asset become one registration."""
    by_asset_and_team: dict[tuple[UUID, UUID], list[Exposure]] = defaultdict(list)
    fields: dict[tuple[UUID, UUID], list[tuple[str, ...] | None]] = defaultdict(list)
    for exposure, team in exposures:
        for fqn in exposure.depends_on:
            if fqn in ids and owners.get(fqn) != team:
                by_asset_and_team[ids[fqn], team].append(exposure)
                fields[ids[fqn], team].append((exposure.columns or {}).get(fqn))
    fields_by_key = {key: _join_fields(names) for key, names in fields.items()}
    registrations_by_key: dict[RegistrationKey, DbtRegistration] = {}
    for (asset, team), team_exposures in by_asset_and_team.items():
        names = sorted({exposure.name for exposure in team_exposures})
        metadata = {
            DBT: {"project": manifest.project, "exposures": sorted({exposure.unique_id for exposure in team_exposures})}
        }
        purpose = f"dbt {_describe_kind(team_exposures)}: {', '.join(names)[:1000]}."
        registrations_by_key[asset, team, None] = DbtRegistration(fields_by_key[asset, team], purpose, metadata)
    return registrations_by_key


def _join_fields(fields: Iterable[Sequence[str] | None]) -> tuple[str, ...] | None:
    """Return all of the fields, sorted; None if one of the readers reads everything."""
    joined: set[str] = set()
    for names in fields:
        if names is None:
            return None
        joined.update(names)
    return tuple(sorted(joined))


def _describe_kind(exposures: Sequence[Exposure]) -> str:
    kinds = {"metric", "semantic_model"}.intersection(exposure.type or "" for exposure in exposures)
    noun = kinds.pop().replace("_", " ") if len(kinds) == 1 and not _has_dashboards(exposures) else "exposure"
    return f"{noun}{'s' if len({exposure.name for exposure in exposures}) > 1 else ''}"


def _has_dashboards(exposures: Sequence[Exposure]) -> bool:
    return any(exposure.type not in {"metric", "semantic_model"} for exposure in exposures)


@dataclass(frozen=True)
class RegistrationChanges:
    """How the registrations change so that those of a manifest equal what it reads."""

    created: Mapping[RegistrationKey, DbtRegistration] = field(default_factory=dict[RegistrationKey, DbtRegistration])
    updated: Sequence[tuple[Registration, DbtRegistration]] = ()
    ended: Sequence[Registration] = ()

    @property
    def asset_ids(self) -> list[UUID]:
        """The assets that are read, sorted."""
        rows = (*(row for row, _ in self.updated), *self.ended)
        return sorted({key[0] for key in self.created} | {row.asset_id for row in rows})

    def select(self, is_selected: Callable[[UUID], bool]) -> "RegistrationChanges":
        """Return the changes for the assets that are selected."""
        return RegistrationChanges(
            {key: reader for key, reader in self.created.items() if is_selected(key[0])},
            [(row, reader) for row, reader in self.updated if is_selected(row.asset_id)],
            [row for row in self.ended if is_selected(row.asset_id)],
        )

    def split(self) -> "Mapping[UUID, RegistrationChanges]":
        """Return the changes by the asset that is read."""
        created: dict[UUID, dict[RegistrationKey, DbtRegistration]] = defaultdict(dict)
        updated: dict[UUID, list[tuple[Registration, DbtRegistration]]] = defaultdict(list)
        ended: dict[UUID, list[Registration]] = defaultdict(list)
        for key, reader in self.created.items():
            created[key[0]][key] = reader
        for row, reader in self.updated:
            updated[row.asset_id].append((row, reader))
        for row in self.ended:
            ended[row.asset_id].append(row)
        return {
            asset: RegistrationChanges(created[asset], updated[asset], ended[asset])
            for asset in {*created, *updated, *ended}
        }

    def apply_to(
        self, asset: UUID, live: Iterable[Registration], to_reader: Callable[[Registration], FieldReader]
    ) -> list[TableReader]:
        """Return the readers of an asset after the changes, from its live registrations before them."""
        ended_ids = {row.id for row in self.ended}
        new_fields = {row.id: reader for row, reader in self.updated}
        readers = [
            TableReader(team, reader.fields, reader.purpose)
            for (upstream, team, _), reader in self.created.items()
            if upstream == asset
        ]
        for row in live:
            if row.id in new_fields:
                readers.append(TableReader(row.consumer_team_id, new_fields[row.id].fields, new_fields[row.id].purpose))
            elif row.id not in ended_ids:
                readers.append(TableReader.of(to_reader(row), row.purpose))
        return readers


@dataclass(frozen=True)
class Consumers:
    """The consumers whose registrations follow a manifest: assets, and exposures of the project.

    `may_act_for` says whether the caller may act for a team, `owns_project` whether for the project. Registrations of
    the exposures `passed_over` stay.
    """

    may_act_for: Callable[[UUID], bool]
    owns_project: bool
    project: str | None
    asset_ids: frozenset[UUID]
    passed_over: frozenset[str]

    def includes(self, row: Registration) -> bool:
        """Whether the registration comes from dbt and from one of these consumers."""
        if row.evidence is not Evidence.DBT_MANIFEST or not self.owns_project:
            return False
        if row.consumer_asset_id is not None:
            return row.consumer_asset_id in self.asset_ids
        return self._is_own_exposure(row) and self.may_act_for(row.consumer_team_id)

    def _is_own_exposure(self, row: Registration) -> bool:
        from_dbt = _read_metadata(row)
        if self.project is None or from_dbt.get("project") != self.project:
            return False
        return self.passed_over.isdisjoint(_texts(from_dbt.get("exposures")))


def _texts(value: object) -> Collection[str]:
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else ()


def compare_registrations(
    readers: Mapping[RegistrationKey, DbtRegistration], live: Iterable[Registration], consumers: Consumers
) -> RegistrationChanges:
    """Compare what a manifest reads with the live registrations of its consumers.

    A registration that is not of these consumers, such as one that people declared, only gets the fields that it lacks:
    there is one for each team and consumer, and without them the team would not be asked about what it reads.
    """
    existing = {(row.asset_id, row.consumer_team_id, row.consumer_asset_id): row for row in live}
    created: dict[RegistrationKey, DbtRegistration] = {}
    updated: list[tuple[Registration, DbtRegistration]] = []
    for key, reader in readers.items():
        row = existing.pop(key, None)
        if row is None:
            created[key] = reader
            continue
        revised = _join_also_read(row, reader) if consumers.includes(row) else _add_fields(row, reader)
        if any(value != getattr(row, name) for name, value in revised.columns(row.meta).items()):
            updated.append((row, revised))
    ended = [row for row in existing.values() if consumers.includes(row) and not _has_also_read(row)]
    return RegistrationChanges(created, updated, ended)


def _add_fields(row: Registration, reader: DbtRegistration) -> DbtRegistration:
    """Return the registration with the fields of the reader.

    On that of the exposures of another project they are marked, so that a sync of that project keeps them.
    """
    fields, meta = registrations.to_reader(row).fields, dict[str, Any]()
    if row.evidence is Evidence.DBT_MANIFEST and row.consumer_asset_id is None:
        also_read = _join_fields([reader.fields, *_list_also_read(row)])
        meta = {DBT: {**_read_metadata(row), ALSO_READ: None if also_read is None else list(also_read)}}
    is_covered = fields is None or (reader.fields is not None and set(fields).issuperset(reader.fields))
    return DbtRegistration(fields if is_covered else _join_fields([fields, reader.fields]), row.purpose, meta)


def _join_also_read(row: Registration, reader: DbtRegistration) -> DbtRegistration:
    """Return the reader with what exposures of other projects read by the same registration."""
    if not _has_also_read(row):
        return reader
    meta = {DBT: {**reader.meta[DBT], ALSO_READ: _read_metadata(row)[ALSO_READ]}}
    return replace(reader, fields=_join_fields([reader.fields, *_list_also_read(row)]), meta=meta)


def _read_metadata(row: Registration) -> dict[str, Any]:
    """Return what comes from dbt in the metadata of a registration, which its team may have replaced."""
    from_dbt = row.meta.get(DBT)
    return from_dbt if isinstance(from_dbt, dict) else {}


def _has_also_read(row: Registration) -> bool:
    return ALSO_READ in _read_metadata(row)


def _list_also_read(row: Registration) -> list[Sequence[str] | None]:
    if not _has_also_read(row):
        return []
    names = _read_metadata(row)[ALSO_READ]
    return [None if names is None else tuple(_texts(names))]
