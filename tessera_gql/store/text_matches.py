"""Decide whether assets that contain a text are found by the index of trigrams or in the order of the list.

A page of a text that many assets contain is found in the order of the list after few rows; a rare text is looked up. A
sample of the texts says how common a text is. It decides about the way, never about the result.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy import ColumnElement, FromClause, Select, func, literal_column, select

from tessera_gql.store.compiled import PreparedQuery, list_parameter
from tessera_gql.store.conditions import (
    CONTAINS_BY_INDEX,
    CONTAINS_IN_INDEX,
    CONTAINS_OFTEN,
    TEXT_NUMBERS,
    TRIGRAM_SIZE,
    AnyCondition,
    Combination,
    Condition,
    fold_column,
    fold_value,
    list_leaves,
)
from tessera_gql.store.session import Session
from tessera_gql.store.tables import Asset, table

ASSETS = table(Asset)
COLUMNS = ("fqn", "description")
"""The columns of assets with an index of trigrams."""
MAX_PAGE_SHARE = 0.005
"""The greatest share of assets with a text that is looked up for a page."""
MAX_COUNT_SHARE = 0.2
"""The greatest share of assets with a text that is looked up for a count, which reads more rows than a page."""
SAMPLE_SIZE = 1_000
SAMPLED_PAGES = 400
"""Pages of the table from which a sample is taken on PostgreSQL. Neighbours have similar texts, so these are many."""
PAGE_BYTES = 8_192
COMPARED_TEXTS = 250
"""Texts of a sample that say how common a trigram is."""
MAX_COMPARED_TRIGRAMS = 12
MAX_TRIGRAMS = 6
"""The trigrams of a text that are looked up at most."""
MAX_TRIGRAM_SHARE = 0.5
"""The greatest share of texts with a trigram for which it is looked up beside others."""
ROW_COST = 100
"""The time to read and compare a row, in entries of the index that are read in this time."""
LIFETIME_SECONDS = 300.0
"""Time for which a process uses a sample."""


async def use_text_index(
    session: Session, source: FromClause, conditions: tuple[AnyCondition, ...], max_share: float
) -> tuple[AnyCondition, ...]:
    """Return equal conditions, of which those on texts that few assets contain use the index."""
    if source is not ASSETS or not any(map(_has_index, list_leaves(conditions))):
        return conditions
    sample = await _load_sample(session)

    def convert(condition: AnyCondition, operator: str) -> AnyCondition:
        if isinstance(condition, Combination):
            groups = (tuple(convert(item, CONTAINS_IN_INDEX) for item in group) for group in condition.groups)
            return Combination(tuple(groups), condition.is_negated)
        if not _has_index(condition):
            return condition
        is_common = _estimate_share(sample, condition) > max_share
        trigrams = choose_trigrams(fold_value(ASSETS, condition), sample.get(condition.column, ()))
        return replace(condition, operator=CONTAINS_OFTEN if is_common else operator, trigrams=trigrams)

    return tuple(convert(condition, CONTAINS_BY_INDEX) for condition in conditions)


def _has_index(condition: Condition) -> bool:
    return (
        condition.operator == "contains"
        and not condition.related
        and condition.column in COLUMNS
        and len(fold_value(ASSETS, condition)) >= TRIGRAM_SIZE
    )


def choose_trigrams(text: str, texts: Sequence[str]) -> tuple[str, ...]:
    """Choose some trigrams from all over a text, since neighbours occur together: those that few of the texts have.

    One more is looked up if this takes less time than to compare the rows that the others leave.
    """
    last = len(text) - TRIGRAM_SIZE
    count = min(last + 1, MAX_COMPARED_TRIGRAMS)
    starts = [last * index // max(1, count - 1) for index in range(count)]
    remaining = texts[:COMPARED_TEXTS]
    sample = "\n".join(remaining)
    counts = {trigram: sample.count(trigram) for trigram in (text[start : start + TRIGRAM_SIZE] for start in starts)}
    trigrams, part = [*counts], -(-len(counts) // MAX_TRIGRAMS)
    rarest = [min(trigrams[i : i + part], key=counts.__getitem__) for i in range(0, len(trigrams), part)]
    chosen, product = list[str](), 1.0
    for trigram in sorted(rarest, key=counts.__getitem__):
        share = max(0.5, counts[trigram]) / COMPARED_TEXTS
        if chosen and share > min(MAX_TRIGRAM_SHARE, ROW_COST * max(product, len(remaining) / COMPARED_TEXTS)):
            break
        chosen.append(trigram)
        product *= share
        remaining = [item for item in remaining if trigram in item]
    return tuple(chosen)


def _estimate_share(sample: Mapping[str, Sequence[str]], condition: Condition) -> float:
    texts, text = sample.get(condition.column, ()), fold_value(ASSETS, condition)
    return sum(text in item for item in texts) / max(1, len(texts))


async def _load_sample(session: Session) -> Mapping[str, Sequence[str]]:
    """Return the texts of some assets by column; those of a process are read anew if they are too old.

    Meanwhile other requests use the earlier ones: at first none, so that all texts are taken for rare.
    """
    cache = session.frequency_cache
    if time.monotonic() >= cache.texts_expire_at:
        cache.texts_expire_at = time.monotonic() + LIFETIME_SECONDS
        rows = await session.fetch(_sample_query(), steps=range(SAMPLE_SIZE))
        cache.texts = {column: [getattr(row, column) or "" for row in rows] for column in COLUMNS}
    return cache.texts


@lru_cache
def _sample_query() -> PreparedQuery:
    def build(dialect: str) -> Select[Any]:
        is_postgres = dialect == "postgresql"
        source: Any = ASSETS.tablesample(func.system(_sampled_percentage())) if is_postgres else ASSETS
        texts = [fold_column(ASSETS, name, source.c[name]) for name in COLUMNS]
        texts = [source.c.fqn_key if name == "fqn" else text for name, text in zip(COLUMNS, texts, strict=True)]
        statement = select(*(text.label(name) for name, text in zip(COLUMNS, texts, strict=True)))
        if is_postgres:
            return statement.order_by(func.random()).limit(literal_column(str(SAMPLE_SIZE)))
        number = TEXT_NUMBERS.c.number
        steps = func.json_each(list_parameter("steps", number)).table_valued(sa.column("value", sa.Integer))
        last = select(func.max(number)).scalar_subquery()
        numbers = select(1 + last * steps.c.value // SAMPLE_SIZE)
        return statement.join(TEXT_NUMBERS, TEXT_NUMBERS.c.asset_id == ASSETS.c.id).where(number.in_(numbers))

    return PreparedQuery(build)


def _sampled_percentage() -> ColumnElement[Any]:
    size = func.greatest(1, func.pg_relation_size("core.assets"))
    return func.least(100, sa.literal_column(f"{100.0 * SAMPLED_PAGES * PAGE_BYTES}") / size)
