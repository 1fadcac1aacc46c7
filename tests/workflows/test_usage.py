"""Observed reads decide who is asked, and prove that a team has migrated."""

import asyncio
import random
import time
from datetime import datetime, timedelta

import pytest

from tessera_gql.errors import Conflict, Forbidden, Invalid, NotFound
from tessera_gql.formats.usage_rows import UsageFault
from tessera_gql.notifications import deadlines
from tessera_gql.policy.access import Actor, Scope
from tessera_gql.policy.enums import ProposalStatus, ReleaseKind, Response
from tessera_gql.store.tables import Asset, Observation, Principal, Proposal, Team, UsageSource
from tests.conftest import START, FixedClock
from tests.formats.manifests import manifest
from tests.workflows.dbt_syncs import ask as ask_dbt
from tests.workflows.dbt_syncs import run_sync, states, team_table
from tests.workflows.usage_logs import FQN, HEADER, import_log, log_of, map_principal, unmap_principal, usage_source
from tests.world import World, adding, without

DAY = timedelta(days=1)
CSV_FAULTS = [*UsageFault][: [*UsageFault].index(UsageFault.TOO_LONG) + 1]
"""The faults that a row of a plain CSV may have; the others are of the formats of vendors, and of retention."""


async def observe(world: World, *reads: tuple[str, str, datetime]) -> None:
    await import_log(world, log_of(*reads))


async def observed(world: World) -> list[tuple[str, str, datetime, datetime, int, int]]:
    names = {row.id: row.name for row in await world.rows(Principal)}
    return sorted(
        (names[row.principal_id], row.field, row.first_seen, row.last_seen, row.read_count, row.longest_pause_seconds)
        for row in await world.rows(Observation)
    )


async def test_reads_are_counted_by_day_and_importing_them_again_changes_nothing(world: World) -> None:
    await world.published()
    await usage_source(world)
    times = [START - 9 * DAY, START - 9 * DAY + timedelta(hours=1), START - 4 * DAY, START - 3 * DAY]
    log = log_of(*(("bob", "note", moment) for moment in times))
    plan = await import_log(world, log)
    assert (plan.counts.principals, plan.counts.observations, plan.counts.days) == (1, 1, 3)
    pause = int((5 * DAY - timedelta(hours=1)).total_seconds())
    expected = [("bob", "note", times[0], times[-1], 4, pause)]
    assert await observed(world) == expected
    again = await import_log(world, log)
    assert (again.counts.principals, again.counts.observations, again.counts.days) == (0, 0, 0)
    assert await observed(world) == expected


async def test_the_order_of_imports_and_rows_changes_nothing(world: World) -> None:
    await world.published()
    await usage_source(world)
    reads = [
        ("bob", path, START - number * DAY - timedelta(minutes=number)) for number in range(1, 40, 3) for path in "ab"
    ]
    chooser = random.Random(7)
    for _ in range(6):
        await observe(world, *chooser.sample(reads, 9))
    await observe(world, *reads)
    whole = await observed(world)
    assert [row[2:] for row in whole] == [
        (reads[-1][2], reads[0][2], 13, int((3 * DAY + timedelta(minutes=3)).total_seconds()))
    ] * 2
    late = ("bob", "a", START - 60 * DAY)
    await observe(world, late)
    assert (await observed(world))[0][2:] == (
        late[2],
        reads[0][2],
        14,
        int((60 * DAY - (START - reads[-2][2])).total_seconds()),
    )


async def test_names_are_matched_without_case_and_quotes(world: World) -> None:
    await world.published()
    await usage_source(world)
    rows = [
        "COUNT,read_at,Field,asset,PRINCIPAL",
        '3,2025-12-30 10:00:00 UTC,"""NOTE""","""ANALYTICS"".""CORE"".""ORDERS""",Bob',
        "2,2025-12-30 11:00:00+02:00,`Note`,analytics.core.orders,BOB",
    ]
    await import_log(world, rows)
    ((name, path, _, _, count, _),) = await observed(world)
    assert (name, path, count) == ("Bob", "note", 5)


