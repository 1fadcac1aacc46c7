"""Effects of the client's protocol logic and their results.

The logic is free of I/O: it yields an effect, the client performs it and sends the result back.
"""

from dataclasses import dataclass
from typing import Any, TypeAlias

from tessera_gql.client.multipart import MultipartForm
from tessera_gql.client.progress import ProgressCallback


@dataclass(frozen=True)
class Post:
    """Send an HTTP POST. Results in HttpResponse or TransportFailure; `on_progress` gets the server's progress.

    `timeout_seconds` is for the whole exchange, without the time that the request waits for a free connection.
    """

    url: str
    headers: dict[str, str]
    content: bytes | MultipartForm
    timeout_seconds: float
    on_progress: ProgressCallback | None = None


@dataclass(frozen=True)
class Pause:
    """Sleep before the next attempt, after passing `reason` to the callback of the client. Has no result."""

    seconds: float
    reason: str


@dataclass(frozen=True)
class Connect:
    """Open a WebSocket and close the previous one. Results in TransportFailure, or None once it is open."""

    url: str
    timeout_seconds: float


@dataclass(frozen=True)
class Send:
    """Send a text message over the WebSocket. A closed socket is reported by the next Receive."""

    text: str


@dataclass(frozen=True)
class Receive:
    """Wait for a message. Results in TextMessage, SocketClosed, or None after the timeout."""

    timeout_seconds: float | None = None


@dataclass(frozen=True)
class Emit:
    """Yield a message to the subscriber. Has no result."""

    value: Any


@dataclass(frozen=True)
class HttpResponse:
    status: int
    body: bytes
    retry_after: str | None = None


@dataclass(frozen=True)
class TransportFailure:
    """A request or WebSocket handshake without a GraphQL response.

    `maybe_sent`: the server may have received the request. `status`: the HTTP status of a refused handshake.
    `is_temporary`: another attempt may succeed.
    """

    reason: str
    maybe_sent: bool
    status: int | None = None
    is_temporary: bool = True


@dataclass(frozen=True)
class TextMessage:
    text: str


@dataclass(frozen=True)
class SocketClosed:
    """The WebSocket was closed, with the close code of RFC 6455."""

    code: int
    reason: str


Effect: TypeAlias = Post | Pause | Connect | Send | Receive | Emit
Result: TypeAlias = HttpResponse | TransportFailure | TextMessage | SocketClosed | None
