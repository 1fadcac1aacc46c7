"""Teams, assets and contracts are created by mutations and read back by queries."""

from tessera_gql.graphql.ids import global_id
from tessera_gql.policy.access import Actor
from tests.graphql.conftest import Ask
from tests.world import ORDERS, World

CREATE = """
mutation ($team: String!, $fqn: String!, $schema: JSON!) {
  createTeam(input: {name: $team, clientMutationId: "one"}) {
    team { id name } errors { code message } clientMutationId
  }
  createAsset(input: {fqn: $fqn, owner: {name: $team}}) { asset { id fqn owner { name } } errors { code message } }
  publishContract(input: {asset: {fqn: $fqn}, schema: $schema}) {
    outcome contract { version schema status asset { fqn } } proposal { id } errors { code message }
    query { asset(by: {fqn: $fqn}) { currentContract { version } } }
  }
}
"""


async def test_a_team_an_asset_and_its_first_contract_take_one_operation(ask: Ask) -> None:
    data = await ask(CREATE, team="Shop", fqn="shop.core.orders", schema=ORDERS)
    assert data["createTeam"]["team"]["name"] == "Shop"
    assert data["createTeam"]["clientMutationId"] == "one"
    assert data["createAsset"]["asset"]["owner"] == {"name": "Shop"}
    assert data["publishContract"]["outcome"] == "PUBLISHED"
    assert data["publishContract"]["contract"]["schema"] == ORDERS
    assert data["publishContract"]["query"]["asset"]["currentContract"]["version"] == "1.0.0"


async def test_a_refusal_has_a_code_a_field_and_a_message(ask: Ask) -> None:
    await ask(CREATE, team="Shop", fqn="shop.core.orders", schema=ORDERS)
    again = await ask(CREATE, team="SHOP", fqn="shop.core.orders", schema=ORDERS)
    assert again["createTeam"]["team"] is None
    error = again["createTeam"]["errors"][0]
    assert error["code"] == "CONFLICT"
    assert "Shop exists already" in error["message"]
    assert again["publishContract"]["outcome"] == "UNCHANGED"


UPDATE = """
mutation ($input: UpdateAssetInput!) {
  updateAsset(input: $input) {
    asset { description metadata resourceType compatibilityMode rowVersion owner { name } }
    errors { code field message }
  }
}
"""


async def test_a_field_omitted_from_an_update_stays_unchanged(world: World, ask: Ask) -> None:
    await world.asset("shop.core.orders", await world.team("shop"), description="Orders", metadata={"a": 1})
    await world.team("other")
    ref = {"asset": {"fqn": "shop.core.orders"}}
    changed = (await ask(UPDATE, input=ref | {"resourceType": "VIEW", "expectedRowVersion": 1}))["updateAsset"]
    assert changed["asset"] == {
        "description": "Orders",
        "metadata": {"a": 1},
        "resourceType": "VIEW",
        "compatibilityMode": "BACKWARD",
        "rowVersion": 2,
        "owner": {"name": "shop"},
    }
    cleared = await ask(UPDATE, input=ref | {"description": None, "metadata": None, "owner": {"name": "other"}})
    assert cleared["updateAsset"]["asset"]["description"] is None
    assert cleared["updateAsset"]["asset"]["metadata"] == {}
    assert cleared["updateAsset"]["asset"]["owner"] == {"name": "other"}
    stale = (await ask(UPDATE, input=ref | {"description": "x", "expectedRowVersion": 1}))["updateAsset"]
    assert stale["errors"][0]["code"] == "STALE"
    null = (await ask(UPDATE, input=ref | {"resourceType": None}))["updateAsset"]
    assert null["errors"][0]["field"] == ["input", "resourceType"]
    assert null["errors"][0]["code"] == "INVALID"


async def test_a_team_is_renamed(world: World, ask: Ask) -> None:
    await world.team("Shop")
    query = """mutation ($input: UpdateTeamInput!) { updateTeam(input: $input) {
      team { name metadata rowVersion } errors { code field message }
    } }"""
    reply = await ask(query, input={"team": {"name": "SHOP"}, "name": "Store", "metadata": {"slack": "#store"}})
    assert reply["updateTeam"]["team"] == {"name": "Store", "metadata": {"slack": "#store"}, "rowVersion": 2}
    refused = (await ask(query, input={"team": {"name": "Shop"}, "name": "x"}))["updateTeam"]
    assert refused["errors"][0]["code"] == "NOT_FOUND"


async def test_a_key_without_the_scope_is_refused_by_every_mutation(world: World, ask: Ask) -> None:
    _, proposal = await world.proposed(consumers=1)
    before = await world.size()
    data = await ask(
        """mutation ($proposal: ID!, $asset: AssetRef!) {
          a: createTeam(input: {name: "x"}) { errors { code } }
          b: updateTeam(input: {team: {name: "producers"}, name: "x"}) { errors { code } }
          c: createAsset(input: {fqn: "a.b", owner: {name: "producers"}}) { errors { code } }
          d: updateAsset(input: {asset: $asset, description: "x"}) { errors { code } }
          e: publishContract(input: {asset: $asset, schema: {}}) { errors { code } }
          f: register(input: {asset: $asset, team: {name: "producers"}}) { errors { code } }
          g: acknowledgeProposal(input: {proposal: $proposal, response: APPROVED}) { errors { code } }
          h: withdrawProposal(input: {proposal: $proposal}) { errors { code } }
          i: publishProposal(input: {proposal: $proposal}) { errors { code } }
          j: addDependency(input: {dependent: $asset, dependency: $asset}) { errors { code } }
          k: syncDbtManifest(input: {manifest: {}}) { errors { code } }
        }""",
        actor=Actor("reader", proposal.proposed_by),
        proposal=global_id("Proposal", proposal.id),
        asset={"fqn": "analytics.core.orders"},
    )
    codes = {name: answer["errors"][0]["code"] for name, answer in data.items()}
    assert codes.pop("k") in {"FORBIDDEN", "INVALID"}
    assert set(codes.values()) == {"FORBIDDEN"}
    assert await world.size() == before
