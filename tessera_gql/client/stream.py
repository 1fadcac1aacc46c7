"""A subscription over graphql-transport-ws, without doing any of it: yields steps, takes in what came, resumes.

Starts from a cursor taken before the first connection, so that nothing is lost between the call and the first
message, nor over any number of restarts; a message that was given out is never given out again.
"""

import json
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any, TypeAlias, cast

from tessera_gql.client.errors import BadRequest, ServerFault, Unauthenticated, Unavailable, told
from tessera_gql.client.exchange import Target, delays, exchange, parsed
from tessera_gql.client.operation import Operation, Subscription
from tessera_gql.client.steps import Closed, Connect, Emit, Lost, Pause, Receive, Result, Send, Step, Text

PROTOCOL = "graphql-transport-ws"
FOR_EVER = 1_000_000
"""Attempts to come back to a server that was there; one that never was is given up after the target's retries."""

WRONG = {1009, 4400, 4401, 4406, 4409, 4429}
"""Close codes that say that this client and the server do not understand each other."""

MAX_MESSAGE_BYTES = 16 * 1024 * 1024

Notice: TypeAlias = Callable[[str], None]
"""Told why the connection was lost, each time before it is sought again."""


NOW: Operation[str] = Operation("{ eventCursor }", {}, lambda data: str(data["eventCursor"]))
"""The cursor behind all that has happened."""


@dataclass
class _Place:
    """How far the listener is, over all connections."""

    cursor: str
    accepted: bool = False
    """Whether the connection of now came so far that the server took it."""


def listen(subscription: Subscription[Any], target: Target, notice: Notice) -> Generator[Step, Result, None]:
    """Ends only by a TesseraError: a refusal, or a server that was never there."""
    place = _Place(subscription.after or (yield from exchange(NOW, target)))
    waits = delays(target.retries)
    while True:
        reason = yield from _connection(subscription, target, place)
        if place.accepted:
            place.accepted = False
            waits = delays(FOR_EVER)
        wait = next(waits, None)
        if wait is None:
            raise Unavailable(reason)
        notice(reason)
        yield Pause(wait)


def _connection(subscription: Subscription[Any], target: Target, place: _Place) -> Generator[Step, Result, str]:
    """One connection until it is lost; returns why."""
    opened = yield Connect(target.socket, target.timeout_seconds)
    if isinstance(opened, Lost):
        return _unopened(opened, target)
    yield Send(json.dumps({"type": "connection_init", "payload": target.authorization}))
    while True:
        came = yield Receive(None if place.accepted else target.timeout_seconds)
        if not isinstance(came, Text):
            return _ended(came, target)
        message = parsed(_message, came.text, target)
        if message["type"] == "complete":
            return f"{target.address} ended the subscription"
        if message["type"] == "error":
            return parsed(lambda payload: _failed(payload[0]), message.get("payload"), target)
        if (step := parsed(lambda found: _next(found, subscription, place), message, target)) is not None:
            yield step


def _message(text: str) -> dict[str, Any]:
    message: Any = json.loads(text)
    if not isinstance(message["type"], str):
        raise TypeError("a message names its type")
    return cast("dict[str, Any]", message)


def _next(message: dict[str, Any], subscription: Subscription[Any], place: _Place) -> Step | None:
    """What is to be done about a message that does not end the subscription."""
    match message["type"]:
        case "connection_ack":
            place.accepted = True
            return Send(_subscribe(subscription, place.cursor))
        case "next":
            value = subscription.parse(_data(message["payload"]))
            place.cursor = subscription.cursor(value)
            return Emit(value)
        case "ping":
            return Send('{"type":"pong"}')
        case _:
            return None


def _subscribe(subscription: Subscription[Any], cursor: str) -> str:
    variables = {**subscription.variables, "after": cursor}
    return json.dumps(
        {"type": "subscribe", "id": "1", "payload": {"query": subscription.document, "variables": variables}}
    )


def _data(payload: dict[str, Any]) -> dict[str, Any]:
    for error in payload.get("errors") or ():
        raise told(error)
    data: dict[str, Any] = payload["data"]
    return data


def _failed(error: dict[str, Any]) -> str:
    problem = told(error)
    if isinstance(problem, Unavailable | ServerFault):
        return problem.message
    raise problem


def _unopened(lost: Lost, target: Target) -> str:
    if lost.status in {401, 403}:
        raise Unauthenticated(f"{target.address} refuses the connection ({lost.status}). Check TESSERA_API_KEY.")
    if lost.status is not None and lost.status < 500 and lost.status != 429:
        raise BadRequest(
            f"{target.address} answers {lost.status}, and not as a Tessera server does. Check the address."
        )
    return f"{target.address} can't be reached: {lost.reason}"


def _ended(came: Result, target: Target) -> str:
    match came:
        case Closed(code=4403):
            raise Unauthenticated(f"{target.address} does not take this key, or no longer. Check TESSERA_API_KEY.")
        case Closed(code=code, reason=reason) if code in WRONG:
            raise BadRequest(f"{target.address} does not understand this client ({code} {reason}). Use its version.")
        case Closed(code=1012):
            return f"{target.address} restarts"
        case Closed(code=code, reason=reason):
            return f"the connection to {target.address} was lost ({code}{' ' + reason if reason else ''})"
        case _:
            return f"{target.address} did not answer in time"
