"""Every operation requires exactly the scope and team of its row in the table of rights."""

import itertools
from uuid import UUID, uuid4

import pytest

from tessera_gql.errors import Forbidden
from tessera_gql.policy.access import (
    ACTION_SCOPES,
    ADMIN_ONLY,
    ADMIN_SCOPES,
    ANONYMOUS,
    Action,
    Actor,
    ProjectScope,
    Scope,
    acting_team,
    authorize,
    authorize_import,
    is_allowed,
    is_allowed_on_asset,
    may_act_for_project,
    may_sync_table,
    require_owner,
    require_schema,
)

OURS, THEIRS, SECOND_OWNER = uuid4(), uuid4(), uuid4()
READER, WRITER, ADMIN = (Actor(scope, OURS, frozenset({scope})) for scope in ADMIN_SCOPES)
SOURCE = uuid4()
OBSERVER = Actor("snowflake", None, frozenset({Scope.READ, Scope.EVIDENCE}), usage_source_id=SOURCE)
NOBODY = Actor("nobody", OURS, frozenset())
PROJECT = ProjectScope(uuid4(), "shop", frozenset({OURS, SECOND_OWNER}), ("analytics.marts", "analytics.stg_*"))
CI_READER, CI = (Actor("ci", None, frozenset({scope}), project=PROJECT) for scope in (Scope.READ, Scope.WRITE))
FOR_PROJECTS = {
    Action.CREATE_ASSET,
    Action.UPDATE_ASSET,
    Action.RENAME_ASSET,
    Action.SET_LABELS,
    Action.PUBLISH_CONTRACT,
    Action.DEPRECATE,
    Action.END_DEPRECATION,
    Action.REGISTER,
    Action.WITHDRAW_PROPOSAL,
    Action.PUBLISH_PROPOSAL,
    Action.EXTEND_PROPOSAL,
    Action.PROPOSE_RETIREMENT,
    Action.WITHDRAW_CHANGE_SET,
    Action.PUBLISH_CHANGE_SET,
    Action.SYNC_DBT_MANIFEST,
}
"""What the key of a project may do besides reading, for the owners of the project only."""
HOLDS = {NOBODY: 0, READER: 1, OBSERVER: 1, WRITER: 2, ADMIN: 3}
NEEDS = {Scope.READ: 1, Scope.WRITE: 2, Scope.ADMIN: 3}


def test_every_operation_has_a_row() -> None:
    assert set(ACTION_SCOPES) == set(Action)


def test_acting_for_another_team_never_needs_fewer_rights_than_for_the_own_team() -> None:
    assert all(right.other_team.includes(right.own_team) for right in ACTION_SCOPES.values())


@pytest.mark.parametrize(("verb", "actor", "team"), [*itertools.product(Action, HOLDS, (OURS, THEIRS, None))])
def test_a_key_has_exactly_the_rights_of_its_row(verb: Action, actor: Actor, team: UUID | None) -> None:
    needed = ACTION_SCOPES[verb].own_team if team == OURS else ACTION_SCOPES[verb].other_team
    assert is_allowed(actor, verb, team) is (HOLDS[actor] >= NEEDS[needed])


def test_only_administrators_create_teams_publish_by_force_and_move_everything_through_git() -> None:
    actions = {verb for verb, right in ACTION_SCOPES.items() if right == ADMIN_ONLY}
    assert actions == {
        Action.CREATE_TEAM,
        Action.ARCHIVE_TEAM,
        Action.UNARCHIVE_TEAM,
        Action.SET_ASSET_TIER,
        Action.CREATE_PROJECT,
        Action.UPDATE_PROJECT,
        Action.SET_ASK_POLICY,
        Action.FORCE_CONTRACT,
        Action.PUSH_TO_GIT,
        Action.PULL_FROM_GIT,
        Action.CREATE_USAGE_SOURCE,
        Action.MAP_PRINCIPAL,
        Action.REGISTER_OBSERVED_READER,
        Action.UNMAP_PRINCIPAL,
        Action.IMPORT_USAGE,
    }


