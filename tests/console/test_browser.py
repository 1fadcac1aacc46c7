"""The console in a real browser, by roles and labels only: with and without scripts, and checked by axe-core."""

import asyncio
import importlib.util
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tessera_gql.components import create_components
from tessera_gql.policy.access import Scope
from tests.conformance import tools
from tests.console.conftest import Shop, build_shop, settings_for
from tests.e2e.forking import copy_migrated_database
from tests.e2e.server import serving

pytestmark = [
    pytest.mark.long,
    # Playwright's driver closes its pipes after the loop that reads them.
    pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning"),
]

ADMIN_KEY = "an-administrators-key-for-this-test"
CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
AXE = tools.HERE / "node_modules/axe-core/axe.min.js"
SERIOUS = {"serious", "critical"}


def need(is_there: object, reason: str) -> None:
    """Skip on a developer's machine, and fail in CI, which installs the browser."""
    if is_there:
        return
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


@dataclass
class Site:
    """A running server with the shop, and the keys of people."""

    url: str
    shop: Shop
    keys: dict[str, str]
    foreign: list[str] = field(default_factory=list[str])
    """Requests of a browser that left the server."""
    failures: list[str] = field(default_factory=list[str])
    """Errors in the console of a browser."""


async def _build(folder: Path) -> tuple[Shop, dict[str, str]]:
    components = create_components(settings_for(f"sqlite:///{folder / 'tessera.db'}"))
    shop = await build_shop(components)
    teams = {"finance": shop.finance, "support": shop.support, "shop": shop.owner}
    keys = {name: (await shop.key(team)).token for name, team in teams.items()}
    keys["reader"] = (await shop.key(shop.finance, Scope.READ)).token
    await components.database.dispose()
    return shop, keys


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    need(importlib.util.find_spec("playwright"), "Playwright is missing; `make lint` installs it with the other tools.")
    need(CHROMIUM, "No chromium is on the PATH; `apt-get install chromium` installs it.")
    copy_migrated_database(tmp_path)
    shop, keys = asyncio.run(_build(tmp_path))
    with serving(tmp_path, ADMIN_KEY=ADMIN_KEY) as server:
        yield Site(server.url, shop, keys)


@contextmanager
def browsing(site: Site, **options: Any) -> Iterator[Any]:
    """A page of a new browser, which collects the requests that leave the server."""
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 - only where there is a browser

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_context(base_url=site.url, **options).new_page()
        page.set_default_timeout(10_000)
        page.on("request", lambda request: request.url.startswith(site.url) or site.foreign.append(request.url))
        page.on("console", lambda message: message.type == "error" and site.failures.append(message.text))
        yield page
        browser.close()


def sign_in(page: Any, token: str) -> None:
    page.goto("/")
    page.get_by_label("API key").fill(token)
    page.get_by_role("button", name="Sign in").click()


@pytest.mark.parametrize("has_scripts", [True, False])
def test_a_consumer_signs_in_finds_the_question_and_answers(site: Site, has_scripts: bool) -> None:
    with browsing(site, java_script_enabled=has_scripts) as page:
        sign_in(page, site.keys["finance"])
        page.get_by_role("heading", level=1, name="finance owes 2 answers", exact=True).wait_for()
        question = page.get_by_role("article", name="Gross totals")
        question.get_by_role("radio", name="Block").press("Space")
        question.get_by_label("Note").fill("We need note until May.")
        question.get_by_role("button", name="Send finance").click()
        page.get_by_role("heading", level=1, name="finance owes 1 answer", exact=True).wait_for()
        page.get_by_role("status").filter(has_text="finance blocked: Gross totals, 2 tables.").first.wait_for()
        page.get_by_role("link", name="campaigns 2.0.0").click()
        page.get_by_role("heading", level=1, name="campaigns becomes 2.0.0", exact=True).wait_for()
        page.get_by_role("radio", name="Approve").press("Space")
        page.get_by_role("button", name="Send finance").click()
        page.get_by_text("finance approved: marts.campaigns.").first.wait_for()
    assert site.foreign == []
    assert site.failures == []


