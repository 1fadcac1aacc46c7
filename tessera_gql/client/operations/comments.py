"""Operations on the comments of proposals; `get_proposal` returns the first hundred."""

from tessera_gql.client.models import Comment
from tessera_gql.client.operation import Operation, RootField, TeamRef, build_team_ref, build_variables


def comment(
    proposal_id: str, body: str, *, team: TeamRef | None = None, idempotency_key: str | None = None
) -> Operation[Comment]:
    """Comment on a proposal, open or ended; the team defaults to that of the key.

    Raises Invalid for an empty text or one of more than 4,000 characters.

    Example:
        orders = tessera.get_asset("analytics.marts.orders")
        remark = tessera.comment(orders.open_proposal.id, "Does it have the same currency?", team="support")
        assert remark.body
    """
    values = build_variables(
        proposal=proposal_id, body=body, team=build_team_ref(team), idempotency_key=idempotency_key
    )
    return RootField("comment", Comment).build_idempotent_mutation(values, payload_field="comment")
