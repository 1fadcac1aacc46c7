"""What people do on the pages of teams, keys, webhooks, policies, registrations and changes that others block."""

import json
import re
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from tessera_gql.console.pages import EVENT_GROUPS
from tessera_gql.graphql.event_kinds import EventKind
from tessera_gql.policy.access import ANONYMOUS, Scope
from tessera_gql.policy.deprecation import DeprecationTerms
from tessera_gql.policy.enums import AssetTier, ProposalStatus, Response
from tessera_gql.policy.global_ids import encode_global_id
from tessera_gql.store.assets import AssetRef
from tessera_gql.workflows.ask_policies import set_policy
from tessera_gql.workflows.deprecations import DeprecationRequest, deprecate
from tests.conftest import FixedClock, statements
from tests.console.conftest import ADMIN_KEY, Page, Shop, build_shop, login_settings, open_console
from tests.console.login_service import LoginServer
from tests.console.test_pages import count_queries
from tests.console.test_reads import see_reads
from tests.workflows.usage_logs import map_principal, usage_source
from tests.world import without

TOKEN = re.compile(r"tsr_[\w-]{43}")
SECRET = re.compile(r"whsec_[\w+/=-]{20,}")


@pytest.fixture(params=["keys", "logins"])
async def shop(
    request: pytest.FixtureRequest, database_url: str, clock: FixedClock, service: LoginServer
) -> AsyncIterator[Shop]:
    """The shop, where people sign in with keys or with a login server."""
    logins = login_settings(service) if request.param == "logins" else {}
    built = await build_shop(await open_console(database_url, clock, admin_key=ADMIN_KEY, **logins))
    built.service = service if logins else None
    yield built
    for browser in built.browsers:
        await browser.aclose()
    await built.components.database.dispose()


def action_of(page: Page, ending: str) -> str:
    """The address of the first form of a page that ends so."""
    match = re.search(rf'action="([^"]*/{ending})"', page.text)
    assert match, f"no form {ending}"
    return match[1]


async def test_an_administrator_creates_a_team_and_gives_it_a_key_that_is_shown_once(shop: Shop) -> None:
    browser = await shop.signed_in(None, Scope.ADMIN)
    page = await browser.send(await browser.get("/teams"), "/teams/create", name="ops")
    assert "ops is created." in page.text
    assert (await browser.send(page, "/teams/create", name="ops")).status == 422
    (path,) = re.findall(r'href="(/teams/[^"]*)"><i aria-hidden="true">op</i>', page.text)
    team = await browser.get(path)
    fields = team.fields(f"{path}/keys") | {"name": "nora", "scope": "WRITE", "expires_at": "2026-06-01"}
    created = await browser.post(f"{path}/keys", fields)
    assert created.status == 200
    (token,) = TOKEN.findall(created.text)
    assert "The key nora is created." in created.text
    assert token not in str(browser.client.cookies)
    again = await browser.post(f"{path}/keys", fields)
    assert again.status == 422
    assert TOKEN.findall(again.text) == []
    assert TOKEN.findall((await browser.get(path)).text) == []
    person = shop.browser()
    assert (await person.sign_in(token)).heading == "Nothing waits for ops"
    listed = await browser.get(path)
    revoked = await browser.send(listed, action_of(listed, "revoke"))
    assert "The key nora is revoked." in revoked.text
    assert (await person.get("/")).status == 303


async def test_a_team_makes_keys_with_its_own_rights_only(shop: Shop) -> None:
    browser = await shop.signed_in(shop.finance)
    path = shop.team_path(shop.finance)
    page = await browser.get(path)
    assert 'value="ADMIN"' not in page.form(f"{path}/keys")
    refused = await browser.send(page, f"{path}/keys", name="x", scope="ADMIN", expires_at="")
    assert refused.status == 403
    assert (await browser.send(page, f"{path}/keys", name="x", scope="EVERYTHING", expires_at="")).status == 422
    page = await browser.get(shop.team_path(shop.support))
    assert "/keys" not in page.text


