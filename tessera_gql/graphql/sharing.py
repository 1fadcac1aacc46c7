"""Replies as they travel, and who may get the same: a subscription is executed and written once for all who ask alike.

Who resumes first hears by itself what it missed, and then goes on with the others.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Hashable
from contextlib import aclosing
from dataclasses import dataclass
from functools import partial

import orjson
from graphql import OperationType

from tessera_gql.graphql.documents import Operation, Prepared
from tessera_gql.graphql.fanout import Course
from tessera_gql.graphql.operations import encoded, stream
from tessera_gql.graphql.transport import Identity, Message, Transport

RESUMING = "after"
"""The argument of a subscription that starts in the past."""


@dataclass(frozen=True, slots=True)
class Share:
    """`key` is what subscriptions have in common that the same execution serves; `resumes`: only later, see above."""

    key: Hashable
    resumes: bool


def share(transport: Transport, prepared: Prepared, identity: Identity) -> Share | None:
    """None for what is nobody else's."""
    if not isinstance(prepared, Operation) or prepared.kind is not OperationType.SUBSCRIPTION:
        return None
    resumes, place = prepared.gives(RESUMING), prepared.variable_of(RESUMING)
    if (scope := transport.scope(identity)) is None or (resumes and place is None):
        return None
    common = {name: value for name, value in prepared.variables.items() if name != place}
    try:
        variables = common and orjson.dumps(common, option=orjson.OPT_SORT_KEYS)
    except TypeError:  # an integer beyond 64 bits
        return None
    key = (scope, id(prepared.document), prepared.name, variables or None)  # the running stream keeps the document
    return Share(key, resumes)


def messages(transport: Transport, prepared: Prepared, identity: Identity) -> AsyncGenerator[Message]:
    """For who takes one message after another. Raises Behind if its reader is too slow for it."""
    found = share(transport, prepared, identity)
    if found is None or found.resumes:
        return produced(transport, prepared, identity, Course())
    return transport.fanout.listen(found.key, partial(produced, transport, prepared, identity))


async def produced(
    transport: Transport, prepared: Prepared, identity: Identity, course: Course
) -> AsyncGenerator[Message]:
    """The replies of an operation of its own, written; an error is the last."""
    async with aclosing(stream(transport, prepared, identity, course)) as replies:
        async for reply in replies:
            if "data" in reply:
                yield Message("next", encoded(transport, reply), course.position)
            else:
                yield Message("error", encoded(transport, reply, "errors"))
