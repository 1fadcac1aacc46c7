"""Operations on what waits for a team: its inbox, grouped by change set, and the answer to a whole change set."""

from collections.abc import Sequence
from datetime import datetime
from typing import TypeVar

from tessera_gql.client.base_model import Model
from tessera_gql.client.enums import AcknowledgmentResponse
from tessera_gql.client.inbox_models import ChangeSetAcknowledgment, InboxGroup
from tessera_gql.client.models import PendingAcknowledgment
from tessera_gql.client.operation import (
    Operation,
    PaginatedQuery,
    RootField,
    TeamRef,
    build_change_set_ref,
    build_team_ref,
    build_variables,
)

M = TypeVar("M", bound=Model)


def inbox(team: TeamRef | None = None) -> PaginatedQuery[PendingAcknowledgment]:
    """List the acknowledgments that a team still owes; the team defaults to that of the key."""
    return _build_query("inbox", PendingAcknowledgment, team)


def inbox_groups(team: TeamRef | None = None) -> PaginatedQuery[InboxGroup]:
    """List what waits for a team by change set, earliest due date first; the team defaults to that of the key.

    It has what the team may answer as a delegate or escalation team of another, too.
    """
    return _build_query("inboxGroups", InboxGroup, team)


def _build_query(connection: str, model: type[M], team: TeamRef | None) -> PaginatedQuery[M]:
    if team is None:
        root = RootField("viewer", model)
        return root.build_nested_paginated_query(connection, {}, "This key belongs to no team.")
    missing = "There is no such team. `teams()` lists them all."
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
