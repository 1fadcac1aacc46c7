"""Create, update, delete and test webhooks. A webhook starts after the last event; its secret is returned once."""

import base64
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

from tessera_gql.errors import Conflict, Invalid, Stale
from tessera_gql.policy.access import Action, Actor, authorize, require_scope
from tessera_gql.policy.channel_addresses import clean_address, find_host, validate_url
from tessera_gql.policy.enums import DeliveryStatus, WebhookFormat
from tessera_gql.policy.event_changes import ValueChanges, describe_changes, list_changed
from tessera_gql.policy.private_events import WebhookCreated, WebhookDeleted, WebhookRedelivered, WebhookUpdated
from tessera_gql.policy.visibility import ALL_EVENT_KINDS, visibility_of
from tessera_gql.store import events, teams, webhooks
from tessera_gql.store.session import Session
from tessera_gql.store.tables import Webhook, WebhookDelivery, new_id
from tessera_gql.store.teams import TeamRef
from tessera_gql.workflows.teams import require_row_version
from tessera_gql.workflows.webhook_secrets import new_entry, new_token, retiring_entries

SIGNING_KEY_PREFIX = "whsec_"
SECRET_BYTES = 32
ROTATION_PERIOD = timedelta(hours=24)
MAX_DOCUMENT = 20_000
MAX_TOKEN = 1_000

# A fixed id, so that several processes create only one webhook of the settings.
SETTINGS_WEBHOOK_ID = UUID("00000000-0000-7000-8000-000000000001")


@dataclass(frozen=True)
class WebhookRequest:
    """A request for a webhook. Without a team, an administrator's webhook gets all events."""

    url: str
    team: TeamRef | None = None
    kinds: Sequence[str] | None = None
    format: WebhookFormat = WebhookFormat.STANDARD
    document: str | None = None
    token: str | None = field(default=None, repr=False)


@dataclass(frozen=True)
class WebhookResult:
    """A webhook, with its secret if that is new; the secret is excluded from `repr`."""

    webhook: Webhook
    secret: str | None = field(default=None, repr=False)


async def create(session: Session, actor: Actor, request: WebhookRequest) -> WebhookResult:
    """Create a webhook; it receives the events of its filter from now on, at least once."""
    requested_team = await teams.get(session, request.team) if request.team else None
    team_id = requested_team.id if requested_team else None if actor.is_admin else actor.team_id
    authorize(actor, Action.CREATE_WEBHOOK, team_id)
    identity, secret = new_id(), _create_secret()
    row = Webhook(
        id=identity,
        team_id=team_id,
        url=clean_address(request.url, request.format),
        secrets=[new_entry(session, identity, secret)],
        token=_create_token(session, identity, request.token, request.format),
        kinds=_clean_kinds(request.kinds, request.format),
        format=request.format,
        document=_clean_document(request.document, request.format),
        position=await events.load_last_sequence(session),
        created_at=session.now,
    )
    await session.insert(row)
    kinds = None if row.kinds is None else tuple(row.kinds)
    session.record(
        WebhookCreated(audience_team_ids=_audience(row), webhook_id=row.id, host=find_host(row.url), kinds=kinds)
    )
    return WebhookResult(row, secret)


async def update(
    session: Session,
    actor: Actor,
    webhook_id: UUID,
    changes: Mapping[str, Any],
    *,
    rotate_secret: bool = False,
    expected_row_version: int | None = None,
) -> WebhookResult:
    """Update a webhook. `changes`: url, kinds, format, document, is_active, token.

    A replaced secret still signs for a day.
    """
    row = await _load_permitted(session, actor, Action.UPDATE_WEBHOOK, webhook_id)
    _require_not_from_settings(row)
    require_row_version(row.row_version, expected_row_version, "webhook")
    values = _changed_values(session, row, changes)
    secret = _create_secret() if rotate_secret else None
    if secret is not None:
        retired = retiring_entries(session.keyring, row, session.now + ROTATION_PERIOD, session.now)
        values["secrets"] = [new_entry(session, row.id, secret), *retired]
    if not values:
        return WebhookResult(row)
    if not await session.update_unchanged(Webhook, row, **values):
        raise Stale("Somebody changed this webhook at this moment. Read it again, then repeat your change.")
    event = WebhookUpdated(
        audience_team_ids=_audience(row),
        webhook_id=row.id,
        changed=list_changed(values),
        changes=_describe_changes(row, values),
    )
    session.record(event)
    return WebhookResult(await webhooks.get(session, webhook_id, visibility_of(actor)), secret)


