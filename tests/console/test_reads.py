"""The pages show what usage sources have seen: coverage, last reads, migrations, suggestions; and what comes next."""

import base64
from datetime import timedelta

import pytest

from tessera_gql.notifications.log_verification import verify_new_events
from tessera_gql.policy.access import ANONYMOUS, Scope
from tessera_gql.policy.deprecation import DeprecationTerms
from tessera_gql.policy.enums import AssetTier, DeliveryStatus, Response
from tessera_gql.store.assets import AssetRef
from tessera_gql.store.tables import WebhookDelivery
from tessera_gql.store.teams import TeamRef
from tessera_gql.workflows import webhooks
from tessera_gql.workflows.ask_policies import set_policy
from tessera_gql.workflows.deprecations import DeprecationRequest, deprecate
from tessera_gql.workflows.webhooks import WebhookRequest
from tests.conftest import FixedClock, statements
from tests.console.conftest import ADMIN_KEY, Shop, build_shop, open_console
from tests.console.test_pages import HOSTILE, STATEMENTS, count_queries
from tests.workflows.usage_logs import import_log, log_of, map_principal, usage_source
from tests.world import without

DAY = timedelta(days=1)


async def see_reads(shop: Shop, clock: FixedClock, *reads: tuple[str, str], days: int = 10) -> None:
    """Let days pass in which principals read columns of the orders, and import the log."""
    start = clock.now
    clock.advance(days=days)
    log = log_of(*((principal, column, start + DAY) for principal, column in reads), asset=shop.orders.fqn)
    await import_log(shop.world, log, covers=(start, clock.now))


async def watch(shop: Shop, clock: FixedClock) -> None:
    """A source sees finance read a column, and a principal of no team another one."""
    await usage_source(shop.world)
    await map_principal(shop.world, "fin_*", shop.finance)
    await see_reads(shop, clock, ("fin_batch", "note"), ("support_bot", "total"))


async def stop_reading(shop: Shop) -> None:
    """End the registration of support, which is for all columns of the orders."""
    (registration,) = [row for row in await shop.world.registrations() if row.consumer_team_id == shop.support.id]
    await shop.world.unregister(registration)


async def test_the_asset_shows_coverage_with_the_probable_team_of_unmapped_principals(
    shop: Shop, clock: FixedClock
) -> None:
    await watch(shop, clock)
    await stop_reading(shop)
    text = (await (await shop.signed_in(shop.owner)).get("/assets/marts.orders")).text
    assert "1 source (snowflake)" in text
    assert "support_bot" in text
    assert "Probably of" in text
    assert "the name contains support, the name of the team" in text
    assert text.count("9 days ago") >= 2
    assert "never seen" in text
    assert "The logs do not cover that time" in text


async def test_a_column_that_nobody_reads_for_90_covered_days_is_called_unused(shop: Shop, clock: FixedClock) -> None:
    await watch(shop, clock)
    await see_reads(shop, clock, ("fin_batch", "total"), days=91)
    text = (await (await shop.signed_in(shop.owner)).get("/assets/marts.orders")).text
    assert "Every column is read or declared." in text  # support is registered for all
    await stop_reading(shop)
    text = (await (await shop.signed_in(shop.owner)).get("/assets/marts.orders")).text
    assert "For 90 days no principal was seen reading, and no team declares," in text
    assert "<code>coupon</code>" in text


async def test_the_proposal_shows_who_is_not_asked_the_blame_and_what_comes_next(shop: Shop, clock: FixedClock) -> None:
    await watch(shop, clock)
    await shop.world.register(shop.orders, await shop.world.team("ops"), "total")
    text = (await (await shop.signed_in(shop.owner)).get(shop.proposal_path(shop.proposals[0]))).text
    assert "1 not asked, and why" in text
    assert "Reads <code>total</code>, which does not break." in text
    assert "<code>note</code> since 1.0.0" in text
    future = text[text.index("What happened") :]
    assert future.count('class="next"') >= 2
    assert "Does any other team read it?" in text


async def test_a_migration_shows_when_quiet_can_prove_it(shop: Shop, clock: FixedClock) -> None:
    await watch(shop, clock)
    deadline = clock.now + timedelta(days=15)
    await shop.world.answer(shop.proposals[0], shop.finance, Response.MIGRATING, deadline)
    await see_reads(shop, clock, days=3)
    browser = await shop.signed_in(shop.finance)
    for path in (shop.proposal_path(shop.proposals[0]), shop.team_path(shop.finance), "/"):
        text = (await browser.get(path)).text
        assert "Quiet since" in text, path
        assert "at the earliest, if nothing is read until then" in text, path
    assert "Move off" in (await browser.get(shop.team_path(shop.finance))).text


