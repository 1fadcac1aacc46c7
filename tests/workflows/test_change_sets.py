"""Proposals of one pull request are opened, withdrawn and published together."""

from collections.abc import Sequence
from typing import Any

import pytest

from tessera_gql.errors import Conflict, Forbidden, Invalid, NotFound
from tessera_gql.policy.access import Actor, ProjectScope, Scope
from tessera_gql.policy.enums import ChangeSetStatus, Intent, ProposalKind, ProposalStatus, Response
from tessera_gql.policy.global_ids import encode_global_id
from tessera_gql.store.tables import Asset, ChangeSet, Proposal, Team
from tessera_gql.workflows import change_sets
from tests.conftest import FixedClock
from tests.world import World, adding, without

KEY = "github.com/shop/warehouse#17"
URL = "https://github.com/shop/warehouse/pull/17"
ASK, YES, NO = Intent.ASK, Response.APPROVED, Response.BLOCKED


def key_of(team: Team) -> Actor:
    return Actor(team.name, team.id, frozenset({Scope.WRITE}))


async def two_assets(world: World) -> tuple[Team, list[Asset], Team]:
    """Two assets of one owner, and a reader of both."""
    owner, reader = await world.team("producers"), await world.team("reader")
    assets = [await world.asset(f"analytics.core.{name}", owner) for name in ("orders", "returns")]
    for asset in assets:
        await world.publish(asset)
        await world.register(asset, reader)
    return owner, assets, reader


async def ask(world: World, asset: Asset, change_set: ChangeSet, schema: Any = None, **request: Any) -> Proposal:
    proposed = without("note") if schema is None else schema
    row = (await world.publish(asset, proposed, intent=ASK, change_set_id=change_set.id, **request)).proposal
    assert row is not None
    return row


async def statuses(world: World, rows: Sequence[Proposal]) -> list[ProposalStatus]:
    return [(await world.proposal(row.id)).status for row in rows]


async def test_a_change_set_is_opened_once_by_its_key_and_updates_title_and_url(world: World) -> None:
    first = await world.change_set(KEY, title="Drop notes", url=URL)
    assert (first.key, first.title, first.url, first.status) == (KEY, "Drop notes", URL, ChangeSetStatus.OPEN)
    size = await world.size()
    assert (await world.change_set(f" {KEY} ")).id == first.id
    assert (await world.change_set(KEY, title="Drop notes", url=URL)).row_version == 1
    assert await world.size() == size
    renamed = await world.change_set(KEY, title="Drop all notes")
    assert (renamed.title, renamed.url, renamed.row_version) == ("Drop all notes", URL, 2)
    assert await world.kinds() == ["CHANGE_SET_OPENED", "CHANGE_SET_UPDATED"]
    assert (await world.events())[-1].payload["changed"] == ["title"]


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        ({"key": " "}, "needs a key"),
        ({"key": "k" * 501}, "501 characters"),
        ({"key": "a\nb"}, "control"),
        ({"key": KEY, "url": "javascript:alert(1)"}, "http or https"),
        ({"key": KEY, "url": "https://a b"}, "http or https"),
    ],
)
async def test_a_malformed_change_set_is_refused(world: World, request_: dict[str, Any], message: str) -> None:
    with pytest.raises(Invalid, match=message):
        await world.change_set(**request_)
    assert await world.rows(ChangeSet) == []


async def test_another_team_joins_a_change_set_without_changing_its_title_or_url(world: World) -> None:
    first, second = await world.team("first"), await world.team("second")
    own = await world.change_set(KEY, title="Drop notes", url=URL, actor=key_of(first))
    joined = await world.change_set(KEY, title="Fake", url="https://evil.example", actor=key_of(second))
    assert (joined.id, joined.title, joined.url, joined.opened_by) == (own.id, "Drop notes", URL, first.id)
    with pytest.raises(Forbidden, match="WRITE"):
        await world.change_set("other", actor=Actor("reader", second.id))


async def test_a_proposal_belongs_to_the_change_set_that_asked(world: World) -> None:
    _, (orders, _), _ = await two_assets(world)
    change_set = await world.change_set(KEY)
    row = await ask(world, orders, change_set)
    assert row.change_set_id == change_set.id
    event = next(event for event in await world.events() if event.kind == "PROPOSAL_OPENED")
    assert event.payload["change_set_id"] == str(change_set.id)


async def test_other_terms_of_the_same_change_set_supersede_by_themselves(world: World) -> None:
    _, (orders, _), _ = await two_assets(world)
    change_set = await world.change_set(KEY)
    first = await ask(world, orders, change_set)
    second = await ask(world, orders, change_set, without("total"))
    third = (await world.propose_retirement(orders, intent=ASK, change_set_id=change_set.id)).proposal
    assert third.kind is ProposalKind.RETIREMENT
    fourth = await ask(world, orders, change_set)
    assert await statuses(world, [first, second, third, fourth]) == [
        ProposalStatus.SUPERSEDED,
        ProposalStatus.SUPERSEDED,
        ProposalStatus.SUPERSEDED,
        ProposalStatus.PENDING,
    ]


