"""Find the owner teams of new models: those that the manifest names, through a mapping. Assets keep their owner."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from uuid import UUID

from tessera_gql.errors import Invalid
from tessera_gql.formats.dbt import Exposure, Manifest, Model
from tessera_gql.policy.access import Action, Actor
from tessera_gql.store import teams
from tessera_gql.store.session import Session
from tessera_gql.store.tables import new_id
from tessera_gql.store.teams import TeamRef
from tessera_gql.workflows import teams as team_verbs
from tessera_gql.workflows.dbt.state import SOURCE, ManifestState


@dataclass(frozen=True)
class OwnerRules:
    """How owners become teams. `default` owns models without owner; `mapping` maps names in the manifest to teams.

    `sources` maps sources that no project builds to teams: by the name of the source, `source.table`, or the fqn; each
    may contain `*`.
    """

    default: TeamRef | None = None
    create: bool = False
    mapping: Mapping[str, str] = field(default_factory=dict[str, str])
    sources: Mapping[str, str] = field(default_factory=dict[str, str])

    def team(self, owner: str) -> str:
        return {teams.key(name): team for name, team in self.mapping.items()}.get(teams.key(owner), owner)

    def find_team_name(self, model: Model) -> str | None:
        """Return the name of the team that should own a new model; None without a rule for it."""
        if model.resource_type == SOURCE:
            _, _, table = model.unique_id.partition(".")[2].partition(".")
            names = (table.partition(".")[0].lower(), table.lower(), model.fqn)
            for pattern, team in self.sources.items():
                if any(fnmatchcase(name, pattern.lower()) for name in names):
                    return team
        return None if model.owner is None else self.team(model.owner)


@dataclass
class OwnerNames:
    """The names of the owners of new models, and the teams of these names by key; `missing` are no teams."""

    by_fqn: dict[str, str | None]
    teams: dict[str, UUID]
    missing: list[str]


async def find_owner_names(session: Session, models: Iterable[Model], rules: OwnerRules) -> OwnerNames:
    by_fqn = {model.fqn: rules.find_team_name(model) for model in models}
    unique = sorted({name for name in by_fqn.values() if name is not None})
    known_teams = await _find_live_teams(session, unique)
    missing = {teams.key(name): name for name in unique if teams.key(name) not in known_teams}
    return OwnerNames(by_fqn, known_teams, [*missing.values()])


async def _find_live_teams(session: Session, names: Sequence[str]) -> dict[str, UUID]:
    """Find the teams of these names by key; archived ones own and read nothing."""
    rows = await teams.by_names(session, names) if names else []
    return {team.name_key: team.id for team in rows if team.archived_at is None}


async def create_missing_teams(session: Session, actor: Actor, state: ManifestState, rules: OwnerRules) -> int:
    """Create the teams of new models that do not exist, if the rules say so, and return their number."""
    if not rules.create:
        return 0
    names = await find_owner_names(session, _new_models(state), rules)
    for name in names.missing:
        await team_verbs.create(session, actor, name=name)
    return len(names.missing)


async def resolve_owners(
    session: Session, actor: Actor, state: ManifestState, rules: OwnerRules, *, is_complete: bool
) -> dict[UUID, str]:
    """Set the owners of new models in the state, and return the teams that a sync would create.

    With `is_complete` the state lists the models without an owner, and a manifest without any owner is refused.
    """
    names = await find_owner_names(session, _new_models(state), rules)
    new_teams = {new_id(): name for name in names.missing} if rules.create else {}
    known_teams = names.teams | {teams.key(name): identity for identity, name in new_teams.items()}
    default = None
    if (names.missing and not rules.create) or None in names.by_fqn.values():
        default = await _find_default_owner(session, actor, rules)
    for fqn, name in names.by_fqn.items():
        owner = known_teams.get(teams.key(name), default) if name is not None else default
        if owner is not None:
            state.owners[fqn] = owner
        elif is_complete:
            state.unowned[fqn] = name
    _require_an_owner(state)
    return new_teams


def _new_models(state: ManifestState) -> list[Model]:
    return [model for model in state.manifest.models if model.fqn not in state.assets]


async def _find_default_owner(session: Session, actor: Actor, rules: OwnerRules) -> UUID | None:
    if rules.default is None and actor.default_team_id is None:
        return None
    action = Action.SYNC_DBT_MANIFEST
    return await team_verbs.resolve_acting_team(session, actor, action, rules.default, field=("owner",))


def _require_an_owner(state: ManifestState) -> None:
    """Raise Invalid if no model has an owner: then the owner was forgotten, and a row for each model says no more."""
    models = [model.fqn for model in state.manifest.models if model.resource_type != SOURCE]
    if not state.unowned.keys() & models or state.owners.keys() & models:
        return
    missing = sorted({name for name in state.unowned.values() if name is not None})
    hint = f" The manifest names {', '.join(missing[:10])}, which are no teams." if missing else ""
    raise Invalid(
        f"Some tables of the manifest have no owner, such as {', '.join(sorted(state.unowned)[:3])}.{hint}"
        " Give `owner`, a team for them, or set `createTeams`.",
        field=("owner",),
    )


@dataclass(frozen=True)
class ExposureTeams:
    """The exposures of a manifest with their teams. `passed_over` are the ids of those whose registrations stay."""

    permitted: tuple[tuple[Exposure, UUID], ...] = ()
    passed_over: frozenset[str] = frozenset()
    warnings: tuple[str, ...] = ()


async def match_exposure_teams(
    session: Session, may_act_for: Callable[[UUID], bool], manifest: Manifest, owner_rules: OwnerRules
) -> ExposureTeams:
    """Find the teams of exposures, with a sentence for each exposure that is skipped. No team is created for them.

    Semantic models and metrics are exposures as well, if they name an owner. `may_act_for` says whether the caller may
    act for a team.
    """
    exposures = (*manifest.exposures, *(item for item in manifest.semantic_consumers if item.owner))
    team_names = [(exposure, owner_rules.team(exposure.owner) if exposure.owner else None) for exposure in exposures]
    unique = sorted({name for _, name in team_names if name})
    known_teams = await _find_live_teams(session, unique)
    permitted: list[tuple[Exposure, UUID]] = []
    passed_over: set[str] = set()
    warnings: list[str] = []
    for exposure, name in team_names:
        team = known_teams.get(teams.key(name)) if name else None
        if team is not None and may_act_for(team):
            permitted.append((exposure, team))
            continue
        passed_over.add(exposure.unique_id)
        if team is not None:
            warnings.append(f"The exposure {exposure.name} was passed over: it belongs to another team than this key.")
        else:
            reason = f"its owner {name} is no team; map it to one" if name else "it names no owner"
            warnings.append(f"The exposure {exposure.name} registers nobody: {reason}.")
    return ExposureTeams(tuple(permitted), frozenset(passed_over), tuple(warnings))
