"""OpenTelemetry traces: a span per operation with child spans for its statements.

The SDK is imported only if an endpoint is set.
"""

from __future__ import annotations

import time
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from opentelemetry import context, trace
from opentelemetry.trace import SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from tessera_gql.telemetry import request_log

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SpanExporter

PROPAGATOR = TraceContextTextMapPropagator()
FLUSH_MILLISECONDS = 3_000


class Tracing:
    """Creates spans; `close` exports the last of them."""

    def __init__(self, provider: TracerProvider) -> None:
        self._provider = provider
        self._tracer = provider.get_tracer("tessera_gql", version("tessera-gql"))

    def operation(self, name: str | None, kind: str) -> Span:
        """Start the span of an operation as the current one, with the span of the request's `traceparent` as parent."""
        request = request_log.current_request()
        parent = None
        if request is not None and request.traceparent is not None:
            carrier = dict(zip(("traceparent", "tracestate"), request.traceparent, strict=True))
            parent = PROPAGATOR.extract(carrier)
        attributes = {"graphql.operation.type": kind} | ({"graphql.operation.name": name} if name else {})
        if request is not None:
            attributes["http.request.header.x-request-id"] = request.id
        title = f"{kind} {name}" if name else kind
        return Span(self._tracer.start_span(title, parent, SpanKind.SERVER, attributes))

    def statement(self, sql: str, system: str, seconds: float) -> None:
        """Record the span of a statement that has just ended, if an operation runs. `sql` must have no values."""
        if not trace.get_current_span().is_recording():
            return
        started = time.time_ns() - int(seconds * 1e9)
        verb = sql.lstrip()[:7].partition(" ")[0].upper()
        attributes = {"db.system.name": system, "db.operation.name": verb, "db.query.text": sql}
        self._tracer.start_span(verb, kind=SpanKind.CLIENT, attributes=attributes, start_time=started).end()

    def close(self) -> None:
        self._provider.force_flush(FLUSH_MILLISECONDS)
        self._provider.shutdown()


class Span:
    __slots__ = ("_span", "_token")

    def __init__(self, span: trace.Span) -> None:
        self._span = span
        self._token: Any = context.attach(trace.set_span_in_context(span))

    def end(self, outcome: str, codes: list[str]) -> None:
        context.detach(self._token)
        self._span.set_attribute("tessera.outcome", outcome)
        if codes:
            self._span.set_attribute("tessera.codes", codes)
            self._span.set_status(Status(StatusCode.ERROR, ", ".join(dict.fromkeys(codes))))
        self._span.end()


def create_tracing(endpoint: str) -> Tracing:
    """Export to an OTLP collector over HTTP. The standard OTEL_ variables set headers, sampling and names."""
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415 - an extra

    return tracing_for(OTLPSpanExporter(endpoint=f"{endpoint.rstrip('/')}/v1/traces"))


def tracing_for(exporter: SpanExporter) -> Tracing:
    from opentelemetry.sdk.resources import OTELResourceDetector, Resource  # noqa: PLC0415 - an extra, slow to import
    from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
    from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415

    service = Resource({"service.name": "tessera-gql", "service.version": version("tessera-gql")})
    resource = service.merge(OTELResourceDetector().detect())
    provider = TracerProvider(resource=Resource.create(resource.attributes), shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(exporter))
    return Tracing(provider)
