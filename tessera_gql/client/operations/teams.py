"""Operations on teams, and the caller."""

from datetime import datetime
from typing import Any, TypedDict

from typing_extensions import Unpack

from tessera_gql.client.models import JsonObject, Team, Viewer
from tessera_gql.client.operation import (
    Operation,
    PaginatedQuery,
    RootField,
    TeamRef,
    build_archive_filter,
    build_filter,
    build_nullable_variables,
    build_team_ref,
    build_variables,
    describe_missing_team,
)

TEAM = RootField("team", Team, {"by": "TeamRef!"})


def viewer() -> Operation[Viewer]:
    """Get the actor, scopes, and team or project of the key.

    Raises Unauthenticated for a key that the server does not know.

    Example:
        viewer = tessera.viewer()
        print(viewer.actor, viewer.scopes)
    """
    return RootField("viewer", Viewer).build_get_query({}, "The server does not say who this is.")


def create_team(
    name: str, *, metadata: JsonObject | None = None, idempotency_key: str | None = None
) -> Operation[Team]:
    """Create a team, and return it with its id.

    Raises Conflict if the name is taken, or the key was used for another input; Forbidden without the scope ADMIN.

    Example:
        team = tessera.create_team("data-platform", metadata={"chat": "#data-platform"})
        assert team.archived_at is None
    """
    input_ = build_variables(name=name, metadata=metadata, idempotency_key=idempotency_key)
    return RootField("createTeam", Team).build_idempotent_mutation(input_, payload_field="team")


class TeamChanges(TypedDict, total=False):
    """Attributes to change. A delegate needs `delegate_until`; None ends the delegation or the escalation."""

    name: str
    metadata: JsonObject | None
    delegate: TeamRef | None
    delegate_until: datetime
    escalation_team: TeamRef | None
    expected_row_version: int


def update_team(team: TeamRef, **changes: Unpack[TeamChanges]) -> Operation[Team]:
    """Change the given attributes of a team, and return it.

    Raises Stale for an old `expected_row_version`, Invalid for a delegate without a date or beyond 366 days, Conflict
    if the name is taken.

    Example:
        until = datetime.now(UTC) + timedelta(days=14)
        finance = tessera.update_team("finance", delegate="support", delegate_until=until)
        assert finance.delegate and finance.delegate.name == "support"
        tessera.update_team("finance", delegate=None)
    """
    values: dict[str, Any] = {**changes}
    until = values.pop("delegate_until", None)
    if (delegate := changes.get("delegate")) is not None:
        values["delegate"] = build_variables(team=build_team_ref(delegate), until=until)
    if "escalation_team" in changes:
        values["escalation_team"] = build_team_ref(changes["escalation_team"])
    input_ = {"team": build_team_ref(team), **build_nullable_variables(values)}
    return RootField("updateTeam", Team).build_mutation(input_, payload_field="team")


def get_team(team: TeamRef) -> Operation[Team]:
    """Get a team with its delegate and its escalation team.

    Raises NotFound if there is no such team; `find_team` returns None instead.

    Example:
        finance = tessera.get_team("finance")
        assert finance.name == "finance"
    """
    missing = describe_missing_team(team)
    return TEAM.build_get_query({"by": build_team_ref(team)}, missing)


def find_team(team: TeamRef) -> Operation[Team | None]:
    """Get a team, or None if it does not exist.

    Raises Unavailable if the server can't be reached, as all methods do.

    Example:
        assert tessera.find_team("no-such-team") is None
    """
    return TEAM.build_find_query({"by": build_team_ref(team)})


def teams(*, name_contains: str | None = None, is_archived: bool = False) -> PaginatedQuery[Team]:
    """List all teams, or those whose name contains a text; the archived ones instead with `is_archived`.

    Pages are loaded while you iterate. Raises Invalid for a text that is too long.

    Example:
        for team in tessera.teams(name_contains="fin"):
            print(team.name, team.delegate)
    """
    filter_ = build_archive_filter(build_filter(name=("contains", name_contains)), is_archived=is_archived)
    return RootField("teams", Team, {"filter": "TeamFilter"}).build_paginated_query(filter=filter_)


def archive_team(team: TeamRef) -> Operation[Team]:
    """Archive a team that owns, reads and answers nothing any more. Needs the scope ADMIN.

    Raises Conflict with all that it still owns, reads and answers.

    Example:
        tessera.create_team("pilot")
        assert tessera.archive_team("pilot").archived_at
    """
    return RootField("archiveTeam", Team).build_mutation({"team": build_team_ref(team)}, payload_field="team")


def unarchive_team(team: TeamRef) -> Operation[Team]:
    """Restore an archived team. Needs the scope ADMIN.

    Raises NotFound if there is no such team, Forbidden without the scope.

    Example:
        assert tessera.unarchive_team("pilot").archived_at is None
    """
    return RootField("unarchiveTeam", Team).build_mutation({"team": build_team_ref(team)}, payload_field="team")