async def test_a_second_change_set_over_one_asset_is_a_conflict_that_names_the_first(world: World) -> None:
    _, (orders, _), _ = await two_assets(world)
    first = await world.change_set(KEY, url=URL)
    second = await world.change_set("github.com/shop/warehouse#18")
    row = await ask(world, orders, first)
    size = await world.size()
    proposal_id = encode_global_id("Proposal", row.id)
    message = rf"{proposal_id}, pending\) of the change set {KEY} \({URL}\) that these terms do not match"
    with pytest.raises(Conflict, match=message):
        await ask(world, orders, second, without("total"))
    with pytest.raises(Conflict, match=message):
        await world.publish(orders, without("total"))
    with pytest.raises(Conflict, match=rf"of the change set {KEY} \({URL}\) that changes it instead"):
        await world.propose_retirement(orders, change_set_id=second.id)
    assert await world.size() == size


async def test_the_same_terms_of_a_second_change_set_are_the_same_question(world: World) -> None:
    _, (orders, _), _ = await two_assets(world)
    first, second = await world.change_set(KEY), await world.change_set("other")
    row = await ask(world, orders, first)
    again = await ask(world, orders, second)
    assert (again.id, again.change_set_id) == (row.id, first.id)


async def test_a_change_set_adopts_the_open_proposal_of_its_terms(world: World) -> None:
    _, (orders, _), _ = await two_assets(world)
    row = (await world.publish(orders, without("note"))).proposal
    assert row is not None
    change_set = await world.change_set(KEY)
    adopted = await ask(world, orders, change_set)
    assert (adopted.id, adopted.change_set_id) == (row.id, change_set.id)
    event = (await world.events())[-1]
    assert (event.kind, event.payload["changed"]) == ("PROPOSAL_UPDATED", ["change_set_id"])


@pytest.mark.parametrize("intent", Intent)
@pytest.mark.parametrize("schema", [None, adding("channel")], ids=["unchanged", "compatible"])
async def test_terms_that_no_longer_break_withdraw_the_proposal_of_their_change_set(
    world: World, intent: Intent, schema: Any
) -> None:
    _, (orders, returns), _ = await two_assets(world)
    change_set, foreign = await world.change_set(KEY), await world.change_set("other")
    rows = [await ask(world, orders, change_set), await ask(world, returns, foreign)]
    for asset in (orders, returns):
        await world.publish(asset, schema, intent=intent, change_set_id=change_set.id)
    assert await statuses(world, rows) == [ProposalStatus.WITHDRAWN, ProposalStatus.PENDING]


async def test_models_that_no_longer_break_are_withdrawn_from_the_change_set(world: World) -> None:
    owner, (orders, returns), _ = await two_assets(world)
    change_set = await world.change_set(KEY)
    rows = [await ask(world, asset, change_set) for asset in (orders, returns)]
    async with world.database.write() as session:
        withdrawn = await change_sets.withdraw_unneeded(session, key_of(owner), change_set, {returns.id})
    assert [row.id for row in withdrawn] == [rows[1].id]
    assert await statuses(world, rows) == [ProposalStatus.PENDING, ProposalStatus.WITHDRAWN]
    assert (await world.events())[-1].payload["reason"] == "its change set no longer breaks this asset"


async def test_a_change_set_of_several_owners_is_withdrawn_by_none_of_them_alone(world: World) -> None:
    owner, (orders, _), reader = await two_assets(world)
    foreign = await world.asset("analytics.core.visits", reader)
    await world.publish(foreign)
    await world.register(foreign, owner)
    change_set = await world.change_set(KEY)
    rows = [await ask(world, asset, change_set) for asset in (orders, foreign)]
    size = await world.size()
    acting = World(world.database, key_of(owner))
    with pytest.raises(Forbidden, match=r"Only the owning team, reader, may withdraw change sets .*visits"):
        await acting.withdraw_change_set(KEY)
    async with world.database.write() as session:
        with pytest.raises(Forbidden, match="Only the owning team, reader"):
            await change_sets.withdraw_unneeded(session, key_of(owner), change_set, {foreign.id})
    assert await world.size() == size
    assert await statuses(world, rows) == [ProposalStatus.PENDING, ProposalStatus.PENDING]


async def test_a_proposal_that_has_run_out_before_its_change_set_is_withdrawn_has_expired(
    world: World, clock: FixedClock
) -> None:
    _, assets, _ = await two_assets(world)
    row = await ask(world, assets[0], await world.change_set(KEY))
    clock.advance(days=31)
    assert (await world.withdraw_change_set(KEY)).change_set.status is ChangeSetStatus.WITHDRAWN
    assert (await world.proposal(row.id)).status is ProposalStatus.EXPIRED


