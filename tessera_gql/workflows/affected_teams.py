"""Find the teams that breaking changes of an asset affect: those that read it, and what they read."""

import asyncio
from collections.abc import Sequence

from tessera_gql.diff import Change
from tessera_gql.policy.affected_teams import AffectedTeams, AffectedTeamsCollector
from tessera_gql.store import debts, lineage, registrations, usage
from tessera_gql.store.lineage import Direction, ReachableAsset
from tessera_gql.store.session import Session
from tessera_gql.store.tables import Asset

BATCH_SIZE = 1_000
"""Registrations per step between which the event loop runs other tasks: a few milliseconds each."""


async def load_affected_teams(
    session: Session, asset: Asset, breaking: Sequence[Change], downstream: Sequence[ReachableAsset] | None = None
) -> AffectedTeams:
    """Find affected teams among consumers, without the owner, which proposes the changes.

    Owners of `downstream` (loaded if None) are informed as well.
    """
    live = await registrations.list_live(session, [asset.id])
    path_debts = await debts.load_open_path_debts(session, [asset.id])
    collector = AffectedTeamsCollector(breaking, asset.owner_team_id)
    for start in range(0, len(live), BATCH_SIZE):
        collector.add(map(path_debts.to_reader, live[start : start + BATCH_SIZE]))
        await asyncio.sleep(0)
    collector.add((await usage.load_observed_readers(session, [asset.id]))[asset.id])
    affected = collector.result()
    if downstream is None:
        downstream = (await lineage.load_reachable(session, [asset.id], Direction.DOWNSTREAM))[asset.id]
    owners = await lineage.load_owner_ids(session, downstream)
    informed = (affected.informed | owners).difference(affected.asked, {asset.owner_team_id})
    return AffectedTeams(affected.asked, informed)
