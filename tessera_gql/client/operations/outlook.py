"""Operations on what comes next: what a team owes, what time will do to a proposal, and the state of the event log."""

from tessera_gql.client.operation import Operation, PaginatedQuery, RootField, TeamRef, build_team_ref
from tessera_gql.client.outlook_models import EventLog, Obligation, ProposalOutlook, ReadDeprecation

MISSING_TEAM = "There is no such team. `teams()` lists them all."


def owes(team: TeamRef) -> PaginatedQuery[Obligation]:
    """List what a team owes, by date: answers, promised migrations and debts.

    Raises NotFound if there is no such team.

    Example:
        for item in tessera.owes("finance"):
            print(item.due_at, item.kind, item.is_overdue)
    """
    root = RootField("team", Obligation, {"by": "TeamRef!"})
    return root.build_nested_paginated_query("owes", {"by": build_team_ref(team)}, MISSING_TEAM)


def team_deprecations(team: TeamRef) -> PaginatedQuery[ReadDeprecation]:
    """List the deprecations of what a team is registered for, the earliest sunset first.

    Raises NotFound if there is no such team.

    Example:
        for item in tessera.team_deprecations("finance"):
            print(item.sunset_at, item.asset.fqn, item.path, item.replacement)
    """
    root = RootField("team", ReadDeprecation, {"by": "TeamRef!"})
    return root.build_nested_paginated_query("deprecations", {"by": build_team_ref(team)}, MISSING_TEAM)


def proposal_outlook(proposal_id: str) -> Operation[ProposalOutlook]:
    """Get what time will do to a proposal, who is not asked about it, and what its hints would lead to.

    Raises NotFound if there is no such proposal.

    Example:
        for proposal in tessera.proposals(status=[ProposalStatus.PENDING]):
            for step in tessera.proposal_outlook(proposal.id).upcoming:
                print(step.at, step.consequence)
    """
    root = RootField("proposal", ProposalOutlook, {"id": "ID!"})
    return root.build_get_query({"id": proposal_id}, "There is no such proposal. `proposals()` lists them all.")


def event_log() -> Operation[EventLog]:
    """Get the state of the event log. It verifies nothing; the server does so in the background.

    Raises Unauthenticated without a valid key.

    Example:
        log = tessera.event_log()
        print(log)
    """
    return RootField("eventLog", EventLog).build_get_query({}, "The server does not say how its event log is.")
