"""The error of a request that is refused before its operation runs."""

from collections.abc import Mapping

CODES = {401: "UNAUTHENTICATED", 429: "RATE_LIMITED", 503: "UNAVAILABLE"}


class HttpError(Exception):
    """An HTTP status, and a message that says what is wrong with the request and what to send instead."""

    def __init__(self, status: int, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.headers = headers or {}

    @property
    def code(self) -> str:
        return CODES.get(self.status, "BAD_REQUEST")


def too_large(limit: int, hint: str = "") -> HttpError:
    return HttpError(413, f"The body is larger than {limit:,} bytes, which is the limit.{hint}")