async def test_a_held_proposal_says_which_coverage_is_missing(shop: Shop) -> None:
    async with shop.components.database.write() as session:
        await set_policy(session, ANONYMOUS, AssetTier.NORMAL, {"require_coverage_days": 30})
    table = await shop.world.published()
    proposal = (await shop.world.publish(table, without("note"))).proposal
    assert proposal
    page = await (await shop.signed_in(None, Scope.ADMIN)).get(shop.proposal_path(proposal))
    assert "No team keeps it, and still it waits" in page.text
    assert "o usage source has seen a read of it" in page.text


async def test_the_inbox_shows_deprecations_of_what_the_team_reads(shop: Shop, clock: FixedClock) -> None:
    for fields in (("note",), ("coupon",)):
        terms = DeprecationTerms(sunset_at=clock.now + 60 * DAY, replacement=f"not {fields[0]}")
        async with shop.components.database.write() as session:
            await deprecate(session, ANONYMOUS, AssetRef(id=shop.orders.id), DeprecationRequest(fields, terms))
    text = (await (await shop.signed_in(shop.finance)).get("/")).text
    assert "Going away, and finance reads it" in text
    assert "Use not note." in text
    assert "Use not coupon." not in text
    assert "Use not coupon." in (await (await shop.signed_in(shop.support)).get("/")).text


async def test_the_inbox_suggests_to_register_for_what_is_read(shop: Shop, clock: FixedClock) -> None:
    await usage_source(shop.world)
    await map_principal(shop.world, "bot", shop.support)
    await see_reads(shop, clock, ("bot", "total"), days=1)
    await see_reads(shop, clock, ("bot", "total"), days=61)
    text = (await (await shop.signed_in(shop.support)).get("/")).text
    assert "Register for less, and be asked less" in text
    assert "registered for everything, but in 60 covered days seen reading only 1" in text


async def test_the_audit_log_names_callers_and_says_whether_it_is_verified(shop: Shop) -> None:
    browser = await shop.signed_in(None, Scope.ADMIN)
    page = await browser.get("/audit")
    assert "not verified yet" in page.text
    assert ">ines</span>" in (await browser.get("/audit?kind=keys")).text or "tester" in page.text
    await verify_new_events(shop.components.database)
    assert "Verified up to event" in (await browser.get("/audit")).text


async def test_the_team_shows_the_latest_delivery_of_each_webhook(database_url: str, clock: FixedClock) -> None:
    secret = base64.b64encode(b"k" * 32).decode()
    shop = await build_shop(await open_console(database_url, clock, admin_key=ADMIN_KEY, secrets_key=secret))
    team = TeamRef(id=shop.finance.id)
    async with shop.components.database.write() as session:
        request = WebhookRequest("https://hooks.example.com/finance", team)
        webhook = (await webhooks.create(session, ANONYMOUS, request)).webhook
    browser = await shop.signed_in(None, Scope.ADMIN)
    assert "nothing sent yet" in (await browser.get(shop.team_path(shop.finance))).text
    for number in range(11):
        clock.advance(minutes=1)
        async with shop.components.database.write() as session:
            delivery = await webhooks.ping(session, ANONYMOUS, webhook.id)
            if number == 10:
                await session.update_row(WebhookDelivery, delivery.id, status=DeliveryStatus.DEAD)
    text = (await browser.get(shop.team_path(shop.finance))).text
    assert "given up" in text
    assert "latest" in text
    await browser.client.aclose()
    await shop.components.database.dispose()


@pytest.mark.parametrize("name", ["inbox", "proposal", "asset", "team", "lineage", "audit"])
async def test_reads_add_no_statement_for_each_row_and_hostile_names_are_escaped(
    shop: Shop, clock: FixedClock, name: str
) -> None:
    await watch(shop, clock)
    await see_reads(shop, clock, *((f"{HOSTILE.replace(',', '')}{number}", "note") for number in range(12)))
    await shop.world.answer(shop.proposals[0], shop.finance, Response.MIGRATING, clock.now + DAY)
    browser = await shop.signed_in(shop.finance)
    await browser.get(shop.paths()[name])
    with statements(shop.components.database) as executed:
        page = await browser.get(shop.paths()[name])
    assert page.status == 200
    assert count_queries(executed) <= STATEMENTS[name]
    assert "<script>alert" not in page.text
    assert "<img" not in page.text
