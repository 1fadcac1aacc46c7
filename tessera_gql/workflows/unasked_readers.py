"""Load the readers of changes who are not asked, with a fixed number of statements for any number of changes."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from tessera_gql.policy.unasked_readers import TeamsOfChange, UnaskedReader, find_ways, list_unasked
from tessera_gql.store import assets, lineage, proposals, registrations, usage
from tessera_gql.store.lineage import Direction, ReachableAsset
from tessera_gql.store.session import Session


@dataclass(frozen=True)
class ChangedAsset:
    """An asset that changes, with the teams of the change."""

    asset_id: UUID
    teams: TeamsOfChange


async def load_of_proposals(session: Session, proposal_ids: Sequence[UUID]) -> list[list[UnaskedReader]]:
    """Load the readers who are not asked about proposals, in the order of the proposals."""
    rows = {row.id: row for row in await proposals.by_ids(session, proposal_ids)}
    owners = {
        row.id: row.owner_team_id for row in await assets.by_ids(session, [row.asset_id for row in rows.values()])
    }
    asked: dict[UUID, set[UUID]] = defaultdict(set)
    released: dict[UUID, set[UUID]] = defaultdict(set)
    for item in await proposals.list_acknowledgments(session, proposal_ids):
        (asked if item.released_at is None else released)[item.proposal_id].add(item.consumer_team_id)
    informed = dict(zip(proposal_ids, await proposals.load_informed_teams(session, proposal_ids), strict=True))
    changed = {
        key: ChangedAsset(
            row.asset_id,
            TeamsOfChange(
                frozenset(asked[key]),
                frozenset(released[key]),
                frozenset(informed[key]),
                frozenset({row.proposed_by, owners[row.asset_id]}),
            ),
        )
        for key, row in rows.items()
    }
    lists = dict(zip(changed, await load_unasked(session, [*changed.values()]), strict=True))
    return [lists.get(key, []) for key in proposal_ids]


async def load_unasked(session: Session, changed: Sequence[ChangedAsset]) -> list[list[UnaskedReader]]:
    """Load the readers of changed assets, and of what is made from them, who are not asked."""
    asset_ids = [*dict.fromkeys(item.asset_id for item in changed)]
    readers = await _load_readers(session, asset_ids)
    reachable = await lineage.load_reachable(session, asset_ids, Direction.DOWNSTREAM)
    edges, teams = await _load_surroundings(session, {near.asset_id for items in reachable.values() for near in items})
    return [
        list_unasked(
            item.teams,
            readers[item.asset_id],
            _find_ways(item, readers[item.asset_id], reachable[item.asset_id], edges, teams),
        )
        for item in changed
    ]


async def _load_readers(
    session: Session, asset_ids: Sequence[UUID]
) -> Mapping[UUID, Mapping[UUID, frozenset[str] | None]]:
    """Load what each team reads of assets: as it is registered, and as usage sources have seen."""
    readers: dict[UUID, dict[UUID, frozenset[str] | None]] = {asset: {} for asset in asset_ids}
    observed = await usage.load_observed_readers(session, asset_ids)
    rows = await registrations.list_live(session, asset_ids)
    reads: list[tuple[UUID, UUID, Sequence[str] | None]] = [
        *((row.asset_id, row.consumer_team_id, row.fields) for row in rows),
        *((asset, reader.team_id, reader.fields) for asset, items in observed.items() for reader in items),
    ]
    for asset, team, fields in reads:
        earlier = readers[asset].get(team, frozenset[str]())
        readers[asset][team] = None if fields is None or earlier is None else earlier | {*fields}
    return readers


async def _load_surroundings(
    session: Session, asset_ids: Collection[UUID]
) -> tuple[Mapping[UUID, Collection[UUID]], Mapping[UUID, Collection[UUID]]]:
    """Load what assets are made from, and the teams that own or have registered to read each of them."""
    ids = sorted(asset_ids)
    sources: dict[UUID, set[UUID]] = defaultdict(set)
    for edge in await lineage.list_of_dependents(session, ids):
        sources[edge.dependent_asset_id].add(edge.dependency_asset_id)
    teams: dict[UUID, set[UUID]] = defaultdict(set)
    for row in await assets.by_ids(session, ids):
        teams[row.id].add(row.owner_team_id)
    for registration in await registrations.list_live(session, ids):
        teams[registration.asset_id].add(registration.consumer_team_id)
    return sources, teams


def _find_ways(
    changed: ChangedAsset,
    readers: Collection[UUID],
    reachable: Sequence[ReachableAsset],
    sources: Mapping[UUID, Collection[UUID]],
    teams: Mapping[UUID, Collection[UUID]],
) -> dict[UUID, tuple[UUID, ...]]:
    """Find the ways to the teams that are informed because of tables made from the changed asset."""
    distant = changed.teams.informed.difference(readers)
    if not distant:
        return {}
    assets_by_team: dict[UUID, list[UUID]] = defaultdict(list)
    for near in reachable:
        for team in distant.intersection(teams.get(near.asset_id, ())):
            assets_by_team[team].append(near.asset_id)
    edges = [(source, near.asset_id) for near in reachable for source in sources.get(near.asset_id, ())]
    return find_ways(changed.asset_id, edges, assets_by_team)
