"""What a user interface needs of lists: filters and orders of assets, fields, proposals and lineage."""

from datetime import timedelta
from typing import Any

import pytest

from tessera_gql.graphql.ids import global_id
from tessera_gql.policy.enums import ColumnEdgeKind, Response
from tessera_gql.store.tables import ColumnEdge
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


TIMELINE = """
query ($by: AssetRef!, $filter: EventFilter, $after: String) {
  asset(by: $by) { history(first: 3, filter: $filter, after: $after) {
    totalCount nodes { kind } pageInfo { hasNextPage endCursor }
  } }
}
"""


async def test_the_timeline_of_an_asset_is_its_events_the_latest_first(world: World, ask: Ask) -> None:
    asset, proposal = await world.proposed(consumers=1)
    await world.answer(proposal, world.consumers[0], Response.APPROVED)
    await world.publish_proposal(proposal)
    expected = [event.kind for event in await world.events() if event.asset_id == asset.id][::-1]
    kinds, after = [], None
    while True:
        page = (await ask(TIMELINE, by=BY, after=after))["asset"]["history"]
        kinds += [node["kind"] for node in page["nodes"]]
        assert page["totalCount"] == len(expected)
        if not page["pageInfo"]["hasNextPage"]:
            break
        after = page["pageInfo"]["endCursor"]
    assert kinds == expected
    answers = (await ask(TIMELINE, by=BY, filter={"kind": {"in": ["PROPOSAL_ANSWERED"]}}))["asset"]["history"]
    assert [node["kind"] for node in answers["nodes"]] == ["PROPOSAL_ANSWERED"]
    remaining = {"not": {"kind": {"eq": "PROPOSAL_ANSWERED"}}}
    assert (await ask(TIMELINE, by=BY, filter=remaining))["asset"]["history"]["totalCount"] == len(expected) - 1


ASKS = """
query ($filter: TeamAcknowledgmentFilter) {
  team(by: {name: "finance"}) {
    acknowledgments(filter: $filter, orderBy: {field: DUE_AT, direction: DESC}) { nodes { proposal { asset { fqn } } } }
  }
}
"""


async def test_asks_of_a_team_are_filtered_by_all_that_a_screen_offers(
    world: World, ask: Ask, clock: FixedClock
) -> None:
    finance, ids = await world.team("finance"), {}
    for letter in "ab":
        owner = await world.team(f"owner-{letter}")
        asset = await world.asset(f"shop.core.{letter}", owner)
        await world.publish(asset)
        await world.register(asset, finance)
        change_set = await world.change_set(f"pull/{letter}")
        proposal = (await world.publish(asset, without("note"), change_set_id=change_set.id)).proposal
        assert proposal is not None
        rows = {"asset": ("Asset", asset), "owner": ("Team", owner), "changeSet": ("ChangeSet", change_set)}
        ids[letter] = {name: global_id(kind, row.id) for name, (kind, row) in rows.items()}
        clock.advance(days=2)
    await world.answer(proposal, finance, Response.APPROVED)

    async def listed(filter_: Any) -> list[str]:
        nodes = (await ask(ASKS, filter=filter_))["team"]["acknowledgments"]["nodes"]
        return [node["proposal"]["asset"]["fqn"][-1] for node in nodes]

    assert await listed({}) == ["b", "a"]
    assert await listed({"response": {"eq": "APPROVED"}}) == ["b"]
    assert await listed({"state": {"eq": "AWAITED"}}) == ["a"]
    assert await listed({"or": [{"state": {"eq": "AWAITED"}}, {"owner": {"eq": ids["b"]["owner"]}}]}) == ["b", "a"]
    for name in ("asset", "owner", "changeSet"):
        assert await listed({name: {"eq": ids["a"][name]}}) == ["a"]
    assert await listed({"dueAt": {"lt": (clock() + timedelta(days=27)).isoformat()}}) == ["a"]


