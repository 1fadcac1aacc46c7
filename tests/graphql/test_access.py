"""The table of rights: every mutation called with every kind of key, on own and on foreign objects.

A new mutation needs a row in `policy/access.py` and a call here.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from graphql import GraphQLField

from tessera_gql.graphql.ids import global_id
from tessera_gql.graphql.schema import schema
from tessera_gql.policy.access import ACTION_SCOPES, ADMIN_SCOPES, ANONYMOUS, Action, Actor, Scope, is_allowed
from tessera_gql.policy.deprecation import DeprecationTerms
from tessera_gql.policy.enums import DependencyType, Response
from tessera_gql.store import contracts, debts, keys
from tessera_gql.store.assets import AssetRef
from tessera_gql.store.database import Database
from tessera_gql.store.tables import ApiKey, Asset, Principal, Project, Proposal, Team, new_id
from tessera_gql.store.teams import TeamRef
from tessera_gql.workflows import archiving, dependencies, deprecations, usage_sources, webhooks
from tessera_gql.workflows.deprecations import DeprecationRequest
from tessera_gql.workflows.webhooks import WebhookRequest
from tests.conftest import START
from tests.formats.manifests import column, manifest, table
from tests.graphql.authenticated_api import AuthenticatedApi, authenticated_api, codes
from tests.world import ORDERS, World, without

ASSET = "shop.core.orders"
SUNSET = START + timedelta(days=90)
HOOK = "https://hooks.example.com/tessera"
DONE = "errors { code message }"


@dataclass
class Scene:
    """The objects of a call, created on demand; they belong to `owner`, or `owner` is asked about them."""

    world: World
    api: AuthenticatedApi
    owner: Team
    outsider: Team
    project: Project

    async def asset(self, fqn: str = ASSET, owner: Team | None = None) -> Asset:
        asset = await self.world.asset(fqn, owner or self.owner)
        await self.world.publish(asset)
        return asset

    async def proposal(self, owner: Team, asked: Team, answer: Response | None = None) -> str:
        asset = await self.asset(owner=owner)
        await self.world.register(asset, asked)
        proposal = (await self.world.publish(asset, without("note"))).proposal
        assert proposal is not None
        if answer:
            await self.world.answer(proposal, asked, answer)
        return global_id("Proposal", proposal.id)

    async def registration(self) -> str:
        asset = await self.asset(owner=self.outsider)
        return global_id("Registration", (await self.world.register(asset, self.owner)).id)

    async def edge(self, *, exists: bool) -> dict[str, Any]:
        await self.asset()
        await self.asset("shop.raw.orders", self.outsider)
        dependent, dependency = AssetRef(fqn=ASSET), AssetRef(fqn="shop.raw.orders")
        if exists:
            async with self.world.database.write() as session:
                kind = DependencyType.CONSUMES
                await dependencies.add(session, ANONYMOUS, dependent=dependent, dependency=dependency, type_=kind)
        return {"dependent": {"fqn": dependent.fqn}, "dependency": {"fqn": dependency.fqn}}

    async def webhook(self) -> str:
        async with self.world.database.write() as session:
            made = await webhooks.create(session, ANONYMOUS, WebhookRequest(HOOK, TeamRef(id=self.owner.id)))
        return global_id("Webhook", made.webhook.id)

    @property
    def owner_ref(self) -> dict[str, str]:
        return {"name": self.owner.name}


async def create_team(_scene: Scene) -> dict[str, Any]:
    return {"name": "new"}


async def update_team(scene: Scene) -> dict[str, Any]:
    return {"team": scene.owner_ref, "metadata": {"seen": True}}


async def create_project(scene: Scene) -> dict[str, Any]:
    return {"name": "new", "owners": [scene.owner_ref]}


async def update_project(scene: Scene) -> dict[str, Any]:
    return {"project": {"name": scene.project.name}, "schemas": ["shop.raw"]}


async def create_asset(scene: Scene) -> dict[str, Any]:
    return {"fqn": ASSET, "owner": scene.owner_ref}


async def update_asset(scene: Scene) -> dict[str, Any]:
    await scene.asset()
    return {"asset": {"fqn": ASSET}, "description": "new"}


async def transfer_asset(scene: Scene) -> dict[str, Any]:
    await scene.asset()
    return {"asset": {"fqn": ASSET}, "owner": {"name": scene.outsider.name}}


async def rename_asset(scene: Scene) -> dict[str, Any]:
    await scene.asset()
    return {"asset": {"fqn": ASSET}, "fqn": "shop.core.sales"}


async def archive_asset(scene: Scene) -> dict[str, Any]:
    await scene.asset()
    return {"asset": {"fqn": ASSET}}


async def unarchive_asset(scene: Scene) -> dict[str, Any]:
    asset = await scene.asset()
    async with scene.world.database.write() as session:
        await archiving.archive_asset(session, ANONYMOUS, AssetRef(id=asset.id))
    return {"asset": {"fqn": ASSET}}


async def set_asset_tier(scene: Scene) -> dict[str, Any]:
    await scene.asset()
    return {"asset": {"fqn": ASSET}, "tier": "HIGH"}


async def set_labels(scene: Scene) -> dict[str, Any]:
    await scene.asset()
    return {"asset": {"fqn": ASSET}, "labels": ["pii"]}


async def archive_team(scene: Scene) -> dict[str, Any]:
    return {"team": {"name": (await scene.world.team("idle")).name}}


async def unarchive_team(scene: Scene) -> dict[str, Any]:
    team = await scene.world.team("idle")
    async with scene.world.database.write() as session:
        await archiving.archive_team(session, ANONYMOUS, TeamRef(id=team.id))
    return {"team": {"name": team.name}}


async def comment(scene: Scene) -> dict[str, Any]:
    proposal = await scene.proposal(scene.outsider, scene.owner)
    return {"proposal": proposal, "body": "which currency?", "team": scene.owner_ref}


async def add_dependency(scene: Scene) -> dict[str, Any]:
    return await scene.edge(exists=False)


async def remove_dependency(scene: Scene) -> dict[str, Any]:
    return await scene.edge(exists=True)


async def publish_contract(scene: Scene) -> dict[str, Any]:
    await scene.world.asset(ASSET, scene.owner)
    return {"asset": {"fqn": ASSET}, "schema": ORDERS}


async def force_contract(scene: Scene) -> dict[str, Any]:
    await scene.asset()
    return {"asset": {"fqn": ASSET}, "schema": without("note"), "force": True, "reason": "it must be"}


async def retire_contract(scene: Scene) -> dict[str, Any]:
    asset = await scene.asset()
    async with scene.world.database.read() as session:
        contract = await contracts.find_active(session, asset.id)
    assert contract is not None
    return {"contract": global_id("Contract", contract.id)}


async def register(scene: Scene) -> dict[str, Any]:
    await scene.asset(owner=scene.outsider)
    consumer_asset = await scene.world.asset("shop.core.revenue", scene.owner)
    return {"asset": {"fqn": ASSET}, "team": scene.owner_ref, "consumerAsset": {"fqn": consumer_asset.fqn}}


async def update_registration(scene: Scene) -> dict[str, Any]:
    return {"registration": await scene.registration(), "purpose": "new"}


async def unregister(scene: Scene) -> dict[str, Any]:
    return {"registration": await scene.registration()}


async def acknowledge_proposal(scene: Scene) -> dict[str, Any]:
    proposal = await scene.proposal(scene.outsider, scene.owner)
    return {"proposal": proposal, "response": "APPROVED", "team": scene.owner_ref}


async def extend_proposal(scene: Scene) -> dict[str, Any]:
    until = scene.world.database.clock() + timedelta(days=60)
    return {"proposal": await scene.proposal(scene.owner, scene.outsider), "expiresAt": until.isoformat()}


async def set_ask_policy(_scene: Scene) -> dict[str, Any]:
    return {"tier": "HIGH", "dueDays": 14}


async def acknowledge_change_set(scene: Scene) -> dict[str, Any]:
    asset = await scene.asset(owner=scene.outsider)
    await scene.world.register(asset, scene.owner)
    change_set = await scene.world.change_set("repo#1")
    await scene.world.publish(asset, without("note"), change_set_id=change_set.id)
    return {"changeSet": {"key": "repo#1"}, "response": "APPROVED", "team": scene.owner_ref}


async def deprecate(scene: Scene) -> dict[str, Any]:
    await scene.asset()
    return {"asset": {"fqn": ASSET}, "fields": ["note"], "sunsetAt": SUNSET.isoformat()}


async def end_deprecation(scene: Scene) -> dict[str, Any]:
    asset = await scene.asset()
    async with scene.world.database.write() as session:
        request = DeprecationRequest(("note",), DeprecationTerms(SUNSET))
        await deprecations.deprecate(session, ANONYMOUS, AssetRef(id=asset.id), request)
    return {"asset": {"fqn": ASSET}, "fields": ["note"]}


async def acknowledge_debt(scene: Scene) -> dict[str, Any]:
    asset = await scene.asset(owner=scene.outsider)
    await scene.world.register(asset, scene.owner)
    await scene.world.publish(asset, without("note"), force=True, reason="it must be")
    async with scene.world.database.read() as session:
        (debt,) = await debts.list_open(session, [asset.id])
    return {"debt": global_id("Debt", debt.id)}


async def withdraw_proposal(scene: Scene) -> dict[str, Any]:
    return {"proposal": await scene.proposal(scene.owner, scene.outsider)}


async def publish_proposal(scene: Scene) -> dict[str, Any]:
    return {"proposal": await scene.proposal(scene.owner, scene.outsider, Response.APPROVED)}


async def propose_retirement(scene: Scene) -> dict[str, Any]:
    await scene.asset()
    return {"asset": {"fqn": ASSET}, "reason": "the source is gone", "team": scene.owner_ref}


async def withdraw_change_set(scene: Scene) -> dict[str, Any]:
    asset = await scene.asset()
    await scene.world.register(asset, scene.outsider)
    change_set = await scene.world.change_set("repo#1")
    proposal = (await scene.world.publish(asset, without("note"), change_set_id=change_set.id)).proposal
    assert proposal is not None
    return {"changeSet": {"key": "repo#1"}}


async def publish_change_set(scene: Scene) -> dict[str, Any]:
    arguments = await withdraw_change_set(scene)
    [proposal] = await scene.world.rows(Proposal)
    await scene.world.answer(proposal, scene.outsider, Response.APPROVED)
    return arguments


async def sync_dbt_manifest(scene: Scene) -> dict[str, Any]:
    orders = table("orders", column("order_id", "integer"), database="shop", schema="core")
    return {"manifest": manifest(orders), "owner": scene.owner_ref}


async def create_api_key(scene: Scene) -> dict[str, Any]:
    return {"name": "next", "team": scene.owner_ref}


async def revoke_api_key(scene: Scene) -> dict[str, Any]:
    return {"apiKey": global_id("ApiKey", (await scene.api.create_key(scene.owner)).key.id)}


async def create_usage_source(_scene: Scene) -> dict[str, Any]:
    return {"name": "bigquery"}


async def map_principal(scene: Scene) -> dict[str, Any]:
    return {"pattern": "svc_*", "team": scene.owner_ref}


async def unmap_principal(scene: Scene) -> dict[str, Any]:
    async with scene.world.database.write() as session:
        team = TeamRef(id=scene.owner.id)
        await usage_sources.map_principal(session, ANONYMOUS, pattern="svc_*", team=team)
    return {"pattern": "svc_*"}


async def register_observed_reader(scene: Scene) -> dict[str, Any]:
    principal = await observed_principal(scene)
    return {"principal": global_id("Principal", principal.id), "team": scene.owner_ref}


async def observed_principal(scene: Scene) -> Principal:
    """A principal of a usage source."""
    async with scene.world.database.write() as session:
        source = await usage_sources.create_source(session, ANONYMOUS, name="bigquery")
        principal = Principal(
            id=new_id(), source_id=source.id, name="bob", name_key="bob", team_id=None, created_at=session.now
        )
        await session.insert(principal, conflict_message="It exists.")
    return principal


async def import_usage(_scene: Scene) -> dict[str, Any]:
    return {"source": {"name": "snowflake"}, "document": "principal,asset,field,read_at\n"}


async def create_webhook(scene: Scene) -> dict[str, Any]:
    return {"url": HOOK, "team": scene.owner_ref}


async def update_webhook(scene: Scene) -> dict[str, Any]:
    return {"webhook": await scene.webhook(), "isActive": False}


async def delete_webhook(scene: Scene) -> dict[str, Any]:
    return {"webhook": await scene.webhook()}


async def ping_webhook(scene: Scene) -> dict[str, Any]:
    return {"webhook": await scene.webhook()}


async def redeliver_webhook(scene: Scene) -> dict[str, Any]:
    async with scene.world.database.write() as session:
        webhook = await webhooks.create(session, ANONYMOUS, WebhookRequest(HOOK, TeamRef(id=scene.owner.id)))
        delivery = await webhooks.ping(session, ANONYMOUS, webhook.webhook.id)
    return {"delivery": global_id("WebhookDelivery", delivery.id)}


CALLS: dict[Action, Callable[[Scene], Any]] = {
    Action.CREATE_TEAM: create_team,
    Action.UPDATE_TEAM: update_team,
    Action.CREATE_PROJECT: create_project,
    Action.UPDATE_PROJECT: update_project,
    Action.CREATE_ASSET: create_asset,
    Action.UPDATE_ASSET: update_asset,
    Action.TRANSFER_ASSET: transfer_asset,
    Action.RENAME_ASSET: rename_asset,
    Action.ARCHIVE_ASSET: archive_asset,
    Action.UNARCHIVE_ASSET: unarchive_asset,
    Action.SET_ASSET_TIER: set_asset_tier,
    Action.SET_LABELS: set_labels,
    Action.ARCHIVE_TEAM: archive_team,
    Action.UNARCHIVE_TEAM: unarchive_team,
    Action.COMMENT: comment,
    Action.ADD_DEPENDENCY: add_dependency,
    Action.REMOVE_DEPENDENCY: remove_dependency,
    Action.PUBLISH_CONTRACT: publish_contract,
    Action.FORCE_CONTRACT: force_contract,
    Action.RETIRE_CONTRACT: retire_contract,
    Action.DEPRECATE: deprecate,
    Action.END_DEPRECATION: end_deprecation,
    Action.REGISTER: register,
    Action.UPDATE_REGISTRATION: update_registration,
    Action.UNREGISTER: unregister,
    Action.ACKNOWLEDGE_PROPOSAL: acknowledge_proposal,
    Action.ACKNOWLEDGE_CHANGE_SET: acknowledge_change_set,
    Action.ACKNOWLEDGE_DEBT: acknowledge_debt,
    Action.EXTEND_PROPOSAL: extend_proposal,
    Action.SET_ASK_POLICY: set_ask_policy,
    Action.WITHDRAW_PROPOSAL: withdraw_proposal,
    Action.PUBLISH_PROPOSAL: publish_proposal,
    Action.PROPOSE_RETIREMENT: propose_retirement,
    Action.WITHDRAW_CHANGE_SET: withdraw_change_set,
    Action.PUBLISH_CHANGE_SET: publish_change_set,
    Action.SYNC_DBT_MANIFEST: sync_dbt_manifest,
    Action.CREATE_API_KEY: create_api_key,
    Action.REVOKE_API_KEY: revoke_api_key,
    Action.CREATE_USAGE_SOURCE: create_usage_source,
    Action.MAP_PRINCIPAL: map_principal,
    Action.UNMAP_PRINCIPAL: unmap_principal,
    Action.REGISTER_OBSERVED_READER: register_observed_reader,
    Action.IMPORT_USAGE: import_usage,
    Action.CREATE_WEBHOOK: create_webhook,
    Action.UPDATE_WEBHOOK: update_webhook,
    Action.DELETE_WEBHOOK: delete_webhook,
    Action.REDELIVER_WEBHOOK: redeliver_webhook,
    Action.TEST_WEBHOOK: ping_webhook,
}
HIDDEN = {
    Action.REVOKE_API_KEY,
    Action.UPDATE_WEBHOOK,
    Action.DELETE_WEBHOOK,
    Action.REDELIVER_WEBHOOK,
    Action.TEST_WEBHOOK,
}  # what they are about does not exist for those who may not see it
IN_A_FOLDER = {Action.PUSH_TO_GIT, Action.PULL_FROM_GIT}  # asserted in test_git.py, where there is one
FIELDS = {Action.FORCE_CONTRACT: "publishContract", Action.TRANSFER_ASSET: "updateAsset"}


def field_of(verb: Action) -> str:
    """The field of an action's mutation, which has the same name."""
    first, *rest = verb.name.lower().split("_")
    return FIELDS.get(verb, first + "".join(part.capitalize() for part in rest))


