"""API keys for an administrator: the first key, the commands, and a revocation that a running server obeys."""

import asyncio
import json
import re
import subprocess
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
import websockets

from tessera_gql.policy.access import ANONYMOUS
from tessera_gql.store.database import Database
from tessera_gql.store.projects import ProjectRef
from tessera_gql.workflows import projects
from tessera_gql.workflows.projects import ProjectDetails
from tests.e2e.server import ROOT, Running, run_tessera, serving

pytestmark = pytest.mark.long

ADMIN = "an-administrators-key-for-this-test"
MANIFEST = ROOT / "tessera_gql/cli/shop_manifest.json"
WHO = "{ viewer { actor scopes } }"


def tessera(*arguments: str, cwd: Path, **settings: str) -> "subprocess.CompletedProcess[str]":
    return run_tessera(*arguments, cwd=cwd, **settings)


def ask(server: Running, token: str | None, query: str = WHO) -> httpx.Response:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return httpx.post(f"{server.url}/graphql", json={"query": query}, headers=headers, timeout=30)


def test_a_server_that_needs_keys_creates_the_first_one_and_shows_it_once(tmp_path: Path) -> None:
    with serving(tmp_path, AUTH="on") as server:
        assert ask(server, None).status_code == 401
        (token,) = re.findall(r'"key": "(tsr_\S{43})"', server.log.read_text())  # without a terminal, a line of JSON
        assert ask(server, token).json()["data"]["viewer"]["scopes"] == ["READ", "WRITE", "ADMIN"]
    with serving(tmp_path, AUTH="on") as server:
        assert "tsr_" not in server.log.read_text()
        assert ask(server, token).status_code == 200


def test_a_server_with_an_admin_key_in_its_settings_creates_none(tmp_path: Path) -> None:
    with serving(tmp_path, ADMIN_KEY=ADMIN) as server:
        assert ask(server, ADMIN).json()["data"]["viewer"]["actor"] == "admin"
        assert "tsr_" not in server.log.read_text()


def test_the_locked_profile_can_be_tried_out_and_opened_on_one_machine(tmp_path: Path) -> None:
    with serving(tmp_path, AUTH="on", ADMIN_KEY=ADMIN) as server:
        assert httpx.get(f"{server.url}/graphiql").status_code == 404
        assert "Introspection is off" in ask(server, ADMIN, "{ __schema { types { name } } }").text
    with serving(tmp_path, PROFILE="open", ADMIN_KEY=ADMIN) as server:
        assert httpx.get(f"{server.url}/graphiql").status_code == 200
        assert ask(server, None).status_code == 401
        assert "errors" not in ask(server, ADMIN, "{ __schema { types { name } } }").json()


def test_keys_are_made_listed_and_revoked_on_the_command_line(tmp_path: Path) -> None:
    assert tessera("db", "upgrade", cwd=tmp_path).returncode == 0
    created = tessera("keys", "create", "root", "--expires", "90d", cwd=tmp_path)
    assert re.fullmatch(r"tsr_\S{43}\n", created.stdout)
    assert "only time" in created.stderr
    (listed,) = json.loads(tessera("keys", "list", "--json", cwd=tmp_path).stdout)
    assert (listed["name"], listed["prefix"], listed["state"]) == ("root", created.stdout[:8], "good")
    assert "token" not in listed
    plain = tessera("keys", "list", cwd=tmp_path).stdout
    assert plain.split("\t")[:3] == [listed["id"], listed["prefix"], "root"]
    assert created.stdout.strip() not in plain
    assert "is revoked" in tessera("keys", "revoke", listed["prefix"], cwd=tmp_path).stdout
    (listed,) = json.loads(tessera("keys", "list", "--json", cwd=tmp_path).stdout)
    assert listed["state"] == "revoked"


