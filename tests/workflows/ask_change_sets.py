"""Change sets in the naive model: answered whole or in part, withdrawn and published whole."""

from collections.abc import Collection
from datetime import datetime

from tessera_gql.policy.enums import ChangeSetStatus, ProposalStatus, Response
from tests.workflows.ask_catalog import CatalogModel
from tests.workflows.ask_records import Proposal, RefusedError


class ChangeSetModel(CatalogModel):
    """The model with the commands that are about all proposals of a change set."""

    def list_open(self, change_set: str) -> list[Proposal]:
        """The open proposals of a change set, which has not ended."""
        if self.change_sets.get(change_set) is not ChangeSetStatus.OPEN:
            raise RefusedError("the change set has ended")
        return [row for row in self.proposals if row.status.is_open and row.change_set == change_set]

    def withdraw_change_set(self, change_set: str) -> None:
        """Withdraw what is open, after what time has done to it."""
        for row in self.list_open(change_set):
            self.settle(row, may_publish=False)
            if row.status.is_open:
                self.end(row, ProposalStatus.WITHDRAWN)
        self.change_sets[change_set] = ChangeSetStatus.WITHDRAWN

    def publish_change_set(self, change_set: str) -> None:
        """Publish all proposals, or none unless all are approved."""
        rows = self.list_open(change_set)
        if not rows and not any(
            row.change_set == change_set and row.status is ProposalStatus.PUBLISHED for row in self.proposals
        ):
            raise RefusedError("there is nothing to publish")
        for row in rows:
            self.settle(row)
        ready = [row for row in rows if row.status is ProposalStatus.APPROVED and not self.is_stale(row)]
        if any(row not in ready and row.status is not ProposalStatus.PUBLISHED for row in rows):
            raise RefusedError("some proposals wait for answers")
        for row in ready:
            self.publish_row(row)
        if not rows:
            self.change_sets[change_set] = ChangeSetStatus.PUBLISHED

    def answer_change_set(
        self, change_set: str, team: str, response: Response, deadline: datetime | None, excluded: Collection[str]
    ) -> None:
        """Answer all that waits for a team, but for the proposals of some assets."""
        rows = [row for row in self.list_open(change_set) if row.asset not in excluded and team in row.asks]
        rows = [row for row in rows if not row.asks[team].is_released]
        for row in rows:
            self.settle(row)
        rows = [row for row in rows if row.status.is_open]
        if not rows:
            raise RefusedError("nothing waits for the team")
        for row in rows:
            self.answer(row.asset, team, response, deadline, "not before the migration", actor=team)
