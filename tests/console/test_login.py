"""Sign in with the code flow of an OpenID Connect server, which runs beside the test."""

from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from joserfc.jwk import RSAKey

from tessera_gql.components import Components
from tessera_gql.console.login import LOGIN_COOKIE
from tessera_gql.console.session import SESSION_COOKIE, Signer
from tessera_gql.policy.access import ANONYMOUS
from tessera_gql.store.teams import TeamRef
from tessera_gql.workflows import archiving
from tests.conftest import FixedClock
from tests.console.conftest import ADDRESS, Shop, build_shop, login_settings, open_console
from tests.console.login_service import SECRET, LoginServer

RIGHTS = {"team": "finance", "scope": "openid tessera:write"}
OTHER = RSAKey.generate_key(2048, {"kid": "login"})


@pytest.fixture
def service(service: LoginServer) -> LoginServer:
    """The login server, whose tokens are those of a person of finance."""
    service.claims = dict(RIGHTS)
    return service


@pytest.fixture
async def shop(database_url: str, clock: FixedClock, service: LoginServer) -> AsyncIterator[Shop]:
    """The shop on a server that signs people in with the login server."""
    shop = await build_shop(await open_console(database_url, clock, **login_settings(service)))
    shop.service = service
    yield shop
    for browser in shop.browsers:
        await browser.aclose()
    await shop.components.database.dispose()


async def test_somebody_signs_in_with_the_login_service_and_answers_for_the_team(shop: Shop) -> None:
    browser = shop.browser()
    link = (await browser.get("/sign-in?next=/teams")).text
    assert 'href="/sign-in/start?next=/teams">Sign in with 127.0.0.1</a>' in link
    assert (await browser.log_in("/teams")).heading == "3 teams"
    page = await browser.get("/")
    assert page.heading == "finance owes 2 answers"
    assert "ines@example.com" in page.text
    path = f"{shop.proposal_path(shop.alone)}/answer"
    (action,) = {path} & {part.split('"')[0] for part in page.text.split('action="')}
    assert "finance approved" in (await browser.send(page, action, response="APPROVED")).text


async def test_the_request_has_a_challenge_a_state_and_a_nonce_that_differ_each_time(
    shop: Shop, service: LoginServer
) -> None:
    requests = []
    for _ in range(2):
        start = await shop.browser().get("/sign-in/start")
        requests.append(dict(parse_qsl(urlsplit(start.response.headers["location"]).query)))
    assert requests[0]["redirect_uri"] == f"{ADDRESS}/sign-in/callback"
    assert (requests[0]["code_challenge_method"], requests[0]["scope"]) == ("S256", "openid")
    for name in ("state", "nonce", "code_challenge"):
        assert len({values[name] for values in requests}) == 2
        assert min(len(values[name]) for values in requests) >= 43
    assert service.discovered == 1


async def test_the_session_holds_a_signed_reference_and_no_token(shop: Shop) -> None:
    browser = shop.browser()
    await browser.log_in()
    signer = Signer(shop.components.settings.session_secrets)
    session = signer.read_session(browser.client.cookies[SESSION_COOKIE], shop.components.database.clock())
    assert session
    assert session.reference.startswith("oidc:")
    assert len(session.cookie) < 800
    assert LOGIN_COOKIE not in browser.client.cookies
    browser.client.cookies.set(SESSION_COOKIE, session.cookie[:-1] + ("0" if session.cookie[-1] != "0" else "1"))
    assert (await browser.get("/")).status == 303


async def test_the_secret_of_the_client_may_be_sent_in_the_body(shop: Shop, service: LoginServer) -> None:
    service.posts_secret = True
    assert (await shop.browser().log_in()).status == 200
    assert service.exchanged[-1]["client_secret"] == SECRET


async def test_a_public_client_signs_people_in_without_a_secret(
    database_url: str, clock: FixedClock, service: LoginServer
) -> None:
    service.is_public = True
    values = login_settings(service, oidc_client_secret=None)
    shop = await build_shop(await open_console(database_url, clock, **values))
    page = await shop.browser().log_in()
    assert page.heading == "finance owes 2 answers"
    assert service.exchanged[-1]["code_verifier"]
    assert "client_secret" not in service.exchanged[-1]
    for browser in shop.browsers:
        await browser.aclose()
    await shop.components.database.dispose()