def test_a_key_of_a_project_is_made_and_listed_with_its_project(tmp_path: Path) -> None:
    with serving(tmp_path, ADMIN_KEY=ADMIN) as server:
        as_admin = {"TESSERA_URL": server.url, "TESSERA_API_KEY": ADMIN, "HOME": str(tmp_path)}
        assert tessera("team", "create", "shop", cwd=tmp_path, **as_admin).returncode == 0
        created = tessera("project", "create", "warehouse", "--owner", "shop", cwd=tmp_path, **as_admin)
        assert created.returncode == 0, created.stderr
        created = tessera("keys", "create", "ci", "--project", "WAREHOUSE", "--scope", "write", cwd=tmp_path)
        token = created.stdout.strip()
        (listed,) = json.loads(tessera("keys", "list", "--json", cwd=tmp_path).stdout)
        assert (listed["team"], listed["project"], listed["scopes"]) == (None, "warehouse", ["READ", "WRITE"])
        as_project = as_admin | {"TESSERA_API_KEY": token}
        properties = [line.split() for line in tessera("whoami", cwd=tmp_path, **as_project).stdout.splitlines()]
        assert properties[2:] == [["project", "warehouse"], ["scopes", "READ,WRITE"]]
        refused = tessera("project", "update", "warehouse", "--any-schema", cwd=tmp_path, **as_project)
        assert (refused.returncode, refused.stdout) == (2, "")
        assert "The key of a project may not update projects" in refused.stderr
        asset = tessera("asset", "create", "prod.marts.orders", cwd=tmp_path, **as_project)
        assert ["owner", "shop"] in [line.split() for line in asset.stdout.splitlines()], asset.stderr


def test_a_projects_key_syncs_the_tables_of_its_owners_in_its_schemas_and_passes_over_all_others(
    tmp_path: Path,
) -> None:
    with serving(tmp_path, ADMIN_KEY=ADMIN) as server:
        as_admin = {"TESSERA_URL": server.url, "TESSERA_API_KEY": ADMIN, "HOME": str(tmp_path)}
        for team in ("shop-platform", "growth", "finance"):
            assert tessera("team", "create", team, cwd=tmp_path, **as_admin).returncode == 0
        owners = ("--owner", "shop-platform", "--owner", "growth")
        created = tessera("project", "create", "shop", *owners, "--schema", "analytics.*", cwd=tmp_path, **as_admin)
        assert created.returncode == 0, created.stderr
        created = tessera("keys", "create", "ci", "--project", "shop", "--scope", "write", cwd=tmp_path)
        as_project = as_admin | {"TESSERA_API_KEY": created.stdout.strip()}
        synced = tessera("dbt", "sync", str(MANIFEST), cwd=tmp_path, **as_project)
        assert "Traceback" not in synced.stderr
        reply = ask(server, ADMIN, "{ assets(first: 100) { nodes { fqn owner { name } } } }").json()
        assets = {node["fqn"]: node["owner"]["name"] for node in reply["data"]["assets"]["nodes"]}
        assert assets == {
            "analytics.seeds.country_codes": "shop-platform",
            "analytics.staging.stg_orders": "shop-platform",
            "analytics.staging.stg_order_items": "shop-platform",
            "analytics.staging.stg_customers": "shop-platform",
            "analytics.snapshots.products_history": "shop-platform",
            "analytics.marts.orders": "shop-platform",
            "analytics.marts.customers": "growth",
            "analytics.marts.product_sales": "growth",
        }, synced.stderr


