"""Comments on proposals, by teams and administrators."""

from datetime import datetime
from typing import Any

import strawberry

from tessera_gql.graphql.connections import Connection
from tessera_gql.graphql.filters import optional
from tessera_gql.graphql.ids import Node, local_id
from tessera_gql.graphql.mutations import Call, CreatingInput, Payload, mutation, payload_field
from tessera_gql.graphql.refs import TeamRefInput, team_ref
from tessera_gql.graphql.relations import relation
from tessera_gql.graphql.row_types import from_row
from tessera_gql.store import proposals, tables
from tessera_gql.workflows import comments


@from_row()
@strawberry.type(description="A remark on a proposal, which every caller can read.")
class Comment(Node):
    row: strawberry.Private[tables.Comment]
    body: str = strawberry.field(description="The remark in plain text.")
    created_at: datetime = strawberry.field(description="The time at which the comment was added.")

    proposal = relation("Proposal", "row.proposal_id", "The proposal that the comment is about.")
    team = relation(
        "Team", "row.team_id", "The team that commented; null for an administrator without a team.", nullable=True
    )


@strawberry.type(description="One page of a list of comments.")
class CommentConnection(Connection[Comment]): ...


@strawberry.input(description="A comment on a proposal.")
class CommentInput(CreatingInput):
    proposal: strawberry.ID = strawberry.field(description="The id of the proposal, open or ended.")
    body: str = strawberry.field(description="The remark in plain text, 4,000 characters at most.")
    team: TeamRefInput | None = optional("The team that comments; the team of the API key if left out.")


@strawberry.type(description="The result of `comment`.")
class CommentPayload(Payload):
    comment: Comment | None = payload_field("The comment; null if refused.")


async def comment(call: Call, arguments: CommentInput) -> CommentPayload:
    row = await comments.comment(
        call.session,
        call.actor,
        await proposals.get(call.session, local_id(arguments.proposal, "Proposal", field=("proposal",))),
        arguments.body,
        team_ref(arguments.team),
    )
    return CommentPayload(comment=Comment.of(row))


@strawberry.type
class Mutations:
    comment: Any = mutation(
        comment,
        "Comment on a proposal, for any team. Its owner, its proposer and the asked teams are notified. Needs the scope"
        " WRITE.",
    )
