"""Refusals: every way the product says no, each with what, why and what next.

    Refusal             expected; rolls the verb back; becomes a `UserError` in the payload
    ├── NotFound        the thing named does not exist
    ├── Invalid         the input cannot be right, whatever the state
    ├── Conflict        the input could be right, but the present state forbids it
    ├── Forbidden       this actor may not do this
    └── Stale           someone changed it since the caller last looked

    Unavailable         nothing is wrong with the call: the database is away or busy; the same call may work later

A message is one or two sentences for the person who made the call: no codes, no internals.
"""


class Refusal(Exception):  # noqa: N818 - a refusal is an answer, not a fault
    """What was refused. `field` names the input, outermost first (`["input", "schema"]`), if one input is to blame."""

    code = "INVALID"

    def __init__(self, message: str, *, field: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.message = message
        self.field = field


class NotFound(Refusal):
    code = "NOT_FOUND"


class Invalid(Refusal):
    code = "INVALID"


class Conflict(Refusal):
    code = "CONFLICT"


class Forbidden(Refusal):
    code = "FORBIDDEN"


class Stale(Refusal):
    code = "STALE"


class Unavailable(Exception):  # noqa: N818 - a state, like the refusals above
    """The database can't answer now. Nothing was written, unless the message says that the outcome is unknown.

    `reason` is what is wrong, for an operator: a clause that begins in lower case and ends without a full stop.
    """

    code = "UNAVAILABLE"

    def __init__(self, message: str, *, reason: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.reason = reason or message.removesuffix(".")
