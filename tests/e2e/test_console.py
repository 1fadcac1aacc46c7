"""The console of a running server: over sockets, live, in several processes and below a path of a proxy."""

import asyncio
import json
import re
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from html import unescape
from pathlib import Path

import httpx
import pytest

from tessera_gql.components import create_components
from tests.console.conftest import build_shop, settings_for
from tests.e2e.server import Running, run_tessera, serving

pytestmark = pytest.mark.long

ADMIN = "an-administrators-key-for-this-test"


@contextmanager
def browser(server: Running) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.url, timeout=30) as client:
        yield client


def sign_in(client: httpx.Client, token: str, prefix: str = "") -> httpx.Response:
    page = client.get(f"{prefix}/sign-in")
    fields = re.findall(r'<input type="hidden" name="([^"]*)" value="([^"]*)"', page.text)
    values = {name: unescape(value) for name, value in fields} | {"key": token}
    return client.post(f"{prefix}/sign-in", data=values)


def test_an_open_server_prints_the_address_of_the_console_and_serves_it(tmp_path: Path) -> None:
    with serving(tmp_path, "--demo", LOG_FORMAT="console") as server:
        assert "Console:  http://localhost:" in server.log.read_text()
        page = httpx.get(f"{server.url}/")
        assert "All teams owe 1 answer" in page.text
        assert "GraphiQL" in page.text
        for file in re.findall(r'"(/console/static/[^"]*)"', page.text):
            assert httpx.get(f"{server.url}{file}").status_code == 200


def test_in_the_locked_profile_the_console_asks_for_a_key_and_graphiql_is_off(tmp_path: Path) -> None:
    with serving(tmp_path, ADMIN_KEY=ADMIN) as server, browser(server) as client:
        assert client.get("/").headers["location"] == "/sign-in?next=%2F"
        assert sign_in(client, ADMIN).status_code == 303
        page = client.get("/")
        assert page.status_code == 200
        assert "GraphiQL" not in page.text
        assert ADMIN not in server.log.read_text()


def test_a_page_that_is_open_hears_what_happens_until_the_key_is_revoked(tmp_path: Path) -> None:
    with serving(tmp_path, "--demo", AUTH="on", ADMIN_KEY=ADMIN) as server, browser(server) as client:
        headers = {"Authorization": f"Bearer {ADMIN}"}
        find = '{ proposals { nodes { id awaiting { name } } } team(by: { name: "support" }) { id } }'
        data = httpx.post(f"{server.url}/graphql", json={"query": find}, headers=headers).json()["data"]
        (proposal,) = [item["id"] for item in data["proposals"]["nodes"] if item["awaiting"]]
        key = '{ name: "ines", team: { name: "support" }, scopes: [WRITE] }'
        create = {"query": f"mutation {{ createApiKey(input: {key}) {{ token apiKey {{ id }} }} }}"}
        reply = httpx.post(f"{server.url}/graphql", json=create, headers=headers).json()
        created = reply["data"]["createApiKey"]
        sign_in(client, created["token"])
        assert "support owes 1 answer" in client.get("/").text
        answer = (
            'mutation ($id: ID!) { acknowledgeProposal(input: { proposal: $id, response: BLOCKED, notes: "No.",'
            ' team: { name: "support" } }) { errors { message } } }'
        )
        with client.stream("GET", "/console/live/proposal", params={"id": proposal}) as stream:
            assert stream.headers["content-type"].startswith("text/event-stream")
            lines = stream.iter_lines()
            body = {"query": answer, "variables": {"id": proposal}}
            assert httpx.post(f"{server.url}/graphql", json=body, headers=headers).status_code == 200
            event = next(json.loads(line[5:]) for line in lines if line.startswith("data:"))
            assert event["data"]["events"]["kind"] == "PROPOSAL_ANSWERED"
            assert event["data"]["events"]["payload"]["response"] == "BLOCKED"
            revoke = {
                "query": "mutation ($id: ID!) { revokeApiKey(input: { apiKey: $id }) { errors { message } } }",
                "variables": {"id": created["apiKey"]["id"]},
            }
            httpx.post(f"{server.url}/graphql", json=revoke, headers=headers)
            assert "event: complete" in list(lines)
        assert client.get("/console/live/proposal", params={"id": proposal}).status_code == 401
        assert client.get("/").status_code == 303


@pytest.mark.parametrize(
    ("path", "status"), [("/console/live/nothing", 404), ("/console/live/shell", 404), ("/console/live/inbox", 401)]
)
def test_a_stream_needs_a_page_and_a_session(tmp_path: Path, path: str, status: int) -> None:
    with serving(tmp_path, ADMIN_KEY=ADMIN) as server:
        assert httpx.get(f"{server.url}{path}").status_code == status
        assert httpx.post(f"{server.url}{path}").status_code == 405


