"""The queries `search`, a connection with the best matches first, and `searchSuggestions` for what is being typed."""

import asyncio
import base64
import binascii
from bisect import bisect_right
from functools import partial
from operator import attrgetter
from typing import Annotated, Any

import orjson
import strawberry
from strawberry import UNSET, argument

from tessera_gql.errors import Invalid
from tessera_gql.graphql.connections import After, First
from tessera_gql.graphql.context import Info
from tessera_gql.graphql.filters import or_none
from tessera_gql.graphql.loaders import NODE_LOADERS, Loaders
from tessera_gql.graphql.scalars import check_text
from tessera_gql.graphql.search_results import (
    Explanations,
    SearchFacets,
    SearchResultConnection,
    SearchSuggestion,
    SearchType,
)
from tessera_gql.graphql.type_registry import computed_field, to_type
from tessera_gql.policy.search_ranking import Hit, SortKey
from tessera_gql.store import pagination, search, suggestions
from tessera_gql.store.pagination import PageRequest
from tessera_gql.store.search import Hits, SearchRequest

MAX_TEXT_LENGTH = 200
MAX_SUGGESTIONS = 20
SUGGESTIONS = 8


def encode_cursor(hit: Hit) -> str:
    return base64.urlsafe_b64encode(orjson.dumps([*hit.key])).decode()


def decode_cursor(text: str) -> SortKey:
    try:
        values: list[Any] = [*orjson.loads(base64.urlsafe_b64decode(text.encode()))]
        key = SortKey(*values)
        if all(isinstance(value, int) for value in values[:4]) and isinstance(values[-1], str):
            return key._replace(title=check_text(key.title, "after"))
    except (ValueError, TypeError, AttributeError, binascii.Error):
        pass
    raise Invalid(
        "The cursor in `after` is of another list. Start without it, then use the cursors you get.", field=("after",)
    )


def _validate_text(text: str, name: str) -> str:
    if not 0 < len(check_text(text, name).strip()) <= MAX_TEXT_LENGTH:
        raise Invalid(f"`{name}` has 1 to {MAX_TEXT_LENGTH} characters.", field=(name,))
    return text


def _type_names(types: list[SearchType] | None) -> tuple[str, ...]:
    if types == []:
        raise Invalid("`types` is empty. Name what to look for, or leave it out for everything.", field=("types",))
    return tuple(dict.fromkeys(type_.value.capitalize() for type_ in types or SearchType))


async def _build_page(
    loaders: Loaders, result: Hits, page_request: PageRequest, position: SortKey | None
) -> SearchResultConnection:
    hits = result.hits
    start = 0 if position is None else bisect_right(hits, position, key=attrgetter("key"))
    page = hits[start : start + page_request.size]

    async def count() -> int:
        return len(hits)

    rows = await asyncio.gather(*(NODE_LOADERS[hit.type_name](loaders).load(hit.id) for hit in page))
    return SearchResultConnection(
        nodes=[to_type(hit.type_name, row) for hit, row in zip(page, rows, strict=True)],
        cursor=lambda index: encode_cursor(page[index]),
        has_next=len(hits) > start + len(page),
        has_previous=position is not None,
        load_count=count,
        hits=page,
        are_all=result.are_all,
        explanations=Explanations(loaders, page, rows),
        facets=SearchFacets(hits=hits, loaders=loaders),
    )


@strawberry.type
class Queries:
    @computed_field(
        "Search teams, assets with their columns and contracts, and proposals. A match has all words, in any order; a"
        " letter that is wrong, missing, added or exchanged with the next is forgiven. Exact names come first, then"
        " their prefixes, other names, columns and descriptions."
    )
    async def search(
        self,
        info: Info,
        text: Annotated[str, argument("The words to search for, 200 characters at most; eight words count.")],
        types: Annotated[list[SearchType] | None, argument("The types to search; all types if left out.")] = UNSET,
        first: First = UNSET,
        after: After = UNSET,
        *,
        include_archived: Annotated[
            bool, argument("Also find archived teams and assets, and proposals that have ended.")
        ] = False,
    ) -> SearchResultConnection | None:
        request = SearchRequest(_validate_text(text, "text"), _type_names(or_none(types)), include_archived)
        page_request = pagination.validate_request(PageRequest(order_by="rank", first=or_none(first)))
        position = None if or_none(after) is None else decode_cursor(str(after))
        loaders = info.context.loaders
        result = await loaders.run_query(partial(search.find_hits, request=request))
        return await _build_page(loaders, result, page_request, position)

    @computed_field(
        "Complete what is typed into a search: names that begin with it, or have a part that does, and its last word."
    )
    async def search_suggestions(
        self,
        info: Info,
        prefix: Annotated[str, argument("The text that is typed so far, 200 characters at most.")],
        types: Annotated[list[SearchType] | None, argument("The types to suggest; all types if left out.")] = UNSET,
        first: Annotated[int, argument("The number of suggestions, 1 to 20.")] = SUGGESTIONS,
    ) -> list[SearchSuggestion] | None:
        request = SearchRequest(_validate_text(prefix, "prefix"), _type_names(or_none(types)))
        if not 1 <= first <= MAX_SUGGESTIONS:
            raise Invalid(f"`first` is 1 to {MAX_SUGGESTIONS}.", field=("first",))
        suggest = partial(suggestions.suggest, request=request, limit=first)
        texts = await info.context.loaders.run_query(suggest)
        return [
            SearchSuggestion(text=text, type_=SearchType(type_name.upper()) if type_name else None)
            for text, type_name in texts
        ]
