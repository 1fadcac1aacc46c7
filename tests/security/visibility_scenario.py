"""Data of two teams in which every private value holds a canary `canary-OWNER-…`, and every public value `public-…`."""

import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

from joserfc import jwt
from joserfc.jwk import RSAKey

from tessera_gql.components import Components, create_components, create_webhook_renderer
from tessera_gql.config import Executor, Settings
from tessera_gql.graphql.ids import global_id
from tessera_gql.notifications.outbound_http import DeliveryError
from tessera_gql.notifications.webhook_worker import create_deliveries, record_attempt
from tessera_gql.policy.access import ADMIN_SCOPES, ANONYMOUS, Actor, Scope
from tessera_gql.policy.enums import Response
from tessera_gql.policy.visibility import EVENT_AUDIENCES, TYPE_AUDIENCES, Audience
from tessera_gql.policy.webhook_delivery import Backoff
from tessera_gql.server.http import execute
from tessera_gql.store import projects as project_store
from tessera_gql.store.assets import AssetRef
from tessera_gql.store.database import Database
from tessera_gql.store.projects import ProjectRef
from tessera_gql.store.tables import (
    Acknowledgment,
    ApiKey,
    Asset,
    AssetDependency,
    Comment,
    Contract,
    Debt,
    Deprecation,
    EventRow,
    Observation,
    Principal,
    PrincipalRule,
    Project,
    Proposal,
    Registration,
    Team,
    UsageSource,
    Webhook,
    WebhookDelivery,
    new_id,
)
from tessera_gql.store.teams import TeamRef
from tessera_gql.store.usage import UsageSourceRef
from tessera_gql.workflows import comments, keys, proposals, registrations, webhooks
from tessera_gql.workflows.keys import CreatedKey, KeyRequest
from tessera_gql.workflows.proposals import AcknowledgmentInput
from tessera_gql.workflows.registrations import RegistrationDetails
from tessera_gql.workflows.webhooks import WebhookRequest
from tests.formats.manifests import column, manifest
from tests.formats.manifests import table as model
from tests.security.crawler import Ask, Enum
from tests.workflows.usage_logs import import_log, log_of, map_principal, usage_source
from tests.world import World, without

ISSUER, AUDIENCE, ADMIN_KEY = "https://login.example.com/", "tessera", "an administrator's key of the settings"
SIGNING = RSAKey.generate_key(2048, {"kid": "rsa", "use": "sig"})
MANIFEST = manifest(model("orders", column("order_id", "integer")))
NOUNS: dict[str, type[Any]] = {
    "Acknowledgment": Acknowledgment,
    "ApiKey": ApiKey,
    "Asset": Asset,
    "AssetDependency": AssetDependency,
    "Comment": Comment,
    "Contract": Contract,
    "Debt": Debt,
    "Deprecation": Deprecation,
    "Event": EventRow,
    "Observation": Observation,
    "Principal": Principal,
    "PrincipalRule": PrincipalRule,
    "Project": Project,
    "Proposal": Proposal,
    "Registration": Registration,
    "Team": Team,
    "UsageSource": UsageSource,
    "Webhook": Webhook,
    "WebhookDelivery": WebhookDelivery,
}
ROOTS_BY_ID = {
    "contract": "Contract",
    "debt": "Debt",
    "deprecation": "Deprecation",
    "proposal": "Proposal",
    "registration": "Registration",
}
LIMITS = dict.fromkeys(
    [f"limit_{name}" for name in ("cost", "aliases", "directives", "overlaps", "tokens", "errors")], 10**7
) | {"limit_depth": 100}


def parts_of(url: str, folder: Path, executor: Executor = Executor.PLANNED, *, needs_keys: bool = True) -> Components:
    """The application as the settings assemble it, with limits for very large operations."""
    options: dict[str, Any] = {"database_url": url, "executor": executor} | LIMITS
    if needs_keys:
        jwks = folder / "jwks.json"
        jwks.write_text(json.dumps({"keys": [SIGNING.as_dict(private=False)]}))
        options |= {
            "admin_key": ADMIN_KEY,
            "secrets_key": base64.b64encode(bytes(32)).decode(),
            "oidc_issuer": ISSUER,
            "oidc_audience": AUDIENCE,
            "oidc_jwks": str(jwks),
            "rate_limit_cost": "off",
            "rate_limit_mutations": "off",
        }
    return create_components(Settings(**options))


