"""Each page is one stored query with a fixed number of statements, shows its data, and is small."""

import pytest

from tessera_gql.console.pages import PAGES
from tessera_gql.policy.access import Scope
from tests.console.conftest import Shop

NAMES = [*PAGES]


@pytest.mark.parametrize("name", NAMES)
async def test_each_page_is_shown_to_a_team_and_to_an_administrator(shop: Shop, name: str) -> None:
    for browser in (await shop.signed_in(shop.finance), await shop.signed_in(None, Scope.ADMIN)):
        page = await browser.get(shop.paths()[name])
        assert page.status == 200, page.heading
        assert len(page.response.content) < 150_000
