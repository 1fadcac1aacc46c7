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
    matchers = [TermMatcher(query_term) for query_term in query_terms]
    text = " ".join(query_term.text for query_term in query_terms)
    hits: dict[UUID, Hit] = {}
    for candidate in candidates:
        if candidate.id not in hits and (hit := match_document(matchers, text, candidate)) is not None:
            hits[candidate.id] = hit
    return sorted(hits.values(), key=_key)[:limit]


def _key(hit: Hit) -> SortKey:
    return hit.key


class TermMatch(NamedTuple):
    """How a document matches a word: the costs, the term and the index of the part in which it stands."""

    cost: int
    term: str
    part: int


class TermMatcher:
    """Finds the best match of a word in documents. All matches are known beforehand, by marked term."""

    def __init__(self, query_term: QueryTerm) -> None:
        self._text = query_term.text
        self._matches = {
            mark + term: TermMatch(MATCH_COST * match + part, term, part)
            for term, match in query_term.terms.items()
            for mark, part in _INDEX_BY_MARK.items()
        }

    def find_best(self, marked_terms: Iterable[str]) -> TermMatch | None:
        """Return the best match; a term that is too new to be known matches if it begins with the word."""
        if matches := self._matches.keys() & marked_terms:
            return min(map(self._matches.__getitem__, matches))
        if is_digit(self._text):
            return None
        prefix_terms = ((marked[0], marked[1:]) for marked in marked_terms if marked.startswith(self._text, 1))
        parts = ((_INDEX_BY_MARK[mark], term) for mark, term in prefix_terms)
        return min((TermMatch(MATCH_COST * Match.PREFIX + part, term, part) for part, term in parts), default=None)


def match_document(matchers: Sequence[TermMatcher], text: str, candidate: Candidate) -> Hit | None:
    """Return the hit of a document for the whole text of a query; None unless it has a term for each word."""
    marked_terms = candidate.marked_terms.split()
    best: list[TermMatch] = []
    for matcher in matchers:
        if (match := matcher.find_best(marked_terms)) is None:
            return None
        best.append(match)
    key = SortKey(
        _match_name(text, candidate),
        sum(match.cost for match in best),
        len({*candidate.leaf.split()}.difference(match.term for match in best)),
        TYPE_ORDER.index(candidate.type_name),
        candidate.title,
        candidate.id.hex,
    )
    reasons = tuple((match.term, PARTS[match.part]) for match in best)
    return Hit(candidate.type_name, candidate.id, key, reasons, candidate.owner_team_id, candidate.tier)


_INDEX_BY_MARK = {mark: PARTS.index(part) for mark, part in PARTS_BY_MARK.items()}


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
