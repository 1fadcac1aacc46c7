"""The channels of webhooks: what is rendered and sent for one delivery, by the format of its webhook.

Everything is read before the first byte is sent, so that no transaction waits for a receiver.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from tessera_gql.notifications import outbound_http, webhook_messages
from tessera_gql.notifications.commit_statuses import post_status
from tessera_gql.notifications.email_message import render_email
from tessera_gql.notifications.github_status import GitHubApi, GitHubOptions, check_token
from tessera_gql.notifications.message_loading import load_facts
from tessera_gql.notifications.outbound_http import DeliveryError
from tessera_gql.notifications.slack_message import render_slack
from tessera_gql.notifications.smtp import SmtpOptions, send_email
from tessera_gql.notifications.teams_message import render_teams
from tessera_gql.policy.channel_addresses import MAILTO, find_repository_path, is_domain_allowed
from tessera_gql.policy.enums import WebhookFormat
from tessera_gql.policy.global_ids import encode_global_id
from tessera_gql.policy.message_builder import build_message, build_ping
from tessera_gql.policy.messages import Pages, TeamMessage
from tessera_gql.store import proposals, teams
from tessera_gql.store.database import Database
from tessera_gql.store.encryption import Keyring, UnreadableSecret
from tessera_gql.store.session import Session
from tessera_gql.store.tables import EventRow, Webhook, WebhookDelivery
from tessera_gql.workflows import webhook_secrets
from tessera_gql.workflows.webhooks import SETTINGS_WEBHOOK_ID

RenderPayload = Callable[[Webhook, EventRow], Awaitable[Any]]
"""Executes a webhook's document for an event with the rights of its team; raises DeliveryError."""
RECEIVERS = {WebhookFormat.SLACK: "Slack", WebhookFormat.TEAMS: "Teams"}
GONE = frozenset({401, 403, 404, 410})
SLACK_CODE_LENGTH = 60


@dataclass(frozen=True)
class ChannelOptions:
    """What the channels need of the settings. `secret` signs the posts of the webhook of the settings."""

    rules: outbound_http.PostRules = field(default_factory=outbound_http.PostRules)
    secret: str | None = field(default=None, repr=False)
    render: RenderPayload | None = None
    pages: Pages = field(default_factory=Pages)
    smtp: SmtpOptions | None = None
    github: GitHubOptions = field(default_factory=GitHubOptions)
    github_rules: outbound_http.PostRules = field(default_factory=outbound_http.PostRules)


@dataclass(frozen=True)
class Sending:
    """A delivery with all that was read for it; without events it is a ping."""

    delivery: WebhookDelivery
    webhook: Webhook
    events: Sequence[EventRow]
    message: TeamMessage
    change_set_id: UUID | None
    token: str | None
    keyring: Keyring
    now: datetime

    @property
    def message_id(self) -> str:
        return encode_global_id("WebhookDelivery", self.delivery.id)


async def load_sending(
    session: Session, delivery: WebhookDelivery, webhook: Webhook, events: Sequence[EventRow], pages: Pages
) -> Sending:
    """Load what is sent for a delivery; raises DeliveryError if the token of its webhook can't be decrypted."""
    message = await _load_message(session, delivery, webhook, events, pages)
    change_set_id = await _find_change_set(session, events)
    try:
        token = webhook_secrets.read_token(session.keyring, webhook)
    except UnreadableSecret as error:
        raise DeliveryError(f"The token of this webhook can't be decrypted: {error}.") from None
    return Sending(delivery, webhook, events, message, change_set_id, token, session.keyring, session.now)


async def _load_message(
    session: Session, delivery: WebhookDelivery, webhook: Webhook, events: Sequence[EventRow], pages: Pages
) -> TeamMessage:
    if not events:
        rows = await teams.by_ids(session, [webhook.team_id]) if webhook.team_id else []
        return build_ping(pages, rows[0].name if rows else None)
    if not webhook.format.is_message:
        return build_ping(pages, None)
    counts = {kind: item["count"] for kind, item in (delivery.covered_events or {}).items()}
    facts = await load_facts(session, events, counts=counts, viewer=webhook.team_id, pages=pages)
    return build_message(facts)


