"""The anchors at which the archived parts of the event log end, signed with SECRETS_KEY."""

from collections.abc import Sequence
from datetime import UTC
from typing import Any

import orjson
from sqlalchemy import func, select, text, update

from tessera_gql.store.encryption import Keyring
from tessera_gql.store.session import Session
from tessera_gql.store.tables import EventAnchor, table

TABLE = table(EventAnchor)
ARCHIVE_LOCK = 0x7E55E4C
SIGNED_COLUMNS = tuple(column.key for column in TABLE.columns if column.key != "signature")

LOCK_SQL = select(func.pg_advisory_xact_lock(ARCHIVE_LOCK))
MAY_DELETE_SQL = text("SELECT has_table_privilege(current_user, 'audit.events', 'DELETE')")


async def list_all(session: Session) -> list[EventAnchor]:
    """Load all anchors in the order of the log."""
    return await session.list(select(TABLE).order_by(TABLE.c.sequence), EventAnchor)


async def find_last(session: Session) -> EventAnchor | None:
    """Load the last anchor, up to which events are archived; None if none are."""
    return await session.find(select(TABLE).order_by(TABLE.c.sequence.desc()).limit(1), EventAnchor)


async def lock(session: Session) -> None:
    """Wait for other archives until the commit; SQLite has one writer anyway."""
    if session.dialect == "postgresql":
        await session.execute(LOCK_SQL)


async def may_delete_events(session: Session) -> bool:
    """Return whether the role of the database may delete events; a trigger limits it to archived ones."""
    return session.dialect != "postgresql" or bool(await session.value(MAY_DELETE_SQL))


async def insert(session: Session, **values: Any) -> None:
    """Sign and insert an anchor. The database refuses one without its event, or without a later event."""
    values |= {"archived_at": session.now}
    await session.append(TABLE, [{**values, "signature": session.keyring.sign(_signed_text(values))}])


async def sign_again(session: Session) -> list[str]:
    """Sign all anchors with the newest key; return what is wrong with those that stay as they are."""
    faults: list[str] = []
    for anchor in await list_all(session):
        if fault := find_fault(session.keyring, anchor):
            faults.append(f"The anchor of event {anchor.sequence}: {fault}.")
            continue
        signature = session.keyring.sign(_signed_text(_values(anchor)))
        await session.execute(update(TABLE).where(TABLE.c.sequence == anchor.sequence).values(signature=signature))
    return faults


def find_fault(keyring: Keyring, anchor: EventAnchor) -> str | None:
    """Return why the signature of an anchor does not hold; None if it holds."""
    return keyring.find_signature_fault(_signed_text(_values(anchor)), anchor.signature)


def find_broken(keyring: Keyring, anchors: Sequence[EventAnchor]) -> tuple[EventAnchor, str] | None:
    """Return the first anchor whose signature does not hold, with the reason. Without a key none is checked."""
    faults = ((anchor, find_fault(keyring, anchor)) for anchor in anchors if keyring.keys)
    return next(((anchor, fault) for anchor, fault in faults if fault), None)


def _values(anchor: EventAnchor) -> dict[str, Any]:
    return {name: getattr(anchor, name) for name in SIGNED_COLUMNS}


def _signed_text(values: dict[str, Any]) -> bytes:
    times = {name: values[name].astimezone(UTC).isoformat() for name in ("archived_before", "archived_at")}
    return orjson.dumps({**values, **times}, option=orjson.OPT_SORT_KEYS)
