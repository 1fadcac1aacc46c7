"""Store secrets of webhooks: encrypted if the server has a key, and re-encrypted when keys change.

Each row lists its secrets, newest first, then replaced ones that still sign for a while; the token of a channel is one
entry beside them. An entry holds `encrypted` or,
without a key, the plain `secret`; `until` is when it stops signing.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeAlias
from uuid import UUID

from tessera_gql.errors import Conflict, Stale
from tessera_gql.store import webhooks
from tessera_gql.store.encryption import Keyring, UnreadableSecret
from tessera_gql.store.session import Session
from tessera_gql.store.tables import Webhook

SecretEntry: TypeAlias = dict[str, Any]

NO_KEY_MESSAGE = (
    "This server can't store the secret of a webhook safely: it has no SECRETS_KEY."
    " Ask an administrator to set it, with `openssl rand -base64 32`."
)


@dataclass(frozen=True)
class StoredSecrets:
    """What a pass over all secrets encrypted and left in plain; `unreadable` webhooks need a key that is missing."""

    encrypted: int = 0
    plain: int = 0
    lacks_key: bool = False
    unreadable: tuple[UUID, ...] = ()

    def warnings(self) -> Iterator[str]:
        """Warnings for an operator, as sentences."""
        if self.lacks_key:
            yield (
                f"SECRETS_KEY is not set: webhooks can't be created, and {self.plain} secrets of webhooks are stored"
                " in plain. Set it to the output of `openssl rand -base64 32`."
            )
        if self.unreadable:
            yield (
                f"The secrets of {len(self.unreadable)} webhooks can't be decrypted, so nothing is delivered to them:"
                f" {', '.join(map(str, self.unreadable[:10]))}. Add the key that encrypted them to SECRETS_KEY,"
                " or make new secrets with updateWebhook and `rotateSecret`."
            )


def new_entry(session: Session, webhook_id: UUID, secret: str) -> SecretEntry:
    """The entry for a new secret. Raises Conflict on a server that needs a key to store it and has none."""
    return _new_entry(session, secret, _secret_context(webhook_id))


def new_token(session: Session, webhook_id: UUID, token: str) -> SecretEntry:
    """The entry for a new token of a channel, stored as a secret is."""
    return _new_entry(session, token, _token_context(webhook_id))


def read_token(keyring: Keyring, row: Webhook) -> str | None:
    """Return the token of a webhook; None if it has none. Raises UnreadableSecret if it can't be decrypted."""
    return None if row.token is None else _read_secret(keyring, _token_context(row.id), row.token)


def _new_entry(session: Session, secret: str, context: str) -> SecretEntry:
    if session.keyring.keys:
        return {"encrypted": session.keyring.encrypt(secret, context), "until": None}
    if session.keyring.is_required:
        raise Conflict(NO_KEY_MESSAGE)
    return {"secret": secret, "until": None}


def signing_secrets(keyring: Keyring, row: Webhook, now: datetime) -> list[str]:
    """The secrets that sign now, newest first.

    Raises UnreadableSecret if the newest can't be decrypted; older ones that can't be are left out.
    """
    active = _active_entries(row, now)
    usable = active[:1] + [entry for entry in active[1:] if _is_readable(keyring, _secret_context(row.id), entry)]
    return [_read_secret(keyring, _secret_context(row.id), entry) for entry in usable]


def retiring_entries(keyring: Keyring, row: Webhook, until: datetime, now: datetime) -> list[SecretEntry]:
    """Return the entries that sign in addition to a new secret: each until its own end, or else until `until`."""
    usable = [entry for entry in _active_entries(row, now) if _is_readable(keyring, _secret_context(row.id), entry)]
    return [{**entry, "until": entry["until"] or until.isoformat()} for entry in usable]


async def encrypt_stored(session: Session, *, rotate: bool = False) -> StoredSecrets:
    """Encrypt plain secrets; with `rotate` also those encrypted under an older key. Raises Stale in a race."""
    encrypted, plain, unreadable = 0, 0, list[UUID]()
    for row in await webhooks.list_with_secrets(session):
        contexts = [*(_secret_context(row.id) for _ in row.secrets), *([_token_context(row.id)] if row.token else [])]
        before = [*row.secrets, *([row.token] if row.token else [])]
        entries = [
            _encrypt_entry(session.keyring, context, entry, rotate=rotate)
            for context, entry in zip(contexts, before, strict=True)
        ]
        changed = sum(new is not old for new, old in zip(entries, before, strict=True))
        secrets, token = entries[: len(row.secrets)], entries[-1] if row.token else None
        if changed and not await webhooks.replace_secrets(session, row, secrets, token):
            raise Stale("A webhook was changed at this moment. Run it again.")
        encrypted += changed
        plain += sum("secret" in entry for entry in entries)
        needed = [*zip(contexts, entries, strict=True)][:: max(len(secrets), 1)]
        if not all(_is_readable(session.keyring, context, entry) for context, entry in needed):
            unreadable.append(row.id)
    lacks_key = session.keyring.is_required and not session.keyring.keys
    return StoredSecrets(encrypted, plain, lacks_key, tuple(unreadable))


def _encrypt_entry(keyring: Keyring, context: str, entry: SecretEntry, *, rotate: bool) -> SecretEntry:
    """Encrypt an entry; returns the same object if there is nothing to do, or no key."""
    is_done = "encrypted" in entry and (not rotate or keyring.is_current(entry["encrypted"]))
    if is_done or not keyring.keys or not _is_readable(keyring, context, entry):
        return entry
    secret = _read_secret(keyring, context, entry)
    return {"encrypted": keyring.encrypt(secret, context), "until": entry["until"]}


def _active_entries(row: Webhook, now: datetime) -> list[SecretEntry]:
    return [entry for entry in row.secrets if entry["until"] is None or datetime.fromisoformat(entry["until"]) > now]


def _is_readable(keyring: Keyring, context: str, entry: SecretEntry) -> bool:
    try:
        _read_secret(keyring, context, entry)
    except UnreadableSecret:
        return False
    return True


def _read_secret(keyring: Keyring, context: str, entry: SecretEntry) -> str:
    if "encrypted" in entry:
        return keyring.decrypt(entry["encrypted"], context)
    return str(entry["secret"])


def _secret_context(webhook_id: UUID) -> str:
    return f"webhook {webhook_id}"


def _token_context(webhook_id: UUID) -> str:
    return f"token of webhook {webhook_id}"
