"""Each outcome and each refusal of a publish has the right rows and events."""

from typing import Any
from uuid import UUID

import pytest

from tessera_gql.diff import Mode
from tessera_gql.errors import Conflict, Forbidden, Invalid, NotFound
from tessera_gql.formats.physical_types import parse_physical_type
from tessera_gql.policy.access import Actor, Scope
from tessera_gql.policy.enums import ChangeType, ContractStatus, Outcome, ProposalStatus, Response
from tessera_gql.policy.global_ids import encode_global_id
from tessera_gql.store import teams
from tessera_gql.store.assets import AssetRef
from tessera_gql.store.tables import EventRow, Team
from tessera_gql.store.teams import TeamRef
from tessera_gql.workflows import assets
from tessera_gql.workflows.assets import AssetDetails
from tessera_gql.workflows.publishing import PublishRequest, publish_contract
from tests.world import ORDERS, World, adding, without

DAILY: dict[str, Any] = {"freshness": {"error_after": {"count": 24, "period": "hour"}}}
HOURLY: dict[str, Any] = {"freshness": {"error_after": {"count": 1, "period": "hour"}}}
DESCRIBED = {**ORDERS, "description": "One row for each order."}


def audience(event: EventRow) -> set[str]:
    return set(event.teams)


def ids(*teams: Team | Any) -> set[str]:
    return {str(getattr(team, "id", team)) for team in teams}


async def test_the_first_contract_is_1_0_0_or_the_requested_version(world: World) -> None:
    asset = await world.published(version="0.3.0-beta")
    contract = await world.active(asset)
    assert contract is not None
    assert (contract.version, contract.change_type) == ("0.3.0-beta", ChangeType.INITIAL)
    second = await world.asset("a.b", await world.team("other"))
    assert (await world.publish(second)).contract.version == "1.0.0"  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("request_", "version", "change_type"),
    [
        ({"schema": adding("channel")}, "1.1.0", ChangeType.MINOR),
        ({"schema": DESCRIBED}, "1.0.1", ChangeType.PATCH),
        ({"mode": Mode.FULL}, "1.0.1", ChangeType.PATCH),
        ({"guarantees": HOURLY}, "1.1.0", ChangeType.MINOR),
        ({"schema": DESCRIBED, "version": "1.7.0"}, "1.7.0", ChangeType.PATCH),
        ({"schema": adding("channel"), "version": "2.0.0-rc.1+build"}, "2.0.0-rc.1+build", ChangeType.MINOR),
    ],
)
async def test_a_compatible_change_is_published_with_the_next_version(
    world: World, request_: dict[str, Any], version: str, change_type: ChangeType
) -> None:
    asset = await world.published(consumers=1, guarantees=DAILY)
    result = await world.publish(asset, **request_)
    assert result.outcome is Outcome.PUBLISHED
    assert result.contract is not None
    assert (result.contract.version, result.contract.change_type) == (version, change_type)
    assert [contract.status for contract in await world.contracts(asset)] == [
        ContractStatus.DEPRECATED,
        ContractStatus.ACTIVE,
    ]
    assert len(await world.registrations()) == 1
    event = next(event for event in await world.events() if event.entity_id == result.contract.id)
    assert audience(event) == ids(asset.owner_team_id, *world.consumers)
    assert event.payload["outcome"] == "PUBLISHED"
    assert event.payload["replaces"] == str((await world.contracts(asset))[0].id)


def with_types(**texts: str) -> dict[str, Any]:
    """The schema with physical types of some columns."""
    columns = {
        name: {**column, "x-physical-type": parse_physical_type(texts[name], "snowflake").as_json()}
        if name in texts
        else column
        for name, column in ORDERS["properties"].items()
    }
    return {**ORDERS, "properties": columns}


@pytest.mark.parametrize("mode", [Mode.BACKWARD, Mode.FORWARD, Mode.FULL, Mode.NONE])
async def test_the_first_physical_types_of_an_asset_are_a_patch_in_every_mode(world: World, mode: Mode) -> None:
    asset = await world.published(consumers=1, mode=mode)
    result = await world.publish(asset, with_types(order_id="int", total="number(10,2)", note="varchar"))
    assert (result.outcome, result.contract and result.contract.version) == (Outcome.PUBLISHED, "1.0.1")


