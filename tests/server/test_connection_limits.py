"""Connections end a few in each turn of the event loop, in their order."""

import asyncio
from functools import partial
from itertools import pairwise

from tessera_gql.server.connection_limits import MAX_CALLS_AT_ONCE, ConnectionLimiter
from tessera_gql.server.limits import Limits


async def test_scheduled_calls_run_in_order_a_few_in_each_turn_of_the_event_loop() -> None:
    limiter = ConnectionLimiter(Limits())
    calls: list[int] = []
    for number in range(2 * MAX_CALLS_AT_ONCE + 1):
        limiter.schedule(partial(calls.append, number))
    lengths = [len(calls)]
    while lengths[-1] < 2 * MAX_CALLS_AT_ONCE + 1:
        await asyncio.sleep(0)
        lengths.append(len(calls))
    assert calls == [*range(2 * MAX_CALLS_AT_ONCE + 1)]
    assert max(after - before for before, after in pairwise(lengths)) == MAX_CALLS_AT_ONCE