@pytest.mark.parametrize("origin", ["the server", "another process"])
async def test_a_change_of_a_project_ends_the_streams_of_its_keys_which_stay_valid(tmp_path: Path, origin: str) -> None:
    with serving(tmp_path, ADMIN_KEY=ADMIN) as server:
        as_admin = {"TESSERA_URL": server.url, "TESSERA_API_KEY": ADMIN, "HOME": str(tmp_path)}
        for arguments in (("team", "create", "shop"), ("project", "create", "dbt", "--owner", "shop")):
            assert tessera(*arguments, cwd=tmp_path, **as_admin).returncode == 0
        token = tessera("keys", "create", "ci", "--project", "dbt", cwd=tmp_path).stdout.strip()

        async def update_by_command() -> None:
            arguments = ("project", "update", "dbt", "--schema", "prod.*")
            completed = await asyncio.to_thread(tessera, *arguments, cwd=tmp_path, **as_admin)
            assert completed.returncode == 0, completed.stderr

        async def update_database() -> None:
            database = Database(f"sqlite:///{tmp_path}/tessera.db")
            async with database.write("tester") as session:
                await projects.update(session, ANONYMOUS, ProjectRef(name="dbt"), ProjectDetails(schemas=["prod.*"]))
            await database.dispose()

        update = update_by_command if origin == "the server" else update_database
        code, seconds = await _ended(server, token, update)
        assert (code, seconds < 3) == (4403, True)
        viewer = ask(server, token, "{ viewer { project { schemas } } }").json()["data"]["viewer"]
        assert viewer == {"project": {"schemas": ["prod.*"]}}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("create", "ci", "--team", "nobody"), "There is no team nobody"),
        (("create", "ci", "--project", "nothing"), "There is no project nothing"),
        (("create", "ci", "--project", "dbt", "--team", "shop"), "to a team or to a project"),
        (("create", "ci", "--scope", "read"), "Only an ADMIN key belongs to no team"),
        (("create", "ci", "--expires", "soon"), "is no duration"),
        (("revoke", "tsr_none"), "No key that is still good begins with tsr_none"),
        (("revoke", "0192d0aa-0000-7000-8000-000000000000"), "There is no such API key"),
    ],
)
def test_an_invalid_command_is_refused_with_a_message(tmp_path: Path, arguments: tuple[str, ...], message: str) -> None:
    tessera("db", "upgrade", cwd=tmp_path)
    completed = tessera("keys", *arguments, cwd=tmp_path)
    assert completed.returncode == 2
    assert message in completed.stderr
    assert "Traceback" not in completed.stderr


def test_without_a_database_the_command_says_how_to_create_one(tmp_path: Path) -> None:
    completed = tessera("keys", "list", cwd=tmp_path)
    assert (completed.returncode, completed.stdout) == (2, "")
    assert "tessera db upgrade" in completed.stderr
    assert not (tmp_path / "tessera.db").exists()


async def _ended(server: Running, token: str, do: Callable[[], Awaitable[Any]]) -> tuple[int | None, float]:
    """The close code of a live subscription, and the seconds until then."""
    address = server.url.replace("http", "ws") + "/graphql"
    protocol = websockets.Subprotocol("graphql-transport-ws")
    async with websockets.connect(address, subprotocols=[protocol]) as socket:
        init = {"type": "connection_init", "payload": {"Authorization": f"Bearer {token}"}}
        await socket.send(json.dumps(init))
        assert json.loads(await socket.recv())["type"] == "connection_ack"
        payload = {"query": "subscription { events { cursor } }"}
        await socket.send(json.dumps({"id": "1", "type": "subscribe", "payload": payload}))
        await asyncio.sleep(0.3)
        await do()
        since = time.monotonic()
        await asyncio.wait_for(socket.wait_closed(), 10)
        return socket.close_code, time.monotonic() - since


async def test_a_revocation_by_a_command_ends_the_streams_of_the_key(tmp_path: Path) -> None:
    with serving(tmp_path, ADMIN_KEY=ADMIN) as server:
        token = tessera("keys", "create", "watcher", cwd=tmp_path).stdout.strip()
        assert ask(server, token).status_code == 200

        async def revoke() -> None:
            completed = await asyncio.to_thread(tessera, "keys", "revoke", token[:8], cwd=tmp_path)
            assert completed.returncode == 0, completed.stderr

        code, seconds = await _ended(server, token, revoke)
        assert code == 4403
        assert seconds < 3
        refused = ask(server, token)
        assert refused.status_code == 401
        assert "was revoked" in refused.text
        assert token not in server.log.read_text()


async def test_a_live_subscription_ends_at_the_moment_when_its_key_expires(tmp_path: Path) -> None:
    with serving(tmp_path, ADMIN_KEY=ADMIN) as server:
        at = time.time() + 3
        moment = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(at)) + f".{int(at % 1 * 1000):03}Z"
        asked = f'{{name: "brief", scopes: ADMIN, expiresAt: "{moment}"}}'
        created = ask(server, ADMIN, f"mutation {{ createApiKey(input: {asked}) {{ token }} }}")
        token = created.json()["data"]["createApiKey"]["token"]

        async def wait() -> None:
            await asyncio.sleep(at - time.time() - 0.05)

        code, seconds = await _ended(server, token, wait)
        assert code == 4403
        assert seconds < 1
        assert "expired at" in ask(server, token).text
