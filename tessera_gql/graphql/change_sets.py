"""Change sets: the proposals of one pull request, manifest or release, decided together."""

from datetime import datetime
from typing import Any
from uuid import UUID

import strawberry
from strawberry import UNSET

from tessera_gql.graphql.connections import Connection, connection
from tessera_gql.graphql.dataloader import Loader
from tessera_gql.graphql.filters import optional, or_none
from tessera_gql.graphql.ids import Node, local_id
from tessera_gql.graphql.listings import CHANGE_SETS, PROPOSALS
from tessera_gql.graphql.loaders import Loaders
from tessera_gql.graphql.mutations import Call, CreatingInput, Input, Payload, mutation, payload_field
from tessera_gql.graphql.relations import relation, root_by_ref
from tessera_gql.graphql.row_types import from_row
from tessera_gql.graphql.scalars import Url, check_text
from tessera_gql.policy.enums import ChangeSetStatus
from tessera_gql.store import tables
from tessera_gql.workflows import change_sets
from tessera_gql.workflows.change_sets import ChangeSetRef, ChangeSetRequest


@from_row(is_open=lambda row: row.status is ChangeSetStatus.OPEN)
@strawberry.type(
    description="The proposals of one pull request, manifest or release: asked, withdrawn and published together."
)
class ChangeSet(Node):
    row: strawberry.Private[tables.ChangeSet]
    key: str = strawberry.field(description="The natural key, such as `github.com/org/repo#4711`; unique.")
    title: str | None = strawberry.field(description="The title, as people read it; null if there is none.")
    url: Url | None = strawberry.field(description="The address of the pull request or release; null if there is none.")
    commit: str | None = strawberry.field(
        description="The id of the commit that was proposed last, in lower case; null if none is known."
    )
    status: ChangeSetStatus = strawberry.field(description="The status of the change set.")
    is_open: bool = strawberry.field(description="Whether its proposals can be withdrawn or published together.")
    opened_at: datetime = strawberry.field(description="The time at which it was opened, the last time if repeatedly.")
    closed_at: datetime | None = strawberry.field(description="The time of the end; null while it is open.")
    updated_at: datetime = strawberry.field(description="The time of the latest change of it.")
    row_version: int = strawberry.field(description="A number that rises with every change of the change set itself.")

    opened_by = relation(
        "Team",
        "row.opened_by",
        "The team that opened it; null for the key of a project and for an administrator of no team.",
        nullable=True,
    )
    project = relation(
        "Project",
        "row.project_id",
        "The project whose key opened it; null for the key of a team or an administrator.",
        nullable=True,
    )
    proposals = connection(PROPOSALS, "change_set_id", description="The proposals of the change set, ended ones too.")


@strawberry.type(description="One page of a list of change sets.")
class ChangeSetConnection(Connection[ChangeSet]): ...


@strawberry.input(
    name="ChangeSetRef", one_of=True, description="A reference to a change set, by exactly one of id and key."
)
class ChangeSetRefInput:
    id: strawberry.ID | None = strawberry.field(default=UNSET, description="The global id of the change set.")
    key: str | None = strawberry.field(default=UNSET, description="The natural key of the change set.")

    def to_ref(self, field: str = "change_set") -> ChangeSetRef:
        """Convert to a reference. Raise Invalid for an id that is not a change set's."""
        if or_none(self.id) is not None:
            return ChangeSetRef(id=local_id(str(self.id), "ChangeSet", field=(field,)))
        return ChangeSetRef(key=check_text(self.key or "", field))


@strawberry.input(description="The change set that a proposal belongs to; it is opened, or opened again, by its key.")
class ChangeSetInput:
    key: str = strawberry.field(
        description="The natural key, such as `github.com/org/repo#4711`; 500 characters at most, and case counts."
    )
    title: str | None = optional("The title; only the team that opened the change set changes it.")
    url: Url | None = optional("The http or https address; only the team that opened the change set changes it.")
    commit: str | None = optional(
        "The id of the commit, 7 to 64 hexadecimal digits; only the team that opened the change set changes it."
    )

    def to_request(self) -> ChangeSetRequest:
        return ChangeSetRequest(
            check_text(self.key, "change_set"),
            check_text(or_none(self.title) or "", "change_set"),
            check_text(or_none(self.url) or "", "change_set"),
            check_text(or_none(self.commit) or "", "change_set"),
        )


async def open_change_set(call: Call, change_set: ChangeSetInput | None) -> UUID | None:
    """Open the change set of an input and return its id; None if the input has none."""
    if not change_set:
        return None
    return (await change_sets.open_change_set(call.session, call.actor, change_set.to_request())).id


def _change_set_loader(loaders: Loaders, ref: ChangeSetRef) -> tuple[Loader[Any, tables.ChangeSet | None], Any]:
    return (loaders.change_set, ref.id) if ref.id else (loaders.change_set_by_key, ref.key)


@strawberry.type
class Queries:
    change_sets = connection(CHANGE_SETS, description="All change sets, the latest first.")

    change_set = root_by_ref(
        "ChangeSet",
        ChangeSetRefInput,
        _change_set_loader,
        description="The change set with this id or key; null if there is none.",
    )


@strawberry.input(description="The change set to withdraw.")
class WithdrawChangeSetInput(Input):
    change_set: ChangeSetRefInput = strawberry.field(description="The change set to withdraw, by id or key.")


@strawberry.type(description="The result of `withdrawChangeSet`.")
class WithdrawChangeSetPayload(Payload):
    change_set: ChangeSet | None = payload_field("The change set; null if refused.")


async def withdraw_change_set(call: Call, arguments: WithdrawChangeSetInput) -> WithdrawChangeSetPayload:
    result = await change_sets.withdraw_change_set(call.session, call.actor, arguments.change_set.to_ref())
    return WithdrawChangeSetPayload(change_set=ChangeSet.of(result.change_set))


@strawberry.input(description="The change set to publish.")
class PublishChangeSetInput(CreatingInput):
    change_set: ChangeSetRefInput = strawberry.field(description="The change set to publish, by id or key.")


@strawberry.type(description="The result of `publishChangeSet`.")
class PublishChangeSetPayload(Payload):
    change_set: ChangeSet | None = payload_field("The change set; null if refused.")


async def publish_change_set(call: Call, arguments: PublishChangeSetInput) -> PublishChangeSetPayload:
    result = await change_sets.publish_change_set(call.session, call.actor, arguments.change_set.to_ref())
    return PublishChangeSetPayload(change_set=ChangeSet.of(result.change_set))


@strawberry.type
class Mutations:
    withdraw_change_set: Any = mutation(
        withdraw_change_set,
        "Withdraw a change set with all its open proposals, such as that of a closed pull request. Needs a key of the"
        " owner team of each asset or the scope ADMIN.",
    )
    publish_change_set: Any = mutation(
        publish_change_set,
        "Publish all open proposals of a change set in one transaction; refused unless all are approved. Needs a key of"
        " the owner team of each asset or the scope ADMIN.",
    )
