"""Anthropic under Traceloop's instrumentation, beside the SDK's own spans."""

from opentelemetry.instrumentation.anthropic import AnthropicInstrumentor

from tests.clients.anthropic_calls import make_calls
from tests.clients.telemetry import sending

if __name__ == "__main__":
    with sending("traceloop_anthropic") as provider_url:
        AnthropicInstrumentor().instrument()
        make_calls(provider_url)
