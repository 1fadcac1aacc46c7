"""Settle the debts of forced publishes by the answers of their teams."""

from uuid import UUID

from tessera_gql.errors import Conflict
from tessera_gql.policy import validation
from tessera_gql.policy.access import Action, Actor, authorize
from tessera_gql.policy.enums import DebtKind
from tessera_gql.store import assets, debts
from tessera_gql.store.assets import AssetRef
from tessera_gql.store.session import Session
from tessera_gql.store.tables import Debt
from tessera_gql.workflows.debts import settle_rows
from tessera_gql.workflows.proposal_lifecycle import update_upstream_proposals


async def acknowledge(session: Session, actor: Actor, debt_id: UUID, *, notes: str | None = None) -> Debt:
    """Settle a debt of a forced publish, as the team that was not asked. Other debts end with the registration.

    Open proposals no longer ask the team because of it.
    """
    debt = await debts.get(session, debt_id)
    authorize(actor, Action.ACKNOWLEDGE_DEBT, debt.team_id)
    asset = await assets.lock(session, AssetRef(id=debt.asset_id))
    debt = await debts.get(session, debt_id)
    if debt.settled_at is not None:
        raise Conflict("This debt is settled already.")
    if debt.kind is not DebtKind.FORCED:
        raise Conflict(
            f"{asset.fqn} does not have the field {debt.path}. Change the fields of the team's registration or"
            " unregister; that settles the debt."
        )
    clean_notes = validation.clean_text(notes, "notes")
    await settle_rows(
        session, [debt], {asset.id: asset.owner_team_id}, {asset.id: "the team acknowledged it"}, clean_notes
    )
    await update_upstream_proposals(session, [asset.id], includes_assets=True)
    return await debts.get(session, debt_id)
