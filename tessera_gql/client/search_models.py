"""Models of the search: a page of matches with the reasons why they are found, and suggestions."""

from tessera_gql.client.base_model import Model
from tessera_gql.client.enums import SearchPart, SearchType


class SearchHighlight(Model):
    """A text in which words of a search are found."""

    part: SearchPart
    text: str
    terms: tuple[str, ...]


class SearchHit(Model):
    """A match of a search. `title` is the name of a team, or the fqn of an asset, also that of a proposal.

    `node_id` is the id of the team, the asset or the proposal.
    """

    type: SearchType
    node_id: str
    title: str
    matched: SearchPart
    highlights: tuple[SearchHighlight, ...]


class SearchTypeCount(Model):
    """The number of matches of a type."""

    type: SearchType
    count: int


class SearchFacets(Model):
    """Counts of all matches by their attributes."""

    types: tuple[SearchTypeCount, ...]


class SearchResults(Model):
    """The best matches of a search, and their number, 200 at most; there are more if it is not exact."""

    total_count: int
    is_total_count_exact: bool
    edges: tuple[SearchHit, ...]
    facets: SearchFacets


class SearchSuggestion(Model):
    """A text to search for. `type` is that of the object with this name, None for words that many may have."""

    text: str
    type: SearchType | None
