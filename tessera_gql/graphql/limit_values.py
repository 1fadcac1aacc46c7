"""The limits of what one client may ask of the server at once, with their defaults."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """What one client may ask of the server at once. Every figure is inclusive."""

    depth: int = 10
    cost: int = 5000
    """Objects one answer may hold."""
    aliases: int = 30
    directives: int = 9
    overlaps: int = 2000
    """Pairs of selections of one name in one place, which all have to be compared."""
    tokens: int = 2000
    page: int = 100
    """The most that `first`, `last` or a list of ids may ask for."""
    default_page: int = 20
    list_length: int = 5
    """Objects assumed, for the cost, in a list that takes no page argument."""
    body_bytes: int = 4 * 1024 * 1024
    """Of a JSON body, and of the part `operations` of a multipart request."""
    document_bytes: int = 256 * 1024
    """Characters of the document alone."""
    upload_bytes: int = 128 * 1024 * 1024
    """Of a multipart request, which carries a dbt manifest as a file."""
    uploads_at_once: int = 2
    """Large requests of one caller at once."""
    upload_disk_bytes: int = 1024**3
    """Of all large requests at once."""
    body_seconds: float = 30.0
    """Before a body must have come at the minimum rate."""
    body_bytes_per_second: int = 16 * 1024
    """The minimum rate."""
    upload_seconds: float = 900.0
    """For a whole body, however fast it comes."""
    head_bytes: int = 32 * 1024
    """Names and values of a request's headers."""
    head_fields: int = 100
    """Headers of a request, trailers included."""
    head_seconds: float = 10.0
    """From the opening of a connection, or the first byte of a later request, to the end of the request's head."""
    url_bytes: int = 16 * 1024
    pipelined_requests: int = 100
    """Requests that a client may send ahead of the replies to those before."""
    connections: int = 10_000
    """Of a process; fewer where it may open fewer files."""
    address_connections: int = 10_000
    key_streams: int = 1000
    """Websockets and event streams that one key may hold open in a process."""
    unread_bytes: int = 128 * 1024 * 1024
    """Of all replies that wait for clients to read them; beyond, the slowest clients are cut off."""
    pings_per_minute: int = 600
    """Pings and pongs of a websocket's client."""
    errors: int = 10
    """Errors listed in one reply."""
    query_seconds: float = 30.0
    """A query that takes longer is given up."""
    operations_per_socket: int = 20
    frame_bytes: int = 64 * 1024
    init_timeout_seconds: float = 10.0
    send_queue: int = 1000
    """Messages of a shared subscription that may wait for one listener; they are written once for all of them."""
    send_timeout_seconds: float = 10.0
    """How long a client may read nothing of what waits for it before it counts as too slow."""
    keep_alive_seconds: float = 15.0
    """Between two comments on an event stream that has nothing to say."""
    cached_tokens: int = 60_000
    """Of all the documents kept parsed and validated; about 1 kB of memory each."""