async def _find_change_set(session: Session, events: Sequence[EventRow]) -> UUID | None:
    for event in events[:1]:
        if identity := event.payload.get("change_set_id"):
            return UUID(identity)
        if event.proposal_id:
            return (await proposals.load_change_set_ids(session, [event.proposal_id])).get(event.proposal_id)
    return None


class Channels:
    """Sends deliveries over the channels; each returns the status of success or raises DeliveryError."""

    def __init__(self, database: Database, options: ChannelOptions) -> None:
        self._database = database
        self._options = options

    async def send(self, sending: Sending) -> int:
        match sending.webhook.format:
            case WebhookFormat.STANDARD:
                return await self._post_standard(sending)
            case WebhookFormat.SLACK:
                return await self._post_message(sending, render_slack(sending.message))
            case WebhookFormat.TEAMS:
                return await self._post_message(sending, render_teams(sending.message))
            case WebhookFormat.EMAIL:
                return await self._send_email(sending)
            case WebhookFormat.GITHUB_STATUS:
                return await self._set_status(sending)

    async def _post_standard(self, sending: Sending) -> int:
        body = await self._render_standard(sending)
        return await outbound_http.post(sending.webhook.url, body, self._sign(sending, body), self._options.rules)

    async def _render_standard(self, sending: Sending) -> bytes:
        if not sending.events:
            return webhook_messages.render_ping(sending.delivery.created_at)
        event, webhook = sending.events[0], sending.webhook
        if webhook.document is not None and self._options.render is not None:
            return webhook_messages.render_standard(event, await self._options.render(webhook, event))
        return webhook_messages.render_standard(event)

    async def _post_message(self, sending: Sending, body: bytes) -> int:
        """Post to a chat, whose answer says what to do about a failure."""
        request = outbound_http.OutboundRequest(body, self._sign(sending, body))
        response = await outbound_http.send(sending.webhook.url, request, self._options.rules)
        name = RECEIVERS[sending.webhook.format]
        code = response.body.decode("ascii", "replace")
        is_code = len(code) <= SLACK_CODE_LENGTH and code.replace("_", "").isalpha() and "_" in code
        reason = f"{name} says {code}. " if is_code and response.status >= 400 else ""
        advice = (
            f"The webhook of {name} is gone or not allowed: make a new one there, and set its URL with updateWebhook."
            if response.status in GONE
            else ""
        )
        return outbound_http.check_status(response, name, f"{reason}{advice}".strip())

    def _sign(self, sending: Sending, body: bytes) -> dict[str, str]:
        return webhook_messages.sign_headers(sending.message_id, body, self._list_secrets(sending), sending.now)

    def _list_secrets(self, sending: Sending) -> list[str]:
        """The secrets that sign this post; raises DeliveryError if they can't be decrypted."""
        if sending.webhook.id == SETTINGS_WEBHOOK_ID:
            return [self._options.secret] if self._options.secret else []
        try:
            return webhook_secrets.signing_secrets(sending.keyring, sending.webhook, sending.now)
        except UnreadableSecret as error:
            raise DeliveryError(f"The secret of this webhook can't be decrypted: {error}.") from None

    async def _send_email(self, sending: Sending) -> int:
        smtp = self._options.smtp
        if smtp is None:
            raise DeliveryError(
                "This server sends no e-mail: SMTP_HOST is not set. Ask an administrator to set it, or use another"
                " format."
            )
        recipient = sending.webhook.url.removeprefix(MAILTO)
        if not is_domain_allowed(recipient, smtp.domains):
            raise DeliveryError(
                f"E-mail to {recipient} is not allowed: SMTP_DOMAINS has {', '.join(smtp.domains)}.", is_final=True
            )
        mail = render_email(
            sending.message, sender=smtp.sender, recipient=recipient, message_id=sending.message_id, now=sending.now
        )
        return await send_email(mail, smtp)

    async def _set_status(self, sending: Sending) -> int:
        if sending.token is None:
            raise DeliveryError("This webhook has no token. Set one with updateWebhook and `token`.", is_final=True)
        api = GitHubApi(self._options.github, self._options.github_rules, sending.token)
        if sending.change_set_id is None:
            return await check_token(api, find_repository_path(sending.webhook.url))
        return await post_status(self._database, sending.webhook, sending.change_set_id, api, self._options.pages)
