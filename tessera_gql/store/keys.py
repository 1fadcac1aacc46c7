"""Queries of API keys. A token is found by its SHA-256, because 32 random bytes need no slower hash and no salt."""

import hashlib
from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

from sqlalchemy import bindparam, exists, func, or_, select, update

from tessera_gql.errors import NotFound
from tessera_gql.policy.visibility import Visibility
from tessera_gql.store.session import RowQuery, Session
from tessera_gql.store.tables import ApiKey, table
from tessera_gql.store.visibility import get_visible_row

BOOTSTRAP_LOCK = 0x7E55E4C

TABLE = table(ApiKey)
find_by_hash = RowQuery(ApiKey, "token_hash").find
"""Find a key by its token's hash, also a revoked or expired one, so that its holder can learn the reason."""


def hash_token(token: str) -> str:
    """Hash a token with SHA-256 for storage and lookup."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


find_by_id = RowQuery(ApiKey, "id").find
"""Find a key by its id, also a revoked or expired one."""


async def list_by_prefix(session: Session, prefix: str) -> list[ApiKey]:
    """Load the keys with this prefix that are not revoked; a prefix almost always belongs to one key."""
    statement = select(TABLE).where(TABLE.c.prefix == prefix, TABLE.c.revoked_at.is_(None)).order_by(TABLE.c.created_at)
    return await session.list(statement, ApiKey)


async def list_all(session: Session) -> list[ApiKey]:
    """Load all keys, oldest first, including revoked ones."""
    return await session.list(select(TABLE).order_by(TABLE.c.created_at, TABLE.c.id), ApiKey)


async def get(session: Session, key_id: UUID, visibility: Visibility) -> ApiKey:
    """Return a key by its id; raise NotFound if it does not exist or the caller may not see it."""
    error = NotFound("There is no such API key. Look it up with apiKeys or `tessera keys list`.", field=("api_key",))
    key: ApiKey = await get_visible_row(session, TABLE.c.id, key_id, visibility, error)
    return key


async def revoke(session: Session, key_id: UUID) -> bool:
    """Revoke a key; return False if it is revoked already."""
    is_valid = (TABLE.c.id == key_id) & TABLE.c.revoked_at.is_(None)
    return bool(await session.update(ApiKey, is_valid, revoked_at=session.now))


async def any_exists(session: Session) -> bool:
    """Return whether any API key exists. In write transactions, concurrent processes wait for each other here."""
    if session.dialect == "postgresql":
        await session.execute(select(func.pg_advisory_xact_lock(BOOTSTRAP_LOCK)))
    return bool(await session.value(select(exists(select(TABLE.c.id)))))


async def record_use(session: Session, moments: Mapping[UUID, datetime]) -> None:
    """Store when each key was last used; an earlier time never replaces a later one."""
    statement = update(TABLE).where(
        TABLE.c.id == bindparam("key"), or_(TABLE.c.last_used_at.is_(None), TABLE.c.last_used_at < bindparam("moment"))
    )
    values = [{"key": key, "moment": moment} for key, moment in sorted(moments.items())]
    await session.execute(statement.values(last_used_at=bindparam("moment")), values)
