"""Errors of HTTP requests that are refused before their operation runs."""

from collections.abc import Mapping

CODE_BY_STATUS = {401: "UNAUTHENTICATED", 429: "RATE_LIMITED", 503: "UNAVAILABLE"}


class HttpError(Exception):
    """An HTTP error with a status and a message for the client."""

    def __init__(self, status: int, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.headers = headers or {}

    @property
    def code(self) -> str:
        return CODE_BY_STATUS.get(self.status, "BAD_REQUEST")


def body_too_large(limit: int, hint: str = "") -> HttpError:
    return HttpError(413, f"The body is larger than {limit:,} bytes, which is the limit.{hint}")
