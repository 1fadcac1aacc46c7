"""Demo data: a garden shop's dbt project, teams that read it, observed reads, and changes that wait for teams."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from tessera_gql.cli.terminal import print_note
from tessera_gql.formats import dbt
from tessera_gql.formats.usage_formats import UsageFormat
from tessera_gql.policy.access import ANONYMOUS
from tessera_gql.policy.deprecation import DeprecationTerms
from tessera_gql.policy.enums import Response
from tessera_gql.store import contracts, teams
from tessera_gql.store.assets import AssetRef, get
from tessera_gql.store.database import Database
from tessera_gql.store.session import Session
from tessera_gql.store.teams import TeamRef
from tessera_gql.store.usage import UsageSourceRef
from tessera_gql.workflows import change_sets, proposals, registrations, usage_sources
from tessera_gql.workflows import teams as team_verbs
from tessera_gql.workflows.change_sets import ChangeSetRequest
from tessera_gql.workflows.dbt import sync
from tessera_gql.workflows.dbt.options import SyncOptions
from tessera_gql.workflows.deprecations import DeprecationRequest, deprecate
from tessera_gql.workflows.proposals import AcknowledgmentInput
from tessera_gql.workflows.publishing import PublishRequest, publish_contract
from tessera_gql.workflows.registrations import RegistrationDetails
from tessera_gql.workflows.usage_import import create_partitions, finish_import, import_batch, plan_import
from tessera_gql.workflows.usage_log import UsageDocument, collect_reads

MANIFEST = Path(__file__).with_name("shop_manifest.json")
TEAMS = ("shop-platform", "finance", "growth", "support")
ORDERS, CUSTOMERS = "analytics.marts.orders", "analytics.marts.customers"
PAYMENTS, SALES = "raw.shop.payments", "analytics.marts.product_sales"
REGISTRATIONS: tuple[tuple[str, str, tuple[str, ...] | None, str], ...] = (
    (ORDERS, "finance", ("order_id", "total_amount", "ordered_at"), "The monthly closing."),
    (ORDERS, "growth", ("order_id", "discount_code"), "Which campaigns pay."),
    (ORDERS, "support", None, "The agents' screen shows everything."),
    (CUSTOMERS, "finance", ("customer_id", "country"), "Tax by country."),
    (CUSTOMERS, "support", ("customer_id", "first_order_at"), "First buyers are greeted."),
    (PAYMENTS, "finance", None, "Reconciliation with the bank."),
)
SOURCE = "warehouse"
PRINCIPALS = (("finance_*", "finance"), ("growth_*", "growth"), ("agents_screen", "support"))
READS: tuple[tuple[str, str, tuple[str, ...], int, int], ...] = (
    ("finance_closing", ORDERS, ("order_id", "total_amount", "ordered_at"), 100, 0),
    ("growth_notebook", ORDERS, ("order_id",), 100, 0),
    ("growth_notebook", ORDERS, ("discount_code",), 100, 16),
    ("agents_screen", ORDERS, ("order_id", "customer_id", "status", "discount_code"), 100, 0),
    ("finance_tax", CUSTOMERS, ("customer_id", "country"), 100, 6),
    ("agents_screen", CUSTOMERS, ("customer_id",), 100, 0),
    ("growth_notebook", SALES, ("sku", "units"), 100, 0),
    ("bi_support", SALES, ("sku", "revenue"), 40, 0),
    ("finance_closing", PAYMENTS, ("payment_id", "order_id", "amount", "method", "paid_at"), 100, 0),
)
"""Daily reads: the principal, the asset, its columns, and how many days ago they began and ended."""
COVERED_DAYS = 100
CHANGE_SET = "github.com/fernhill/warehouse#412"
BUILT = (
    "A demo shop was built: 14 tables, 4 teams, 100 days of reads, and 3 proposals: one waits, one is blocked, and for"
    " one a team migrates."
)
FIRST_QUERY = "{ proposals(first: 5) { nodes { asset { fqn } status breakingChanges { message } awaiting { name } } } }"


async def seed(url: str) -> None:
    """Insert the demo data; does nothing if the database has it already, and completes what was interrupted."""
    database = Database(url)
    try:
        if await _is_complete(database):
            print_note(("The demo shop is there already.", "dim"))
            return
        async with database.write("demo") as session:
            if await teams.find(session, TeamRef(name=TEAMS[0])) is None:
                await _build(session)
        await _import_reads(database)
        async with database.write("demo") as session:
            await _propose_changes(session)
        print_note((BUILT, "dim"))
    finally:
        await database.dispose()


async def _is_complete(database: Database) -> bool:
    """Return whether the last transaction is there, which published a contract beside the first one."""
    async with database.read() as session:
        if await teams.find(session, TeamRef(name=TEAMS[0])) is None:
            return False
        asset = await get(session, AssetRef(fqn=CUSTOMERS))
        active = await contracts.find_active(session, asset.id)
    return active is not None and "segment" in active.schema_def["properties"]


async def _build(session: Session) -> None:
    """Create the teams, the tables with their lineage, the registrations, and the source of observed reads."""
    for name in TEAMS:
        await team_verbs.create(session, ANONYMOUS, name=name)
    manifest = dbt.parse_manifest(MANIFEST.read_bytes())
    await sync.sync_manifest(session, ANONYMOUS, manifest, SyncOptions(owner=TeamRef(name=TEAMS[0])))
    for fqn, team, fields, purpose in REGISTRATIONS:
        details = RegistrationDetails(fields=fields, purpose=purpose)
        await registrations.register(session, ANONYMOUS, AssetRef(fqn=fqn), team=TeamRef(name=team), details=details)
    await usage_sources.create_source(session, ANONYMOUS, name=SOURCE)
    for pattern, team in PRINCIPALS:
        await usage_sources.map_principal(session, ANONYMOUS, pattern=pattern, team=TeamRef(name=team))


async def _import_reads(database: Database) -> None:
    """Import the log of the warehouse, as the mutation does; again it changes nothing."""
    now = database.clock()
    text = "\n".join(["principal,asset,field,read_at", *_write_log(now), ""])
    log = collect_reads(UsageDocument(text.encode(), UsageFormat.CSV), now)
    covers = (now - timedelta(days=COVERED_DAYS), now)
    async with database.read() as session:
        plan = await plan_import(session, ANONYMOUS, UsageSourceRef(name=SOURCE), log, covers)
    if plan.months:
        async with database.write("demo") as session:
            plan = await create_partitions(session, plan)
    while plan.batches:
        async with database.write("demo") as session:
            plan = await import_batch(session, ANONYMOUS, plan)
    async with database.write("demo") as session:
        await finish_import(session, ANONYMOUS, plan)


def _write_log(now: datetime) -> Iterator[str]:
    for principal, fqn, columns, first_day, last_day in READS:
        for days in range(last_day, first_day):
            moment = (now - timedelta(days=days, hours=3)).isoformat()
            yield from (f"{principal},{fqn},{column},{moment}" for column in columns)


async def _propose_changes(session: Session) -> None:
    """Publish a compatible change, announce a deprecation, and propose changes that wait, are blocked, and migrate."""
    await _publish(session, CUSTOMERS, added={"segment": {"type": "string"}})
    terms = DeprecationTerms(session.now + timedelta(days=60), "segment", "The segment distinguishes new buyers.")
    await deprecate(session, ANONYMOUS, AssetRef(fqn=CUSTOMERS), DeprecationRequest(("first_order_at",), terms))
    request = ChangeSetRequest(
        CHANGE_SET, title="Discounts get a table of their own", url="https://github.com/fernhill/warehouse/pull/412"
    )
    change_set_id = (await change_sets.open_change_set(session, ANONYMOUS, request)).id
    reason = "Discounts move to a table of their own, analytics.marts.order_discounts."
    orders = await _publish(session, ORDERS, removed="discount_code", reason=reason, change_set_id=change_set_id)
    await _answer(session, orders, "growth", Response.APPROVED, "The autumn campaign reads order_discounts already.")
    reason = "The new payment provider does not say how people pay."
    payments = await _publish(session, PAYMENTS, removed="method", reason=reason)
    note = "The bank statement is split by method. We need the provider's fee class first."
    await _answer(session, payments, "finance", Response.BLOCKED, note)
    reason = "The country of the delivery replaces the country of the customer."
    customers = await _publish(session, CUSTOMERS, removed="country", reason=reason)
    deadline = session.now + timedelta(days=21)
    await _answer(session, customers, "finance", Response.MIGRATING, "The tax report moves this month.", deadline)


async def _answer(
    session: Session, proposal_id: UUID, team: str, response: Response, notes: str, deadline: datetime | None = None
) -> None:
    answer = AcknowledgmentInput(response, deadline, notes)
    await proposals.acknowledge(session, ANONYMOUS, proposal_id, team=TeamRef(name=team), answer=answer)


async def _publish(
    session: Session, fqn: str, *, added: dict[str, Any] | None = None, removed: str = "", **details: Any
) -> Any:
    """Publish an asset's schema with an added or removed column; return the id of the proposal, if one is needed."""
    asset = await get(session, AssetRef(fqn=fqn))
    current = await contracts.find_active(session, asset.id)
    schema = dict(current.schema_def if current else {})
    columns = schema["properties"] | (added or {})
    schema["properties"] = {name: column for name, column in columns.items() if name != removed}
    request = PublishRequest(schema=schema, **details)
    result = await publish_contract(session, ANONYMOUS, AssetRef(id=asset.id), request)
    return result.proposal.id if result.proposal else None
