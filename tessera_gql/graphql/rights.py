"""What the viewer may do, said ahead by the rules that the verbs enforce."""

from uuid import UUID

from tessera_gql.policy.access import Actor, Scope


def acts_for(actor: Actor, team: UUID) -> bool:
    return actor.may(Scope.WRITE) and (actor.is_admin or actor.team_id == team)