async def test_rows_with_faults_are_counted_by_kind_and_the_others_are_taken(world: World) -> None:
    await world.published()
    await usage_source(world)
    good = f"bob,{FQN},note,2025-12-30T10:00:00Z,1"
    rows = [
        f"{HEADER},count",
        good,
        f",{FQN},note,2025-12-30T10:00:00Z,1",
        "bob,,note,2025-12-30T10:00:00Z,1",
        "bob,no.such.table,note,2025-12-30T10:00:00Z,1",
        f"bob,{FQN},note,yesterday,1",
        f"bob,{FQN},note,{(START + timedelta(minutes=61)).isoformat()},1",
        f"bob,{FQN},note,2025-12-30T10:00:00Z,-1",
        f"{'b' * 600},{FQN},note,2025-12-30T10:00:00Z,1",
        f"bob,{FQN},note,2025-12-30T10:00:00Z,1,more",
        f'"bob"x,{FQN},note,2025-12-30T10:00:00Z,1',
        "",
    ]
    plan = await import_log(world, rows)
    assert {fault: rows.count for fault, rows in plan.log.faults.items()} == {
        **dict.fromkeys(CSV_FAULTS, 1),
        UsageFault.MALFORMED_ROW: 2,
    }
    assert plan.log.faults[UsageFault.INVALID_TIME].line == 6
    assert (plan.log.row_count, plan.span, len(await observed(world))) == (10, None, 1)


@pytest.mark.parametrize("end", ["bob,analytics.core.orders,no", 'bob,analytics.core.orders,"note,2025-12-30'])
async def test_a_log_that_was_cut_off_is_taken_so_far_and_covers_nothing(world: World, end: str) -> None:
    await world.published()
    await usage_source(world)
    plan = await import_log(world, log_of(("bob", "note", START - DAY)) + end)
    assert (plan.log.is_truncated, plan.span, len(await observed(world))) == (True, None, 1)
    (source,) = await world.rows(UsageSource)
    assert source.covered == []


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "It is empty"),
        ("principal;asset;field;read_at\n", "lacks the column principal"),
        ("principal,asset,field\n", "lacks the column read_at"),
        ("principal,asset,field,read_at,asset\n", "has twice the column asset"),
        ("principal,asset,field,read_at\n".encode("utf-16"), "It is not text in UTF-8"),
    ],
)
async def test_what_is_no_log_is_refused(world: World, content: str | bytes, message: str) -> None:
    await usage_source(world)
    with pytest.raises(Invalid, match=message):
        await import_log(world, content)


async def test_a_log_covers_no_time_to_come_and_no_empty_span(world: World) -> None:
    await usage_source(world)
    with pytest.raises(Invalid, match="has not passed yet") as refused:
        await import_log(world, HEADER, covers=(START, START + DAY))
    assert refused.value.field == ("to",)
    with pytest.raises(Invalid, match="later than `to`"):
        await import_log(world, HEADER, covers=(START, START - DAY))
    assert (await import_log(world, HEADER)).span is None


async def test_spans_that_touch_are_one(world: World) -> None:
    await usage_source(world)
    for start, end in ((9, 7), (3, 1), (7, 5)):
        await import_log(world, HEADER, covers=(START - start * DAY, START - end * DAY))
    (source,) = await world.rows(UsageSource)
    assert source.covered == [
        [(START - 9 * DAY).isoformat(), (START - 5 * DAY).isoformat()],
        [(START - 3 * DAY).isoformat(), (START - DAY).isoformat()],
    ]


