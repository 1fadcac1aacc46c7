"""One operation from its words to its replies; every failure leaves here coded, and none of our own unmasked."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing, nullcontext
from functools import partial
from typing import Any, Literal, TypeAlias, cast

from graphql import ExecutionResult, GraphQLError, OperationType
from graphql import execute as run_document
from graphql import subscribe as subscribe_document
from strawberry.execution import optimized_is_awaitable

from tessera_gql.errors import Refusal
from tessera_gql.executor import Query, answer
from tessera_gql.graphql.documents import Operation, Prepared, Profile
from tessera_gql.graphql.fanout import Course
from tessera_gql.graphql.transport import Answer, Executor, Identity, Transport, Unauthenticated
from tessera_gql.graphql.turns import Turn
from tessera_gql.graphql.wire import encode

log = logging.getLogger("tessera_gql.graphql")

Reply: TypeAlias = dict[str, Any]
"""A GraphQL response; without `data`, the operation was refused before it ran."""


Left: TypeAlias = Callable[[], Awaitable[None]]
"""Returns once the client is gone."""

WATCHED_AFTER_SECONDS = 0.5
"""Most queries are done before it is worth asking whether their client is still there."""


async def execute(
    transport: Transport,
    *,
    query: str,
    variables: dict[str, Any] | None = None,
    operation_name: str | None = None,
    identity: Identity = None,
) -> Reply:
    """A query or mutation through every check, without HTTP."""
    return await run(transport, transport.documents.prepare(query, variables, operation_name), identity)


async def run(transport: Transport, prepared: Prepared, identity: Identity, left: Left | None = None) -> Reply:
    """The reply to a query or mutation."""
    with transport.watch(prepared, identity) as tell:
        reply = await _run(transport, prepared, identity, left)
        tell(reply)
    return reply


async def _run(transport: Transport, prepared: Prepared, identity: Identity, left: Left | None = None) -> Reply:
    """Known only once its context has closed: closing may still fail it."""
    if not isinstance(prepared, Operation):
        return _refused(transport, prepared)
    if prepared.kind is OperationType.SUBSCRIPTION:
        return _refused(transport, [NEEDS_A_STREAM])
    try:
        told = transport.admit(identity, prepared)
        turn = transport.turns.turn(transport.caller(identity))
        async with turn if prepared.kind is OperationType.QUERY else nullcontext():
            reply, again = await _attempted(transport, prepared, identity, left, turn)
            if again:
                reply, _ = await _attempted(transport, prepared, identity, left, turn)
    except Exception as error:  # noqa: BLE001 - whatever it is, the client is told, and what is ours is logged
        return failed(transport, error)
    return reply | {"extensions": reply.get("extensions", {}) | told} if told else reply


async def _attempted(
    transport: Transport, operation: Operation, identity: Identity, left: Left | None, turn: Turn
) -> tuple[Reply, bool]:
    """The reply, and whether another attempt may do better."""
    async with transport.context(identity) as context:
        result = _started(transport, operation, context, turn)
        done = result if isinstance(result, ExecutionResult) else await _finished(transport, operation, result, left)
    reply = _reply(transport, done)
    away = operation.kind is OperationType.QUERY and any(
        error["extensions"]["code"] == "UNAVAILABLE" for error in reply.get("errors", ())
    )
    return reply, away and transport.repeat(context)


def _started(
    transport: Transport, operation: Operation, context: Any, turn: Turn
) -> ExecutionResult | Awaitable[ExecutionResult]:
    reference = partial(
        run_document,
        transport.core,
        operation.document,
        context_value=context,
        is_awaitable=cast("Any", optimized_is_awaitable),
        **_options(transport, operation),
    )
    if operation.kind is not OperationType.QUERY or transport.executor is Executor.REFERENCE:
        return reference()

    async def afresh() -> ExecutionResult:
        """With nothing found yet: what was asked already would have other fields fail first."""
        await context.renew()
        found = reference()
        return found if isinstance(found, ExecutionResult) else await found

    document, node, variables = operation.document, operation.node, operation.variables
    query = Query(transport.core, document, node, variables, operation.plans, context.narrow, turn.spend)
    return answer(query, context, afresh, transport.tally)


async def _finished(
    transport: Transport, operation: Operation, result: Awaitable[ExecutionResult], left: Left | None
) -> ExecutionResult:
    """A query is given up when it takes too long or nobody waits for it any more; a mutation is done to its end."""
    if operation.kind is not OperationType.QUERY:
        return await result
    loop, seconds = asyncio.get_running_loop(), transport.limits.query_seconds
    watching: list[asyncio.Task[None]] = []
    patience = asyncio.timeout(seconds)

    async def watch(left: Left) -> None:
        await left()
        patience.reschedule(loop.time())

    timer = left and loop.call_later(WATCHED_AFTER_SECONDS, lambda: watching.append(loop.create_task(watch(left))))
    try:
        async with patience:
            return await result
    except TimeoutError:
        if not patience.expired():
            raise
        message = f"The query took longer than {seconds:g} seconds and was given up. Ask for less at once."
        raise GraphQLError(message, extensions={"code": "TIMEOUT"}) from None
    finally:
        if timer:
            timer.cancel()
        for task in watching:
            task.cancel()


async def stream(
    transport: Transport, prepared: Prepared, identity: Identity, course: Course | None = None
) -> AsyncGenerator[Reply]:
    """Every reply: one, or those of a subscription for as long as its context is open, which is given the `course`."""
    if not isinstance(prepared, Operation) or prepared.kind is not OperationType.SUBSCRIPTION:
        yield await run(transport, prepared, identity)
        return
    with transport.watch(prepared, identity) as tell:
        async with aclosing(_subscribed(transport, prepared, identity, course)) as replies:
            async for reply in replies:
                tell(reply)
                yield reply


async def _subscribed(
    transport: Transport, prepared: Operation, identity: Identity, course: Course | None
) -> AsyncGenerator[Reply]:
    try:
        transport.admit(identity, prepared)
        async with transport.context(identity) as context:
            if course is not None:
                context.course = course
            options = _options(transport, prepared)
            source = subscribe_document(transport.core, prepared.document, context_value=context, **options)
            if isinstance(source, Awaitable):
                source = await source
            if isinstance(source, ExecutionResult):
                yield _refused(transport, source.errors or [])
                return
            async with aclosing(cast("AsyncGenerator[ExecutionResult]", source)) as results:
                async for result in results:
                    yield _reply(transport, result)
    except Exception as error:  # noqa: BLE001 - as in `run`
        yield failed(transport, error)


def encoded(transport: Transport, reply: Reply, part: Literal["errors"] | None = None) -> bytes:
    """The reply, or its errors, as JSON; a resolver's value that is none becomes a failure of ours."""
    try:
        return encode(reply[part] if part else reply)
    except (TypeError, ValueError, RecursionError) as error:
        masked = failed(transport, error)
        return encode(masked[part] if part else masked)


