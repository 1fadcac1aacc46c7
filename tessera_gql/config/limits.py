"""What one client may ask of the server at once, as settings: LIMIT_X is `Limits.x` of the graph, default and all."""

from typing import Any

from pydantic import Field
from pydantic_settings import BaseSettings

PREFIX = "limit_"


def _limit(default: float, meaning: str, *, least: float = 1, most: float = 1_000_000_000) -> Any:
    return Field(default=default, ge=least, le=most, description=meaning)


class LimitSettings(BaseSettings):
    limit_depth: int = _limit(10, "Levels of a query.", most=100)
    limit_cost: int = _limit(5000, "Objects that one answer may hold, estimated before it runs.")
    limit_aliases: int = _limit(30, "Aliases in a query.")
    limit_directives: int = _limit(9, "Directives in a query.")
    limit_overlaps: int = _limit(2000, "Pairs of selections of one name in one place.")
    limit_tokens: int = _limit(2000, "Tokens of a document.")
    limit_page: int = _limit(100, "Items of one page or list of ids; at most 100, as the schema says.", most=100)
    limit_body_bytes: int = _limit(4 * 1024 * 1024, "Bytes of a JSON body.", least=1024)
    limit_document_bytes: int = _limit(256 * 1024, "Characters of a document, without its variables.", least=1024)
    limit_upload_bytes: int = _limit(
        128 * 1024 * 1024, "Bytes of a multipart request, which carries a dbt manifest as a file.", least=1024
    )
    limit_uploads_per_key: int = _limit(
        2, "Large requests of one key at once; of one address, where no keys are needed. For each process."
    )
    limit_upload_disk_bytes: int = _limit(
        1024**3, "Bytes of all large requests at once. For each process.", least=1024, most=1_000_000_000_000
    )
    limit_body_seconds: float = _limit(
        30.0, "Seconds before a body must have come at the minimum rate.", least=0.1, most=3600
    )
    limit_body_bytes_per_second: int = _limit(16 * 1024, "The minimum rate at which a body must come.")
    limit_upload_seconds: float = _limit(
        900.0, "Seconds for a whole body, however fast it comes.", least=0.1, most=86_400
    )
    limit_head_bytes: int = _limit(32 * 1024, "Bytes of a request's headers, names and values.", least=1024)
    limit_head_fields: int = _limit(100, "Headers of a request.", least=10)
    limit_head_seconds: float = _limit(
        10.0,
        "Seconds for a request's head to come, from the opening of the connection or the request's first byte.",
        least=0.1,
        most=3600,
    )
    limit_url_bytes: int = _limit(16 * 1024, "Bytes of a request's URL.", least=1024)
    limit_pipelined_requests: int = _limit(100, "Requests that a client may send ahead of their replies.")
    limit_connections: int = _limit(
        10_000, "Connections of a process; fewer where the system lets it open fewer files.", least=8
    )
    limit_address_connections: int = _limit(
        10_000, "Connections that one address may hold to a process. A proxy is one address."
    )
    limit_key_streams: int = _limit(1000, "Websockets and event streams that one key may hold in a process.")
    limit_unread_bytes: int = _limit(
        128 * 1024 * 1024,
        "Bytes of replies that wait for slow clients in a process; beyond, the slowest are cut off.",
        least=1024 * 1024,
        most=1_000_000_000_000,
    )
    limit_pings_per_minute: int = _limit(600, "Pings, and as many pongs, that a websocket's client may send a minute.")
    limit_errors: int = _limit(10, "Errors listed in one answer.")
    limit_query_seconds: float = _limit(30.0, "Seconds after which a query is given up.", least=0.1, most=3600)
    limit_operations_per_socket: int = _limit(20, "Operations under way on one websocket.")
    limit_frame_bytes: int = _limit(64 * 1024, "Bytes of a message from a websocket's client.", least=1024)
    limit_init_timeout_seconds: float = _limit(
        10.0, "Seconds that a websocket may stay open before it says who it is.", least=0.1, most=3600
    )
    limit_send_queue: int = _limit(1000, "Messages of a subscription that may wait for a slow client.")
    limit_send_timeout_seconds: float = _limit(
        10.0, "Seconds in which a client must read 4 kB for each of them of what waits for it.", least=0.1, most=3600
    )
    limit_keep_alive_seconds: float = _limit(
        15.0, "Seconds between two signs of life on an event stream.", least=0.1, most=3600
    )
    limit_cached_tokens: int = _limit(60_000, "Tokens of documents kept parsed; about 1 kB of memory each.")

    @property
    def limits(self) -> dict[str, Any]:
        """By the names of the graph."""
        return {name.removeprefix(PREFIX): getattr(self, name) for name in LimitSettings.model_fields}
