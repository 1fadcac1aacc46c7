"""The commands of the naive model that are about several assets, run against the implementation."""

from datetime import datetime
from typing import Any

from tessera_gql.policy.access import ANONYMOUS
from tessera_gql.policy.enums import ColumnEdgeKind, DependencyType, Response
from tessera_gql.store.assets import AssetRef
from tessera_gql.store.session import Session
from tessera_gql.store.tables import ColumnEdge
from tessera_gql.workflows import change_sets as change_set_verbs
from tessera_gql.workflows import dependencies as dependency_verbs
from tessera_gql.workflows.change_set_answers import acknowledge_change_set
from tessera_gql.workflows.change_sets import ChangeSetRef
from tessera_gql.workflows.proposals import AcknowledgmentInput
from tests.workflows.ask_catalog_driver import CatalogImplementation
from tests.workflows.ask_lineage import Link


class GroupImplementation(CatalogImplementation):
    """The implementation with the commands about lineage and change sets."""

    async def link(self, session: Session, source: str, target: str, links: frozenset[Link]) -> None:
        """Make a table from another one; the links are there before, as a manifest writes them."""
        rows = [
            ColumnEdge(
                source_asset_id=self.ids[source],
                target_asset_id=self.ids[target],
                source_column=link.source,
                target_column=link.target,
                kind=ColumnEdgeKind(link.kind),
                created_at=session.now,
            )
            for link in links
        ]
        await session.insert_all(rows)
        await dependency_verbs.add(session, ANONYMOUS, **self.edge(source, target))

    async def unlink(self, session: Session, source: str, target: str) -> None:
        await dependency_verbs.remove(session, ANONYMOUS, **self.edge(source, target))

    def edge(self, source: str, target: str) -> dict[str, Any]:
        ends = {"dependency": AssetRef(id=self.ids[source]), "dependent": AssetRef(id=self.ids[target])}
        return {**ends, "type_": DependencyType.CONSUMES}

    async def withdraw_change_set(self, session: Session, change_set: str) -> None:
        await change_set_verbs.withdraw_change_set(session, ANONYMOUS, ChangeSetRef(key=change_set))

    async def publish_change_set(self, session: Session, change_set: str) -> None:
        await change_set_verbs.publish_change_set(session, ANONYMOUS, ChangeSetRef(key=change_set))

    async def answer_change_set(
        self,
        session: Session,
        change_set: str,
        team: str,
        response: Response,
        deadline: datetime | None,
        excluded: list[str],
    ) -> None:
        answer = AcknowledgmentInput(response, deadline, "not before the migration")
        left_out = [await self.open_id(session, asset) for asset in excluded]
        ref = ChangeSetRef(key=change_set)
        await acknowledge_change_set(session, self.actor(team), ref, answer, excluded=left_out)