async def test_only_administrators_and_keys_of_the_source_import_its_reads(world: World) -> None:
    team = await world.team("finance")
    source, second = await usage_source(world), await usage_source(world, "bigquery")
    scopes = frozenset({Scope.READ, Scope.EVIDENCE})
    await import_log(world, HEADER, actor=Actor("loader", scopes=scopes, usage_source_id=source.id))
    await import_log(world, HEADER, actor=Actor("root", scopes=frozenset({Scope.ADMIN})))
    refused = [
        (Actor("loader", scopes=scopes, usage_source_id=second.id), "another usage source"),
        (Actor("writer", team.id, frozenset({Scope.WRITE})), "no team testifies for itself"),
        (Actor("forged", team.id, scopes), "no team testifies for itself"),
        (Actor("reader", None, frozenset({Scope.READ}), usage_source_id=source.id), "no team testifies for itself"),
    ]
    for actor, message in refused:
        with pytest.raises(Forbidden, match=message):
            await import_log(world, HEADER, actor=actor)


async def test_names_of_sources_are_unique_and_unknown_ones_are_refused(world: World) -> None:
    await usage_source(world)
    with pytest.raises(Conflict, match="A usage source named snowflake exists already"):
        await usage_source(world, "SNOWFLAKE")
    with pytest.raises(Invalid, match="1 to 200 visible characters"):
        await usage_source(world, " ")
    with pytest.raises(NotFound, match="There is no usage source gone"):
        await import_log(world, HEADER, source="gone")


async def test_the_most_specific_rule_decides_for_known_and_for_later_principals(world: World) -> None:
    await world.published()
    first, second = await world.team("first"), await world.team("second")
    await usage_source(world)
    await observe(world, ("SVC_A", "note", START - DAY), ("bob", "note", START - DAY))
    assert await map_principal(world, "svc_*", first) == 1
    assert await map_principal(world, "svc_*_x", second) == 0
    await observe(world, ("svc_b_x", "note", START - DAY), ("svc_c", "note", START - DAY))
    teams = {row.name: row.team_id for row in await world.rows(Principal)}
    assert teams == {"SVC_A": first.id, "bob": None, "svc_b_x": second.id, "svc_c": first.id}
    assert await map_principal(world, "svc_c", second) == 1
    assert await unmap_principal(world, "SVC_*") == 1
    teams = {row.name: row.team_id for row in await world.rows(Principal)}
    assert teams == {"SVC_A": None, "bob": None, "svc_b_x": second.id, "svc_c": second.id}
    with pytest.raises(NotFound, match="no rule with the pattern"):
        await unmap_principal(world, "svc_*")


async def test_observed_readers_of_what_breaks_are_asked(world: World, clock: FixedClock) -> None:
    asset = await world.published()
    readers = {name: await world.team(name) for name in ("reads_note", "reads_total", "reads_all", "unmapped")}
    await usage_source(world)
    for name in ("reads_note", "reads_total", "reads_all"):
        await map_principal(world, name, readers[name])
    clock.advance(days=1)
    fields = {"reads_note": "NOTE", "reads_total": "total", "reads_all": "", "unmapped": "note"}
    await observe(world, *((name, path, clock.now) for name, path in fields.items()))
    proposal = (await world.publish(asset, without("note"))).proposal
    assert proposal is not None
    assert await world.asked(proposal) == {readers["reads_note"].id, readers["reads_all"].id}
    assert await map_principal(world, "unmapped", readers["unmapped"]) == 1
    assert await world.asked(proposal) == {readers[name].id for name in fields if name != "reads_total"}
    await unmap_principal(world, "reads_note")
    assert await world.asked(proposal) == {readers["reads_all"].id, readers["unmapped"].id}


async def test_an_import_asks_readers_about_the_open_proposal(world: World, clock: FixedClock) -> None:
    asset = await world.published()
    team, _ = await world.team("finance"), await usage_source(world)
    await map_principal(world, "bob", team)
    consumer = await world.team("consumer")
    await world.register(asset, consumer, "note")
    proposal = (await world.publish(asset, without("note"))).proposal
    assert proposal is not None
    clock.advance(hours=2)
    await observe(world, ("bob", "note", clock.now))
    assert await world.asked(proposal) == {team.id, consumer.id}


