"""Signing in and out, and what ends a session."""

import base64
from datetime import timedelta

import orjson
import pytest

from tessera_gql.config import Settings
from tessera_gql.console.session import MESSAGE_COOKIE, SESSION_COOKIE, Signer
from tessera_gql.policy.access import ANONYMOUS, Scope
from tessera_gql.workflows import keys
from tests.conftest import START, FixedClock
from tests.console.conftest import ADDRESS, ADMIN_KEY, Shop, open_console, settings_for

SECRET = b"a secret of this test"


async def test_without_a_session_every_page_leads_to_the_page_for_signing_in(shop: Shop) -> None:
    browser = shop.browser()
    for path in shop.paths().values():
        page = await browser.get(path)
        assert page.status == 303
        assert page.response.headers["location"].startswith("/sign-in?next=%2F")


async def test_somebody_signs_in_with_a_key_and_comes_to_the_page_that_was_asked_for(shop: Shop) -> None:
    browser = shop.browser()
    page = await browser.sign_in((await shop.key(shop.finance)).token, "/teams")
    assert page.heading == "3 teams"
    assert "Sign out" in page.text
    header = next(iter(browser.client.cookies.jar))
    assert (header.name, header.path, header.secure) == (SESSION_COOKIE, "/", False)
    assert header.has_nonstandard_attr("HttpOnly")


async def test_the_cookie_holds_a_reference_and_no_token(shop: Shop) -> None:
    browser, created = shop.browser(), await shop.key(shop.finance)
    await browser.sign_in(created.token)
    content = base64.urlsafe_b64decode(browser.client.cookies[SESSION_COOKIE].partition(".")[0])
    assert orjson.loads(content)[0] == f"key:{created.key.id}"
    assert created.token.encode() not in content


async def test_an_administrator_signs_in_with_the_admin_key(shop: Shop) -> None:
    browser = shop.browser()
    assert (await browser.sign_in(ADMIN_KEY)).heading == "All teams owe 2 answers"


async def test_every_wrong_key_gets_the_same_answer(shop: Shop) -> None:
    for token in ("tsr_wrong", "", "no key", "a.b.c", "tsr_" + "x" * 20_000):
        page = await shop.browser().sign_in(token)
        assert page.status == 401
        assert "This key isn&#39;t valid here, or no longer." in page.text


async def test_a_revoked_key_gets_the_same_answer_as_a_wrong_one(shop: Shop) -> None:
    created = await shop.key(shop.finance)
    async with shop.components.database.write("tester") as session:
        await keys.revoke(session, ANONYMOUS, created.key.id)
    page = await shop.browser().sign_in(created.token)
    assert page.status == 401
    assert "was revoked" not in page.text


async def test_a_revoked_key_ends_its_session_at_once(shop: Shop) -> None:
    browser, created = shop.browser(), await shop.key(shop.finance)
    await browser.sign_in(created.token)
    assert (await browser.get("/")).status == 200
    async with shop.components.database.write("tester") as session:
        await keys.revoke(session, ANONYMOUS, created.key.id)
    page = await browser.get("/")
    assert page.status == 303
    assert SESSION_COOKIE not in browser.client.cookies


async def test_a_session_ends_after_its_hours(shop: Shop, clock: FixedClock) -> None:
    browser = await shop.signed_in(shop.finance)
    clock.advance(hours=11.9)
    assert (await browser.get("/")).status == 200
    clock.advance(hours=0.2)
    assert (await browser.get("/")).status == 303


async def test_another_process_with_the_same_secrets_key_accepts_the_session(
    database_url: str, clock: FixedClock
) -> None:
    key = base64.b64encode(b"k" * 32).decode()
    processes = [
        await open_console(database_url, clock, admin_key=ADMIN_KEY, secrets_key=key, console_session_hours=1)
        for _ in range(2)
    ]
    first, second = (process.settings.session_secrets for process in processes)
    assert first == second
    session = Signer(first).create_session("admin", START + timedelta(hours=1))
    assert Signer(second).read_session(session.cookie, START) == session
    for process in processes:
        await process.database.dispose()


def test_a_rotated_secrets_key_accepts_sessions_of_the_old_one() -> None:
    old, new = (base64.b64encode(letter * 32).decode() for letter in (b"o", b"n"))

    def signer(*values: str) -> Signer:
        return Signer(settings_for("sqlite:///x.db", secrets_key=",".join(values)).session_secrets)

    session = signer(old).create_session("key:x", START + timedelta(hours=1))
    assert signer(new, old).read_session(session.cookie, START) == session
    assert signer(new).read_session(session.cookie, START) is None