async def test_a_proposal_has_its_whole_diff_and_who_was_only_informed(world: World, ask: Ask) -> None:
    asset = await world.published(consumers=0)
    asked, informed = await world.team("asked"), await world.team("informed")
    await world.register(asset, asked, "note")
    await world.register(asset, informed, "total")
    await world.publish(asset, adding("coupon", schema=without("note")))
    query = """{ proposals { nodes {
      updatedAt informed { name } waitsFor { team { name } step } isStale
      diff { bump changes { kind path } breaking { path } }
    } } }"""
    (node,) = (await ask(query))["proposals"]["nodes"]
    assert [change["path"] for change in node["diff"]["changes"]] == ["coupon", "note"]
    assert node["diff"]["breaking"] == [{"path": "note"}]
    assert node["informed"] == [{"name": "informed"}]
    assert node["waitsFor"] == [{"team": {"name": "asked"}, "step": "ANSWER"}]
    assert (node["isStale"], node["diff"]["bump"]) == (False, "MAJOR")


LINEAGE = """
query ($filter: LineageFilter, $first: Int, $last: Int, $before: String) {
  asset(by: {fqn: "shop.raw.a"}) { downstream(filter: $filter, first: $first, last: $last, before: $before) {
    totalCount pageInfo { hasPreviousPage startCursor }
    edges { degree node { fqn } via { dependency { dependency { fqn } } columns { targetColumn } } }
  } }
}
"""


async def tree(world: World) -> None:
    """a -> b (by column), a -> c (without the column), b -> d (unknown columns), c -> d; d belongs to another team."""
    owner, second_owner = await world.team("owners"), await world.team("others")
    rows = {
        letter: await world.asset(f"shop.raw.{letter}", second_owner if letter == "d" else owner) for letter in "abcd"
    }
    for dependent, dependency in ("ba", "ca", "db", "dc"):
        await world.depend(rows[dependent], rows[dependency])
    links = [("b", "a", "total", "sum"), ("c", "a", "note", "text")]
    async with world.database.write() as session:
        await session.insert_all(
            [
                ColumnEdge(
                    target_asset_id=rows[target].id,
                    target_column=target_column,
                    source_asset_id=rows[source].id,
                    source_column=source_column,
                    kind=ColumnEdgeKind.DERIVED,
                    created_at=session.now,
                )
                for target, source, source_column, target_column in links
            ]
        )


async def test_lineage_is_filtered_by_team_type_and_column_and_names_its_edges(world: World, ask: Ask) -> None:
    await tree(world)
    team = (await ask('{ team(by: {name: "others"}) { id } }'))["team"]["id"]

    async def edges(filter_: Any = None) -> list[Any]:
        lineage = (await ask(LINEAGE, filter=filter_ or {}))["asset"]["downstream"]
        assert lineage["totalCount"] == len(lineage["edges"])
        return lineage["edges"]

    assert sorted(edge["node"]["fqn"][-1] for edge in await edges()) == ["b", "c", "d"]
    assert [edge["node"]["fqn"][-1] for edge in await edges({"owner": {"eq": team}})] == ["d"]
    assert await edges({"resourceType": {"in": ["VIEW"]}}) == []
    by_column = {edge["node"]["fqn"][-1]: edge for edge in await edges({"column": "total"})}
    assert sorted(by_column) == ["b", "d"]
    assert by_column["b"]["via"] == [
        {"dependency": {"dependency": {"fqn": "shop.raw.a"}}, "columns": [{"targetColumn": "sum"}]}
    ]
    steps = {step["dependency"]["dependency"]["fqn"][-1] for step in by_column["d"]["via"]}
    assert (by_column["d"]["degree"], steps) == (2, {"b", "c"})


async def test_lineage_is_paged_backwards(world: World, ask: Ask) -> None:
    await tree(world)
    every = (await ask(LINEAGE))["asset"]["downstream"]["edges"]
    last = (await ask(LINEAGE, last=1))["asset"]["downstream"]
    assert last["edges"] == every[2:]
    assert last["pageInfo"]["hasPreviousPage"] is True
    before = (await ask(LINEAGE, last=2, before=last["pageInfo"]["startCursor"]))["asset"]["downstream"]
    assert before["edges"] == every[:2]
    assert before["pageInfo"]["hasPreviousPage"] is False
