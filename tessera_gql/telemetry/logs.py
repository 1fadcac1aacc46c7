"""Structured logs, as JSON or as text. Secrets are removed from every line."""

from __future__ import annotations

import logging
import os
import re
import sys
from collections.abc import Iterable, MutableMapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson
import structlog
from structlog.stdlib import ProcessorFormatter
from structlog.typing import Processor

from tessera_gql.escaping import escape_terminal
from tessera_gql.telemetry import request_log
from tessera_gql.telemetry.operations import OperationRecord
from tessera_gql.telemetry.request_log import LoggedRequest

SECRET_PATTERNS = (
    r"tsr_[A-Za-z0-9_-]{8,}",  # API keys
    r"whsec_[A-Za-z0-9+/=_-]{8,}",  # secrets of webhooks
    r"eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*",  # JSON web tokens
    r"(?<=Bearer )[^\s\"'\\]+",
    r"(?<=://)[^\s/@\"'\\]*:[^\s/@\"'\\]*(?=@)",  # user and password in an address
)
SECRET_MARKERS = ("tsr_", "whsec_", "eyJ", "Bearer ", "://")
"""Each match of SECRET_PATTERNS contains one of these."""
QUOTED_VALUES = re.compile(r"(query argument \$\d+: |DETAIL: |\[parameters: )[^\n]*")
"""The values that databases and drivers quote in error messages."""
PACKAGE_LOGGER = "tessera_gql"
"""The parent of all loggers of this package."""
PROBE_PATHS = frozenset({"/healthz", "/readyz", "/metrics"})
"""Paths that probes request every few seconds; logged at DEBUG only."""

Event = MutableMapping[str, Any]


class SecretScrubber:
    """Replaces configured secrets, and everything in the form of a secret, in a line of the log."""

    def __init__(self, secrets: Iterable[str]) -> None:
        known_secrets = sorted({form for secret in secrets for form in _escaped_forms(secret)}, key=len, reverse=True)
        self._pattern = re.compile("|".join([*map(re.escape, known_secrets), *SECRET_PATTERNS]))
        self._markers = [*known_secrets, *SECRET_MARKERS]

    def __call__(self, line: str) -> str:
        for marker in self._markers:  # many times faster than the pattern, which few lines need
            if marker in line:
                return self._pattern.sub("***", line)
        return line


def _escaped_forms(secret: str) -> set[str]:
    """Return a secret as it is and as JSON escapes it."""
    return {secret, orjson.dumps(secret).decode()[1:-1]} if secret else set()


@dataclass(frozen=True)
class LogOptions:
    level: str
    is_json: bool
    secrets: Sequence[str] = field(repr=False)


def configure(*, level: str, is_json: bool, secrets: Iterable[str]) -> None:
    """Configure logging to stderr, once per process, for this package, uvicorn and libraries."""
    renderers = _renderers(SecretScrubber(secrets), is_json=is_json)
    processors: list[Processor] = [
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
        _add_request_id,
    ]
    structlog.configure(
        processors=[*processors, *renderers],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_logger_name, *processors],
            processors=[ProcessorFormatter.remove_processors_meta, *renderers],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    package_logger = logging.getLogger(PACKAGE_LOGGER)
    package_logger.setLevel(level.upper())
    # Below warnings, libraries log statements with their values, addresses and headers.
    root.setLevel(max(logging.WARNING, package_logger.level))
    logging.getLogger("sqlglot").setLevel(logging.CRITICAL)  # its warnings quote the SQL of clients


class RequestLogger:
    """Logs one line per request, and one per operation that no HTTP request belongs to."""

    def __init__(self, slow_seconds: float) -> None:
        self._slow_seconds = slow_seconds
        self._log: Any = structlog.get_logger("tessera_gql.requests")

    def log_request(self, request: LoggedRequest, seconds: float) -> None:
        fields: dict[str, Any] = {"request_id": request.id}
        if request.kind == "http":
            fields |= {"method": request.method, "path": request.path, "status": request.status}
            operation = (request.operation, request.operation_kind, request.outcome, request.codes, request.account)
            fields |= _operation_fields(*operation)
        else:
            fields |= {"path": request.path, "close": request.status}
        fields["ms"] = round(seconds * 1000, 1)
        level = self._level(request.operation_kind, seconds, quiet=request.path in PROBE_PATHS)
        self._write(level, "request" if request.kind == "http" else "socket", fields)

    def log_operation(self, record: OperationRecord) -> None:
        fields: dict[str, Any] = {"request_id": record.request} if record.request else {}
        fields |= _operation_fields(record.operation, record.kind, record.outcome, record.codes, record.account)
        fields["ms"] = round(record.seconds * 1000, 1)
        self._write(self._level(record.kind, record.seconds), "operation", fields)

    def _write(self, level: int, event: str, fields: dict[str, Any]) -> None:
        if structlog.is_configured():  # only a server configures it
            self._log.log(level, event, **fields)

    def _level(self, kind: str | None, seconds: float, *, quiet: bool = False) -> int:
        """Return WARNING for a slow query or mutation; the duration of a subscription says nothing."""
        if kind in ("query", "mutation") and seconds > self._slow_seconds:
            return logging.WARNING
        return logging.DEBUG if quiet else logging.INFO


def _operation_fields(
    name: str | None, kind: str | None, outcome: str | None, codes: list[str], account: str | None
) -> dict[str, Any]:
    fields = {"operation": name, "kind": kind, "outcome": outcome, "codes": codes, "account": account}
    return {name: value for name, value in fields.items() if value}


def _renderers(scrub: SecretScrubber, *, is_json: bool) -> list[Processor]:
    """Return the last processors. Exceptions become text first, because databases quote values of clients in them."""
    has_colors = sys.stderr.isatty() and not os.environ.get("NO_COLOR")
    console = structlog.dev.ConsoleRenderer(timestamp_key="time", colors=has_colors)

    def write(logger: Any, method: str, event: Event) -> str:
        if is_json:
            return scrub(orjson.dumps(event, default=str).decode())
        return scrub(console(logger, method, _escape_terminal(event)))

    return [structlog.processors.format_exc_info, _mask_values, write]


def _escape_terminal(event: Event) -> Event:
    """Escape control characters and line breaks of client text. Only an exception keeps its lines."""
    return {
        name: "\n".join(map(escape_terminal, value.split("\n") if name == "exception" else [value]))
        if isinstance(value, str)
        else value
        for name, value in event.items()
    }


def _mask_values(_logger: Any, _method: str, event: Event) -> Event:
    if "exception" in event:
        event["exception"] = QUOTED_VALUES.sub(r"\1***", event["exception"])
    return event


def _add_request_id(_logger: Any, _method: str, event: Event) -> Event:
    if "request_id" not in event and (request := request_log.current_request()) is not None:
        event["request_id"] = request.id
    return event
