"""A caller sees the private rows that it may change, and only the prefix of foreign keys."""

from dataclasses import dataclass, replace
from uuid import uuid4

import pytest

from tessera_gql.policy.access import ANONYMOUS, Action, Actor, ProjectScope, Scope, is_allowed
from tessera_gql.policy.events import EVENT_KINDS, TeamCreated
from tessera_gql.policy.private_events import ApiKeyCreated
from tessera_gql.policy.visibility import (
    EVENT_AUDIENCES,
    UNRESTRICTED,
    Audience,
    Visibility,
    audience_of_field,
    describe_actor,
    format_key_actor,
    redact_actor,
    redact_event,
    visibility_of,
    visibility_of_webhook,
)

OURS, THEIRS = uuid4(), uuid4()


@dataclass(frozen=True)
class Row:
    kind: str
    teams: tuple[str, ...]
    actor: str = "open"


def rename(row: Row, actor: str) -> Row:
    return replace(row, actor=actor)


@pytest.mark.parametrize("verb", [Action.READ_KEYS, Action.READ_WEBHOOKS, Action.REVOKE_API_KEY, Action.UPDATE_WEBHOOK])
@pytest.mark.parametrize("scope", Scope)
@pytest.mark.parametrize("team", [OURS, None])
def test_private_rows_are_visible_to_callers_who_may_change_them(verb: Action, scope: Scope, team: object) -> None:
    actor = Actor("ci", OURS if team else None, frozenset({scope}))
    view = visibility_of(actor)
    for owner in (OURS, THEIRS, None):
        assert (view.is_unrestricted or (owner is not None and view.team_id == owner)) == is_allowed(actor, verb, owner)


@pytest.mark.parametrize("scope", [Scope.READ, Scope.WRITE])
def test_a_projects_key_sees_no_private_rows_but_itself(scope: Scope) -> None:
    key_id = uuid4()
    project = ProjectScope(uuid4(), "dbt", frozenset({OURS}))
    actor = Actor("ci", None, frozenset({scope}), key_id, project)
    assert visibility_of(actor) == Visibility(team_id=None, key_id=key_id)
    for verb in (Action.READ_KEYS, Action.READ_WEBHOOKS, Action.REVOKE_API_KEY, Action.UPDATE_WEBHOOK):
        assert not is_allowed(actor, verb, OURS)


def test_without_keys_everything_is_visible() -> None:
    assert visibility_of(ANONYMOUS) == UNRESTRICTED


def test_a_private_event_is_visible_to_its_audience_and_a_public_event_to_everyone() -> None:
    private, public = Row(ApiKeyCreated.kind, (str(OURS),)), Row(TeamCreated.kind, ())
    views = (UNRESTRICTED, Visibility(team_id=OURS), Visibility(team_id=THEIRS), Visibility())
    assert [redact_event(view, private, rename) for view in views] == [private, private, None, None]
    assert [redact_event(view, public, rename) for view in views] == [public] * 4
    assert redact_event(Visibility(), Row("A_KIND_OF_TOMORROW", ()), rename) is None


def test_every_kind_of_event_has_an_audience() -> None:
    assert sorted(event.kind for event in EVENT_AUDIENCES) == sorted(EVENT_KINDS)


def test_a_webhook_has_the_visibility_of_its_team_and_without_a_team_sees_everything() -> None:
    assert (visibility_of_webhook(OURS), visibility_of_webhook(None)) == (Visibility(team_id=OURS), UNRESTRICTED)


@pytest.mark.parametrize(
    ("actor", "public"),
    [
        (format_key_actor("ci orders", "tsr_AbCd"), "key tsr_AbCd"),
        (format_key_actor("(tsr_x) (tsr_AbCd)", "tsr_-_9Z"), "key tsr_-_9Z"),
        ("oidc:ann@example.com", "oidc:ann@example.com"),
        ("tsr_AbCd", "tsr_AbCd"),
        ("x (tsr_AbC)", "x (tsr_AbC)"),
        ("x (tsr_AbCd) ", "x (tsr_AbCd) "),
        ("", ""),
        (")", ")"),
    ],
)
def test_only_the_prefix_of_a_key_is_public_and_other_names_stay(actor: str, public: str) -> None:
    assert redact_actor(actor) == public
    row = Row(TeamCreated.kind, (), actor)
    row_seen = redact_event(Visibility(), row, rename)
    assert row_seen is not None
    assert row_seen.actor == public
    assert redact_event(UNRESTRICTED, row, rename) is row


def test_connections_edges_and_payloads_follow_what_they_hold() -> None:
    assert (
        audience_of_field("WebhookConnection", "totalCount")
        is audience_of_field("WebhookEdge", "cursor")
        is Audience.OWNERS
    )
    assert audience_of_field("CreateWebhookPayload", "secret") is Audience.CALLER
    assert audience_of_field("AssetConnection", "nodes") is Audience.READERS
    with pytest.raises(KeyError):
        audience_of_field("Tomorrow", "id")


@pytest.mark.parametrize(
    ("actor", "name"),
    [
        (format_key_actor("ci orders (nightly)", "tsr_Qm7K"), "ci orders (nightly)"),
        (redact_actor(format_key_actor("ci orders", "tsr_Qm7K")), "an API key"),
        ("oidc:mira@example.com", "mira@example.com"),
        ("clock", "Tessera"),
        ("admin", "an administrator"),
        ("webhook V2ViaG9vaw", "a webhook"),
        ("tessera git", "tessera git"),
    ],
)
def test_an_actor_is_described_for_people(actor: str, name: str) -> None:
    assert describe_actor(actor) == name
