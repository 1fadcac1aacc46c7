"""Registrations are created, changed and ended, and shown on their asset."""

from tessera_gql.policy.access import Actor, Scope
from tests.graphql.conftest import Ask
from tests.world import World

REGISTER = """
mutation ($input: RegisterInput!) {
  register(input: $input) {
    registration { id fields status evidence purpose pinnedVersion rowVersion asset { fqn } consumerTeam { name }
      consumerAsset { fqn } registeredAt acknowledgedAt metadata }
    errors { code field message }
  }
}
"""

UPDATE = """
mutation ($input: UpdateRegistrationInput!) {
  updateRegistration(input: $input) {
    registration { fields purpose pinnedVersion rowVersion } errors { code field message }
  }
}
"""

END = """
mutation ($id: ID!) { unregister(input: {registration: $id}) { registration { status } errors { code message } } }
"""


async def test_a_team_registers_updates_and_unregisters(world: World, ask: Ask) -> None:
    await world.published()
    team = await world.team("readers")
    dashboard = await world.asset("shop.mart.dashboard", team)
    me = Actor("ci", team.id, frozenset({Scope.READ, Scope.WRITE}))
    arguments = {
        "asset": {"fqn": "analytics.core.orders"},
        "fields": ["total", "order_id"],
        "consumerAsset": {"fqn": dashboard.fqn},
        "purpose": "revenue",
        "pinnedVersion": "1.0.0",
    }
    payload = (await ask(REGISTER, actor=me, input=arguments))["register"]
    assert payload["errors"] == []
    registration = payload["registration"]
    assert registration["fields"] == ["total", "order_id"]
    assert registration["consumerTeam"] == {"name": "readers"}
    assert registration["consumerAsset"] == {"fqn": "shop.mart.dashboard"}
    assert registration["evidence"] == "DECLARED"

    changed = await ask(UPDATE, actor=me, input={"registration": registration["id"], "fields": None, "purpose": None})
    fields = changed["updateRegistration"]["registration"]
    assert fields == {"fields": None, "purpose": None, "pinnedVersion": "1.0.0", "rowVersion": 2}
    stale = await ask(
        UPDATE, actor=me, input={"registration": registration["id"], "fields": ["note"], "expectedRowVersion": 1}
    )
    assert stale["updateRegistration"]["errors"][0]["code"] == "STALE"
    assert stale["updateRegistration"]["errors"][0]["field"] == ["input", "expectedRowVersion"]
    ended = (await ask(END, actor=me, id=registration["id"]))["unregister"]
    assert ended == {"registration": {"status": "INACTIVE"}, "errors": []}
    assert (await ask(END, actor=me, id=registration["id"]))["unregister"]["errors"][0]["code"] == "CONFLICT"


async def test_an_undeclared_field_is_refused_with_the_nearest_name(world: World, ask: Ask) -> None:
    await world.published()
    await world.team("readers")
    refused = await ask(
        REGISTER,
        input={"asset": {"fqn": "analytics.core.orders"}, "team": {"name": "readers"}, "fields": ["order_idd"]},
    )
    error = refused["register"]["errors"][0]
    assert error["code"] == "INVALID"
    assert error["field"] == ["input", "fields"]
    assert "order_id" in error["message"]


async def test_a_second_registration_and_unknown_names_are_refused(world: World, ask: Ask) -> None:
    await world.published(consumers=1)
    asset, team = {"fqn": "analytics.core.orders"}, {"name": "consumer-0"}
    again = (await ask(REGISTER, input={"asset": asset, "team": team}))["register"]
    assert again["errors"][0]["code"] == "CONFLICT"
    nobody = (await ask(REGISTER, input={"asset": asset, "team": {"name": "nobody"}}))["register"]
    assert nobody["errors"][0] | {"message": ""} == {"code": "NOT_FOUND", "field": ["input", "team"], "message": ""}
    via = (await ask(REGISTER, input={"asset": asset, "team": team, "consumerAsset": {"fqn": "no.such"}}))["register"]
    assert via["errors"][0]["field"] == ["input", "consumerAsset"]


async def test_a_field_is_read_by_teams_that_registered_it_or_the_whole_asset(world: World, ask: Ask) -> None:
    asset = await world.published(consumers=1)
    other_team = await world.team("other")
    await world.register(asset, other_team, "total", "note")
    query = """query ($paths: [String!]!) {
      asset(by: {fqn: "analytics.core.orders"}) {
        fields(filter: {paths: $paths}) { nodes { path readerCount readers { name } } }
      }
    }"""
    fields = (await ask(query, paths=["order_id", "customer_id", "total", "note"]))["asset"]["fields"]["nodes"]
    assert {field["path"]: field["readerCount"] for field in fields} == {
        "order_id": 1,
        "customer_id": 1,
        "total": 2,
        "note": 2,
    }
    assert [field["path"] for field in (await ask(query, paths=["note", "gone"]))["asset"]["fields"]["nodes"]] == [
        "note"
    ]


async def test_an_asset_without_a_contract_declares_no_fields(world: World, ask: Ask) -> None:
    await world.asset("shop.core.empty", await world.team("shop"))
    data = await ask(
        """{ asset(by: {fqn: "shop.core.empty"}) {
          fields { nodes { path } } currentContract { id } openProposal { id } consumers { totalCount }
        } }"""
    )
    assert data["asset"] == {
        "fields": {"nodes": []},
        "currentContract": None,
        "openProposal": None,
        "consumers": {"totalCount": 0},
    }


async def test_a_team_that_reads_for_itself_and_for_its_tables_is_one_consumer(world: World, ask: Ask) -> None:
    orders = await world.published()
    both, tables, former = [await world.team(name) for name in ("both", "tables", "gone")]
    for team in (both, tables):
        for number in range(3):
            await world.register(orders, team, via=await world.asset(f"{team.name}.table_{number}", team))
    await world.register(orders, both)
    await world.unregister(await world.register(orders, former))
    unread = await world.asset("analytics.core.other", both)
    query = "{ assets { nodes { fqn consumers(first: 5) { totalCount nodes { name } } } } }"
    consumers = {node["fqn"]: node["consumers"] for node in (await ask(query))["assets"]["nodes"]}
    assert consumers[orders.fqn] == {"totalCount": 2, "nodes": [{"name": "both"}, {"name": "tables"}]}
    assert consumers[unread.fqn] == {"totalCount": 0, "nodes": []}
