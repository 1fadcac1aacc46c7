"""A database that fails or is away: the page says so, and what was typed is still there to be sent again."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from html import unescape

import pytest
from sqlalchemy import text

from tessera_gql.policy.enums import ProposalStatus
from tests.console.conftest import Page, Shop
from tests.console.test_forms import answer_path, status

NOTE = "We need note until <May>."


@asynccontextmanager
async def missing_table(shop: Shop, name: str) -> AsyncIterator[None]:
    """Let a table be away for the server."""
    database = shop.components.database
    schema = "" if database.dialect == "sqlite" else "workflow."
    for old, new in ((f"{schema}{name}", f"{name}_away"), (f"{schema}{name}_away", name)):
        async with database.write("tester") as session:
            await session.execute(text(f"ALTER TABLE {old} RENAME TO {new}"))
        if old.endswith(name):
            yield


def kept_fields(page: Page) -> dict[str, str]:
    """What the page of the failure keeps of the form."""
    hidden = re.findall(r'<input type="hidden" name="([^"]*)" value="([^"]*)"', page.text)
    typed = re.findall(r'<textarea [^>]*name="([^"]*)"[^>]*>([^<]*)</textarea>', page.text)
    return {name: unescape(value) for name, value in [*hidden, *typed]}


async def test_a_form_that_fails_keeps_what_was_typed_and_is_sent_again(shop: Shop) -> None:
    browser = await shop.signed_in(shop.finance)
    page = await browser.get(shop.proposal_path(shop.alone))
    values = {**page.fields(answer_path(shop)), "response": "BLOCKED", "notes": NOTE}
    async with missing_table(shop, "acknowledgments"):
        failed = await browser.post(answer_path(shop), values)
        assert failed.status >= 500
        assert "Nothing of your form was lost." in failed.text
        assert "We need note until &lt;May&gt;.</textarea>" in failed.text
        assert "acknowledgments" not in failed.text
        assert "Traceback" not in failed.text
        assert (await browser.get("/")).status >= 500
    fields = kept_fields(failed)
    assert fields == values
    assert (await browser.post(answer_path(shop), fields)).status == 303
    assert await status(shop) is ProposalStatus.REJECTED
    assert NOTE.replace("<", "&lt;").replace(">", "&gt;") in (await browser.get(shop.proposal_path(shop.alone))).text


@pytest.mark.parametrize("token", ["", "forged"])
async def test_a_forged_form_is_kept_on_no_page(shop: Shop, token: str) -> None:
    browser = await shop.signed_in(shop.finance)
    async with missing_table(shop, "acknowledgments"):
        page = await browser.post(answer_path(shop), {"form_token": token, "response": "BLOCKED", "notes": NOTE})
    assert page.status in (403, 500)
    assert "May" not in page.text
