"""A principal's team is suggested by its siblings and by the names of teams."""

from uuid import uuid4

import pytest

from tessera_gql.policy.usage_suggestions import PrincipalSiblings, TeamSuggestion, list_team_names, suggest_team

FINANCE, GROWTH, PLATFORM = uuid4(), uuid4(), uuid4()
TEAMS = {"finance": FINANCE, "growth": GROWTH, "data-platform": PLATFORM, "data": GROWTH}


@pytest.mark.parametrize(
    ("principal", "rules", "team"),
    [
        ("svc_finance_daily", [], FINANCE),
        ("SVC_FINANCE", [], FINANCE),
        ("jane@finance.example.com", [], FINANCE),
        ("svc_data_platform", [], PLATFORM),
        ("svc_finance_growth", [], None),
        ("svc_unknown", [], None),
        ("fin", [], None),
        ("svc_bi_daily", [("svc_bi_weekly", GROWTH)], GROWTH),
        ("svc_bi_daily", [("svc_bi_weekly", GROWTH), ("svc_bi_hourly", FINANCE)], None),
        ("svc_finance_daily", [("svc_finance_weekly", GROWTH)], GROWTH),
        ("svc_bi_daily", [("svc_bi_w*", GROWTH)], None),
        ("svc_other", [("svc_finance", FINANCE)], None),
    ],
)
def test_siblings_come_first_then_the_longest_name_of_one_team(
    principal: str, rules: list[tuple[str, object]], team: object
) -> None:
    suggestion = suggest_team(principal, PrincipalSiblings(rules), TEAMS)  # type: ignore[arg-type] # ids of teams
    assert (suggestion and suggestion.team_id) == team


def test_the_reason_names_the_siblings() -> None:
    siblings = PrincipalSiblings([("svc_bi_weekly", GROWTH), ("svc_bi_hourly", GROWTH)])
    assert siblings.find_team("svc_bi_daily") == TeamSuggestion(
        GROWTH, "svc_bi_weekly and 1 more, whose names begin with svc_bi_ too, read for this team"
    )


def test_a_long_name_has_few_candidates() -> None:
    assert len(list_team_names("_".join(["word"] * 100))) <= 200
