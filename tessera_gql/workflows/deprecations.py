"""Deprecate fields and assets, end deprecations, and remind their readers. Each command locks the asset first."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from tessera_gql.diff import small_schema_size
from tessera_gql.errors import Conflict, Invalid, NotFound
from tessera_gql.policy import deprecation
from tessera_gql.policy.access import Action, Actor
from tessera_gql.policy.affected_teams import FieldReader, require_declared_fields
from tessera_gql.policy.deprecation import MAX_FIELDS, WHOLE, DeprecationTerms
from tessera_gql.policy.deprecation_events import (
    DeprecationDeclared,
    DeprecationEnded,
    DeprecationReminder,
    DeprecationUpdated,
)
from tessera_gql.policy.enums import DeprecationOrigin
from tessera_gql.policy.event_changes import describe_changes, list_changed
from tessera_gql.store import assets, contracts, deprecations, registrations
from tessera_gql.store.assets import AssetRef
from tessera_gql.store.session import Session
from tessera_gql.store.tables import Asset, Deprecation, Registration, new_id
from tessera_gql.store.teams import TeamRef
from tessera_gql.workflows.downstream_deprecations import inform_downstream_at_commit
from tessera_gql.workflows.readers import load_readers
from tessera_gql.workflows.teams import require_owning_team

Terms = Mapping[str, DeprecationTerms]
"""What is announced, by path."""
ADVICE = "Leave `fields` out to deprecate the whole asset."


@dataclass(frozen=True)
class DeprecationRequest:
    """What a team deprecates: fields, or with None the whole asset."""

    fields: tuple[str, ...] | None
    terms: DeprecationTerms


@dataclass(frozen=True)
class ReadAsset:
    """An asset with what its readers read, to find those that a deprecation concerns."""

    asset: Asset
    readers: Sequence[FieldReader]

    def audience(self, path: str) -> frozenset[UUID]:
        owner = self.asset.owner_team_id
        return deprecation.find_readers(path, self.readers, owner) | {owner}


async def load_read_assets(session: Session, rows: Iterable[Asset]) -> dict[UUID, ReadAsset]:
    """Load what is read of assets, by id."""
    by_id = {asset.id: asset for asset in rows}
    readers = await load_readers(session, [*by_id], await registrations.list_live(session, [*by_id]))
    return {key: ReadAsset(asset, readers[key]) for key, asset in by_id.items()}


async def deprecate(
    session: Session, actor: Actor, ref: AssetRef, request: DeprecationRequest, *, team: TeamRef | None = None
) -> tuple[Asset, list[Deprecation]]:
    """Announce that fields or the asset go away; again changes the terms, and the same terms write nothing.

    A deprecation that a document stated belongs to the team from then on.
    """
    terms = deprecation.clean_terms(request.terms, session.now)
    asset = await assets.lock(session, ref)
    await require_owning_team(session, actor, Action.DEPRECATE, asset, f"deprecate {asset.fqn}", team)
    if asset.archived_at is not None:
        raise Conflict(f"{asset.fqn} is archived, so there is nothing to deprecate.", field=("asset",))
    paths = await _choose_paths(session, asset, request.fields)
    deprecation.require_other_replacement(terms.replacement, asset.fqn, paths)
    live = {row.path: row for row in await deprecations.list_live(session, [asset.id])}
    read = (await load_read_assets(session, [asset]))[asset.id]
    await declare(session, read, {path: terms for path in paths if path not in live}, DeprecationOrigin.DECLARED)
    for path in paths:
        if path in live:
            await update_terms(session, read, live[path], terms, DeprecationOrigin.DECLARED)
    return asset, [row for row in await deprecations.list_live(session, [asset.id]) if row.path in paths]


async def _choose_paths(session: Session, asset: Asset, fields: tuple[str, ...] | None) -> list[str]:
    if fields is None:
        return [WHOLE]
    paths = [*dict.fromkeys(fields)]
    if not 0 < len(paths) <= MAX_FIELDS:
        message = f"`fields` names {len(paths)} paths, but must name 1 to {MAX_FIELDS}. {ADVICE}"
        raise Invalid(message, field=("fields",))
    contract = await contracts.find_active(session, asset.id)
    if contract is None:
        raise Invalid(f"{asset.fqn} has no active contract, and so no fields. {ADVICE}", field=("fields",))
    if small_schema_size(contract.schema_def) is not None:
        require_declared_fields(paths, contract.schema_def, ADVICE)
    else:
        key = ("deprecated fields", contract.id, *paths)
        await session.compute(require_declared_fields, paths, contract.schema_def, ADVICE, key=key)
    return paths


async def declare(session: Session, read: ReadAsset, terms: Terms, origin: DeprecationOrigin) -> None:
    """Insert deprecations of an asset and inform the readers."""
    asset = read.asset
    rows = [
        {
            "id": new_id(),
            "asset_id": asset.id,
            "path": path,
            **item.as_columns(),
            "origin": origin,
            "declared_by": asset.owner_team_id,
            "declared_at": session.now,
            "ended_at": None,
            "reminded_days": deprecation.list_passed_reminders(item.sunset_at, session.now),
            "row_version": 1,
            "created_at": session.now,
        }
        for path, item in sorted(terms.items())
    ]
    for row in await session.insert_many(Deprecation, rows):
        record_declared(session, read, row)


def record_declared(session: Session, read: ReadAsset, row: Deprecation) -> None:
    event = DeprecationDeclared(
        **_subject(read, row),
        sunset_at=row.sunset_at,
        replacement=row.replacement,
        reason=row.reason,
        origin=row.origin,
    )
    session.record(event)
    inform_downstream_at_commit(session, row.id, event.audience_team_ids)


async def update_terms(
    session: Session, read: ReadAsset, row: Deprecation, terms: DeprecationTerms, origin: DeprecationOrigin
) -> None:
    """Change the terms of a deprecation and inform the readers; another sunset counts as announced now."""
    new_values = terms.as_columns() | {"origin": origin}
    values = {name: value for name, value in new_values.items() if value != getattr(row, name)}
    if not values:
        return
    further: dict[str, Any] = {"row_version": row.row_version + 1}
    if "sunset_at" in values:
        further["declared_at"] = session.now
        further["reminded_days"] = deprecation.list_passed_reminders(terms.sunset_at, session.now)
    await session.update_row(Deprecation, row.id, **values, **further)
    changed, changes = list_changed(values), describe_changes(row, values)
    session.record(DeprecationUpdated(**_subject(read, row), changed=changed, changes=changes))


async def end(session: Session, read: ReadAsset, rows: Sequence[Deprecation], reason: str) -> None:
    """End deprecations and inform the readers."""
    for row in rows:
        await session.update_row(Deprecation, row.id, ended_at=session.now, row_version=row.row_version + 1)
        session.record(DeprecationEnded(**_subject(read, row), reason=reason))


def _subject(read: ReadAsset, row: Deprecation) -> dict[str, Any]:
    return {
        "audience_team_ids": read.audience(row.path),
        "asset_id": row.asset_id,
        "deprecation_id": row.id,
        "path": row.path or None,
    }


async def end_deprecation(
    session: Session, actor: Actor, ref: AssetRef, fields: tuple[str, ...] | None, *, team: TeamRef | None = None
) -> tuple[Asset, list[Deprecation]]:
    """Withdraw the deprecations of these fields, or with None that of the whole asset.

    One that a document states ends there: the next version of the document would bring it back.
    """
    asset = await assets.lock(session, ref)
    action = Action.END_DEPRECATION
    await require_owning_team(session, actor, action, asset, f"end a deprecation of {asset.fqn}", team)
    live = {row.path: row for row in await deprecations.list_live(session, [asset.id])}
    rows = [_require_declared(asset, path, live) for path in dict.fromkeys([WHOLE] if fields is None else fields)]
    if not rows:
        raise Invalid("`fields` is empty. Name the fields, or leave it out for the whole asset.", field=("fields",))
    read = (await load_read_assets(session, [asset]))[asset.id]
    await end(session, read, rows, "withdrawn by the owning team")
    return asset, await deprecations.by_ids(session, [row.id for row in rows])


def _require_declared(asset: Asset, path: str, live: Mapping[str, Deprecation]) -> Deprecation:
    name = deprecation.name_of(asset.fqn, path)
    if (row := live.get(path)) is None:
        listed = ", ".join(deprecation.name_of(asset.fqn, deprecated) for deprecated in [*live][:3])
        hint = f" Deprecated are: {listed}." if listed else f" Nothing of {asset.fqn} is."
        raise NotFound(f"{name} is not deprecated.{hint}", field=("fields",))
    if row.origin is not DeprecationOrigin.DECLARED:
        source = "the schema" if row.origin is DeprecationOrigin.SCHEMA else "the dbt manifest"
        raise Conflict(f"The deprecation of {name} comes from {source}. Remove it there, and publish or sync that.")
    return row


async def send_reminder(session: Session, deprecation_id: UUID) -> bool:
    """Send the reminder that is due, under the asset's lock, so that of several workers one sends it."""
    asset = await assets.lock(session, AssetRef(id=(await deprecations.get(session, deprecation_id)).asset_id))
    row = await deprecations.get(session, deprecation_id)
    days = deprecation.find_due_reminder(row.sunset_at, row.reminded_days, session.now)
    if row.ended_at is not None or days is None or row.sunset_at is None:
        return False
    passed = deprecation.list_passed_reminders(row.sunset_at, session.now)
    await session.update_row(Deprecation, row.id, reminded_days=passed)
    read = (await load_read_assets(session, [asset]))[asset.id]
    if not deprecation.find_readers(row.path, read.readers, asset.owner_team_id):
        return False
    event = DeprecationReminder(
        **_subject(read, row), sunset_at=row.sunset_at, replacement=row.replacement, days_before=days
    )
    session.record(event)
    return True


async def load_warnings(session: Session, registration: Registration) -> list[str]:
    """Describe what a registration reads that is deprecated."""
    live = await deprecations.list_live(session, [registration.asset_id])
    read = deprecation.find_read(live, registrations.to_reader(registration).fields)
    if not read:
        return []
    (asset,) = await assets.by_ids(session, [registration.asset_id])
    if asset.owner_team_id == registration.consumer_team_id:
        return []
    warnings = [f"The team reads {deprecation.describe(asset.fqn, item, session.now)}." for item in read]
    if (further := len(warnings) - deprecation.MAX_WARNINGS) > 0:
        warnings[deprecation.MAX_WARNINGS :] = [f"The team reads {further} more deprecated fields."]
    return warnings
