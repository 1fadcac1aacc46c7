"""Search: one list of teams and assets, the best hits first."""

import asyncio
import base64
import binascii
from functools import partial
from typing import Annotated
from uuid import UUID

import orjson
import strawberry
from strawberry import UNSET

from tessera_gql.errors import Invalid
from tessera_gql.graphql.assets import Asset
from tessera_gql.graphql.context import Info
from tessera_gql.graphql.filters import given
from tessera_gql.graphql.nodes import LOADERS
from tessera_gql.graphql.nouns import computed, shown
from tessera_gql.graphql.pages import After, Connection, First
from tessera_gql.graphql.scalars import text as checked_text
from tessera_gql.graphql.teams import Team
from tessera_gql.graphql.words import SearchType
from tessera_gql.store import page, search
from tessera_gql.store.page import PageRequest
from tessera_gql.store.search import Hit

MAX_TEXT = 200

SearchResult = Annotated[Team | Asset, strawberry.union("SearchResult", description="Something that was found.")]


@strawberry.type(description="A page of what was found.")
class SearchResultConnection(Connection[SearchResult]):
    pass


def cursor(hit: Hit) -> str:
    return base64.urlsafe_b64encode(orjson.dumps([hit.rank, hit.label, str(hit.id)])).decode()


def place(text: str) -> tuple[int, str, UUID]:
    try:
        rank, label, identity = orjson.loads(base64.urlsafe_b64decode(text.encode()))
        if isinstance(rank, int) and abs(rank) < 10 and isinstance(label, str):
            return rank, checked_text(label, "after"), UUID(identity)
    except (ValueError, TypeError, AttributeError, binascii.Error):
        pass
    raise Invalid(
        "The cursor in `after` is of another list. Start without it, then use the cursors you get.", field=("after",)
    )


@strawberry.type
class Queries:
    @computed("Teams by name and assets by fqn and description: exact hits first, then prefixes, then anywhere.")
    async def search(
        self,
        info: Info,
        text: Annotated[str, strawberry.argument(description="What to look for, 200 characters at most.")],
        types: Annotated[
            list[SearchType] | None, strawberry.argument(description="Only these; everything if left out.")
        ] = UNSET,
        first: First = UNSET,
        after: After = UNSET,
    ) -> SearchResultConnection | None:
        if not 0 < len(checked_text(text, "text").strip()) <= MAX_TEXT:
            raise Invalid(f"`text` has 1 to {MAX_TEXT} characters.", field=("text",))
        if given(types) == []:
            raise Invalid("`types` is empty. Name what to look for, or leave it out for everything.", field=("types",))
        size = page.checked(PageRequest(order_by="rank", first=given(first))).size
        kinds = tuple(dict.fromkeys(one.value.capitalize() for one in given(types) or SearchType))
        behind = None if given(after) is None else place(str(after))
        loaders = info.context.loaders
        hits = await loaders.asked(partial(search.find, text=text, kinds=kinds, limit=size + 1, after=behind))
        rows = await asyncio.gather(*(LOADERS[hit.kind](loaders).load(hit.id) for hit in hits[:size]))
        return SearchResultConnection(
            nodes=[shown(hit.kind, row) for hit, row in zip(hits, rows, strict=False)],
            cursor=lambda place: cursor(hits[place]),
            has_next=len(hits) > size,
            has_previous=behind is not None,
            counted=lambda: loaders.asked(partial(search.count, text=text, kinds=kinds)),
        )
