"""The log: a line for each thing that happened, JSON or for people; each is scrubbed of secrets before it leaves."""

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
from tessera_gql.observe import exchange
from tessera_gql.observe.exchange import Exchange
from tessera_gql.observe.operations import Done

KNOWN_SHAPES = (
    r"tsr_[A-Za-z0-9_-]{8,}",  # our keys
    r"whsec_[A-Za-z0-9+/=_-]{8,}",  # secrets of webhooks
    r"eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*",  # JSON web tokens
    r"(?<=Bearer )[^\s\"'\\]+",
    r"(?<=://)[^\s/@\"'\\]*:[^\s/@\"'\\]*(?=@)",  # user and password in an address
)
SIGNS = ("tsr_", "whsec_", "eyJ", "Bearer ", "://")
"""One of them is in whatever has a known shape."""
QUOTED = re.compile(r"(query argument \$\d+: |DETAIL: |\[parameters: )[^\n]*")
"""How databases and drivers quote the values that they refuse."""
OWN = "tessera_gql"
"""The logger above all of ours."""
QUIET = frozenset({"/healthz", "/readyz", "/metrics"})
"""Asked every few seconds by machines: only told at DEBUG."""

Event = MutableMapping[str, Any]


class Scrub:
    """Takes secrets out of a line: those that are known, and whatever looks like one."""

    def __init__(self, secrets: Iterable[str]) -> None:
        exact = sorted({spelling for secret in secrets for spelling in _spellings(secret)}, key=len, reverse=True)
        self._pattern = re.compile("|".join([*map(re.escape, exact), *KNOWN_SHAPES]))
        self._signs = [*exact, *SIGNS]

    def __call__(self, line: str) -> str:
        for sign in self._signs:  # many times faster than the pattern, which most lines do not need
            if sign in line:
                return self._pattern.sub("***", line)
        return line


def _spellings(secret: str) -> set[str]:
    """Also as JSON writes it."""
    return {secret, orjson.dumps(secret).decode()[1:-1]} if secret else set()


@dataclass(frozen=True)
class LogOptions:
    """The arguments of `configure`, to be handed to another process."""

    level: str
    is_json: bool
    secrets: Sequence[str] = field(repr=False)


def configure(*, level: str, is_json: bool, secrets: Iterable[str]) -> None:
    """Once in a process: everything that is logged goes to stderr, uvicorn's and the libraries' lines too."""
    scrub = Scrub(secrets)
    rendering = _rendering(scrub, is_json=is_json)
    shared: list[Processor] = [
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
        _with_request,
    ]
    structlog.configure(
        processors=[*shared, *rendering],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_logger_name, *shared],
            processors=[ProcessorFormatter.remove_processors_meta, *rendering],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    own = logging.getLogger(OWN)
    own.setLevel(level.upper())
    # Below warnings, libraries log statements with their values, addresses and headers.
    root.setLevel(max(logging.WARNING, own.level))
    logging.getLogger("sqlglot").setLevel(logging.CRITICAL)  # its warnings quote the SQL of clients


class Lines:
    """The lines that there are most of: one for each request, and for each operation that has none of its own."""

    def __init__(self, slow_seconds: float) -> None:
        self._slow_seconds = slow_seconds
        self._log: Any = structlog.get_logger("tessera_gql.requests")

    def request(self, ended: Exchange, seconds: float) -> None:
        facts: dict[str, Any] = {"request_id": ended.id}
        if ended.kind == "http":
            facts |= {"method": ended.method, "path": ended.path, "status": ended.status}
            facts |= _operation(ended.operation, ended.operation_kind, ended.outcome, ended.codes, ended.account)
        else:
            facts |= {"path": ended.path, "close": ended.status}
        facts["ms"] = round(seconds * 1000, 1)
        level = self._level(ended.operation_kind, seconds, quiet=ended.path in QUIET)
        self._write(level, "request" if ended.kind == "http" else "socket", facts)

    def operation(self, done: Done) -> None:
        facts: dict[str, Any] = {"request_id": done.request} if done.request else {}
        facts |= _operation(done.operation, done.kind, done.outcome, done.codes, done.account)
        facts["ms"] = round(done.seconds * 1000, 1)
        self._write(self._level(done.kind, done.seconds), "operation", facts)

    def _write(self, level: int, event: str, facts: dict[str, Any]) -> None:
        if structlog.is_configured():  # otherwise this is no server, and nobody reads a log
            self._log.log(level, event, **facts)

    def _level(self, kind: str | None, seconds: float, *, quiet: bool = False) -> int:
        """A slow query or mutation is a warning; a subscription lasts."""
        if kind in ("query", "mutation") and seconds > self._slow_seconds:
            return logging.WARNING
        return logging.DEBUG if quiet else logging.INFO


def _operation(
    name: str | None, kind: str | None, outcome: str | None, codes: list[str], account: str | None
) -> dict[str, Any]:
    found = {"operation": name, "kind": kind, "outcome": outcome, "codes": codes, "account": account}
    return {name: value for name, value in found.items() if value}


def _rendering(scrub: Scrub, *, is_json: bool) -> list[Processor]:
    """Exceptions become text first: what the database quotes in them is a client's."""
    if is_json:

        def write(_logger: Any, _method: str, event: Event) -> str:
            return scrub(orjson.dumps(event, default=str).decode())

        return [structlog.processors.format_exc_info, _without_values, write]
    console = structlog.dev.ConsoleRenderer(timestamp_key="time", colors=_has_colours())

    def show(logger: Any, method: str, event: Event) -> str:
        return scrub(console(logger, method, _escaped(event)))

    return [structlog.processors.format_exc_info, _without_values, show]


def _escaped(event: Event) -> Event:
    """Text of a client can't steer the terminal nor write a line of its own; an exception has several lines."""
    return {
        name: "\n".join(map(escape_terminal, value.split("\n") if name == "exception" else [value]))
        if isinstance(value, str)
        else value
        for name, value in event.items()
    }


def _has_colours() -> bool:
    return sys.stderr.isatty() and not os.environ.get("NO_COLOR")


def _without_values(_logger: Any, _method: str, event: Event) -> Event:
    if "exception" in event:
        event["exception"] = QUOTED.sub(r"\1***", event["exception"])
    return event


def _with_request(_logger: Any, _method: str, event: Event) -> Event:
    if "request_id" not in event and (here := exchange.current()) is not None:
        event["request_id"] = here.id
    return event
