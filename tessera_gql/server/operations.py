"""Execute operations and format their replies. Every error has a code, and internal failures are masked."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing, nullcontext
from functools import partial
from typing import Any, Literal, NamedTuple, TypeAlias, cast

from graphql import ExecutionResult, GraphQLError, OperationType, create_source_event_stream, execute_subscription_event
from graphql import execute as graphql_core_execute
from strawberry.execution import optimized_is_awaitable

from tessera_gql.config import Executor, Profile
from tessera_gql.errors import Refusal
from tessera_gql.executor import MutationExecutor, PlannedQuery, ReferenceExecutor, decode_fragments, execute_query
from tessera_gql.executor.streams import PositionedEvent, StreamStart
from tessera_gql.server.codec import encode
from tessera_gql.server.concurrency import Slot
from tessera_gql.server.documents import Operation, PrepareResult
from tessera_gql.server.transport import EncodedReply, Identity, Transport, Unauthenticated

log = logging.getLogger("tessera_gql.graphql")

Reply: TypeAlias = dict[str, Any]
"""A GraphQL response. Without `data`, the operation was refused before execution."""


class StreamReply(NamedTuple):
    """A reply of a stream, with the position of its event if the stream has positions."""

    reply: Reply
    position: int | None = None


WaitForDisconnect: TypeAlias = Callable[[], Awaitable[None]]

WATCH_DELAY_SECONDS = 0.5
"""Delay before a query watches for the disconnect of its client and its time limit, since most are faster."""


async def execute(
    transport: Transport,
    *,
    query: str,
    variables: dict[str, Any] | None = None,
    operation_name: str | None = None,
    identity: Identity = None,
) -> Reply:
    """Prepare and execute a query or mutation without HTTP."""
    return await run_operation(transport, transport.document_cache.prepare(query, variables, operation_name), identity)


async def run_operation(transport: Transport, prepared: PrepareResult, identity: Identity) -> Reply:
    """Execute a query or mutation and return its reply, for a reader in this process."""
    return cast("Reply", decode_fragments(await run_for_encoding(transport, prepared, identity)))


async def run_for_encoding(
    transport: Transport, prepared: PrepareResult, identity: Identity, disconnect: WaitForDisconnect | None = None
) -> Reply:
    """Execute a query or mutation and return its reply, parts of which may be JSON already."""
    with transport.observe_operation(prepared, identity) as observe_reply:
        reply = await _admit_and_run(transport, prepared, identity, disconnect)
        observe_reply(reply)
    return reply


async def _admit_and_run(
    transport: Transport, prepared: PrepareResult, identity: Identity, disconnect: WaitForDisconnect | None = None
) -> Reply:
    if not isinstance(prepared, Operation):
        return _build_errors_reply(transport, prepared)
    if prepared.kind is OperationType.SUBSCRIPTION:
        return _build_errors_reply(transport, [STREAM_REQUIRED])
    if not prepared.plans:  # it was just prepared, and is planned next: others get their turn between
        await asyncio.sleep(0)
    try:
        extensions = transport.charge_rate_limit(identity, prepared)
        slot = transport.concurrency_limiter.slot(transport.find_caller_account(identity))
        async with slot if prepared.kind is OperationType.QUERY else nullcontext():
            reply, should_retry = await _attempt(transport, prepared, identity, disconnect, slot)
            if should_retry:
                reply, _ = await _attempt(transport, prepared, identity, disconnect, slot)
    except Exception as error:  # noqa: BLE001 - every error becomes a reply, and internal failures are logged
        return build_exception_reply(transport, error)
    return reply | {"extensions": reply.get("extensions", {}) | extensions} if extensions else reply


async def _attempt(
    transport: Transport, operation: Operation, identity: Identity, disconnect: WaitForDisconnect | None, slot: Slot
) -> tuple[Reply, bool]:
    """Execute once and return the reply and whether to retry. Closing the context may still raise."""
    async with transport.open_operation_context(identity) as context:
        result = _start(transport, operation, context, slot)
        if not isinstance(result, ExecutionResult):
            result = await _await_result(transport, operation, result, disconnect)
    reply = _build_reply(transport, result)
    is_unavailable = operation.kind is OperationType.QUERY and any(
        error["extensions"]["code"] == "UNAVAILABLE" for error in reply.get("errors", ())
    )
    return reply, is_unavailable and transport.should_retry(context)


def _start(
    transport: Transport, operation: Operation, context: Any, slot: Slot
) -> ExecutionResult | Awaitable[ExecutionResult]:
    reference = partial(
        graphql_core_execute,
        transport.schema,
        operation.document,
        context_value=context,
        variable_values=operation.variables,
        operation_name=operation.name,
        is_awaitable=cast("Any", optimized_is_awaitable),
        **_options(transport),
    )
    if transport.executor is Executor.REFERENCE:
        return reference(executor_class=ReferenceExecutor)
    if operation.kind is not OperationType.QUERY:
        find_plan = partial(operation.plans.get, transport.schema, operation.document, operation.node)
        return reference(executor_class=MutationExecutor, find_plan=find_plan, reset=context.reset)

    async def run_reference() -> ExecutionResult:
        """Execute with empty dataloaders; cached keys would change which field fails first."""
        await context.reset()
        result = reference(executor_class=ReferenceExecutor)
        return result if isinstance(result, ExecutionResult) else await result

    document, node, variables = operation.document, operation.node, operation.variables
    query = PlannedQuery(
        transport.schema,
        document,
        node,
        variables,
        operation.plans,
        select_columns=context.select_columns,
        on_cpu_seconds=slot.add_cpu_seconds,
        plan_pushdown=transport.plan_pushdown if transport.executor is Executor.PUSHDOWN else None,
    )
    return execute_query(query, context, run_reference, transport.executor_counts)


async def _await_result(
    transport: Transport, operation: Operation, result: Awaitable[ExecutionResult], disconnect: WaitForDisconnect | None
) -> ExecutionResult:
    """Await the result. A query is cancelled on timeout and disconnect; a mutation always runs to its end."""
    if operation.kind is not OperationType.QUERY:
        return await result
    loop, seconds = asyncio.get_running_loop(), transport.limits.query_seconds
    started_at = loop.time()
    watchers: list[asyncio.Task[None]] = []
    timeout = asyncio.timeout(None)

    async def watch(disconnect: WaitForDisconnect) -> None:
        await disconnect()
        timeout.reschedule(loop.time())

    def watch_slow_query() -> None:
        timeout.reschedule(started_at + seconds)
        if disconnect is not None:
            watchers.append(loop.create_task(watch(disconnect)))

    timer = loop.call_later(min(WATCH_DELAY_SECONDS, seconds), watch_slow_query)
    try:
        async with timeout:
            return await result
    except TimeoutError:
        if not timeout.expired():
            raise
        message = f"The query took longer than {seconds:g} seconds and was given up. Ask for less at once."
        raise GraphQLError(message, extensions={"code": "TIMEOUT"}) from None
    finally:
        timer.cancel()
        for task in watchers:
            task.cancel()


async def stream_replies(
    transport: Transport, prepared: PrepareResult, identity: Identity, start: StreamStart | None = None
) -> AsyncGenerator[StreamReply]:
    """Yield the replies of an operation: one, or those of a subscription with the positions of their events."""
    if not isinstance(prepared, Operation) or prepared.kind is not OperationType.SUBSCRIPTION:
        yield StreamReply(await run_for_encoding(transport, prepared, identity))
        return
    with transport.observe_operation(prepared, identity) as observe_reply:
        async with aclosing(_subscribe(transport, prepared, identity, start or StreamStart())) as replies:
            async for reply in replies:
                observe_reply(reply.reply)
                yield reply


async def _subscribe(
    transport: Transport, prepared: Operation, identity: Identity, start: StreamStart
) -> AsyncGenerator[StreamReply]:
    try:
        transport.charge_rate_limit(identity, prepared)
        async with transport.open_operation_context(identity) as context:
            arguments = transport.schema, prepared.document, start, context, prepared.variables, prepared.name
            executor = ReferenceExecutor.build(*arguments, **_options(transport))
            if isinstance(executor, list):
                yield StreamReply(_build_errors_reply(transport, executor))
                return
            source = create_source_event_stream(executor)
            if isinstance(source, Awaitable):
                source = await source
            if isinstance(source, ExecutionResult):
                yield StreamReply(_build_errors_reply(transport, source.errors or []))
                return
            async with aclosing(cast("AsyncGenerator[object]", source)) as events:
                async for event in events:
                    result = execute_subscription_event(executor.build_per_event_executor(event))
                    if isinstance(result, Awaitable):
                        result = await result
                    position = event.position if isinstance(event, PositionedEvent) else None
                    yield StreamReply(_build_reply(transport, result), position)
    except Exception as error:  # noqa: BLE001 - as in `run_operation`
        yield StreamReply(build_exception_reply(transport, error))


def encode_reply(transport: Transport, reply: Reply, part: Literal["errors"] | None = None) -> bytes:
    """Encode a reply or its errors as JSON. A value that JSON can't represent becomes an internal failure."""
    try:
        return encode(reply[part] if part else reply)
    except (TypeError, ValueError, RecursionError) as error:
        masked = build_exception_reply(transport, error)
        return encode(masked[part] if part else masked)