@pytest.mark.parametrize(
    ("total", "outcome", "kind"),
    [
        ("number(12,2)", Outcome.PUBLISHED, "TYPE_WIDENED"),
        ("number(10,4)", Outcome.PROPOSED, "TYPE_CHANGED"),
        ("number(8,2)", Outcome.PROPOSED, "TYPE_NARROWED"),
    ],
)
async def test_a_change_of_a_physical_type_is_judged_by_the_mode(
    world: World, total: str, outcome: Outcome, kind: str
) -> None:
    asset = await world.published(schema=with_types(total="number(10,2)"), consumers=1)
    result = await world.publish(asset, with_types(total=total))
    assert (result.outcome, [change.kind for change in result.judgement.changes]) == (outcome, [kind])


async def test_omitted_terms_stay_and_an_explicit_null_drops_them(world: World) -> None:
    asset = await world.published(guarantees=DAILY, mode=Mode.FULL)
    grown = await world.publish(asset, DESCRIBED)
    assert grown.contract is not None
    assert (grown.contract.guarantees, grown.contract.compatibility_mode) == (DAILY, Mode.FULL)
    dropped = await world.publish(asset, DESCRIBED, guarantees=None)
    assert dropped.proposal is not None
    assert [change.kind for change in dropped.judgement.breaking] == ["GUARANTEE_WEAKENED"]


async def test_the_mode_of_the_current_contract_decides_and_its_change_is_reported(world: World) -> None:
    asset = await world.published(consumers=1)
    result = await world.publish(asset, without("note"), mode=Mode.FULL)
    assert result.outcome is Outcome.PROPOSED
    await world.withdraw(result.proposal)  # type: ignore[arg-type]
    await world.publish(asset, mode=Mode.FULL)
    event = (await world.events())[-1]
    assert (event.kind, event.payload) == (
        "COMPATIBILITY_MODE_CHANGED",
        {"before": "BACKWARD", "after": "FULL", "without_asking": False},
    )
    assert audience(event) == ids(asset.owner_team_id, *world.consumers)


@pytest.mark.parametrize("mode", [Mode.FORWARD, Mode.NONE])
async def test_a_weaker_mode_waits_for_every_reader_as_any_break_does(world: World, mode: Mode) -> None:
    asset = await world.published(consumers=1)
    column_reader = await world.team("column reader")
    await world.register(asset, column_reader, "total")
    result = await world.publish(asset, mode=mode)
    assert result.proposal is not None
    assert (result.outcome, result.proposal.proposed_version) == (Outcome.PROPOSED, "2.0.0")
    assert await world.asked(result.proposal) == {world.consumers[0].id, column_reader.id}
    message = f"The compatibility mode was weakened from BACKWARD to {mode}."
    assert [change.message for change in result.judgement.breaking] == [message]
    (requested, _) = (await world.events())[-2:]
    assert (requested.kind, requested.payload["changes"]) == ("ACKNOWLEDGMENT_REQUESTED", [message])
    for acknowledgment in await world.acknowledgments(result.proposal):
        assert acknowledgment.change_fingerprints == [result.judgement.breaking[0].fingerprint]


async def test_a_break_in_two_steps_by_way_of_none_asks_in_the_first(world: World) -> None:
    asset = await world.published(consumers=1)
    first = await world.publish(asset, mode=Mode.NONE)
    assert first.proposal is not None
    with pytest.raises(Conflict, match="has an open proposal"):
        await world.publish(asset, without("note"))
    await world.answer(first.proposal, world.consumers[0], Response.APPROVED)
    await world.publish_proposal(first.proposal)
    second = await world.publish(asset, without("note"))
    assert second.contract is not None
    assert (second.outcome, second.contract.version) == (Outcome.PUBLISHED, "3.0.0")
    assert second.contract.change_type is ChangeType.MAJOR


