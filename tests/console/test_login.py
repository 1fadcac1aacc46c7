"""Sign in with the code flow of an OpenID Connect server, which runs beside the test."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx
import orjson
import pytest
from joserfc.jwk import RSAKey

from tessera_gql.console.login import LOGIN_COOKIE
from tessera_gql.console.session import SESSION_COOKIE, Signer
from tessera_gql.policy.access import ANONYMOUS
from tessera_gql.store.teams import TeamRef
from tessera_gql.workflows import archiving
from tests.conftest import FixedClock
from tests.console.conftest import ADDRESS, Browser, Page, Shop, build_shop, open_console
from tests.console.login_service import AUDIENCE, CLIENT, SECRET, LoginServer, login_server

RIGHTS = {"team": "finance", "scope": "openid tessera:write"}
OTHER = RSAKey.generate_key(2048, {"kid": "login"})


@dataclass
class Site:
    """The shop on a server that signs people in with the login server."""

    shop: Shop
    service: LoginServer

    async def begin(self, browser: Browser, path: str = "/") -> str:
        """Follow the link to the login server and sign in there; the address that it sends the browser to."""
        start = await browser.get(f"/sign-in/start?next={path}")
        assert start.status == 303, start.text
        async with httpx.AsyncClient() as client:
            answer = await client.get(start.response.headers["location"])
        assert answer.status_code == 302, answer.text
        return answer.headers["location"].removeprefix(ADDRESS)

    async def sign_in(self, browser: Browser, path: str = "/") -> Page:
        callback = await self.begin(browser, path)
        answer = await browser.get(callback)
        if answer.status != 303:
            return answer
        return await browser.get(answer.response.headers["location"])


@pytest.fixture(scope="module")
def running_service() -> Iterator[LoginServer]:
    with login_server() as service:
        yield service


@pytest.fixture
def service(running_service: LoginServer) -> LoginServer:
    fresh = LoginServer(address=running_service.address, claims=dict(RIGHTS))
    running_service.__dict__.update(fresh.__dict__)
    return running_service


def settings_of(service: LoginServer, **changed: Any) -> dict[str, Any]:
    values = {
        "oidc_issuer": service.address,
        "oidc_audience": AUDIENCE,
        "oidc_jwks": f"{service.address}/jwks",
        "oidc_client_id": CLIENT,
        "oidc_client_secret": SECRET,
        "public_url": ADDRESS,
    }
    return values | changed


@pytest.fixture
async def site(database_url: str, clock: FixedClock, service: LoginServer) -> AsyncIterator[Site]:
    shop = await build_shop(await open_console(database_url, clock, **settings_of(service)))
    yield Site(shop, service)
    for browser in shop.browsers:
        await browser.aclose()
    await shop.components.database.dispose()


async def test_somebody_signs_in_with_the_login_service_and_answers_for_the_team(site: Site) -> None:
    browser = site.shop.browser()
    link = (await browser.get("/sign-in?next=/teams")).text
    assert 'href="/sign-in/start?next=/teams">Sign in with 127.0.0.1</a>' in link
    assert (await site.sign_in(browser, "/teams")).heading == "3 teams"
    page = await browser.get("/")
    assert page.heading == "finance owes 2 answers"
    assert "ines@example.com" in page.text
    path = f"{site.shop.proposal_path(site.shop.alone)}/answer"
    (action,) = {path} & {part.split('"')[0] for part in page.text.split('action="')}
    assert "finance approved" in (await browser.send(page, action, response="APPROVED")).text


async def test_the_request_has_a_challenge_a_state_and_a_nonce_that_differ_each_time(site: Site) -> None:
    requests = []
    for _ in range(2):
        start = await site.shop.browser().get("/sign-in/start")
        requests.append(dict(parse_qsl(urlsplit(start.response.headers["location"]).query)))
    assert requests[0]["redirect_uri"] == f"{ADDRESS}/sign-in/callback"
    assert (requests[0]["code_challenge_method"], requests[0]["scope"]) == ("S256", "openid")
    for name in ("state", "nonce", "code_challenge"):
        assert len({values[name] for values in requests}) == 2
        assert min(len(values[name]) for values in requests) >= 43
    assert site.service.discovered == 1


async def test_the_session_holds_a_signed_reference_and_no_token(site: Site) -> None:
    browser = site.shop.browser()
    await site.sign_in(browser)
    signer = Signer(site.shop.components.settings.session_secrets)
    session = signer.read_session(browser.client.cookies[SESSION_COOKIE], site.shop.components.database.clock())
    assert session
    assert session.reference.startswith("oidc:")
    assert len(session.cookie) < 800
    assert LOGIN_COOKIE not in browser.client.cookies
    browser.client.cookies.set(SESSION_COOKIE, session.cookie[:-1] + ("0" if session.cookie[-1] != "0" else "1"))
    assert (await browser.get("/")).status == 303


async def test_the_secret_of_the_client_may_be_sent_in_the_body(site: Site) -> None:
    site.service.posts_secret = True
    assert (await site.sign_in(site.shop.browser())).status == 200
    assert site.service.exchanged[-1]["client_secret"] == SECRET


async def test_a_public_client_signs_people_in_without_a_secret(
    database_url: str, clock: FixedClock, service: LoginServer
) -> None:
    service.is_public = True
    values = settings_of(service, oidc_client_secret=None)
    shop = await build_shop(await open_console(database_url, clock, **values))
    page = await Site(shop, service).sign_in(shop.browser())
    assert page.heading == "finance owes 2 answers"
    assert service.exchanged[-1]["code_verifier"]
    assert "client_secret" not in service.exchanged[-1]
    for browser in shop.browsers:
        await browser.aclose()
    await shop.components.database.dispose()


async def test_rights_may_come_with_an_access_token_for_this_server(site: Site) -> None:
    site.service.claims = {}
    site.service.access_claims = dict(RIGHTS)
    assert (await site.sign_in(site.shop.browser())).heading == "finance owes 2 answers"
    site.service.access_claims = {**RIGHTS, "sub": "somebody else"}
    assert (await site.sign_in(site.shop.browser())).status == 403


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"nonce": "of another attempt"}, "not signed by the issuer"),
        ({"nonce": None}, "not signed by the issuer"),
        ({"aud": "another client"}, "not meant for this server"),
        ({"azp": "another client"}, "not signed by the issuer"),
        ({"iss": "http://127.0.0.1:1"}, "not meant for this server"),
        ({"exp": 1}, "has expired"),
        ({"sub": "a\nb"}, "not a name"),
        ({"scope": "openid"}, "gives no right here"),
    ],
)
async def test_an_id_token_with_wrong_claims_signs_nobody_in(site: Site, changed: dict[str, Any], message: str) -> None:
    site.service.claims = RIGHTS | changed
    browser = site.shop.browser()
    page = await site.sign_in(browser)
    assert page.status == 403
    assert message in page.text
    assert SESSION_COOKIE not in browser.client.cookies


async def test_an_id_token_of_another_key_signs_nobody_in(site: Site) -> None:
    site.service.signing_key = OTHER
    assert (await site.sign_in(site.shop.browser())).status == 403


async def test_an_answer_needs_the_cookie_and_the_state_of_its_own_attempt(site: Site, clock: FixedClock) -> None:
    browser, stranger = site.shop.browser(), site.shop.browser()
    callback = await site.begin(browser)
    page = await stranger.get(callback)
    assert (page.status, SESSION_COOKIE in stranger.client.cookies) == (403, False)
    assert "belongs to no attempt of this browser" in page.text
    await site.begin(stranger)
    assert (await stranger.get(callback)).status == 403
    assert site.service.exchanged == []
    clock.advance(minutes=11)
    assert (await browser.get(callback)).status == 403


async def test_an_answer_is_good_once(site: Site) -> None:
    browser = site.shop.browser()
    callback = await site.begin(browser)
    assert (await browser.get(callback)).status == 303
    assert (await browser.get(callback)).status == 403


async def test_somebody_who_does_not_sign_in_there_comes_back_to_the_form(site: Site) -> None:
    browser = site.shop.browser()
    callback = await site.begin(browser, "/teams")
    state = dict(parse_qsl(urlsplit(callback).query))["state"]
    page = await browser.get(f"/sign-in/callback?error=access_denied&state={state}")
    assert page.status == 403
    assert "did not sign you in" in page.text


@pytest.mark.parametrize("status", [400, 500])
async def test_a_service_that_refuses_a_code_signs_nobody_in(site: Site, status: int) -> None:
    site.service.token_status = status
    page = await site.sign_in(site.shop.browser())
    assert page.status == 403
    assert "did not confirm" in page.text


@pytest.mark.parametrize(
    "discovery",
    [
        {"issuer": "https://another.example.com"},
        {"token_endpoint": "http://login.example.com/token"},
        {"authorization_endpoint": "javascript:alert(1)"},
        {"token_endpoint": 7},
        {"padding": "x" * 600_000},
    ],
)
async def test_a_service_that_can_not_be_discovered_has_a_page_that_says_so(
    site: Site, discovery: dict[str, Any]
) -> None:
    site.service.discovery = discovery
    page = await site.shop.browser().get("/sign-in/start")
    assert page.status == 503
    assert "can&#39;t be reached now" in page.text


async def test_an_archived_team_ends_its_sessions(site: Site) -> None:
    browser = site.shop.browser()
    ops = await site.shop.world.team("ops")
    site.service.claims = RIGHTS | {"team": "ops"}
    assert (await site.sign_in(browser)).status == 200
    async with site.shop.components.database.write() as session:
        await archiving.archive_team(session, ANONYMOUS, TeamRef(id=ops.id))
    site.shop.components.authenticator._cache.clear()  # it is kept for five seconds
    assert (await browser.get("/")).status == 303


async def test_a_session_of_another_client_ends(database_url: str, site: Site, clock: FixedClock) -> None:
    key = "a" * 43 + "="
    first = await open_console(database_url, clock, **settings_of(site.service, secrets_key=key))
    second = await open_console(
        database_url, clock, **settings_of(site.service, secrets_key=key, oidc_client_id="renamed")
    )
    cookies: dict[str, str] = {}
    for components, status in ((first, 200), (second, 303)):
        shop = Shop(components, *[None] * 9)  # type: ignore[arg-type] # a console without data
        browser = shop.browser()
        if components is first:
            await Site(shop, site.service).sign_in(browser)
            cookies[SESSION_COOKIE] = browser.client.cookies[SESSION_COOKIE]
        else:
            browser.client.cookies.set(SESSION_COOKIE, cookies[SESSION_COOKIE])
        assert (await browser.get("/")).status == status
        await browser.client.aclose()
        await components.database.dispose()


async def test_the_next_page_is_one_of_this_server(site: Site) -> None:
    browser = site.shop.browser()
    callback = await site.begin(browser, "https://evil.example.com/")
    assert (await browser.get(callback)).response.headers["location"] == "/"


async def test_without_a_client_there_is_no_login_service(shop: Shop) -> None:
    browser = shop.browser()
    assert "/sign-in/start" not in (await browser.get("/sign-in")).text
    for path in ("/sign-in/start", "/sign-in/callback?code=x&state=y"):
        assert (await browser.get(path)).response.headers["location"] == "/sign-in"
    assert orjson.dumps({})
