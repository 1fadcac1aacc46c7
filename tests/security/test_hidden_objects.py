"""Hidden objects can't be detected by mutations, subscriptions, filters, cursors, replays or shared streams."""

import asyncio
import itertools
import json
from collections.abc import AsyncGenerator, Iterator
from contextlib import AsyncExitStack, aclosing
from datetime import timedelta
from typing import Any
from uuid import uuid4

from graphql import GraphQLObjectType, GraphQLSchema

from tessera_gql.components import Components
from tessera_gql.graphql.ids import global_id, local_id
from tessera_gql.graphql.schema import schema
from tessera_gql.policy.access import Actor, Scope
from tessera_gql.policy.event_cursors import encode_cursor
from tessera_gql.policy.visibility import Audience, audience_of_field, format_key_actor, redact_actor
from tessera_gql.server.operations import stream_replies
from tessera_gql.store.tables import ApiKey, EventRow, Team
from tessera_gql.workflows import teams
from tests.security.crawler import Crawler, Enum, Findings, filters, literal
from tests.security.visibility_scenario import Caller, VisibilityScenario, arguments, asking, create_key, oidc
from tests.server.loopback_server import served
from tests.server.test_websocket import begin, receive_message, socket, subscribe
from tests.world import without

CORE: GraphQLSchema = schema._schema
ROOTS = {"apiKeys": "ApiKey", "webhooks": "Webhook", "events": "Event"}
HIDDEN = {
    "revokeApiKey": ("apiKey", "ApiKey"),
    "updateWebhook": ("webhook", "Webhook"),
    "testWebhook": ("webhook", "Webhook"),
    "redeliverWebhook": ("delivery", "WebhookDelivery"),
    "deleteWebhook": ("webhook", "Webhook"),
}
"""Mutations of private things: the argument that names one, and its type."""
NUMBERS = itertools.count()
USAGE = "principal,asset,field,read_at\nsvc_reader,shop.core.ours,note,2025-12-01T08:00:00Z\n"


async def ids(private: VisibilityScenario) -> dict[str, list[str]]:
    return {kind: [*rows] for kind, rows in (await private.truth()).items()}


def private_id(known_ids: dict[str, dict[str, Any]], kind: str, team: Team) -> str:
    """The id of a team's oldest object, or a random id if it has none."""
    values = [identity for identity, (_, owners) in known_ids[kind].items() if owners and team.id in owners]
    return values[0] if values else global_id(kind, uuid4())


