"""Operations of the search."""

from collections.abc import Collection

from tessera_gql.client.enums import SearchType
from tessera_gql.client.operation import Operation, RootField, build_variables
from tessera_gql.client.search_models import SearchResults, SearchSuggestion

NO_TEXT = "There is nothing to search for."


def search(
    text: str, *, types: Collection[SearchType] | None = None, first: int = 20, include_archived: bool = False
) -> Operation[SearchResults]:
    """Search teams, assets with their columns, and proposals; returns the best matches, up to 100.

    Raises Invalid for a text that is too long.

    Example:
        results = tessera.search("orders", types=[SearchType.ASSET], first=5)
        print(results.total_count, [hit.title for hit in results.edges])
    """
    arguments = {"text": "String!", "types": "[SearchType!]", "first": "Int", "includeArchived": "Boolean!"}
    chosen = None if types is None else [*types]
    variables = build_variables(text=text, types=chosen, first=first, include_archived=include_archived)
    return RootField("search", SearchResults, arguments).build_get_query(variables, NO_TEXT)


def search_suggestions(prefix: str, *, first: int = 8) -> Operation[tuple[SearchSuggestion, ...]]:
    """Complete what is typed into a search: to names, and to words that have matches.

    Raises Invalid for a text that is too long.

    Example:
        texts = [suggestion.text for suggestion in tessera.search_suggestions("ord")]
    """
    arguments = {"prefix": "String!", "first": "Int!"}
    variables = build_variables(prefix=prefix, first=first)
    return RootField("searchSuggestions", SearchSuggestion, arguments).build_list_query(variables)
