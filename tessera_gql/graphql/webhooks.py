"""Webhooks and their deliveries. They are private to their team, and the secret is in one payload only."""

from datetime import datetime
from typing import Any, NoReturn
from uuid import UUID

import strawberry
from graphql import GraphQLError, OperationType, print_ast
from strawberry import UNSET

from tessera_gql.errors import Conflict, Invalid
from tessera_gql.graphql.connections import Connection, connection, define_listing
from tessera_gql.graphql.enums import describe_enum
from tessera_gql.graphql.event_kinds import EventKind
from tessera_gql.graphql.filters import (
    DateTimeFilter,
    EnumFilter,
    IdFilter,
    filter_by,
    filter_input,
    flag,
    optional,
    or_keep,
    or_none,
)
from tessera_gql.graphql.ids import Node, global_id, local_id
from tessera_gql.graphql.mutations import Call, CreatingInput, Input, Payload, VersionedInput, mutation, payload_field
from tessera_gql.graphql.refs import TeamRefInput, team_ref
from tessera_gql.graphql.relations import relation
from tessera_gql.graphql.row_types import from_row
from tessera_gql.graphql.scalars import Url
from tessera_gql.policy.access import Action
from tessera_gql.policy.channel_addresses import find_host
from tessera_gql.policy.enums import DeliveryStatus, WebhookFormat
from tessera_gql.store import tables
from tessera_gql.store import webhooks as store
from tessera_gql.workflows import webhooks
from tessera_gql.workflows.webhooks import WebhookRequest

describe_enum(
    WebhookFormat,
    "The format in which a webhook sends events. SLACK, TEAMS and EMAIL send one message for all that happens at once.",
    STANDARD="The event as JSON, or the result of the webhook's `document`, in the envelope of Standard Webhooks.",
    SLACK="A message with blocks and buttons for an incoming webhook of Slack.",
    TEAMS="A message as an Adaptive Card for a webhook of Microsoft Teams.",
    EMAIL="An e-mail with text and HTML to the address of a `mailto:` URL.",
    GITHUB_STATUS="The commit status `tessera/contracts` of pull requests in a repository or organization of GitHub.",
)
describe_enum(
    DeliveryStatus,
    "The status of a delivery.",
    PENDING="The delivery is attempted again until it succeeds.",
    DELIVERED="The receiver accepted the delivery.",
    DEAD="The delivery was given up after a day; `redeliverWebhook` sends it once more.",
)


@filter_input("Conditions on deliveries; a delivery must meet all of them.")
class WebhookDeliveryFilter:
    status: EnumFilter[DeliveryStatus] | None = filter_by("status", "The status of the delivery.")
    created_at: DateTimeFilter | None = filter_by("created_at", "The time at which the delivery was created.")


@filter_input("Conditions on webhooks; a webhook must meet all of them.")
class WebhookFilter:
    team: IdFilter | None = filter_by("team_id", "The team whose events the webhook receives.", type_name="Team")
    created_at: DateTimeFilter | None = filter_by("created_at", "The time at which the webhook was created.")


DELIVERIES = define_listing(
    "WebhookDelivery",
    store.DELIVERIES,
    WebhookDeliveryFilter,
    {"CREATED_AT": ("created_at", "The time at which the delivery was created.")},
    descending=True,
)
WEBHOOKS = define_listing(
    "Webhook", store.TABLE, WebhookFilter, {"CREATED_AT": ("created_at", "The time at which the webhook was created.")}
)


@from_row(
    host=lambda row: find_host(row.url),
    kinds=lambda row: None if row.kinds is None else [EventKind(kind) for kind in row.kinds],
)
@strawberry.type(description="A receiver to which events are posted, each at least once.")
class Webhook(Node):
    row: strawberry.Private[tables.Webhook]
    url: Url = strawberry.field(
        description="The URL that events are posted to, `mailto:` with an address, or the address of a repository."
    )
    host: str = strawberry.field(description="The host of the URL, or the domain of the e-mail address.")
    kinds: list[EventKind] | None = strawberry.field(
        description="The kinds of events that the webhook receives; null means all kinds."
    )
    format: WebhookFormat = strawberry.field(description="The format of the messages.")
    document: str | None = strawberry.field(
        description="The GraphQL query whose result is the payload; null if the payload is the whole event."
    )
    is_active: bool = strawberry.field(description="Whether events are sent; otherwise they are kept for later.")
    row_version: int = strawberry.field(description="A number that rises with every change; for `expectedRowVersion`.")
    created_at: datetime = strawberry.field(description="The time at which the webhook was created.")

    deliveries = connection(DELIVERIES, "webhook_id", description="The deliveries to the webhook, the newest first.")

    team = relation(
        "Team",
        "row.team_id",
        "The team whose events the webhook receives; null if it receives the events of all teams.",
        nullable=True,
    )


