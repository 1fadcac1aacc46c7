"""Errors that a person sees as a page of their own."""

from collections.abc import Mapping

from tessera_gql.server.http import STATUS_BY_CODE
from tessera_gql.server.operations import Reply

FORM_CODES = frozenset({"BAD_REQUEST", "FORBIDDEN", "INVALID", "CONFLICT", "STALE", "NOT_FOUND", "RATE_LIMITED"})
"""Errors of a mutation that the form itself shows, with what was typed."""
TITLES = {
    "UNAVAILABLE": (503, "The database doesn't answer"),
    "RATE_LIMITED": (429, "Too many requests at once"),
    "TIMEOUT": (503, "This takes too long"),
    "INTERNAL": (500, "The server failed"),
    "FORBIDDEN": (403, "This is not for you to see"),
    "NOT_FOUND": (404, "There is no such page"),
}


class PageError(Exception):
    """A request that ends with the page of an error."""

    def __init__(self, status: int, title: str, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.title = title
        self.headers = headers or {}


def missing_page() -> PageError:
    """Create the error for an object that is not there, or hidden from the caller."""
    return PageError(404, "There is no such page", "It was removed, was never there, or is not for you to see.")


def to_page_error(reply: Reply) -> PageError:
    """Return the page for the first error of a reply."""
    error = reply["errors"][0]
    code, retry_after = error["extensions"]["code"], error["extensions"].get("retryAfter")
    status, title = TITLES.get(code, (STATUS_BY_CODE.get(code, 400), "This request can't be answered"))
    return PageError(status, title, error["message"], {"Retry-After": str(retry_after)} if retry_after else {})


def is_for_form(reply: Reply) -> bool:
    """Return whether the first error of a reply is about what was sent, rather than a failure of the server."""
    return "errors" in reply and reply["errors"][0]["extensions"]["code"] in FORM_CODES