async def test_after_a_release_only_later_reads_count(world: World, clock: FixedClock) -> None:
    asset = await world.published()
    team, _ = await world.team("finance"), await usage_source(world)
    await map_principal(world, "bob", team)
    clock.advance(days=1)
    await observe(world, ("bob", "note", clock.now))
    clock.advance(days=1)
    await world.publish(asset, adding("extra"))
    proposal = (await world.publish(asset, without("note", schema=adding("extra")))).proposal
    assert proposal is not None
    assert await world.asked(proposal) == set()


async def test_a_compatible_release_does_not_release_the_readers_of_an_open_proposal(
    world: World, clock: FixedClock
) -> None:
    asset = await world.published()
    team, _ = await world.team("finance"), await usage_source(world)
    await map_principal(world, "bob", team)
    clock.advance(days=1)
    await observe(world, ("bob", "note", clock.now))
    clock.advance(days=1)
    proposal = (await world.publish(asset, without("note"))).proposal
    assert proposal is not None
    clock.advance(days=1)
    await world.publish(asset, force=True, reason="a test", schema=adding("extra"))
    await observe(world, ("eve", "note", clock.now))
    assert {row.status for row in await world.proposals_of(asset)} == {ProposalStatus.PENDING}
    assert await world.asked(proposal) == {team.id}


async def test_a_dbt_ask_and_a_sync_see_observed_readers(world: World, clock: FixedClock) -> None:
    wide, narrow = (team_table("orders", "shop", *columns) for columns in (("id", "note"), ("id",)))
    await run_sync(world, manifest(wide))
    team, _ = await world.team("finance"), await usage_source(world)
    await map_principal(world, "bob", team)
    clock.advance(days=1)
    await observe(world, ("bob", "NOTE", clock.now))
    assert states(await ask_dbt(world, manifest(narrow))) == {"orders": "WAITING"}
    (proposal,) = await world.rows(Proposal)
    assert await world.asked(proposal) == {team.id}
    await run_sync(world, manifest(narrow))
    assert (await world.proposal(proposal.id)).status is ProposalStatus.PENDING


async def test_an_import_and_a_publish_at_once_never_leave_a_reader_unasked(world: World, clock: FixedClock) -> None:
    asset = await world.published(consumers=1)
    team, _ = await world.team("finance"), await usage_source(world)
    await map_principal(world, "bob", team)
    for _ in range(5):
        clock.advance(days=1)
        read = observe(world, ("bob", "note", clock.now - timedelta(hours=1)))
        await asyncio.gather(world.publish(asset, without("note")), read)
        (proposal,) = [row for row in await world.proposals_of(asset) if row.status.is_open]
        assert await world.asked(proposal) == {team.id, world.consumers[0].id}
        await world.withdraw(proposal)


async def test_imports_and_maps_at_once_leave_no_principal_without_its_team(world: World) -> None:
    await world.published()
    teams = [await world.team(f"team-{number}") for number in range(3)]
    for name in ("snowflake", "bigquery"):
        await usage_source(world, name)
    logs = [
        import_log(world, log_of(*((f"p{number}", "note", START - DAY) for number in range(9))), source=name)
        for name in ("snowflake", "bigquery", "snowflake")
    ]
    await asyncio.gather(*logs, *(map_principal(world, f"p{number}", team) for number, team in enumerate(teams)))
    principals = await world.rows(Principal)
    assert len(principals) == 18
    assert {row.name: row.team_id for row in principals if row.team_id} == {
        f"p{number}": team.id for number, team in enumerate(teams)
    }