async def test_a_webhook_is_added_tested_paused_and_deleted_and_its_deliveries_are_shown(shop: Shop) -> None:
    browser = await shop.signed_in(shop.finance)
    path = shop.team_path(shop.finance)
    values = {"url": "https://hooks.example.com/finance", "format": "STANDARD", "groups": ["proposals", "keys"]}
    added = await browser.send(await browser.get(path), f"{path}/webhooks", **values)
    assert added.status == 200
    assert len(SECRET.findall(added.text)) == 1
    page = await browser.get(path)
    assert SECRET.findall(page.text) == []
    assert "nothing sent yet" in page.text
    assert "acknowledgment requested" in page.text
    assert "A ping to hooks.example.com is on its way." in (await browser.send(page, action_of(page, "test"))).text
    page = await browser.get(path)
    assert "The latest 1 of 1 deliveries" in page.text
    assert ">ping</td>" in page.text
    paused = await browser.send(page, action_of(page, "state"))
    assert "Events for hooks.example.com are kept for later." in paused.text
    assert "paused" in paused.text
    stale = await browser.send(page, action_of(page, "state"))
    assert stale.status == 422
    assert "receives events again" in (await browser.send(paused, action_of(paused, "state"))).text
    page = await browser.get(path)
    deleted = await browser.send(page, action_of(page, "delete"))
    assert "The webhook is deleted." in deleted.text
    assert "No webhook receives the events of finance." in deleted.text


async def test_a_webhook_with_a_bad_address_is_refused_with_what_was_typed(shop: Shop) -> None:
    browser = await shop.signed_in(shop.finance)
    path = shop.team_path(shop.finance)
    refused = await browser.send(
        await browser.get(path), f"{path}/webhooks", format="SLACK", url="ftp://hooks.example.com", groups="keys"
    )
    assert refused.status == 422
    assert 'value="ftp://hooks.example.com"' in refused.text
    assert re.search(r'value="keys" checked', refused.text)


async def test_an_administrator_sets_the_policy_of_a_tier_and_a_team_only_reads_it(shop: Shop) -> None:
    browser = await shop.signed_in(None, Scope.ADMIN)
    page = await browser.get("/teams")
    values = {
        "on_silence": "BLOCK",
        "due_days": "20",
        "remind_days_before": "5, 2",
        "escalate_after_days": "10",
        "require_coverage_days": "",
    }
    saved = await browser.send(page, "/policies/HIGH", **values)
    assert "Tier high: 20 days to answer" in saved.text
    assert "20 days to answer, reminded 5, 2 days before, escalated after 10 days" in saved.text
    for bad in ({"due_days": "soon"}, {"remind_days_before": "x"}, {"due_days": "5000"}, {"escalate_after_days": "30"}):
        refused = await browser.send(saved, "/policies/HIGH", **(values | bad))
        assert refused.status == 422
        assert f'value="{next(iter(bad.values()))}"' in refused.text
    assert (await browser.send(page, "/policies/HIGH", **values)).status == 422  # another form has saved it since
    reader = await shop.signed_in(shop.finance)
    assert "/policies/" not in (await reader.get("/teams")).text


async def test_a_team_names_the_team_that_an_ask_is_escalated_to(shop: Shop) -> None:
    browser = await shop.signed_in(shop.finance)
    path = shop.team_path(shop.finance)
    team = encode_global_id("Team", shop.support.id)
    page = await browser.send(await browser.get(path), f"{path}/escalation", escalation=team)
    assert "support may answer for finance once an ask is escalated." in page.text
    assert "No team answers for finance" in (await browser.send(page, f"{path}/escalation", escalation="")).text


async def test_the_page_of_a_team_shows_which_teams_block_its_changes_and_who_is_overdue(
    shop: Shop, clock: FixedClock
) -> None:
    deadline = clock.now + timedelta(days=5)
    await shop.world.answer(shop.proposals[1], shop.finance, Response.MIGRATING, deadline)
    clock.advance(days=6)
    browser = await shop.signed_in(shop.owner)
    text = (await browser.get(shop.team_path(shop.owner))).text
    assert "Asks 3 changes of other teams" in text
    assert "blocks it" in text
    assert "is overdue with its migration" in text
    assert "has not answered; silence: the proposal expires" in text
    inbox = (await browser.get("/")).text
    assert "Asked by shop" in inbox
    assert "support (blocks it)" in inbox


async def test_an_administrator_forces_a_change_on_a_page_that_says_what_will_happen(shop: Shop) -> None:
    browser = await shop.signed_in(None, Scope.ADMIN)
    path = shop.proposal_path(shop.proposals[0])
    assert f'href="{path}/force"' in (await browser.get(path)).text
    page = await browser.get(f"{path}/force")
    assert "blocks it. It gets a debt" in page.text
    assert (await browser.send(page, f"{path}/force", reason=" ")).status == 422
    published = await browser.send(page, f"{path}/force", reason="The source ends today.")
    assert "marts.orders 2.0.0 is published." in published.text
    assert (await shop.world.proposal(shop.proposals[0].id)).status is ProposalStatus.SUPERSEDED
    debts = await shop.signed_in(shop.support)
    assert "Left undone" in (await debts.get("/")).text
    assert "has ended" in (await browser.get(f"{path}/force")).text


