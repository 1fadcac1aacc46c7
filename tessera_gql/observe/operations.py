"""Watches each GraphQL operation: its metrics, its line in the log, its span. Of a document only the name is kept."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from graphql import OperationType

from tessera_gql.graphql.documents import Operation, Prepared
from tessera_gql.observe import exchange
from tessera_gql.observe.metrics import Metrics
from tessera_gql.observe.tracing import Span, Tracing

SUBSCRIPTION = OperationType.SUBSCRIPTION.value
TIMED = frozenset({OperationType.QUERY.value, OperationType.MUTATION.value})
OURS = frozenset({"INTERNAL", "UNAVAILABLE", "TIMEOUT"})
"""Codes that say that the server failed, not the client."""


@dataclass(slots=True)
class Done:
    """An operation that ended."""

    request: str | None
    operation: str | None
    kind: str
    outcome: str
    codes: list[str]
    account: str | None
    seconds: float


class Write(Protocol):
    def __call__(self, done: Done) -> None: ...


@dataclass(frozen=True)
class Watching:
    """What is told of operations; `metrics` and `tracing` may be off."""

    write: Write
    metrics: Metrics | None = None
    tracing: Tracing | None = None

    def __call__(self, prepared: Prepared, identity: Any) -> Watched:
        return Watched(self, prepared, identity)


class Watched:
    """One operation, from before it begins until after it has ended; every reply is told to it."""

    __slots__ = ("_by", "_codes", "_identity", "_kind", "_name", "_parts", "_span", "_started")

    def __init__(self, by: Watching, prepared: Prepared, identity: Any) -> None:
        self._by = by
        self._identity = identity
        self._codes: list[str] = []
        self._parts = False
        self._span: Span | None = None
        if isinstance(prepared, Operation):
            self._name, self._kind = prepared.name, prepared.kind.value
        else:
            self._name, self._kind = None, "invalid"

    def __enter__(self) -> Callable[[dict[str, Any]], None]:
        self._started = time.perf_counter()
        if self._by.tracing is not None and self._kind != "invalid":
            self._span = self._by.tracing.operation(self._name, self._kind)
        if self._by.metrics is not None and self._kind == SUBSCRIPTION:
            self._by.metrics.executions += 1
        return self._tell

    def _tell(self, reply: dict[str, Any]) -> None:
        if "errors" in reply:
            self._parts = self._parts or reply.get("data") is not None
            self._codes += [str(error["extensions"]["code"]) for error in reply["errors"]]

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        seconds = time.perf_counter() - self._started
        outcome = self._outcome(is_over=error is None)
        if (metrics := self._by.metrics) is not None:
            metrics.executions -= self._kind == SUBSCRIPTION
            metrics.operation(self._name, self._kind, outcome, seconds if self._kind in TIMED else None)
            for code in self._codes:
                metrics.error(code)
        if self._span is not None:
            self._span.end(outcome, self._codes)
        self._note(outcome, seconds)

    def _outcome(self, *, is_over: bool) -> str:
        if not self._codes:
            return "ok" if is_over else "left"
        if not OURS.isdisjoint(self._codes):
            return "failed"
        return "partial" if self._parts else "refused"

    def _note(self, outcome: str, seconds: float) -> None:
        """In the line of its request; on a websocket, and for webhooks, in one of its own."""
        actor = getattr(self._identity, "actor", None)
        account = actor.account if actor else None
        codes = list(dict.fromkeys(self._codes))
        if (here := exchange.current()) is not None and here.kind == "http":
            here.operation, here.operation_kind, here.outcome = self._name, self._kind, outcome
            here.codes, here.account = codes, account
            return
        request = here.id if here else None
        self._by.write(Done(request, self._name, self._kind, outcome, codes, account, seconds))
