"""Ranking of the search: how well a document matches the words of a query, and why.

A document matches if it has a term for each word. Each term costs by how it matches and by the part in which it
stands; names as a whole decide before that. Equal documents are sorted by name.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple
from uuid import UUID

from tessera_gql.policy.search_documents import PARTS_BY_MARK, SearchPart
from tessera_gql.policy.search_terms import is_digit, list_terms

PARTS = tuple(SearchPart)
EXCERPT_WORDS = 12
MATCH_COST = 4
"""What the next worse kind of match costs; each next part costs 1."""
TYPE_ORDER = ("Asset", "Team", "Proposal")


class Match(IntEnum):
    """How a term matches a word, the best first."""

    EXACT = 0
    PREFIX = 1
    INFIX = 2
    MISSPELT = 3


class NameMatch(IntEnum):
    """How the name of a document matches the whole query, the best first."""

    NAME = 0
    START_OF_NAME = 1
    LAST_PART = 2
    START_OF_LAST_PART = 3
    NONE = 4


@dataclass(frozen=True)
class QueryTerm:
    """A word of a query and the terms that match it."""

    text: str
    terms: Mapping[str, Match]

    def up_to(self, match: Match) -> "QueryTerm":
        """Return the word with the terms that match at least as well."""
        return QueryTerm(self.text, {term: how for term, how in self.terms.items() if how <= match})

    def only_best(self) -> "QueryTerm":
        """Return the word with the terms of the best kind of match that it has, such as only itself."""
        return self.up_to(min(self.terms.values()))


class SortKey(NamedTuple):
    """The position of a hit; the smallest is the best."""

    name_match: int
    cost: int
    further_terms: int
    type_index: int
    title: str
    id: str


class Candidate(NamedTuple):
    """The parts of a document that decide about its rank."""

    type_name: str
    id: UUID
    title: str
    leaf: str
    marked_terms: str
    owner_team_id: UUID | None = None
    tier: str | None = None


@dataclass(frozen=True)
class Hit:
    """A document that matches: its position, and for each word the term and the part in which it is found."""

    type_name: str
    id: UUID
    key: SortKey
    reasons: tuple[tuple[str, SearchPart], ...]
    owner_team_id: UUID | None = None
    tier: str | None = None

    @property
    def matched(self) -> SearchPart:
        """The least significant part that was needed to find the document."""
        return max((part for _, part in self.reasons), key=PARTS.index)


def rank(query_terms: Sequence[QueryTerm], candidates: Iterable[Candidate], limit: int) -> list[Hit]:
    """Return the best of the candidates that match, each once."""
    hits: dict[UUID, Hit] = {}
    for candidate in candidates:
        if candidate.id not in hits and (hit := match_document(query_terms, candidate)) is not None:
            hits[candidate.id] = hit
    return sorted(hits.values(), key=_key)[:limit]


def _key(hit: Hit) -> SortKey:
    return hit.key


def match_document(query_terms: Sequence[QueryTerm], candidate: Candidate) -> Hit | None:
    """Return the hit of a document; None unless it has a term for each word."""
    parts = _read_parts(candidate.marked_terms)
    matches = [_find_best(query_term, parts) for query_term in query_terms]
    if None in matches:
        return None
    best = [match for match in matches if match is not None]
    key = SortKey(
        _match_name(" ".join(query_term.text for query_term in query_terms), candidate),
        sum(cost for cost, _ in best),
        len(set(candidate.leaf.split()).difference(term for _, term in best)),
        TYPE_ORDER.index(candidate.type_name),
        candidate.title,
        candidate.id.hex,
    )
    reasons = tuple((term, PARTS[parts[term]]) for _, term in best)
    return Hit(candidate.type_name, candidate.id, key, reasons, candidate.owner_team_id, candidate.tier)


def _read_parts(marked_terms: str) -> dict[str, int]:
    """Return the most significant part of each term, as its index in PARTS; the most significant is stored first."""
    parts: dict[str, int] = {}
    for marked in reversed(marked_terms.split()):
        parts[marked[1:]] = _INDEX_BY_MARK[marked[0]]
    return parts


_INDEX_BY_MARK = {mark: PARTS.index(part) for mark, part in PARTS_BY_MARK.items()}


def _find_best(query_term: QueryTerm, parts: Mapping[str, int]) -> tuple[int, str] | None:
    """Return the cost and the term of the best match of a word: first how it matches, then the part."""
    if terms := query_term.terms.keys() & parts.keys():
        return min((MATCH_COST * query_term.terms[term] + parts[term], term) for term in terms)
    if is_digit(query_term.text):
        return None
    start = MATCH_COST * Match.PREFIX
    prefix_matches = [(start + part, term) for term, part in parts.items() if term.startswith(query_term.text)]
    return min(prefix_matches, default=None)


def _match_name(text: str, candidate: Candidate) -> NameMatch:
    if candidate.title == text:
        return NameMatch.NAME
    if candidate.title.startswith(text):
        return NameMatch.START_OF_NAME
    if candidate.leaf == text:
        return NameMatch.LAST_PART
    return NameMatch.START_OF_LAST_PART if candidate.leaf.startswith(text) else NameMatch.NONE


def excerpt(text: str, terms: Iterable[str]) -> str | None:
    """Return the words of a text around the first one that has one of the terms; None if no word has."""
    pieces, term_set = text.split(), {*terms}
    index = next((index for index, piece in enumerate(pieces) if term_set.intersection(list_terms(piece))), None)
    if index is None:
        return None
    start, end = max(0, index - EXCERPT_WORDS // 2), index + EXCERPT_WORDS
    return ("… " if start else "") + " ".join(pieces[start:end]) + (" …" if end < len(pieces) else "")
