"""Types of the search: a page of matches with the reason of each, and counts of the matches by facets."""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from enum import StrEnum
from functools import partial
from typing import Annotated, Any
from uuid import UUID

import strawberry

from tessera_gql.graphql.assets import Asset
from tessera_gql.graphql.connections import Connection
from tessera_gql.graphql.enums import describe_enum
from tessera_gql.graphql.loaders import Loaders
from tessera_gql.graphql.proposals import Proposal
from tessera_gql.graphql.teams import Team
from tessera_gql.graphql.type_registry import computed_field, to_type
from tessera_gql.policy.enums import AssetTier
from tessera_gql.policy.global_ids import encode_global_id
from tessera_gql.policy.search_documents import SearchPart
from tessera_gql.policy.search_ranking import Hit, excerpt
from tessera_gql.store import search

MAX_OWNERS = 10


class SearchType(StrEnum):
    TEAM = "TEAM"
    ASSET = "ASSET"
    PROPOSAL = "PROPOSAL"


describe_enum(
    SearchType,
    "The types that a search covers.",
    TEAM="Teams, searched by name.",
    ASSET="Assets, searched by fqn, description, columns, labels and active contract.",
    PROPOSAL="Proposals, searched by asset, version, reason and changes.",
)
describe_enum(
    SearchPart,
    "Where a word of a search is found, the most significant first.",
    NAME="In the name of a team, or the fqn of an asset.",
    COLUMN="In the path of a column, or of a field that a proposal changes.",
    LABEL="In a label of an asset.",
    CONTRACT="In the version, title or description of a contract.",
    DESCRIPTION="In the description of an asset or a column, or in the reason or a change of a proposal.",
)

SearchResult = Annotated[
    Team | Asset | Proposal,
    strawberry.union("SearchResult", description="A match of a search: a team, an asset or a proposal."),
]


@strawberry.type(description="The text in which words of a search are found.")
class SearchHighlight:
    part: SearchPart = strawberry.field(description="The part of the match to which the text belongs.")
    text: str = strawberry.field(description="The name, the column, or the words around those that were found.")
    terms: list[str] = strawberry.field(description="The words that were found, in lower case and without accents.")


class Explanations:
    """The texts of a page of hits; they are loaded together, when the first is asked for."""

    def __init__(self, loaders: Loaders, hits: Sequence[Hit], rows: Sequence[Any]) -> None:
        self._loaders = loaders
        self._ids = [hit.id for hit in hits]
        self._rows = {hit.id: row for hit, row in zip(hits, rows, strict=True)}
        self._lines: asyncio.Future[Mapping[UUID, str]] | None = None

    async def explain(self, hit: Hit) -> list[SearchHighlight]:
        """Return one highlight for each text in which words of the query are found."""
        terms: dict[SearchPart, list[str]] = {}
        for term, part in hit.reasons:
            terms.setdefault(part, []).append(term)
        highlights: list[SearchHighlight] = []
        for part, part_terms in sorted(terms.items(), key=lambda item: [*SearchPart].index(item[0])):
            texts = await self._list_texts(hit, part)
            highlights += _highlight(part, texts, list(dict.fromkeys(part_terms)))
        return highlights

    async def name(self, hit: Hit) -> str:
        """Return the name of the team, or the fqn of the asset."""
        row = self._rows[hit.id]
        if hit.type_name == "Team":
            return str(row.name)
        asset: Any = row if hit.type_name == "Asset" else await self._loaders.asset.load(row.asset_id)
        return str(asset.fqn)

    async def _list_texts(self, hit: Hit, part: SearchPart) -> list[str]:
        if part is SearchPart.NAME:
            return [await self.name(hit)]
        row = self._rows[hit.id]
        own = row.description if hit.type_name == "Asset" else row.reason if hit.type_name == "Proposal" else None
        lines = [line.partition("\t") for line in (await self._load_lines()).get(hit.id, "").split("\n")]
        if part is SearchPart.COLUMN:
            return [path for path, _, _ in lines]
        version = [row.proposed_version or ""] if hit.type_name == "Proposal" else []
        return [own or "", *version, *(text for _, _, text in lines)]

    async def _load_lines(self) -> Mapping[UUID, str]:
        if self._lines is None:
            load = partial(search.load_lines, entity_ids=self._ids)
            self._lines = asyncio.ensure_future(self._loaders.run_query(load))
        return await self._lines


def _highlight(part: SearchPart, texts: Sequence[str], terms: list[str]) -> list[SearchHighlight]:
    """Return a highlight of the first text for each term, several terms of one text together."""
    terms_by_text: dict[str, list[str]] = {}
    for term in terms:
        text = next((piece for text in texts if (piece := excerpt(text, [term])) is not None), term)
        terms_by_text.setdefault(text, []).append(term)
    return [SearchHighlight(part=part, text=text, terms=items) for text, items in terms_by_text.items()]