async def inputs(private: VisibilityScenario, team: Team, other_team: Team) -> dict[str, dict[str, Any]]:
    """The input of every mutation, on objects of the team."""
    known_ids = await private.truth()
    asset, owner, number = {"fqn": f"shop.core.{team.name}"}, {"name": team.name}, next(NUMBERS)
    change_set = {"key": f"repo#{number}"}
    in_two_months = (private.world.database.clock() + timedelta(days=60)).isoformat()
    await private.world.change_set(f"abandoned#{number}")
    await private.world.team(f"idle-{number}")
    idle_asset = {"id": global_id("Asset", (await private.world.asset(f"shop.idle.n{number}", team)).id)}
    idle_team = {"team": {"name": f"idle-{number}"}}
    edge = {"dependent": asset, "dependency": {"fqn": f"shop.raw.{other_team.name}"}}
    own_registrations = [
        row for row in await private.world.registrations(live=False) if row.consumer_team_id == team.id
    ]
    proposal = {"proposal": [*known_ids["Proposal"]][0 if team is private.ours else 1]}
    calls = {field: {argument: private_id(known_ids, kind, team)} for field, (argument, kind) in HIDDEN.items()}
    calls["updateWebhook"] |= {"isActive": True, "rotateSecret": True}
    return {
        "createTeam": {"name": f"new-{number}"},
        "updateTeam": {"team": owner, "metadata": {"a": number}},
        "createProject": {"name": f"new-{number}", "owners": [owner]},
        "updateProject": {"project": {"name": f"public-{team.name}-project"}, "schemas": [f"new.n{number}"]},
        "createAsset": {"fqn": f"shop.new.n{number}", "owner": owner},
        "updateAsset": {"asset": asset, "metadata": {"a": number}},
        "renameAsset": {"asset": idle_asset, "fqn": f"shop.renamed.n{number}"},
        "setAssetTier": {"asset": idle_asset, "tier": Enum("HIGH")},
        "setLabels": {"asset": idle_asset, "labels": ["pii"]},
        "archiveAsset": {"asset": idle_asset},
        "unarchiveAsset": {"asset": idle_asset},
        "archiveTeam": idle_team,
        "unarchiveTeam": idle_team,
        "comment": proposal | {"body": "which currency?", "team": owner},
        "addDependency": edge,
        "removeDependency": edge,
        "syncDbtManifest": {"manifest": Enum("$manifest"), "owner": owner, "dryRun": True},
        "publishContract": {"asset": asset, "schema": without("total"), "supersede": True, "dryRun": True},
        "register": {"asset": asset, "team": {"name": other_team.name}},
        "updateRegistration": {"registration": global_id("Registration", own_registrations[0].id), "purpose": "new"},
        "setAskPolicy": {"tier": Enum("HIGH"), "dueDays": 20 + number},
        "extendProposal": proposal | {"expiresAt": in_two_months},
        "acknowledgeProposal": proposal | {"response": Enum("APPROVED"), "team": {"name": other_team.name}},
        "acknowledgeDebt": {"debt": next(iter(known_ids["Debt"]))},
        "publishProposal": proposal,
        "withdrawProposal": proposal,
        "unregister": {"registration": global_id("Registration", own_registrations[0].id)},
        "retireContract": {"contract": [*known_ids["Contract"]][-1]},
        "proposeRetirement": {
            "asset": {"fqn": f"shop.raw.{other_team.name}"},
            "reason": "moved",
            "requireExplicitPublish": True,
            "changeSet": change_set,
        },
        "acknowledgeChangeSet": {
            "changeSet": change_set,
            "response": Enum("APPROVED"),
            "team": {"name": other_team.name},
        },
        "publishChangeSet": {"changeSet": change_set},
        "withdrawChangeSet": {"changeSet": {"key": f"abandoned#{number}"}},
        "createApiKey": {"name": "new", "team": owner},
        "createWebhook": {"url": "https://hooks.example.com/new", "team": owner},
        "deprecate": {"asset": asset, "sunsetAt": in_two_months, "team": owner},
        "endDeprecation": {"asset": asset, "team": owner},
        "createUsageSource": {"name": f"source-{number}"},
        "importUsage": {"source": {"name": "public-source"}, "document": USAGE},
        "mapPrincipal": {"pattern": f"svc_{number}*", "team": owner},
        "unmapPrincipal": {"pattern": f"svc_{number}*"},
        "registerObservedReader": {"principal": next(iter(known_ids["Principal"])), "team": owner},
        "pushToGit": {},
        "pullFromGit": {"dryRun": True},
    } | calls


async def mutate(crawler: Crawler, field: str, arguments: dict[str, Any]) -> dict[str, Any]:
    """Execute a mutation, record its payload, and return it."""
    assert CORE.mutation_type is not None
    payload = CORE.mutation_type.fields[field].type
    declared = "($manifest: JSON!)" if arguments.get("manifest") else ""
    query = f"mutation{declared} {{ {field}(input: {literal(arguments)}) {crawler.body(payload)} }}"
    reply = await crawler.ask(query)
    crawler.findings.text.append(json.dumps(reply))
    crawler.findings.look(reply.get("data"))
    assert reply.get("data") is not None, reply
    result: dict[str, Any] = reply["data"][field]
    return result


def check(caller: Caller, values: Findings) -> None:
    text = "\n".join(values.text)
    assert [term for term in caller.forbidden_words if term in text] == [], caller.name
    for path, names in values.names.items():
        if audience_of_field(*path.split(".")) is Audience.NAME and not caller.sees_all:
            assert not [name for name in names if "canary" in name], path


