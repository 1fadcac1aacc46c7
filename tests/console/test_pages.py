"""Each page is one stored query with a fixed number of statements, shows its data, and is small."""

import itertools
import re
from typing import Any

import pytest

from tessera_gql.components import Components
from tessera_gql.console import documents
from tessera_gql.policy.access import Scope
from tests.conftest import FixedClock, statements
from tests.console.conftest import ADMIN_KEY, Shop, build_shop, open_console
from tests.world import without

HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>{{7*7}}"
MISSING = ("/proposals/none", "/proposals/UHJvcG9zYWw6MA%3D%3D", "/assets/no.such", "/teams/x", "/change-sets/%00")
STATEMENTS = {
    "inbox": 32,
    "proposal": 54,
    "force": 10,
    "change_set": 17,
    "catalog": 13,
    "asset": 36,
    "versions": 15,
    "readers": 17,
    "lineage": 21,
    "what_if": 12,
    "teams": 13,
    "team": 26,
    "audit": 13,
}
"""The largest number of statements of a page, whatever it shows; the look-up of the session is one of them."""


def count_queries(sent: list[str]) -> int:
    return len([text for text in sent if text.startswith(("SELECT", "WITH"))])


async def test_each_page_is_shown_to_a_team_an_administrator_and_a_reader(shop: Shop) -> None:
    browsers = (
        await shop.signed_in(shop.finance),
        await shop.signed_in(None, Scope.ADMIN),
        await shop.signed_in(shop.owner, Scope.READ),
    )
    for path, browser in itertools.product(shop.paths().values(), browsers):
        page = await browser.get(path)
        assert page.status == 200, page.heading
        assert len(page.response.content) < 150_000
        assert page.response.headers["cache-control"] == "no-store"
        assert "default-src 'none'" in page.response.headers["content-security-policy"]
        assert "unsafe" not in page.response.headers["content-security-policy"]
        assert not re.search(r"\sstyle=|<style|\son[a-z]+=[\"']|<script(?![^>]*\bsrc=)", page.text)
        addresses = {*re.findall(r"(?:src|href|action)=\"(https?://[^\"]*)", page.text)}
        assert addresses <= {"https://example.com/pull/4711"}