async def delete(session: Session, actor: Actor, webhook_id: UUID) -> Webhook:
    """Delete a webhook with its pending deliveries."""
    row = await _load_permitted(session, actor, Action.DELETE_WEBHOOK, webhook_id)
    _require_not_from_settings(row)
    await webhooks.remove(session, row.id)
    session.record(WebhookDeleted(audience_team_ids=_audience(row), webhook_id=row.id, host=find_host(row.url)))
    return row


async def redeliver(session: Session, actor: Actor, delivery: UUID) -> WebhookDelivery:
    """Deliver an event again at once, whatever its status, with a new day of attempts."""
    require_scope(actor, Action.REDELIVER_WEBHOOK)
    before = await webhooks.get_delivery(session, delivery, visibility_of(actor))
    row = await _load_active(session, actor, Action.REDELIVER_WEBHOOK, before.webhook_id)
    if before.sequence is not None and before.sequence < await events.load_first_sequence(session):
        raise Conflict("The event of this delivery is archived. Read it in the files of the archive.")
    due_now: dict[str, Any] = {"since": session.now, "due_at": session.now}
    await session.update_row(WebhookDelivery, delivery, status=DeliveryStatus.PENDING, **due_now)
    session.record(WebhookRedelivered(audience_team_ids=_audience(row), webhook_id=row.id, delivery_id=before.id))
    return await webhooks.get_delivery(session, delivery, visibility_of(actor))


async def ping(session: Session, actor: Actor, webhook_id: UUID) -> WebhookDelivery:
    """Create a delivery without an event, to test the receiver. No event is recorded, because no data changes."""
    delivery = new_delivery(session, await _load_active(session, actor, Action.TEST_WEBHOOK, webhook_id))
    await session.insert(delivery)
    return delivery


async def _load_permitted(session: Session, actor: Actor, action: Action, webhook_id: UUID) -> Webhook:
    """Load the webhook to change; raises NotFound for one of another team, as for one that does not exist."""
    require_scope(actor, action)
    row = await webhooks.get(session, webhook_id, visibility_of(actor))
    authorize(actor, action, row.team_id)
    return row


async def _load_active(session: Session, actor: Actor, action: Action, webhook_id: UUID) -> Webhook:
    row = await _load_permitted(session, actor, action, webhook_id)
    if not row.is_active:
        raise Conflict("This webhook is paused: nothing is sent to it. Make it active first, with updateWebhook.")
    return row


def new_delivery(session: Session, row: Webhook, sequence: int | None = None) -> WebhookDelivery:
    """Build a delivery that is due now; without `sequence` it is a ping."""
    return WebhookDelivery(
        id=new_id(),
        webhook_id=row.id,
        sequence=sequence,
        status=DeliveryStatus.PENDING,
        attempts=[],
        since=session.now,
        due_at=session.now,
        created_at=session.now,
    )


async def sync_settings_webhook(session: Session, url: str | None) -> None:
    """Create, update or pause the webhook of the settings. Its secret is never stored: workers have it in settings."""
    present = await webhooks.by_ids.find(session, SETTINGS_WEBHOOK_ID)
    if url is None:
        if present and (present.is_active or present.secrets):
            await session.update_row(Webhook, SETTINGS_WEBHOOK_ID, is_active=False, secrets=[])
        return
    values: dict[str, Any] = {"url": validate_url(url), "secrets": [], "is_active": True}
    if present:
        if any(getattr(present, name) != value for name, value in values.items()):
            await session.update_row(Webhook, SETTINGS_WEBHOOK_ID, **values)
        return
    position = await events.load_last_sequence(session)
    row = Webhook(
        id=SETTINGS_WEBHOOK_ID, format=WebhookFormat.STANDARD, position=position, created_at=session.now, **values
    )
    await session.insert(row, conflict_message="Another process made the webhook of the settings.")


