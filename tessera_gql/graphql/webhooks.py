"""Webhooks: where events are posted to. They are private to their team, and the secret is in one answer only."""

import importlib
from datetime import datetime
from typing import Any, NoReturn
from uuid import UUID

import strawberry
from graphql import OperationDefinitionNode, OperationType, print_ast
from strawberry import UNSET

from tessera_gql.errors import Conflict, Invalid
from tessera_gql.graphql.context import Info
from tessera_gql.graphql.documents import Documents, Operation, Profile
from tessera_gql.graphql.filters import DateTimeFilter, EnumFilter, IdFilter, by, given, kept, optional
from tessera_gql.graphql.ids import Node, global_id, local_id
from tessera_gql.graphql.limit_values import Limits
from tessera_gql.graphql.mutations import Call, CreatingInput, Input, Payload, mutation
from tessera_gql.graphql.nouns import computed, named, shown
from tessera_gql.graphql.pages import Connection, Listing, ordering, pages
from tessera_gql.graphql.refs import TeamRefInput, team_ref
from tessera_gql.graphql.relations import one
from tessera_gql.graphql.rows import from_row
from tessera_gql.graphql.scalars import Url
from tessera_gql.graphql.words import EventKind, described
from tessera_gql.policy.access import Verb
from tessera_gql.policy.words import DeliveryStatus, WebhookFormat
from tessera_gql.store import tables
from tessera_gql.store import webhooks as store
from tessera_gql.workflows import webhooks
from tessera_gql.workflows.webhooks import NewWebhook

described(
    WebhookFormat,
    "WebhookFormat",
    "What a webhook is sent.",
    STANDARD="The event as JSON, or what a document chooses of it, as Standard Webhooks have it.",
    SLACK="One sentence, as Slack and its like take it.",
)
described(
    DeliveryStatus,
    "DeliveryStatus",
    "Where a delivery stands.",
    PENDING="On its way: tried again until it arrives.",
    DELIVERED="The receiver accepted it.",
    DEAD="Given up after a day; `redeliverWebhook` sends it once more.",
)


@strawberry.input(description="Which deliveries.")
class WebhookDeliveryFilter:
    status: EnumFilter[DeliveryStatus] | None = by("status", "Where it stands.")
    created_at: DateTimeFilter | None = by("created_at", "When it was made.")


@strawberry.input(description="Which webhooks.")
class WebhookFilter:
    team: IdFilter | None = by("team_id", "The team whose events it gets.", kind="Team")
    created_at: DateTimeFilter | None = by("created_at", "When it was made.")


DELIVERIES = Listing(
    "WebhookDelivery",
    store.deliveries,
    "created_at",
    descending=True,
    filter=WebhookDeliveryFilter,
    order=ordering("WebhookDelivery", {"CREATED_AT": ("created_at", "When it was made.")}),
)
WEBHOOKS = Listing(
    "Webhook",
    store.rows,
    "created_at",
    filter=WebhookFilter,
    order=ordering("Webhook", {"CREATED_AT": ("created_at", "When it was made.")}),
)


@from_row(
    host=lambda row: webhooks.host(row.url),
    kinds=lambda row: None if row.kinds is None else [EventKind(kind) for kind in row.kinds],
)
@strawberry.type(description="Where events are posted to, each at least once.")
class Webhook(Node):
    row: strawberry.Private[tables.Webhook]
    url: Url = strawberry.field(description="The address that events are posted to.")
    host: str = strawberry.field(description="The host of its address.")
    kinds: list[EventKind] | None = strawberry.field(description="The events it gets; null means all.")
    format: WebhookFormat = strawberry.field(description="What it is sent.")
    document: str | None = strawberry.field(description="The GraphQL document that chooses the payload, if any.")
    is_active: bool = strawberry.field(description="False while it is paused; what it misses is sent when it goes on.")
    row_version: int = strawberry.field(description="Rises with every change; for `expectedRowVersion`.")
    created_at: datetime = strawberry.field(description="When it was made.")

    deliveries = pages(DELIVERIES, "webhook_id", description="Events on their way to it, the newest first.")

    @computed("The team whose events it gets; null for one that gets all.", named("Team") | None)
    async def team(self, info: Info) -> Any:
        team = self.row.team_id
        return shown("Team", await info.context.loaders.team.load(team)) if team else None


@strawberry.type(description="One try to deliver.")
class DeliveryAttempt:
    at: datetime = strawberry.field(description="When it ended.")
    status: int | None = strawberry.field(description="The HTTP status that the receiver answered, if it did.")
    error: str | None = strawberry.field(description="Why it failed; null if it did not.")
    milliseconds: int = strawberry.field(description="How long it took.")

    @classmethod
    def of(cls, at: str, **told: Any) -> "DeliveryAttempt":
        return cls(at=datetime.fromisoformat(at), **told)


