"""The commands of the naive model about tables and principals: retirements, other names, and who a principal is."""

from datetime import datetime
from typing import Any

from tessera_gql.policy.enums import ChangeSetStatus, Intent, ProposalStatus
from tests.workflows.ask_commands import Model
from tests.workflows.ask_records import RETIRED, RETIREMENT, RefusedError


class CatalogModel(Model):
    """The model with retirements, renames, and principals that lose their team."""

    def retire(
        self,
        asset: str,
        intent: Intent,
        *,
        supersede: bool,
        automatic: bool,
        explicit: bool,
        change_set: str | None,
        expires_at: datetime | None,
    ) -> None:
        """Ask every reader to agree that the table goes."""
        if change_set is not None:
            self.change_sets[change_set] = ChangeSetStatus.OPEN
        row = self.touch(asset, may_publish=False)
        options: dict[str, Any] = {"automatic": automatic, "explicit": explicit, "change_set": change_set}
        if self.active[asset] is None:
            raise RefusedError("there is nothing to retire")
        if row is not None and row.schema == RETIRED:
            self.update_options(row, options, expires_at)
        else:
            if row is not None:
                same = row.change_set is not None and row.change_set == change_set
                if not (same or supersede):
                    raise RefusedError("another proposal is open")
                self.end(row, ProposalStatus.SUPERSEDED)
            row = self.open(asset, RETIRED, RETIREMENT, options, expires_at)
        if intent is Intent.RELEASE:
            self.release_approved(row)

    def rename(self, asset: str) -> None:
        """A table keeps all that is known of it under another name."""

    def unmap(self, team: str) -> None:
        """The principal of a team is nobody's: what it was seen to read does not count."""
        if team in self.unmapped:
            raise RefusedError("the principal has no team")
        self.unmapped.add(team)
        self.update_observed(team)

    def map(self, team: str) -> None:
        if team in self.unmapped:
            self.unmapped.remove(team)
            self.update_observed(team)

    def update_observed(self, team: str) -> None:
        read = {asset for asset, reader, _ in self.observed if reader == team}
        self.update_open(read.union(*(self.lineage.find_upstream(asset) for asset in read)))
