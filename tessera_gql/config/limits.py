"""Settings of limits for one client: LIMIT_X has the name and default of `Limits.x`."""

from typing import Any

from pydantic_settings import BaseSettings

from tessera_gql.config.fields import setting

PREFIX = "limit_"


def _limit(default: float, description: str, *, ge: float = 1, le: float = 1_000_000_000) -> Any:
    return setting(default, description, ge=ge, le=le)


class LimitSettings(BaseSettings):
    """The settings LIMIT_*, all of them inclusive."""

    limit_depth: int = _limit(10, "Maximum depth of a query.", le=100)
    limit_cost: int = _limit(5000, "Objects that one response may contain, estimated before execution.")
    limit_aliases: int = _limit(30, "Aliases in a query.")
    limit_directives: int = _limit(9, "Directives in a query.")
    limit_overlaps: int = _limit(2000, "Pairs of fields with the same response name, which validation must compare.")
    limit_tokens: int = _limit(2000, "Tokens of a document.")
    limit_page: int = _limit(100, "Items of one page or list of ids; at most 100, as in the schema.", le=100)
    limit_body_bytes: int = _limit(4 * 1024 * 1024, "Bytes of a JSON body.", ge=1024)
    limit_document_bytes: int = _limit(256 * 1024, "Characters of a document, without its variables.", ge=1024)
    limit_upload_bytes: int = _limit(
        128 * 1024 * 1024, "Bytes of a multipart request, which carries a dbt manifest as a file.", ge=1024
    )
    limit_uploads_at_once: int = _limit(
        2, "Concurrent uploads of one key, or of one address if AUTH is off, per process."
    )
    limit_upload_disk_bytes: int = _limit(
        1024**3, "Bytes on disk of all concurrent uploads, per process.", ge=1024, le=1_000_000_000_000
    )
    limit_body_seconds: float = _limit(
        30.0, "Seconds before the minimum rate of a request body is enforced.", ge=0.1, le=3600
    )
    limit_body_bytes_per_second: int = _limit(16 * 1024, "Minimum rate of a request body.")
    limit_upload_seconds: float = _limit(900.0, "Seconds for a whole request body, at any rate.", ge=0.1, le=86_400)
    limit_head_bytes: int = _limit(32 * 1024, "Bytes of a request's headers, names and values.", ge=1024)
    limit_head_fields: int = _limit(100, "Headers of a request.", ge=10)
    limit_head_seconds: float = _limit(
        10.0,
        "Seconds for a request's headers, from the opening of the connection or the first byte of the request.",
        ge=0.1,
        le=3600,
    )
    limit_url_bytes: int = _limit(16 * 1024, "Bytes of a request's URL.", ge=1024)
    limit_pipelined_requests: int = _limit(100, "Requests that a client may send before it has received the responses.")
    limit_connections: int = _limit(
        10_000, "Connections per process; fewer if the system allows fewer open files.", ge=8
    )
    limit_address_connections: int = _limit(10_000, "Connections per process from one address. A proxy is one address.")
    limit_key_streams: int = _limit(1000, "WebSockets and event streams of one key per process.")
    limit_unread_bytes: int = _limit(
        128 * 1024 * 1024,
        "Bytes of responses that wait for slow clients, per process; above it the slowest clients are disconnected.",
        ge=1024 * 1024,
        le=1_000_000_000_000,
    )
    limit_pings_per_minute: int = _limit(600, "Pings, and as many pongs, that a WebSocket client may send per minute.")
    limit_errors: int = _limit(10, "Errors listed in one response.")
    limit_query_seconds: float = _limit(30.0, "Seconds after which a query is cancelled.", ge=0.1, le=3600)
    limit_operations_per_socket: int = _limit(20, "Concurrent operations on one WebSocket.")
    limit_frame_bytes: int = _limit(64 * 1024, "Bytes of a message from a WebSocket client.", ge=1024)
    limit_init_timeout_seconds: float = _limit(
        10.0, "Seconds in which a WebSocket client must send `connection_init`.", ge=0.1, le=3600
    )
    limit_send_queue: int = _limit(1000, "Messages of a subscription that may wait for a slow client.")
    limit_send_timeout_seconds: float = _limit(
        10.0,
        "Seconds in which a client must read what waits for it, or at least 4 kB per second of it.",
        ge=0.1,
        le=3600,
    )
    limit_keep_alive_seconds: float = _limit(
        15.0, "Seconds between two keep-alive messages on an event stream.", ge=0.1, le=3600
    )
    limit_persisted_query_bytes: int = _limit(
        4 * 1024 * 1024, "Memory for the documents of automatic persisted queries, per process; 0 turns them off.", ge=0
    )
    limit_cached_tokens: int = _limit(60_000, "Tokens of parsed documents in the cache; about 1 kB of memory each.")

    @property
    def limits(self) -> dict[str, Any]:
        """Return the values by the attribute names of `Limits`."""
        return {name.removeprefix(PREFIX): getattr(self, name) for name in LimitSettings.model_fields}
