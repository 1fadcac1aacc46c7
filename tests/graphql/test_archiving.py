"""Lists and the search leave out what is archived, and a proposal lists its comments."""

from typing import Any

from tessera_gql.graphql.ids import global_id
from tests.graphql.conftest import Ask
from tests.world import World

LISTS = """query ($assets: AssetFilter, $teams: TeamFilter) {
  assets(filter: $assets) { totalCount nodes { fqn tier isTierConfirmed archivedAt owner { assets { totalCount } } } }
  teams(filter: $teams) { totalCount nodes { name archivedAt } }
  search(text: "o") { totalCount nodes { __typename ... on Asset { fqn } ... on Team { name } } }
}"""
CHANGES = """mutation ($asset: AssetRef!, $team: TeamRef!) {
  setAssetTier(input: {asset: $asset, tier: CRITICAL}) { asset { tier isTierConfirmed } errors { code } }
  archiveAsset(input: {asset: $asset, expectedRowVersion: 2}) { asset { archivedAt rowVersion } errors { code } }
  archiveTeam(input: {team: $team}) { team { archivedAt } errors { code } }
}"""
RESTORE = """mutation ($asset: AssetRef!, $team: TeamRef!) {
  unarchiveAsset(input: {asset: $asset}) { asset { archivedAt } errors { code } }
  unarchiveTeam(input: {team: $team}) { team { archivedAt } errors { code } }
  renameAsset(input: {asset: $asset, fqn: "marts.sales"}) { asset { fqn } errors { code } }
}"""
COMMENT = """mutation ($input: CommentInput!) {
  comment(input: $input) { comment { id body team { name } proposal { id } } errors { code field } }
}"""
COMMENTS = """query ($id: ID!, $filter: CommentFilter) {
  proposal(id: $id) { comments(filter: $filter) { totalCount nodes { id body createdAt team { name } } } }
}"""


def names(data: dict[str, Any], field: str) -> list[str]:
    return [node.get("fqn") or node["name"] for node in data[field]["nodes"]]


async def test_lists_and_the_search_leave_out_what_is_archived_unless_it_is_asked_for(world: World, ask: Ask) -> None:
    asset, _ = await world.published(), await world.team("idle")
    refs = {"asset": {"id": global_id("Asset", asset.id)}, "team": {"name": "idle"}}
    changed = await ask(CHANGES, **refs)
    assert changed["setAssetTier"] == {"asset": {"tier": "CRITICAL", "isTierConfirmed": True}, "errors": []}
    assert changed["archiveAsset"]["asset"]["rowVersion"] == 3
    assert changed["archiveTeam"]["team"]["archivedAt"] is not None
    live = await ask(LISTS)
    assert (names(live, "assets"), names(live, "teams"), names(live, "search")) == ([], ["producers"], ["producers"])
    assert live == await ask(LISTS, assets={"isArchived": False}, teams={"isArchived": False})
    archived = await ask(LISTS, assets={"isArchived": True, "tier": {"eq": "CRITICAL"}}, teams={"isArchived": True})
    assert (names(archived, "assets"), names(archived, "teams")) == ([asset.fqn], ["idle"])
    assert archived["assets"]["nodes"][0]["owner"]["assets"]["totalCount"] == 0
    restored = await ask(RESTORE, **refs)
    assert restored["unarchiveAsset"]["asset"]["archivedAt"] is restored["unarchiveTeam"]["team"]["archivedAt"] is None
    assert restored["renameAsset"] == {"asset": {"fqn": "marts.sales"}, "errors": []}
    assert (await ask(LISTS))["assets"]["totalCount"] == 1


async def test_a_proposal_lists_its_comments_and_a_repeated_call_adds_none(world: World, ask: Ask) -> None:
    _, proposal = await world.proposed(consumers=1)
    identity, team = global_id("Proposal", proposal.id), {"name": "consumer-0"}
    asked = {"proposal": identity, "body": "which currency?", "team": team, "idempotencyKey": "one"}
    added = (await ask(COMMENT, input=asked))["comment"]
    assert added["comment"] | {"id": ""} == {
        "id": "",
        "body": "which currency?",
        "team": team,
        "proposal": {"id": identity},
    }
    assert (await ask(COMMENT, input=asked))["comment"] == added
    await ask(COMMENT, input={"proposal": identity, "body": "euro"})
    listed = (await ask(COMMENTS, id=identity))["proposal"]["comments"]
    assert [(node["body"], node["team"]) for node in listed["nodes"]] == [("which currency?", team), ("euro", None)]
    by_team = {"team": {"eq": global_id("Team", world.consumers[0].id)}}
    assert (await ask(COMMENTS, id=identity, filter=by_team))["proposal"]["comments"]["totalCount"] == 1
    refused = (await ask(COMMENT, input={"proposal": identity, "body": " "}))["comment"]
    assert refused == {"comment": None, "errors": [{"code": "INVALID", "field": ["input", "body"]}]}