@strawberry.type(description="One attempt at a delivery.")
class DeliveryAttempt:
    at: datetime = strawberry.field(description="The time at which the attempt ended.")
    status: int | None = strawberry.field(description="The HTTP status of the response; null if there was none.")
    error: str | None = strawberry.field(description="The reason why the attempt failed; null if it succeeded.")
    milliseconds: int = strawberry.field(description="The duration of the attempt in milliseconds.")

    @classmethod
    def of(cls, at: str, **attributes: Any) -> "DeliveryAttempt":
        return cls(at=datetime.fromisoformat(at), **attributes)


@from_row(
    message_id=lambda row: global_id("WebhookDelivery", row.id),
    attempts=lambda row: [DeliveryAttempt.of(**attempt) for attempt in row.attempts],
)
@strawberry.type(description="The delivery of an event, or of one message about several, to a webhook.")
class WebhookDelivery(Node):
    row: strawberry.Private[tables.WebhookDelivery]
    message_id: str = strawberry.field(description="The value of the header `webhook-id`, the same in every attempt.")
    status: DeliveryStatus = strawberry.field(description="The status of the delivery.")
    attempts: list[DeliveryAttempt] = strawberry.field(description="The attempts so far, the latest 30 at most.")
    due_at: datetime = strawberry.field(description="The time of the next attempt, while the delivery is PENDING.")
    event_count: int = strawberry.field(description="The number of events that the message covers.")
    created_at: datetime = strawberry.field(description="The time at which the delivery was created.")

    webhook = relation("Webhook", "row.webhook_id", "The webhook that the event is sent to.")

    event = relation(
        "Event",
        "row.sequence",
        "The event that is delivered, or the first one of several; null for a ping of `testWebhook` and for an event"
        " that is archived.",
        nullable=True,
        loader=lambda loaders: loaders.event_by_sequence,
    )


@strawberry.type(description="One page of a list of webhooks.")
class WebhookConnection(Connection[Webhook]): ...


@strawberry.type(description="One page of a list of deliveries.")
class WebhookDeliveryConnection(Connection[WebhookDelivery]): ...


@strawberry.type
class Queries:
    webhooks = connection(
        WEBHOOKS,
        description="The webhooks, the oldest first: all for an administrator, those of its own team for a key with"
        " the scope WRITE.",
        action=Action.READ_WEBHOOKS,
    )


EVENT_ID_TYPES = ("ID!", "ID", "String!", "String")


class Secret(str):
    """A secret of which nothing but its existence is stored under an idempotency key."""

    __slots__ = ()

    def to_json(self) -> str:
        return "shown"


def _refuse_replay(_stored: str) -> NoReturn:
    raise Conflict(
        "This call made the webhook before, and its secret was shown once, in the first answer."
        " If you have lost it, call updateWebhook with `rotateSecret`.",
        field=("idempotency_key",),
    )


@strawberry.input(description="The data of a new webhook, which receives events from now on.")
class CreateWebhookInput(CreatingInput):
    url: Url = strawberry.field(
        description="The public http or https address to post to; `mailto:team@example.com` for EMAIL, and the address"
        " of a repository or organization for GITHUB_STATUS."
    )
    team: TeamRefInput | None = optional(
        "The team whose events are sent; the caller's own if left out, or all teams if an administrator has none."
    )
    kinds: list[EventKind] | None = optional("The kinds of events to receive; all kinds if left out.")
    format: WebhookFormat = strawberry.field(default=WebhookFormat.STANDARD, description="The format of the messages.")
    document: str | None = optional(
        "A GraphQL query with the variable `$event: ID!`, whose result is the payload; `node(id: $event)` is the event."
    )
    token: str | None = optional(
        "For GITHUB_STATUS, a token of GitHub that may write commit statuses; it is stored as secrets are."
    )


@strawberry.type(description="The result of `createWebhook`.")
class CreateWebhookPayload(Payload):
    webhook: Webhook | None = payload_field("The webhook; null if refused.")
    secret: str | None = payload_field(
        "The secret that signs messages. Returned only once: a retry is refused with CONFLICT.", load=_refuse_replay
    )


async def create_webhook(call: Call, arguments: CreateWebhookInput) -> CreateWebhookPayload:
    new_webhook = WebhookRequest(
        url=arguments.url,
        team=team_ref(arguments.team),
        kinds=or_none(arguments.kinds),
        format=arguments.format,
        document=_validate_document(call, or_none(arguments.document)),
        token=or_none(arguments.token),
    )
    created = await webhooks.create(call.session, call.actor, new_webhook)
    return CreateWebhookPayload(webhook=Webhook.of(created.webhook), secret=Secret(created.secret))


@strawberry.input(description="The changes to a webhook; fields that are left out keep their value.")
class UpdateWebhookInput(VersionedInput):
    webhook: strawberry.ID = strawberry.field(description="The id of the webhook to update.")
    url: Url | None = optional("The new URL to post to.")
    kinds: list[EventKind] | None = optional("The kinds of events to receive; null for all kinds.")
    format: WebhookFormat | None = optional("The format of the messages.")
    document: str | None = optional(
        "The GraphQL query whose result is the payload, as in `createWebhook`; null for the whole event."
    )
    token: str | None = optional("The new token of GitHub for the format GITHUB_STATUS.")
    is_active: bool | None = optional("False to pause the webhook: its events are kept and sent later.")
    rotate_secret: bool = flag("Create a new secret; the old one also signs messages for one more day.")