async def test_the_asset_s_own_mode_does_not_weaken_that_of_its_active_contract(world: World) -> None:
    asset = await world.published(consumers=1)
    async with world.database.write() as session:
        details = AssetDetails(compatibility_mode=Mode.NONE)
        await assets.update(session, world.actor, AssetRef(id=asset.id), details=details)
    assert (await world.publish(asset, without("note"))).outcome is Outcome.PROPOSED


async def test_an_administrator_moves_an_asset_to_consumer_without_asking_and_the_event_says_so(world: World) -> None:
    asset = await world.published(consumers=2)
    owner = Actor("owner", asset.owner_team_id, frozenset({Scope.WRITE}))
    asking = await world.publish(asset, mode=Mode.CONSUMER, actor=owner)
    assert asking.proposal is not None
    assert len(await world.asked(asking.proposal)) == 2
    await world.withdraw(asking.proposal)
    moved = await world.publish(asset, mode=Mode.CONSUMER)
    assert moved.contract is not None
    assert (moved.outcome, moved.contract.version, moved.contract.compatibility_mode) == (
        Outcome.PUBLISHED,
        "1.0.1",
        Mode.CONSUMER,
    )
    published, mode_event = (await world.events())[-2:]
    assert published.payload["changes"] == ["The compatibility mode was weakened from BACKWARD to CONSUMER."]
    assert mode_event.payload == {"before": "BACKWARD", "after": "CONSUMER", "without_asking": True}
    assert audience(mode_event) == ids(asset.owner_team_id, *world.consumers)


async def test_an_administrator_who_breaks_something_on_the_way_to_consumer_asks(world: World) -> None:
    asset = await world.published(consumers=1)
    result = await world.publish(asset, without("note"), mode=Mode.CONSUMER)
    assert result.outcome is Outcome.PROPOSED
    assert [change.kind for change in result.judgement.breaking] == ["PROPERTY_REMOVED", "MODE_WEAKENED"]


async def test_a_forced_weaker_mode_names_the_teams_not_asked(world: World) -> None:
    asset = await world.published(consumers=1)
    result = await world.publish(asset, mode=Mode.NONE, force=True, reason="a migration")
    assert result.outcome is Outcome.FORCED
    (forced,) = [event for event in await world.events() if event.payload.get("outcome") == "FORCED"]
    assert forced.payload["not_asked"] == [str(world.consumers[0].id)]


async def test_in_mode_none_nothing_breaks_and_every_reader_is_informed(world: World) -> None:
    asset = await world.published(consumers=2, mode=Mode.NONE)
    result = await world.publish(asset, without("note", "total"))
    assert result.outcome is Outcome.PUBLISHED
    assert audience((await world.events())[-1]) == ids(asset.owner_team_id, *world.consumers)


async def test_a_break_that_asks_nobody_is_published_at_once_with_its_proposal_as_record(world: World) -> None:
    asset = await world.published()
    result = await world.publish(asset, without("note"))
    assert result.proposal is not None
    assert result.contract is not None
    assert (result.outcome, result.contract.version) == (Outcome.PUBLISHED, "2.0.0")
    assert (result.proposal.status, result.proposal.contract_id) == (ProposalStatus.PUBLISHED, result.contract.id)
    assert (await world.kinds())[-4:] == [
        "PROPOSAL_OPENED",
        "PROPOSAL_STATUS_CHANGED",
        "CONTRACT_PUBLISHED",
        "PROPOSAL_STATUS_CHANGED",
    ]


async def test_the_owner_that_reads_its_own_asset_is_never_asked(world: World) -> None:
    asset = await world.published()
    async with world.database.read() as session:
        owner = await teams.get(session, TeamRef(name="PRODUCERS"))
    await world.register(asset, owner)
    result = await world.publish(asset, without("note"))
    assert result.proposal is not None
    assert (await world.asked(result.proposal), result.proposal.status) == (set(), ProposalStatus.PUBLISHED)


