"""Deprecations inform and remind readers, follow their documents, and let silence consent after the sunset."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tessera_gql.errors import Conflict, Forbidden, Invalid, NotFound
from tessera_gql.notifications.deadlines import apply_due_deadlines
from tessera_gql.policy.access import Actor, Scope
from tessera_gql.policy.deprecation import DeprecationTerms
from tessera_gql.policy.enums import DeprecationOrigin, OnSilence, ProposalStatus, Response
from tessera_gql.store.assets import AssetRef
from tessera_gql.store.tables import Asset, Deprecation, EventRow, Team
from tessera_gql.workflows.deprecations import DeprecationRequest, deprecate, end_deprecation, load_warnings
from tessera_gql.workflows.replacements import load_replacement_warnings
from tests.conftest import FixedClock, statements
from tests.workflows.test_lineage_asks import chain, link
from tests.world import ORDERS, World, adding, without

FQN = "analytics.core.orders"
SUNSET = datetime(2026, 6, 1, tzinfo=UTC)


async def announce(
    world: World,
    asset: Asset,
    *fields: str,
    sunset: datetime = SUNSET,
    replacement: str | None = None,
    actor: Actor | None = None,
) -> list[Deprecation]:
    async with world.database.write() as session:
        request = DeprecationRequest(fields or None, DeprecationTerms(sunset, replacement))
        return (await deprecate(session, actor or world.actor, AssetRef(id=asset.id), request))[1]


async def withdraw(world: World, asset: Asset, *fields: str) -> None:
    async with world.database.write() as session:
        await end_deprecation(session, world.actor, AssetRef(id=asset.id), fields or None)


async def live(world: World, asset: Asset) -> dict[str, Deprecation]:
    return {row.path: row for row in await world.rows(Deprecation) if row.asset_id == asset.id and not row.ended_at}


async def audiences(world: World, kind: str) -> list[set[str]]:
    return [set(event.teams) for event in await world.events() if event.kind == kind]


def marked(column: str, **marks: Any) -> dict[str, Any]:
    properties: dict[str, Any] = ORDERS["properties"]
    return {**ORDERS, "properties": {**properties, column: {**properties[column], "deprecated": True, **marks}}}


async def test_exactly_the_readers_of_a_deprecated_field_are_informed(world: World) -> None:
    asset = await world.published()
    reader, total_reader, all_reader = [await world.team(name) for name in ("reader", "total", "all")]
    await world.register(asset, reader, "note")
    await world.register(asset, total_reader, "total")
    await world.register(asset, all_reader)
    (row,) = await announce(world, asset, "note", replacement="comment")
    expected = {str(team) for team in (reader.id, all_reader.id, asset.owner_team_id)}
    assert await audiences(world, "DEPRECATION_DECLARED") == [expected]
    assert (row.path, row.sunset_at, row.replacement) == ("note", SUNSET, "comment")
    await announce(world, asset)
    assert await audiences(world, "DEPRECATION_DECLARED") == [expected, expected | {str(total_reader.id)}]


async def test_deprecating_twice_changes_the_terms_and_the_same_terms_write_nothing(world: World) -> None:
    asset = await world.published(consumers=1)
    await announce(world, asset, "note")
    before = await world.kinds()
    await announce(world, asset, "note")
    assert await world.kinds() == before
    (row,) = await announce(world, asset, "note", replacement="comment")
    assert row.replacement == "comment"
    assert (await world.kinds())[len(before) :] == ["DEPRECATION_UPDATED"]
    assert len(await world.rows(Deprecation)) == 1


async def test_a_reminder_is_sent_30_7_and_1_days_before_the_sunset_once_however_many_workers(
    world: World, clock: FixedClock
) -> None:
    asset = await world.published(consumers=1)
    await announce(world, asset, "note")
    reminders: list[tuple[int, str]] = []
    while clock.now < SUNSET + timedelta(days=2):
        before = len(await world.events())
        for _ in range(2):
            await apply_due_deadlines(world.database)
        reminder_events = (await world.events())[before:]
        reminders += [(event.payload["days_before"], f"{clock.now:%Y-%m-%d}") for event in reminder_events]
        clock.advance(days=10 if clock.now < SUNSET - timedelta(days=42) else 1)
    assert reminders == [(30, "2026-05-02"), (7, "2026-05-25"), (1, "2026-05-31")]


async def test_missed_reminders_are_not_sent_late_and_a_new_sunset_reminds_again(
    world: World, clock: FixedClock
) -> None:
    asset = await world.published(consumers=1)
    await announce(world, asset, "note", sunset=clock.now + timedelta(days=5))
    await apply_due_deadlines(world.database)
    assert "DEPRECATION_REMINDER" not in await world.kinds()
    await announce(world, asset, "note", sunset=clock.now + timedelta(days=31))
    clock.advance(days=25)
    await apply_due_deadlines(world.database)
    reminders = [event.payload["days_before"] for event in await world.events() if event.kind == "DEPRECATION_REMINDER"]
    assert reminders == [7]


async def test_an_ended_or_unread_deprecation_reminds_of_nothing(world: World, clock: FixedClock) -> None:
    asset = await world.published()
    reader = await world.team("reader")
    await world.register(asset, reader, "total")
    await announce(world, asset, "note")
    await announce(world, asset, "total")
    await withdraw(world, asset, "total")
    clock.now = SUNSET - timedelta(days=3)
    await apply_due_deadlines(world.database)
    kinds = await world.kinds()
    assert "DEPRECATION_REMINDER" not in kinds
    assert "DEPRECATION_ENDED" in kinds


async def test_bad_deprecations_are_refused_with_a_field_and_leave_nothing(world: World, clock: FixedClock) -> None:
    asset = await world.published()
    stranger = await world.team("stranger")
    size = await world.size()
    key = Actor("key", team_id=stranger.id, scopes=frozenset({Scope.WRITE}))
    cases: list[tuple[dict[str, Any], tuple[str, ...], type[Exception], str]] = [
        ({"sunset": clock.now}, (), Invalid, "has passed"),
        ({"sunset": clock.now + timedelta(days=6 * 366)}, (), Invalid, "five years"),
        ({}, ("notes",), Invalid, r"no field 'notes'. Nearest: note"),
        ({"replacement": "Analytics.core.ORDERS"}, (), Invalid, "can't replace itself"),
        ({"replacement": "note"}, ("note",), Invalid, "can't replace itself"),
        ({"actor": key}, (), Forbidden, "Only the owning team, producers"),
    ]
    for options, fields, error, message in cases:
        with pytest.raises(error, match=message):
            await announce(world, asset, *fields, **options)
    with pytest.raises(NotFound, match="is not deprecated"):
        await withdraw(world, asset, "note")
    bare = await world.asset("analytics.core.bare", stranger)
    with pytest.raises(Invalid, match="no active contract"):
        await announce(world, bare, "note")
    assert {**await world.size(), "Asset": 0, "EventRow": 0} == {**size, "Asset": 0, "EventRow": 0}


async def test_an_archived_asset_can_not_be_deprecated(world: World, clock: FixedClock) -> None:
    asset = await world.published()
    async with world.database.write() as session:
        await session.update_row(Asset, asset.id, archived_at=clock.now)
    with pytest.raises(Conflict, match="archived"):
        await announce(world, asset)


async def test_deprecations_of_a_schema_follow_its_versions_and_declared_ones_stay(world: World) -> None:
    asset = await world.published(consumers=1)
    await announce(world, asset, "total")
    await world.publish(asset, marked("note", **{"x-sunset": "2027-01-01", "x-replacement": "comment"}))
    row = (await live(world, asset))["note"]
    assert (row.origin, row.sunset_at, row.replacement) == (
        DeprecationOrigin.SCHEMA,
        datetime(2027, 1, 1, tzinfo=UTC),
        "comment",
    )
    before = await world.kinds()
    await world.publish(asset, marked("note", **{"x-sunset": "2027-01-01", "x-replacement": "comment"}))
    assert await world.kinds() == before
    with pytest.raises(Conflict, match="comes from the schema"):
        await withdraw(world, asset, "note")
    await world.publish(asset, marked("note", **{"x-sunset": "2028-01-01"}))
    changed = (await live(world, asset))["note"]
    assert (changed.id, changed.sunset_at) == (row.id, datetime(2028, 1, 1, tzinfo=UTC))
    await world.publish(asset, ORDERS)
    assert set(await live(world, asset)) == {"total"}
    await world.publish(asset, {**ORDERS, "deprecated": True})
    assert set(await live(world, asset)) == {"", "total"}


async def test_the_removal_of_a_field_and_a_retirement_end_its_deprecation(world: World) -> None:
    asset = await world.published()
    await announce(world, asset, "note")
    await announce(world, asset, "total")
    await world.publish(asset, without("note"))
    assert set(await live(world, asset)) == {"total"}
    current = await world.active(asset)
    assert current is not None
    await world.retire(current)
    assert await live(world, asset) == {}


async def test_registering_for_something_deprecated_warns(world: World) -> None:
    asset, reader = await world.published(), await world.team("reader")
    await announce(world, asset, "note", replacement="comment")
    registrations = [await world.register(asset, reader, "note"), await world.register(asset, await world.team("b"))]
    async with world.database.read() as session:
        for registration in registrations:
            assert await load_warnings(session, registration) == [
                "The team reads analytics.core.orders.note, which goes on 1 June 2026; use comment."
            ]
        unconcerned = await world.register(asset, await world.team("c"), "total")
        assert await load_warnings(session, unconcerned) == []


@pytest.mark.parametrize(
    ("sunset", "removed", "expected"),
    [
        (SUNSET, ("note",), OnSilence.APPROVE),
        (SUNSET, ("note", "total"), OnSilence.EXPIRE),
        (SUNSET + timedelta(days=10), ("note",), OnSilence.EXPIRE),
    ],
    ids=["after the sunset", "beyond the deprecated field", "before the sunset"],
)
async def test_silence_consents_to_exactly_what_was_announced_to_be_gone(
    world: World, clock: FixedClock, sunset: datetime, removed: tuple[str, ...], expected: OnSilence
) -> None:
    asset = await world.published(consumers=1)
    await announce(world, asset, "note", sunset=sunset)
    clock.now = SUNSET + timedelta(days=1)
    proposal = (await world.publish(asset, without(*removed))).proposal
    assert proposal is not None
    (ask,) = await world.acknowledgments(proposal)
    assert ask.policy["onSilence"] == expected
    clock.advance(days=31)
    await apply_due_deadlines(world.database)
    status = (await world.proposal(proposal.id)).status
    assert status is (ProposalStatus.APPROVED if expected is OnSilence.APPROVE else ProposalStatus.EXPIRED)


async def test_each_team_gets_the_meaning_of_silence_for_what_it_reads(world: World, clock: FixedClock) -> None:
    asset = await world.published()
    teams: dict[str, Team] = {name: await world.team(name) for name in ("note", "total")}
    for name, team in teams.items():
        await world.register(asset, team, name)
    await announce(world, asset, "note")
    clock.now = SUNSET
    proposal = (await world.publish(asset, without("note", "total"))).proposal
    assert proposal is not None
    policies = {item.consumer_team_id: item.policy["onSilence"] for item in await world.acknowledgments(proposal)}
    assert policies == {teams["note"].id: "APPROVE", teams["total"].id: "EXPIRE"}


async def test_a_blocked_answer_counts_after_the_sunset_and_no_reader_is_no_ask(
    world: World, clock: FixedClock
) -> None:
    asset = await world.published(consumers=1)
    await announce(world, asset, "note")
    clock.now = SUNSET
    proposal = (await world.publish(asset, without("note"))).proposal
    assert proposal is not None
    result = await world.answer(proposal, world.consumers[0], Response.BLOCKED)
    assert result.proposal.status is ProposalStatus.REJECTED
    (registration,) = await world.registrations()
    await world.unregister(registration)
    assert (await world.publish(asset, without("note"))).contract is not None


async def test_a_sunset_in_the_past_gives_no_notice_and_silence_keeps_its_meaning(
    world: World, clock: FixedClock
) -> None:
    asset = await world.published(consumers=1)
    await world.publish(asset, marked("note", **{"x-sunset": "2025-01-01"}))
    clock.advance(days=1)
    proposal = (await world.publish(asset, without("note"))).proposal
    assert proposal is not None
    assert [item.policy["onSilence"] for item in await world.acknowledgments(proposal)] == ["EXPIRE"]


async def test_fields_below_a_deprecated_one_go_with_it(world: World, clock: FixedClock) -> None:
    nested = adding("address", {"type": "object", "properties": {"city": {"type": "string"}}})
    asset = await world.published(schema=nested)
    reader = await world.team("reader")
    await world.register(asset, reader, "address.city")
    await announce(world, asset, "address")
    assert str(reader.id) in (await audiences(world, "DEPRECATION_DECLARED"))[0]
    clock.now = SUNSET
    proposal = (await world.publish(asset, ORDERS)).proposal
    assert proposal is not None
    assert [item.policy["onSilence"] for item in await world.acknowledgments(proposal)] == ["APPROVE"]


@pytest.mark.parametrize(
    ("replacement", "warning"),
    [
        (None, ""),
        ("Ask in #data for the new one", ""),
        ("total", ""),
        ("Analytics.Core.ORDERS", ""),
        (f"{FQN}.total", ""),
        ("totl", f"totl is neither a field of {FQN} nor an asset. Nearest: total"),
        (f"{FQN}.totl", f"{FQN}.totl is no field of {FQN}. Nearest: total"),
        ("no.such.table", f"no.such.table is neither a field of {FQN} nor an asset. Readers see"),
    ],
)
async def test_a_replacement_that_looks_like_a_name_and_names_nothing_is_warned_of(
    world: World, replacement: str | None, warning: str
) -> None:
    asset = await world.published()
    async with world.database.read() as session:
        warnings = await load_replacement_warnings(session, asset, replacement)
    assert [warning in text for text in warnings] == [True] * bool(warning)


async def downstream_events(world: World) -> dict[str, EventRow]:
    """The notifications of teams behind other tables, by the name of the team, of which each has one."""
    names = {str(team.id): team.name for team in await world.rows(Team)}
    rows = [event for event in await world.events() if event.kind == "DOWNSTREAM_DEPRECATION_DECLARED"]
    by_name = {names[event.payload["team_id"]]: event for event in rows}
    assert len(by_name) == len(rows)
    assert all(event.teams == [event.payload["team_id"]] for event in rows)
    return by_name


async def test_who_reads_a_deprecated_field_by_way_of_other_tables_is_informed_once_with_the_way(world: World) -> None:
    orders, staging, _, finance = await chain(world)
    growth, board, direct, total_reader = [await world.team(name) for name in ("growth", "board", "direct", "other")]
    report = await world.asset("growth.report", growth)
    await world.publish(report)
    await link(world, orders, staging, ("note", "total"))
    await link(world, staging, report, ("total", "customer_id"), ("note", "note"))
    await world.register(staging, finance, "total")
    await world.register(report, board, "customer_id")
    await world.register(report, total_reader, "note")
    for asset, column in ((orders, "note"), (staging, "total")):
        await world.register(asset, direct, column)
    (row,) = await announce(world, orders, "note", replacement="comment")
    events = await downstream_events(world)
    assert {name: event.payload["routes"] for name, event in events.items()} == {
        "finance": ["analytics.core.orders.note → staging.orders.total"],
        "growth": ["analytics.core.orders.note → staging.orders.total → growth.report.customer_id"],
        "board": ["analytics.core.orders.note → staging.orders.total → growth.report.customer_id"],
    }
    event = events["board"]
    assert event.payload | {"routes": []} == {
        "team_id": str(board.id),
        "count": 1,
        "deprecations": [str(row.id)],
        "paths": ["note"],
        "routes": [],
    }
    assert event.asset_id == orders.id
    await announce(world, orders, "note", replacement="remark")
    assert await downstream_events(world) == events


async def test_a_deprecation_of_several_fields_informs_a_team_behind_other_tables_once(world: World) -> None:
    orders, staging, _, finance = await chain(world)
    await link(world, orders, staging, ("note", "note"), ("total", "total"))
    await world.register(staging, finance)
    await announce(world, orders, "note", "total", "customer_id")
    (event,) = (await downstream_events(world)).values()
    assert (event.payload["count"], {*event.payload["paths"]}) == (2, {"note", "total"})


async def test_a_deprecated_asset_reaches_every_reader_of_what_is_made_from_it_also_by_unknown_lineage(
    world: World,
) -> None:
    orders, staging, marts, finance = await chain(world)
    await link(world, orders, staging, ("note", "note"))
    await link(world, staging, marts)
    await world.register(marts, finance, "total")
    await world.register(staging, await world.team("other"), "total")
    await announce(world, orders)
    events = await downstream_events(world)
    assert {name: event.payload["routes"] for name, event in events.items()} == {
        "finance": ["analytics.core.orders → staging.orders.note → marts.orders.total (lineage unknown)"]
    }


async def test_a_deprecation_of_what_only_its_owner_reads_informs_nobody_downstream(world: World) -> None:
    orders, staging, _, _ = await chain(world)
    await link(world, orders, staging, ("note", "note"))
    await announce(world, orders, "note")
    assert await downstream_events(world) == {}


@pytest.mark.parametrize("readers", [1, 8])
async def test_informing_downstream_costs_as_many_statements_for_many_readers_as_for_one(
    world: World, readers: int
) -> None:
    orders, staging, _, _ = await chain(world)
    await link(world, orders, staging, ("note", "note"))
    for number in range(readers):
        await world.register(staging, await world.team(f"reader-{number}"), "note")
    with statements(world.database) as texts:
        await announce(world, orders, "note")
    assert len(await downstream_events(world)) == readers
    assert len(texts) <= 30, len(texts)
