"""Exceptions of the SDK. `message` is in plain English and says what to do next.

A Refusal has a `code` and changed nothing. InvalidCall and InvalidArgument are raised before anything is sent. The
other classes say that the operation was not accepted, or that its outcome is unknown: see `maybe_done`.
"""

from collections.abc import Sequence
from typing import Any


class TesseraError(Exception):
    """Base class of every error that a client raises.

    `maybe_done`: the server may have received and executed the operation, in one of its attempts.
    `idempotency_key`: the key with which the operation was sent; None if it has none. Repeating the operation with this
    key executes it at most once.
    """

    maybe_done: bool = False
    idempotency_key: str | None = None

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class Refusal(TesseraError):  # noqa: N818 - an answer, not a fault of the program
    """The server refused the operation. `field` is the path of the invalid input, outermost first, or empty."""

    code = "REFUSED"

    def __init__(self, message: str, *, code: str | None = None, field: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.code = code or type(self).code
        self.field = tuple(field)


class NotFound(Refusal):
    """The named object does not exist."""

    code = "NOT_FOUND"


class Invalid(Refusal):
    """The input is invalid whatever the state of the server."""

    code = "INVALID"


class InvalidArgument(Invalid, ValueError):  # noqa: N818 - named like the refusals
    """An argument of a call is invalid, which the client saw before it sent anything."""


class Conflict(Refusal):
    """The current state of the server forbids the operation."""

    code = "CONFLICT"


class Forbidden(Refusal):
    """The key lacks the permission for the operation."""

    code = "FORBIDDEN"


class Stale(Refusal):
    """The object was changed after the caller read it. Read it again and repeat the operation."""

    code = "STALE"


class CursorExpired(Refusal):
    """Events after a cursor are archived. Start anew from `cursor`, before the oldest event that is not."""

    code = "CURSOR_EXPIRED"

    def __init__(self, message: str, *, cursor: str | None = None, field: Sequence[str] = ()) -> None:
        super().__init__(message, field=field)
        self.cursor = cursor


class InvalidCall(TesseraError, TypeError):  # noqa: N818 - named like the refusals
    """A method has no such option, or lacks an argument. The message names the nearest option."""


class Unauthenticated(TesseraError):  # noqa: N818 - an answer, not a fault of the program
    """The key is missing, malformed, unknown or revoked."""


class BadRequest(TesseraError):  # noqa: N818 - an answer, not a fault of the program
    """The server does not accept the operation.

    `code` is the server's, such as GRAPHQL_VALIDATION_FAILED or QUERY_TOO_COMPLEX.
    """

    def __init__(self, message: str, *, code: str = "BAD_REQUEST") -> None:
        super().__init__(message)
        self.code = code


class Unavailable(TesseraError):  # noqa: N818 - an answer, not a fault of the program
    """The server could not be reached or was busy, after all retries.

    `maybe_done` is false only if no attempt reached the server, or the server answered that it did nothing.
    `is_temporary`: the operation may succeed later; false for a certificate that is not trusted, for example.
    `code`: RATE_LIMITED if the server says so, else UNAVAILABLE.
    """

    def __init__(
        self, message: str, *, maybe_done: bool = False, is_temporary: bool = True, code: str = "UNAVAILABLE"
    ) -> None:
        super().__init__(message)
        self.code = code
        self.maybe_done = maybe_done
        self.is_temporary = is_temporary


class ServerFault(TesseraError):  # noqa: N818 - an answer, not a fault of the program
    """The server failed. Give `reference` to its operator, who finds it in the log."""

    def __init__(self, message: str, *, reference: str | None = None) -> None:
        super().__init__(message)
        self.reference = reference
        self.maybe_done = True


REFUSALS: dict[str, type[Refusal]] = {kind.code: kind for kind in (NotFound, Invalid, Conflict, Forbidden, Stale)}


def build_refusal(code: str, message: str, field: Sequence[str] = ()) -> Refusal:
    """Build the refusal of a code; the base class for a code that this version doesn't know."""
    return REFUSALS.get(code, Refusal)(message, code=code, field=field)


def parse_error(error: dict[str, Any]) -> TesseraError:
    """Convert a GraphQL error of a response into an exception."""
    message = str(error.get("message") or "The server gave no reason.")
    extensions: dict[str, Any] = error.get("extensions") or {}
    code = str(extensions.get("code") or "BAD_REQUEST")
    match code:
        case "UNAUTHENTICATED":
            return Unauthenticated(message)
        case "UNAVAILABLE" | "RATE_LIMITED":
            maybe_done, is_temporary = bool(extensions.get("maybeDone")), extensions.get("retryable") is not False
            return Unavailable(message, maybe_done=maybe_done, is_temporary=is_temporary, code=code)
        case "CURSOR_EXPIRED":
            return CursorExpired(message, cursor=extensions.get("cursor"), field=extensions.get("field") or ())
        case "INTERNAL":
            return ServerFault(message, reference=extensions.get("reference"))
        case _ if code in REFUSALS:
            return build_refusal(code, message, extensions.get("field") or ())
        case _:
            return BadRequest(message, code=code)