def test_reading_is_all_that_needs_no_more_than_the_scope_read() -> None:
    assert [verb for verb, right in ACTION_SCOPES.items() if Scope.READ in (right.own_team, right.other_team)] == [
        Action.READ
    ]


@pytest.mark.parametrize(("verb", "actor", "team"), [*itertools.product(Action, (CI, CI_READER), (OURS, THEIRS, None))])
def test_a_projects_key_does_only_what_ci_needs_and_only_for_the_owners_of_the_project(
    verb: Action, actor: Actor, team: UUID | None
) -> None:
    may_write = actor is CI and verb in FOR_PROJECTS and team == OURS
    assert is_allowed(actor, verb, team) is (may_write or verb is Action.READ)


@pytest.mark.parametrize(
    "verb",
    [
        Action.ACKNOWLEDGE_PROPOSAL,
        Action.TRANSFER_ASSET,
        Action.UNREGISTER,
        Action.CREATE_API_KEY,
        Action.UPDATE_TEAM,
        Action.CREATE_WEBHOOK,
        Action.PUSH_TO_GIT,
    ],
)
def test_a_projects_key_is_refused_with_the_action_and_the_key_that_can(verb: Action) -> None:
    for team in (OURS, THEIRS, None):
        with pytest.raises(Forbidden, match=f"The key of a project may not {verb}. Use the key of a team."):
            authorize(CI, verb, team)


def test_a_projects_key_never_has_the_scope_admin() -> None:
    actor = Actor("ci", None, frozenset(Scope), project=PROJECT)
    assert (actor.scopes, actor.is_admin) == ({Scope.READ, Scope.WRITE, Scope.EVIDENCE}, False)


def test_a_refusal_for_a_team_that_is_no_owner_names_the_project() -> None:
    with pytest.raises(Forbidden, match="The project shop may not act for this team") as refused:
        authorize(CI, Action.PUBLISH_CONTRACT, THEIRS)
    assert refused.value.field == ("team",)
    with pytest.raises(Forbidden, match="Only the owning team, finance, may update it"):
        require_owner(CI, Action.UPDATE_ASSET, THEIRS, action_text="update it", owner_name="finance")


@pytest.mark.parametrize(
    ("fqn", "is_covered"),
    [
        ("analytics.marts.orders", True),
        ("Analytics.MARTS.Orders", True),
        ("analytics.stg_shop.orders", True),
        ("analytics.stg_.orders", True),
        ("analytics.stg.orders", False),
        ("analytics.marts_old.orders", False),
        ("other.marts.orders", False),
        ("marts.orders", False),
        ("analytics.stg_a.b.orders", False),
        ("x.analytics.marts.orders", False),
    ],
)
def test_a_projects_key_syncs_only_tables_in_the_schemas_of_the_project(fqn: str, is_covered: bool) -> None:
    assert may_sync_table(CI, fqn, OURS) is may_sync_table(CI, fqn, SECOND_OWNER) is is_covered
    assert is_allowed_on_asset(CI, Action.PUBLISH_CONTRACT, fqn, OURS) is is_covered
    assert not may_sync_table(CI, fqn, THEIRS)
    assert not may_sync_table(CI_READER, fqn, OURS)
    assert may_sync_table(WRITER, fqn, OURS)
    assert may_sync_table(ADMIN, fqn, THEIRS)
    assert not may_sync_table(WRITER, fqn, THEIRS)
    assert not may_sync_table(READER, fqn, OURS)


def test_a_pattern_of_one_part_is_for_tables_without_a_database() -> None:
    project = ProjectScope(uuid4(), "spark", frozenset({OURS}), ("marts", "stg_*"))
    assert [project.covers_schema_of(fqn) for fqn in ("marts.orders", "stg_x.orders", "db.marts.orders")] == [
        True,
        True,
        False,
    ]


