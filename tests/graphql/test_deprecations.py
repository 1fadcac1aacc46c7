"""Deprecations in the graph: declared and ended by mutation, listed on assets and fields, and warned about."""

from typing import Any

from tests.graphql.conftest import Ask
from tests.world import World

DEPRECATE = """mutation ($input: DeprecateInput!) { deprecate(input: $input) {
  asset { fqn isDeprecated } deprecations { id path sunsetAt replacement origin } warnings errors { code field message }
} }"""
END = """mutation ($input: EndDeprecationInput!) { endDeprecation(input: $input) {
  deprecations { path endedAt } errors { code field message }
} }"""
READ = """query ($by: AssetRef!, $filter: AssetFilter) {
  asset(by: $by) {
    isDeprecated supersededBy { fqn }
    deprecations { totalCount nodes { path replacement reason declaredBy { name } asset { fqn } } }
    fields { nodes { path deprecation { path } } }
  }
  assets(filter: $filter) { totalCount nodes { fqn } }
}"""
REGISTER = """mutation ($input: RegisterInput!) { register(input: $input) { registration { id } warnings } }"""
UPDATE = """mutation ($input: UpdateAssetInput!) { updateAsset(input: $input) {
  asset { supersededBy { fqn } } errors { code field message }
} }"""
FQN = {"fqn": "analytics.core.orders"}
SUNSET = "2026-06-01T00:00:00Z"


async def test_a_replacement_that_names_nothing_is_warned_of(world: World, ask: Ask) -> None:
    await world.published()
    data = await ask(DEPRECATE, input={"asset": FQN, "sunsetAt": SUNSET, "replacement": "analytics.core.nothing"})
    (warning,) = data["deprecate"]["warnings"]
    assert warning.startswith("The replacement analytics.core.nothing is neither a field of")


async def test_a_deprecation_is_declared_listed_warned_about_and_ended(world: World, ask: Ask) -> None:
    asset = await world.published()
    await world.asset("analytics.core.other", (await world.team("other")))
    terms = {"asset": FQN, "sunsetAt": SUNSET, "reason": "Nobody fills it."}
    data = await ask(DEPRECATE, input={**terms, "fields": ["note"], "replacement": "comment"})
    (declared,) = data["deprecate"]["deprecations"]
    assert (declared["path"], declared["replacement"], declared["origin"]) == ("note", "comment", "DECLARED")
    assert data["deprecate"]["asset"] == {"fqn": asset.fqn, "isDeprecated": False}
    node = await ask("query ($id: ID!) { node(id: $id) { ... on Deprecation { path } } }", id=declared["id"])
    assert node == {"node": {"path": "note"}}
    only_deprecated = {"isDeprecated": {"eq": True}}
    listed = await ask(READ, by=FQN, filter=only_deprecated)
    assert listed["asset"]["deprecations"] == {
        "totalCount": 1,
        "nodes": [
            {
                "path": "note",
                "replacement": "comment",
                "reason": "Nobody fills it.",
                "declaredBy": {"name": "producers"},
                "asset": FQN,
            }
        ],
    }
    fields = {field["path"]: field["deprecation"] for field in listed["asset"]["fields"]["nodes"]}
    assert fields == {"order_id": None, "customer_id": None, "total": None, "note": {"path": "note"}}
    assert listed["assets"] == {"totalCount": 0, "nodes": []}
    registered = await ask(REGISTER, input={"asset": FQN, "team": {"name": "other"}, "idempotencyKey": "a"})
    warning = "The team reads analytics.core.orders.note, which goes on 1 June 2026; use comment."
    assert registered["register"]["warnings"] == [warning]
    again = await ask(REGISTER, input={"asset": FQN, "team": {"name": "other"}, "idempotencyKey": "a"})
    assert again == registered
    await ask(DEPRECATE, input=terms)
    listed = await ask(READ, by=FQN, filter=only_deprecated)
    assert listed["assets"] == {"totalCount": 1, "nodes": [FQN]}
    assert listed["asset"]["isDeprecated"] is True
    assert {field["path"]: field["deprecation"] for field in listed["asset"]["fields"]["nodes"]} == {
        **{name: {"path": None} for name in ("order_id", "customer_id", "total")},
        "note": {"path": "note"},
    }
    undeprecated = await ask(READ, by=FQN, filter={"isDeprecated": {"eq": False}})
    assert undeprecated["assets"]["nodes"] == [{"fqn": "analytics.core.other"}]
    ended = await ask(END, input={"asset": FQN})
    assert [row["path"] for row in ended["endDeprecation"]["deprecations"]] == [None]
    assert (await ask(READ, by=FQN))["asset"]["isDeprecated"] is False


async def test_refusals_name_the_field_of_the_input(world: World, ask: Ask) -> None:
    await world.published()
    cases: list[tuple[dict[str, Any], str, list[str]]] = [
        ({"sunsetAt": "2025-01-01T00:00:00Z"}, "INVALID", ["input", "sunsetAt"]),
        ({"sunsetAt": "2036-01-01T00:00:00Z"}, "INVALID", ["input", "sunsetAt"]),
        ({"fields": ["notes"]}, "INVALID", ["input", "fields"]),
        ({"fields": []}, "INVALID", ["input", "fields"]),
        ({"replacement": "analytics.core.orders"}, "INVALID", ["input", "replacement"]),
        ({"asset": {"fqn": "no.asset"}}, "NOT_FOUND", ["input", "asset"]),
    ]
    for changes, code, field in cases:
        (error,) = (await ask(DEPRECATE, input={"asset": FQN, "sunsetAt": SUNSET, **changes}))["deprecate"]["errors"]
        assert (error["code"], error["field"]) == (code, field), error
    (error,) = (await ask(END, input={"asset": FQN, "fields": ["note"]}))["endDeprecation"]["errors"]
    assert (error["code"], error["field"]) == ("NOT_FOUND", ["input", "fields"])


async def test_an_asset_is_superseded_by_another_but_never_in_a_circle(world: World, ask: Ask) -> None:
    await world.published()
    await world.asset("analytics.core.orders_v2", await world.team("b"))
    new = {"fqn": "analytics.core.orders_v2"}
    data = await ask(UPDATE, input={"asset": FQN, "supersededBy": new})
    assert data["updateAsset"]["asset"]["supersededBy"] == new
    for asset, successor in ((FQN, FQN), (new, FQN)):
        (error,) = (await ask(UPDATE, input={"asset": asset, "supersededBy": successor}))["updateAsset"]["errors"]
        assert (error["code"], error["field"]) == ("INVALID", ["input", "supersededBy"])
    unchanged = await ask(UPDATE, input={"asset": FQN, "description": "Old."})
    assert unchanged["updateAsset"]["asset"]["supersededBy"] == new
    removed = await ask(UPDATE, input={"asset": FQN, "supersededBy": None})
    assert removed["updateAsset"]["asset"]["supersededBy"] is None