async def test_no_payload_of_a_mutation_shows_more_than_its_caller_may_see(
    private: VisibilityScenario, parts: Components
) -> None:
    assert CORE.mutation_type is not None
    accepted = set[str]()
    names = ("READ key", "OIDC write, no team", "project key", "WRITE key", "ADMIN key")
    for caller in (caller for name in names for caller in private.callers if caller.name == name):
        crawler = Crawler(CORE, asking(parts, private, caller), arguments(await ids(private)))
        for team, other_team in ((private.theirs, private.ours), (private.ours, private.theirs)):
            calls = await inputs(private, team, other_team)
            assert calls.keys() == CORE.mutation_type.fields.keys()
            for field, values in calls.items():
                accepted |= {field} if not (await mutate(crawler, field, values))["errors"] else set()
        check(caller, crawler.findings)
    assert CORE.mutation_type.fields.keys() - accepted == {"pushToGit", "pullFromGit"}, "succeeded for no caller"


async def test_a_hidden_object_is_refused_as_a_missing_one(private: VisibilityScenario, parts: Components) -> None:
    known_ids = await private.truth()
    for caller in private.callers:
        if caller.is_hook or caller.sees_all:
            continue
        crawler = Crawler(CORE, asking(parts, private, caller), arguments(await ids(private)))
        for field, (argument, kind) in HIDDEN.items():
            hidden, absent = private_id(known_ids, kind, private.theirs), global_id(kind, uuid4())
            refused = [(await mutate(crawler, field, {argument: item}))["errors"] for item in (hidden, absent)]
            assert refused[0] == refused[1]
            values = [await crawler.send(f"node(id: {literal(item)}) {{ id }}") for item in (hidden, absent)]
            assert values[0] == values[1] == {"data": {"__typename": "Query", "node": None}}


def values(operator: str, kind: str, texts: list[str], known_ids: dict[str, list[str]]) -> Iterator[Any]:
    """Values of a filter that match hidden objects."""
    match kind:
        case "String":
            values: list[Any] = texts
        case "ID":
            values = [*known_ids["Team"], *known_ids["Asset"], *known_ids["Proposal"]]
        case "DateTime":
            values = ["2020-01-01T00:00:00Z", "2100-01-01T00:00:00Z"]
        case _:
            values = [Enum(name) for name in CORE.type_map[kind].values]  # type: ignore[attr-defined] # an enum
    return iter([[value] for value in values] if operator == "in" else values)


async def test_no_filter_returns_or_counts_hidden_objects(private: VisibilityScenario, parts: Components) -> None:
    assert CORE.query_type is not None
    known_ids = await ids(private)
    keys = await private.world.rows(ApiKey)
    texts = [text for row in keys for text in (row.name, row.prefix, format_key_actor(row.name, row.prefix))]
    for caller in private.callers:
        if caller.is_hook or caller.name == "AUTH=off":
            continue
        crawler = Crawler(CORE, asking(parts, private, caller), arguments(known_ids))
        visible = {identity for _, identity in await private.visible(caller)}
        for root in ROOTS:
            asked = [
                f"{{{name}: {{{operator}: {literal(value)}}}}}"
                for name, operator, kind in filters(CORE.query_type.fields[root])
                for value in values(operator, str(kind).strip("[]!"), texts, known_ids)
            ]
            asked += [f"{{or: [{condition}, {{not: {condition}}}]}}" for condition in asked if '"' in condition]
            for start in range(0, len(asked), 40):
                lists = " ".join(
                    f"f{number}: {root}(filter: {condition}, first: 100) {{ totalCount nodes {{ id }} }}"
                    for number, condition in enumerate(asked[start : start + 40])
                )
                for item in ((await crawler.send(lists))["data"] or {}).values():
                    if isinstance(item, dict):
                        node_ids = {node["id"] for node in item["nodes"]}
                        assert node_ids <= visible
                        assert item["totalCount"] == len(node_ids)


async def test_a_filter_by_actor_uses_the_visible_value(private: VisibilityScenario, parts: Components) -> None:
    (acting,) = [row for row in await private.world.rows(ApiKey) if row.name == "canary-theirs-actor"]
    name = format_key_actor(acting.name, acting.prefix)
    for caller in private.callers:
        if caller.is_hook or caller.name == "AUTH=off":
            continue
        ask = asking(parts, private, caller)
        visible_name = name if caller.sees_all else redact_actor(name)
        for condition, expected in (
            ({"eq": name}, caller.sees_all),
            ({"contains": "canary-theirs"}, caller.sees_all),
            ({"in": [visible_name]}, True),
            ({"contains": acting.prefix.upper()}, True),
        ):
            reply = await ask(
                f"{{ events(filter: {{actor: {literal(condition)}}}) {{ totalCount nodes {{ actor }} }} }}"
            )
            assert reply["data"]["events"] == {
                "totalCount": int(expected),
                "nodes": [{"actor": visible_name}] * expected,
            }


