"""Search of teams and assets by name, fqn and description, ranking exact matches before prefixes before others.

What is archived is not found.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, Table, case, func, literal, select, tuple_, union_all

from tessera_gql.policy.validation import uniqueness_key
from tessera_gql.store.session import Session
from tessera_gql.store.tables import Asset, Team, table

teams = table(Team)
assets = table(Asset)


@dataclass(frozen=True)
class Hit:
    """A row that matches a search; hits are sorted by rank, label and id."""

    type_name: str
    rank: int
    label: str
    id: UUID


def _match_query(
    type_name: str, source: Table, label: ColumnElement[str], text: str, *bodies: ColumnElement[str]
) -> Select[*tuple[Any, ...]]:
    key_text = uniqueness_key(text)
    rank = case((label == key_text, 0), (label.startswith(key_text, autoescape=True), 1), else_=2)
    condition = label.contains(key_text, autoescape=True)
    for body in bodies:
        condition = condition | func.lower(body).contains(text.lower(), autoescape=True)
    columns = (literal(type_name).label("type_name"), rank.label("rank"), label.label("label"), source.c.id.label("id"))
    return select(*columns).where(condition, source.c.archived_at.is_(None))


def _match_queries(text: str, type_names: Sequence[str]) -> list[Select[*tuple[Any, ...]]]:
    text = text.strip()
    by_type = {
        "Team": _match_query("Team", teams, teams.c.name_key, text),
        "Asset": _match_query("Asset", assets, assets.c.fqn_key, text, assets.c.description),
    }
    return [by_type[name] for name in type_names]


async def find_hits(
    session: Session, text: str, type_names: Sequence[str], *, limit: int, after: tuple[int, str, UUID] | None = None
) -> list[Hit]:
    """Find the best hits after the sort key of another hit, equal ranks in the order of names."""
    hits = union_all(*_match_queries(text, type_names)).subquery()
    statement = select(hits).order_by(hits.c.rank, hits.c.label, hits.c.id).limit(limit)
    if after is not None:
        rank, label, identity = after
        position = tuple_(hits.c.rank, hits.c.label, hits.c.id)
        statement = statement.where(position > tuple_(literal(rank), literal(label), literal(identity, hits.c.id.type)))
    return [Hit(row.type_name, row.rank, row.label, row.id) for row in await session.rows(statement)]


async def count_hits(session: Session, text: str, type_names: Sequence[str]) -> int:
    """Count all hits of a search."""
    hits = union_all(*_match_queries(text, type_names)).subquery()
    return int(await session.value(select(func.count()).select_from(hits)))
