"""Suggestions while a search is typed: names that begin like the text, and completions of its last word."""

from collections.abc import Sequence

from sqlalchemy import literal, select, union_all

from tessera_gql.policy.search_terms import FULL, split_terms
from tessera_gql.store.search import ALL_MARKS, SearchRequest, load_named, mark_terms, restrict, starts_with
from tessera_gql.store.search_index import DOCUMENTS, VARIANTS
from tessera_gql.store.session import Session
from tessera_gql.store.tables import Asset, Team, table

MAX_TERMS = 20
NAMES = {"Team": (table(Team), "name"), "Asset": (table(Asset), "fqn")}


async def suggest(session: Session, request: SearchRequest, limit: int) -> list[tuple[str, str | None]]:
    """Return texts with the type of the object of that name, or None for words; names take at most half."""
    if not (query_terms := split_terms(request.text)):
        return []
    completed = await _complete(session, request, query_terms, limit)
    names = await _load_names(session, request, " ".join(query_terms), limit - min(len(completed), limit // 2))
    suggested: list[tuple[str, str | None]] = [*names]
    suggested += [(text, None) for text in completed]
    return suggested[:limit]


async def _load_names(session: Session, request: SearchRequest, text: str, limit: int) -> list[tuple[str, str]]:
    candidates = await load_named(session, request, text)
    ids_by_type: dict[str, list[object]] = {}
    for candidate in sorted(candidates, key=lambda item: (not item.leaf.startswith(text), len(item.leaf), item.title)):
        ids_by_type.setdefault(candidate.type_name, []).append(candidate.id)
    texts: dict[object, tuple[str, str]] = {}
    for type_name, (source, column) in NAMES.items():
        if ids := [*dict.fromkeys(ids_by_type.get(type_name, []))][:limit]:
            statement = select(source.c.id, source.c[column].label("text")).where(session.in_values(source.c.id, ids))
            texts |= {row.id: (row.text, type_name) for row in await session.rows(statement)}
    ordered = dict.fromkeys(item for type_name in ("Asset", "Team") for item in ids_by_type.get(type_name, []))
    return [texts[item] for item in ordered if item in texts][:limit]


async def _complete(session: Session, request: SearchRequest, query_terms: Sequence[str], limit: int) -> list[str]:
    """Complete the last word to terms that some document has together with the words before."""
    columns = (VARIANTS.c.variant, VARIANTS.c.term)
    statement = select(*columns).where(starts_with(VARIANTS.c.variant, FULL + query_terms[-1]))
    rows = await session.rows(statement.order_by(VARIANTS.c.variant).limit(MAX_TERMS))
    terms = [row.term for row in rows if row.term != query_terms[-1]]
    completed: list[str] = []
    while terms and len(completed) < limit:  # each term takes a search, so only as many as are wanted
        completed += await _list_found(session, request, query_terms[:-1], terms[:limit])
        terms = terms[limit:]
    return [" ".join((*query_terms[:-1], term)) for term in completed[:limit]]


async def _list_found(
    session: Session, request: SearchRequest, query_terms: Sequence[str], terms: Sequence[str]
) -> list[str]:
    """Return those of the terms that some document has together with the words."""
    searches = []
    for term in terms:
        groups = [mark_terms([query_term], ALL_MARKS) for query_term in (term, *query_terms)]
        has_term = select(literal(term).label("term")).select_from(DOCUMENTS)
        searches.append(select(restrict(session, has_term, request, groups).limit(1).subquery()))
    existing = {row.term for row in await session.rows(union_all(*searches))}
    return [term for term in terms if term in existing]