async def test_pages_of_one_item_return_all_visible_objects(private: VisibilityScenario, parts: Components) -> None:
    for caller in private.callers:
        if caller.is_hook or caller.name == "AUTH=off":
            continue
        ask = asking(parts, private, caller)
        for root, kind in ROOTS.items():
            for step, position, has_more_field in (
                ("first", "after", "hasNextPage"),
                ("last", "before", "hasPreviousPage"),
            ):
                values, at, has_more = list[str](), "", True
                while has_more:
                    page = "endCursor" if step == "first" else "startCursor"
                    listed = f"{root}({step}: 1{at}) {{ nodes {{ id }} pageInfo {{ {has_more_field} {page} }} }}"
                    reply = (await ask(f"{{ {listed} }}"))["data"][root]
                    if reply is None:  # the root is closed to this caller
                        break
                    values += [node["id"] for node in reply["nodes"]]
                    has_more, at = reply["pageInfo"][has_more_field], f', {position}: "{reply["pageInfo"][page]}"'
                else:
                    lists = {identity for noun, identity in await private.visible(caller) if noun == kind}
                    assert (len(values), {*values}) == (len(lists), lists), caller.name


async def test_an_idempotent_replay_shows_nothing_of_a_team_that_its_caller_has_left(
    private: VisibilityScenario, parts: Components
) -> None:
    """The same subject of the issuer is the same caller to an idempotency key, whatever its team."""
    webhook_id = private_id(await private.truth(), "Webhook", private.theirs)
    calls = {
        "createWebhook": {"url": "https://canary-theirs-new.example.com/", "idempotencyKey": "one"},
        "createApiKey": {"name": "canary-theirs-new", "idempotencyKey": "two"},
        "testWebhook": {"webhook": webhook_id, "idempotencyKey": "three"},
    }
    replies: dict[str, list[dict[str, Any]]] = {}
    for team in ("theirs", "ours"):
        caller = Caller("bob", oidc(parts.database, "write", team, "bob"))
        crawler = Crawler(CORE, asking(parts, private, caller), {})
        replies[team] = [await mutate(crawler, field, arguments) for field, arguments in calls.items()]
    assert [reply["errors"] for reply in replies["theirs"]] == [[], [], []]
    assert "canary-theirs" not in json.dumps(replies["ours"])
    webhook, key, ping = replies["ours"]
    assert [item["errors"][0]["code"] for item in (webhook, key)] == ["CONFLICT", "CONFLICT"]
    assert (webhook["webhook"], webhook["secret"], key["token"], ping["delivery"]) == (None, None, None, None)


def subscriptions(crawler: Crawler) -> dict[str, str]:
    assert isinstance(CORE.subscription_type, GraphQLObjectType)
    return {
        field: f'subscription {{ {field}(after: "{encode_cursor(0)}") {crawler.body(identity.type.of_type)} }}'  # type: ignore[attr-defined]
        for field, identity in CORE.subscription_type.fields.items()
    }


def sequence(message: dict[str, Any]) -> int:
    event = message if message["__typename"] == "Event" else message["event"]
    return int(event["sequence"])


def is_delivered(field: str, event: EventRow) -> bool:
    """Whether a subscription has a message for an event. A change set asks each team in an event of its own."""
    match field:
        case "acknowledgmentRequested":
            is_single = event.kind == "ACKNOWLEDGMENT_REQUESTED" and event.payload.get("change_set_id") is None
            return is_single or event.kind == "CHANGE_SET_ACKNOWLEDGMENT_REQUESTED"
        case "proposalStatusChanged":
            return event.kind == "PROPOSAL_STATUS_CHANGED"
        case _:
            return True


