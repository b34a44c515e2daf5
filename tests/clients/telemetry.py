"""What every client does alike: where it sends its spans, and the request of its own that some calls are part of."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

SESSION, USER = "session-7", "user-7"


@contextmanager
def sending(name: str) -> Iterator[str]:
    """Send all spans of the block to the endpoint on the command line; gives the provider's address."""
    provider_url, endpoint, key = sys.argv[1:]
    resource = Resource.create({"service.name": f"capture-{name}", "deployment.environment.name": "test"})
    provider = TracerProvider(resource=resource)
    exporter = OTLPSpanExporter(endpoint=f"{endpoint}/v1/traces", headers={"Authorization": f"Bearer {key}"})
    provider.add_span_processor(BatchSpanProcessor(exporter))
    trace.set_tracer_provider(provider)
    yield provider_url
    assert provider.force_flush()
    provider.shutdown()


@contextmanager
def request(route: str) -> Iterator[None]:
    """A span of the application itself: no AI call, but what its AI calls are part of."""
    tracer = trace.get_tracer("capture.app")
    attributes = {"http.request.method": "POST", "http.route": route, "session.id": SESSION, "user.id": USER}
    with tracer.start_as_current_span(f"POST {route}", kind=trace.SpanKind.SERVER, attributes=attributes):
        yield
