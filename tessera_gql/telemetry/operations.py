"""Record metrics, log line and span of each GraphQL operation. Of the document only the name is recorded."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from graphql import OperationType

from tessera_gql.server.documents import Operation, PrepareResult
from tessera_gql.telemetry import request_log
from tessera_gql.telemetry.metrics import Metrics
from tessera_gql.telemetry.tracing import Span, Tracing

SUBSCRIPTION = OperationType.SUBSCRIPTION.value
TIMED_KINDS = frozenset({OperationType.QUERY.value, OperationType.MUTATION.value})
SERVER_ERROR_CODES = frozenset({"INTERNAL", "UNAVAILABLE", "TIMEOUT"})


@dataclass(slots=True)
class OperationRecord:
    """An ended operation, as it is logged."""

    request: str | None
    operation: str | None
    kind: str
    outcome: str
    codes: list[str]
    account: str | None
    seconds: float


@dataclass(frozen=True)
class OperationObserver:
    """Creates the observer of each operation; `metrics` and `tracing` are optional."""

    write: Callable[[OperationRecord], None]
    metrics: Metrics | None = None
    tracing: Tracing | None = None

    def __call__(self, prepared: PrepareResult, identity: Any) -> ObservedOperation:
        return ObservedOperation(self, prepared, identity)


class ObservedOperation:
    """Context manager around the execution of one operation. Its value must be called with every reply."""

    __slots__ = ("_error_codes", "_has_data", "_identity", "_kind", "_name", "_observer", "_span", "_start_time")

    def __init__(self, observer: OperationObserver, prepared: PrepareResult, identity: Any) -> None:
        self._observer = observer
        self._identity = identity
        self._error_codes: list[str] = []
        self._has_data = False
        self._span: Span | None = None
        if isinstance(prepared, Operation):
            self._name, self._kind = prepared.name, prepared.kind.value
        else:
            self._name, self._kind = None, "invalid"

    def __enter__(self) -> Callable[[dict[str, Any]], None]:
        self._start_time = time.perf_counter()
        if self._observer.tracing is not None and self._kind != "invalid":
            self._span = self._observer.tracing.operation(self._name, self._kind)
        if self._observer.metrics is not None and self._kind == SUBSCRIPTION:
            self._observer.metrics.running_subscriptions += 1
        return self._add_reply

    def _add_reply(self, reply: dict[str, Any]) -> None:
        if "errors" in reply:
            self._has_data = self._has_data or reply.get("data") is not None
            self._error_codes += [str(error["extensions"]["code"]) for error in reply["errors"]]

    def __exit__(self, _error_type: object, error: object, _traceback: object) -> None:
        seconds = time.perf_counter() - self._start_time
        outcome = self._outcome(is_over=error is None)
        if (metrics := self._observer.metrics) is not None:
            metrics.running_subscriptions -= self._kind == SUBSCRIPTION
            metrics.record_operation(self._name, self._kind, outcome, seconds if self._kind in TIMED_KINDS else None)
            for code in self._error_codes:
                metrics.count_error(code)
        if self._span is not None:
            self._span.end(outcome, self._error_codes)
        self._log_operation(outcome, seconds)

    def _outcome(self, *, is_over: bool) -> str:
        if not self._error_codes:
            return "ok" if is_over else "left"
        if not SERVER_ERROR_CODES.isdisjoint(self._error_codes):
            return "failed"
        return "partial" if self._has_data else "refused"

    def _log_operation(self, outcome: str, seconds: float) -> None:
        """Log the operation in its HTTP request's line; on a websocket, and for webhooks, in a separate line."""
        actor = getattr(self._identity, "actor", None)
        account = actor.account if actor else None
        codes = list(dict.fromkeys(self._error_codes))
        if (request := request_log.current_request()) is not None and request.kind == "http":
            request.operation, request.operation_kind, request.outcome = self._name, self._kind, outcome
            request.codes, request.account = codes, account
            return
        request_id = request.id if request else None
        self._observer.write(OperationRecord(request_id, self._name, self._kind, outcome, codes, account, seconds))
