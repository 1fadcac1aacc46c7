"""The sample of texts decides about the way of a filter, so requests that have none yet are answered as well."""

import asyncio

from tessera_gql.store.conditions import AnyCondition, Condition
from tessera_gql.store.database import Database
from tessera_gql.store.tables import Asset, table
from tessera_gql.store.text_matches import MAX_PAGE_SHARE, MAX_TRIGRAMS, choose_trigrams, use_text_index


async def test_texts_are_looked_up_while_another_request_reads_the_first_sample(database: Database) -> None:
    async def convert(column: str) -> tuple[AnyCondition, ...]:
        async with database.read() as session:
            contains = Condition(column, "contains", "orders")
            return await use_text_index(session, table(Asset), (contains,), MAX_PAGE_SHARE)

    for (condition,) in await asyncio.gather(*map(convert, ("fqn", "description") * 3)):
        assert isinstance(condition, Condition)
        assert condition.operator == "contains_by_index"


def test_trigrams_that_few_texts_have_are_looked_up() -> None:
    texts = [f"prod.marts.orders_{number:03}" for number in range(250)]
    chosen = choose_trigrams("prod.marts.orders_x7_archive", texts)
    assert not any(trigram in texts[0] for trigram in chosen)
    assert len(chosen) == 2
    assert len(choose_trigrams("marts.orders_", texts)) == 1


def test_trigrams_are_chosen_without_a_sample() -> None:
    assert choose_trigrams("abc", ()) == ("abc",)
    assert 1 <= len(choose_trigrams("the orders of each day", ())) <= MAX_TRIGRAMS