def test_without_secrets_key_each_server_has_a_secret_of_its_own() -> None:
    first, second = (settings_for("sqlite:///x.db", secrets_key=[]) for _ in range(2))
    assert isinstance(first, Settings)
    assert first.session_secrets == first.session_secrets
    assert first.session_secrets != second.session_secrets


@pytest.mark.parametrize("change", ["", "x", ".", "..", "é.x", "W10=.00", "a" * 10_000])
def test_a_forged_cookie_is_no_session(change: str) -> None:
    signer = Signer([SECRET])
    session = signer.create_session("admin", START + timedelta(hours=1))
    assert signer.read_session(change, START) is None
    assert signer.read_session(session.cookie[:-1] + ("0" if session.cookie[-1] != "0" else "1"), START) is None
    forged = Signer([b"another"]).create_session("admin", START + timedelta(hours=1))
    assert signer.read_session(forged.cookie, START) is None


def test_a_message_or_a_form_token_is_no_session() -> None:
    signer = Signer([SECRET])
    assert signer.read_session(signer.seal_message('["admin", 9999999999, "x"]'), START) is None


async def test_signing_out_ends_the_session_in_this_browser(shop: Shop) -> None:
    browser = await shop.signed_in(shop.finance)
    page = await browser.send(await browser.get("/"), "/sign-out")
    assert page.heading == "Sign in"
    assert (await browser.get("/")).status == 303


async def test_after_signing_in_no_address_leads_to_another_site(shop: Shop) -> None:
    token = (await shop.key(shop.finance)).token
    for path in ("//evil.example", "https://evil.example", "/\\evil.example", "/a\r\nSet-Cookie: x=1", "javascript:1"):
        browser = shop.browser()
        page = await browser.get("/sign-in")
        fields = page.fields("/sign-in") | {"next": path, "key": token}
        assert (await browser.post("/sign-in", fields)).response.headers["location"] == "/"


async def test_the_sign_in_form_is_bound_to_the_browser_that_loaded_it(shop: Shop) -> None:
    token = (await shop.key(shop.finance)).token
    fields = (await shop.browser().get("/sign-in")).fields("/sign-in")
    victim = shop.browser()
    await victim.get("/sign-in")
    page = await victim.post("/sign-in", fields | {"key": token})
    assert page.status == 403
    assert SESSION_COOKIE not in victim.client.cookies


async def test_behind_https_the_cookie_is_secure_and_below_the_public_path(
    database_url: str, clock: FixedClock
) -> None:
    server = await open_console(
        database_url, clock, admin_key=ADMIN_KEY, public_url="https://data.example.com/tessera/"
    )
    shop = Shop(server, *[None] * 9)  # type: ignore[arg-type] # a console without data
    browser = shop.browser()
    page = await browser.get("/tessera/sign-in")
    answer = await browser.post(
        "/tessera/sign-in",
        page.fields("/tessera/sign-in") | {"key": ADMIN_KEY},
        cookie="; ".join(f"{cookie.name}={cookie.value}" for cookie in browser.client.cookies.jar),
    )
    header = answer.response.headers["set-cookie"]
    assert "HttpOnly" in header
    assert "Secure" in header
    assert "SameSite=lax" in header
    assert "Path=/tessera" in header
    assert answer.response.headers["location"] == "/tessera/"
    await browser.client.aclose()
    await server.database.dispose()


async def test_the_api_never_reads_the_cookie(shop: Shop) -> None:
    browser = await shop.signed_in(shop.finance)
    answer = await browser.client.post("/graphql", json={"query": "{ viewer { actor } }"})
    assert answer.status_code == 401


async def test_on_an_open_server_nobody_signs_in(open_shop: Shop) -> None:
    browser = open_shop.browser()
    browser.client.base_url = "http://localhost"  # type: ignore[assignment] # httpx converts it
    page = await browser.get("/")
    assert page.heading == "All teams owe 2 answers"
    assert "Open, this machine only" in page.text
    assert not browser.client.cookies
    assert (await browser.get("/sign-in")).response.headers["location"] == "/"


async def test_an_open_server_refuses_pages_under_a_foreign_name(open_shop: Shop) -> None:
    assert (await open_shop.browser().get("/")).status == 403


async def test_a_forged_message_is_not_shown(shop: Shop) -> None:
    browser = await shop.signed_in(shop.finance, Scope.READ)
    browser.client.cookies.set(MESSAGE_COOKIE, base64.urlsafe_b64encode(b"Send me money").decode() + ".00")
    assert "money" not in (await browser.get("/")).text
    assert ADDRESS.startswith("http")
