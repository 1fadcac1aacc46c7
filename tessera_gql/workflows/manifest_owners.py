"""Whose a table is: the team that the manifest names, by way of a mapping. What is there stays whose it is."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from tessera_gql.errors import Invalid
from tessera_gql.formats.dbt import Exposure, Model
from tessera_gql.policy.access import Actor, Verb, acting_team, allows
from tessera_gql.store import teams
from tessera_gql.store.session import Session
from tessera_gql.store.teams import TeamRef
from tessera_gql.workflows import teams as team_verbs
from tessera_gql.workflows.manifest_state import State


@dataclass(frozen=True)
class Naming:
    """`default` takes what nobody is named for; `mapping` leads from the manifest's names to those of teams."""

    default: TeamRef | None = None
    create: bool = False
    mapping: Mapping[str, str] = field(default_factory=dict[str, str])

    def team(self, owner: str) -> str:
        return {teams.key(name): team for name, team in self.mapping.items()}.get(teams.key(owner), owner)


async def resolve(session: Session, actor: Actor, state: State, models: Sequence[Model], naming: Naming) -> int:
    """Fills in the owners of tables that are new; returns how many teams were created for it."""
    fresh = [model for model in models if model.fqn not in state.known]
    named = {owner: naming.team(owner) for owner in {model.owner for model in fresh} if owner is not None}
    known = {team.name_key: team.id for team in await teams.by_names(session, sorted(set(named.values())))}
    missing = sorted({team for team in named.values() if teams.key(team) not in known})
    created = 0
    if naming.create:
        for name in missing:
            if teams.key(name) not in known:
                known[teams.key(name)] = (await team_verbs.create(session, actor, name=name)).id
                created += 1
        missing = []
    found: Mapping[str | None, UUID | None] = {owner: known.get(teams.key(team)) for owner, team in named.items()}
    if missing or any(model.owner is None for model in fresh):
        default = await _default(session, actor, missing, naming)
        found = {None: default, **{owner: team or default for owner, team in found.items()}}
    for model in fresh:
        owner = found[model.owner]
        if owner is not None:
            state.owners[model.fqn] = owner
    return created


async def _default(session: Session, actor: Actor, missing: Sequence[str], naming: Naming) -> UUID:
    if naming.default is None and actor.team_id is None:
        named = f" The manifest names {', '.join(missing[:10])}, which are no teams." if missing else ""
        raise Invalid(
            f"Some tables of the manifest have no owner.{named} Give `owner`, a team for them, or set `createTeams`.",
            field=("owner",),
        )
    team = await teams.get(session, naming.default, field=("owner",)) if naming.default else None
    return acting_team(actor, Verb.SYNC_DBT_MANIFEST, team.id if team else None)


async def of_exposures(
    session: Session, actor: Actor, exposures: Iterable[Exposure], naming: Naming
) -> tuple[list[tuple[Exposure, UUID]], list[str]]:
    """The exposures with their teams, and a sentence about each without one: people are no teams; none is created."""
    named = [(one, naming.team(one.owner) if one.owner else None) for one in exposures]
    wanted = sorted({team for _, team in named if team})
    known = {team.name_key: team.id for team in await teams.by_names(session, wanted)} if wanted else {}
    found: list[tuple[Exposure, UUID]] = []
    passed: list[str] = []
    for one, name in named:
        team = known.get(teams.key(name)) if name else None
        if team is None:
            who = f"its owner {name} is no team; map it to one" if name else "it names no owner"
            passed.append(f"The exposure {one.name} registers nobody: {who}.")
        elif allows(actor, Verb.SYNC_DBT_MANIFEST, team):
            found.append((one, team))
        else:
            passed.append(f"The exposure {one.name} was passed over: it belongs to another team than this key.")
    return found, passed
