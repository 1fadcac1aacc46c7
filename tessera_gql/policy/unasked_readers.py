"""The readers of a change who are not asked about it, and why not."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from tessera_gql.policy.enums import UnaskedReason


@dataclass(frozen=True)
class UnaskedReader:
    """A team that reads an asset, or a table made from it, and is not asked about a change.

    `fields` are what it reads of the asset: None for everything, and empty if it reads nothing of it. `way` has the
    assets from the one that changes to the one that the team reads or owns; empty if it reads the asset itself.
    `is_informed` says whether the team was informed of the change.
    """

    team_id: UUID
    reason: UnaskedReason
    fields: tuple[str, ...] | None = ()
    way: tuple[UUID, ...] = ()
    is_informed: bool = False


@dataclass(frozen=True)
class TeamsOfChange:
    """The teams of a change by what became of them: asked, released from it, and informed only.

    `proposers` own the asset or propose the change.
    """

    asked: frozenset[UUID]
    released: frozenset[UUID]
    informed: frozenset[UUID]
    proposers: frozenset[UUID]


def list_unasked(
    teams: TeamsOfChange, readers: Mapping[UUID, frozenset[str] | None], ways: Mapping[UUID, tuple[UUID, ...]]
) -> list[UnaskedReader]:
    """List the readers who are not asked: first those that were released, then readers of the asset, then of others.

    `readers` has the fields that each team reads of the asset, None for everything; `ways` leads to other tables.
    """
    items: list[UnaskedReader] = []
    for team in sorted({*readers, *teams.released, *teams.informed} - teams.asked - teams.proposers):
        names = readers.get(team, frozenset[str]())
        fields = None if names is None else tuple(sorted(names))
        is_informed = team in teams.informed
        if team in teams.released:
            items.append(UnaskedReader(team, UnaskedReason.RELEASED, fields, is_informed=is_informed))
        elif team in readers:
            items.append(UnaskedReader(team, UnaskedReason.OTHER_FIELDS, fields, is_informed=is_informed))
        else:
            way = ways.get(team, ())
            items.append(UnaskedReader(team, UnaskedReason.DOWNSTREAM, way=way, is_informed=is_informed))
    return sorted(items, key=lambda item: [*UnaskedReason].index(item.reason))


def find_ways(
    start: UUID, edges: Iterable[tuple[UUID, UUID]], assets_by_team: Mapping[UUID, Collection[UUID]]
) -> dict[UUID, tuple[UUID, ...]]:
    """Find a shortest way from the start to an asset of each team, along edges from an asset to one made from it."""
    targets: dict[UUID, list[UUID]] = {}
    for source, target in sorted(edges):
        targets.setdefault(source, []).append(target)
    ways: dict[UUID, tuple[UUID, ...]] = {start: (start,)}
    frontier: Sequence[UUID] = [start]
    while frontier:
        following: list[UUID] = []
        for source in frontier:
            for target in targets.get(source, ()):
                if target not in ways:
                    ways[target] = (*ways[source], target)
                    following.append(target)
        frontier = following
    return {
        team: min((ways[asset] for asset in assets if asset in ways), key=len)
        for team, assets in assets_by_team.items()
        if any(asset in ways for asset in assets)
    }
