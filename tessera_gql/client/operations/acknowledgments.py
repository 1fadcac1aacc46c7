"""Operations on what waits for a team: its inbox, grouped by change set, and the answer to a whole change set."""

from collections.abc import Sequence
from datetime import datetime
from typing import TypeVar

from tessera_gql.client.base_model import Model, build_selection
from tessera_gql.client.enums import AcknowledgmentResponse
from tessera_gql.client.errors import NotFound
from tessera_gql.client.inbox_models import ChangeSetAcknowledgment, InboxGroup
from tessera_gql.client.models import JsonObject, PendingAcknowledgment, ReasonPath
from tessera_gql.client.operation import (
    Operation,
    PaginatedQuery,
    RootField,
    TeamRef,
    build_change_set_ref,
    build_team_ref,
    build_variables,
    describe_missing_team,
    parse_model,
)

M = TypeVar("M", bound=Model)


def inbox(team: TeamRef | None = None) -> PaginatedQuery[PendingAcknowledgment]:
    """List the acknowledgments that a team still owes; the team defaults to that of the key.

    Raises NotFound if there is no such team, or if the key belongs to none.

    Example:
        for item in tessera.inbox("support"):
            print(item.proposal.asset.fqn, item.due_at, item.silence_means)
    """
    return _build_query("inbox", PendingAcknowledgment, team)


def inbox_groups(team: TeamRef | None = None) -> PaginatedQuery[InboxGroup]:
    """List what waits for a team by change set, earliest due date first; the team defaults to that of the key.

    It has what the team may answer as a delegate or escalation team of another, too. Raises NotFound as `inbox` does.

    Example:
        for group in tessera.inbox_groups("support"):
            print(group.due_at, group.table_count, [item.proposal.asset.fqn for item in group.acknowledgments])
    """
    return _build_query("inboxGroups", InboxGroup, team)


def reason_paths(acknowledgment_id: str) -> Operation[tuple[ReasonPath, ...]]:
    """List the ways on which the changes of an ask reach tables of the team; empty if it reads the asset itself.

    Raises NotFound for an unknown id.

    Example:
        orders = tessera.get_asset("analytics.marts.orders")
        proposal = tessera.get_proposal(orders.open_proposal.id)
        paths = [tessera.reason_paths(item.id) for item in proposal.acknowledgments]
    """
    root = RootField("node", ReasonPath, {"id": "ID!"})
    document = root.build_document("query", f"... on Acknowledgment {{ paths {{ {build_selection(ReasonPath)} }} }}")

    def parse(data: JsonObject) -> tuple[ReasonPath, ...]:
        if not data["node"]:
            raise NotFound(f"There is no acknowledgment {acknowledgment_id}.")
        return tuple(parse_model(ReasonPath, path) for path in data["node"]["paths"])

    return Operation(document, {"id": acknowledgment_id}, parse)


def _build_query(connection: str, model: type[M], team: TeamRef | None) -> PaginatedQuery[M]:
    if team is None:
        root = RootField("viewer", model)
        return root.build_nested_paginated_query(connection, {}, "This key belongs to no team.")
    missing = describe_missing_team(team)
    root = RootField("team", model, {"by": "TeamRef!"})
    return root.build_nested_paginated_query(connection, {"by": build_team_ref(team)}, missing)


def acknowledge_change_set(  # noqa: PLR0913 - the fields of the mutation's input
    change_set: str,
    response: AcknowledgmentResponse,
    *,
    team: TeamRef | None = None,
    migration_deadline: datetime | None = None,
    notes: str | None = None,
    except_proposals: Sequence[str] = (),
    replace_answers: bool = False,
) -> Operation[ChangeSetAcknowledgment]:
    """Acknowledge all that waits for a team in a change set, by its key or id, in one transaction.

    The proposals with the ids `except_proposals` keep their acknowledgment, and so do those that the team has answered
    already, unless `replace_answers` is set. Raises Conflict if nothing waits for an answer.

    Example:
        key, answer = "github.com/fernhill/warehouse#412", AcknowledgmentResponse.APPROVED
        result = tessera.acknowledge_change_set(key, answer, team="support", replace_answers=True)
        assert [item.response for item in result.acknowledgments] == [answer]
    """
    values = build_variables(
        response=response, team=build_team_ref(team), migration_deadline=migration_deadline, notes=notes
    )
    if except_proposals:
        values["except"] = [*except_proposals]
    if replace_answers:
        values["replaceAnswers"] = True
    root = RootField("acknowledgeChangeSet", ChangeSetAcknowledgment)
    return root.build_idempotent_mutation({"changeSet": build_change_set_ref(change_set), **values})
