"""Teams, assets and contracts: created by mutations, read back by queries."""

from tests.graphql.conftest import Ask
from tests.world import ORDERS

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


async def test_a_refusal_is_an_answer_with_a_code_a_field_and_a_sentence(ask: Ask) -> None:
    await ask(CREATE, team="Shop", fqn="shop.core.orders", schema=ORDERS)
    again = await ask(CREATE, team="SHOP", fqn="shop.core.orders", schema=ORDERS)
    assert again["createTeam"]["team"] is None
    error = again["createTeam"]["errors"][0]
    assert error["code"] == "CONFLICT"
    assert "Shop exists already" in error["message"]
    assert again["publishContract"]["outcome"] == "UNCHANGED"