async def migrating(world: World, clock: FixedClock, *, fields: str = "note") -> tuple[Asset, Proposal, Team]:
    """A team that reads daily until a proposal, and answers that it migrates."""
    asset = await world.published()
    team, _ = await world.team("finance"), await usage_source(world)
    await world.register(asset, team, *filter(None, [fields]))
    await map_principal(world, "bob*", team)
    reads = [("bob", "note", START + number * DAY) for number in range(1, 11)]
    clock.advance(days=11)
    await import_log(world, log_of(*reads), covers=(START, clock.now))
    proposal = (await world.publish(asset, without("note"))).proposal
    assert proposal is not None
    await world.answer(proposal, team, Response.MIGRATING, clock.now + 60 * DAY)
    return asset, proposal, team


async def cover(world: World, clock: FixedClock, days: float, *reads: tuple[str, str, datetime]) -> None:
    """Let days pass, and import a log that covers them."""
    start = clock.now
    clock.advance(days=days)
    await import_log(world, log_of(*reads), covers=(start, clock.now))


async def test_quiet_for_two_weeks_releases_a_migrating_team_with_its_evidence(world: World, clock: FixedClock) -> None:
    _, proposal, team = await migrating(world, clock)
    await cover(world, clock, 12)
    assert await world.asked(proposal) == {team.id}
    await cover(world, clock, 2)
    assert (await world.proposal(proposal.id)).status is ProposalStatus.APPROVED
    (released,) = await world.acknowledgments(proposal)
    assert released.released_by is not None
    assert released.released_by["kind"] == ReleaseKind.OBSERVATION
    assert released.released_by["reference"] == "snowflake: no read from 2026-01-11 to 2026-01-26"
    events = [event for event in await world.events() if event.kind == "ACKNOWLEDGMENT_RELEASED"]
    assert [event.payload["evidence"] for event in events] == ["OBSERVATION"]


async def test_no_import_and_a_gap_prove_nothing(world: World, clock: FixedClock) -> None:
    _, proposal, team = await migrating(world, clock)
    clock.advance(days=20)
    await deadlines.apply_due_deadlines(world.database)
    assert await world.asked(proposal) == {team.id}
    await cover(world, clock, 20)
    assert await world.asked(proposal) == {team.id}
    await import_log(world, HEADER, covers=(START + 11 * DAY, START + 31 * DAY))
    assert await world.asked(proposal) == set()


async def test_another_reader_of_the_team_that_goes_on_prevents_the_proof(world: World, clock: FixedClock) -> None:
    _, proposal, team = await migrating(world, clock)
    await cover(world, clock, 20, ("bob_2", "note", clock.now + DAY * 15), ("bob", "total", clock.now + DAY * 19))
    assert await world.asked(proposal) == {team.id}
    await cover(world, clock, 10, ("bob", "total", clock.now + DAY * 5))
    assert await world.asked(proposal) == set()


async def test_a_reader_with_long_pauses_must_be_quiet_for_twice_as_long(world: World, clock: FixedClock) -> None:
    _, proposal, team = await migrating(world, clock)
    await cover(world, clock, 13, ("bob", "note", clock.now + DAY * 12))
    await cover(world, clock, 20)
    assert await world.asked(proposal) == {team.id}
    await cover(world, clock, 6)
    assert await world.asked(proposal) == set()


async def test_a_team_that_no_source_has_seen_is_not_released_by_quiet(world: World, clock: FixedClock) -> None:
    asset, proposal, _ = await migrating(world, clock)
    unseen = await world.team("unseen")
    await world.register(asset, unseen, "note")
    await map_principal(world, "never", unseen)
    await world.answer(proposal, unseen, Response.MIGRATING, clock.now + 60 * DAY)
    await cover(world, clock, 30)
    assert await world.asked(proposal) == {unseen.id}


