"""Look up the assets that contain a text by an index of trigrams, in place of reading all of them.

Before a list is read, a condition that few assets meet becomes one on their ids. A text that many assets have stays a
condition: a page of them is found in the order of the list after few rows.
"""

import time
from collections.abc import Iterable, Sequence
from functools import lru_cache, partial
from typing import Any

import sqlalchemy as sa
from sqlalchemy import FromClause, Select, Text, bindparam, func, literal_column, select

from tessera_gql.store.compiled import PreparedQuery, ValueList
from tessera_gql.store.conditions import (
    AnyCondition,
    Combination,
    Condition,
    build_condition,
    fold_column,
    fold_value,
    list_leaves,
    to_parameters,
)
from tessera_gql.store.session import Session
from tessera_gql.store.tables import Asset, table

ASSETS = table(Asset)
COLUMNS = {"fqn": "fqn_key", "description": "description"}
"""The columns of assets with an index of trigrams, and their names in that of SQLite."""
SIZE = 3
MAX_TRIGRAMS = 8
MAX_MATCHES = 2_000
LIFETIME_SECONDS = 300.0
"""Time for which a process takes a text with more matches as common."""
MAX_COMMON_TEXTS = 1_000
NUMBERS = sa.table("search_index_assets", sa.column("number"), sa.column("asset_id"))
TRIGRAMS = sa.table("search_index_asset_texts", sa.column("rowid"))


def has_texts(source: FromClause, conditions: Iterable[AnyCondition]) -> bool:
    """Return whether some condition can be looked up."""
    return source is ASSETS and any(map(_can_look_up, list_leaves(conditions)))


def _can_look_up(condition: Condition) -> bool:
    return (
        condition.operator == "contains"
        and not condition.related
        and condition.column in COLUMNS
        and len(fold_value(ASSETS, condition)) >= SIZE
    )


async def look_up_texts(
    session: Session, source: FromClause, conditions: tuple[AnyCondition, ...]
) -> tuple[AnyCondition, ...]:
    """Return equal conditions, in which those on texts that few assets contain are conditions on ids."""
    if not has_texts(source, conditions):
        return conditions
    replaced: dict[Condition, Condition] = {}
    for condition in filter(_can_look_up, list_leaves(conditions)):
        ids = await _load_matches(session, condition)
        if ids is not None:
            replaced[condition] = Condition("id", "in", ids)
    return tuple(map(partial(_replace, replaced), conditions))


def _replace(replaced: dict[Condition, Condition], condition: AnyCondition) -> AnyCondition:
    if isinstance(condition, Condition):
        return replaced.get(condition, condition)
    groups = (tuple(_replace(replaced, item) for item in group) for group in condition.groups)
    return Combination(tuple(groups), condition.is_negated)


async def _load_matches(session: Session, condition: Condition) -> Sequence[Any] | None:
    """Load the ids of the assets that meet a condition; None if they are too many."""
    if condition in session.text_matches:
        return session.text_matches[condition]
    common_texts, key = session.frequency_cache.common_texts, (condition.column, fold_value(ASSETS, condition))
    if common_texts.get(key, 0.0) > time.monotonic():
        return None
    parameters = to_parameters(ASSETS, condition, "pattern")
    rows = await session.fetch(
        _matches_query(condition.column), **parameters, **_trigram_parameters(session.dialect, *key)
    )
    matches = tuple(row.id for row in rows) if len(rows) <= MAX_MATCHES else None
    session.text_matches[condition] = matches
    if matches is None:
        if len(common_texts) >= MAX_COMMON_TEXTS:
            common_texts.clear()
        common_texts[key] = time.monotonic() + LIFETIME_SECONDS
    return matches


def _trigram_parameters(dialect: str, column: str, text: str) -> dict[str, Any]:
    trigrams = choose_trigrams(text)
    if dialect == "postgresql":
        return {"trigrams": trigrams}
    quoted = (f'"{trigram}"' for trigram in (trigram.replace('"', '""') for trigram in trigrams))
    return {"match": f"{COLUMNS[column]} : ({' AND '.join(quoted)})"}


def choose_trigrams(text: str) -> list[str]:
    """Choose some trigrams from all over a text: each takes time to look up, and the rows are checked anyway."""
    last = len(text) - SIZE
    count = min(last + 1, MAX_TRIGRAMS)
    starts = (last * index // max(1, count - 1) for index in range(count))
    return [*dict.fromkeys(text[start : start + SIZE] for start in starts)]


@lru_cache
def _matches_query(column: str) -> PreparedQuery:
    def build(dialect: str) -> Select[Any]:
        condition = Condition(column, "contains", "")
        is_met = build_condition(dialect, ASSETS, ASSETS.c[column], condition.shape, "pattern")
        statement = select(ASSETS.c.id).where(is_met).limit(literal_column(str(MAX_MATCHES + 1)))
        if dialect == "postgresql":
            has_trigrams = func.core.trigrams(fold_column(ASSETS, column, ASSETS.c[column])).bool_op("@>")
            return statement.where(has_trigrams(bindparam("trigrams", type_=ValueList(Text()))))
        is_match = literal_column("search_index_asset_texts").bool_op("MATCH")(bindparam("match", type_=Text()))
        numbered = statement.join(NUMBERS, NUMBERS.c.asset_id == ASSETS.c.id)
        return numbered.join(TRIGRAMS, TRIGRAMS.c.rowid == NUMBERS.c.number).where(is_match)

    return PreparedQuery(build)
