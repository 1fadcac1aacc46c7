"""Deduplicate subscriptions: equal subscriptions share one execution and its encoded replies.

A client that resumes from a cursor first gets its missed events from its own execution, then joins the shared one.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Hashable
from contextlib import aclosing
from dataclasses import dataclass
from functools import partial

import orjson
from graphql import OperationType

from tessera_gql.executor.streams import StreamStart
from tessera_gql.server.documents import Operation, PrepareResult
from tessera_gql.server.operations import encode_reply, stream_replies
from tessera_gql.server.transport import Identity, Message, Transport

RESUME_ARGUMENT = "after"
"""Name of the argument with the cursor to resume after."""


@dataclass(frozen=True, slots=True)
class SharedExecution:
    """The key of a shared execution, and whether the subscription must catch up before it joins."""

    key: Hashable
    must_catch_up: bool


def find_shared_execution(transport: Transport, prepared: PrepareResult, identity: Identity) -> SharedExecution | None:
    """Return the shared execution of the subscription, or None if it may not be shared."""
    if not isinstance(prepared, Operation) or prepared.kind is not OperationType.SUBSCRIPTION:
        return None
    resumes, cursor_variable = prepared.may_have_argument(RESUME_ARGUMENT), prepared.argument_variable(RESUME_ARGUMENT)
    if (scope := transport.find_sharing_scope(identity)) is None or (resumes and cursor_variable is None):
        return None
    common = {name: value for name, value in prepared.variables.items() if name != cursor_variable}
    try:
        variables = common and orjson.dumps(common, option=orjson.OPT_SORT_KEYS)
    except TypeError:  # an integer beyond 64 bits
        return None
    key = (scope, prepared.text, prepared.name, variables or None)
    return SharedExecution(key, resumes)


def stream_messages(transport: Transport, prepared: PrepareResult, identity: Identity) -> AsyncGenerator[Message]:
    """Iterate over the messages of an operation, shared if possible. Raises SlowListener if the reader is too slow."""
    shared = find_shared_execution(transport, prepared, identity)
    if shared is None or shared.must_catch_up:
        return execute_messages(transport, prepared, identity)
    return transport.broadcaster.listen(shared.key, partial(execute_messages, transport, prepared, identity))


async def execute_messages(
    transport: Transport, prepared: PrepareResult, identity: Identity, start: StreamStart | None = None
) -> AsyncGenerator[Message]:
    """Execute an operation and yield its encoded replies. An error message is the last."""
    async with aclosing(stream_replies(transport, prepared, identity, start)) as replies:
        async for reply, position in replies:
            if "data" in reply:
                yield Message("next", encode_reply(transport, reply), position)
            else:
                yield Message("error", encode_reply(transport, reply, "errors"))