async def test_a_log_that_ends_before_the_answer_proves_nothing(world: World, clock: FixedClock) -> None:
    asset = await world.published()
    team, _ = await world.team("finance"), await usage_source(world)
    await world.register(asset, team, "note")
    await map_principal(world, "bob", team)
    clock.advance(days=40)
    await import_log(world, log_of(("bob", "note", START + DAY)), covers=(START, START + 30 * DAY))
    proposal = (await world.publish(asset, without("note"))).proposal
    assert proposal is not None
    await world.answer(proposal, team, Response.MIGRATING, clock.now + 60 * DAY)
    await deadlines.apply_due_deadlines(world.database)
    assert await world.asked(proposal) == {team.id}


async def test_a_later_read_before_the_publish_asks_again(world: World, clock: FixedClock) -> None:
    _, proposal, team = await migrating(world, clock)
    await cover(world, clock, 16)
    assert (await world.proposal(proposal.id)).status is ProposalStatus.APPROVED
    await cover(world, clock, 1, ("bob", "total", clock.now))
    assert await world.asked(proposal) == set()
    await cover(world, clock, 1, ("bob", "note", clock.now + timedelta(hours=5)))
    assert await world.asked(proposal) == {team.id}
    (asked,) = await world.acknowledgments(proposal)
    assert (asked.response, asked.released_by) == (None, None)
    assert (await world.proposal(proposal.id)).status is ProposalStatus.PENDING


async def test_a_new_registration_after_the_proof_asks_again(world: World, clock: FixedClock) -> None:
    asset, proposal, team = await migrating(world, clock)
    await cover(world, clock, 16)
    clock.advance(hours=1)
    via = await world.asset("finance.core.revenue", team)
    await world.register(asset, team, "total", via=via)
    assert await world.asked(proposal) == {team.id}


async def test_the_worker_releases_a_team_whose_principal_was_mapped_after_the_import(
    world: World, clock: FixedClock
) -> None:
    asset = await world.published()
    team, _ = await world.team("finance"), await usage_source(world)
    await world.register(asset, team, "note")
    proposal = (await world.publish(asset, without("note"))).proposal
    assert proposal is not None
    await world.answer(proposal, team, Response.MIGRATING, clock.now + 60 * DAY)
    clock.advance(days=20)
    await import_log(world, log_of(("bob", "note", START + DAY)), covers=(START, clock.now))
    await map_principal(world, "bob", team)
    await deadlines.apply_due_deadlines(world.database)
    assert await world.asked(proposal) == set()
    assert (await world.proposal(proposal.id)).status is ProposalStatus.APPROVED


@pytest.mark.long
async def test_a_hundred_thousand_rows_are_imported_in_seconds(world: World) -> None:
    owner = await world.team("producers")
    fqns = [f"a.b.t{number}" for number in range(20)]
    for fqn in fqns:
        await world.asset(fqn, owner)
    await usage_source(world)
    rows = (
        f"p{n % 40},{fqns[n // 40 % 20]},c{n // 800 % 5},2025-01-{1 + n // 4000:02}T10:{n % 60:02}:00Z"
        for n in range(100_000)
    )
    started_at = time.monotonic()
    plan = await import_log(world, [HEADER, *rows])
    assert time.monotonic() - started_at < 60
    assert (plan.counts.days, plan.counts.observations) == (100_000, 4_000)
    assert sum(row.read_count for row in await world.rows(Observation)) == 100_000


async def test_interrupted_imports_are_repeated_without_a_trace(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    await world.published()
    await usage_source(world)
    monkeypatch.setattr("tessera_gql.workflows.usage_import.BATCH_DAYS", 2)
    log = log_of(*((f"p{number}", "note", START - number * DAY) for number in range(7)))
    with monkeypatch.context() as patch:
        patch.setattr("tests.workflows.usage_logs.finish_import", _fail)
        with pytest.raises(RuntimeError):
            await import_log(world, log)
    (source,) = await world.rows(UsageSource)
    assert source.covered == []
    plan = await import_log(world, log)
    assert (plan.counts.days, len(await observed(world))) == (0, 7)


async def _fail(*_: object) -> None:
    raise RuntimeError
