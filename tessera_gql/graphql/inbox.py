"""The inbox: what waits for a team, grouped by change set."""

from datetime import datetime
from typing import Annotated, Any, cast

import strawberry
from strawberry import argument

from tessera_gql.errors import Invalid
from tessera_gql.graphql.connections import Connection, connection_field, load_connection, parse_page_request
from tessera_gql.graphql.context import Info
from tessera_gql.graphql.ids import RowBacked
from tessera_gql.graphql.listings import ALL_INBOX_GROUPS, INBOX_GROUPS
from tessera_gql.graphql.relations import relation
from tessera_gql.graphql.row_types import from_row
from tessera_gql.graphql.scalars import Url
from tessera_gql.graphql.type_registry import computed_field, lazy_list, to_type
from tessera_gql.policy.access import Actor
from tessera_gql.policy.ask_policy import AskPolicy, describe_silence
from tessera_gql.policy.enums import OnSilence
from tessera_gql.store.pagination import MAX_SIZE

First = Annotated[int, argument("The number of acknowledgments, 0 to 100, of the earliest due dates.")]


@from_row(on_silence=lambda row: OnSilence(row.policy["onSilence"]))
@strawberry.type(
    description="What waits for a team in one change set, or in a proposal without one: answered with one call."
)
class InboxGroup(RowBacked):
    row: strawberry.Private[Any]
    due_at: datetime = strawberry.field(description="The earliest time until which an answer is expected.")
    on_silence: OnSilence = strawberry.field(
        description="What happens to what is due first if the team does not answer until `dueAt`."
    )
    table_count: int = strawberry.field(description="The number of tables with a proposal that waits for an answer.")

    change_set = relation(
        "ChangeSet",
        "row.change_set_id",
        "The change set, to be answered with `acknowledgeChangeSet`; null for a proposal without one.",
        nullable=True,
    )
    proposal = relation(
        "Proposal",
        "row.single_proposal_id",
        "The proposal, to be answered with `acknowledgeProposal`; null if it is one of a change set.",
        nullable=True,
    )
    team = relation("Team", "row.consumer_team_id", "The team that is asked.")
    on_behalf_of = relation(
        "Team",
        "row.on_behalf_of_id",
        "The asked team if you answer for it, as its delegate or escalation team; null if it is the inbox's own team.",
        nullable=True,
    )

    @computed_field("The acknowledgments that are awaited, the earliest due date first.", lazy_list("Acknowledgment"))
    async def acknowledgments(self, info: Info, first: First = 20) -> Any:
        if not 0 <= first <= MAX_SIZE:
            raise Invalid(f"`first` is {first}; a group shows 0 to {MAX_SIZE} acknowledgments.", field=("first",))
        return [to_type("Acknowledgment", row) for row in (await self._load_rows(info))[:first]]

    @computed_field("The number of changes that the team is asked about, in all tables.")
    async def change_count(self, info: Info) -> int:
        return sum(len(row.change_fingerprints) for row in await self._load_rows(info))

    @computed_field(
        "What no answer means, for people: `the proposal expires`. If the tables differ, each meaning, that of the"
        " earliest due date first."
    )
    async def silence_means(self, info: Info) -> str:
        return describe_silence([AskPolicy.from_json(row.policy) for row in await self._load_rows(info)])

    @computed_field("The address of the pull request or release; null if there is none.")
    async def url(self, info: Info) -> Url | None:
        if self.row.change_set_id is None:
            return None
        change_set = await info.context.loaders.change_set.load(self.row.change_set_id)
        return cast("Url | None", change_set.url if change_set else None)

    async def _load_rows(self, info: Info) -> list[Any]:
        row = self.row
        return await info.context.loaders.asks_of_group.load((row.inbox_team_id, row.consumer_team_id, row.group_id))


@strawberry.type(description="One page of a list of what waits for teams.")
class InboxGroupConnection(Connection[InboxGroup]): ...


async def _load_viewer_groups(root: Any, info: Info, **arguments: Any) -> Any:
    caller: Actor = root.caller
    asked = caller.project_id or caller.team_id
    if asked is None:
        return await load_connection(
            info.context.loaders, ALL_INBOX_GROUPS, None, parse_page_request(ALL_INBOX_GROUPS, arguments)
        )
    return await _load_groups(info, asked, arguments)


async def _load_team_groups(root: Any, info: Info, **arguments: Any) -> Any:
    return await _load_groups(info, root.row.id, arguments)


async def _load_groups(info: Info, team: Any, arguments: dict[str, Any]) -> Any:
    page_request = parse_page_request(INBOX_GROUPS, arguments)
    return await load_connection(info.context.loaders, INBOX_GROUPS, ("inbox_team_id", team), page_request)


def viewer_inbox_groups() -> Any:
    """Declare the inbox of the caller, grouped by change set."""
    return connection_field(
        _load_viewer_groups,
        ALL_INBOX_GROUPS,
        "What waits for the caller's team, grouped by change set, the earliest due date first; with what it may answer"
        " as a delegate or escalation team. Of any team for an administrator of no team.",
        nested=True,
    )


def team_inbox_groups() -> Any:
    """Declare the inbox of a team, grouped by change set."""
    return connection_field(
        _load_team_groups,
        INBOX_GROUPS,
        "What waits for the team, grouped by change set, the earliest due date first; with what it may answer as a"
        " delegate or escalation team.",
        nested=True,
    )
