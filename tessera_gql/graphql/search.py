"""The query `search`: one connection of teams and assets, the best matches first."""

import asyncio
import base64
import binascii
from functools import partial
from typing import Annotated
from uuid import UUID

import orjson
import strawberry
from strawberry import UNSET, argument

from tessera_gql.errors import Invalid
from tessera_gql.graphql.assets import Asset
from tessera_gql.graphql.connections import After, Connection, First
from tessera_gql.graphql.context import Info
from tessera_gql.graphql.enums import SearchType
from tessera_gql.graphql.filters import or_none
from tessera_gql.graphql.loaders import NODE_LOADERS
from tessera_gql.graphql.scalars import check_text
from tessera_gql.graphql.teams import Team
from tessera_gql.graphql.type_registry import computed_field, to_type
from tessera_gql.store import pagination, search
from tessera_gql.store.pagination import PageRequest
from tessera_gql.store.search import Hit

MAX_TEXT_LENGTH = 200

SearchResult = Annotated[
    Team | Asset, strawberry.union("SearchResult", description="A match of a search: a team or an asset.")
]


@strawberry.type(description="One page of the matches of a search.")
class SearchResultConnection(Connection[SearchResult]): ...


def encode_cursor(hit: Hit) -> str:
    return base64.urlsafe_b64encode(orjson.dumps([hit.rank, hit.label, str(hit.id)])).decode()


def decode_cursor(text: str) -> tuple[int, str, UUID]:
    try:
        rank, label, row_id = orjson.loads(base64.urlsafe_b64decode(text.encode()))
        if isinstance(rank, int) and abs(rank) < 10 and isinstance(label, str):
            return rank, check_text(label, "after"), UUID(row_id)
    except (ValueError, TypeError, AttributeError, binascii.Error):
        pass
    raise Invalid(
        "The cursor in `after` is of another list. Start without it, then use the cursors you get.", field=("after",)
    )


@strawberry.type
class Queries:
    @computed_field(
        "Search teams by name, and assets by fqn and description: exact matches first, then prefixes, then others."
    )
    async def search(
        self,
        info: Info,
        text: Annotated[str, argument("The text to search for, 200 characters at most.")],
        types: Annotated[list[SearchType] | None, argument("The types to search; all types if left out.")] = UNSET,
        first: First = UNSET,
        after: After = UNSET,
    ) -> SearchResultConnection | None:
        if not 0 < len(check_text(text, "text").strip()) <= MAX_TEXT_LENGTH:
            raise Invalid(f"`text` has 1 to {MAX_TEXT_LENGTH} characters.", field=("text",))
        if or_none(types) == []:
            raise Invalid("`types` is empty. Name what to look for, or leave it out for everything.", field=("types",))
        size = pagination.validate_request(PageRequest(order_by="rank", first=or_none(first))).size
        type_names = tuple(dict.fromkeys(type_.value.capitalize() for type_ in or_none(types) or SearchType))
        position = None if or_none(after) is None else decode_cursor(str(after))
        loaders = info.context.loaders
        find = partial(search.find_hits, text=text, type_names=type_names, limit=size + 1, after=position)
        hits = await loaders.run_query(find)
        rows = await asyncio.gather(*(NODE_LOADERS[hit.type_name](loaders).load(hit.id) for hit in hits[:size]))
        return SearchResultConnection(
            nodes=[to_type(hit.type_name, row) for hit, row in zip(hits, rows, strict=False)],
            cursor=lambda index: encode_cursor(hits[index]),
            has_next=len(hits) > size,
            has_previous=position is not None,
            load_count=lambda: loaders.run_query(partial(search.count_hits, text=text, type_names=type_names)),
        )
