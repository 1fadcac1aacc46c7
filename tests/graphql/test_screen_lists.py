"""What a user interface needs of lists: filters and orders of assets, fields, proposals and lineage."""

from typing import Any

import pytest

from tests.conftest import FixedClock
from tests.graphql.conftest import Ask
from tests.world import ORDERS, World, adding, without

ASSETS = """
query ($filter: AssetFilter, $order: AssetOrder) {
  assets(filter: $filter, orderBy: $order) { totalCount nodes { fqn } }
}
"""
LABEL = """
mutation ($input: SetLabelsInput!) {
  setLabels(input: $input) { asset { labels { name origin } rowVersion } errors { code field message } }
}
"""
FIELDS = """
query ($by: AssetRef!, $filter: AssetFieldFilter, $first: Int, $after: String, $last: Int, $before: String) {
  asset(by: $by) {
    fields(filter: $filter, first: $first, after: $after, last: $last, before: $before) {
      totalCount nodes { path } pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
    }
  }
}
"""
HISTORY = """
query ($by: AssetRef!, $filter: AssetFieldFilter) {
  asset(by: $by) {
    fields(filter: $filter) {
      nodes {
        path
        addedIn { kind contract { version publishedBy { name } } }
        lastChangedIn { kind message contract { version } proposal { reason } }
        history { kind path contract { version } }
      }
    }
    fieldChanges(filter: {kind: {eq: REMOVED}}) { nodes { path contract { version } } }
  }
}
"""
BY = {"fqn": "analytics.core.orders"}


async def names(ask: Ask, filter_: Any = None, order: Any = None) -> list[str]:
    data = await ask(ASSETS, filter=filter_ or {}, order=order)
    assert data["assets"]["totalCount"] == len(data["assets"]["nodes"])
    return [node["fqn"].rpartition(".")[2] for node in data["assets"]["nodes"]]


async def shop(world: World) -> None:
    owner, reader = await world.team("owners"), await world.team("readers")
    for letter, columns in (("a", ("coupon",)), ("b", ("Discount_Rate",)), ("c", ())):
        asset = await world.asset(f"shop.core.{letter}", owner)
        schema = ORDERS
        for column in columns:
            schema = adding(column, schema=schema)
        await world.publish(asset, schema)
        if letter == "b":
            await world.register(asset, reader)
            await world.publish(asset, without("note", schema=schema))


@pytest.mark.parametrize(
    ("filter_", "expected"),
    [
        ({"or": [{"fqn": {"eq": "shop.core.a"}}, {"fqn": {"contains": "E.C"}}]}, ["a", "c"]),
        ({"or": []}, []),
        ({"not": {"fqn": {"eq": "shop.core.a"}}}, ["b", "c"]),
        ({"not": {"or": [{"fqn": {"eq": "shop.core.a"}}, {"column": {"eq": "discount_rate"}}]}}, ["c"]),
        ({"not": {"description": {"eq": "x"}}}, ["a", "b", "c"]),
        ({"fqn": {"startsWith": "SHOP.CORE.B"}}, ["b"]),
        ({"fqn": {"startsWith": "shop_core"}}, []),
        ({"column": {"eq": "COUPON"}}, ["a"]),
        ({"column": {"in": ["coupon", "discount_rate"]}}, ["a", "b"]),
        ({"column": {"startsWith": "Disc"}}, ["b"]),
        ({"label": {"eq": "PII"}}, ["c"]),
        ({"label": {"startsWith": "domain:"}}, ["c"]),
        ({"hasOpenProposal": {"eq": True}}, ["b"]),
        ({"hasOpenProposal": {"eq": False}}, ["a", "c"]),
        ({"tier": {"eq": "NORMAL"}, "isDeprecated": {"eq": True}}, []),
    ],
)
async def test_assets_are_filtered_by_what_screens_ask_for(
    filter_: Any, expected: list[str], world: World, ask: Ask
) -> None:
    await shop(world)
    await ask(LABEL, input={"asset": {"fqn": "shop.core.c"}, "labels": ["pii", "domain:sales"]})
    assert await names(ask, filter_) == expected


async def test_assets_are_filtered_by_consumer_and_by_the_time_of_their_change(
    world: World, ask: Ask, clock: FixedClock
) -> None:
    await shop(world)
    readers = (await ask('{ team(by: {name: "readers"}) { id } }'))["team"]["id"]
    assert await names(ask, {"consumer": {"eq": readers}}) == ["b"]
    assert await names(ask, {"not": {"consumer": {"in": [readers]}}}) == ["a", "c"]
    clock.advance(days=1)
    await ask(LABEL, input={"asset": {"fqn": "shop.core.a"}, "labels": ["pii"]})
    assert await names(ask, order={"field": "UPDATED_AT", "direction": "DESC"}) == ["a", "c", "b"]
    assert await names(ask, {"updatedAt": {"gte": clock().isoformat()}}) == ["a"]