@strawberry.type(description="A match of a search with the reason why it is found.")
class SearchResultEdge:
    cursor: str = strawberry.field(description="The position of the item; send it as `after`.")
    node: SearchResult = strawberry.field(description="The team, asset or proposal that matches.")
    hit: strawberry.Private[Hit]
    explanations: strawberry.Private[Explanations]

    @computed_field("The type of the node, for lists that need no more of it.", name="type")
    def type_(self) -> SearchType:
        return SearchType(self.hit.type_name.upper())

    @computed_field("The id of the node, as its field `id` has it.")
    def node_id(self) -> strawberry.ID:
        return strawberry.ID(encode_global_id(self.hit.type_name, self.hit.id))

    @computed_field("The name of the team, or the fqn of the asset, also that of a proposal.")
    async def title(self) -> str:
        return await self.explanations.name(self.hit)

    @computed_field("The least significant part that was needed: NAME if all words are in the name.")
    def matched(self) -> SearchPart:
        return self.hit.matched

    @computed_field("The texts in which the words are found.")
    async def highlights(self) -> list[SearchHighlight]:
        return await self.explanations.explain(self.hit)


@strawberry.type(description="The number of matches of a type.")
class SearchTypeCount:
    type_: SearchType = strawberry.field(name="type", description="The type of these matches.")
    count: int = strawberry.field(description="The number of matches of the type.")


@strawberry.type(description="The number of matches that belong to a team.")
class SearchOwnerCount:
    owner: Team = strawberry.field(description="The team that owns these assets.")
    count: int = strawberry.field(description="The number of assets of the team that match.")


@strawberry.type(description="The number of matches of a tier.")
class SearchTierCount:
    tier: AssetTier = strawberry.field(description="The tier of these assets.")
    count: int = strawberry.field(description="The number of assets of the tier that match.")


@strawberry.type(description="Counts of all matches of a search by their attributes, whatever the page.")
class SearchFacets:
    hits: strawberry.Private[Sequence[Hit]]
    loaders: strawberry.Private[Loaders]

    @computed_field("The matches by type, without types that have none.")
    def types(self) -> list[SearchTypeCount]:
        counts = Counter(hit.type_name.upper() for hit in self.hits)
        return [SearchTypeCount(type_=kind, count=counts[kind]) for kind in SearchType if counts[kind]]

    @computed_field("The assets that match by owner: the ten with the most, the first being the one with the most.")
    async def owners(self) -> list[SearchOwnerCount]:
        counts = Counter(hit.owner_team_id for hit in self.hits if hit.owner_team_id is not None)
        items = sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:MAX_OWNERS]
        teams = await self.loaders.team.load_many([team_id for team_id, _ in items])
        return [
            SearchOwnerCount(owner=to_type("Team", team), count=count)
            for team, (_, count) in zip(teams, items, strict=True)
        ]

    @computed_field("The assets that match by tier, the most important first.")
    def tiers(self) -> list[SearchTierCount]:
        counts = Counter(hit.tier for hit in self.hits)
        return [SearchTierCount(tier=tier, count=counts[tier]) for tier in AssetTier if counts[tier]]


@strawberry.type(description="One page of the matches of a search. At most 200 are ranked and counted.")
class SearchResultConnection(Connection[SearchResult]):
    hits: strawberry.Private[Sequence[Hit]]
    are_all: strawberry.Private[bool]
    explanations: strawberry.Private[Explanations]
    facets: SearchFacets = strawberry.field(description="Counts of all matches, for filters beside the list.")

    @computed_field("The number of ranked matches, 200 at most; there are more if `isTotalCountExact` is false.")
    async def total_count(self) -> int:
        return await self.load_count()

    @computed_field("Whether the ranked matches are all; false for common words, of which the best are looked for.")
    async def is_total_count_exact(self) -> bool:
        return self.are_all

    @computed_field("The items of the page, each with its cursor and the reason why it is found.")
    def edges(self) -> list[SearchResultEdge]:  # type: ignore[override] # edges with the reasons
        return [
            SearchResultEdge(cursor=self.cursor(index), node=node, hit=hit, explanations=self.explanations)
            for index, (node, hit) in enumerate(zip(self.nodes, self.hits, strict=True))
        ]


@strawberry.type(description="A way to complete what is typed into a search.")
class SearchSuggestion:
    text: str = strawberry.field(
        description="The text to search for: a name, or the words typed with the last one completed."
    )
    type_: SearchType | None = strawberry.field(
        name="type", description="The type of the object with this name; null for words that many may have."
    )
