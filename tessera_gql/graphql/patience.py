"""Waits for a request's body, but not forever: an upload that trickles would keep the place of others."""

import asyncio

from starlette.types import Message, Receive

from tessera_gql.graphql.connection_limits import SLOWEST_BYTES_A_SECOND
from tessera_gql.graphql.large import Refused


def patient(receive: Receive, seconds: float) -> Receive:
    """The same messages; raises Refused when the body has not come within this time and that of its size."""
    deadline, is_sending = asyncio.get_running_loop().time() + seconds, True

    async def received() -> Message:
        nonlocal deadline, is_sending
        if not is_sending:
            return await receive()
        try:
            async with asyncio.timeout_at(deadline):
                message = await receive()
        except TimeoutError:
            why = f"The body did not come within {seconds:g} seconds. Send it again, at once."
            raise Refused(408, why, {"Connection": "close"}) from None
        is_sending = message.get("more_body", False)
        deadline += len(message.get("body", b"")) / SLOWEST_BYTES_A_SECOND
        return message

    return received