async def test_a_team_is_told_that_only_an_administrator_can_force(shop: Shop) -> None:
    browser = await shop.signed_in(shop.owner)
    path = shop.proposal_path(shop.proposals[0])
    assert "Only an administrator can publish it by force" in (await browser.get(path)).text
    page = await browser.get(f"{path}/force")
    assert "Only an administrator may do that." in page.text
    token = (await browser.get("/")).fields("/sign-out")["form_token"]
    refused = await browser.post(f"{path}/force", {"form_token": token, "reason": "now"})
    assert refused.status == 403


async def test_a_held_change_is_published_without_the_coverage_by_an_administrator(shop: Shop) -> None:
    async with shop.components.database.write() as session:
        await set_policy(session, ANONYMOUS, AssetTier.NORMAL, {"require_coverage_days": 30})
    table = await shop.world.published()
    proposal = (await shop.world.publish(table, without("note"))).proposal
    assert proposal
    browser = await shop.signed_in(None, Scope.ADMIN)
    path = shop.proposal_path(proposal)
    page = await browser.get(f"{path}/force")
    assert page.heading == "Publish 2.0.0 without the coverage?"
    assert "2.0.0 is published." in (await browser.send(page, f"{path}/force", reason="It is known.")).text


async def test_a_whole_change_set_may_be_answered_anew(shop: Shop) -> None:
    browser = await shop.signed_in(shop.finance)
    path = shop.change_set_path()
    first = await browser.send(await browser.get(path), f"{path}/answer", response="BLOCKED", notes="Not yet.")
    assert "finance has answered: blocked" in first.text
    second = await browser.send(first, f"{path}/answer", response="APPROVED")
    assert "finance approved: Gross totals, 2 tables." in second.text
    assert "finance has answered: approved" in second.text


async def test_the_impact_of_dropping_columns_is_a_button_on_the_page_of_the_asset(shop: Shop) -> None:
    browser = await shop.signed_in(shop.owner)
    page = await browser.get("/assets/marts.orders")
    assert 'formaction="/assets/marts.orders/what-if"' in page.text
    before = await shop.world.size()
    fields = page.fields("/assets/marts.orders/register")
    result = await browser.post("/assets/marts.orders/what-if", {**fields, "fields": ["coupon", "note"]})
    assert result.status == 200
    assert "It would ask 2 teams before it became 2.0.0" in result.text
    assert "were dropped?" in result.text
    assert "Checked: that would be" in result.text
    assert "and would ask no team" in result.text
    assert await shop.world.size() == before
    unknown = await browser.post("/assets/marts.orders/what-if", {**fields, "fields": "nothing"})
    assert unknown.status == 422
    assert "declares no field" in unknown.text


async def test_the_hint_of_a_proposal_has_the_version_that_it_would_be_and_whom_it_would_ask(shop: Shop) -> None:
    text = (await (await shop.signed_in(shop.owner)).get(shop.proposal_path(shop.proposals[0]))).text
    assert "Keep note as well" in text
    assert re.search(r'Checked: that would be <strong class="mono">1\.\d+\.\d+</strong>, and would ask no team', text)


async def test_the_hints_of_a_wide_table_are_followed_only_when_somebody_asks(shop: Shop) -> None:
    columns = {f"column_{number}": {"type": "string"} for number in range(250)}
    schema = {"type": "object", "properties": columns, "required": []}
    table = await shop.world.asset("wide.table", shop.owner)
    await shop.world.publish(table, schema)
    await shop.world.register(table, shop.finance)
    proposal = (await shop.world.publish(table, without("column_1", "column_2", schema=schema))).proposal
    assert proposal
    browser = await shop.signed_in(shop.finance)
    path = shop.proposal_path(proposal)
    page = await browser.get(path)
    assert "Checked: that would be" not in page.text
    assert 'href="?check=yes"' in page.text
    assert "Checked: that would be" in (await browser.get(f"{path}?check=yes")).text


async def test_a_registration_is_narrowed_from_the_inbox_and_ended_on_the_page_of_readers(
    shop: Shop, clock: FixedClock
) -> None:
    await usage_source(shop.world)
    await map_principal(shop.world, "bot", shop.support)
    await see_reads(shop, clock, ("bot", "total"), days=1)
    await see_reads(shop, clock, ("bot", "total"), days=61)
    browser = await shop.signed_in(shop.support)
    page = await browser.get("/")
    narrowed = await browser.send(page, action_of(page, "fields"), fields=["total"])
    assert "support is registered for 1 column of marts.orders." in narrowed.text
    assert "Register for less" not in narrowed.text
    readers = await browser.get("/assets/marts.orders/readers")
    ended = await browser.send(readers, action_of(readers, "end"))
    assert "support no longer reads marts.orders, and is no longer asked about it." in ended.text
    reader = await shop.signed_in(shop.support, Scope.READ)
    assert "/end" not in (await reader.get("/assets/marts.items/readers")).text


