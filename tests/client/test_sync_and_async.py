"""The sync and the async client against a live server, including a subscription over a restart."""

import asyncio
import uuid
from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tessera_gql.client import (
    AcknowledgmentResponse,
    BadRequest,
    Conflict,
    Forbidden,
    Invalid,
    NotFound,
    ProposalStatus,
    PublishOutcome,
    Stale,
    Unauthenticated,
    Unavailable,
)
from tessera_gql.client.websocket_exchange import CURRENT_CURSOR
from tests.client.conftest import Open
from tests.e2e.server import Running, serving

pytestmark = pytest.mark.long

DATA = Path(__file__).resolve().parents[2] / "../shared/data/dbt_manifests"
KEY = "a-key-of-an-administrator-for-tests"
NEXT_MONTH = datetime.now(UTC) + timedelta(days=30)


def table(**columns: str) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {name: {"type": kind} for name, kind in columns.items()},
        "required": [*columns],
    }


def fresh(prefix: str) -> str:
    return f"{prefix}-{uuid.uuid4().hex[:8]}"


def fresh_fqn() -> str:
    return f"sdk.t_{uuid.uuid4().hex[:8]}.orders"


V1 = table(id="integer", total="number", coupon="string")
V2 = table(id="integer", total="number")


async def test_a_project_is_created_changed_and_found(tessera: Any) -> None:
    first, second = await tessera.create_team(fresh("first")), await tessera.create_team(fresh("second"))
    name = fresh("warehouse")
    project = await tessera.create_project(name, owners=[first, second.name], schemas=["Prod.Marts"])
    assert ([owner.id for owner in project.owners], project.schemas) == ([first.id, second.id], ("prod.marts",))
    changed = await tessera.update_project(project, owners=[second], schemas=[], expected_row_version=1)
    assert (changed.owners[0].name, changed.schemas, changed.row_version) == (second.name, (), 2)
    assert await tessera.get_project(name.upper()) == await tessera.find_project(project.id) == changed
    assert [item async for item in tessera.projects(name_contains=name)] == [changed]
    assert await tessera.find_project("no such project") is None
    with pytest.raises(NotFound, match="There is no project 'no such project'"):
        await tessera.get_project("no such project")
    with pytest.raises(Stale):
        await tessera.update_project(name, name="x", expected_row_version=1)


async def proposed(tessera: Any) -> tuple[Any, Any, Any]:
    """An owner, a reader of `coupon`, and the proposal to drop it."""
    owner, reader = await tessera.create_team(fresh("owner")), await tessera.create_team(fresh("reader"))
    asset = await tessera.create_asset(fqn=fresh_fqn(), owner_team_id=owner.id)
    await tessera.publish_contract(asset_id=asset.id, schema_def=V1, published_by=owner.id)
    await tessera.register(asset, team=reader, fields=["coupon"], purpose="campaigns")
    result = await tessera.publish_contract(fqn=asset.fqn, schema_def=V2, published_by=owner, reason="It moves.")
    assert result.outcome is PublishOutcome.PROPOSED
    return owner, reader, result.proposal


async def test_the_calls_of_the_readme_work(tessera: Any) -> None:
    asked_team = await tessera.create_team(fresh("data-platform"))
    asset = await tessera.create_asset(fqn=fresh_fqn(), owner_team_id=asked_team.id, description="All orders.")
    assert (asset.owner.name, asset.current_contract) == (asked_team.name, None)
    first = await tessera.publish_contract(asset_id=asset.id, schema_def=V1, published_by=asked_team.id)
    assert (first.outcome, first.contract.version) == (PublishOutcome.PUBLISHED, "1.0.0")
    assert first.contract.schema_def == V1
    assert first.contract.published_by.name == asked_team.name
    again = await tessera.publish_contract(fqn=asset.fqn, schema_def=V1, published_by=asked_team.name)
    assert again.outcome is PublishOutcome.UNCHANGED
    assert (await tessera.get_asset(asset.fqn)).current_contract.version == "1.0.0"
    assert (await tessera.get_contract(first.contract.id)).asset.fqn == asset.fqn