async def test_a_filter_with_too_many_conditions_is_refused(world: World, answer: Ask) -> None:
    await world.team("owners")
    reply = await answer(ASSETS, filter={"or": [{"fqn": {"eq": "a.b"}}] * 51})
    assert "50 is the limit" in reply["errors"][0]["message"]


async def test_labels_are_replaced_as_a_whole_and_recorded(world: World, ask: Ask) -> None:
    await world.asset("shop.core.a", await world.team("owners"))
    target = {"asset": {"fqn": "shop.core.a"}}
    first = (await ask(LABEL, input={**target, "labels": ["PII", "pii ", "domain:sales"]}))["setLabels"]
    labels = [{"name": "domain:sales", "origin": "DECLARED"}, {"name": "pii", "origin": "DECLARED"}]
    assert first == {"asset": {"labels": labels, "rowVersion": 2}, "errors": []}
    again = (await ask(LABEL, input={**target, "labels": ["domain:sales", "pii"]}))["setLabels"]
    assert again["asset"]["rowVersion"] == 2
    await ask(LABEL, input={**target, "labels": []})
    event = (await world.events())[-1]
    changes = {"labels": {"before": ["domain:sales", "pii"], "after": []}}
    assert (event.kind, event.payload["changes"]) == ("ASSET_UPDATED", changes)
    for labels in (["a\nb"], [" "], ["x" * 101], [str(number) for number in range(51)]):
        (error,) = (await ask(LABEL, input={**target, "labels": labels}))["setLabels"]["errors"]
        assert (error["code"], error["field"]) == ("INVALID", ["input", "labels"])


async def test_fields_are_paged_both_ways_and_searched(world: World, ask: Ask) -> None:
    await world.published(consumers=0)
    page = (await ask(FIELDS, by=BY, first=2))["asset"]["fields"]
    assert [node["path"] for node in page["nodes"]] == ["order_id", "customer_id"]
    assert (page["totalCount"], page["pageInfo"]["hasNextPage"]) == (4, True)
    following = (await ask(FIELDS, by=BY, first=2, after=page["pageInfo"]["endCursor"]))["asset"]["fields"]
    assert [node["path"] for node in following["nodes"]] == ["total", "note"]
    start = following["pageInfo"]["startCursor"]
    back = (await ask(FIELDS, by=BY, last=1, before=start))["asset"]["fields"]
    assert [node["path"] for node in back["nodes"]] == ["customer_id"]
    assert back["pageInfo"]["hasPreviousPage"] is True
    searched = (await ask(FIELDS, by=BY, filter={"search": "ID customer"}))["asset"]["fields"]
    assert [node["path"] for node in searched["nodes"]] == ["customer_id"]
    live = (await ask(FIELDS, by=BY, filter={"isDeprecated": True}))["asset"]["fields"]
    assert live["totalCount"] == 0


async def test_a_field_names_the_contract_and_the_proposal_that_added_and_changed_it(
    world: World, ask: Ask, clock: FixedClock
) -> None:
    asset = await world.published(consumers=1)
    clock.advance(days=1)
    nested = {"type": "object", "properties": {"code": {"type": "string"}}}
    second = adding("coupon", nested)
    await world.publish(asset, second)
    clock.advance(days=1)
    renamed = adding("voucher", {**nested, "x-renamed-from": "coupon"})
    renamed = {**renamed, "properties": {**renamed["properties"], "total": {"type": "string"}}}
    proposal = (await world.publish(asset, renamed, reason="vouchers")).proposal
    assert proposal is not None
    await world.unregister((await world.registrations())[0])
    await world.publish_proposal(proposal)
    clock.advance(days=1)
    await world.publish(asset, without("note", schema=renamed))
    data = (await ask(HISTORY, by=BY))["asset"]
    fields = {node["path"]: node for node in data["fields"]["nodes"]}
    assert fields["order_id"]["addedIn"]["contract"]["version"] == "1.0.0"
    assert fields["order_id"]["lastChangedIn"]["kind"] == "ADDED"
    code = fields["voucher.code"]
    assert code["addedIn"]["contract"]["version"] == "1.1.0"
    assert [(item["kind"], item["path"], item["contract"]["version"]) for item in code["history"]] == [
        ("RENAMED", "voucher", "2.0.0"),
        ("ADDED", "coupon", "1.1.0"),
    ]
    total = fields["total"]["lastChangedIn"]
    assert (total["kind"], total["contract"]["version"]) == ("CHANGED", "2.0.0")
    assert total["proposal"] == {"reason": "vouchers"}
    assert data["fieldChanges"]["nodes"] == [{"path": "note", "contract": {"version": "3.0.0"}}]