async def test_a_subscription_delivers_exactly_the_events_visible_to_its_caller(
    private: VisibilityScenario, parts: Components
) -> None:
    await private.world.team("the last event")  # every caller sees it, so that each stream has an end
    events = await private.world.events()
    async with parts.event_relay:
        for caller in private.callers:
            if caller.is_hook or caller.name == "AUTH=off":
                continue
            crawler = Crawler(CORE, asking(parts, private, caller), arguments(await ids(private)))
            visible = {local_id(identity, kind) for kind, identity in await private.visible(caller) if kind == "Event"}
            for field, query in subscriptions(crawler).items():
                expected = [row.sequence for row in events if row.id in visible and is_delivered(field, row)]
                assert [item async for item in _sequences(parts, caller, crawler, query, len(expected))] == expected
            check(caller, crawler.findings)


async def _sequences(
    parts: Components, caller: Caller, crawler: Crawler, query: str, count: int
) -> AsyncGenerator[int]:
    identity = await parts.transport.authenticate(f"Bearer {caller.token}")
    replies = stream_replies(parts.transport, parts.transport.document_cache.prepare(query, None), identity)
    async with aclosing(replies), asyncio.timeout(20):
        for _ in range(count):
            reply = (await anext(replies)).reply
            crawler.findings.text.append(json.dumps(reply))
            crawler.findings.look(reply["data"])
            yield sequence(next(iter(reply["data"].values())))


async def test_a_subscription_filtered_by_actor_reveals_no_hidden_actor(
    private: VisibilityScenario, parts: Components
) -> None:
    condition = f'filter: {{actor: {{contains: "canary"}}}}, after: "{encode_cursor(0)}"'
    query = f"subscription {{ events({condition}) {{ actor }} }}"
    async with private.world.database.write("oidc:canary-sentinel") as session:
        await teams.create(session, Actor("x", scopes=frozenset({Scope.ADMIN})), name="sentinel")
    async with parts.event_relay:
        for caller in private.callers[:2]:
            identity = await parts.transport.authenticate(f"Bearer {caller.token}")
            replies = stream_replies(parts.transport, parts.transport.document_cache.prepare(query, None), identity)
            async with aclosing(replies), asyncio.timeout(20):
                assert (await anext(replies)).reply == {"data": {"events": {"actor": "oidc:canary-sentinel"}}}


LIVE = "subscription ($after: String) { events(after: $after) { __typename id kind actor payload } }"


async def test_shared_streams_over_sockets_never_mix_callers_of_different_visibility(
    private: VisibilityScenario, parts: Components
) -> None:
    callers = [caller for caller in private.callers if not caller.is_hook and caller.name != "AUTH=off"]
    second = await create_key(private.world, private.ours, "caller of ours again", Scope.WRITE)
    foreign = await create_key(private.world, private.theirs, "caller of theirs", Scope.WRITE)
    callers += [
        Caller("another WRITE key", second.token, team_id=private.ours.id),
        Caller("WRITE key of theirs", foreign.token, team_id=private.theirs.id),
    ]
    position = encode_cursor((await private.world.events())[-1].sequence)
    async with parts.event_relay, served(parts.transport) as address, AsyncExitStack() as stack:
        sockets = []
        for caller in callers:
            ws = await stack.enter_async_context(socket(address, max_size=None))
            await begin(ws, payload={"Authorization": f"Bearer {caller.token}"})
            await subscribe(ws, "s", LIVE, variables={"after": position})
            sockets.append(ws)
        await private.world.team("the first event")  # after it a subscriber follows live
        for ws in sockets:
            assert (await receive_message(ws))["payload"]["data"]["events"]["kind"] == "TEAM_CREATED"
        while parts.transport.broadcaster.shared_listeners < 3:  # noqa: ASYNC110 - nothing tells when streams are joined
            await asyncio.sleep(0.01)
        before = {row.id for row in await private.world.events()}
        for team in (private.ours, private.theirs, None):
            await create_key(private.world, team, f"canary-{team.name if team else 'nobody'}-live")
        await private.world.team("the last event")
        new = [row for row in await private.world.events() if row.id not in before]
        assert len(new) == 4
        for caller, ws in zip(callers, sockets, strict=True):
            visible = {event_id for kind, event_id in await private.visible(caller) if kind == "Event"}
            expected = [identity for row in new if (identity := global_id("Event", row.id)) in visible]
            received = [(await receive_message(ws))["payload"]["data"]["events"] for _ in expected]
            assert [item["id"] for item in received] == expected, caller.name
            if caller.name != "WRITE key of theirs":
                assert [term for term in caller.forbidden_words if term in json.dumps(received)] == []