def oidc(database: Database, scope: str, team: str | None, subject: str = "ann@example.com") -> str:
    """A token of the issuer."""
    facts = {"iss": ISSUER, "aud": AUDIENCE, "sub": subject, "scope": f"tessera:{scope}"}
    facts |= {"exp": int(database.clock().timestamp()) + 600} | ({"team": team} if team else {})
    return jwt.encode({"kid": "rsa", "alg": "RS256"}, facts, SIGNING, algorithms=["RS256"])


@dataclass(frozen=True)
class Caller:
    """A kind of caller, and which private objects it must see: all, those of its team, its own key."""

    name: str
    token: str | None = None
    sees_all: bool = False
    team_id: UUID | None = None
    key_id: UUID | None = None
    hook_team: UUID | None = None
    is_hook: bool = False

    def sees(self, owners: Sequence[UUID] | None, identity: UUID) -> bool:
        """Whether it must see an object of these teams; None is public."""
        return owners is None or self.sees_all or self.team_id in owners or identity == self.key_id

    @property
    def forbidden_words(self) -> list[str]:
        """The canaries that no reply to this caller may hold."""
        if self.sees_all:
            return []
        return ["canary-nobody", "canary-theirs", *([] if self.team_id else ["canary-ours"])]


@dataclass
class VisibilityScenario:
    world: World
    ours: Team
    theirs: Team
    callers: list[Caller]

    async def truth(self) -> dict[str, dict[str, bool | Any]]:
        """For each type the ids of all objects, each with its id in the database and its owners (None: public)."""
        holders = {row.id: [row.team_id] if row.team_id else [] for row in await self.world.rows(Webhook)}
        async with self.world.database.read() as session:
            for row in await project_store.list_owners(session, [row.id for row in await self.world.rows(Project)]):
                holders.setdefault(row.project_id, []).append(row.team_id)
        ids: dict[str, dict[str, Any]] = {}
        for name, noun in NOUNS.items():
            rows: list[Any] = await (self.world.events() if noun is EventRow else self.world.rows(noun))
            ids[name] = {global_id(name, row.id): (row.id, owners(name, row, holders)) for row in rows}
        return ids

    async def visible(self, caller: Caller) -> set[tuple[str, str]]:
        truth = await self.truth()
        return {
            (kind, identity)
            for kind, rows in truth.items()
            for identity, (local, owned_by) in rows.items()
            if caller.sees(owned_by, local)
        }


def owners(kind: str, row: Any, holders: dict[UUID, list[UUID]]) -> Sequence[UUID] | None:
    """The owners of a row by the table of visibility. `holders` are the teams of webhooks and projects."""
    if TYPE_AUDIENCES[kind] is Audience.READERS:
        return None
    if isinstance(row, EventRow) or kind == "Event":
        kinds = {event.kind: audience for event, audience in EVENT_AUDIENCES.items()}
        return None if kinds[row.kind] is Audience.READERS else [UUID(team) for team in row.teams]
    if kind == "WebhookDelivery":
        return holders[row.webhook_id]
    if kind == "ApiKey" and row.project_id:
        return holders[row.project_id]
    return [row.team_id] if row.team_id else []


async def build(parts: Components) -> VisibilityScenario:
    world = World(parts.database)
    ours, theirs = await world.team("ours"), await world.team("theirs")
    for team in (ours, theirs, None):
        await _private(world, team)
    for team, other_team in ((ours, theirs), (theirs, ours)):
        await _public(parts, world, team, other_team)
    await _observe(world, theirs)
    await create_deliveries(world.database)
    return VisibilityScenario(world, ours, theirs, await _callers(world, ours))


