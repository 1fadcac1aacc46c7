"""Two releases of a real dbt project, synchronised over HTTP by its team while three consumers read it."""

from pathlib import Path
from typing import Any

import orjson
import pytest

from tests.e2e.server import Running, serving

MANIFESTS = Path(__file__).resolve().parents[2] / "../shared/data/dbt_manifests"
pytestmark = [
    pytest.mark.skipif(not MANIFESTS.is_dir(), reason="the shared manifests are not beside this checkout"),
    pytest.mark.long,
]

SYNC = """mutation($input: SyncDbtManifestInput!) {
  syncDbtManifest(input: $input) {
    report { models { fqn outcome changes { kind path } breaking { path } proposal { id } } dependenciesAdded }
    errors { code message }
  }
}"""
CREATE_TEAM = "mutation($input: CreateTeamInput!) { createTeam(input: $input) { errors { message } } }"
REGISTER = "mutation($input: RegisterInput!) { register(input: $input) { errors { code message } } }"
ACKNOWLEDGE = """mutation($input: AcknowledgeProposalInput!) {
  acknowledgeProposal(input: $input) { proposal { status awaiting { name } } errors { code message } }
}"""
PUBLISH = """mutation($input: PublishProposalInput!) {
  publishProposal(input: $input) { contract { version status } proposal { status } errors { code message } }
}"""
TEAMS = ("packages", "unconcerned", "everything", "reader")


def manifest(name: str) -> dict[str, Any]:
    found: dict[str, Any] = orjson.loads((MANIFESTS / f"{name}.json").read_bytes())
    return found


def do(server: Running, document: str, **asked: Any) -> dict[str, Any]:
    """The payload of a mutation that must not be refused."""
    (payload,) = server.data(document, input=asked).values()
    assert payload["errors"] == []
    result: dict[str, Any] = payload
    return result


def sync(server: Running, document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    payload = do(server, SYNC, manifest=document, owner={"name": "packages"})
    return {model["fqn"]: model for model in payload["report"]["models"]}


def a_model_with_columns(document: dict[str, Any]) -> tuple[str, str, list[str]]:
    """unique_id, fqn and columns of a model of the project."""
    for unique_id, node in sorted(document["nodes"].items()):
        if node["resource_type"] == "model" and len(node["columns"]) > 5 and node["config"]["materialized"] == "table":
            fqn = f"{node['database']}.{node['schema']}.{node['alias'] or node['name']}".lower()
            return unique_id, fqn, list(node["columns"])
    raise AssertionError("the manifest has no such model")


@pytest.mark.parametrize("on", ["sqlite", "postgresql"])
def test_a_real_project_is_published_until_it_drops_a_column_that_a_team_reads(
    tmp_path: Path, on: str, request: pytest.FixtureRequest
) -> None:
    settings = {"DATABASE_URL": request.getfixturevalue("postgres_database_url")} if on == "postgresql" else {}
    after = manifest("netsuite_after")
    unique_id, fqn, columns = a_model_with_columns(after)
    dropped, other_column = columns[0], columns[1]
    with serving(tmp_path, **settings) as server:
        for name in TEAMS:
            do(server, CREATE_TEAM, name=name)
        first = sync(server, manifest("netsuite_before"))
        assert {model["outcome"] for model in first.values()} == {"CREATED"}
        for team, fields in (("unconcerned", [other_column]), ("everything", None), ("reader", [dropped])):
            do(server, REGISTER, asset={"fqn": fqn}, team={"name": team}, fields=fields)

        second = sync(server, after)
        changed = [model for model in second.values() if model["outcome"] == "PUBLISHED"]
        kinds = [change["kind"] for model in changed for change in model["changes"]]
        assert kinds.count("PROPERTY_ADDED") == 20
        assert not [model for model in second.values() if model["breaking"]]
        assert {model["outcome"] for model in sync(server, after).values()} == {"UNCHANGED"}

        del after["nodes"][unique_id]["columns"][dropped]
        settle(server, after, fqn)


def settle(server: Running, after: dict[str, Any], fqn: str) -> None:
    """Acknowledge the proposal that drops the column, and publish it."""
    third = {name: model for name, model in sync(server, after).items() if model["outcome"] != "UNCHANGED"}
    assert {name: model["outcome"] for name, model in third.items()} == {fqn: "PROPOSED"}
    proposal = third[fqn]["proposal"]["id"]
    (asked,) = server.data("query($id: ID!) { proposal(id: $id) { awaiting { name } } }", id=proposal).values()
    assert sorted(team["name"] for team in asked["awaiting"]) == ["everything", "reader"]

    refused = server.data(
        ACKNOWLEDGE, input={"proposal": proposal, "team": {"name": "unconcerned"}, "response": "APPROVED"}
    )
    assert [error["code"] for error in refused["acknowledgeProposal"]["errors"]] == ["FORBIDDEN"]
    early = server.data(PUBLISH, input={"proposal": proposal})["publishProposal"]
    assert [error["code"] for error in early["errors"]] == ["CONFLICT"]
    assert "everything, reader" in early["errors"][0]["message"]

    reply = do(server, ACKNOWLEDGE, proposal=proposal, team={"name": "reader"}, response="APPROVED")
    assert reply["proposal"] == {"status": "PENDING", "awaiting": [{"name": "everything"}]}
    reply = do(server, ACKNOWLEDGE, proposal=proposal, team={"name": "everything"}, response="APPROVED")
    assert reply["proposal"]["status"] == "APPROVED"
    result = do(server, PUBLISH, proposal=proposal)
    assert result["contract"]["status"] == "ACTIVE"
    assert result["contract"]["version"].startswith("2.")
    assert result["proposal"]["status"] == "PUBLISHED"
    assert {model["outcome"] for model in sync(server, after).values()} == {"UNCHANGED"}


@pytest.mark.parametrize("document", [{}, {"metadata": {}}, [], "{truncated", 7, None])
def test_an_invalid_manifest_is_refused_and_changes_nothing(tmp_path: Path, document: Any) -> None:
    with serving(tmp_path) as server:
        do(server, CREATE_TEAM, name="packages")
        answer = server.call(SYNC, input={"manifest": document, "owner": {"name": "packages"}})
        # An object that is no manifest is refused by the mutation; what is no object never gets that far.
        payload = (answer.get("data") or {}).get("syncDbtManifest")
        (error,) = payload["errors"] if payload else answer["errors"]
        assert error.get("code", error.get("extensions", {}).get("code")) in {"INVALID", "BAD_REQUEST"}
        assert "manifest" in error["message"]
        assert server.data("{ assets { totalCount } }")["assets"]["totalCount"] == 0
