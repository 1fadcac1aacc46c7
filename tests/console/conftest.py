"""A console on a database with a shop in it, and the browser of a person who reads its pages."""

import re
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from html import unescape
from typing import Any

import httpx
import pytest

from tessera_gql.app import create_app
from tessera_gql.components import Components, create_components
from tessera_gql.config import Settings
from tessera_gql.policy.access import ANONYMOUS, Scope
from tessera_gql.policy.enums import Response
from tessera_gql.policy.global_ids import encode_global_id
from tessera_gql.store.tables import Asset, ChangeSet, Proposal, Team
from tessera_gql.store.teams import TeamRef
from tessera_gql.workflows import keys
from tessera_gql.workflows.keys import CreatedKey, KeyRequest
from tests.conftest import FixedClock
from tests.console.login_service import AUDIENCE, CLIENT, SECRET, LoginServer, login_server
from tests.world import World, adding, without

ADMIN_KEY = "an-administrators-key-for-this-test"
ADDRESS = "http://console.test"
CHANGE_SET = "github.com/fernhill/warehouse#4711"

SECRETS_KEY = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="


def field_of(form: str, name: str) -> str:
    """The value of a field of a form, of its text in HTML."""
    match = re.search(rf'name="{name}" value="([^"]*)"', form)
    assert match, f"no field {name}"
    return unescape(match[1])


@dataclass
class Page:
    """A page that was received."""

    response: httpx.Response

    @property
    def status(self) -> int:
        return self.response.status_code

    @property
    def text(self) -> str:
        return self.response.text

    @property
    def heading(self) -> str:
        match = re.search(r"<h1[^>]*>(.*?)</h1>", self.text, re.DOTALL)
        assert match, self.text[:2000]
        return unescape(re.sub(r"<[^>]+>", "", match[1]))

    def form(self, action: str) -> str:
        """The HTML of the form with this address."""
        for form in re.findall(r"<form.*?</form>", self.text, re.DOTALL):
            if f'action="{action}"' in form:
                return str(form)
        raise AssertionError(f"no form {action}")

    def fields(self, action: str) -> dict[str, str]:
        """The hidden fields of the form with this address."""
        pairs = re.findall(r'<input type="hidden" name="([^"]*)" value="([^"]*)"', self.form(action))
        return {name: unescape(value) for name, value in pairs}


@dataclass
class Browser:
    """Requests pages, keeps cookies and sends forms, without scripts."""

    client: httpx.AsyncClient

    async def get(self, path: str) -> Page:
        return Page(await self.client.get(path))

    async def post(self, path: str, data: dict[str, Any], **headers: str) -> Page:
        return Page(await self.client.post(path, data=data, headers=headers))

    async def send(self, page: Page, action: str, **values: Any) -> Page:
        """Fill in the form of a page and send it; the page after the redirect."""
        answer = await self.post(action, {**page.fields(action), **values})
        if answer.status != 303:
            return answer
        return await self.get(answer.response.headers["location"].removeprefix(ADDRESS))

    async def sign_in(self, token: str, path: str = "/") -> Page:
        page = await self.get(f"/sign-in?next={path}")
        return await self.send(page, "/sign-in", key=token)

    async def begin_login(self, path: str = "/") -> str:
        """Follow the link to the login server and sign in there; the address that it sends the browser to."""
        start = await self.get(f"/sign-in/start?next={path}")
        assert start.status == 303, start.text
        async with httpx.AsyncClient() as client:
            answer = await client.get(start.response.headers["location"])
        assert answer.status_code == 302, answer.text
        return str(answer.headers["location"].removeprefix(ADDRESS))

    async def log_in(self, path: str = "/") -> Page:
        """Sign in with the login server; the page after that."""
        answer = await self.get(await self.begin_login(path))
        if answer.status != 303:
            return answer
        return await self.get(answer.response.headers["location"])