def test_a_producer_follows_an_answer_live_without_the_page_moving(site: Site) -> None:
    path = site.shop.proposal_path(site.shop.alone)
    with browsing(site) as producer:
        sign_in(producer, site.keys["shop"])
        producer.goto(path)
        consumer = producer.context.browser.new_context(base_url=site.url).new_page()
        sign_in(consumer, site.keys["finance"])
        consumer.goto(path)
        consumer.get_by_role("radio", name="Block").press("Space")
        consumer.get_by_label("Note").fill("Not yet.")
        consumer.get_by_role("button", name="Send finance").click()
        producer.get_by_text("marts.campaigns was answered: blocked.").or_(
            producer.get_by_text("The proposal of marts.campaigns is rejected.")
        ).wait_for()
        assert "Not yet." not in producer.content()
        producer.get_by_role("link", name="Load it").click()
        producer.get_by_text("Not yet.").first.wait_for()
    assert site.failures == []


def test_the_second_of_two_tabs_is_told_that_the_team_has_answered(site: Site) -> None:
    path = site.shop.proposal_path(site.shop.alone)
    with browsing(site) as first:
        sign_in(first, site.keys["finance"])
        second = first.context.new_page()
        for page in (first, second):
            page.goto(path)
        first.get_by_role("radio", name="Approve").press("Space")
        first.get_by_role("button", name="Send finance").click()
        first.get_by_text("finance approved: marts.campaigns.").wait_for()
        second.get_by_role("radio", name="Block").press("Space")
        second.get_by_label("Note").fill("Too late.")
        second.get_by_role("button", name="Send finance").click()
        assert "changed" in second.get_by_role("alert").inner_text()
        assert second.get_by_label("Note").input_value() == "Too late."
        second.get_by_role("heading", name="finance has answered: approved").wait_for()


def test_a_double_click_answers_once(site: Site) -> None:
    with browsing(site) as page:
        sign_in(page, site.keys["finance"])
        page.goto(site.shop.proposal_path(site.shop.alone))
        page.get_by_role("radio", name="Approve").press("Space")
        page.get_by_role("button", name="Send finance").dblclick(no_wait_after=True)
        page.get_by_text("finance approved: marts.campaigns.").wait_for()
        assert page.locator(".tl > li", has_text="finance approved").count() == 1


def test_keys_search_move_and_choose_and_only_the_button_sends(site: Site) -> None:
    with browsing(site) as page:
        sign_in(page, site.keys["finance"])
        page.locator("html[data-js=on]").wait_for(state="attached")
        page.keyboard.press("/")
        assert page.evaluate("document.activeElement.id") == "find"
        page.get_by_role("heading", level=1).click()
        page.keyboard.press("j")
        page.keyboard.press("j")
        page.keyboard.press("b")
        chosen = page.locator("input[type=radio]:checked")
        assert chosen.count() == 1
        assert chosen.get_attribute("value") == "BLOCKED"
        page.keyboard.type("jam")
        assert page.evaluate("document.activeElement.value") == "jam"
        page.get_by_role("heading", level=1, name="finance owes 2 answers", exact=True).wait_for()
    assert site.failures == []


def test_a_key_without_rights_sees_no_buttons(site: Site) -> None:
    with browsing(site) as page:
        sign_in(page, site.keys["reader"])
        page.goto(site.shop.proposal_path(site.shop.alone))
        assert page.get_by_role("button").all_inner_texts() in ([], ["Sign out"])


@pytest.mark.parametrize(("width", "scheme"), [(1440, "light"), (1440, "dark"), (360, "light"), (360, "dark")])
def test_axe_finds_nothing_serious_and_no_page_scrolls_sideways(site: Site, width: int, scheme: str) -> None:
    need(shutil.which("npm"), "npm is missing, which installs axe-core.")
    tools.node()
    source = AXE.read_text()
    with browsing(site, viewport={"width": width, "height": 900}, color_scheme=scheme) as page:
        page.goto("/sign-in")
        findings = {"sign_in": page.evaluate(f"{source}; axe.run()")["violations"]}
        sign_in(page, site.keys["finance"])
        for name, path in {**site.shop.paths(), "search": "/catalog?q=orders", "error": "/proposals/none"}.items():
            page.goto(path)
            findings[name] = page.evaluate(f"{source}; axe.run()")["violations"]
            scrolled = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
            assert scrolled <= 0, (name, scrolled)
    serious = {
        name: [(item["id"], [node["html"][:200] for node in item["nodes"][:3]]) for item in items]
        for name, items in findings.items()
        if any(item["impact"] in SERIOUS for item in items)
    }
    assert serious == {}
