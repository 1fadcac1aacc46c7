"""Publish, register, propose a breaking change and approve it with the Python client, sync and async.

    make serve                  # in one terminal
    python examples/sdk.py      # in another

It reads TESSERA_URL and TESSERA_API_KEY. You can run it again, because every run uses new names.
"""

import asyncio
import sys
import uuid
from typing import Any

from tessera_gql.client import (
    AcknowledgmentResponse,
    AsyncTesseraClient,
    Conflict,
    ProposalStatus,
    PublishOutcome,
    TesseraClient,
    TesseraError,
)
from tessera_gql.escaping import escape_terminal

RUN = uuid.uuid4().hex[:6]
FQN = f"examples.run_{RUN}.orders"


def table(**columns: str) -> dict[str, Any]:
    """Return a JSON Schema for a table with these columns."""
    return {"type": "object", "properties": {name: {"type": kind} for name, kind in columns.items()}}


def run_sync() -> str:
    """Use the sync client, as in scripts, notebooks and CI. Returns the id of a proposal."""
    with TesseraClient() as tessera:
        shop = tessera.create_team(f"shop-{RUN}", idempotency_key=f"{RUN}-shop")  # a repetition creates nothing
        growth = tessera.create_team(f"growth-{RUN}")
        orders = tessera.create_asset(fqn=FQN, owner_team_id=shop.id, description="One row per order.")
        first_result = tessera.publish_contract(
            asset_id=orders.id, schema_def=table(order_id="integer", coupon="string"), published_by=shop
        )
        print(f"{first_result.outcome}: {FQN} {first_result.version}")
        tessera.register(orders, team=growth, fields=["coupon"], purpose="Which campaigns pay.")

        result = tessera.publish_contract(fqn=FQN, schema_def=table(order_id="integer"), reason="Coupons move.")
        assert result.outcome is PublishOutcome.PROPOSED
        assert result.proposal is not None
        for change in result.proposal.breaking_changes:
            print(f"PROPOSED: {escape_terminal(change.message)} Asked: {', '.join(team.name for team in change.teams)}")
        try:
            tessera.create_team(shop.name)
        except Conflict as error:  # every error code has a class
            print(f"{error.code}: {escape_terminal(error.message)}")
        return result.proposal.id


async def run_async(proposal_id: str) -> None:
    """Use the async client, as in services and bots: approve a proposal and receive its new status."""
    async with TesseraClient() as tessera:  # the same as AsyncTesseraClient()
        proposal = await tessera.get_proposal(proposal_id)
        (team,) = proposal.awaiting
        status_task = asyncio.create_task(next_status(tessera, proposal_id))
        await tessera.acknowledge(proposal_id, AcknowledgmentResponse.APPROVED, team=team, notes="Fine with us.")
        print(f"heard: {await asyncio.wait_for(status_task, 30)}")
        contract = await tessera.publish_proposal(proposal_id)
        print(f"PUBLISHED: {contract.asset.fqn} {contract.version}")
        versions = [item.version async for item in tessera.contracts(asset_id=contract.asset.id)]
        print("contracts:", ", ".join(versions))


async def next_status(tessera: AsyncTesseraClient, proposal_id: str) -> ProposalStatus:
    """Wait for the next status, from the proposal's first event on, so that none is missed before subscribing."""
    first = await anext(tessera.events(proposal_id=proposal_id))
    async for change in tessera.status_changes(proposal_id=proposal_id, after=first.cursor):
        return change.after
    raise AssertionError("a subscription does not end by itself")


def main() -> None:
    try:
        asyncio.run(run_async(run_sync()))
    except TesseraError as error:
        sys.exit(escape_terminal(error.message))


if __name__ == "__main__":
    main()
