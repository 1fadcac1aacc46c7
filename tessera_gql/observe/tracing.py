"""OpenTelemetry: a span for each operation, its statements below it. The SDK is imported only if an endpoint is set."""

from __future__ import annotations

import importlib.util
import time
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from opentelemetry import context, trace
from opentelemetry.trace import SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from tessera_gql.observe import exchange

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SpanExporter

PROPAGATOR = TraceContextTextMapPropagator()
FLUSH_MILLISECONDS = 3_000


def is_installed() -> bool:
    return importlib.util.find_spec("opentelemetry.sdk") is not None


class Tracing:
    """Where spans go; `close` sends the last of them."""

    def __init__(self, provider: TracerProvider) -> None:
        self._provider = provider
        self._tracer = provider.get_tracer("tessera_gql", version("tessera-gql"))

    def operation(self, name: str | None, kind: str) -> Span:
        """Current from now on, below the caller's span if its request named one."""
        here = exchange.current()
        parent = None
        if here is not None and here.traceparent is not None:
            carrier = dict(zip(("traceparent", "tracestate"), here.traceparent, strict=True))
            parent = PROPAGATOR.extract(carrier)
        attributes = {"graphql.operation.type": kind} | ({"graphql.operation.name": name} if name else {})
        if here is not None:
            attributes["http.request.header.x-request-id"] = here.id
        title = f"{kind} {name}" if name else kind
        return Span(self._tracer.start_span(title, parent, SpanKind.SERVER, attributes))

    def statement(self, sql: str, system: str, seconds: float) -> None:
        """One that has just ended; `sql` has its values taken out.

        Only below an operation: what the server does by itself is nobody's trace.
        """
        if not trace.get_current_span().is_recording():
            return
        started = time.time_ns() - int(seconds * 1e9)
        word = sql.lstrip()[:7].partition(" ")[0].upper()
        attributes = {"db.system.name": system, "db.operation.name": word, "db.query.text": sql}
        self._tracer.start_span(word, kind=SpanKind.CLIENT, attributes=attributes, start_time=started).end()

    def close(self) -> None:
        self._provider.force_flush(FLUSH_MILLISECONDS)
        self._provider.shutdown()


class Span:
    """That of an operation."""

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


def exporting(endpoint: str) -> Tracing:
    """To an OTLP collector over HTTP; headers, sampling and names are those of the standard OTEL_ variables."""
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415 - an extra

    return collecting(OTLPSpanExporter(endpoint=f"{endpoint.rstrip('/')}/v1/traces"))


def collecting(exporter: SpanExporter) -> Tracing:
    from opentelemetry.sdk.resources import OTELResourceDetector, Resource  # noqa: PLC0415 - an extra, slow to import
    from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
    from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415

    named = Resource({"service.name": "tessera-gql", "service.version": version("tessera-gql")})
    resource = named.merge(OTELResourceDetector().detect())
    provider = TracerProvider(resource=Resource.create(resource.attributes), shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(exporter))
    return Tracing(provider)
