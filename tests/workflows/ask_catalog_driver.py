"""The commands of the naive model about tables and principals, run against the implementation."""

from typing import Any

from tessera_gql.policy.access import ANONYMOUS
from tessera_gql.policy.enums import Intent
from tessera_gql.store import assets
from tessera_gql.store.assets import AssetRef
from tessera_gql.store.session import Session
from tessera_gql.store.teams import TeamRef
from tessera_gql.workflows import assets as asset_verbs
from tessera_gql.workflows import proposals as proposal_verbs
from tessera_gql.workflows.usage_sources import map_principal, unmap_principal
from tests.workflows.ask_driver import Implementation


class CatalogImplementation(Implementation):
    """The implementation with the commands about tables and principals."""

    async def retire(
        self,
        session: Session,
        asset: str,
        intent: Intent,
        *,
        change_set: str | None,
        automatic: bool,
        explicit: bool,
        **options: Any,
    ) -> None:
        request = proposal_verbs.RetirementRequest(
            "the table goes",
            intent=intent,
            change_set_id=await self.open_change_set(session, change_set),
            publish_when_approved=automatic,
            require_explicit_publish=explicit,
            **options,
        )
        await proposal_verbs.propose_retirement(session, ANONYMOUS, AssetRef(id=self.ids[asset]), request)

    async def rename(self, session: Session, asset: str) -> None:
        """Give a table another name than the one by which the model knows it, or that one again."""
        (row,) = await assets.by_ids(session, [self.ids[asset]])
        name = asset if row.fqn != asset else f"{asset}_renamed"
        await asset_verbs.rename(session, ANONYMOUS, AssetRef(id=row.id), name)

    async def unmap(self, session: Session, team: str) -> None:
        await unmap_principal(session, ANONYMOUS, pattern=team)

    async def map(self, session: Session, team: str) -> None:
        await map_principal(session, ANONYMOUS, pattern=team, team=TeamRef(id=self.ids[team]))
