"""The mixed load of the soak test: a little of everything that clients do.

Each activity is a coroutine that carries out one turn. Texts, schemas, patterns, names and keys never repeat, except in
retries, because only new keys make an unbounded cache grow.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from typing import Any, TypeAlias
from urllib.parse import urlsplit

import httpx
import orjson
import websockets

from bench._graph import COLUMNS, IMPACT, TYPES
from bench.bulk import build_manifest

ADMIN_KEY = "an-administrators-key-for-this-bench"
STREAM_SECONDS = 2.0
"""Duration of a subscription."""
LARGE_UPLOAD, SMALL_UPLOAD = 600, 20
"""Numbers of tables of a manifest; the large one is over a megabyte and goes to an upload worker."""

Json: TypeAlias = dict[str, Any]

DIFF = """query($old: JSON!, $new: JSON!) { diffSchemas(old: $old, new: $new, mode: FULL) {
  bump changes { kind path message counterexample } } }"""
FIELDS = """query($by: AssetRef!) {
  asset(by: $by) { fqn fields(first: 100) { nodes { path type nullable required readerCount } } } }"""
SEARCH = """query($text: String!) { search(text: $text, first: 10) { totalCount
  nodes { __typename ... on Asset { fqn } ... on Team { name } } } }"""
CREATE = """mutation($team: CreateTeamInput!, $asset: CreateAssetInput!) {
  createTeam(input: $team) { errors { message } } createAsset(input: $asset) { errors { message } } }"""
REGISTER = "mutation($input: RegisterInput!) { register(input: $input) { errors { message } } }"
PUBLISH = """mutation($input: PublishContractInput!) { publishContract(input: $input) {
  outcome contract { version } proposal { id } errors { message } } }"""
WITHDRAW = "mutation($input: WithdrawProposalInput!) { withdrawProposal(input: $input) { errors { message } } }"
CREATE_KEY = """mutation($input: CreateApiKeyInput!) { createApiKey(input: $input) {
  token apiKey { id } errors { message } } }"""
REVOKE_KEY = "mutation($input: RevokeApiKeyInput!) { revokeApiKey(input: $input) { errors { message } } }"
CREATE_WEBHOOK = """mutation($input: CreateWebhookInput!) { createWebhook(input: $input) {
  webhook { id } errors { message } } }"""
DELETE_WEBHOOK = "mutation($input: DeleteWebhookInput!) { deleteWebhook(input: $input) { errors { message } } }"
SYNC = """mutation($input: SyncDbtManifestInput!) { syncDbtManifest(input: $input) {
  report { models { outcome } } errors { message } } }"""

COLUMN_SETS: Mapping[str, Sequence[str]] = {
    "assets": ("id", "fqn", "description", "resourceType", "compatibilityMode", "metadata", "createdAt", "rowVersion"),
    "contracts": ("id", "version", "status", "changeType", "schemaHash", "publishedAt", "metadata", "guarantees"),
    "registrations": ("id", "status", "fields", "purpose", "pinnedVersion", "registeredAt", "rowVersion", "evidence"),
    "teams": ("id", "name", "metadata", "createdAt", "rowVersion"),
    "proposals": ("id", "status", "reason", "proposedVersion", "proposedAt", "expiresAt", "isOpen", "rowVersion"),
}
ORDERS = {"assets": ("FQN", "CREATED_AT"), "teams": ("NAME", "CREATED_AT")}
BAD_REQUESTS = (
    b"{",
    b'{"query": "{ assets { nodes { id } }"}',
    b'{"query": "{ nothing%d }"}',
    b'{"query": "query($id: ID!) { node(id: $id) { id } }", "variables": {"id": "%d"}}',
    b'{"query": "{ assets(first: 1000) { nodes { id n%d: fqn } } }"}',
    b'{"query": "{ assets(after: \\"%d\\") { nodes { id } } }"}',
)


@dataclass
class Api:
    """A client of one server that records latencies and errors."""

    url: str
    fqns: Sequence[str]
    receiver_url: str
    waits: list[float] = field(default_factory=list[float])
    faults: list[str] = field(default_factory=list[str])
    requests: Counter[str] = field(default_factory=Counter[str])
    chance: random.Random = field(default_factory=lambda: random.Random(5))
    numbers: count[int] = field(default_factory=count)

    def __post_init__(self) -> None:
        self.http = httpx.AsyncClient(
            trust_env=False,
            timeout=60,
            headers={"Authorization": f"Bearer {ADMIN_KEY}"},
            limits=httpx.Limits(max_keepalive_connections=20),
        )
        self.manifests = {size: orjson.dumps(build_manifest(size)) for size in (LARGE_UPLOAD, SMALL_UPLOAD)}

    async def call(self, activity: str, query: str, variables: Json | None = None, key: str = ADMIN_KEY) -> Json:
        """Return the data of a response, and record its errors."""
        body = {"query": query, "variables": variables or {}}
        reply = await self.post(activity, orjson.dumps(body), {"Authorization": f"Bearer {key}"})
        data: Json = reply.get("data") or {}
        payloads = [part for part in data.values() if isinstance(part, dict)]
        errors = [*reply.get("errors", ()), *(error for part in payloads for error in part.get("errors", ()))]
        self.faults += [f"{activity}: {error}"[:300] for error in errors]
        return data

    async def post(self, activity: str, body: bytes, headers: Mapping[str, str] | None = None) -> Json:
        started = time.perf_counter()
        self.requests[activity] += 1
        all_headers = {"Content-Type": "application/json", **(headers or {})}
        try:
            response = await self.http.post(self.url, content=body, headers=all_headers)
            reply: Json = response.json()
        except (httpx.HTTPError, ValueError) as error:
            self.faults.append(f"{activity}: {error!r}")
            return {}
        self.waits.append((time.perf_counter() - started) * 1000)
        return reply

    def count(self) -> int:
        """Return the number of requests so far."""
        return sum(self.requests.values())

    def an_fqn(self) -> str:
        return self.chance.choice(self.fqns)


def schema(number: int, chance: random.Random) -> Json:
    """Return the schema of a table with unique patterns, limits and descriptions."""
    columns: Json = {f"column_{index:02d}": {"type": TYPES[index % 4]} for index in range(COLUMNS)}
    columns["column_00"] |= {"pattern": f"^[a-z]{{{number % 7 + 1},}}-{number}[0-9]*$", "maxLength": 40 + number % 9}
    columns["column_04"] |= {"enum": [f"value_{number}_{index}" for index in range(chance.randint(1, 20))]}
    columns["column_08"] |= {"description": f"What number {number} means. " * chance.randint(1, 40)}
    return {"type": "object", "properties": columns, "required": ["column_00"]}


async def read_page(api: Api) -> None:
    """Read a page of the catalog as a UI does, and the next page."""
    query = """query($after: String) { assets(first: 50, after: $after) { nodes {
      fqn owner { name } currentContract { version registrations(first: 10) { nodes { consumerTeam { name } status } } }
      openProposal { id } } pageInfo { endCursor } } }"""
    data = await api.call("read", query)
    await api.call("read", query, {"after": data.get("assets", {}).get("pageInfo", {}).get("endCursor")})


async def read_new_text(api: Api) -> None:
    """Send a query with a new combination of columns, order and alias."""
    chance, number = api.chance, next(api.numbers)
    noun = chance.choice([*COLUMN_SETS])
    columns = " ".join(chance.sample(COLUMN_SETS[noun], chance.randint(1, 5)))
    order = f", orderBy: {{field: {chance.choice(ORDERS[noun])}, direction: DESC}}" if noun in ORDERS else ""
    inner = "owner { name }" if noun == "assets" else "asset { fqn id }" if noun not in ORDERS else ""
    await api.call("new text", f"{{ n{number}: {noun}(first: 5{order}) {{ nodes {{ {columns} {inner} }} }} }}")


async def explore(api: Api) -> None:
    """Read what a page about a pull request shows: fields, impact, a comparison, a search."""
    number, by = next(api.numbers), {"fqn": api.an_fqn()}
    await api.call("fields", FIELDS, {"by": by})
    await api.call("impact", IMPACT, {"asset": by, "schema": schema(number, api.chance)})
    await api.call("diff", DIFF, {"old": schema(number, api.chance), "new": schema(number + 1, api.chance)})
    await api.call("search", SEARCH, {"text": f"table_{number % 5000:04d}"})


async def publish(api: Api) -> None:
    """Publish a new table with a consumer: a first, a compatible and a breaking schema, and the retry of each."""
    number = next(api.numbers)
    fqn, team, reader = f"soak.core.table_{number}", f"soak-{number}", {"name": "team-000"}
    await api.call("create", CREATE, {"team": {"name": team}, "asset": {"fqn": fqn, "owner": {"name": team}}})
    first = schema(number, api.chance)
    wider = {**first, "properties": {**first["properties"], f"added_{number}": {"type": "string"}}}
    narrower = {**first, "properties": {**first["properties"], "column_00": {"type": "integer"}}}
    for turn, content in enumerate((first, wider, narrower)):
        variables = {"asset": {"fqn": fqn}, "schema": content, "idempotencyKey": f"{fqn} {turn}"}
        data = await api.call("publish", PUBLISH, {"input": variables})
        await api.call("retry", PUBLISH, {"input": variables})
        if turn == 0:
            await api.call("register", REGISTER, {"input": {"asset": {"fqn": fqn}, "team": reader}})
    if proposal := (data.get("publishContract") or {}).get("proposal"):
        await api.call("withdraw", WITHDRAW, {"input": {"proposal": proposal["id"]}})


async def publish_document(api: Api) -> None:
    """Publish Avro and DDL documents."""
    number = next(api.numbers)
    fqn, team = f"soak.documents.table_{number}", f"soak-{number}"
    await api.call("create", CREATE, {"team": {"name": team}, "asset": {"fqn": fqn, "owner": {"name": team}}})
    fields = [{"name": f"field_{number}_{index}", "type": "string"} for index in range(10)]
    avro = orjson.dumps({"type": "record", "name": f"Table{number}", "fields": fields}).decode()
    columns = ", ".join(f"column_{number}_{index} varchar({index + 10})" for index in range(10))
    texts = {"AVRO": avro, "DDL": f"CREATE TABLE table_{number} (id bigint not null, {columns});"}
    for form, text in texts.items():
        document = {"format": form, "text": text}
        variables = {"asset": {"fqn": fqn}, "document": document, "force": True, "reason": "Soak."}
        await api.call("document", PUBLISH, {"input": variables})


async def upload(api: Api) -> None:
    """Upload a dbt manifest; every fourth is large enough for an upload worker."""
    size = LARGE_UPLOAD if next(api.numbers) % 4 == 0 else SMALL_UPLOAD
    operations = {"query": SYNC, "variables": {"input": {"manifest": None, "createTeams": True, "dryRun": True}}}
    texts = {"operations": orjson.dumps(operations), "map": b'{"0": ["variables.input.manifest"]}'}
    file = {"0": ("manifest.json", api.manifests[size])}
    api.requests["upload"] += 1
    try:
        response = await api.http.post(api.url, data=texts, files=file)
        if response.json().get("errors") or response.json()["data"]["syncDbtManifest"]["errors"]:
            api.faults.append(f"upload: {response.text[:300]}")
    except (httpx.HTTPError, ValueError) as error:
        api.faults.append(f"upload: {error!r}")


async def misuse(api: Api) -> None:
    """Send requests that must be refused."""
    for body in BAD_REQUESTS:
        content = body.replace(b"%d", b"%d" % next(api.numbers))
        reply = await api.post("misuse", content)
        refused = reply.get("errors") or (reply.get("data") or {"": ""}).get("node", "") is None
        if not refused:
            api.faults.append(f"misuse: not refused: {content!r}")
    reply = await api.post("misuse", b"{}", {"Authorization": f"Bearer tsr_{next(api.numbers)}"})
    if not reply.get("errors"):
        api.faults.append("misuse: a key that does not exist was accepted")


async def rotate_key(api: Api) -> None:
    """Create, use and revoke an API key."""
    name = f"soak-{next(api.numbers)}"
    variables = {"name": name, "scopes": ["READ"], "team": {"name": "team-000"}}
    data = await api.call("key", CREATE_KEY, {"input": variables})
    created = data.get("createApiKey") or {}
    if created.get("token"):
        await api.call("key", "{ viewer { actor } }", key=created["token"])
        await api.call("key", REVOKE_KEY, {"input": {"apiKey": created["apiKey"]["id"]}})


async def rotate_webhook(api: Api) -> None:
    """Create a webhook, and delete it after some events."""
    data = await api.call("webhook", CREATE_WEBHOOK, {"input": {"url": api.receiver_url}})
    if webhook := (data.get("createWebhook") or {}).get("webhook"):
        await asyncio.sleep(STREAM_SECONDS)
        await api.call("webhook", DELETE_WEBHOOK, {"input": {"webhook": webhook["id"]}})


async def subscribe(api: Api) -> None:
    """Keep a websocket with three subscriptions open for a while, one of them shared with other clients."""
    url, number = urlsplit(api.url)._replace(scheme="ws").geturl(), next(api.numbers)
    texts = (
        "subscription { events { cursor sequence kind } }",
        f"subscription {{ events {{ n{number}: sequence payload asset {{ fqn }} }} }}",
        f"subscription {{ proposalStatusChanged {{ cursor n{number}: proposal {{ id }} }} }}",
    )
    api.requests["subscribe"] += 1
    protocol = [websockets.Subprotocol("graphql-transport-ws")]
    async with websockets.connect(url, subprotocols=protocol, proxy=None) as socket:
        init = {"type": "connection_init", "payload": {"authorization": f"Bearer {ADMIN_KEY}"}}
        await socket.send(orjson.dumps(init).decode())
        for key, text in enumerate(texts):
            await socket.send(orjson.dumps({"id": str(key), "type": "subscribe", "payload": {"query": text}}).decode())
        ends = time.monotonic() + STREAM_SECONDS
        while (left := ends - time.monotonic()) > 0:
            try:
                async with asyncio.timeout(left):
                    message = await socket.recv()
            except TimeoutError:
                return
            if b'"error"' in (message if isinstance(message, bytes) else message.encode())[:80]:
                api.faults.append(f"subscribe: {message!r}"[:300])


async def stream(api: Api) -> None:
    """Keep a subscription by server-sent events open for a while."""
    body = {"query": f"subscription {{ events {{ n{next(api.numbers)}: kind }} }}"}
    headers = {"Accept": "text/event-stream"}
    api.requests["stream"] += 1
    async with api.http.stream("POST", api.url, json=body, headers=headers) as response:
        try:
            async with asyncio.timeout(STREAM_SECONDS):
                async for line in response.aiter_lines():
                    if '"errors"' in line:
                        api.faults.append(f"stream: {line}"[:300])
        except TimeoutError:
            pass


ACTIVITIES: tuple[tuple[Callable[[Api], Awaitable[None]], float], ...] = (
    (read_page, 0.3),
    (read_new_text, 0.02),
    (explore, 0.4),
    (publish, 0.8),
    (publish_document, 1.5),
    (upload, 4.0),
    (misuse, 0.5),
    (rotate_key, 1.0),
    (rotate_webhook, 3.0),
    (subscribe, 0.5),
    (stream, 0.5),
)
"""The activities with the seconds between two turns."""


async def use(api: Api, seconds: float) -> None:
    """Repeat all activities concurrently."""
    ends = time.monotonic() + seconds

    async def repeat(activity: Callable[[Api], Awaitable[None]], pause_seconds: float) -> None:
        while time.monotonic() < ends:
            try:
                await activity(api)
            except (OSError, websockets.WebSocketException, httpx.HTTPError) as error:
                api.faults.append(f"{activity.__name__}: {error!r}")
            await asyncio.sleep(pause_seconds * api.chance.uniform(0.5, 1.5))

    await asyncio.gather(*(repeat(*activity) for activity in ACTIVITIES))


@asynccontextmanager
async def webhook_receiver() -> AsyncGenerator[str]:
    """Run a webhook receiver that accepts everything, and return its URL."""

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            length = next(int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
            await reader.readexactly(length)
            writer.write(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")
            await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/hook"
