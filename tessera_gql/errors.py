"""Errors that callers get: a `Refusal` is expected, rolls back and becomes a `UserError`; `Unavailable` may pass.

A message is one or two sentences for the caller that say what is wrong, why, and what to do next, without codes and
internals.
"""


class Refusal(Exception):  # noqa: N818 - an expected result, not a defect
    """A call that is refused. `field` is the path of the input at fault, such as `("input", "schema")`, if any."""

    code = "INVALID"

    def __init__(self, message: str, *, field: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.message = message
        self.field = field


class NotFound(Refusal):
    """The referenced object does not exist, or the caller may not see it."""

    code = "NOT_FOUND"


class Invalid(Refusal):
    """The input is invalid whatever the state of the database."""

    code = "INVALID"


class Conflict(Refusal):
    """The input is valid, but the current state forbids it."""

    code = "CONFLICT"


class Forbidden(Refusal):
    """The caller lacks the right for this call."""

    code = "FORBIDDEN"


class Stale(Refusal):
    """The object was changed since the caller read it."""

    code = "STALE"


class CursorExpired(Refusal):
    """Events after a cursor are archived; `cursor` is the position before the oldest event that is not."""

    code = "CURSOR_EXPIRED"

    def __init__(self, message: str, *, cursor: str, field: tuple[str, ...] = ()) -> None:
        super().__init__(message, field=field)
        self.cursor = cursor
        self.extensions = {"code": self.code, "field": [*field], "cursor": cursor}
        """The members of `extensions` in a reply."""


class Unavailable(Exception):  # noqa: N818 - named like the refusals above
    """The database is unavailable. Nothing was written, unless the message says that the outcome is unknown.

    `reason` is a clause for operators that begins in lower case and ends without a full stop.
    `maybe_done`: the outcome is unknown.
    """

    code = "UNAVAILABLE"

    def __init__(self, message: str, *, reason: str = "", maybe_done: bool = False) -> None:
        super().__init__(message)
        self.message = message
        self.maybe_done = maybe_done
        self.reason = reason or message.removesuffix(".")
