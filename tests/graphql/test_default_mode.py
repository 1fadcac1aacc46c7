"""New assets take the mode that their creator or manifest names, else that of the settings."""

from typing import Any

import pytest

from tessera_gql import app
from tessera_gql.components import Components, create_components
from tessera_gql.config import Settings
from tessera_gql.diff import Mode
from tessera_gql.policy.access import ANONYMOUS
from tessera_gql.server.http import execute
from tests.formats.manifests import column, manifest, table

CREATE = """
mutation ($input: CreateAssetInput!) { createAsset(input: $input) { asset { compatibilityMode } errors { message } } }
"""
SYNC = """
mutation ($input: SyncDbtManifestInput!) {
  syncDbtManifest(input: $input) {
    report { models { asset { compatibilityMode currentContract { compatibilityMode } } } }
    errors { message }
  }
}
"""


async def run(parts: Components, query: str, **arguments: Any) -> Any:
    identity = app.Identity(ANONYMOUS)
    reply = await execute(parts.transport, query=query, variables={"input": arguments}, identity=identity)
    assert "errors" not in reply, reply
    (payload,) = reply["data"].values()
    assert not payload.get("errors"), payload
    return payload


@pytest.mark.parametrize(
    ("setting", "created", "synced"),
    [
        (None, "BACKWARD", "CONSUMER"),
        (Mode.FULL, "FULL", "FULL"),
        (Mode.NONE, "NONE", "NONE"),
        (Mode.BACKWARD, "BACKWARD", "BACKWARD"),
    ],
)
async def test_the_setting_overrides_the_modes_of_the_api_and_of_a_sync(
    database_url: str, setting: Mode | None, created: str, synced: str
) -> None:
    parts = create_components(Settings(database_url=database_url, default_compatibility_mode=setting))
    await run(parts, "mutation ($input: CreateTeamInput!) { createTeam(input: $input) { team { name } } }", name="shop")
    owner = {"name": "shop"}
    modes = {
        mode: (await run(parts, CREATE, fqn=f"a.{mode}", owner=owner, compatibilityMode=mode))["asset"]
        for mode in (None, "FORWARD")
    }
    assert modes == {None: {"compatibilityMode": created}, "FORWARD": {"compatibilityMode": "FORWARD"}}
    tables = [
        table("plain", column("id", "int")),
        table("strict", column("id", "int"), meta={"compatibility_mode": "forward"}),
    ]
    report = (await run(parts, SYNC, manifest=manifest(*tables), owner=owner))["report"]
    assert [model["asset"] for model in report["models"]] == [
        {"compatibilityMode": mode, "currentContract": {"compatibilityMode": mode}} for mode in (synced, "FORWARD")
    ]
    payload = await run(parts, SYNC, manifest=manifest(table("new")), owner=owner, compatibilityMode="FORWARD")
    assert payload["report"]["models"][0]["asset"]["compatibilityMode"] == "FORWARD"
    await parts.database.dispose()
