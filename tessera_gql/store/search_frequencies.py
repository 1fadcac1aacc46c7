"""Figures of how frequent terms are, from a sample of the documents.

Each process takes its own sample with a search, and a new one with the first search after some minutes.
"""

import time
from collections import Counter

from sqlalchemy import func, select

from tessera_gql.policy.search_frequencies import TermFrequencies
from tessera_gql.store.search_index import DOCUMENTS, PARTS
from tessera_gql.store.session import Session

SAMPLE_SIZE = 500
MIN_DOCUMENTS = 2_000
"""In fewer documents every way is short, so no sample is taken."""
LIFETIME_SECONDS = 300.0


async def load_frequencies(session: Session) -> TermFrequencies:
    """Return the latest figures, and take a new sample if they are too old."""
    cache = session.frequency_cache
    if time.monotonic() >= cache.expires_at:
        cache.expires_at = time.monotonic() + LIFETIME_SECONDS
        cache.frequencies = await _take_sample(session)
    return cache.frequencies


async def _take_sample(session: Session) -> TermFrequencies:
    number = DOCUMENTS.c.number
    # Two queries, because SQLite uses the index for one bound alone only.
    first, last = (select(bound(number)).scalar_subquery() for bound in (func.min, func.max))
    (bounds,) = await session.rows(select(first.label("first"), last.label("last")))
    if bounds.last is None or bounds.last - bounds.first < MIN_DOCUMENTS:
        return TermFrequencies()
    span = bounds.last - bounds.first + 1
    numbers = [bounds.first + span * index // SAMPLE_SIZE for index in range(SAMPLE_SIZE)]
    rows = await session.rows(select(*(DOCUMENTS.c[part] for part in PARTS)).where(session.in_values(number, numbers)))
    counts = Counter(term for row in rows for part in PARTS for term in getattr(row, part).split())
    shares = {term: count / len(rows) for term, count in counts.items()}
    return TermFrequencies(span * len(rows) // SAMPLE_SIZE, shares)