async def test_each_page_is_one_operation_with_few_statements(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    browser = await shop.signed_in(shop.finance)
    loaded: list[str] = []

    def load(kind: documents.DocumentKind, name: str) -> str:
        loaded.append(name)
        return documents.load_document(kind, name)

    monkeypatch.setattr("tessera_gql.console.site.load_document", load)
    for name, path in shop.paths().items():
        await browser.get(path)
        loaded.clear()
        with statements(shop.components.database) as executed:
            assert (await browser.get(path)).status == 200
        assert loaded == [name]
        assert count_queries(executed) <= STATEMENTS[name], name


async def test_the_pages_show_what_the_graph_holds(shop: Shop) -> None:
    browser = await shop.signed_in(shop.finance)
    headings = {name: (await browser.get(path)).heading for name, path in shop.paths().items()}
    assert headings == {
        "inbox": "finance owes 2 answers",
        "proposal": "orders becomes 2.0.0",
        "force": "Publish 2.0.0 by force?",
        "change_set": "Gross totals",
        "catalog": "4 assets",
        "asset": "marts.orders",
        "versions": "marts.orders",
        "readers": "marts.orders",
        "lineage": "marts.orders",
        "what_if": "marts.orders",
        "teams": "3 teams",
        "team": "finance",
        "audit": "Audit log",
    }


async def test_the_inbox_says_what_breaks_why_until_when_and_what_silence_means(shop: Shop) -> None:
    text = (await (await shop.signed_in(shop.finance)).get("/")).text
    for expected in ("Gross totals", "marts.orders", "reads note", "Sat 31 Jan", "lets the proposal expire", "Blocked"):
        assert expected in text


async def test_the_proposal_shows_everybodys_answers_and_who_is_not_asked(shop: Shop) -> None:
    await shop.world.register(shop.orders, await shop.world.team("ops"), "customer_id")
    page = await (await shop.signed_in(shop.finance)).get(shop.proposal_path(shop.proposals[0]))
    assert "You are asked because finance reads what changes" in page.text
    assert "2 are asked, 1 has answered" in page.text
    assert "not before the migration" in page.text
    assert "note was removed." in page.text


async def test_the_proposal_shows_why_any_of_the_asked_teams_is_asked(shop: Shop) -> None:
    path = shop.proposal_path(shop.proposals[0])
    browser = await shop.signed_in(shop.finance)
    teams = sorted({*re.findall(r'href="\?team=([^"]*)"', (await browser.get(path)).text)})
    texts = [(await browser.get(f"{path}?team={team}")).text for team in teams]
    assert sorted(re.findall(r'<h2 id="because">([^<]*)', "".join(texts))) == [
        "You are asked because finance reads what changes",
        "support is asked because it reads what changes",
    ]
    administrator = await (await shop.signed_in(None, Scope.ADMIN)).get(path)
    assert "is asked because it reads what changes" in administrator.text
    assert (await browser.get(f"{path}?team=none")).status in {400, 422}


async def test_the_tab_of_answers_shows_those_on_open_proposals(shop: Shop) -> None:
    page = await (await shop.signed_in(shop.support)).get("/?show=answered")
    assert page.heading == "Nothing waits for support"
    assert "not before the migration" in page.text


async def test_the_catalog_is_searched_and_filtered(shop: Shop) -> None:
    browser = await shop.signed_in(shop.finance)
    page = await browser.get("/catalog?q=orders")
    assert "for “orders”" in page.heading
    assert "<mark>orders</mark>" in page.text
    assert (await browser.get("/catalog?q=nothing-of-this-name")).heading.startswith("0 results")
    assert (await browser.get("/catalog?state=proposal")).heading == "3 assets"
    assert (await browser.get("/catalog?tier=CRITICAL")).heading == "0 assets"
    team = shop.team_path(shop.finance).removeprefix("/teams/")
    assert (await browser.get(f"/catalog?owner={team}")).heading == "1 asset"


async def test_two_versions_are_compared(shop: Shop) -> None:
    browser = await shop.signed_in(shop.finance)
    page = await browser.get("/assets/marts.orders/versions")
    link = re.search(r'href="(\?from=[^"]*)"', page.text)
    assert link
    compared = await browser.get("/assets/marts.orders/versions" + link[1].replace("&amp;", "&"))
    assert "From 1.0.0 to 1.1.0" in compared.text
    assert "coupon was added." in compared.text


async def test_the_lineage_is_drawn_one_step_each_way_and_survives_a_cycle(shop: Shop) -> None:
    await shop.world.depend(shop.items, shop.orders)
    await shop.world.depend(shop.orders, shop.items)
    page = await (await shop.signed_in(shop.finance)).get("/assets/marts.orders/lineage")
    assert page.status == 200
    picture = page.text[page.text.index("<svg viewBox") :]
    assert page.text.count(">revenue</text>") == 1
    assert page.text.count(">items</text>") == 1
    assert "Made from 1 asset" in page.text
    assert "assets are made from it" in page.text
    assert picture


async def test_the_audit_log_is_filtered(shop: Shop) -> None:
    browser = await shop.signed_in(None, Scope.ADMIN)
    assert "Team created" in (await browser.get("/audit")).text
    assert "Team created" not in (await browser.get("/audit?kind=proposals")).text
    assert "No event" in (await browser.get("/audit?from=2030-01-01")).text
    assert (await browser.get("/audit?from=never&kind=nothing&before=")).status == 200


async def test_what_is_not_there_has_a_page_that_says_so(shop: Shop) -> None:
    browser = await shop.signed_in(shop.finance)
    for path in MISSING:
        page = await browser.get(path)
        assert page.status in (400, 404)
        assert "Traceback" not in page.text


async def test_a_broken_query_has_a_page_that_says_so(shop: Shop) -> None:
    browser = await shop.signed_in(shop.finance)
    for query in ("after=x", "after=%00", "show=answered&after=x", "team=x"):
        assert (await browser.get(f"/?{query}")).status < 500


async def test_hostile_names_are_escaped_on_every_page(components: Components) -> None:
    shop = await build_shop(components, HOSTILE)
    finance, administrator = await shop.signed_in(shop.finance), await shop.signed_in(None, Scope.ADMIN)
    paths = [
        *shop.paths().values(),
        "/?show=answered",
        f"/catalog?q={HOSTILE}",
        "/catalog?q=alert",
        f"/teams?name={HOSTILE}",
        f"/audit?actor={HOSTILE}",
        f"/catalog?label={HOSTILE}",
        f"/sign-in?next={HOSTILE}",
    ]
    for path in paths:
        for browser in (finance, administrator):
            page = await browser.get(path)
            assert page.status == 200, (path, page.heading)
            assert "<script>alert" not in page.text
            assert "<img" not in page.text
            assert "49" not in page.heading
    for browser in shop.browsers:
        await browser.aclose()


async def test_a_large_shop_has_small_pages_and_no_more_statements(components: Components) -> None:
    shop = await build_shop(components)
    wide = {f"column_{number}": {"type": "string", "description": "d" * 400} for number in range(300)}
    schema: dict[str, Any] = {"type": "object", "properties": wide, "required": []}
    tables = [await shop.world.asset(f"wide.table_{number}", shop.owner) for number in range(12)]
    for table in tables:
        await shop.world.publish(table, schema)
        await shop.world.register(table, shop.finance)
        await shop.world.publish(
            table, without(*list(wide)[:150], schema=schema), change_set_id=shop.change_set.id, reason="r" * 3000
        )
    for number in range(30):
        await shop.world.register(tables[0], await shop.world.team(f"reader-{number}"))
        await shop.world.depend(tables[number % 12], shop.orders) if number < 12 else None
    browser = await shop.signed_in(shop.finance)
    (open_proposal,) = await shop.world.proposals_of(tables[0])
    paths = {
        **shop.paths(),
        "proposal": shop.proposal_path(open_proposal),
        "asset": f"/assets/{tables[0].fqn}",
        "lineage": f"/assets/{shop.orders.fqn}/lineage",
    }
    for name, path in paths.items():
        await browser.get(path)  # the key is looked up again after some seconds
        with statements(shop.components.database) as executed:
            page = await browser.get(path)
        assert page.status == 200, (name, page.heading)
        assert len(page.response.content) < 150_000, name
        assert count_queries(executed) <= STATEMENTS[name], name
    for client in shop.browsers:
        await client.aclose()


async def test_static_files_are_kept_for_good_and_have_their_types(shop: Shop) -> None:
    browser = shop.browser()
    page = await browser.get("/sign-in")
    (style,) = re.findall(r'href="(/console/static/[^"]*\.css)"', page.text)
    answer = (await browser.get(style)).response
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/css; charset=utf-8"
    assert "immutable" in answer.headers["cache-control"]
    old = (await browser.get("/console/static/000000000000/style.css")).response
    assert (old.status_code, old.headers["cache-control"]) == (200, "no-store")
    for name in ("nothing.css", "..%2Fsite.py", "%2e%2e%2frouting.py"):
        assert (await browser.get(f"/console/static/0/{name}")).status == 404


async def test_the_console_can_be_switched_off(database_url: str, clock: FixedClock) -> None:
    server = await open_console(database_url, clock, admin_key=ADMIN_KEY, console="off")
    shop = Shop(server, *[None] * 9)  # type: ignore[arg-type] # a console without data
    browser = shop.browser()
    for path in ("/", "/sign-in", "/catalog", "/console/live/inbox"):
        assert (await browser.get(path)).status == 404
    await browser.client.aclose()
    await server.database.dispose()


async def test_the_limits_of_clients_do_not_break_pages(database_url: str, clock: FixedClock) -> None:
    limits = {"limit_depth": 3, "limit_cost": 50, "rate_limit_cost": "1000/minute"}
    server = await open_console(database_url, clock, admin_key=ADMIN_KEY, **limits)
    shop = await build_shop(server)
    browser = shop.browser()
    assert (await browser.sign_in(ADMIN_KEY)).heading == "All teams owe 2 answers"
    await browser.client.aclose()
    await server.database.dispose()