async def test_a_withdrawn_change_set_ends_its_open_proposals_and_is_opened_again_by_its_key(world: World) -> None:
    _, assets, _ = await two_assets(world)
    change_set = await world.change_set(KEY)
    rows = [await ask(world, asset, change_set) for asset in assets]
    result = await world.withdraw_change_set(KEY)
    assert (result.change_set.status, len(result.proposals)) == (ChangeSetStatus.WITHDRAWN, 2)
    assert await statuses(world, rows) == [ProposalStatus.WITHDRAWN, ProposalStatus.WITHDRAWN]
    event = (await world.events())[-1]
    assert (event.kind, sorted(event.payload["proposals"])) == (
        "CHANGE_SET_WITHDRAWN",
        sorted(str(row.id) for row in rows),
    )
    with pytest.raises(Conflict, match="ended as WITHDRAWN"):
        await world.withdraw_change_set(KEY)
    again = await world.change_set(KEY)
    assert (again.id, again.status, again.closed_at) == (change_set.id, ChangeSetStatus.OPEN, None)
    assert (await world.events())[-1].payload["is_reopened"] is True


async def test_a_change_set_is_published_as_a_whole_or_not_at_all(world: World) -> None:
    _, (orders, returns), reader = await two_assets(world)
    change_set = await world.change_set(KEY)
    change = await ask(world, orders, change_set)
    retirement = (await world.propose_retirement(returns, intent=ASK, change_set_id=change_set.id)).proposal
    await world.answer(change, reader, YES)
    size = await world.size()
    with pytest.raises(Conflict, match=rf"{KEY} can't be published yet\. {returns.fqn}: .* waits for reader"):
        await world.publish_change_set(KEY)
    assert await world.size() == size
    await world.answer(retirement, reader, YES)
    result = await world.publish_change_set(KEY)
    assert (result.change_set.status, len(result.proposals)) == (ChangeSetStatus.PUBLISHED, 2)
    assert await statuses(world, [change, retirement]) == [ProposalStatus.PUBLISHED, ProposalStatus.PUBLISHED]
    active = await world.active(orders)
    assert (active and active.version, await world.active(returns)) == ("2.0.0", None)
    assert (await world.kinds()).count("CHANGE_SET_PUBLISHED") == 1


async def test_a_stale_proposal_keeps_its_change_set_from_being_published(world: World) -> None:
    _, assets, reader = await two_assets(world)
    change_set = await world.change_set(KEY)
    for asset in assets:
        await world.answer(await ask(world, asset, change_set), reader, YES)
    await world.publish(assets[1], adding("channel"))
    with pytest.raises(Conflict, match=rf"{assets[1].fqn}: The proposal is stale: .*reader: channel was removed"):
        await world.publish_change_set(KEY)
    assert [len(await world.contracts(asset)) for asset in assets] == [1, 2]


async def test_the_release_of_its_last_proposal_marks_a_change_set_as_published(world: World) -> None:
    _, assets, reader = await two_assets(world)
    change_set = await world.change_set(KEY)
    for asset in assets:
        await world.answer(await ask(world, asset, change_set), reader, YES)
    await world.publish(assets[0], without("note"))
    assert [row.status for row in await world.rows(ChangeSet)] == [ChangeSetStatus.OPEN]
    await world.publish(assets[1], without("note"))
    assert [row.status for row in await world.rows(ChangeSet)] == [ChangeSetStatus.PUBLISHED]
    assert (await world.kinds())[-1] == "CHANGE_SET_PUBLISHED"
    with pytest.raises(Conflict, match="ended as PUBLISHED"):
        await world.publish_change_set(KEY)


async def test_an_empty_or_unknown_change_set_has_nothing_to_publish(world: World) -> None:
    await world.change_set(KEY)
    with pytest.raises(Conflict, match="no open proposal"):
        await world.publish_change_set(KEY)
    with pytest.raises(NotFound, match="no change set unknown"):
        await world.publish_change_set("unknown")
    assert (await world.withdraw_change_set(KEY)).proposals == []


async def test_a_change_set_without_open_proposals_is_withdrawn_only_for_who_opened_it(world: World) -> None:
    owner, _, reader = await two_assets(world)
    project = await world.project("shop", owner)
    scope = ProjectScope(project.id, "shop", frozenset({owner.id}))
    project_key = Actor("ci", scopes=frozenset({Scope.WRITE}), project=scope)
    for opener, withdrawer in ((key_of(owner), project_key), (project_key, key_of(owner)), (project_key, world.actor)):
        await world.change_set(KEY, actor=opener)
        with pytest.raises(Forbidden, match="another team or project opened it"):
            await World(world.database, key_of(reader)).withdraw_change_set(KEY)
        result = await World(world.database, withdrawer).withdraw_change_set(KEY)
        assert result.change_set.status is ChangeSetStatus.WITHDRAWN