def mutations() -> dict[str, GraphQLField]:
    found = schema._schema.mutation_type
    assert found is not None
    return dict(found.fields)


def test_every_mutation_has_a_row_in_the_table_and_a_call_in_this_test() -> None:
    assert set(mutations()) == {field_of(verb) for verb in (*CALLS, *IN_A_FOLDER)}


def test_every_row_of_the_table_is_a_mutation_or_a_way_to_read() -> None:
    assert {verb for verb in Action if verb not in CALLS} - IN_A_FOLDER == {
        Action.READ,
        Action.READ_KEYS,
        Action.READ_WEBHOOKS,
    }


async def call(api: AuthenticatedApi, token: str | None, verb: Action, asked: dict[str, Any]) -> tuple[list[str], str]:
    """The codes and messages of its refusals."""
    field = field_of(verb)
    query = f"mutation ($input: {mutations()[field].args['input'].type}) {{ {field}(input: $input) {{ {DONE} }} }}"
    reply = await api.reply(token, query, input=asked)
    return list(codes(reply, field)), str(reply)


async def _tokens(api: AuthenticatedApi, database: Database, ours: Team) -> dict[str, str | None]:
    bare = await api.create_key(ours, name="no scope")
    async with database.write() as session:
        await session.update(ApiKey, keys.TABLE.c.id == bare.key.id, scopes=[])
    async with database.write() as session:
        source = await usage_sources.create_source(session, ANONYMOUS, name="snowflake")
    observer = (await api.create_usage_key(source)).token
    tokens = {scope.value: (await api.create_key(ours, scope, name=scope.value)).token for scope in ADMIN_SCOPES}
    return {"nobody": None, "no scope": bare.token, "EVIDENCE": observer, **tokens}


