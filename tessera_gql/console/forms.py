"""Read the forms of the console, within the limits of a request."""

import asyncio
from datetime import date
from urllib.parse import parse_qsl

from starlette.requests import Request

from tessera_gql.server.body import Body
from tessera_gql.server.http_errors import HttpError
from tessera_gql.server.limits import Limits

FORM_MEDIA_TYPE = "application/x-www-form-urlencoded"
MAX_FORM_BYTES = 2 * 1024 * 1024
MAX_FORM_FIELDS = 500
LONG_FORM_BYTES = 64 * 1024
"""Longer forms are decoded in a thread."""

TOKEN_FIELD = "form_token"  # noqa: S105 - the name of a field
IDEMPOTENCY_FIELD = "idempotency_key"
TYPED_FIELDS = frozenset({"notes", "body", "reason", "purpose", "replacement", "name", "url"})
"""Fields in which people type texts; the page of a failure shows them, and keeps the other fields hidden."""
SECRET_FIELDS = frozenset({"github_token"})
"""Fields that no page has the value of again."""
KEY_FIELD = "form"
"""The field with the key of a form among those of its page."""


class InvalidForm(Exception):  # noqa: N818 - a refusal
    """A value of a form can't be sent to the API. The message is for the person who typed it."""


class SentForm:
    """The values of a sent form by field name."""

    def __init__(self, pairs: list[tuple[str, str]]) -> None:
        self.kept_pairs = [pair for pair in pairs if pair[0] not in SECRET_FIELDS]
        """The values that a page may show again, in their order."""
        self._values: dict[str, list[str]] = {}
        for name, value in pairs:
            self._values.setdefault(name, []).append(value)

    def get(self, name: str) -> str:
        """Return the trimmed value of a field; empty if it is missing."""
        return self._values.get(name, [""])[-1].strip()

    def get_or_none(self, name: str) -> str | None:
        return self.get(name) or None

    def get_all(self, name: str) -> list[str]:
        return self._values.get(name, [])

    def get_day_end(self, name: str) -> str | None:
        """Return the end of a day in UTC as a time of the API; None for an empty field. Raises InvalidForm."""
        text = self.get(name)
        if not text:
            return None
        try:
            day = date.fromisoformat(text)
        except ValueError:
            raise InvalidForm(f"{text[:40]!r} is no date. Write it as in 2026-03-31.") from None
        return f"{day}T23:59:59Z"


async def read_form(request: Request, limits: Limits) -> SentForm:
    """Read the form in the body of a request. Raises HttpError for another or a too large body."""
    content_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if content_type != FORM_MEDIA_TYPE:
        raise HttpError(415, "The console reads forms of its own pages only.", {"Connection": "close"})
    declared = request.headers.get("content-length", "")
    length = int(declared[:18]) if declared.isdecimal() else None
    body = bytearray()
    try:
        async for chunk in Body(request.receive, limits, length).chunks(MAX_FORM_BYTES):
            body += chunk
    except HttpError as error:
        raise HttpError(error.status, str(error), {"Connection": "close"}) from None
    if len(body) > LONG_FORM_BYTES:
        return await asyncio.to_thread(_parse_form, bytes(body))
    return _parse_form(bytes(body))


def _parse_form(body: bytes) -> SentForm:
    try:
        pairs = parse_qsl(body.decode(), keep_blank_values=True, errors="strict", max_num_fields=MAX_FORM_FIELDS)
    except ValueError:
        message = f"The form is not encoded in UTF-8, or has more than {MAX_FORM_FIELDS} fields. Send it from the page."
        raise HttpError(400, message) from None
    return SentForm([(name, value.replace("\r\n", "\n").replace("\0", "")) for name, value in pairs])