def _clean_kinds(requested_kinds: Sequence[str] | None, webhook_format: WebhookFormat) -> list[str] | None:
    if requested_kinds is None:
        return None
    if webhook_format is WebhookFormat.GITHUB_STATUS:
        raise Invalid("A commit status follows its change set by itself. Leave `kinds` out.", field=("kinds",))
    if unknown := [kind for kind in requested_kinds if kind not in ALL_EVENT_KINDS]:
        raise Invalid(f"There are no events of the kind {unknown[0][:100]!r}.", field=("kinds",))
    if not requested_kinds:
        raise Invalid("An empty list of kinds lets nothing through. Leave it out for all.", field=("kinds",))
    return sorted(set(requested_kinds))


def _create_token(
    session: Session, webhook_id: UUID, token: str | None, webhook_format: WebhookFormat
) -> dict[str, Any] | None:
    """Return the stored token of a webhook, which a commit status needs and no other format has."""
    if webhook_format is not WebhookFormat.GITHUB_STATUS:
        if token is not None:
            raise Invalid("Only the format GITHUB_STATUS has a token. Leave it out.", field=("token",))
        return None
    if token is None:
        raise Invalid(
            "A commit status needs a token of GitHub with the permission `Commit statuses: write`. Give it as `token`.",
            field=("token",),
        )
    if not 1 <= len(token) <= MAX_TOKEN or not all("!" <= char <= "~" for char in token):
        raise Invalid("This is no token of GitHub: it has spaces or other characters. Copy it again.", field=("token",))
    return new_token(session, webhook_id, token)


def _clean_document(text: str | None, webhook_format: WebhookFormat) -> str | None:
    if text is None:
        return None
    if webhook_format is not WebhookFormat.STANDARD:
        raise Invalid("A document chooses the payload of the format STANDARD only.", field=("document",))
    if len(text) > MAX_DOCUMENT:
        raise Invalid(f"The document has {len(text)} characters; {MAX_DOCUMENT} is the limit.", field=("document",))
    return text


def _changed_values(session: Session, row: Webhook, changes: Mapping[str, Any]) -> dict[str, Any]:
    values = dict(changes)
    webhook_format = values.get("format", row.format)
    is_other_format = webhook_format is not row.format
    if "url" in values or is_other_format:
        values["url"] = clean_address(values.get("url", row.url), webhook_format)
    if "kinds" in values or is_other_format:
        values["kinds"] = _clean_kinds(values.get("kinds", row.kinds), webhook_format)
    if "token" in values or is_other_format:
        values["token"] = _create_token(session, row.id, values.get("token"), webhook_format)
    if {"document", "format"} & values.keys():
        values["document"] = _clean_document(values.get("document", row.document), webhook_format)
    return {name: value for name, value in values.items() if value != getattr(row, name)}


def _describe_changes(row: Webhook, values: Mapping[str, Any]) -> ValueChanges:
    """Describe an update with the hosts of the URLs, since their paths may contain a secret."""
    changes = describe_changes(row, values)
    if "url" in values:
        changes["url"] = {"before": find_host(row.url), "after": find_host(values["url"])}
    return changes


def _create_secret() -> str:
    return SIGNING_KEY_PREFIX + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


def _require_not_from_settings(row: Webhook) -> None:
    if row.id == SETTINGS_WEBHOOK_ID:
        raise Conflict("This webhook comes from the settings. Change WEBHOOK_URL and WEBHOOK_SECRET instead.")


def _audience(row: Webhook) -> frozenset[UUID]:
    return frozenset({row.team_id} if row.team_id else ())
