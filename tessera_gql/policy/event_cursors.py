"""Cursors of events: positions in the event log."""

import base64

from tessera_gql.errors import CursorExpired


def encode_cursor(sequence: int) -> str:
    """Encode a sequence number as a cursor."""
    return base64.urlsafe_b64encode(f"event:{sequence}".encode()).decode()


def cursor_expired(first_sequence: int, name: str = "after") -> CursorExpired:
    """Build the error for a cursor after which events are archived; the log now begins with `first_sequence`."""
    cursor = encode_cursor(first_sequence - 1)
    return CursorExpired(
        f"The events up to {first_sequence - 1} are archived, and some of them come after this cursor."
        f" Read those in the files of the archive, and start anew from the cursor {cursor}.",
        cursor=cursor,
        field=(name,),
    )