def test_a_project_without_schemas_syncs_every_schema_of_its_owners() -> None:
    actor = Actor("ci", None, frozenset({Scope.WRITE}), project=ProjectScope(uuid4(), "shop", frozenset({OURS})))
    assert may_sync_table(actor, "any.where.orders", OURS)
    assert not may_sync_table(actor, "any.where.orders", THEIRS)


def test_the_refusal_of_a_schema_names_the_project_and_its_schemas() -> None:
    with pytest.raises(Forbidden, match=r"project shop may not change raw\.x\.y: its schemas are analytics\.marts, "):
        require_schema(CI, "raw.x.y")
    require_schema(CI, "analytics.marts.orders")
    require_schema(WRITER, "raw.x.y")


OTHER_PROJECT = ProjectScope(uuid4(), "finance", frozenset({THEIRS}))


@pytest.mark.parametrize(
    ("actor", "project", "may_act"),
    [
        (CI, PROJECT, True),
        (CI, OTHER_PROJECT, False),
        (CI, None, False),
        (CI_READER, PROJECT, False),
        (WRITER, PROJECT, True),
        (WRITER, OTHER_PROJECT, False),
        (WRITER, None, True),
        (READER, PROJECT, False),
        (READER, None, False),
        (ADMIN, OTHER_PROJECT, True),
        (ADMIN, None, True),
        (ANONYMOUS, OTHER_PROJECT, True),
        (Actor("stray", None, frozenset({Scope.WRITE})), PROJECT, False),
    ],
)
def test_the_name_of_a_project_in_a_manifest_proves_nothing(
    actor: Actor, project: ProjectScope | None, may_act: bool
) -> None:
    name = project.name if project else "of no row"
    assert may_act_for_project(actor, name, project) is may_act
    assert may_act_for_project(actor, None, None) is actor.has_scope(Scope.WRITE)


def test_a_projects_key_acts_for_its_only_owner_or_for_the_owner_that_is_named() -> None:
    single = Actor("ci", None, frozenset({Scope.WRITE}), project=ProjectScope(uuid4(), "shop", frozenset({OURS})))
    assert acting_team(single, Action.REGISTER, None) == OURS
    assert acting_team(CI, Action.REGISTER, SECOND_OWNER) == SECOND_OWNER
    with pytest.raises(Forbidden, match="The project shop has several owners, so say which team acts"):
        acting_team(CI, Action.REGISTER, None)
    with pytest.raises(Forbidden, match="may not act for this team"):
        acting_team(CI, Action.REGISTER, THEIRS)
    with pytest.raises(Forbidden, match="may not answer proposals"):
        acting_team(CI, Action.ACKNOWLEDGE_PROPOSAL, None)


def test_a_scope_includes_the_weaker_scopes() -> None:
    assert [[actor.has_scope(scope) for scope in Scope] for actor in (READER, WRITER, ADMIN, OBSERVER)] == [
        [True, False, False, False],
        [True, True, False, False],
        [True, True, True, False],
        [True, False, False, True],
    ]
    assert [actor.may_grant(Scope.EVIDENCE) for actor in (WRITER, ADMIN, OBSERVER)] == [False, True, False]


@pytest.mark.parametrize("actor", [NOBODY, READER, WRITER, CI, CI_READER, OBSERVER, ADMIN])
def test_only_a_key_of_the_source_and_an_administrator_import_its_reads(actor: Actor) -> None:
    for source in (SOURCE, uuid4()):
        if actor is ADMIN or (actor is OBSERVER and source == SOURCE):
            authorize_import(actor, source, "snowflake")
            continue
        with pytest.raises(Forbidden, match="usage source") as refused:
            authorize_import(actor, source, "snowflake")
        assert refused.value.field == ("source",)


def test_the_scope_evidence_without_a_source_imports_nothing() -> None:
    for actor in (
        Actor("forged", OURS, frozenset({Scope.WRITE, Scope.EVIDENCE})),
        Actor("stray", None, OBSERVER.scopes),
    ):
        with pytest.raises(Forbidden, match="no team testifies for itself"):
            authorize_import(actor, SOURCE, "snowflake")


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
