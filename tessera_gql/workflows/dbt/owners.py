"""Find the owner teams of new models: those that the manifest names, through a mapping. Assets keep their owner."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from tessera_gql.errors import Invalid
from tessera_gql.formats.dbt import Exposure, Model
from tessera_gql.policy.access import Action, Actor, is_allowed
from tessera_gql.store import teams
from tessera_gql.store.session import Session
from tessera_gql.store.teams import TeamRef
from tessera_gql.workflows import teams as team_verbs
from tessera_gql.workflows.dbt.state import ManifestState


@dataclass(frozen=True)
class OwnerRules:
    """How owners become teams. `default` owns models without owner; `mapping` maps names in the manifest to teams."""

    default: TeamRef | None = None
    create: bool = False
    mapping: Mapping[str, str] = field(default_factory=dict[str, str])

    def team(self, owner: str) -> str:
        return {teams.key(name): team for name, team in self.mapping.items()}.get(teams.key(owner), owner)


async def resolve_owners(
    session: Session, actor: Actor, state: ManifestState, models: Sequence[Model], owner_rules: OwnerRules
) -> int:
    """Set the owners of new models in the state; returns how many teams were created."""
    new_models = [model for model in models if model.fqn not in state.assets]
    names = {owner: owner_rules.team(owner) for owner in {model.owner for model in new_models} if owner is not None}
    known_teams = {team.name_key: team.id for team in await teams.by_names(session, sorted(set(names.values())))}
    missing = sorted({name for name in names.values() if teams.key(name) not in known_teams})
    created = 0
    if owner_rules.create:
        for name in missing:
            if teams.key(name) not in known_teams:
                known_teams[teams.key(name)] = (await team_verbs.create(session, actor, name=name)).id
                created += 1
        missing = []
    owners: Mapping[str | None, UUID | None] = {key: known_teams.get(teams.key(name)) for key, name in names.items()}
    if missing or any(model.owner is None for model in new_models):
        default = await _default_owner(session, actor, missing, owner_rules)
        owners = {None: default, **{key: team or default for key, team in owners.items()}}
    for model in new_models:
        owner = owners[model.owner]
        if owner is not None:
            state.owners[model.fqn] = owner
    return created


async def _default_owner(session: Session, actor: Actor, missing: Sequence[str], owner_rules: OwnerRules) -> UUID:
    if owner_rules.default is None and actor.default_team_id is None:
        hint = f" The manifest names {', '.join(missing[:10])}, which are no teams." if missing else ""
        raise Invalid(
            f"Some tables of the manifest have no owner.{hint} Give `owner`, a team for them, or set `createTeams`.",
            field=("owner",),
        )
    default = owner_rules.default
    return await team_verbs.resolve_acting_team(session, actor, Action.SYNC_DBT_MANIFEST, default, field=("owner",))


async def match_exposure_teams(
    session: Session, actor: Actor, exposures: Iterable[Exposure], owner_rules: OwnerRules
) -> tuple[list[tuple[Exposure, UUID]], list[str]]:
    """The exposures with their teams, and a sentence for each that is skipped. No team is created for them."""
    team_names = [(exposure, owner_rules.team(exposure.owner) if exposure.owner else None) for exposure in exposures]
    unique = sorted({name for _, name in team_names if name})
    known_teams = {team.name_key: team.id for team in await teams.by_names(session, unique)} if unique else {}
    permitted: list[tuple[Exposure, UUID]] = []
    warnings: list[str] = []
    for exposure, name in team_names:
        team = known_teams.get(teams.key(name)) if name else None
        if team is None:
            reason = f"its owner {name} is no team; map it to one" if name else "it names no owner"
            warnings.append(f"The exposure {exposure.name} registers nobody: {reason}.")
        elif is_allowed(actor, Action.SYNC_DBT_MANIFEST, team):
            permitted.append((exposure, team))
        else:
            warnings.append(f"The exposure {exposure.name} was passed over: it belongs to another team than this key.")
    return permitted, warnings
