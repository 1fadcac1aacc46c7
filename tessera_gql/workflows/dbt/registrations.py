"""Write the registrations that follow from a dbt manifest."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from tessera_gql.policy.enums import Evidence, RegistrationStatus
from tessera_gql.store.session import Session
from tessera_gql.store.tables import Registration, new_id
from tessera_gql.workflows import registrations
from tessera_gql.workflows.dbt.column_lineage import describe_evidence
from tessera_gql.workflows.dbt.plan import ManifestPlan
from tessera_gql.workflows.dbt.readers import DbtRegistration, RegistrationChanges, RegistrationKey
from tessera_gql.workflows.debts import settle_corrected
from tessera_gql.workflows.proposal_lifecycle import update_upstream_proposals
from tessera_gql.workflows.reopening import Registrants


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
        evidence = describe_evidence(plan.state.manifest.project)
        team_ids = {team for _, team, _ in changes.created} | {row.consumer_team_id for row, _ in changes.updated}
        registrants = Registrants(frozenset(team_ids), plan.actor.is_admin, is_sync=True)
        await update_upstream_proposals(session, changed_assets, evidence, registrants, includes_assets=True)


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
        "updated_at": session.now,
    }
