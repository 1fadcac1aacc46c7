"""A column that no team declares: coverage names its reader, a policy waits for that, and quiet lets the change go."""

from datetime import timedelta
from typing import Any

import pytest

from tessera_gql.notifications import deadlines
from tessera_gql.policy.enums import ProposalStatus
from tessera_gql.store.tables import Proposal
from tests.conftest import START, FixedClock
from tests.graphql.conftest import Ask
from tests.workflows.test_usage import DAY, cover
from tests.workflows.usage_logs import import_log, log_of, map_principal, usage_source
from tests.world import ORDERS, World, without

FQN = "analytics.core.orders"
ERRORS = "errors { code message field }"
SET_POLICY = f"""
mutation ($input: SetAskPolicyInput!) {{
  setAskPolicy(input: $input) {{ policy {{ requireCoverageDays }} {ERRORS} }}
}}
"""
PUBLISH = f"""
mutation ($input: PublishContractInput!) {{
  publishContract(input: $input) {{
    outcome proposal {{ id status hold {{ requiredDays missing {{ kind message principal {{ name }} }} text }}
      coverage {{ registered observed unmapped text }} }} {ERRORS}
  }}
}}
"""
COVERAGE = """
query ($asset: AssetRef!, $since: DateTime!) { asset(by: $asset) {
  coverage { registered observed unmapped sources from to gaps { from to } text
    unmappedReaders { lastReadAt principal { name suggestedTeam { team { name } reason } } } }
  unusedFields(since: $since) { nodes { path readerCount lastReadAt } totalCount isComplete coverage { unmapped } }
  fields(filter: {paths: ["note", "total"]}) { nodes { path lastReadAt } }
} }
"""
IMPACT = """
query ($asset: AssetRef!, $schema: JSON!) { impact(asset: $asset, schema: $schema) {
  outcome missingCoverage { kind } coverage { unmapped text }
} }
"""
PROPOSAL = """
query ($id: ID!) { proposal(id: $id) { status hold { missing { kind } } awaiting { name } coverage { unmapped } } }
"""
REGISTER = f"""
mutation ($input: RegisterObservedReaderInput!) {{
  registerObservedReader(input: $input) {{
    principal {{ name team {{ name }} }}
    registrations {{ fields evidence purpose consumerTeam {{ name }} asset {{ fqn }} }} {ERRORS}
  }}
}}
"""
ACKNOWLEDGE = f"""
mutation ($input: AcknowledgeProposalInput!) {{
  acknowledgeProposal(input: $input) {{ proposal {{ status }} {ERRORS} }}
}}
"""
PRINCIPALS = "{ principals { nodes { id name team { name } suggestedTeam { team { name } reason } } } }"
NARROWER = """
{ registrations { nodes { fields suggestedFields { fields reason from to } } } }
"""
EVENTS = "{ events(last: 10) { nodes { kind payload } } }"


async def run(ask: Ask, query: str, **asked: Any) -> dict[str, Any]:
    (payload,) = (await ask(query, input=asked)).values()
    assert payload["errors"] == [], payload
    return payload


async def read_by_nobody_known(world: World, clock: FixedClock) -> None:
    """An asset without registrations whose source has covered 40 days, with a read by a principal without a team."""
    await world.published()
    await world.team("finance")
    await usage_source(world)
    reads = [("svc_finance_daily", "note", START + number * DAY) for number in range(1, 36)]
    await cover(world, clock, 40, *reads)


