"""What usage sources have seen of the reads by which a change concerns an asked team."""

from collections.abc import Iterable, Sequence
from datetime import datetime

import strawberry

from tessera_gql.diff import Change
from tessera_gql.graphql.context import Info
from tessera_gql.graphql.loaders import Loaders
from tessera_gql.policy.usage import QuietProgress
from tessera_gql.store import tables
from tessera_gql.store.usage import TeamReads
from tessera_gql.workflows.quiet_proofs import create_stake, measure_changes, measure_stake

LAST_READ_AT = "The latest read that a usage source has seen; null if none was seen."
QUIET_SINCE = (
    "The time of the latest read, if covered time without one has passed since that is longer than the readers' usual"
    " pauses, and a day at least; null while they read, or if nobody was seen."
)
EARLIEST_RELEASE = (
    "The earliest time at which quiet can prove the migration, if nothing is read until then; null unless the team"
    " migrates, and if no source can prove it."
)


@strawberry.type(description="What usage sources have seen of a team's reads that one breaking change concerns.")
class ChangeReads:
    fingerprint: str = strawberry.field(description="The fingerprint of the change.")
    path: str = strawberry.field(description="The path of the field that changes; empty for the whole schema.")
    last_read_at: datetime | None = strawberry.field(description=LAST_READ_AT)
    quiet_since: datetime | None = strawberry.field(description=QUIET_SINCE)
    earliest_release: datetime | None = strawberry.field(description=EARLIEST_RELEASE)


async def load_progress(info: Info, row: tables.Acknowledgment) -> QuietProgress:
    """Load how far observed reads prove that a team has stopped to read what breaks."""
    loaders = info.context.loaders
    proposal = await loaders.proposal.load(row.proposal_id)
    if proposal is None:
        return QuietProgress()
    stake = create_stake(proposal, row, parse_breaking_changes(loaders, proposal))
    reads = await loaders.team_reads.load_many([(asset, row.consumer_team_id) for asset in stake.sort_asset_ids()])
    return measure_stake(stake, row, _join(reads))


async def load_change_reads(info: Info, row: tables.Acknowledgment) -> list[ChangeReads]:
    """Load the same for each change that a team is asked about."""
    loaders = info.context.loaders
    proposal = await loaders.proposal.load(row.proposal_id)
    if proposal is None:
        return []
    stake = create_stake(proposal, row, parse_breaking_changes(loaders, proposal))
    reads = await loaders.team_reads.load_many([(asset, row.consumer_team_id) for asset in stake.sort_asset_ids()])
    return [
        ChangeReads(fingerprint=change.fingerprint, path=change.path, **vars(progress))
        for change, progress in measure_changes(stake, row, _join(reads))
    ]


def parse_breaking_changes(loaders: Loaders, proposal: tables.Proposal) -> list[Change]:
    """Parse the breaking changes of a proposal once for all acknowledgments in a request."""
    changes = loaders.parsed_changes.get(proposal.id)
    if changes is None:
        changes = loaders.parsed_changes[proposal.id] = [*map(Change.from_json, proposal.breaking_changes)]
    return changes


def _join(lists: Iterable[Sequence[TeamReads]]) -> list[TeamReads]:
    return [read for reads in lists for read in reads]
