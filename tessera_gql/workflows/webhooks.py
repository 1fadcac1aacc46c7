"""Webhooks come, change and go. Each begins behind the last event of that moment; its secret leaves here once."""

import base64
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from tessera_gql.errors import Conflict, Invalid, Stale
from tessera_gql.policy.access import Actor, Verb, permit, require_scope
from tessera_gql.policy.events import KINDS, WebhookCreated, WebhookDeleted, WebhookRedelivered, WebhookUpdated
from tessera_gql.policy.visibility import view_of
from tessera_gql.policy.words import DeliveryStatus, WebhookFormat
from tessera_gql.store import events, teams, webhooks
from tessera_gql.store.session import Session
from tessera_gql.store.tables import Webhook, WebhookDelivery, new_id
from tessera_gql.store.teams import TeamRef
from tessera_gql.workflows.teams import expect
from tessera_gql.workflows.webhook_secrets import new_entry, retiring

MARK = "whsec_"
SECRET_BYTES = 32
ROTATION = timedelta(hours=24)
MAX_URL = 2_000
MAX_DOCUMENT = 20_000

# The webhook of the settings is one row, whichever process comes first.
STANDING = UUID("00000000-0000-7000-8000-000000000001")


@dataclass(frozen=True)
class NewWebhook:
    """Without a team it gets every event there is: an administrator's."""

    url: str
    team: TeamRef | None = None
    kinds: Sequence[str] | None = None
    format: WebhookFormat = WebhookFormat.STANDARD
    document: str | None = None


@dataclass(frozen=True)
class Made:
    """`secret` is not shown by accident: it is left out of the representation."""

    webhook: Webhook
    secret: str | None = field(default=None, repr=False)


async def create(session: Session, actor: Actor, asked: NewWebhook) -> Made:
    """From now on it gets every event of its filter, at least once."""
    named = await teams.get(session, asked.team) if asked.team else None
    team_id = named.id if named else None if actor.is_admin else actor.team_id
    permit(actor, Verb.CREATE_WEBHOOK, team_id)
    identity, secret = new_id(), _new_secret()
    row = Webhook(
        id=identity,
        team_id=team_id,
        url=address(asked.url),
        secrets=[new_entry(session, identity, secret)],
        kinds=_kinds(asked.kinds),
        format=asked.format,
        document=_document(asked.document, asked.format),
        position=await events.last_sequence(session),
        created_at=session.now,
    )
    await session.insert(row)
    kinds = None if row.kinds is None else tuple(row.kinds)
    session.record(WebhookCreated(teams=_told(row), webhook_id=row.id, host=host(row.url), kinds=kinds))
    return Made(row, secret)


async def update(
    session: Session,
    actor: Actor,
    identity: UUID,
    changes: Mapping[str, Any],
    *,
    rotate_secret: bool = False,
    expected_row_version: int | None = None,
) -> Made:
    """`changes`: url, kinds, format, document, is_active. A secret that was replaced goes on signing for a day."""
    row = await _find(session, actor, Verb.UPDATE_WEBHOOK, identity)
    _require_ours(row)
    expect(row.row_version, expected_row_version, "webhook")
    values = _changes(row, changes)
    secret = _new_secret() if rotate_secret else None
    if secret is not None:
        retired = retiring(session.keyring, row, session.now + ROTATION, session.now)
        values["secrets"] = [new_entry(session, row.id, secret), *retired]
    if not values:
        return Made(row)
    same = (webhooks.rows.c.id == row.id) & (webhooks.rows.c.row_version == row.row_version)
    if not await session.update(Webhook, same, **values, row_version=row.row_version + 1):
        raise Stale("Somebody changed this webhook at this moment. Read it again, then repeat your change.")
    session.record(WebhookUpdated(teams=_told(row), webhook_id=row.id, changed=tuple(sorted(values))))
    return Made(await webhooks.get(session, identity, view_of(actor)), secret)


async def delete(session: Session, actor: Actor, identity: UUID) -> Webhook:
    """With what was still on its way to it."""
    row = await _find(session, actor, Verb.DELETE_WEBHOOK, identity)
    _require_ours(row)
    await webhooks.remove(session, row.id)
    session.record(WebhookDeleted(teams=_told(row), webhook_id=row.id, host=host(row.url)))
    return row


async def redeliver(session: Session, actor: Actor, delivery: UUID) -> WebhookDelivery:
    """Sends it once more at once, whatever came of it, with a fresh day of attempts."""
    require_scope(actor, Verb.REDELIVER_WEBHOOK)
    found = await webhooks.get_delivery(session, delivery, view_of(actor))
    row = await _find(session, actor, Verb.REDELIVER_WEBHOOK, found.webhook_id)
    if not row.is_active:
        raise Conflict("This webhook is paused: nothing is sent to it. Make it active first, with updateWebhook.")
    here = webhooks.deliveries.c.id == found.id
    await session.update(WebhookDelivery, here, status=DeliveryStatus.PENDING, since=session.now, due_at=session.now)
    session.record(WebhookRedelivered(teams=_told(row), webhook_id=row.id, delivery_id=found.id))
    return await webhooks.get_delivery(session, delivery, view_of(actor))


