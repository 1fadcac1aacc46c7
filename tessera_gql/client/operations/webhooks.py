"""Operations on webhooks: chats, e-mail, commit statuses and HTTP receivers of a team's events."""

from collections.abc import Sequence
from typing import TypedDict

from typing_extensions import Unpack

from tessera_gql.client.enums import WebhookFormat
from tessera_gql.client.operation import (
    Operation,
    PaginatedQuery,
    RootField,
    TeamRef,
    build_nullable_variables,
    build_team_ref,
    build_variables,
)
from tessera_gql.client.webhook_models import DeletedWebhook, Webhook, WebhookDelivery, WebhookResult


class WebhookChanges(TypedDict, total=False):
    """Attributes to change. `kinds` None receives all kinds; `rotate_secret` returns a new secret."""

    url: str
    format: WebhookFormat
    kinds: Sequence[str] | None
    document: str | None
    token: str
    is_active: bool
    rotate_secret: bool
    expected_row_version: int


def create_webhook(  # noqa: PLR0913 - the arguments of the mutation
    url: str,
    *,
    format: WebhookFormat = WebhookFormat.STANDARD,  # noqa: A002 - the name of the argument in the API
    team: TeamRef | None = None,
    kinds: Sequence[str] | None = None,
    document: str | None = None,
    token: str | None = None,
    idempotency_key: str | None = None,
) -> Operation[WebhookResult]:
    """Create a webhook of a team, by default that of the key, which receives events from now on.

    The `url` is that of an incoming webhook of Slack or Teams, `mailto:team@example.com` for EMAIL, and the address of
    a repository for GITHUB_STATUS, which needs a `token` of GitHub. Raises InvalidArgument for an address of another
    kind, and Conflict on a server that can't store secrets.

    Example:
        options = {"format": WebhookFormat.EMAIL, "team": "finance"}
        result = tessera.create_webhook("mailto:data@example.com", **options)
        assert result.webhook.is_active
    """
    values = build_variables(
        url=url,
        format=format.value,
        team=build_team_ref(team),
        kinds=[*kinds] if kinds is not None else None,
        document=document,
        token=token,
        idempotency_key=idempotency_key,
    )
    return RootField("createWebhook", WebhookResult).build_idempotent_mutation(values)


def update_webhook(webhook_id: str, **changes: Unpack[WebhookChanges]) -> Operation[WebhookResult]:
    """Change or pause a webhook, or replace its secret or token.

    Raises NotFound if there is no such webhook, Stale for an old row version.

    Example:
        options = {"format": WebhookFormat.EMAIL, "team": "finance"}
        webhook = tessera.create_webhook("mailto:data@example.com", **options).webhook
        tessera.update_webhook(webhook.id, is_active=False)
    """
    input_ = {"webhook": webhook_id, **build_nullable_variables({**changes})}
    return RootField("updateWebhook", WebhookResult).build_mutation(input_)


def delete_webhook(webhook_id: str) -> Operation[DeletedWebhook]:
    """Delete a webhook with its pending deliveries.

    Raises NotFound if there is no such webhook.

    Example:
        options = {"format": WebhookFormat.EMAIL, "team": "finance"}
        webhook = tessera.create_webhook("mailto:data@example.com", **options).webhook
        tessera.delete_webhook(webhook.id)
    """
    return RootField("deleteWebhook", DeletedWebhook).build_mutation({"webhook": webhook_id})


def test_webhook(
    webhook_id: str,
    *,
    idempotency_key: str | None = None,  # noqa: PT028 - no test: it has the name of the mutation
) -> Operation[WebhookDelivery]:
    """Send a test message to a webhook; the attempts of the delivery say whether it arrived.

    Raises NotFound if there is no such webhook.

    Example:
        options = {"format": WebhookFormat.EMAIL, "team": "finance"}
        webhook = tessera.create_webhook("mailto:data@example.com", **options).webhook
        delivery = tessera.test_webhook(webhook.id)
        print(delivery.status)
    """
    values = build_variables(webhook=webhook_id, idempotency_key=idempotency_key)
    return RootField("testWebhook", WebhookDelivery).build_idempotent_mutation(values, payload_field="delivery")


def redeliver_webhook(delivery_id: str) -> Operation[WebhookDelivery]:
    """Send a delivery once more, whatever its status is, such as after an address was corrected.

    Raises NotFound if there is no such delivery.

    Example:
        options = {"format": WebhookFormat.EMAIL, "team": "finance"}
        webhook = tessera.create_webhook("mailto:data@example.com", **options).webhook
        delivery = tessera.test_webhook(webhook.id)
        tessera.redeliver_webhook(delivery.id)
    """
    root = RootField("redeliverWebhook", WebhookDelivery)
    return root.build_mutation({"delivery": delivery_id}, payload_field="delivery")


def webhooks() -> PaginatedQuery[Webhook]:
    """List the webhooks of the team of the key, or all for an administrator, each with its latest deliveries.

    Raises Unauthenticated without a valid key.

    Example:
        for webhook in tessera.webhooks():
            print(webhook.format, webhook.host, [delivery.status for delivery in webhook.deliveries])
    """
    return RootField("webhooks", Webhook).build_paginated_query()