def test_several_processes_share_the_sessions(tmp_path: Path, postgres_database_url: str) -> None:
    assert run_tessera("db", "upgrade", cwd=tmp_path, DATABASE_URL=postgres_database_url).returncode == 0
    settings = {"DATABASE_URL": postgres_database_url, "ADMIN_KEY": ADMIN, "WORKERS": "3"}
    with serving(tmp_path, **settings) as server, browser(server) as client:
        assert sign_in(client, ADMIN).status_code == 303
        for _ in range(12):  # on connections of their own, so that each process is likely to be asked
            cookies = dict(client.cookies)
            assert httpx.get(f"{server.url}/teams", cookies=cookies).status_code == 200


async def _build_shop_at(url: str) -> tuple[str, str]:
    """Build the shop of the pages' tests; return a key of finance and the address of a proposal that waits for it."""
    components = create_components(settings_for(url))
    shop = await build_shop(components)
    token = (await shop.key(shop.finance)).token
    await components.database.dispose()
    return token, shop.proposal_path(shop.alone)


def test_several_processes_answer_once_and_all_of_them_show_it(tmp_path: Path, postgres_database_url: str) -> None:
    assert run_tessera("db", "upgrade", cwd=tmp_path, DATABASE_URL=postgres_database_url).returncode == 0
    token, path = asyncio.run(_build_shop_at(postgres_database_url))
    settings = {"DATABASE_URL": postgres_database_url, "ADMIN_KEY": ADMIN, "WORKERS": "3"}
    with serving(tmp_path, **settings) as server, browser(server) as client:
        sign_in(client, token)
        cookies = dict(client.cookies)
        identifier = unescape(path.rpartition("/")[2]).replace("%3D", "=")
        with client.stream("GET", "/console/live/proposal", params={"id": identifier}) as stream:
            lines = stream.iter_lines()
            form = re.search(
                rf'<form [^>]*action="{re.escape(path)}/answer".*?</form>', client.get(path).text, re.DOTALL
            )
            assert form
            fields = re.findall(r'<input type="hidden" name="([^"]*)" value="([^"]*)"', form[0])
            values = {name: unescape(value) for name, value in fields} | {"response": "BLOCKED", "notes": "Not yet."}
            answers = [httpx.post(f"{server.url}{path}/answer", data=values, cookies=cookies) for _ in range(6)]
            assert {answer.status_code for answer in answers} == {303}
            event = next(json.loads(line[5:]) for line in lines if line.startswith("data:"))
            assert event["data"]["events"]["kind"] == "PROPOSAL_ANSWERED"
        for _ in range(8):
            page = httpx.get(f"{server.url}{path}", cookies=cookies).text
            assert "finance has answered: blocked" in page
            assert page.count("<strong>finance</strong> blocked") == 1


def test_below_a_public_path_every_link_has_it_whether_or_not_the_proxy_strips_it(tmp_path: Path) -> None:
    with serving(tmp_path, ADMIN_KEY=ADMIN, PUBLIC_URL="http://127.0.0.1/tessera") as server, browser(server) as client:
        assert client.get("/tessera/").headers["location"] == "/tessera/sign-in?next=%2F"
        assert sign_in(client, ADMIN, "/tessera").headers["location"] == "/tessera/"
        page = client.get("/tessera/catalog")
        assert page.status_code == 200
        links = re.findall(r'(?:href|src|action)="(/[^"]*)"', page.text)
        assert len(links) > 5
        assert [link for link in links if not link.startswith("/tessera/")] == []
        for file in re.findall(r'"(/tessera/console/static/[^"]*)"', page.text):
            assert client.get(file).status_code == 200
        stripped = httpx.get(f"{server.url}/catalog", cookies=dict(client.cookies))
        assert re.findall(r'(?:href|src|action)="(/[^"]*)"', stripped.text) == links
        query = {"query": "{ __typename }"}
        answer = httpx.post(f"{server.url}/tessera/graphql", json=query, headers={"Authorization": f"Bearer {ADMIN}"})
        assert answer.json()["data"] == {"__typename": "Query"}
        assert httpx.get(f"{server.url}/tessera/healthz").status_code == 200


def test_a_database_that_fails_has_a_page_that_says_so(tmp_path: Path) -> None:
    with serving(tmp_path, ADMIN_KEY=ADMIN) as server, browser(server) as client:
        sign_in(client, ADMIN)
        assert client.get("/teams").status_code == 200
        with sqlite3.connect(tmp_path / "tessera.db") as connection:
            connection.execute("ALTER TABLE teams RENAME TO gone")
        page = client.get("/teams")
        assert page.status_code >= 500
        assert "gone" not in page.text
        assert "Traceback" not in page.text