async def test_readers_of_other_fields_and_downstream_owners_are_informed_but_not_asked(world: World) -> None:
    asset = await world.published()
    hurt, other_reader, builder = [await world.team(name) for name in ("hurt", "other", "builder")]
    await world.register(asset, hurt, "note")
    await world.register(asset, other_reader, "total")
    built = await world.asset("marts.orders", builder)
    farther = await world.asset("marts.report", hurt)
    await world.depend(built, asset)
    await world.register(asset, builder, "total", via=built)
    await world.depend(farther, built)
    result = await world.publish(asset, without("note"))
    opened_event, requested = (await world.events())[-2:]
    assert opened_event.payload["asked"] == [str(hurt.id)]
    assert opened_event.payload["informed"] == sorted(ids(other_reader, builder))
    assert audience(opened_event) == ids(asset.owner_team_id, hurt, other_reader, builder)
    assert (requested.kind, audience(requested)) == ("ACKNOWLEDGMENT_REQUESTED", ids(hurt))
    assert requested.payload["changes"] == [result.judgement.breaking[0].message]
    assert requested.proposal_id == result.proposal.id  # type: ignore[union-attr]


async def test_a_forced_publish_names_the_teams_not_asked_and_ends_the_open_proposal(world: World) -> None:
    asset, proposal = await world.proposed(consumers=2)
    result = await world.publish(asset, without("total"), force=True, reason=" the source is gone ")
    assert (result.outcome, result.contract and result.contract.version) == (Outcome.FORCED, "2.0.0")
    assert (await world.proposal(proposal.id)).status is ProposalStatus.SUPERSEDED
    ended, forced = (await world.events())[-4:-2]
    assert (ended.kind, ended.payload["reason"]) == ("PROPOSAL_STATUS_CHANGED", "version 2.0.0 was published by force")
    assert forced.payload["outcome"] == "FORCED"
    assert forced.payload["reason"] == "the source is gone"
    assert forced.payload["not_asked"] == sorted(ids(*world.consumers))


async def test_an_unnecessary_force_is_an_ordinary_publish(world: World) -> None:
    asset, proposal = await world.proposed(consumers=1)
    result = await world.publish(asset, adding("channel"), force=True, reason="hurry")
    assert result.outcome is Outcome.PUBLISHED
    assert (await world.proposal(proposal.id)).status is ProposalStatus.PENDING


async def test_the_same_break_again_returns_the_open_proposal_and_writes_nothing(world: World) -> None:
    asset, proposal = await world.proposed(consumers=1)
    size = await world.size()
    for request in ({}, {"supersede": True}, {"version": "2.0.0"}, {"reason": "again"}):
        again = await world.publish(asset, without("note"), **request)
        assert again.proposal is not None
        assert again.proposal.id == proposal.id
    assert await world.size() == size


@pytest.mark.parametrize("request_", [{"schema": without("total")}, {"version": "3.0.0"}, {"mode": Mode.NONE}])
async def test_another_break_is_a_conflict_that_names_the_open_proposal(world: World, request_: dict[str, Any]) -> None:
    asset, proposal = await world.proposed(consumers=1)
    shown_id = encode_global_id("Proposal", proposal.id)
    with pytest.raises(Conflict, match=rf"{shown_id}.*Wait for it, withdraw it, or publish again with `supersede`"):
        await world.publish(asset, **{"schema": without("note"), **request_})


async def test_supersede_ends_the_old_proposal_and_asks_afresh(world: World) -> None:
    asset, proposal = await world.proposed(consumers=2)
    await world.answer(proposal, world.consumers[0], Response.APPROVED)
    before = (await world.events())[-1].sequence
    result = await world.publish(asset, without("note", "total"), supersede=True)
    assert result.proposal is not None
    assert (await world.proposal(proposal.id)).status is ProposalStatus.SUPERSEDED
    assert [acknowledgment.response for acknowledgment in await world.acknowledgments(result.proposal)] == [None, None]
    assert await world.kinds(before) == [
        "PROPOSAL_STATUS_CHANGED",
        "PROPOSAL_OPENED",
        "ACKNOWLEDGMENT_REQUESTED",
        "ACKNOWLEDGMENT_REQUESTED",
    ]
    with pytest.raises(Conflict, match="as SUPERSEDED"):
        await world.answer(proposal, world.consumers[1], Response.APPROVED)


