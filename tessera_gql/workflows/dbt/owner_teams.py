"""Create the owner teams that a manifest names and that do not exist."""

from tessera_gql.formats.dbt import Manifest
from tessera_gql.store.session import Session
from tessera_gql.workflows.dbt import owners as manifest_owners
from tessera_gql.workflows.dbt.plan import ManifestPlan
from tessera_gql.workflows.dbt.state import load_state


async def create_teams(session: Session, manifest: Manifest, plan: ManifestPlan) -> int:
    """Create the missing owner teams of a plan, which must be made again afterwards; return their number."""
    state = await load_state(session, manifest)
    return await manifest_owners.create_missing_teams(session, plan.actor, state, plan.options.owner_rules)