async def check_coverage(ask: Ask) -> None:
    """The coverage of the asset names the reader without a team, and the fields that nobody reads."""
    reply = (await ask(COVERAGE, asset={"fqn": FQN}, since="2026-01-02T12:00:00Z"))["asset"]
    assert reply["coverage"] == {
        "registered": 0,
        "observed": 0,
        "unmapped": 1,
        "sources": ["snowflake"],
        "from": "2026-01-01T12:00:00Z",
        "to": "2026-02-10T12:00:00Z",
        "gaps": [],
        "text": "no team is registered and none was seen reading; 1 source (snowflake) covers 2026-01-01 to 2026-02-10"
        " without a gap; 1 principal without a team read it (svc_finance_daily)",
        "unmappedReaders": [
            {
                "lastReadAt": "2026-02-05T12:00:00Z",
                "principal": {
                    "name": "svc_finance_daily",
                    "suggestedTeam": {
                        "team": {"name": "finance"},
                        "reason": "the name contains finance, the name of the team",
                    },
                },
            }
        ],
    }
    assert [item["path"] for item in reply["unusedFields"]["nodes"]] == ["order_id", "customer_id", "total"]
    assert (reply["unusedFields"]["totalCount"], reply["unusedFields"]["isComplete"]) == (3, True)
    assert {item["path"]: item["lastReadAt"] for item in reply["fields"]["nodes"]} == {
        "total": None,
        "note": "2026-02-05T12:00:00Z",
    }


async def propose(ask: Ask) -> str:
    """The policy holds the change that drops the column; returns the id of the proposal."""
    impact = (await ask(IMPACT, asset={"fqn": FQN}, schema=without("note")))["impact"]
    assert (impact["outcome"], impact["missingCoverage"]) == ("PROPOSED", [{"kind": "UNMAPPED_PRINCIPAL"}])
    assert impact["coverage"]["unmapped"] == 1
    payload = await run(ask, PUBLISH, asset={"fqn": FQN}, schema=without("note"), publishedBy={"name": "producers"})
    proposal = payload["proposal"]
    assert (payload["outcome"], proposal["status"], proposal["coverage"]["unmapped"]) == ("PROPOSED", "PENDING", 1)
    (missing,) = proposal["hold"]["missing"]
    assert (missing["kind"], missing["principal"]) == ("UNMAPPED_PRINCIPAL", {"name": "svc_finance_daily"})
    assert "svc_finance_daily has no team and read it on 2026-02-05" in proposal["hold"]["text"]
    identity: str = proposal["id"]
    return identity


async def register_reader(ask: Ask, proposal: str) -> None:
    """The reader's team is registered for what it read, and asked."""
    (principal,) = (await ask(PRINCIPALS))["principals"]["nodes"]
    registered = await run(ask, REGISTER, principal=principal["id"])
    assert registered["principal"] == {"name": "svc_finance_daily", "team": {"name": "finance"}}
    assert registered["registrations"] == [
        {
            "fields": ["note"],
            "evidence": "OBSERVED",
            "purpose": "seen reading as svc_finance_daily",
            "consumerTeam": {"name": "finance"},
            "asset": {"fqn": FQN},
        }
    ]
    asked = (await ask(PROPOSAL, id=proposal))["proposal"]
    assert asked == {"status": "PENDING", "hold": None, "awaiting": [{"name": "finance"}], "coverage": {"unmapped": 0}}


async def migrate(ask: Ask, world: World, clock: FixedClock, proposal: str) -> None:
    """The team moves: a gap in the imports proves nothing, quiet over a covered time does."""
    deadline = (clock.now + 90 * DAY).isoformat()
    answer = {"proposal": proposal, "team": {"name": "finance"}, "response": "MIGRATING"}
    await run(ask, ACKNOWLEDGE, **answer, migrationDeadline=deadline)
    clock.advance(days=1)  # the import of this day is missing
    await cover(world, clock, 20)
    await deadlines.apply_due_deadlines(world.database)
    assert (await ask(PROPOSAL, id=proposal))["proposal"]["status"] == "PENDING"
    await import_log(world, log_of(), covers=(clock.now - 22 * DAY, clock.now - 20 * DAY))
    await deadlines.apply_due_deadlines(world.database)
    await deadlines.apply_due_deadlines(world.database)
    released = (await ask(PROPOSAL, id=proposal))["proposal"]
    assert released == {"status": "APPROVED", "hold": None, "awaiting": [], "coverage": {"unmapped": 0}}