def to_answer(transport: Transport, reply: Reply) -> Answer:
    return Answer(encoded(transport, reply), None if "data" in reply else reply["errors"][0]["extensions"])


def failed(transport: Transport, error: Exception) -> Reply:
    """The reply when an exception ended the operation."""
    if isinstance(error, GraphQLError):
        return _refused(transport, [error])
    message, extensions = _explained(transport, error, "the whole operation")
    return {"errors": [{"message": message, "extensions": extensions}]}


NEEDS_A_STREAM = GraphQLError(
    "A subscription needs a stream: connect by websocket (graphql-transport-ws), or send Accept: text/event-stream.",
    extensions={"code": "BAD_REQUEST"},
)


def _options(transport: Transport, operation: Operation) -> dict[str, Any]:
    return {
        "variable_values": operation.variables,
        "operation_name": operation.name,
        "executor_class": transport.schema.execution_context_class,
        "max_coercion_errors": transport.limits.errors,
        "hide_suggestions": transport.profile is Profile.LOCKED,
    }


def _reply(transport: Transport, result: ExecutionResult) -> Reply:
    if not result.errors:
        return {"data": result.data}
    listed = _refused(transport, result.errors)
    before_it_ran = result.data is None and not any(error.path for error in result.errors)
    return listed if before_it_ran else {"data": result.data} | listed


def _refused(transport: Transport, errors: list[GraphQLError]) -> Reply:
    limit = transport.limits.errors
    reply: Reply = {"errors": [_shown(transport, error) for error in errors[:limit]]}
    if len(errors) > limit:
        reply["extensions"] = {"errorsOmitted": len(errors) - limit}
    return reply


def _shown(transport: Transport, error: GraphQLError) -> dict[str, Any]:
    formatted = cast("dict[str, Any]", error.formatted)
    cause = error.original_error
    while isinstance(cause, GraphQLError) and cause.original_error is not None:
        cause = cause.original_error
    at_the_door = error.path is None and isinstance(cause, ValueError)  # a scalar that could not read its value
    if cause is None or at_the_door or isinstance(cause, GraphQLError):
        return formatted | {"extensions": {"code": "BAD_REQUEST"} | (error.extensions or {})}
    message, extensions = _explained(transport, cause, str(error.path))
    return formatted | {"message": message, "extensions": extensions}


def _explained(transport: Transport, cause: Exception, place: str) -> tuple[str, dict[str, Any]]:
    """What a client may know of an exception: all of a refusal, and of our own failures a reference to the log."""
    extensions = getattr(cause, "extensions", None)
    if isinstance(extensions, dict) and "code" in extensions:
        return str(cause), cast("dict[str, Any]", extensions)
    if isinstance(cause, Refusal):
        return cause.message, {"code": cause.code} | ({"field": [*cause.field]} if cause.field else {})
    if isinstance(cause, Unauthenticated):
        return str(cause), {"code": "UNAUTHENTICATED"}
    if (translated := transport.translate(cause)) is not None:
        return translated.message, {"code": "INTERNAL"} | (translated.extensions or {})
    reference = secrets.token_hex(6)
    log.error("Failed at %s, reference %s", place, reference, exc_info=cause)
    message = f"The server failed; your request is not to blame. Report reference {reference}, or try again later."
    return message, {"code": "INTERNAL", "reference": reference}
