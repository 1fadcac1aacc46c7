"""Export the events that the audit page shows as JSON lines, with the rights and the rate limit of the caller."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from tessera_gql.console.page_errors import to_page_error
from tessera_gql.console.pages import read_event_filter
from tessera_gql.console.site import SECURITY_HEADERS, Console, Visitor

MAX_EXPORTED = 10_000
"""Events of one file, the oldest ones of the filter; the page says so if there are more."""
MEDIA_TYPE = "application/x-ndjson"


async def export_events(console: Console, request: Request) -> Response:
    """Send the events, the oldest first. A refusal of the first of them has a page; after a later one the file ends."""
    visitor = await console.identify(request)
    conditions = read_event_filter(request.query_params)
    first = await _load_page(console, visitor, conditions, None)
    headers = {**SECURITY_HEADERS, "Content-Disposition": 'attachment; filename="events.jsonl"'}
    return StreamingResponse(_write_lines(console, visitor, conditions, first), 200, headers, MEDIA_TYPE)


async def _write_lines(
    console: Console, visitor: Visitor, conditions: Mapping[str, Any] | None, page: Mapping[str, Any]
) -> AsyncIterator[bytes]:
    count = 0
    while True:
        yield b"".join(orjson.dumps(node, option=orjson.OPT_APPEND_NEWLINE) for node in page["nodes"])
        count += len(page["nodes"])
        if not page["pageInfo"]["hasNextPage"] or count >= MAX_EXPORTED:
            return
        page = await _load_page(console, visitor, conditions, page["pageInfo"]["endCursor"])


async def _load_page(
    console: Console, visitor: Visitor, conditions: Mapping[str, Any] | None, after: str | None
) -> Mapping[str, Any]:
    """Load one page of events. Raises PageError, which ends a file that has begun as a broken one."""
    reply = await console.run("downloads", "events", {"filter": conditions, "after": after}, visitor)
    if "errors" in reply:
        raise to_page_error(reply)
    page: Mapping[str, Any] = reply["data"]["events"]
    return page