@dataclass
class Shop:
    """A shop whose orders lose a column, in a change set with another table, and the teams that it concerns."""

    components: Components
    world: World
    owner: Team
    finance: Team
    support: Team
    orders: Asset
    items: Asset
    change_set: ChangeSet
    proposals: list[Proposal]
    alone: Proposal
    """The proposal of a third table, in no change set."""
    browsers: list[httpx.AsyncClient] = field(default_factory=list[httpx.AsyncClient])
    service: LoginServer | None = None
    """Where people sign in; with keys if there is none."""

    def browser(self) -> Browser:
        transport = httpx.ASGITransport(create_app(self.components))
        client = httpx.AsyncClient(transport=transport, base_url=ADDRESS)
        self.browsers.append(client)
        return Browser(client)

    async def key(self, team: Team | None, *scopes: Scope) -> CreatedKey:
        async with self.components.database.write("tester") as session:
            request = KeyRequest("ines", scopes or (Scope.WRITE,), TeamRef(id=team.id) if team else None)
            return await keys.create(session, ANONYMOUS, request)

    async def signed_in(self, team: Team | None, *scopes: Scope) -> Browser:
        """A browser of a person with these rights, WRITE by default."""
        browser = self.browser()
        if self.service is None:
            await browser.sign_in((await self.key(team, *scopes)).token)
            return browser
        now = int(self.components.database.clock().timestamp())
        rights = " ".join(f"tessera:{scope.name.lower()}" for scope in scopes or (Scope.WRITE,))
        names = {"team": team.name} if team else {}
        self.service.claims = {"iat": now, "exp": now + 3600, "scope": f"openid {rights}"} | names
        assert (await browser.log_in()).status == 200
        return browser

    def proposal_path(self, proposal: Proposal) -> str:
        return f"/proposals/{encode_global_id('Proposal', proposal.id)}".replace("=", "%3D")

    def change_set_path(self) -> str:
        return f"/change-sets/{encode_global_id('ChangeSet', self.change_set.id)}".replace("=", "%3D")

    def team_path(self, team: Team) -> str:
        return f"/teams/{encode_global_id('Team', team.id)}".replace("=", "%3D")

    def paths(self) -> dict[str, str]:
        """An address of each page, by its name."""
        asset = f"/assets/{self.orders.fqn}"
        return {
            "inbox": "/",
            "proposal": self.proposal_path(self.proposals[0]),
            "force": f"{self.proposal_path(self.proposals[0])}/force",
            "change_set": self.change_set_path(),
            "catalog": "/catalog",
            "asset": asset,
            "versions": f"{asset}/versions",
            "readers": f"{asset}/readers",
            "lineage": f"{asset}/lineage",
            "what_if": f"{asset}/what-if",
            "teams": "/teams",
            "team": self.team_path(self.finance),
            "audit": "/audit",
        }


async def build_shop(components: Components, prefix: str = "") -> Shop:
    world = World(components.database)
    owner, finance, support = [await world.team(f"{prefix}{name}") for name in ("shop", "finance", "support")]
    orders, items, campaigns = [
        await world.asset(f"marts.{name}", owner, description=f"{prefix}{name}")
        for name in ("orders", "items", "campaigns")
    ]
    report = await world.asset("finance.revenue", finance)
    for asset in (orders, items, campaigns):
        await world.publish(asset)
    await world.publish(orders, adding("coupon"))
    await world.register(orders, finance, "note", "total")
    await world.register(orders, support)
    await world.register(items, finance, "total")
    await world.register(campaigns, finance, "note")
    await world.depend(report, orders)
    change_set = await world.change_set(CHANGE_SET, title=f"{prefix}Gross totals", url="https://example.com/pull/4711")
    proposals = []
    for asset, schema in ((orders, without("note", schema=adding("coupon"))), (items, without("total"))):
        result = await world.publish(asset, schema, change_set_id=change_set.id, reason=f"{prefix}Coupons end.")
        assert result.proposal
        proposals.append(result.proposal)
    alone = (await world.publish(campaigns, without("note"), reason=f"{prefix}Nobody fills it.")).proposal
    assert alone
    await world.answer(proposals[0], support, Response.BLOCKED)
    return Shop(components, world, owner, finance, support, orders, items, change_set, proposals, alone)


def settings_for(database_url: str, **options: Any) -> Settings:
    options.setdefault("secrets_key", SECRETS_KEY)
    return Settings(_env_file=None, database_url=database_url, **options)  # type: ignore[call-arg] # pydantic's own


async def open_console(database_url: str, clock: FixedClock, **options: Any) -> Components:
    components = create_components(settings_for(database_url, **options))
    components.database.clock = clock
    components.database.observe_commits(components.authenticator.on_commit)
    return components


def login_settings(service: LoginServer, **changed: Any) -> dict[str, Any]:
    """Settings of a server that signs people in with this login server."""
    values = {
        "oidc_issuer": service.address,
        "oidc_audience": AUDIENCE,
        "oidc_jwks": f"{service.address}/jwks",
        "oidc_client_id": CLIENT,
        "oidc_client_secret": SECRET,
        "public_url": ADDRESS,
    }
    return values | changed


@pytest.fixture(scope="module")
def running_service() -> Iterator[LoginServer]:
    with login_server() as service:
        yield service


@pytest.fixture
def service(running_service: LoginServer) -> LoginServer:
    running_service.__dict__.update(LoginServer(address=running_service.address).__dict__)
    return running_service


@pytest.fixture
async def components(database_url: str, clock: FixedClock) -> AsyncIterator[Components]:
    """A server that needs keys."""
    server = await open_console(database_url, clock, admin_key=ADMIN_KEY)
    yield server
    await server.database.dispose()


@pytest.fixture
async def shop(components: Components) -> AsyncIterator[Shop]:
    built = await build_shop(components)
    yield built
    for browser in built.browsers:
        await browser.aclose()


@pytest.fixture
async def open_shop(database_url: str, clock: FixedClock) -> AsyncIterator[Shop]:
    """The shop on a server without keys."""
    components = await open_console(database_url, clock)
    built = await build_shop(components)
    yield built
    for browser in built.browsers:
        await browser.aclose()
    await components.database.dispose()