@from_row(
    message_id=lambda row: str(row.id), attempts=lambda row: [DeliveryAttempt.of(**attempt) for attempt in row.attempts]
)
@strawberry.type(description="An event on its way to a webhook. Its id is the `webhook-id` of every attempt.")
class WebhookDelivery(Node):
    row: strawberry.Private[tables.WebhookDelivery]
    message_id: str = strawberry.field(description="The `webhook-id` that the receiver sees.")
    status: DeliveryStatus = strawberry.field(description="Where it stands.")
    attempts: list[DeliveryAttempt] = strawberry.field(description="Every try, the latest 30 at most.")
    due_at: datetime = strawberry.field(description="When it is tried next, while it is PENDING.")
    created_at: datetime = strawberry.field(description="When it was made.")

    webhook = one("Webhook", lambda loaders: loaders.webhook, "webhook_id", description="Where it goes.")

    @computed("The event; null for a ping.", named("Event") | None)
    async def event(self, info: Info) -> Any:
        place = self.row.sequence
        return None if place is None else shown("Event", await info.context.loaders.event_by_sequence.load(place))


@strawberry.type(description="A page of webhooks.")
class WebhookConnection(Connection[Webhook]):
    pass


@strawberry.type(description="A page of deliveries.")
class WebhookDeliveryConnection(Connection[WebhookDelivery]):
    pass


@strawberry.type
class Queries:
    webhooks = pages(
        WEBHOOKS,
        description="All webhooks for an administrator, those of its own team for a key with the scope WRITE;"
        " oldest first.",
        verb=Verb.READ_WEBHOOKS,
    )


EVENT_TYPES = ("ID!", "ID", "String!", "String")


class Secret(str):
    """Remembered under an idempotency key as having been shown, no more."""

    __slots__ = ()

    def memory(self) -> str:
        return "shown"


def _was_shown(_memory: str) -> NoReturn:
    raise Conflict(
        "This call made the webhook before, and its secret was shown once, in the first answer."
        " If you have lost it, call updateWebhook with `rotateSecret`.",
        field=("idempotency_key",),
    )


@strawberry.input(description="A new webhook: it gets every event of its filter from now on.")
class CreateWebhookInput(CreatingInput):
    url: Url = strawberry.field(description="Where to post to: a public http or https address.")
    team: TeamRefInput | None = optional(
        "The team whose events it gets. By default the caller's own; an administrator's call then makes one for all."
    )
    kinds: list[EventKind] | None = optional("Only events of these kinds.")
    format: WebhookFormat = strawberry.field(default=WebhookFormat.STANDARD, description="What it is sent.")
    document: str | None = optional(
        "A query with one variable, `$event: ID!`, whose answer is the payload: `node(id: $event)` is the event."
    )


@strawberry.type(description="The webhook that was made.")
class CreateWebhookPayload(Payload):
    webhook: Webhook | None = strawberry.field(default=None, description="Null if it was refused.")
    secret: str | None = strawberry.field(
        default=None,
        description="What posts are signed with. Shown this once: a retry is refused with CONFLICT.",
        metadata={"recall": _was_shown},
    )


async def create_webhook(call: Call, asked: CreateWebhookInput) -> CreateWebhookPayload:
    wanted = NewWebhook(
        url=asked.url,
        team=team_ref(given(asked.team)),
        kinds=given(asked.kinds),
        format=asked.format,
        document=_checked(given(asked.document)),
    )
    made = await webhooks.create(call.session, call.actor, wanted)
    return CreateWebhookPayload(webhook=Webhook.of(made.webhook), secret=Secret(made.secret))


@strawberry.input(description="What changes about a webhook; what is left out stays as it is.")
class UpdateWebhookInput(Input):
    webhook: strawberry.ID = strawberry.field(description="Its id.")
    url: Url | None = optional("Where to post to.")
    kinds: list[EventKind] | None = optional("Only events of these kinds; null for all.")
    format: WebhookFormat | None = optional("What it is sent.")
    document: str | None = optional("Chooses the payload, as in createWebhook; null for the whole event.")
    is_active: bool | None = optional("False pauses it; what it misses is sent when it goes on.")
    rotate_secret: bool = strawberry.field(
        default=False, description="Makes a new secret; the old one goes on signing beside it for a day."
    )
    expected_row_version: int | None = optional("Refuses with STALE if the webhook was changed since this was read.")


@strawberry.type(description="The webhook as it is now.")
class UpdateWebhookPayload(Payload):
    webhook: Webhook | None = strawberry.field(default=None, description="Null if it was refused.")
    secret: str | None = strawberry.field(default=None, description="The new secret, if one was made. Shown this once.")