async def test_a_compatible_change_is_published_while_a_proposal_is_open(world: World) -> None:
    asset, proposal = await world.proposed(consumers=1)
    assert (await world.publish(asset, DESCRIBED)).outcome is Outcome.PUBLISHED
    assert (await world.proposal(proposal.id)).status is ProposalStatus.PENDING
    await world.answer(proposal, world.consumers[0], Response.APPROVED)
    result = await world.publish_proposal(proposal)
    assert result.contract is not None
    assert (result.contract.version, result.contract.schema_def) == ("2.0.0", without("note"))


async def test_publishing_the_active_terms_is_unchanged_while_a_proposal_is_open(world: World) -> None:
    asset, _ = await world.proposed(consumers=1)
    size = await world.size()
    assert (await world.publish(asset)).outcome is Outcome.UNCHANGED
    assert await world.size() == size


@pytest.mark.parametrize(
    ("request_", "refusal", "sentence"),
    [
        ({"version": "1.0.0"}, Invalid, "does not come after the current 1.0.0. Use 2.0.0"),
        ({"version": "1.5.0"}, Invalid, "promises less than this major change"),
        ({"version": "1.5.0-rc.1"}, Invalid, "promises less than this major change"),
        ({"version": "two"}, Invalid, "is not a semantic version"),
        ({"guarantees": [1]}, Invalid, "must be a JSON object"),
        ({"guarantees": "daily"}, Invalid, "must be a JSON object"),
        ({"force": True}, Invalid, "needs a reason"),
        ({"force": True, "reason": "  "}, Invalid, "needs a reason"),
        ({"reason": "a" * 20_001}, Invalid, "20000 is the limit"),
        ({"metadata": [1]}, Invalid, "must be a JSON object"),
        ({"schema": 7}, Invalid, "can't be a contract"),
        ({"schema": "string"}, Invalid, "can't be a contract"),
        ({"schema": {"maximum": float("nan")}}, Invalid, "can't be a contract"),
        ({"team": TeamRef(name="nobody")}, NotFound, "no team nobody"),
        ({"team": TeamRef(name="consumer-0")}, Forbidden, "Only the owning team, producers, may"),
    ],
)
async def test_an_invalid_publish_is_refused_with_the_reason(
    world: World, request_: dict[str, Any], refusal: type[Exception], sentence: str
) -> None:
    asset = await world.published(consumers=1)
    size = await world.size()
    with pytest.raises(refusal) as refused:
        await world.publish(asset, **{"schema": without("note"), **request_})
    assert sentence in str(refused.value)
    assert await world.size() == size


async def test_only_the_owner_publishes_and_only_an_administrator_by_force(world: World) -> None:
    asset = await world.published(consumers=1)
    owner, stranger = asset.owner_team_id, world.consumers[0].id
    for actor, request, sentence in (
        (Actor("stranger", stranger, frozenset({Scope.WRITE})), {}, "Only the owning team, producers, may"),
        (Actor("reader", owner), {}, "lacks the scope WRITE"),
        (Actor("owner", owner, frozenset({Scope.WRITE})), {"force": True, "reason": "now"}, "lacks the scope ADMIN"),
    ):
        with pytest.raises(Forbidden, match=sentence):
            await world.publish(asset, without("note"), actor=actor, **request)
    admin = Actor("admin", stranger, frozenset({Scope.ADMIN}))
    result = await world.publish(asset, without("note"), actor=admin, force=True, reason="now")
    assert result.contract is not None
    assert result.contract.published_by == owner


@pytest.mark.parametrize(
    "ref", [AssetRef(), AssetRef(fqn="a.b"), AssetRef(id=UUID(int=1)), AssetRef(id=UUID(int=1), fqn="a.b")]
)
async def test_an_asset_that_is_not_there_is_not_found(world: World, ref: AssetRef) -> None:
    async with world.database.write() as session:
        with pytest.raises((NotFound, Invalid)):
            await publish_contract(session, world.actor, ref, PublishRequest(schema=ORDERS))