async def _private(world: World, team: Team | None) -> None:
    """Keys, webhooks and deliveries, and every kind of event about them."""
    name = team.name if team else "nobody"
    ref = TeamRef(id=team.id) if team else None
    await create_key(world, team, f"canary-{name}-key")
    revoked_key = await create_key(world, team, f"canary-{name}-gone")
    async with world.database.write("tester") as session:
        await keys.revoke(session, ANONYMOUS, revoked_key.key.id)
        address = f"https://canary-{name}-host.example.com/canary-{name}-path"
        document = f"query($event: ID!) {{ node(id: $event) {{ id }} }} # canary-{name}-document"
        webhook = (await webhooks.create(session, ANONYMOUS, WebhookRequest(address, ref, document=document))).webhook
        deleted_webhook = await webhooks.create(
            session, ANONYMOUS, WebhookRequest(f"https://canary-{name}-gone.com/", ref)
        )
        await webhooks.delete(session, ANONYMOUS, deleted_webhook.webhook.id)
        await webhooks.update(session, ANONYMOUS, webhook.id, {}, rotate_secret=True)
        delivery = await webhooks.ping(session, ANONYMOUS, webhook.id)
    failed = {"status": 500, "error": f"canary-{name}-error", "milliseconds": 7}
    await record_attempt(world.database, delivery, failed, Backoff(give_up_after_seconds=0))
    async with world.database.write("tester") as session:
        again = await webhooks.redeliver(session, ANONYMOUS, delivery.id)
    await record_attempt(world.database, again, failed, Backoff(give_up_after_seconds=0))


async def _public(parts: Components, world: World, team: Team, other_team: Team) -> None:
    """An asset that the other team reads, with a proposal that waits for it, changed by a key of the team."""
    asset = await world.asset(f"shop.core.{team.name}", team, description=f"public-{team.name}-description")
    source = await world.asset(f"shop.raw.{team.name}", other_team)
    await world.publish(source)
    await world.publish(asset)
    await world.depend(asset, source)
    actor = Actor("tester", team.id, frozenset({Scope.ADMIN}))
    async with world.database.write("tester") as session:
        reading = RegistrationDetails(purpose=f"public-{team.name}-purpose")
        await registrations.register(
            session, actor, AssetRef(id=asset.id), team=TeamRef(id=other_team.id), details=reading
        )
    forced = without("customer_id")
    await world.publish(asset, forced, force=True, reason=f"public-{team.name}-forced", actor=actor)
    change_set = await world.change_set(f"public-{team.name}-change-set")
    outcome = await world.publish(
        asset, without("note", schema=forced), reason=f"public-{team.name}-reason", change_set_id=change_set.id
    )
    assert outcome.proposal is not None
    async with world.database.write("tester") as session:
        acknowledgment = AcknowledgmentInput(Response.BLOCKED, None, f"public-{team.name}-notes")
        await proposals.acknowledge(
            session, ANONYMOUS, outcome.proposal.id, team=TeamRef(id=other_team.id), answer=acknowledgment
        )
        await comments.comment(session, actor, outcome.proposal, f"public-{team.name}-comment")
    project = await world.project(f"public-{team.name}-project", team)
    await create_project_key(world, project, f"canary-{team.name}-project-key")
    key = await create_key(world, team, f"canary-{team.name}-actor", Scope.WRITE)
    asked = {"asset": {"fqn": asset.fqn}, "metadata": {"note": f"public-{team.name}-metadata"}}
    query = "mutation($input: UpdateAssetInput!) { updateAsset(input: $input) { errors { code } } }"
    await send(parts, key.token, query, asked)


async def _observe(world: World, team: Team) -> None:
    """A usage source with a key, and a read by a principal of the team."""
    source = await usage_source(world, "public-source")
    await create_usage_key(world, source, "canary-nobody-usage-key")
    await map_principal(world, "public-*", team)
    await import_log(
        world, log_of(("public-principal", "total", world.database.clock()), asset="shop.core.ours"), source=source.name
    )


async def create_usage_key(world: World, source: UsageSource, name: str) -> CreatedKey:
    async with world.database.write("tester") as session:
        request = KeyRequest(name, (Scope.EVIDENCE,), usage_source=UsageSourceRef(id=source.id))
        return await keys.create(session, ANONYMOUS, request)


async def send(parts: Components, token: str | None, query: str, asked: Any) -> dict[str, Any]:
    identity = await parts.transport.authenticate(f"Bearer {token}" if token else None)
    return await execute(parts.transport, query=query, variables={"input": asked}, identity=identity)


async def create_key(world: World, team: Team | None, name: str, *scopes: Scope) -> CreatedKey:
    async with world.database.write("tester") as session:
        wanted = scopes or ((Scope.READ,) if team else (Scope.ADMIN,))
        return await keys.create(session, ANONYMOUS, KeyRequest(name, wanted, TeamRef(id=team.id) if team else None))


