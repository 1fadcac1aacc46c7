"""Deprecations in a dbt project: those that a manifest states, those that its models start to read, and versions."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from tessera_gql.formats.dbt import Model
from tessera_gql.policy import deprecation
from tessera_gql.policy.access import may_sync_table
from tessera_gql.policy.event_changes import describe_changes, list_changed
from tessera_gql.policy.events import AssetUpdated
from tessera_gql.store import assets, deprecations, registrations
from tessera_gql.store.dbt import DBT
from tessera_gql.store.session import Session
from tessera_gql.store.tables import Asset, Deprecation
from tessera_gql.workflows.dbt.plan import ManifestPlan
from tessera_gql.workflows.dbt.readers import DbtRegistration, DeprecatedRead, RegistrationKey
from tessera_gql.workflows.imported_deprecations import follow_manifest

Deprecated = Mapping[UUID, Sequence[Deprecation]]
"""The live deprecations by asset."""


async def load_deprecated(session: Session, plan: ManifestPlan) -> Deprecated:
    """Load the deprecations of what the written models and the exposures of a plan may read."""
    manifest = plan.state.manifest
    exposures = (*manifest.exposures, *manifest.semantic_consumers)
    fqns = {fqn for model in plan.written_models for fqn in model.depends_on}
    fqns |= {fqn for exposure in exposures for fqn in exposure.depends_on}
    read = {plan.ids[fqn] for fqn in fqns if fqn in plan.ids} - {plan.ids[model.fqn] for model in plan.new_models}
    groups: dict[UUID, list[Deprecation]] = {}
    for row in await deprecations.list_live(session, sorted(read)) if read else ():
        groups.setdefault(row.asset_id, []).append(row)
    return groups


def find_deprecated_reads(plan: ManifestPlan, deprecated: Deprecated, now: datetime) -> tuple[DeprecatedRead, ...]:
    """Find what is deprecated and not read yet, but read after a sync of the plan.

    What a registration of the same team read that ends with the sync is not new: its model was only renamed.
    """
    changes, names = plan.registrations, {asset: fqn for fqn, asset in plan.ids.items()}
    former = {
        (row.consumer_team_id, item.id)
        for row in changes.ended
        for item in deprecation.find_read(deprecated.get(row.asset_id, ()), registrations.to_reader(row).fields)
    }
    started: list[tuple[RegistrationKey, DbtRegistration, set[UUID]]] = [
        (key, reader, {item for team, item in former if team == key[1]}) for key, reader in changes.created.items()
    ]
    for row, reader in changes.updated:
        live, fields = deprecated.get(row.asset_id, ()), registrations.to_reader(row).fields
        before = {item.id for item in deprecation.find_read(live, fields)}
        started.append(((row.asset_id, row.consumer_team_id, row.consumer_asset_id), reader, before))
    assumptions = {(read.fqn, read.upstream): read.assumption for read in plan.reads}
    reads: list[DeprecatedRead] = []
    for (asset, _, consumer), reader, before in started:
        upstream = names.get(asset, "")
        table_name = names.get(consumer) if consumer is not None else None
        fqn = table_name or ", ".join(_name_exposures(reader))
        for item in deprecation.find_read(deprecated.get(asset, ()), reader.fields):
            if item.id not in before:
                message = f"reads {deprecation.describe(upstream, item, now)}"
                if reader.fields is None and (assumption := assumptions.get((fqn, upstream))):
                    message += f" ({assumption})"
                reads.append(DeprecatedRead(fqn, upstream, asset, item.path, item.sunset_at, item.replacement, message))
    return tuple(sorted(reads, key=lambda read: (read.fqn, read.upstream, read.path)))


def _name_exposures(reader: DbtRegistration) -> Iterable[str]:
    names: Any = reader.meta.get(DBT, {}).get("exposures", ())
    return map(str, names)


async def load_deprecated_ids(session: Session, asset_ids: Iterable[UUID]) -> frozenset[UUID]:
    """Return which of the assets have deprecations."""
    return frozenset(row.asset_id for row in await deprecations.list_live(session, [*asset_ids]))


async def follow_models(
    session: Session,
    plan: ManifestPlan,
    models: Sequence[tuple[Model, Asset]],
    deprecated_ids: Collection[UUID] = frozenset(),
) -> None:
    """Import the deprecations of written models, end those that the manifest no longer states, and link versions."""
    stated = [
        (asset, _read_terms(model)) for model, asset in models if model.deprecations or asset.id in deprecated_ids
    ]
    if stated:
        await follow_manifest(session, stated)
    await _link_versions(session, plan, [model for model, _ in models])


def _read_terms(model: Model) -> dict[str, deprecation.DeprecationTerms]:
    """Return the stated terms by path; a column is spelled as in the contract."""
    spelled = {name.lower(): name for name in model.columns}
    return {
        spelled.get(name.lower(), name): deprecation.read_terms(item["sunset"], item["replacement"])
        for name, item in model.deprecations.items()
    }


async def _link_versions(session: Session, plan: ManifestPlan, models: Sequence[Model]) -> None:
    """Link the assets of a model's versions to that of its latest one, as far as they exist by now."""
    names = {_base_name(model) for model in models if model.version and model.latest_version}
    if not names:
        return
    versions = [model for model in plan.state.manifest.models if model.version and model.fqn in plan.ids]
    ids = {plan.ids[model.fqn]: model for model in versions if _base_name(model) in names}
    rows = {asset.id: asset for asset in await assets.by_ids(session, [*ids])}
    latest = {_base_name(ids[key]): key for key in rows if ids[key].version == ids[key].latest_version}
    for key, asset in rows.items():
        successor = latest.get(_base_name(ids[key]))
        if successor is not None and may_sync_table(plan.actor, asset.fqn, asset.owner_team_id):
            await _link(session, asset, None if successor == key else successor)


def _base_name(model: Model) -> str:
    """Return the `unique_id` of a model without its last part, which is the version."""
    return model.unique_id.removesuffix(f".v{model.version}")


async def _link(session: Session, asset: Asset, successor: UUID | None) -> None:
    values = {"superseded_by_id": successor}
    if asset.superseded_by_id == successor:
        return
    await session.update_row(Asset, asset.id, **values, row_version=asset.row_version + 1)
    event = AssetUpdated(
        audience_team_ids=frozenset({asset.owner_team_id}),
        asset_id=asset.id,
        changed=list_changed(values),
        changes=describe_changes(asset, values),
    )
    session.record(event)
