"""Write the registrations that follow from a dbt manifest."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from tessera_gql.policy.enums import Evidence, RegistrationStatus, ReleaseKind
from tessera_gql.store import assets, proposals
from tessera_gql.store.session import Session
from tessera_gql.store.tables import Registration, new_id
from tessera_gql.workflows import proposal_lifecycle, registrations
from tessera_gql.workflows.acknowledgment_requests import ReleaseEvidence
from tessera_gql.workflows.dbt.plan import ManifestPlan
from tessera_gql.workflows.dbt.readers import DbtRegistration, RegistrationChanges, RegistrationKey
from tessera_gql.workflows.debts import settle_corrected


async def apply_registrations(session: Session, plan: ManifestPlan, changes: RegistrationChanges) -> None:
    """Create, update and end registrations, then settle debts and ask the teams of open proposals."""
    owners = plan.owners_by_asset
    for row, reader in changes.updated:
        await registrations.update_columns(session, row, _owner(row, owners), reader.columns(row.meta))
    for row in changes.ended:
        await registrations.end(session, row, _owner(row, owners))
    created_rows = await session.insert_many(
        Registration,
        [_registration_values(session, key, reader) for key, reader in changes.created.items()],
        conflict_message="One of these teams registered at this moment.",
    )
    for row in created_rows:
        registrations.record_created(session, row, _owner(row, owners))
    if changed_assets := changes.asset_ids:
        await settle_corrected(session, changed_assets)
        proposed_assets = [row.asset_id for row in await proposals.list_open(session, changed_assets)]
        for asset in await assets.by_ids(session, proposed_assets):
            await proposal_lifecycle.update_asked_teams(session, asset, _describe_evidence(plan))


def _describe_evidence(plan: ManifestPlan) -> ReleaseEvidence:
    """Return the proof that a synced manifest is: its project, and the change set of the sync."""
    project, change_set = plan.state.manifest.project, plan.options.change_set
    parts = [f"project {project}" if project else "a project without a name"]
    parts += [f"change set {change_set.key}"] if change_set else []
    return ReleaseEvidence(ReleaseKind.MANIFEST, ", ".join(parts))


def _owner(row: Registration, owners: Mapping[UUID, UUID]) -> UUID:
    return owners.get(row.asset_id, row.consumer_team_id)


def _registration_values(session: Session, key: RegistrationKey, reader: DbtRegistration) -> dict[str, Any]:
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