async def test_rights_may_come_with_an_access_token_for_this_server(shop: Shop, service: LoginServer) -> None:
    service.claims = {}
    service.access_claims = dict(RIGHTS)
    assert (await shop.browser().log_in()).heading == "finance owes 2 answers"
    service.access_claims = {**RIGHTS, "sub": "somebody else"}
    assert (await shop.browser().log_in()).status == 403


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
async def test_an_id_token_with_wrong_claims_signs_nobody_in(
    shop: Shop, service: LoginServer, changed: dict[str, Any], message: str
) -> None:
    service.claims = RIGHTS | changed
    browser = shop.browser()
    page = await browser.log_in()
    assert page.status == 403
    assert message in page.text
    assert SESSION_COOKIE not in browser.client.cookies


async def test_an_id_token_of_another_key_signs_nobody_in(shop: Shop, service: LoginServer) -> None:
    service.signing_key = OTHER
    assert (await shop.browser().log_in()).status == 403


async def test_an_answer_needs_the_cookie_and_the_state_of_its_own_attempt(
    shop: Shop, service: LoginServer, clock: FixedClock
) -> None:
    browser, stranger = shop.browser(), shop.browser()
    callback = await browser.begin_login()
    page = await stranger.get(callback)
    assert (page.status, SESSION_COOKIE in stranger.client.cookies) == (403, False)
    assert "belongs to no attempt of this browser" in page.text
    await stranger.begin_login()
    assert (await stranger.get(callback)).status == 403
    assert service.exchanged == []
    clock.advance(minutes=11)
    assert (await browser.get(callback)).status == 403


async def test_an_answer_is_good_once(shop: Shop) -> None:
    browser = shop.browser()
    callback = await browser.begin_login()
    assert (await browser.get(callback)).status == 303
    assert (await browser.get(callback)).status == 403


async def test_somebody_who_does_not_sign_in_there_comes_back_to_the_form(shop: Shop) -> None:
    browser = shop.browser()
    callback = await browser.begin_login("/teams")
    state = dict(parse_qsl(urlsplit(callback).query))["state"]
    page = await browser.get(f"/sign-in/callback?error=access_denied&state={state}")
    assert page.status == 403
    assert "did not sign you in" in page.text


@pytest.mark.parametrize("status", [400, 500])
async def test_a_service_that_refuses_a_code_signs_nobody_in(shop: Shop, service: LoginServer, status: int) -> None:
    service.token_status = status
    page = await shop.browser().log_in()
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
    shop: Shop, service: LoginServer, discovery: dict[str, Any]
) -> None:
    service.discovery = discovery
    page = await shop.browser().get("/sign-in/start")
    assert page.status == 503
    assert "can&#39;t be reached now" in page.text


async def test_an_archived_team_ends_its_sessions(shop: Shop, service: LoginServer) -> None:
    browser = shop.browser()
    ops = await shop.world.team("ops")
    service.claims = RIGHTS | {"team": "ops"}
    assert (await browser.log_in()).status == 200
    async with shop.components.database.write() as session:
        await archiving.archive_team(session, ANONYMOUS, TeamRef(id=ops.id))
    shop.components.authenticator._cache.clear()  # it is kept for five seconds
    assert (await browser.get("/")).status == 303


async def test_a_session_of_another_client_ends(
    database_url: str, shop: Shop, service: LoginServer, clock: FixedClock
) -> None:
    key = "a" * 43 + "="
    first = await open_console(database_url, clock, **login_settings(service, secrets_key=key))
    second = await open_console(
        database_url, clock, **login_settings(service, secrets_key=key, oidc_client_id="renamed")
    )
    cookies: dict[str, str] = {}
    for components, status in ((first, 200), (second, 303)):
        shop = Shop(components, *[None] * 9)  # type: ignore[arg-type] # a console without data
        browser = shop.browser()
        if components is first:
            await browser.log_in()
            cookies[SESSION_COOKIE] = browser.client.cookies[SESSION_COOKIE]
        else:
            browser.client.cookies.set(SESSION_COOKIE, cookies[SESSION_COOKIE])
        assert (await browser.get("/")).status == status
        await browser.client.aclose()
        await components.database.dispose()


async def test_the_next_page_is_one_of_this_server(shop: Shop) -> None:
    browser = shop.browser()
    callback = await browser.begin_login("https://evil.example.com/")
    assert (await browser.get(callback)).response.headers["location"] == "/"


async def test_without_a_client_there_is_no_login_service(components: Components) -> None:
    shop = await build_shop(components)
    async with shop.browser().client as client:
        assert "/sign-in/start" not in (await client.get("/sign-in")).text
        for path in ("/sign-in/start", "/sign-in/callback?code=x&state=y"):
            assert (await client.get(path)).headers["location"] == "/sign-in"
