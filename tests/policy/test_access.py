"""Every operation requires exactly the scope and team of its row in the table of rights."""

import itertools
from uuid import UUID, uuid4

import pytest

from tessera_gql.errors import Forbidden
from tessera_gql.policy.access import (
    ACTION_SCOPES,
    ADMIN_ONLY,
    ANONYMOUS,
    Action,
    Actor,
    Scope,
    ScopeRule,
    acting_team,
    authorize,
    is_allowed,
    require_owner,
)

OURS, THEIRS = uuid4(), uuid4()
READER, WRITER, ADMIN = (Actor(scope, OURS, frozenset({scope})) for scope in Scope)
NOBODY = Actor("nobody", OURS, frozenset())
HOLDS = {NOBODY: 0, READER: 1, WRITER: 2, ADMIN: 3}
NEEDS = {Scope.READ: 1, Scope.WRITE: 2, Scope.ADMIN: 3}


def test_every_operation_has_a_row() -> None:
    assert set(ACTION_SCOPES) == set(Action)


def test_acting_for_another_team_never_needs_fewer_rights_than_for_the_own_team() -> None:
    assert all(right.other_team.rank >= right.own_team.rank for right in ACTION_SCOPES.values())


@pytest.mark.parametrize(("verb", "actor", "team"), [*itertools.product(Action, HOLDS, (OURS, THEIRS, None))])
def test_a_key_has_exactly_the_rights_of_its_row(verb: Action, actor: Actor, team: UUID | None) -> None:
    needed = ACTION_SCOPES[verb].own_team if team == OURS else ACTION_SCOPES[verb].other_team
    assert is_allowed(actor, verb, team) is (HOLDS[actor] >= NEEDS[needed])


def test_only_administrators_create_teams_publish_by_force_and_move_everything_through_git() -> None:
    actions = {verb for verb, right in ACTION_SCOPES.items() if right == ADMIN_ONLY}
    assert actions == {Action.CREATE_TEAM, Action.FORCE_CONTRACT, Action.PUSH_TO_GIT, Action.PULL_FROM_GIT}


def test_reading_is_all_that_needs_no_more_than_the_scope_read() -> None:
    assert [verb for verb, right in ACTION_SCOPES.items() if right == ScopeRule(Scope.READ, Scope.READ)] == [
        Action.READ
    ]


def test_a_scope_includes_the_weaker_scopes() -> None:
    assert [[actor.has_scope(scope) for scope in Scope] for actor in (READER, WRITER, ADMIN)] == [
        [True, False, False],
        [True, True, False],
        [True, True, True],
    ]


def test_a_key_without_a_team_owns_nothing() -> None:
    stray = Actor("stray", None, frozenset({Scope.WRITE}))
    assert not is_allowed(stray, Action.UPDATE_TEAM, None)
    assert not is_allowed(stray, Action.UPDATE_TEAM, OURS)


def test_a_refusal_names_the_scope_that_is_missing() -> None:
    with pytest.raises(Forbidden, match="may not publish contracts: it lacks the scope WRITE"):
        authorize(READER, Action.PUBLISH_CONTRACT, OURS)


def test_a_refusal_for_another_team_names_the_team_whose_key_is_needed() -> None:
    with pytest.raises(Forbidden, match="own team only") as refused:
        authorize(WRITER, Action.UPDATE_TEAM, THEIRS)
    assert refused.value.field == ("team",)


def test_a_refusal_for_what_another_team_owns_names_that_team() -> None:
    with pytest.raises(Forbidden, match="Only the owning team, finance, may update it"):
        require_owner(WRITER, Action.UPDATE_ASSET, THEIRS, action_text="update it", owner_name="finance")


def test_a_missing_scope_is_reported_before_a_wrong_owner() -> None:
    with pytest.raises(Forbidden, match="lacks the scope WRITE"):
        require_owner(READER, Action.UPDATE_ASSET, THEIRS, action_text="update a.b", owner_name="finance")


def test_a_call_is_made_for_the_keys_own_team_unless_another_is_named() -> None:
    assert acting_team(WRITER, Action.REGISTER, None) == OURS
    assert acting_team(ADMIN, Action.REGISTER, THEIRS) == THEIRS


def test_an_administrator_without_a_team_must_name_the_acting_team() -> None:
    with pytest.raises(Forbidden, match="belongs to no team, so say which"):
        acting_team(ANONYMOUS, Action.REGISTER, None)


def test_callers_with_the_same_name_are_distinguished_by_their_keys() -> None:
    one, other = (Actor("ci", OURS, frozenset(Scope), key_id=uuid4()) for _ in range(2))
    assert one.account != other.account
    assert ANONYMOUS.account == "open"
