"""What can go wrong with a call, as a program tells it apart; the message is for the person who made the call.

TesseraError
├── Refused               the server said no and changed nothing; `code` and `field` say what is to blame
│   ├── NotFound          the thing named does not exist
│   ├── Invalid           the input cannot be right, whatever the state
│   ├── Conflict          the input could be right, but the present state forbids it
│   ├── Forbidden         this key may not do this
│   └── Stale             someone changed it since the caller last looked
├── Unauthenticated       the key is missing, unknown or revoked
├── BadRequest            the server does not take this operation: another version, a limit, or no Tessera at all
├── Unavailable           away, busy or too slow: the same call may work later; `maybe_done` if it may have been done
└── ServerFault           the server failed; `reference` is in its log
"""

from collections.abc import Sequence
from typing import Any


class TesseraError(Exception):
    """Every error that a client raises."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class Refused(TesseraError):  # noqa: N818 - an answer, not a fault of the program
    """`field` names the input to blame, outermost first, if one is."""

    code = "REFUSED"

    def __init__(self, message: str, *, code: str | None = None, field: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.code = code or type(self).code
        self.field = tuple(field)


class NotFound(Refused):
    code = "NOT_FOUND"


class Invalid(Refused):
    code = "INVALID"


class Conflict(Refused):
    code = "CONFLICT"


class Forbidden(Refused):
    code = "FORBIDDEN"


class Stale(Refused):
    code = "STALE"


class Unauthenticated(TesseraError):  # noqa: N818 - an answer, not a fault of the program
    """No key, or not one that the server knows."""


class BadRequest(TesseraError):  # noqa: N818 - an answer, not a fault of the program
    """`code` is the server's: GRAPHQL_VALIDATION_FAILED, QUERY_TOO_COMPLEX, BAD_REQUEST …"""

    def __init__(self, message: str, *, code: str = "BAD_REQUEST") -> None:
        super().__init__(message)
        self.code = code


class Unavailable(TesseraError):  # noqa: N818 - an answer, not a fault of the program
    """After every retry. `maybe_done`: the call was sent, and whether the server did it is unknown."""

    def __init__(self, message: str, *, maybe_done: bool = False) -> None:
        super().__init__(message)
        self.maybe_done = maybe_done


class ServerFault(TesseraError):  # noqa: N818 - an answer, not a fault of the program
    """Report `reference` to whoever runs the server."""

    def __init__(self, message: str, *, reference: str | None = None) -> None:
        super().__init__(message)
        self.reference = reference


REFUSALS: dict[str, type[Refused]] = {kind.code: kind for kind in (NotFound, Invalid, Conflict, Forbidden, Stale)}


def refusal(code: str, message: str, field: Sequence[str] = ()) -> Refused:
    """Of its own class if this version knows the code."""
    return REFUSALS.get(code, Refused)(message, code=code, field=field)


def told(error: dict[str, Any]) -> TesseraError:
    """A top-level error of a reply."""
    message = str(error.get("message") or "The server gave no reason.")
    extensions: dict[str, Any] = error.get("extensions") or {}
    code = str(extensions.get("code") or "BAD_REQUEST")
    match code:
        case "UNAUTHENTICATED":
            return Unauthenticated(message)
        case "UNAVAILABLE":
            return Unavailable(message)
        case "INTERNAL":
            return ServerFault(message, reference=extensions.get("reference"))
        case _ if code in REFUSALS:
            return refusal(code, message, extensions.get("field") or ())
        case _:
            return BadRequest(message, code=code)
