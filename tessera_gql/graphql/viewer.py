"""The query `viewer`: the authenticated caller, its teams and its inbox."""

from typing import Any

import strawberry

from tessera_gql.graphql.connections import connection_field, load_connection, parse_page_request
from tessera_gql.graphql.context import Info
from tessera_gql.graphql.inbox import viewer_inbox_groups
from tessera_gql.graphql.listings import DEBT_INBOX, DEBTS, INBOX
from tessera_gql.graphql.relations import relation
from tessera_gql.graphql.type_registry import computed_field, lazy_list, to_type
from tessera_gql.policy.access import Actor, Scope


async def _load_inbox(root: Any, info: Info, **arguments: Any) -> Any:
    page_request = parse_page_request(INBOX, arguments)
    caller: Actor = root.caller
    # A project is never asked, so that no acknowledgment has its id.
    asked = caller.project_id or caller.team_id
    parent = ("consumer_team_id", asked) if asked else None
    return await load_connection(info.context.loaders, INBOX, parent, page_request)


async def _load_debts(root: Any, info: Info, **arguments: Any) -> Any:
    page_request, team = parse_page_request(DEBT_INBOX, arguments), root.caller.team_id
    parent = ("inbox_team_id", team) if team else None
    return await load_connection(info.context.loaders, DEBT_INBOX if team else DEBTS, parent, page_request)


@strawberry.type(description="The authenticated caller of this request.")
class Viewer:
    caller: strawberry.Private[Actor]
    actor: str = strawberry.field(description="The name of the caller in the audit log.")
    scopes: list[Scope] = strawberry.field(description="The scopes of the caller's credential.")

    inbox = connection_field(
        _load_inbox,
        INBOX,
        "The acknowledgments that open proposals await from the caller's team; from any team for an administrator of no"
        " team, and none for the key of a project.",
        nested=True,
    )

    inbox_groups = viewer_inbox_groups()

    debts = connection_field(
        _load_debts,
        DEBT_INBOX,
        "The open debts of the caller's team, and the unknown fields that other teams registered with its assets; all"
        " open debts if the caller has no team.",
        nested=True,
    )

    api_key = relation(
        "ApiKey", "caller.key_id", "The caller's API key; null for another kind of credential.", nullable=True
    )
    team = relation(
        "Team",
        "caller.team_id",
        "The team that the caller belongs to; null for an administrator without a team and for the key of a project.",
        nullable=True,
    )
    project = relation(
        "Project",
        "caller.project_id",
        "The project whose tables the caller syncs; null unless its credential is the key of a project.",
        nullable=True,
    )

    @computed_field("The teams that the caller acts for: its own, or the owners of its project.", lazy_list("Team"))
    async def teams(self, info: Info) -> Any:
        rows = await info.context.loaders.team.load_many(sorted(self.caller.team_ids))
        return [to_type("Team", row) for row in rows]


@strawberry.type
class Queries:
    @computed_field("The authenticated caller, with the acknowledgments that are awaited from it.")
    def viewer(self, info: Info) -> Viewer | None:
        actor = info.context.actor
        return Viewer(caller=actor, actor=actor.name, scopes=sorted(actor.scopes, key=tuple(Scope).index))
