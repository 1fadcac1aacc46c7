"""Create usage sources, and map the principals that they have seen to teams."""

from dataclasses import dataclass
from uuid import UUID

from tessera_gql.errors import Conflict, Invalid, NotFound
from tessera_gql.policy.access import Action, Actor, authorize
from tessera_gql.policy.usage import PrincipalRules, clean_principal_pattern, clean_source_name
from tessera_gql.policy.usage_events import PrincipalMapped, PrincipalUnmapped, UsageSourceCreated
from tessera_gql.policy.validation import uniqueness_key
from tessera_gql.store import assets, teams, usage
from tessera_gql.store.session import Session
from tessera_gql.store.tables import PrincipalRule, UsageSource, new_id
from tessera_gql.store.teams import TeamRef
from tessera_gql.workflows.archiving import require_live_teams
from tessera_gql.workflows.proposal_lifecycle import update_upstream_proposals

MAX_RULES = 10_000


@dataclass(frozen=True)
class RuleChange:
    """A rule that was made, changed or removed, and the number of principals whose team changed."""

    rule: PrincipalRule
    principals: int


async def create_source(session: Session, actor: Actor, *, name: str) -> UsageSource:
    """Create a usage source, as an administrator; raises Conflict for a name that exists in any case."""
    authorize(actor, Action.CREATE_USAGE_SOURCE, None)
    name = clean_source_name(name)
    if duplicates := await usage.by_names(session, [name]):
        raise Conflict(
            f"A usage source named {duplicates[0].name} exists already (names ignore case). Import into it, or choose"
            " another name.",
            field=("name",),
        )
    source = UsageSource(
        id=new_id(), name=name, name_key=uniqueness_key(name), covered=[], row_version=1, created_at=session.now
    )
    await session.insert(source, conflict_message=f"A usage source named {name} was created at this moment.")
    session.record(UsageSourceCreated(usage_source_id=source.id, name=name))
    return source


async def map_principal(session: Session, actor: Actor, *, pattern: str, team: TeamRef) -> RuleChange:
    """Give the principals that match a pattern to a team, those of today and later ones, as an administrator.

    The pattern's earlier rule is replaced. Of several patterns that match a principal, the most specific one decides.
    """
    authorize(actor, Action.MAP_PRINCIPAL, None)
    pattern = clean_principal_pattern(pattern)
    owner = await teams.get(session, team)
    await usage.lock_all_sources(session)
    rule = await _store_rule(session, pattern, owner.id)
    await require_live_teams(session, owner.id)
    number = await _apply_rules(session)
    session.record(
        PrincipalMapped(
            audience_team_ids=frozenset({owner.id}),
            principal_rule_id=rule.id,
            pattern=pattern,
            team_id=owner.id,
            principals=number,
        )
    )
    return RuleChange(rule, number)


async def _store_rule(session: Session, pattern: str, team_id: UUID) -> PrincipalRule:
    rule = await usage.find_rule(session, pattern)
    if rule is not None:
        await session.update_row(PrincipalRule, rule.id, team_id=team_id)
        (rule,) = await usage.rules_by_ids(session, [rule.id])
        return rule
    if len(await usage.list_rules(session)) >= MAX_RULES:
        raise Invalid(f"There are {MAX_RULES:,} rules already. Combine some with `*`.", field=("pattern",))
    rule = PrincipalRule(id=new_id(), pattern=pattern, team_id=team_id, created_at=session.now)
    await session.insert(rule, conflict_message="A rule with this pattern was made at this moment.")
    return rule


async def unmap_principal(session: Session, actor: Actor, *, pattern: str) -> RuleChange:
    """Remove the rule of a pattern, as an administrator; its principals belong to another rule's team, or to none."""
    authorize(actor, Action.UNMAP_PRINCIPAL, None)
    pattern = clean_principal_pattern(pattern)
    await usage.lock_all_sources(session)
    rule = await usage.find_rule(session, pattern)
    if rule is None:
        raise NotFound(
            f"There is no rule with the pattern {pattern}. Look it up with principalRules.", field=("pattern",)
        )
    await usage.remove_rule(session, rule.id)
    number = await _apply_rules(session)
    session.record(
        PrincipalUnmapped(
            audience_team_ids=frozenset({rule.team_id}),
            principal_rule_id=rule.id,
            pattern=pattern,
            team_id=rule.team_id,
            principals=number,
        )
    )
    return RuleChange(rule, number)


async def _apply_rules(session: Session) -> int:
    """Give each principal the team of its rule, and update the asked teams of what they read.

    Returns the number of principals whose team changed. The caller holds the locks of all sources.
    """
    rules = await load_rules(session)
    changed: dict[UUID | None, list[UUID]] = {}
    for principal in await usage.list_principals(session):
        if (team := rules.find_team(principal.name)) != principal.team_id:
            changed.setdefault(team, []).append(principal.id)
    principal_ids = [principal for ids in changed.values() for principal in ids]
    if not principal_ids:
        return 0
    asset_ids = await usage.list_assets_of(session, principal_ids)
    await assets.lock_by_ids(session, asset_ids)
    for team, ids in changed.items():
        await usage.assign_team(session, ids, team)
    await update_upstream_proposals(session, asset_ids, includes_assets=True)
    return len(principal_ids)


async def load_rules(session: Session) -> PrincipalRules:
    """Load the rules of principals."""
    return PrincipalRules((row.pattern, row.team_id) for row in await usage.list_rules(session))