async def test_what_nobody_declares_is_asked_about_moved_and_let_go_by_evidence_alone(
    ask: Ask, world: World, clock: FixedClock
) -> None:
    await read_by_nobody_known(world, clock)
    policy = await run(ask, SET_POLICY, tier="NORMAL", requireCoverageDays=30)
    assert policy["policy"] == {"requireCoverageDays": 30}
    await check_coverage(ask)
    proposal = await propose(ask)
    await register_reader(ask, proposal)
    await migrate(ask, world, clock, proposal)
    published = await run(ask, PUBLISH, asset={"fqn": FQN}, schema=without("note"), publishedBy={"name": "producers"})
    assert published["outcome"] == "PUBLISHED"
    kinds = [event["kind"] for event in (await ask(EVENTS))["events"]["nodes"]]
    assert "PROPOSAL_HOLD_ENDED" not in kinds[-6:]
    (row,) = await world.rows(Proposal)
    assert (row.status, row.coverage_proof is not None) == (ProposalStatus.PUBLISHED, True)


async def test_unused_fields_claim_nothing_where_reads_cover_nothing(ask: Ask, world: World) -> None:
    await world.published()
    asset = (await ask(COVERAGE, asset={"fqn": FQN}, since="2025-12-01T00:00:00Z"))["asset"]
    unused = asset["unusedFields"]
    assert (unused["totalCount"], unused["isComplete"]) == (4, False)
    assert asset["coverage"] == {
        "registered": 0,
        "observed": 0,
        "unmapped": 0,
        "sources": [],
        "from": None,
        "to": None,
        "gaps": [],
        "text": "no team is registered and none was seen reading; no usage source covers it",
        "unmappedReaders": [],
    }


async def test_fields_that_a_team_is_registered_for_are_not_unused(ask: Ask, world: World, clock: FixedClock) -> None:
    asset = await world.published()
    await world.register(asset, await world.team("finance"), "total")
    await usage_source(world)
    await cover(world, clock, 30, ("bob", "note", START + timedelta(hours=1)))
    since = START + 2 * timedelta(hours=1)
    unused = (await ask(COVERAGE, asset={"fqn": FQN}, since=since.isoformat()))["asset"]["unusedFields"]
    assert [item["path"] for item in unused["nodes"]] == ["order_id", "customer_id", "note"]
    gap = clock.now
    clock.advance(days=3)
    await import_log(world, log_of(), covers=(gap + DAY, clock.now))
    unused = (await ask(COVERAGE, asset={"fqn": FQN}, since=since.isoformat()))["asset"]["unusedFields"]
    assert unused["isComplete"] is False


async def test_a_time_that_has_not_passed_is_refused(answer: Ask, world: World) -> None:
    await world.published()
    reply = await answer(COVERAGE, asset={"fqn": FQN}, since="2030-01-01T00:00:00Z")
    assert "`since` has not passed yet" in reply["errors"][0]["message"]


@pytest.mark.parametrize(
    ("fields", "days", "suggested"),
    [
        ((), 61, ["note", "total"]),
        (("note", "total", "order_id"), 61, ["note", "total"]),
        (("note", "total"), 61, None),
        ((), 59, None),
    ],
)
async def test_a_registration_is_narrowed_to_what_sixty_covered_days_have_seen(
    ask: Ask, world: World, clock: FixedClock, fields: tuple[str, ...], days: int, suggested: list[str] | None
) -> None:
    asset = await world.published()
    team = await world.team("finance")
    await world.register(asset, team, *fields)
    await usage_source(world)
    await map_principal(world, "svc_*", team)
    reads = [("svc_a", path, START + number * DAY) for path in ("note", "total") for number in range(3, days)]
    await cover(world, clock, days, *reads)
    (row,) = (await ask(NARROWER))["registrations"]["nodes"]
    narrower = row["suggestedFields"]
    assert (narrower and narrower["fields"]) == suggested
    if narrower:
        assert "in 60 covered days seen reading only 2" in narrower["reason"]


async def test_reads_of_the_whole_asset_suggest_nothing(ask: Ask, world: World, clock: FixedClock) -> None:
    asset = await world.published(schema=ORDERS)
    team = await world.team("finance")
    await world.register(asset, team)
    await usage_source(world)
    await map_principal(world, "svc_*", team)
    await cover(world, clock, 70, ("svc_a", "", START + 50 * DAY), ("svc_a", "note", START + 50 * DAY))
    assert (await ask(NARROWER))["registrations"]["nodes"][0]["suggestedFields"] is None