def _expected(holder: str, ours: UUID, verb: Action, owner: UUID) -> list[str]:
    if holder not in Scope.__members__:
        return ["UNAUTHENTICATED"]
    if holder == "EVIDENCE":
        actor = Actor(holder, None, frozenset({Scope.READ, Scope.EVIDENCE}), usage_source_id=ours)
    else:
        actor = Actor(holder, ours, frozenset({Scope[holder]}))
    if is_allowed(actor, verb, owner) or (holder == "EVIDENCE" and verb is Action.IMPORT_USAGE):
        return []
    return ["NOT_FOUND"] if verb in HIDDEN and actor.has_scope(ACTION_SCOPES[verb].own_team) else ["FORBIDDEN"]


@pytest.mark.parametrize("verb", CALLS, ids=lambda verb: verb.name)
@pytest.mark.parametrize("whose", ["ours", "theirs"])
async def test_each_key_may_call_exactly_what_the_table_allows(
    world: World, database: Database, verb: Action, whose: str
) -> None:
    api = authenticated_api(database)
    ours, theirs, outsider = [await world.team(name) for name in ("ours", "theirs", "outsider")]
    owner = ours if whose == "ours" else theirs
    tokens = await _tokens(api, database, ours)
    project = await world.project("shop", ours)
    asked = await CALLS[verb](Scene(world, api, owner, outsider, project))
    before, is_done = await world.size(), False
    for holder, token in tokens.items():
        refusal_codes, message = await call(api, token, verb, asked)
        if is_done:  # a caller with more rights gets the earlier result
            assert "FORBIDDEN" not in refusal_codes, message
            continue
        expected = _expected(holder, ours.id, verb, owner.id)
        assert refusal_codes == expected, f"{holder} on what is {whose}: {message}"
        is_done = not expected and holder != "EVIDENCE"  # no other scope includes it
        assert not expected or await world.size() == before, f"{holder} was refused and left something behind"
        before = await world.size()
    assert is_done


@pytest.mark.parametrize("scope", ADMIN_SCOPES)
async def test_every_key_reads_everything(world: World, database: Database, scope: Scope) -> None:
    api = authenticated_api(database)
    asset, _ = await world.proposed(consumers=1)
    token = (await api.create_key(world.consumers[0], scope)).token
    query = """{
      viewer { actor } teams { totalCount } assets { nodes { fqn owner { name } contracts { totalCount } } }
      proposals { nodes { status awaiting { name } } } registrations { totalCount } events { totalCount }
      contracts { totalCount } search(text: "orders") { totalCount }
    }"""
    data = await api.data(token, query)
    assert data["assets"]["nodes"][0]["fqn"] == asset.fqn
    assert data["proposals"]["nodes"][0]["status"] == "PENDING"
    assert data["events"]["totalCount"] > 5