async def update_webhook(call: Call, asked: UpdateWebhookInput) -> UpdateWebhookPayload:
    changes: dict[str, Any] = {
        name: kept(getattr(asked, name), name)
        for name in ("url", "format", "is_active")
        if getattr(asked, name) is not UNSET
    }
    if asked.kinds is not UNSET:
        changes["kinds"] = asked.kinds
    if asked.document is not UNSET:
        changes["document"] = _checked(asked.document)
    made = await webhooks.update(
        call.session,
        call.actor,
        local_id(asked.webhook, "Webhook", field=("webhook",)),
        changes,
        rotate_secret=asked.rotate_secret,
        expected_row_version=given(asked.expected_row_version),
    )
    return UpdateWebhookPayload(webhook=Webhook.of(made.webhook), secret=made.secret)


@strawberry.input(description="A webhook that is no longer wanted.")
class DeleteWebhookInput(Input):
    webhook: strawberry.ID = strawberry.field(description="Its id.")


@strawberry.type(description="The webhook that is gone.")
class DeleteWebhookPayload(Payload):
    deleted_id: strawberry.ID | None = strawberry.field(default=None, description="Its id; null if it was refused.")


async def delete_webhook(call: Call, asked: DeleteWebhookInput) -> DeleteWebhookPayload:
    row = await webhooks.delete(call.session, call.actor, local_id(asked.webhook, "Webhook", field=("webhook",)))
    return DeleteWebhookPayload(deleted_id=global_id("Webhook", row.id))


@strawberry.input(description="A webhook to try out.")
class TestWebhookInput(CreatingInput):
    webhook: strawberry.ID = strawberry.field(description="Its id.")


@strawberry.type(description="The ping that is on its way.")
class TestWebhookPayload(Payload):
    delivery: WebhookDelivery | None = strawberry.field(default=None, description="Null if it was refused.")


async def test_webhook(call: Call, asked: TestWebhookInput) -> TestWebhookPayload:
    row = await webhooks.ping(call.session, call.actor, local_id(asked.webhook, "Webhook", field=("webhook",)))
    return TestWebhookPayload(delivery=WebhookDelivery.of(row))


@strawberry.input(description="Which delivery.")
class RedeliverWebhookInput(Input):
    delivery: strawberry.ID = strawberry.field(description="Its id.")


@strawberry.type(description="The delivery that was made due.")
class RedeliverWebhookPayload(Payload):
    delivery: WebhookDelivery | None = strawberry.field(default=None, description="Null if it was refused.")


async def redeliver_webhook(call: Call, asked: RedeliverWebhookInput) -> RedeliverWebhookPayload:
    identity = local_id(asked.delivery, "WebhookDelivery", field=("delivery",))
    return RedeliverWebhookPayload(
        delivery=WebhookDelivery.of(await webhooks.redeliver(call.session, call.actor, identity))
    )


def _checked(document: str | None) -> str | None:
    """Raises Invalid for a document that would fail at every delivery."""
    if document is None:
        return None
    core = importlib.import_module("tessera_gql.graphql.schema").schema._schema  # noqa: SLF001 - it has no public name
    found = Documents(core, Limits(), Profile.LOCKED).prepare(
        document, {"event": global_id("Event", UUID(int=0))}, None
    )
    if not isinstance(found, Operation):
        raise Invalid(f"The document can't be used: {found[0].message}", field=("document",))
    if found.kind is not OperationType.QUERY:
        raise Invalid(f"The document must be a query, not a {found.kind.value}.", field=("document",))
    variables = _variables(found)
    if strange := variables.keys() - {"event"}:
        raise Invalid(f"The document asks for ${min(strange)}; only $event is given.", field=("document",))
    if (kind := variables.get("event", "ID!")) not in EVENT_TYPES:
        raise Invalid(f"$event is an ID!, but the document declares it as {kind}.", field=("document",))
    return document


def _variables(operation: Operation) -> dict[str, str]:
    """The type of each."""
    found = [node for node in operation.document.definitions if isinstance(node, OperationDefinitionNode)]
    return {one.variable.name.value: print_ast(one.type) for node in found for one in node.variable_definitions or ()}


@strawberry.type
class Mutations:
    create_webhook: Any = mutation(
        create_webhook,
        "Makes a webhook. Its secret is shown once; refused with CONFLICT if the server has no key to encrypt it with.",
    )
    update_webhook: Any = mutation(update_webhook, "Changes or pauses a webhook, or gives it a new secret.")
    delete_webhook: Any = mutation(delete_webhook, "Deletes a webhook with what was still on its way to it.")
    redeliver_webhook: Any = mutation(redeliver_webhook, "Sends a delivery once more, whatever came of it.")
    test_webhook: Any = mutation(test_webhook, "Sends a ping, to see whether posts arrive.")