async def test_a_deprecation_is_withdrawn(shop: Shop, clock: FixedClock) -> None:
    terms = DeprecationTerms(sunset_at=clock.now + timedelta(days=60))
    async with shop.components.database.write() as session:
        await deprecate(session, ANONYMOUS, AssetRef(id=shop.items.id), DeprecationRequest(("note",), terms))
    browser = await shop.signed_in(shop.owner)
    page = await browser.get("/assets/marts.items")
    after = await browser.send(page, "/assets/marts.items/deprecations/end")
    assert "The deprecation of note is withdrawn." in after.text


async def test_the_lineage_unfolds_in_place_by_a_link_and_folds_again(shop: Shop) -> None:
    raw = await shop.world.asset("raw.orders", shop.owner)
    source = await shop.world.asset("raw.source", shop.support)
    await shop.world.depend(shop.orders, raw)
    await shop.world.depend(raw, source)
    browser = await shop.signed_in(shop.finance)
    page = await browser.get("/assets/marts.orders/lineage")
    (link,) = re.findall(r'<a href="(\?up=raw\.orders[^"]*)" class="plus"', page.text)
    assert ">source</text>" not in page.text
    with statements(shop.components.database) as executed:
        unfolded = await browser.get(f"/assets/marts.orders/lineage{link.removesuffix('#picture')}")
    assert count_queries(executed) <= 29
    assert ">source</text>" in unfolded.text
    assert "Hide the asset behind raw.orders" in unfolded.text
    (fold,) = re.findall(r'<a href="(\?[^"]*)" class="plus"><title>Hide', unfolded.text)
    assert "up=raw.orders" not in fold
    for query in ("up=nothing", "up=&down=", "up=%00", "&".join(f"up=t{number}" for number in range(40))):
        assert (await browser.get(f"/assets/marts.orders/lineage?{query}")).status < 500


async def test_no_two_teams_of_a_page_have_one_colour(shop: Shop) -> None:
    names = ["growth", "shop-platform", "legal", "ops", "sales"]
    for name in names:
        await shop.world.register(shop.orders, await shop.world.team(name), "customer_id")
    page = await (await shop.signed_in(shop.finance)).get("/assets/marts.orders/readers")
    classes = {
        name: set(re.findall(rf'class="team (t\d)[^"]*"[^>]*><i[^>]*>\w+</i>{name}<', page.text)) for name in names
    }
    assert all(len(item) == 1 for item in classes.values())
    assert len(set.union(*classes.values())) == len(names)


async def test_the_events_of_a_proposal_lead_to_those_who_decided_and_are_exported(shop: Shop) -> None:
    await shop.world.answer(shop.alone, shop.finance, Response.BLOCKED)
    browser = await shop.signed_in(shop.finance, Scope.READ)
    page = await browser.get(shop.proposal_path(shop.alone))
    (link,) = re.findall(r'href="(/audit\?proposal=[^"]*)"', page.text)
    audit = await browser.get(link)
    assert "Only about" in audit.text
    assert re.search(r"<strong>finance</strong> blocked", audit.text)
    (export,) = re.findall(r'href="(/audit/export\?[^"]*)"', audit.text)
    answer = (await browser.get(export.replace("&amp;", "&"))).response
    assert answer.headers["content-disposition"] == 'attachment; filename="events.jsonl"'
    events = [json.loads(line) for line in answer.text.splitlines()]
    sequences = [event["sequence"] for event in events]
    assert sequences == sorted(sequences)
    assert {event["asset"]["fqn"] for event in events} == {"marts.campaigns"}
    assert len(events) == int(re.search(r"these ([\d,]+) events", audit.text.replace("Export ", ""))[1])  # type: ignore[index]


async def test_an_export_has_all_pages_of_events_and_needs_a_session(shop: Shop) -> None:
    for number in range(120):
        await shop.world.team(f"team-{number}")
    browser = await shop.signed_in(None, Scope.ADMIN)
    lines = (await browser.get("/audit/export?kind=teams and policies")).response.text.splitlines()
    assert len(lines) >= 120
    assert len({json.loads(line)["sequence"] for line in lines}) == len(lines)
    assert (await shop.browser().get("/audit/export")).status == 303
    assert (await browser.get("/audit/export?asset=x")).status in (400, 404)


def test_each_kind_of_event_is_in_one_group_of_the_audit_page() -> None:
    kinds = [kind for group in EVENT_GROUPS.values() for kind in group]
    assert sorted(kinds) == sorted(kind.value for kind in EventKind)