async def ping(session: Session, actor: Actor, identity: UUID) -> WebhookDelivery:
    """A delivery of no event, to see whether it arrives. Nothing of ours changes, so the log does not tell of it."""
    row = await _find(session, actor, Verb.TEST_WEBHOOK, identity)
    if not row.is_active:
        raise Conflict("This webhook is paused: nothing is sent to it. Make it active first, with updateWebhook.")
    delivery = due(session, row)
    await session.insert(delivery)
    return delivery


async def _find(session: Session, actor: Actor, verb: Verb, identity: UUID) -> Webhook:
    """The webhook to work on; raises NotFound for one of another team, as for one that does not exist."""
    require_scope(actor, verb)
    row = await webhooks.get(session, identity, view_of(actor))
    permit(actor, verb, row.team_id)
    return row


def due(session: Session, row: Webhook, sequence: int | None = None) -> WebhookDelivery:
    """A delivery that begins now: of an event, or (None) a ping."""
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


async def stand(session: Session, url: str | None) -> None:
    """The webhook of the settings: there with that address, or paused when the settings have none.

    Its secret stays in the settings: each worker signs with its own, and the database never holds it.
    """
    found = await webhooks.by_ids(session, [STANDING])
    if url is None:
        if found and (found[0].is_active or found[0].secrets):
            await session.update(Webhook, webhooks.rows.c.id == STANDING, is_active=False, secrets=[])
        return
    wanted: dict[str, Any] = {"url": address(url), "secrets": [], "is_active": True}
    if found:
        if any(getattr(found[0], name) != value for name, value in wanted.items()):
            await session.update(Webhook, webhooks.rows.c.id == STANDING, **wanted)
        return
    position = await events.last_sequence(session)
    row = Webhook(id=STANDING, format=WebhookFormat.STANDARD, position=position, created_at=session.now, **wanted)
    await session.insert(row, clash="Another process made the webhook of the settings.")


def address(url: str) -> str:
    """An http or https address without credentials; whether it may be called is decided when it is."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        parts, port = None, None
    if parts is None or parts.scheme not in ("http", "https") or not parts.hostname or port == 0 or _odd(url):
        raise Invalid(
            f"{url[:100]!r} is not an address to post to. Write it as in https://example.com/hook.", field=("url",)
        )
    if parts.username is not None or parts.password is not None:
        raise Invalid("The address holds credentials. Leave them out: each post is signed instead.", field=("url",))
    return url


def _odd(url: str) -> bool:
    return len(url) > MAX_URL or any(not "!" <= char <= "~" for char in url)


def host(url: str) -> str:
    return urlsplit(url).hostname or ""


def _kinds(wanted: Sequence[str] | None) -> list[str] | None:
    if wanted is None:
        return None
    if unknown := [kind for kind in wanted if kind not in KINDS]:
        raise Invalid(f"There are no events of the kind {unknown[0][:100]!r}.", field=("kinds",))
    if not wanted:
        raise Invalid("An empty list of kinds lets nothing through. Leave it out for all.", field=("kinds",))
    return sorted(set(wanted))


def _document(text: str | None, shape: WebhookFormat) -> str | None:
    if text is None:
        return None
    if shape is not WebhookFormat.STANDARD:
        raise Invalid("A document chooses the payload of the format STANDARD only.", field=("document",))
    if len(text) > MAX_DOCUMENT:
        raise Invalid(f"The document has {len(text)} characters; {MAX_DOCUMENT} is the limit.", field=("document",))
    return text


def _changes(row: Webhook, changes: Mapping[str, Any]) -> dict[str, Any]:
    wanted = dict(changes)
    if "url" in wanted:
        wanted["url"] = address(wanted["url"])
    if "kinds" in wanted:
        wanted["kinds"] = _kinds(wanted["kinds"])
    if {"document", "format"} & wanted.keys():
        wanted["document"] = _document(wanted.get("document", row.document), wanted.get("format", row.format))
    return {name: value for name, value in wanted.items() if value != getattr(row, name)}


def _new_secret() -> str:
    return MARK + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


def _require_ours(row: Webhook) -> None:
    if row.id == STANDING:
        raise Conflict("This webhook comes from the settings. Change WEBHOOK_URL and WEBHOOK_SECRET instead.")


def _told(row: Webhook) -> frozenset[UUID]:
    return frozenset({row.team_id} if row.team_id else ())
