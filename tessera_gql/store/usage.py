"""Queries of observed reads: sources of usage, principals and the rules of their teams, observations and their days."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from functools import partial
from typing import Any, cast
from uuid import UUID

from sqlalchemy import Select, and_, bindparam, case, delete, func, literal, or_, select, update

from tessera_gql.errors import Invalid, NotFound
from tessera_gql.policy.affected_teams import FieldReader
from tessera_gql.policy.enums import Response
from tessera_gql.policy.validation import uniqueness_key
from tessera_gql.store import proposals
from tessera_gql.store.compiled import PreparedQuery, in_values, list_parameter
from tessera_gql.store.session import RowQuery, Session
from tessera_gql.store.tables import (
    Contract,
    Observation,
    ObservationDay,
    Principal,
    PrincipalRule,
    Proposal,
    UsageSource,
    table,
)

SOURCES = table(UsageSource)
PRINCIPALS = table(Principal)
RULES = table(PrincipalRule)
OBSERVATIONS = table(Observation)
DAYS = table(ObservationDay)

by_ids = RowQuery(UsageSource, "id")
principals_by_ids = RowQuery(Principal, "id")
rules_by_ids = RowQuery(PrincipalRule, "id")
observations_by_ids = RowQuery(Observation, "id")
by_name_keys = RowQuery(UsageSource, "name_key")
_by_patterns = RowQuery(PrincipalRule, "pattern")
find_rule = _by_patterns.find
"""Find the rule with a pattern."""

MAPPED_PRINCIPALS = select(
    PRINCIPALS,
    case((PRINCIPALS.c.team_id.is_(None), literal(False)), else_=literal(True)).label("is_mapped"),  # noqa: FBT003 - SQL
).subquery()
"""The principals, with the extra column `is_mapped`."""


@dataclass(frozen=True)
class UsageSourceRef:
    """A reference to a usage source by exactly one of its id and its name."""

    id: UUID | None = None
    name: str | None = None


async def by_names(session: Session, names: Sequence[str]) -> list[UsageSource]:
    """Load the usage sources with these names, ignoring case."""
    return await by_name_keys(session, [uniqueness_key(name) for name in names])


async def get_source(
    session: Session, ref: UsageSourceRef, *, field: tuple[str, ...] = ("source",), lock: bool = False
) -> UsageSource:
    """Return the usage source that is referred to; raise NotFound for the input `field` if there is none.

    With `lock`, other imports of the source wait until the commit. Lock it before assets.
    """
    if (ref.id is None) == (ref.name is None):
        raise Invalid("Name a usage source by its id or by its name, one of the two.", field=field)
    is_source = SOURCES.c.id == ref.id if ref.id else SOURCES.c.name_key == uniqueness_key(ref.name or "")
    statement = select(SOURCES).where(is_source)
    source = await session.find(statement.with_for_update(key_share=True) if lock else statement, UsageSource)
    if source is None:
        raise NotFound(
            f"There is no usage source {ref.name or ref.id!s}. Look it up with usageSources, or ask an administrator to"
            " create it with createUsageSource.",
            field=field,
        )
    return source


async def lock_all_sources(session: Session) -> None:
    """Lock the usage sources, so that no import adds principals meanwhile."""
    await session.execute(select(SOURCES.c.id).order_by(SOURCES.c.id).with_for_update(key_share=True))


async def list_rules(session: Session) -> list[PrincipalRule]:
    """Load all rules of principals."""
    return await session.list(select(RULES), PrincipalRule)


async def remove_rule(session: Session, rule_id: UUID) -> None:
    await session.execute(delete(RULES).where(RULES.c.id == rule_id))


async def list_principals(session: Session) -> list[Principal]:
    """Load the principals of all sources."""
    return await session.list(select(PRINCIPALS), Principal)


async def load_principals(session: Session, source_id: UUID, keys: Collection[str]) -> dict[str, Principal]:
    """Load the principals of a source by the keys of their names."""
    statement = select(PRINCIPALS).where(
        PRINCIPALS.c.source_id == source_id, session.in_values(PRINCIPALS.c.name_key, keys)
    )
    return {row.name_key: row for row in await session.list(statement, Principal)}


async def assign_team(session: Session, principal_ids: Sequence[UUID], team_id: UUID | None) -> None:
    """Give principals a team, or none."""
    await session.update(Principal, session.in_values(PRINCIPALS.c.id, principal_ids), team_id=team_id)


async def list_assets_of(session: Session, principal_ids: Collection[UUID]) -> list[UUID]:
    """Load the ids of the assets that principals have read."""
    is_of_principal = session.in_values(OBSERVATIONS.c.principal_id, principal_ids)
    rows = await session.rows(select(OBSERVATIONS.c.asset_id).where(is_of_principal).distinct())
    return [row.asset_id for row in rows]


async def load_observations(
    session: Session, principal_ids: Collection[UUID], asset_ids: Collection[UUID]
) -> list[Observation]:
    """Load the observations of principals at assets."""
    statement = select(OBSERVATIONS).where(
        session.in_values(OBSERVATIONS.c.asset_id, asset_ids),
        session.in_values(OBSERVATIONS.c.principal_id, principal_ids),
    )
    return await session.list(statement, Observation)


async def load_days(
    session: Session, observation_ids: Collection[UUID], first: date, last: date
) -> dict[tuple[UUID, date], ObservationDay]:
    """Load the days of observations from the first to the last one, by observation and day."""
    statement = select(DAYS).where(
        session.in_values(DAYS.c.observation_id, observation_ids), DAYS.c.day >= first, DAYS.c.day <= last
    )
    return {(row.observation_id, row.day): row for row in await session.list(statement, ObservationDay)}


async def update_days(session: Session, rows: Sequence[dict[str, Any]]) -> None:
    """Change the reads of days; each row has the values of every column."""
    if not rows:
        return
    is_day = and_(DAYS.c.observation_id == bindparam("of_observation"), DAYS.c.day == bindparam("of_day"))
    values = [{"of_observation": row["observation_id"], "of_day": row["day"], **row} for row in rows]
    for row in values:
        del row["observation_id"], row["day"]
    columns: dict[str, Any] = {name: bindparam(name) for name in ("read_count", "first_at", "last_at")}
    await session.execute(update(DAYS).where(is_day).values(**columns), values)


async def load_observed_readers(
    session: Session, asset_ids: Collection[UUID], start: UUID | None = None
) -> dict[UUID, list[FieldReader]]:
    """Load the observed readers of assets: the teams of mapped principals, each with the fields that were read.

    Only reads since the last release of an asset count; while a proposal is open, since the last one before it. That is
    a proposal of the asset itself, or of the `start`, from which lineage leads to it.
    """
    readers: dict[UUID, list[FieldReader]] = {asset_id: [] for asset_id in asset_ids}
    fields: dict[tuple[UUID, UUID], set[str]] = {}
    if start is None:
        rows = await session.fetch(_READS_SINCE_RELEASE, assets=[*asset_ids])
    else:
        rows = await session.fetch(_READS_SINCE_RELEASE_OF, assets=[*asset_ids], start=start)
    for row in rows:
        fields.setdefault((row.asset_id, row.team_id), set()).add(row.field)
    for (asset_id, team_id), names in sorted(fields.items()):
        readers[asset_id].append(to_reader(team_id, names))
    return readers


def to_reader(team_id: UUID, fields: Iterable[str]) -> FieldReader:
    """Convert the fields that a team was seen to read, in which the empty one stands for everything."""
    names = {*fields}
    return FieldReader(team_id, None if "" in names else tuple(sorted(names)))


def _build_reads_since_release(dialect: str, *, has_start: bool) -> Select[Any]:
    contracts, open_proposals = table(Contract), table(Proposal)
    start = bindparam("start", type_=open_proposals.c.asset_id.type)
    is_of_asset = open_proposals.c.asset_id == OBSERVATIONS.c.asset_id
    proposed_at = (
        select(func.min(open_proposals.c.proposed_at))
        .where(or_(is_of_asset, open_proposals.c.asset_id == start) if has_start else is_of_asset, proposals.IS_OPEN)
        .correlate(OBSERVATIONS)
        .scalar_subquery()
    )
    released_at = (
        select(func.max(contracts.c.published_at))
        .where(
            contracts.c.asset_id == OBSERVATIONS.c.asset_id,
            or_(proposed_at.is_(None), contracts.c.published_at <= proposed_at),
        )
        .correlate(OBSERVATIONS)
        .scalar_subquery()
    )
    statement = (
        select(OBSERVATIONS.c.asset_id, PRINCIPALS.c.team_id, OBSERVATIONS.c.field)
        .join(PRINCIPALS, PRINCIPALS.c.id == OBSERVATIONS.c.principal_id)
        .where(
            in_values(dialect, OBSERVATIONS.c.asset_id, list_parameter("assets", OBSERVATIONS.c.asset_id)),
            PRINCIPALS.c.team_id.is_not(None),
            or_(released_at.is_(None), OBSERVATIONS.c.last_seen > released_at),
        )
        .distinct()
    )
    return cast("Select[Any]", statement)


_READS_SINCE_RELEASE = PreparedQuery(partial(_build_reads_since_release, has_start=False))
_READS_SINCE_RELEASE_OF = PreparedQuery(partial(_build_reads_since_release, has_start=True))


@dataclass(frozen=True)
class TeamReads:
    """The reads of a field of an asset by a principal of a team, with the source that has seen them."""

    team_id: UUID
    field: str
    observation: Observation
    source: UsageSource


async def load_team_reads(session: Session, asset_ids: Collection[UUID], team_ids: Collection[UUID]) -> list[TeamReads]:
    """Load all that sources have seen of the reads of teams at assets, however long ago."""
    statement = (
        select(OBSERVATIONS, PRINCIPALS.c.team_id, PRINCIPALS.c.source_id)
        .join(PRINCIPALS, PRINCIPALS.c.id == OBSERVATIONS.c.principal_id)
        .where(session.in_values(OBSERVATIONS.c.asset_id, asset_ids), session.in_values(PRINCIPALS.c.team_id, team_ids))
        .order_by(OBSERVATIONS.c.id)
    )
    rows = await session.rows(statement)
    sources = {row.id: row for row in await by_ids(session, [*{row.source_id for row in rows}])}
    return [TeamReads(row.team_id, row.field, row, sources[row.source_id]) for row in rows]


async def list_provable(
    session: Session, limit: int, *, source_id: UUID | None = None, after: UUID | None = None
) -> list[UUID]:
    """Load the ids of open proposals in which a team migrates that a source has seen reading.

    It has read the asset, or anything if lineage leads from that to what the team reads.
    With a `source_id` only that source counts. They are in the order of their ids, the next ones `after` one of them.
    """
    acknowledgments, open_proposals = proposals.ACKNOWLEDGMENTS, proposals.TABLE
    has_observation = (
        select(OBSERVATIONS.c.id)
        .join(PRINCIPALS, PRINCIPALS.c.id == OBSERVATIONS.c.principal_id)
        .where(
            or_(OBSERVATIONS.c.asset_id == open_proposals.c.asset_id, acknowledgments.c.paths.is_not(None)),
            PRINCIPALS.c.team_id == acknowledgments.c.consumer_team_id,
            *([PRINCIPALS.c.source_id == source_id] if source_id else []),
        )
        .exists()
    )
    is_migrating = (
        select(acknowledgments.c.id)
        .where(
            acknowledgments.c.proposal_id == open_proposals.c.id,
            acknowledgments.c.released_at.is_(None),
            acknowledgments.c.response == Response.MIGRATING,
            has_observation,
        )
        .exists()
    )
    statement = (
        select(open_proposals.c.id).where(proposals.IS_OPEN, is_migrating).order_by(open_proposals.c.id).limit(limit)
    )
    if after is not None:
        statement = statement.where(open_proposals.c.id > after)
    return [row.id for row in await session.rows(statement)]
