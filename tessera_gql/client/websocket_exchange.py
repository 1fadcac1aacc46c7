"""A subscription over graphql-transport-ws, free of I/O: yields effects, receives their results, reconnects.

Every connection resumes after the cursor of the last message. The first cursor is read before the first connection, so
no message is lost or repeated between the call and the first message, or over restarts of the server.
"""

import json
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from typing import Any, cast

from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus, WebSocketException

from tessera_gql.client.effects import (
    Connect,
    Effect,
    Emit,
    Pause,
    Receive,
    Result,
    Send,
    SocketClosed,
    TextMessage,
    TransportFailure,
)
from tessera_gql.client.endpoint import Endpoint
from tessera_gql.client.errors import BadRequest, ServerFault, Unauthenticated, Unavailable, parse_error
from tessera_gql.client.http_exchange import (
    RetryClock,
    apply_parser,
    describe_connection_error,
    execute_operation,
    iter_backoff_delays,
)
from tessera_gql.client.operation import Operation, Subscription

PROTOCOL = "graphql-transport-ws"
MAX_RECONNECT_DELAY_SECONDS = 20.0

FATAL_CLOSE_CODES = {1009, 4400, 4401, 4406, 4409, 4429}
"""Close codes for protocol errors, which a new connection would repeat."""

MAX_MESSAGE_BYTES = 16 * 1024 * 1024

CURRENT_CURSOR: Operation[str] = Operation("{ eventCursor }", {}, lambda data: str(data["eventCursor"]))
"""Query for the cursor of the latest event."""


@dataclass
class _StreamState:
    """State of a subscription: the last cursor, and whether the server has accepted the current connection."""

    cursor: str
    is_accepted: bool = False


def run_subscription(subscription: Subscription[Any], endpoint: Endpoint) -> Generator[Effect, Result, None]:
    """Run until a TesseraError: the server refuses the subscription or was never reachable.

    A server that once accepted a connection is awaited without end.
    """
    state = _StreamState(subscription.after or (yield from execute_operation(CURRENT_CURSOR, endpoint)))
    clock = RetryClock(endpoint.retry_seconds)
    reconnect_delays: Iterator[float] | None = None
    while True:
        reason = yield from _run_connection(subscription, endpoint, state)
        if state.is_accepted:
            state.is_accepted = False
            reconnect_delays = iter_backoff_delays(MAX_RECONNECT_DELAY_SECONDS)
        delay = next(reconnect_delays) if reconnect_delays else clock.next_delay()
        if delay is None:
            raise Unavailable(reason)
        yield Pause(delay, reason)


def _run_connection(
    subscription: Subscription[Any], endpoint: Endpoint, state: _StreamState
) -> Generator[Effect, Result, str]:
    """Run one connection until it is lost, and return the reason."""
    handshake = yield Connect(endpoint.websocket_url, endpoint.timeout_seconds)
    if isinstance(handshake, TransportFailure):
        return _handle_connect_failure(handshake, endpoint)
    yield Send(json.dumps({"type": "connection_init", "payload": endpoint.authorization_headers}))
    while True:
        result = yield Receive(None if state.is_accepted else endpoint.timeout_seconds)
        if not isinstance(result, TextMessage):
            return _handle_close(result, endpoint)
        message = apply_parser(_parse_message, result.text, endpoint)
        if message["type"] == "complete":
            return f"{endpoint.display_url} ended the subscription"
        if message["type"] == "error":
            return apply_parser(lambda payload: _handle_error(payload[0]), message.get("payload"), endpoint)
        effect = apply_parser(lambda parsed: _handle_message(parsed, subscription, state), message, endpoint)
        if effect is not None:
            yield effect


def to_handshake_failure(error: OSError | EOFError | WebSocketException) -> TransportFailure:
    """Convert an exception that the WebSocket's `connect` raises to an effect's result."""
    is_invalid_url = isinstance(error, WebSocketException) and not isinstance(error, InvalidHandshake)
    reason = type(error).__name__ if is_invalid_url else describe_connection_error(error)  # a URL may hold a password
    status = error.response.status_code if isinstance(error, InvalidStatus) else None
    return TransportFailure(reason, maybe_sent=False, status=status)


def to_socket_closed(error: ConnectionClosed) -> SocketClosed:
    return SocketClosed(error.rcvd.code, error.rcvd.reason) if error.rcvd else SocketClosed(1006, "")


def _parse_message(text: str) -> dict[str, Any]:
    message: Any = json.loads(text)
    if not isinstance(message["type"], str):
        raise TypeError("a message names its type")
    return cast("dict[str, Any]", message)


def _handle_message(message: dict[str, Any], subscription: Subscription[Any], state: _StreamState) -> Effect | None:
    """Return the effect of a message that does not end the subscription."""
    match message["type"]:
        case "connection_ack":
            state.is_accepted = True
            payload = {"query": subscription.document, "variables": {**subscription.variables, "after": state.cursor}}
            return Send(json.dumps({"type": "subscribe", "id": "1", "payload": payload}))
        case "next":
            value = subscription.parse(_extract_data(message["payload"]))
            state.cursor = subscription.get_cursor(value)
            return Emit(value)
        case "ping":
            return Send('{"type":"pong"}')
        case _:
            return None


def _extract_data(payload: dict[str, Any]) -> dict[str, Any]:
    for error in payload.get("errors") or ():
        raise parse_error(error)
    data: dict[str, Any] = payload["data"]
    return data


def _handle_error(error: dict[str, Any]) -> str:
    """Return the reason to reconnect after a temporary error; raises any other error."""
    problem = parse_error(error)
    if isinstance(problem, Unavailable | ServerFault):
        return problem.message
    raise problem


def _handle_connect_failure(failure: TransportFailure, endpoint: Endpoint) -> str:
    url, status = endpoint.display_url, failure.status
    if status in {401, 403}:
        raise Unauthenticated(f"{url} refuses the connection ({status}). Check TESSERA_API_KEY.")
    if status is not None and status < 500 and status != 429:
        raise BadRequest(f"{url} answers {status}, and not as a Tessera server does. Check the address.")
    return f"{url} can't be reached: {failure.reason}"


def _handle_close(result: Result, endpoint: Endpoint) -> str:
    """Return the reason to reconnect; raises if a new connection would end in the same way."""
    url = endpoint.display_url
    match result:
        case SocketClosed(code=4403):
            raise Unauthenticated(f"{url} does not take this key, or no longer. Check TESSERA_API_KEY.")
        case SocketClosed(code=code, reason=reason) if code in FATAL_CLOSE_CODES:
            raise BadRequest(f"{url} does not understand this client ({code} {reason}). Use its version.")
        case SocketClosed(code=1012):
            return f"{url} restarts"
        case SocketClosed(code=code, reason=reason):
            return f"the connection to {url} was lost ({code}{' ' + reason if reason else ''})"
        case _:
            return f"{url} did not answer in time"