def to_encoded_reply(transport: Transport, reply: Reply) -> EncodedReply:
    """Encode a reply, together with the extensions of its first error if it has no data."""
    return EncodedReply(encode_reply(transport, reply), None if "data" in reply else reply["errors"][0]["extensions"])


def build_exception_reply(transport: Transport, error: Exception) -> Reply:
    """Create the reply for an exception that ended the operation."""
    if isinstance(error, GraphQLError):
        return _build_errors_reply(transport, [error])
    message, extensions = _describe_error(transport, error, "the whole operation")
    return {"errors": [{"message": message, "extensions": extensions}]}


STREAM_REQUIRED = GraphQLError(
    "A subscription needs a stream: connect by websocket (graphql-transport-ws), or send Accept: text/event-stream.",
    extensions={"code": "BAD_REQUEST"},
)


def _options(transport: Transport) -> dict[str, Any]:
    return {"max_coercion_errors": transport.limits.errors, "hide_suggestions": transport.profile is Profile.LOCKED}


def _build_reply(transport: Transport, result: ExecutionResult) -> Reply:
    if not result.errors:
        return {"data": result.data}
    reply = _build_errors_reply(transport, result.errors)
    was_refused = result.data is None and not any(error.path for error in result.errors)
    return reply if was_refused else {"data": result.data} | reply


