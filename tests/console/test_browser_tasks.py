"""Tasks of five users in a real browser, each with a key of its own, by roles and labels, with and without scripts."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.console.test_browser import ADMIN_KEY, Site, browsing, sign_in, site

__all__ = ["site"]
pytestmark = [
    pytest.mark.long,
    pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning"),
]
SCRIPTS = pytest.mark.parametrize("has_scripts", [True, False], ids=["scripts", "no scripts"])


def open_team(page: Any, name: str) -> None:
    page.get_by_role("link", name="Teams", exact=True).first.click()
    page.get_by_role("table").get_by_role("link", name=name).click()


def wait_for_status(page: Any, text: str) -> None:
    """Wait for a status message: a click returns before the page that it leads to is there."""
    page.get_by_role("status").filter(has_text=text).first.wait_for()


@SCRIPTS
def test_a_consumer_answers_and_changes_its_mind(site: Site, has_scripts: bool) -> None:
    with browsing(site, java_script_enabled=has_scripts) as page:
        sign_in(page, site.keys["finance"])
        page.get_by_role("link", name="Gross totals").click()
        page.get_by_role("radio", name="Block").press("Space")
        page.get_by_label("Note").fill("Not before March.")
        page.get_by_role("button", name="Send finance").click()
        wait_for_status(page, "finance blocked: Gross totals, 2 tables.")
        page.get_by_role("radio", name="Approve").press("Space")
        page.get_by_role("button", name="Send finance").click()
        wait_for_status(page, "finance approved: Gross totals, 2 tables.")
    assert site.failures == []


@SCRIPTS
def test_a_producer_learns_what_dropping_a_column_breaks_and_extends_and_withdraws(
    site: Site, has_scripts: bool
) -> None:
    with browsing(site, java_script_enabled=has_scripts) as page:
        sign_in(page, site.keys["shop"])
        page.get_by_role("searchbox").fill("orders")
        page.get_by_role("searchbox").press("Enter")
        page.get_by_role("link", name="marts.orders", exact=True).click()
        page.get_by_label("Choose coupon").check()
        page.get_by_role("button", name="What if they were dropped?").click()
        page.get_by_role("heading", name="It would ask 1 team before it became 2.0.0").wait_for()
        page.get_by_text("and would ask no team").wait_for()
        page.get_by_role("link", name="Inbox").first.click()
        page.get_by_role("link", name="marts.campaigns 2.0.0").click()
        page.get_by_label("Extend until").fill(f"{datetime.now(UTC) + timedelta(days=90):%Y-%m-%d}")
        page.get_by_role("button", name="Extend").click()
        wait_for_status(page, "The proposal is open until")
        page.get_by_text("Only an administrator can publish it by force").wait_for()
        page.get_by_text("Withdraw it").click()
        page.get_by_role("button", name="Withdraw the proposal").click()
        wait_for_status(page, "The proposal of marts.campaigns is withdrawn.")


@SCRIPTS
def test_a_lead_sees_who_blocks_and_names_a_delegate(site: Site, has_scripts: bool) -> None:
    with browsing(site, java_script_enabled=has_scripts) as page:
        sign_in(page, site.keys["shop"])
        open_team(page, "shop")
        row = page.get_by_role("row", name="marts.orders 2.0.0")
        assert "support" in row.inner_text()
        assert "blocks it" in row.inner_text()
        page.get_by_label("Team", exact=True).select_option(label="support")
        page.get_by_role("button", name="Delegate").click()
        wait_for_status(page, "support answers for shop.")


@SCRIPTS
def test_an_administrator_makes_a_team_and_a_key_revokes_it_and_sets_a_policy(site: Site, has_scripts: bool) -> None:
    with browsing(site, java_script_enabled=has_scripts) as page:
        sign_in(page, ADMIN_KEY)
        page.get_by_role("link", name="Teams", exact=True).first.click()
        page.get_by_label("Name of the team").fill("ops")
        page.get_by_role("button", name="Create the team").click()
        wait_for_status(page, "ops is created.")
        policy = page.get_by_role("listitem").filter(has_text="High").filter(has_text="days to answer")
        policy.get_by_text("Change it").click()
        policy.get_by_label("Days to answer").fill("12")
        policy.get_by_role("button", name="Save the policy").click()
        wait_for_status(page, "Tier high: 12 days to answer")
        open_team(page, "ops")
        page.get_by_text("Make a key").click()
        page.get_by_label("Name of the person or the program").fill("nora")
        page.get_by_role("button", name="Make the key").click()
        token = page.get_by_role("status", name="Shown once").locator("code").inner_text()
        assert token.startswith("tsr_")
        page.get_by_role("link", name="I have copied it").click()
        page.get_by_role("status", name="Shown once").wait_for(state="hidden")
        assert token not in page.content()
        page.get_by_text("Revoke", exact=True).click()
        page.get_by_role("button", name="Revoke the key").click()
        wait_for_status(page, "The key nora is revoked.")
    assert site.failures == []


@SCRIPTS
def test_an_administrator_forces_a_change_that_a_team_blocks(site: Site, has_scripts: bool) -> None:
    with browsing(site, java_script_enabled=has_scripts) as page:
        sign_in(page, ADMIN_KEY)
        page.goto(site.shop.proposal_path(site.shop.proposals[0]))
        page.get_by_role("link", name="Publish it by force").click()
        page.get_by_text("blocks it. It gets a debt").wait_for()
        page.get_by_label("Reason").fill("The source ends today.")
        page.get_by_role("button", name="Publish by force").click()
        wait_for_status(page, "marts.orders 2.0.0 is published.")


@SCRIPTS
def test_an_auditor_proves_who_decided_and_exports_the_log(site: Site, has_scripts: bool) -> None:
    with browsing(site, java_script_enabled=has_scripts) as page:
        sign_in(page, ADMIN_KEY)  # a key of a team sees the answers of other teams only where it owns the asset
        page.goto(site.shop.proposal_path(site.shop.proposals[0]))
        page.get_by_role("link", name="In the audit log, with hashes").click()
        answered = page.locator("tr", has_text="Proposal answered").first
        assert "support blocked" in answered.inner_text()
        with page.expect_download() as download:
            page.get_by_role("link", name="Export").click()
        events = [json.loads(line) for line in Path(download.value.path()).read_text().splitlines()]
        assert "PROPOSAL_ANSWERED" in {event["kind"] for event in events}
        assert all(len(event["hash"]) == 64 for event in events)
        page.get_by_role("heading", name="Audit log").wait_for()


@SCRIPTS
def test_an_address_that_unfolds_what_has_nothing_behind_it_shows_the_picture(site: Site, has_scripts: bool) -> None:
    with browsing(site, java_script_enabled=has_scripts) as page:
        sign_in(page, site.keys["finance"])
        page.goto("/assets/finance.revenue/lineage")
        page.get_by_role("heading", name="As a picture").wait_for()
        page.goto("/assets/marts.orders/lineage?up=marts.orders&down=finance.revenue")
        page.get_by_role("heading", name="1 asset is made from it").wait_for()