async def test_a_breaking_change_waits_for_its_acknowledgment_and_is_published(tessera: Any) -> None:
    owner, reader, proposal = await proposed(tessera)
    assert [asked_team.name for asked_team in proposal.awaiting] == [reader.name]
    (question,) = [request async for request in tessera.inbox(reader.name)]
    assert question.proposal.id == proposal.id
    assert question.reasons[0].path == "coupon"
    deadline = datetime.now(UTC).replace(microsecond=0) + timedelta(days=60)
    result = await tessera.acknowledge(
        proposal.id, AcknowledgmentResponse.MIGRATING, team=reader, migration_deadline=deadline, notes="by new year"
    )
    assert result.proposal.status is ProposalStatus.PENDING
    assert result.acknowledgment.migration_deadline == deadline
    result = await tessera.acknowledge(proposal.id, AcknowledgmentResponse.APPROVED, team=reader)
    assert result.proposal.status is ProposalStatus.APPROVED
    contract = await tessera.publish_proposal(proposal.id, published_by=owner)
    assert contract.version == "2.0.0"
    current = await tessera.get_proposal(proposal.id)
    assert (current.status, current.acknowledgments[0].team.name) == (ProposalStatus.PUBLISHED, reader.name)
    assert [request async for request in tessera.inbox(reader)] == []


async def test_impact_and_diff_write_nothing_and_name_the_asked_teams(tessera: Any) -> None:
    _, reader, proposal = await proposed(tessera)
    impact = await tessera.impact(table(id="string"), asset=proposal.asset.fqn)
    assert impact.outcome is PublishOutcome.PROPOSED
    assert [asked_team.team.name for asked_team in impact.asked] == [reader.name]
    diff = await tessera.diff(V1, V2)
    assert [change.path for change in diff.breaking] == ["coupon"]


async def test_each_refusal_has_its_own_exception_class(tessera: Any, connect: Open, server: Running) -> None:
    owner, reader, proposal = await proposed(tessera)
    with pytest.raises(NotFound, match="There is no team 'nobody at all'"):
        await tessera.get_team("nobody at all")
    assert await tessera.find_team("nobody at all") is None
    with pytest.raises(NotFound):
        await tessera.register("no.such.table", team=reader)
    with pytest.raises(Invalid) as invalid:
        await tessera.register(proposal.asset, team=owner, fields=["copuon"])
    assert invalid.value.field == ("input", "fields")
    with pytest.raises(Conflict):
        await tessera.create_team(owner.name)
    with pytest.raises(Forbidden):
        await tessera.acknowledge(proposal.id, AcknowledgmentResponse.APPROVED, team=owner)
    with pytest.raises(Stale):
        await tessera.update_asset(proposal.asset, description="x", expected_row_version=99)
    with pytest.raises(ValueError, match="asset_id"):
        await tessera.publish_contract(schema_def=V1)
    wrong = await connect(f"{server.url}/nowhere")
    with pytest.raises(BadRequest, match="Check the address"):
        await wrong.viewer()


async def test_an_unreachable_server_is_unavailable_after_the_retries(connect: Open) -> None:
    client = await connect("http://127.0.0.1:9", retry_seconds=0.5, timeout=2)
    with pytest.raises(Unavailable, match="can't be reached"):
        await client.create_team("a")
    with pytest.raises(Unavailable, match="can't be reached"):
        async with aclosing(aiter(client.subscribe(after="x"))) as listening:
            await anext(listening)


async def test_an_invalid_address_or_key_is_refused_at_once(connect: Open) -> None:
    with pytest.raises(BadRequest, match="is not the address of a server"):
        await connect("localhost:8000")
    with pytest.raises(Unauthenticated, match="Copy it again"):
        await connect("http://localhost", api_key="a key")


async def test_an_unknown_key_is_unauthenticated_over_both_transports(connect: Open, tmp_path: Path) -> None:
    with serving(tmp_path, ADMIN_KEY=KEY) as server:
        assert (await (await connect(server.url, api_key=KEY)).viewer()).scopes == ("READ", "WRITE", "ADMIN")
        for client in (await connect(server.url), await connect(server.url, api_key="wrong")):
            with pytest.raises(Unauthenticated):
                await client.viewer()
            with pytest.raises(Unauthenticated):
                async with aclosing(aiter(client.subscribe(after="x"))) as listening:
                    await anext(listening)


async def test_a_list_is_iterated_over_all_its_pages(tessera: Any) -> None:
    prefix = fresh("page")
    names = [f"{prefix}-{number:03}" for number in range(60)]
    for name in names:
        await tessera.create_team(name)
    assert sorted([asked_team.name async for asked_team in tessera.teams(name_contains=prefix)]) == names


async def test_registrations_change_and_end(tessera: Any) -> None:
    _, reader, proposal = await proposed(tessera)
    (registration,) = [registration async for registration in tessera.registrations(consumer_team_id=reader.id)]
    changed = await tessera.update_registration(registration.id, fields=None, purpose=None)
    assert (changed.fields, changed.purpose) == (None, None)
    ended = await tessera.unregister(registration.id)
    assert ended.status == "INACTIVE"
    assert (await tessera.get_proposal(proposal.id)).status is ProposalStatus.APPROVED