async def create_project_key(world: World, project: Project, name: str) -> CreatedKey:
    async with world.database.write("tester") as session:
        request = KeyRequest(name, (Scope.WRITE,), project=ProjectRef(id=project.id))
        return await keys.create(session, ANONYMOUS, request)


async def _callers(world: World, ours: Team) -> list[Caller]:
    read, write, admin = [await create_key(world, ours, f"caller {scope}", scope) for scope in ADMIN_SCOPES]
    root = await create_key(world, None, "caller of no team")
    project = await create_project_key(world, await world.project("of the caller", ours), "caller of a project")
    (source,) = await world.rows(UsageSource)
    observer = await create_usage_key(world, source, "caller of a source")
    database = world.database
    return [
        Caller("READ key", read.token, key_id=read.key.id),
        Caller("WRITE key", write.token, team_id=ours.id, key_id=write.key.id),
        Caller("project key", project.token, key_id=project.key.id),
        Caller("usage source key", observer.token, key_id=observer.key.id),
        Caller("ADMIN key", admin.token, sees_all=True),
        Caller("ADMIN key of no team", root.token, sees_all=True),
        Caller("ADMIN_KEY", ADMIN_KEY, sees_all=True),
        Caller("OIDC write", oidc(database, "write", "ours"), team_id=ours.id),
        Caller("OIDC write, no team", oidc(database, "write", None)),
        Caller("OIDC read", oidc(database, "read", "ours")),
        Caller("AUTH=off", None, sees_all=True),
        Caller("webhook", team_id=ours.id, hook_team=ours.id, is_hook=True),
        Caller("webhook of no team", sees_all=True, is_hook=True),
    ]


def asking(parts: Components, private: VisibilityScenario, caller: Caller) -> Ask:
    """Execute operations as the caller: with its credential, or as the document of a webhook."""
    rendered = create_webhook_renderer(parts.transport)

    async def through_webhook(query: str) -> dict[str, Any]:
        if "$manifest" in query:  # a webhook's document has no variable but the event
            return {"data": None}
        webhook = Webhook(id=new_id(), team_id=caller.hook_team, document=query)
        try:
            return {"data": await rendered(webhook, (await private.world.events())[0])}
        except DeliveryError as error:
            return {"data": None, "errors": [error.message]}

    async def directly(query: str) -> dict[str, Any]:
        identity = await parts.transport.authenticate(f"Bearer {caller.token}" if caller.token else None)
        return await execute(parts.transport, query=query, variables={"manifest": MANIFEST}, identity=identity)

    return through_webhook if caller.is_hook else directly


def arguments(ids: dict[str, list[str]]) -> dict[str, list[dict[str, Any]]]:
    """Values for the fields with required arguments."""
    names = {"asset": "shop.core.theirs", "team": "theirs"}
    dropped = without("total")
    values: dict[str, list[dict[str, Any]]] = {
        f"Query.{name}": [{"id": identity} for identity in ids[kind]] for name, kind in ROOTS_BY_ID.items()
    }
    return values | {
        "Query.asset": [{"by": {"fqn": names["asset"]}}, {"by": {"id": ids["Asset"][0]}}],
        "Query.changeSet": [{"by": {"key": "public-theirs-change-set"}}],
        "Query.project": [{"by": {"name": "public-theirs-project"}}, {"by": {"id": ids["Project"][0]}}],
        "Query.usageSource": [{"by": {"name": "public-source"}}],
        "Query.team": [{"by": {"name": names["team"]}}, {"by": {"id": ids["Team"][0]}}],
        "Query.search": [{"text": "theirs"}, {"text": "canary"}],
        "Query.searchSuggestions": [{"prefix": prefix, "first": 20} for prefix in ("the", "canary", "canary-theirs")],
        "Query.impact": [{"asset": {"fqn": names["asset"]}, "schema": dropped}],
        "Query.diffSchemas": [{"old": dropped, "new": without("note")}],
        "Query.dbtImpact": [{"manifest": Enum("$manifest")}],
        "Asset.columnLineage": [{"direction": Enum("DOWNSTREAM")}],
        "Asset.contract": [{"version": "1.0.0"}],
        "Asset.unusedFields": [{"since": "2020-01-01T00:00:00Z"}],
        "Contract.diff": [{"to": ids["Contract"][0]}],
    }