@strawberry.type(description="The result of `updateWebhook`.")
class UpdateWebhookPayload(Payload):
    webhook: Webhook | None = payload_field("The webhook; null if refused.")
    secret: str | None = payload_field(
        "The new secret, which is returned only once; null unless `rotateSecret` was set."
    )


async def update_webhook(call: Call, arguments: UpdateWebhookInput) -> UpdateWebhookPayload:
    changes: dict[str, Any] = {
        name: or_keep(getattr(arguments, name), name)
        for name in ("url", "format", "is_active", "token")
        if getattr(arguments, name) is not UNSET
    }
    if arguments.kinds is not UNSET:
        changes["kinds"] = arguments.kinds
    if arguments.document is not UNSET:
        changes["document"] = _validate_document(call, arguments.document)
    updated = await webhooks.update(
        call.session,
        call.actor,
        local_id(arguments.webhook, "Webhook", field=("webhook",)),
        changes,
        rotate_secret=arguments.rotate_secret,
        expected_row_version=or_none(arguments.expected_row_version),
    )
    return UpdateWebhookPayload(webhook=Webhook.of(updated.webhook), secret=updated.secret)


@strawberry.input(description="The webhook to delete.")
class DeleteWebhookInput(Input):
    webhook: strawberry.ID = strawberry.field(description="The id of the webhook to delete.")


@strawberry.type(description="The result of `deleteWebhook`.")
class DeleteWebhookPayload(Payload):
    deleted_id: strawberry.ID | None = payload_field("The id of the deleted webhook; null if refused.")


async def delete_webhook(call: Call, arguments: DeleteWebhookInput) -> DeleteWebhookPayload:
    row = await webhooks.delete(call.session, call.actor, local_id(arguments.webhook, "Webhook", field=("webhook",)))
    return DeleteWebhookPayload(deleted_id=global_id("Webhook", row.id))


@strawberry.input(description="The webhook to test.")
class TestWebhookInput(CreatingInput):
    webhook: strawberry.ID = strawberry.field(description="The id of the webhook to test.")


@strawberry.type(description="The result of `testWebhook`.")
class TestWebhookPayload(Payload):
    delivery: WebhookDelivery | None = payload_field("The delivery; null if refused.")


async def test_webhook(call: Call, arguments: TestWebhookInput) -> TestWebhookPayload:
    row = await webhooks.ping(call.session, call.actor, local_id(arguments.webhook, "Webhook", field=("webhook",)))
    return TestWebhookPayload(delivery=WebhookDelivery.of(row))


@strawberry.input(description="The delivery to send once more.")
class RedeliverWebhookInput(Input):
    delivery: strawberry.ID = strawberry.field(description="The id of the delivery.")


@strawberry.type(description="The result of `redeliverWebhook`.")
class RedeliverWebhookPayload(Payload):
    delivery: WebhookDelivery | None = payload_field("The delivery; null if refused.")


async def redeliver_webhook(call: Call, arguments: RedeliverWebhookInput) -> RedeliverWebhookPayload:
    identity = local_id(arguments.delivery, "WebhookDelivery", field=("delivery",))
    return RedeliverWebhookPayload(
        delivery=WebhookDelivery.of(await webhooks.redeliver(call.session, call.actor, identity))
    )


def _validate_document(call: Call, document: str | None) -> str | None:
    """Check a payload query. Raise Invalid for a document that would fail at every delivery."""
    if document is None:
        return None
    node = call.find_operation(document, {"event": global_id("Event", UUID(int=0))})
    if isinstance(node, GraphQLError):
        raise Invalid(f"The document can't be used: {node.message}", field=("document",))
    if node.operation is not OperationType.QUERY:
        raise Invalid(f"The document must be a query, not a {node.operation.value}.", field=("document",))
    variables = {item.variable.name.value: print_ast(item.type) for item in node.variable_definitions or ()}
    if strange := variables.keys() - {"event"}:
        raise Invalid(f"The document asks for ${min(strange)}; only $event is given.", field=("document",))
    if (type_name := variables.get("event", "ID!")) not in EVENT_ID_TYPES:
        raise Invalid(f"$event is an ID!, but the document declares it as {type_name}.", field=("document",))
    return document


@strawberry.type
class Mutations:
    create_webhook: Any = mutation(
        create_webhook,
        "Create a webhook. Its secret is returned once. CONFLICT if the server has no key to encrypt it with.",
    )
    update_webhook: Any = mutation(update_webhook, "Update or pause a webhook, or rotate its secret.")
    delete_webhook: Any = mutation(delete_webhook, "Delete a webhook with its pending deliveries.")
    redeliver_webhook: Any = mutation(redeliver_webhook, "Send a delivery once more, whatever its status is.")
    test_webhook: Any = mutation(test_webhook, "Send a ping to a webhook, to test whether messages arrive.")
