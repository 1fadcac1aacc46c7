"""What the logic of a client asks of the one that does the waiting, and what comes back; no logic here."""

from dataclasses import dataclass
from typing import Any, TypeAlias

from tessera_gql.client.forms import Form
from tessera_gql.client.progress import Hear


@dataclass(frozen=True)
class Post:
    """To be sent over HTTP. Gives Came or Lost. `hear` wants to be told what comes, as it comes."""

    url: str
    headers: dict[str, str]
    content: bytes | Form
    timeout_seconds: float
    hear: Hear | None = None


@dataclass(frozen=True)
class Pause:
    seconds: float


@dataclass(frozen=True)
class Connect:
    """A websocket, in place of the one before. Gives Opened, or Lost with the HTTP status if there was one."""

    url: str
    timeout_seconds: float


@dataclass(frozen=True)
class Send:
    """Over the socket; that it is closed is learnt by receiving."""

    text: str


@dataclass(frozen=True)
class Receive:
    """Gives Text or Closed; waits for ever without a timeout."""

    timeout_seconds: float | None = None


@dataclass(frozen=True)
class Emit:
    """A message for whoever listens."""

    value: Any


@dataclass(frozen=True)
class Came:
    """An answer over HTTP."""

    status: int
    body: bytes
    retry_after: str | None = None


@dataclass(frozen=True)
class Lost:
    """No answer; `sent` if the server may have had the request; `status` if it refused to open a socket."""

    reason: str
    sent: bool
    status: int | None = None


@dataclass(frozen=True)
class Opened:
    pass


@dataclass(frozen=True)
class Text:
    text: str


@dataclass(frozen=True)
class Closed:
    code: int
    reason: str


Step: TypeAlias = Post | Pause | Connect | Send | Receive | Emit
Result: TypeAlias = Came | Lost | Opened | Text | Closed | None
