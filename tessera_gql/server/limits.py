"""The limits for requests, connections and replies of a client, with their defaults."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """Limits for one client or one process. Every figure is inclusive."""

    depth: int = 10
    cost: int = 5000
    """Maximum number of objects in a reply."""
    aliases: int = 30
    directives: int = 9
    overlaps: int = 2000
    """Pairs of selections with the same response key in the same parent, which validation has to compare."""
    tokens: int = 2000
    page: int = 100
    """Maximum of `first`, `last` and the length of a list of ids."""
    default_page: int = 20
    list_length: int = 5
    """Objects that the cost assumes for a list without a page argument."""
    body_bytes: int = 4 * 1024 * 1024
    """Size of a JSON body, and of the part `operations` of a multipart request."""
    document_bytes: int = 256 * 1024
    """Characters of a GraphQL document."""
    upload_bytes: int = 128 * 1024 * 1024
    """Size of a multipart request, which carries a dbt manifest as a file."""
    uploads_at_once: int = 2
    """Concurrent large requests of one caller."""
    upload_disk_bytes: int = 1024**3
    """Total size of all concurrent large requests."""
    body_seconds: float = 30.0
    """Grace time before the minimum rate applies to a body."""
    body_bytes_per_second: int = 16 * 1024
    upload_seconds: float = 900.0
    """Timeout for a whole body at any rate."""
    head_bytes: int = 32 * 1024
    """Total size of the names and values of a request's headers."""
    head_fields: int = 100
    """Number of headers of a request, trailers included."""
    head_seconds: float = 10.0
    """Time from the start of a connection, or of a later request, to the end of the request's head."""
    url_bytes: int = 16 * 1024
    pipelined_requests: int = 100
    """Requests that a client may send before the replies to earlier ones."""
    connections: int = 10_000
    """Connections of a process; fewer if it may open fewer files."""
    address_connections: int = 10_000
    key_streams: int = 1000
    """WebSockets and event streams that one key may have open in a process."""
    unread_bytes: int = 128 * 1024 * 1024
    """Total size of unread replies, above which the slowest clients are disconnected."""
    pings_per_minute: int = 600
    """Pings and pongs that a WebSocket client may send."""
    errors: int = 10
    """Errors listed in one reply."""
    query_seconds: float = 30.0
    operations_per_socket: int = 20
    frame_bytes: int = 64 * 1024
    init_timeout_seconds: float = 10.0
    send_queue: int = 1000
    """Messages of a shared subscription that may be queued for one client. All clients share their memory."""
    send_timeout_seconds: float = 10.0
    """Time without reading after which a client is too slow."""
    keep_alive_seconds: float = 15.0
    """Interval of keep-alive comments on an idle event stream."""
    persisted_query_bytes: int = 4 * 1024 * 1024
    """Memory for the documents of automatic persisted queries; 0 turns them off."""
    cached_tokens: int = 60_000
    """Total tokens of all documents in the cache, each about 1 kB of memory."""