def _build_errors_reply(transport: Transport, errors: list[GraphQLError]) -> Reply:
    limit = transport.limits.errors
    reply: Reply = {"errors": [_format_error(transport, error) for error in errors[:limit]]}
    if len(errors) > limit:
        reply["extensions"] = {"errorsOmitted": len(errors) - limit}
    return reply


def _format_error(transport: Transport, error: GraphQLError) -> dict[str, Any]:
    formatted = cast("dict[str, Any]", error.formatted)
    cause = error.original_error
    while isinstance(cause, GraphQLError) and cause.original_error is not None:
        cause = cause.original_error
    is_invalid_input = error.path is None and isinstance(cause, ValueError)  # a scalar could not parse its value
    if cause is None or is_invalid_input or isinstance(cause, GraphQLError):
        return formatted | {"extensions": {"code": "BAD_REQUEST"} | (error.extensions or {})}
    message, extensions = _describe_error(transport, cause, str(error.path))
    return formatted | {"message": message, "extensions": extensions}


def _describe_error(transport: Transport, cause: Exception, location: str) -> tuple[str, dict[str, Any]]:
    """Return the message and extensions of an exception. An internal failure is logged and masked by a reference."""
    extensions = getattr(cause, "extensions", None)
    if isinstance(extensions, dict) and "code" in extensions:
        return str(cause), cast("dict[str, Any]", extensions)
    if isinstance(cause, Refusal):
        return cause.message, {"code": cause.code} | ({"field": [*cause.field]} if cause.field else {})
    if isinstance(cause, Unauthenticated):
        return str(cause), {"code": "UNAUTHENTICATED"}
    if (translated := transport.to_graphql_error(cause)) is not None:
        return translated.message, {"code": "INTERNAL"} | (translated.extensions or {})
    reference = secrets.token_hex(6)
    log.error("Failed at %s, reference %s", location, reference, exc_info=cause)
    message = f"The server failed; your request is not to blame. Report reference {reference}, or try again later."
    return message, {"code": "INTERNAL", "reference": reference}
