"""Old events move to files; whatever is interrupted or altered, no event is lost, and the log stays verifiable."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import asyncpg
import pytest
import sqlalchemy as sa

from tessera_gql.errors import Conflict, CursorExpired, Invalid, NotFound, Refusal
from tessera_gql.notifications.event_relay import EventRelay
from tessera_gql.notifications.log_verification import verify_new_events
from tessera_gql.notifications.webhook_worker import create_deliveries
from tessera_gql.policy.access import ANONYMOUS
from tessera_gql.policy.event_cursors import encode_cursor
from tessera_gql.store import audit, event_anchors, event_archive, events, log_verifications, proposals
from tessera_gql.store.audit import BrokenEventLog, LogPosition
from tessera_gql.store.tables import EventAnchor, Proposal, Webhook, WebhookDelivery, table
from tessera_gql.workflows import log_archive, webhooks
from tessera_gql.workflows.webhooks import WebhookRequest
from tests.conftest import START, FixedClock
from tests.workflows.archives import BEFORE, KEY, OldLog, old_log, with_keys

ERRORS = (asyncpg.PostgresError, sqlite3.Error)
OTHER_KEY = "MTEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="


@pytest.fixture
async def log(database_url: str, clock: FixedClock, tmp_path: Path) -> AsyncIterator[OldLog]:
    async with old_log(database_url, clock, tmp_path / "archive") as instance:
        yield instance


async def execute(log: OldLog, statement: str) -> None:
    """Execute a statement as one who owns the tables, without their triggers."""
    async with log.database.write() as session:
        if session.dialect == "sqlite":
            names = await session.rows(
                sa.text("SELECT name FROM sqlite_master WHERE type = 'trigger'").columns(name=sa.Text)
            )
            for row in [*names]:
                if row.name.startswith("event"):
                    await session.execute(sa.text(f"DROP TRIGGER {row.name}"))
            statement = statement.replace("audit.", "").replace("workflow.", "")
        else:
            await session.execute(sa.text("SET LOCAL session_replication_role = replica"))
        await session.execute(sa.text(statement))


async def test_old_events_move_to_a_file_and_the_log_is_verified_from_its_anchor(log: OldLog) -> None:
    before = await log.world.events()
    whole = await audit.verify_log(log.database)
    plan = await log.archive()
    (anchor,) = await log.anchors()
    end = before[log.old - 1]
    assert (plan.count, plan.held_by) == (log.old, None)
    assert (anchor.first_sequence, anchor.sequence, anchor.hash) == (1, end.sequence, end.hash)
    assert (anchor.archived_before, anchor.archived_by) == (BEFORE, "operator")
    assert log.archived() == [event.sequence for event in before[: log.old]]
    assert await log.world.events() == before[log.old :]
    assert await audit.verify_log(log.database) == whole
    event_archive.verify_archives(log.folder, await log.anchors())
    assert (log.folder / anchor.file).stat().st_mode & 0o777 == 0o600


async def test_the_next_archive_continues_after_the_anchor(log: OldLog, clock: FixedClock) -> None:
    await log.archive()
    clock.advance(days=100)
    await log.world.team("newest")
    plan = await log.archive(START + timedelta(days=150))
    assert plan.count == 2
    assert log.archived() == [*range(1, log.old + 3)]
    assert await log.sequences() == [log.old + 3]
    await audit.verify_log(log.database)
    event_archive.verify_archives(log.folder, await log.anchors())


async def test_the_last_event_stays_and_nothing_is_archived_twice(log: OldLog, clock: FixedClock) -> None:
    clock.advance(days=400)
    await log.archive(START + timedelta(days=300))
    assert await log.sequences() == [log.old + 2]
    assert (await log.archive(START + timedelta(days=300))).count == 0
    await log.world.team("next")
    assert await log.sequences() == [log.old + 2, log.old + 3]
    await audit.verify_log(log.database)


async def leave_draft(log: OldLog) -> None:
    name = event_archive.name_file(1, log.old)
    (log.folder / f".{name}.1.part").write_bytes(b'{"sequence":1')


async def write_file(log: OldLog) -> log_archive.ArchivePlan:
    async with log.database.read() as session:
        plan = await log_archive.plan_archive(session, BEFORE)
    pages = audit.read_pages(log.database, plan.start.sequence, plan.end.sequence)
    await event_archive.write_file(log.folder / plan.file, pages, plan.start, plan.end)
    return plan


async def record_anchor(log: OldLog) -> None:
    plan = await write_file(log)
    async with log.database.write() as session:
        await log_archive.record_anchor(session, plan, "operator")


async def delete_some(log: OldLog) -> None:
    await record_anchor(log)
    (anchor,) = await log.anchors()
    async with log.database.write() as session:
        assert await log_archive.delete_batch(session, anchor) == 3


@pytest.mark.parametrize("interrupted", [leave_draft, write_file, record_anchor, delete_some])
async def test_an_archive_that_was_interrupted_has_lost_nothing_and_is_completed(
    log: OldLog, interrupted: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_archive, "BATCH_EVENTS", 3)
    every = await log.sequences()
    last = await audit.verify_log(log.database)
    await interrupted(log)  # type: ignore[operator] # one of the functions above
    assert sorted({*log.archived(), *await log.sequences()}) == every
    assert await audit.verify_log(log.database) == last
    await verify_new_events(log.database)
    await log.archive()
    assert log.archived() == every[: log.old]
    assert await log.sequences() == every[log.old :]
    assert [anchor.sequence for anchor in await log.anchors()] == [log.old]
    assert await audit.verify_log(log.database) == last


async def test_events_are_deleted_only_while_their_file_is_there(log: OldLog) -> None:
    await record_anchor(log)
    (file,) = log.folder.glob("*.jsonl")
    lines = file.read_bytes()
    file.unlink()
    with pytest.raises(NotFound, match="give its folder"):
        await log.archive()
    file.write_bytes(lines.replace(b"consumer-1", b"consumer-9"))
    with pytest.raises(BrokenEventLog):
        await log.archive()
    assert len(await log.sequences()) == log.old + 2
    file.write_bytes(lines)
    await log.archive()
    assert len(await log.sequences()) == 2


async def test_another_file_of_that_name_is_not_replaced(log: OldLog) -> None:
    file = log.folder / event_archive.name_file(1, log.old)
    file.write_text("notes\n")
    with pytest.raises(Conflict, match="Move it away"):
        await log.archive()
    assert file.read_text() == "notes\n"
    assert await log.anchors() == []


async def test_a_log_that_was_altered_is_not_archived(log: OldLog) -> None:
    await execute(log, "UPDATE audit.events SET actor = 'another' WHERE sequence = 3")
    with pytest.raises(BrokenEventLog):
        await log.archive()
    assert len(await log.sequences()) == log.old + 2
    assert await log.anchors() == []


async def test_the_database_deletes_no_event_after_the_last_anchor(log: OldLog) -> None:
    await record_anchor(log)
    for sequence in (log.old + 1, log.old + 2):
        with pytest.raises(ERRORS, match="append-only"):
            async with log.database.write() as session:
                await events.delete_up_to(session, sequence)
    assert len(await log.sequences()) == log.old + 2


async def test_the_database_refuses_an_anchor_without_its_event_and_a_change_of_an_anchor(log: OldLog) -> None:
    rows = await log.world.events()
    values = {"first_sequence": 1, "file": "f", "archived_before": BEFORE, "archived_by": "me"}
    for sequence, digest in ((2, rows[2].hash), (log.old + 2, rows[-1].hash), (log.old + 9, rows[-1].hash)):
        with pytest.raises(ERRORS, match="an anchor needs its event and a later one"):
            async with log.database.write() as session:
                await event_anchors.insert(session, sequence=sequence, hash=digest, **values)
    await record_anchor(log)
    anchors = table(EventAnchor)
    for statement in (anchors.update().values(hash="x"), anchors.update().values(archived_by="x"), anchors.delete()):
        with pytest.raises(ERRORS, match="append-only"):
            async with log.database.write() as session:
                await session.execute(statement)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE workflow.event_anchors SET archived_by = 'another'",
        "UPDATE workflow.event_anchors SET signature = 'v1:0:0'",
        "UPDATE workflow.event_anchors SET signature = 'nonsense'",
        "UPDATE workflow.event_anchors SET hash = replace(hash, substr(hash, 1, 1), 'x')",
        "DELETE FROM workflow.event_anchors",
        "DELETE FROM audit.events",
        "DELETE FROM audit.events WHERE sequence = (SELECT min(sequence) FROM audit.events)",
        "UPDATE audit.events SET actor = 'x' WHERE sequence = (SELECT min(sequence) FROM audit.events)",
    ],
)
async def test_a_change_of_an_anchor_or_of_the_log_behind_it_is_detected(log: OldLog, statement: str) -> None:
    await log.archive()
    await execute(log, statement)
    with pytest.raises(BrokenEventLog):
        await audit.verify_log(log.database)


async def test_an_event_that_is_put_before_the_anchor_is_detected(log: OldLog) -> None:
    await log.archive()
    values = {"sequence": "5", "id": "entity_id"}
    columns = ", ".join(values.get(name, name) for name in audit.COLUMNS)
    names = ", ".join(audit.COLUMNS)
    await execute(log, f"INSERT INTO audit.events ({names}) SELECT {columns} FROM audit.events LIMIT 1")
    with pytest.raises(BrokenEventLog):
        await audit.verify_log(log.database)


async def test_each_change_of_an_archived_file_is_detected(log: OldLog) -> None:
    await log.archive()
    (file,) = log.folder.glob("*.jsonl")
    lines = file.read_bytes().splitlines(keepends=True)
    changes = {
        "a value": [lines[0].replace(b"producers", b"productrs"), *lines[1:]],
        "a member": [lines[0].replace(b'"kind"', b'"kin"'), *lines[1:]],
        "one more member": [lines[0].replace(b"{", b'{"note":1,', 1), *lines[1:]],
        "a missing line": lines[1:],
        "no end": lines[:-1],
        "one line too many": [*lines, lines[-1]],
        "no JSON": [b"\xff\n", *lines[1:]],
        "a list": [b"[]\n", *lines[1:]],
        "nothing": [],
    }
    anchors = await log.anchors()
    for change, changed in changes.items():
        assert changed != lines, change
        file.write_bytes(b"".join(changed))
        with pytest.raises(BrokenEventLog):
            event_archive.verify_archives(log.folder, anchors)
    file.unlink()
    with pytest.raises(NotFound):
        event_archive.verify_archives(log.folder, anchors)


async def test_a_noted_position_is_compared_in_the_log_the_anchor_and_the_archive(log: OldLog) -> None:
    rows = await log.world.events()
    await log.archive()
    anchors = await log.anchors()
    for row in (rows[log.old - 1], rows[-1]):
        await audit.verify_log(log.database, LogPosition(row.sequence, row.hash))
        with pytest.raises(BrokenEventLog):
            await audit.verify_log(log.database, LogPosition(row.sequence, "f" * 64))
    early = LogPosition(rows[2].sequence, rows[2].hash)
    with pytest.raises(Conflict, match="--archive"):
        await audit.verify_log(log.database, early)
    event_archive.verify_archives(log.folder, anchors, early)
    with pytest.raises(BrokenEventLog):
        event_archive.verify_archives(log.folder, anchors, LogPosition(early.sequence, "f" * 64))


async def test_anchors_are_signed_again_by_a_new_key(log: OldLog, database_url: str, clock: FixedClock) -> None:
    await log.archive()
    newer, rotating = with_keys(database_url, clock, OTHER_KEY), with_keys(database_url, clock, OTHER_KEY, KEY)
    with pytest.raises(BrokenEventLog, match="SECRETS_KEY does not hold"):
        await audit.verify_log(newer)
    async with newer.write() as session:
        assert len(await event_anchors.sign_again(session)) == 1
    async with rotating.write() as session:
        assert await event_anchors.sign_again(session) == []
    await audit.verify_log(newer)
    keyless = with_keys(database_url, clock)
    await audit.verify_log(keyless)  # its hashes are verified, and the command says that its signature is not
    with pytest.raises(Conflict, match="SECRETS_KEY is not set"):
        async with keyless.read() as session:
            await log_archive.require_permission(session)
    for instance in (newer, rotating, keyless):
        await instance.dispose()


async def test_young_events_are_not_archived(log: OldLog, clock: FixedClock) -> None:
    with pytest.raises(Invalid, match="last 30 days"):
        await log.archive(clock.now - timedelta(days=29))


async def test_webhooks_keep_the_events_that_they_have_not_got(log: OldLog) -> None:
    async with log.database.write() as session:
        created = await webhooks.create(session, ANONYMOUS, WebhookRequest("https://example.com/hook"))
    row = created.webhook
    hooks, deliveries = table(Webhook), table(WebhookDelivery)

    async def change(statement: sa.Executable) -> None:
        async with log.database.write() as session:
            await session.execute(statement)

    await change(hooks.update().values(position=4, is_active=False))
    plan = await log.archive()
    assert plan.count == 4
    assert plan.held_by is not None
    assert "is paused" in plan.held_by
    await change(hooks.update().values(is_active=True))
    await create_deliveries(log.database)
    plan = await log.archive()
    assert (plan.count, plan.held_by and "is pending" in plan.held_by) == (0, True)
    await change(deliveries.update().where(deliveries.c.sequence <= 6).values(status="DELIVERED"))
    assert (await log.archive()).count == 2
    delivered = next(item for item in await log.world.rows(WebhookDelivery) if item.sequence == 5)
    with pytest.raises(Conflict, match="is archived"):
        async with log.database.write() as session:
            await webhooks.redeliver(session, ANONYMOUS, delivered.id)
    async with log.database.write() as session:
        await webhooks.delete(session, ANONYMOUS, row.id)
    assert (await log.archive()).count == log.old - 6


async def test_a_proposal_of_an_earlier_version_keeps_the_teams_that_it_informed(log: OldLog) -> None:
    rows = table(Proposal)
    before = (await log.world.proposal(log.proposal.id)).informed_team_ids
    assert before is not None
    assert len(before) == 1
    async with log.database.write() as session:
        await session.execute(rows.update().values(informed_team_ids=None))
    async with log.database.read() as session:
        informed = await proposals.load_informed_teams(session, [log.proposal.id])
    assert informed == [[UUID(before[0])]]
    await log.archive()
    async with log.database.read() as session:
        assert await proposals.load_informed_teams(session, [log.proposal.id]) == informed
    assert (await log.world.proposal(log.proposal.id)).informed_team_ids == before


async def test_writers_go_on_while_events_are_archived(log: OldLog, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_archive, "BATCH_EVENTS", 2)
    names = [f"team-{number}" for number in range(20)]

    async def write() -> None:
        for name in names:
            await log.world.team(name)

    await asyncio.gather(log.archive(), write(), write_other(log))
    sequences = await log.sequences()
    assert sequences == [*range(log.old + 1, sequences[-1] + 1)]
    assert len(sequences) == 2 + len(names) + 10
    await audit.verify_log(log.database)
    event_archive.verify_archives(log.folder, await log.anchors())


async def write_other(log: OldLog) -> None:
    for number in range(10):
        await log.world.team(f"other-{number}")


async def test_of_two_archives_at_once_both_end_and_nothing_is_lost(log: OldLog) -> None:
    every = await log.sequences()
    results = await asyncio.gather(log.archive(), log.archive(), return_exceptions=True)
    assert all(isinstance(result, log_archive.ArchivePlan | Refusal) for result in results), results
    await log.archive()
    assert (log.archived(), await log.sequences()) == (every[: log.old], every[log.old :])
    await audit.verify_log(log.database)


async def test_a_subscriber_with_an_archived_cursor_is_refused_with_the_place_to_start_anew(log: OldLog) -> None:
    await log.archive()
    async with EventRelay(log.database) as relay:
        for cursor in (0, 3, log.old - 1):
            async with relay.subscribe(cursor) as stream:
                with pytest.raises(CursorExpired) as expired:
                    await anext(stream)
                assert expired.value.cursor == encode_cursor(log.old)
        async with relay.subscribe(log.old) as stream:
            assert [(await anext(stream)).sequence for _ in range(2)] == [log.old + 1, log.old + 2]


async def test_a_webhook_whose_events_are_archived_goes_on_after_them_with_a_warning(
    log: OldLog, caplog: pytest.LogCaptureFixture
) -> None:
    await log.archive()
    async with log.database.write() as session:
        await webhooks.sync_settings_webhook(session, "https://example.com/hook")
        await session.execute(table(Webhook).update().values(position=2))
    await create_deliveries(log.database)
    assert f"The events 3 to {log.old} are archived" in caplog.text
    assert [row.sequence for row in await log.world.rows(WebhookDelivery)] == [log.old + 1, log.old + 2]


async def test_servers_verify_new_events_after_an_archive(log: OldLog) -> None:
    await log.archive()
    await execute(log, "DELETE FROM workflow.log_verifications")
    await verify_new_events(log.database)
    async with log.database.read() as session:
        state = await log_verifications.load(session)
    assert state is not None
    assert (state.sequence, state.broken_at) == (log.old + 2, None)