async def test_lineage_is_read_and_a_proposal_is_withdrawn(tessera: Any) -> None:
    owner, _, proposal = await proposed(tessera)
    report = await tessera.create_asset(fqn=fresh_fqn(), owner=owner, resource_type="VIEW")
    edge = await tessera.add_dependency(report, proposal.asset)
    assert edge.dependency.fqn == proposal.asset.fqn
    assert (await tessera.withdraw_proposal(proposal.id)).status is ProposalStatus.WITHDRAWN


async def test_a_subscription_starts_with_events_after_the_call(tessera: Any) -> None:
    owner, reader, _ = await proposed(tessera)
    async with aclosing(aiter(tessera.subscribe(team_id=reader.id))) as listening:
        first = asyncio.ensure_future(anext(listening))
        await asyncio.sleep(0.5)
        asset = await tessera.create_asset(fqn=fresh_fqn(), owner=owner)
        await tessera.register(asset, team=reader)
        event = await asyncio.wait_for(first, 20)
    assert (event.kind, event.asset.fqn) == ("REGISTRATION_CREATED", asset.fqn)


async def test_a_waiting_subscription_has_a_cursor_even_in_an_empty_log(connect: Open, tmp_path: Path) -> None:
    with serving(tmp_path) as server:
        client = await connect(server.url)
        beginning = await client.run(CURRENT_CURSOR)
        await client.create_team("first")
        async with aclosing(aiter(client.subscribe(after=beginning))) as listening:
            assert (await anext(listening)).payload["name"] == "first"


async def test_acknowledgment_requests_and_status_changes_can_be_subscribed_to(tessera: Any) -> None:
    _, reader, proposal = await proposed(tessera)
    start, *_ = [event.cursor async for event in tessera.events(kinds=["TEAM_CREATED"])]
    async with aclosing(aiter(tessera.acknowledgment_requests(reader, after=start))) as listening:
        asked = await anext(listening)
    assert (asked.team.name, asked.proposal.id) == (reader.name, proposal.id)
    await tessera.acknowledge(proposal.id, AcknowledgmentResponse.BLOCKED, team=reader, notes="no")
    async with aclosing(aiter(tessera.status_changes(proposal_id=proposal.id, after=start))) as listening:
        statuses = [(await anext(listening)).after]
    assert statuses == [ProposalStatus.REJECTED]


async def test_a_subscription_survives_a_restart_without_loss_or_duplicate(connect: Open, tmp_path: Path) -> None:
    reasons: list[str] = []
    received: list[str] = []
    with serving(tmp_path) as server:
        port = server.url.rpartition(":")[2]
        client = await connect(server.url, on_disconnect=reasons.append)
        enough = asyncio.Event()

        async def listen() -> None:
            async with aclosing(aiter(client.subscribe(kinds=["TEAM_CREATED"]))) as events:
                async for event in events:
                    received.append(event.payload["name"])
                    if len(received) == 6:
                        enough.set()
                        return

        listening = asyncio.create_task(listen())
        await asyncio.sleep(2)
        for number in range(3):
            await client.create_team(f"first-{number}")
    with serving(tmp_path, API_PORT=port):
        for number in range(3):
            await client.create_team(f"second-{number}")
        await asyncio.wait_for(enough.wait(), 30)
        await listening
    assert received == [f"{item}-{number}" for item in ("first", "second") for number in range(3)]
    assert reasons
    assert "restarts" in reasons[0]


@pytest.mark.skipif(not DATA.exists(), reason="the shared manifests are not here")
async def test_a_manifest_of_megabytes_syncs_and_repeating_it_changes_nothing(tessera: Any) -> None:
    asked_team = await tessera.create_team(fresh("dbt"))
    file = DATA / "netsuite_before.json"
    plan = await tessera.sync_dbt(file, owner=asked_team, dry_run=True)
    assert {model.outcome for model in plan.models} <= {"CREATED", "SKIPPED", "UNCHANGED"}
    await tessera.sync_dbt(file.read_bytes(), owner=asked_team.name)
    again = await tessera.sync_dbt(file, owner=asked_team)
    assert {model.outcome for model in again.models} <= {"UNCHANGED", "SKIPPED"}
    assert len(again.models) > 20
    impact = await tessera.dbt_impact(DATA / "netsuite_after.json")
    changes = [change for model in impact.models for change in model.changes]
    assert [change.kind for change in changes] == ["PROPERTY_ADDED"] * 20
    assert all(model.is_safe for model in impact.models)


async def test_a_truncated_manifest_is_refused_before_it_is_sent(connect: Open) -> None:
    client = await connect("http://127.0.0.1:9")
    with pytest.raises(Invalid, match="Was it cut off"):
        await client.sync_dbt(b'{"metadata": {')
    with pytest.raises(Invalid, match="no JSON object"):
        await client.sync_dbt(b"[]")
