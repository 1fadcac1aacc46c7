"""Search of teams, assets and proposals: candidates from the index, ranked by `policy.search_ranking`.

Each statement reads a bounded number of rows by an index, so the time hardly grows with the catalog.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    Integer,
    Select,
    Text,
    and_,
    bindparam,
    func,
    literal,
    literal_column,
    select,
    table,
    union_all,
)
from sqlalchemy import column as sql_column

from tessera_gql.policy.search_documents import MARKS, SEARCHED_TYPES, SearchPart
from tessera_gql.policy.search_frequencies import TermFrequencies
from tessera_gql.policy.search_ranking import Candidate, Hit, Match, QueryTerm, rank
from tessera_gql.policy.search_terms import (
    ENDING,
    FULL,
    divide_differently,
    is_digit,
    is_misspelt,
    list_misspellings,
    split_terms,
)
from tessera_gql.store.compiled import PreparedQuery, in_values, list_parameter
from tessera_gql.store.search_frequencies import load_frequencies
from tessera_gql.store.search_index import DOCUMENTS, PARTS, VARIANTS
from tessera_gql.store.session import Session

MAX_QUERY_TERMS = 8
MAX_HITS = 200
MAX_CANDIDATES = 100
MAX_NAMED = 60
"""Documents of a type whose name begins like the query."""
MAX_PREFIX_TERMS = 40
MAX_INFIX_TERMS = 20
MAX_MISSPELT_TERMS = 60
MAX_DIVISIONS = 3
"""Ways to set a space elsewhere that are tried for a query without hits."""
COMMON_FACTOR = 2
"""How many times more documents than hits are expected for words that are common."""
MAX_CHECKED = 50
"""Documents that are read to check their further words, in place of looking these up in the index."""
LAST = "\U0010ffff"
"""Follows every other character, so that it ends a range of prefixes."""
FTS = table("search_index", sql_column("rowid"))
IN_NAME = MARKS[SearchPart.NAME]
ALL_MARKS = "".join(MARKS.values())

Source = DOCUMENTS.c


@dataclass(frozen=True)
class SearchRequest:
    """A search: its words, the types of documents, and whether to find what is archived or has ended."""

    text: str
    type_names: tuple[str, ...]
    with_archived: bool = False

    @property
    def query_terms(self) -> tuple[str, ...]:
        """The distinct words of the text, at most MAX_WORDS."""
        return tuple(dict.fromkeys(split_terms(self.text)))[:MAX_QUERY_TERMS]


class Hits(NamedTuple):
    """The best hits of a search in their order, and whether there are no others."""

    hits: list[Hit]
    are_all: bool


async def find_hits(session: Session, request: SearchRequest) -> Hits:
    """Find the best hits, at most MAX_HITS."""
    if not request.query_terms:
        return Hits([], are_all=True)
    best = await _find(session, request, await _load_query_terms(session, request.query_terms))
    if best.hits:
        return best
    hits, are_all = list[Hit](), True
    for query_terms in await _list_divisions(session, request.query_terms):
        divided = await _find(session, request, await _load_query_terms(session, query_terms))
        hits += divided.hits
        are_all &= divided.are_all
    return Hits(hits[:MAX_HITS], are_all and len(hits) <= MAX_HITS)


async def _find(session: Session, request: SearchRequest, query_terms: Sequence[QueryTerm]) -> Hits:
    """Find the hits of words. Where the widest search is cut off, better ones could be missing in it."""
    if not all(query_term.terms for query_term in query_terms):
        return Hits([], are_all=True)
    frequencies = await load_frequencies(session)
    best_terms = [query_term.only_best() for query_term in query_terms]
    candidates, are_all = list[Candidate](), False
    if frequencies.estimate_documents(_group(best_terms, IN_NAME)) >= COMMON_FACTOR * MAX_HITS:
        candidates = await _load_best(session, request, best_terms, frequencies)
    if len(candidates) < MAX_HITS:
        widest = await _load_widest(session, request, query_terms, frequencies)
        are_all = len(widest) < MAX_CANDIDATES
        if not are_all:
            candidates += await _load_better(session, request, query_terms, frequencies)
        candidates += widest if len(candidates) < MAX_HITS else []
    candidates += await load_named(session, request, " ".join(query_term.text for query_term in query_terms))
    return Hits(rank(query_terms, candidates, MAX_HITS), are_all)


def _group(query_terms: Sequence[QueryTerm], marks: str) -> list[list[str]]:
    return [mark_terms(query_term.terms, marks) for query_term in query_terms]


async def _load_best(
    session: Session, request: SearchRequest, best_terms: Sequence[QueryTerm], frequencies: TermFrequencies
) -> list[Candidate]:
    """Load documents with the best match of every word in the name: if there are enough, no others can be better."""
    groups = frequencies.sort(_group(best_terms, IN_NAME))
    return await _load_candidates(session, request, groups, ["names"], MAX_HITS)


async def _load_better(
    session: Session, request: SearchRequest, query_terms: Sequence[QueryTerm], frequencies: TermFrequencies
) -> list[Candidate]:
    """Load documents that a search for all matches may have left out: with the best match, and words of names."""
    best_terms = [query_term.only_best() for query_term in query_terms]
    prefixes = [query_term.up_to(Match.PREFIX) for query_term in query_terms]
    groups = frequencies.sort(_group(best_terms, ALL_MARKS))
    candidates = await _load_candidates(session, request, groups, PARTS)
    if len(candidates) == MAX_CANDIDATES:
        candidates += await _load_best(session, request, best_terms, frequencies)
    if len(candidates) < MAX_HITS and prefixes != best_terms and all(query_term.terms for query_term in prefixes):
        groups = frequencies.sort(_group(prefixes, IN_NAME))
        candidates += await _load_candidates(session, request, groups, ["names"])
    return candidates


async def _load_widest(
    session: Session, request: SearchRequest, query_terms: Sequence[QueryTerm], frequencies: TermFrequencies
) -> list[Candidate]:
    """Load documents with any match of every word. Rare words are looked up, and the others checked by the ranking."""
    groups = frequencies.sort(_group(query_terms, ALL_MARKS))
    rarest = frequencies.choose_selective(groups, MAX_CHECKED)
    candidates = await _load_candidates(session, request, rarest, PARTS)
    if len(candidates) == MAX_CANDIDATES and len(rarest) < len(groups):
        return await _load_candidates(session, request, groups, PARTS)
    return candidates


async def _load_query_terms(session: Session, texts: Sequence[str]) -> list[QueryTerm]:
    """Load the terms that match each word, from the variants of all terms."""
    parameters: dict[str, Any] = {}
    for index, text in enumerate(texts):
        parameters[f"keys_{index}"] = list_misspellings(text)
        for name, start in (("prefix", FULL + text), ("ending", ENDING + text)):
            parameters |= {f"{name}_{index}": start, f"{name}_end_{index}": start + LAST}
    terms: list[dict[str, Match]] = [{} for _ in texts]
    for row in await session.fetch(_variants_query(len(texts)), **parameters):
        number = int(row.query_term)
        match = _match_of(texts[number], row.variant, row.term)
        if match is not None and match < terms[number].get(row.term, len(Match)):
            terms[number][row.term] = match
    return [QueryTerm(text, matches) for text, matches in zip(texts, terms, strict=True)]


def _match_of(text: str, variant: str, term: str) -> Match | None:
    if term == text:
        return Match.EXACT
    if is_digit(text):
        return None
    if variant == FULL + term and term.startswith(text):
        return Match.PREFIX
    if variant.startswith(ENDING):
        return Match.INFIX
    return Match.MISSPELT if is_misspelt(text, term) else None


@lru_cache
def _variants_query(count: int) -> PreparedQuery:
    """Prepare the query of the variants that so many words are looked up by."""

    def build(dialect: str) -> Select[Any]:
        parts = [part for index in range(count) for part in _variant_queries(dialect, index)]
        return select(union_all(*parts).subquery())

    return PreparedQuery(build)


def _variant_queries(dialect: str, index: int) -> Iterator[Select[Any]]:
    variant = VARIANTS.c.variant
    statement = select(literal_column(str(index), Integer).label("query_term"), variant, VARIANTS.c.term)
    for name, limit in (("prefix", MAX_PREFIX_TERMS), ("ending", MAX_INFIX_TERMS)):
        start, end = (bindparam(f"{name}{suffix}_{index}", type_=variant.type) for suffix in ("", "_end"))
        in_range = statement.where(variant >= start, variant < end).order_by(variant)
        yield select(in_range.limit(limit).subquery())
    is_key = in_values(dialect, variant, list_parameter(f"keys_{index}", variant))
    yield select(statement.where(is_key).limit(MAX_MISSPELT_TERMS).subquery())


def starts_with(column: ColumnElement[str], text: str) -> ColumnElement[bool]:
    """Build the condition that a column of byte-ordered text begins with the text."""
    return and_(column >= text, column < text + LAST)


def _filter(request: SearchRequest) -> list[ColumnElement[bool]]:
    return [] if request.with_archived else [Source.is_current]


def _columns(parts: Iterable[str]) -> list[ColumnElement[Any]]:
    names = ("type", "entity_id", "title", "leaf", "owner_team_id", "tier", *parts)
    return [Source[name] for name in names]


async def load_named(session: Session, request: SearchRequest, text: str) -> list[Candidate]:
    """Load documents whose name, or its last part, begins with the query."""
    query = _named_query(request.type_names, request.with_archived)
    return [_to_candidate(row, row.names) for row in await session.fetch(query, start=text, end=text + LAST)]


@lru_cache
def _named_query(type_names: tuple[str, ...], with_archived: bool) -> PreparedQuery:  # noqa: FBT001 - a key of a cache
    """Prepare the query of documents of these types by the start of a name."""
    start, end = (bindparam(name, type_=Source.title.type) for name in ("start", "end"))
    filters = _filter(SearchRequest("", type_names, with_archived))
    queries = [
        select(*_columns(["names"]))
        .where(Source.type == type_name, order[0] >= start, order[0] < end, *filters)
        .order_by(*order)
        .limit(MAX_NAMED)
        .subquery()
        for type_name in type_names
        for order in ((Source.leaf, Source.title), (Source.title,))
    ]
    return PreparedQuery(lambda _dialect: select(union_all(*(select(query) for query in queries)).subquery()))


async def _load_candidates(
    session: Session,
    request: SearchRequest,
    groups: Sequence[Sequence[str]],
    parts: Sequence[str],
    limit: int = MAX_CANDIDATES,
) -> list[Candidate]:
    """Load these parts of documents that have one of the marked terms of each group."""
    statement = restrict(session, select(*_columns(parts)), request, groups)
    rows = await session.rows(statement.limit(limit))
    return [_to_candidate(row, " ".join(getattr(row, part) for part in parts)) for row in rows]


def mark_terms(terms: Iterable[str], marks: str) -> list[str]:
    """Return the terms with each of the marks, as documents hold them."""
    return [mark + term for term in terms for mark in marks]


def restrict(
    session: Session, statement: Select[Any], request: SearchRequest, terms: Sequence[Sequence[str]]
) -> Select[Any]:
    """Restrict a statement to documents that the request admits and that have one of the terms of each list."""
    statement = _where_terms(session.dialect, statement.where(*_filter(request)), terms)
    if len(request.type_names) == len(SEARCHED_TYPES):
        return statement
    return statement.where(session.in_values(Source.type, request.type_names))


def _where_terms(dialect: str, statement: Select[Any], terms: Sequence[Sequence[str]]) -> Select[Any]:
    if dialect == "sqlite":
        groups = ("(" + " OR ".join(f'"{term}"' for term in group) + ")" for group in terms)
        is_match = literal_column("search_index").bool_op("MATCH")(literal(" AND ".join(groups)))
        return statement.join(FTS, FTS.c.rowid == DOCUMENTS.c.number).where(is_match)
    document_terms = func.core.search_terms(*(Source[part] for part in PARTS))
    return statement.where(*(document_terms.bool_op("&&")(literal([*group], ARRAY(Text))) for group in terms))


def _to_candidate(row: Any, marked_terms: str) -> Candidate:
    return Candidate(row.type, row.entity_id, row.title, row.leaf, marked_terms, row.owner_team_id, row.tier)


async def _list_divisions(session: Session, query_terms: Sequence[str]) -> list[tuple[str, ...]]:
    """List other ways to divide a query into words of which each is a term."""
    divisions = [*dict.fromkeys(divide_differently(query_terms))]
    keys = sorted({FULL + query_term for division in divisions for query_term in division})
    statement = select(VARIANTS.c.term).where(session.in_values(VARIANTS.c.variant, keys))
    terms = {row.term for row in await session.rows(statement)}
    valid_divisions = [division for division in divisions if terms.issuperset(division)]
    return sorted(valid_divisions, key=len)[:MAX_DIVISIONS]


async def load_lines(session: Session, entity_ids: Sequence[UUID]) -> Mapping[UUID, str]:
    """Load the lines of documents, which explain hits."""
    statement = select(Source.entity_id, Source.lines).where(session.in_values(Source.entity_id, entity_ids))
    return {row.entity_id: row.lines for row in await session.rows(statement)}
