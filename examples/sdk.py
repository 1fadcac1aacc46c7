"""The same five minutes with the SDK: publish, register, a breaking change, the answer. Both faces say the same.

    make serve                  # in one terminal
    python examples/sdk.py      # in another

Reads TESSERA_URL and TESSERA_API_KEY. Every run uses names of its own, so it can be run again.
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
    """A JSON Schema for a table with these columns."""
    return {"type": "object", "properties": {name: {"type": kind} for name, kind in columns.items()}}


def waiting() -> str:
    """A program that waits: scripts, notebooks, CI."""
    with TesseraClient() as tessera:
        shop = tessera.create_team(f"shop-{RUN}")
        growth = tessera.create_team(f"growth-{RUN}")
        orders = tessera.create_asset(fqn=FQN, owner_team_id=shop.id, description="One row per order.")
        first = tessera.publish_contract(
            asset_id=orders.id, schema_def=table(order_id="integer", coupon="string"), published_by=shop
        )
        print(f"{first.outcome}: {FQN} {first.contract.version if first.contract else ''}")
        tessera.register(orders, team=growth, fields=["coupon"], purpose="Which campaigns pay.")

        done = tessera.publish_contract(fqn=FQN, schema_def=table(order_id="integer"), reason="Coupons move.")
        assert done.outcome is PublishOutcome.PROPOSED
        assert done.proposal is not None
        for change in done.proposal.breaking_changes:
            print(f"PROPOSED: {escape_terminal(change.message)} Asked: {', '.join(team.name for team in change.teams)}")
        try:
            tessera.create_team(shop.name)
        except Conflict as refused:  # every refusal has a class, and says what to do
            print(f"{refused.code}: {escape_terminal(refused.message)}")
        return done.proposal.id


async def awaiting(proposal_id: str) -> None:
    """A program that awaits: a service, a bot. It hears of the answer that it gives itself."""
    async with AsyncTesseraClient() as tessera:
        proposal = await tessera.get_proposal(proposal_id)
        (asked,) = proposal.awaiting
        listening = asyncio.create_task(hear(tessera, proposal_id))
        await tessera.acknowledge(proposal_id, AcknowledgmentResponse.APPROVED, team=asked, notes="Fine with us.")
        print(f"heard: {await asyncio.wait_for(listening, 30)}")
        contract = await tessera.publish_proposal(proposal_id)
        print(f"PUBLISHED: {contract.asset.fqn} {contract.version}")
        print("contracts:", ", ".join([one.version async for one in tessera.contracts(asset_id=contract.asset.id)]))


async def hear(tessera: AsyncTesseraClient, proposal_id: str) -> ProposalStatus:
    """The next status; what was said before we listened is in the log, so ask for it from the start."""
    first = await anext(tessera.events(proposal_id=proposal_id))
    async for change in tessera.status_changes(proposal_id=proposal_id, after=first.cursor):
        return change.after
    raise AssertionError("a subscription does not end by itself")


def main() -> None:
    try:
        asyncio.run(awaiting(waiting()))
    except TesseraError as error:
        sys.exit(escape_terminal(error.message))


if __name__ == "__main__":
    main()
