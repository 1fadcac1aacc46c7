"""Demo data: a garden shop's dbt project, four teams with registrations, and a pending proposal."""

from pathlib import Path
from typing import Any

from tessera_gql.cli.terminal import print_note
from tessera_gql.formats import dbt
from tessera_gql.policy.access import ANONYMOUS
from tessera_gql.policy.enums import Response
from tessera_gql.store import contracts, teams
from tessera_gql.store.assets import AssetRef, get
from tessera_gql.store.database import Database
from tessera_gql.store.session import Session
from tessera_gql.store.teams import TeamRef
from tessera_gql.workflows import proposals, registrations
from tessera_gql.workflows import teams as team_verbs
from tessera_gql.workflows.dbt import sync
from tessera_gql.workflows.dbt.options import SyncOptions
from tessera_gql.workflows.proposals import AcknowledgmentInput
from tessera_gql.workflows.publishing import PublishRequest, publish_contract
from tessera_gql.workflows.registrations import RegistrationDetails

MANIFEST = Path(__file__).with_name("shop_manifest.json")
TEAMS = ("shop-platform", "finance", "growth", "support")
REGISTRATIONS: tuple[tuple[str, str, tuple[str, ...] | None, str], ...] = (
    ("analytics.marts.orders", "finance", ("order_id", "total_amount", "ordered_at"), "The monthly closing."),
    ("analytics.marts.orders", "growth", ("order_id", "discount_code"), "Which campaigns pay."),
    ("analytics.marts.orders", "support", None, "The agents' screen shows everything."),
    ("analytics.marts.customers", "finance", ("customer_id", "country"), "Tax by country."),
    ("raw.shop.payments", "finance", None, "Reconciliation with the bank."),
)
ORDERS = "analytics.marts.orders"
FIRST_QUERY = "{ proposals(first: 5) { nodes { asset { fqn } status breakingChanges { message } awaiting { name } } } }"


async def seed(url: str) -> None:
    """Insert the demo data in one transaction; does nothing if the database has it already."""
    database = Database(url)
    try:
        async with database.write("demo") as session:
            if await teams.find(session, TeamRef(name=TEAMS[0])):
                print_note(("The demo shop is there already.", "dim"))
                return
            await _build(session)
        print_note(("A demo shop was built: 14 tables, 4 teams, and a proposal that waits for one of them.", "dim"))
    finally:
        await database.dispose()


async def _build(session: Session) -> None:
    for name in TEAMS:
        await team_verbs.create(session, ANONYMOUS, name=name)
    manifest = dbt.parse_manifest(MANIFEST.read_bytes())
    await sync.sync_manifest(session, ANONYMOUS, manifest, SyncOptions(owner=TeamRef(name=TEAMS[0])))
    for fqn, team, fields, purpose in REGISTRATIONS:
        details = RegistrationDetails(fields=fields, purpose=purpose)
        await registrations.register(session, ANONYMOUS, AssetRef(fqn=fqn), team=TeamRef(name=team), details=details)
    await _publish(session, "analytics.marts.customers", added={"segment": {"type": "string"}})
    reason = "Discounts move to a table of their own, analytics.marts.order_discounts."
    proposal_id = await _publish(session, ORDERS, removed="discount_code", reason=reason)
    await proposals.acknowledge(
        session,
        ANONYMOUS,
        proposal_id,
        team=TeamRef(name="growth"),
        answer=AcknowledgmentInput(Response.APPROVED, notes="The autumn campaign reads order_discounts already."),
    )


async def _publish(
    session: Session, fqn: str, *, added: dict[str, Any] | None = None, removed: str = "", reason: str | None = None
) -> Any:
    """Publish an asset's schema with an added or removed column; return the id of the proposal, if one is needed."""
    asset = await get(session, AssetRef(fqn=fqn))
    current = await contracts.find_active(session, asset.id)
    schema = dict(current.schema_def if current else {})
    columns = schema["properties"] | (added or {})
    schema["properties"] = {name: column for name, column in columns.items() if name != removed}
    request = PublishRequest(schema=schema, reason=reason)
    result = await publish_contract(session, ANONYMOUS, AssetRef(id=asset.id), request)
    return result.proposal.id if result.proposal else None
