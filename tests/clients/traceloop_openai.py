"""OpenAI under Traceloop's instrumentation."""

from opentelemetry.instrumentation.openai import OpenAIInstrumentor

from tests.clients.openai_calls import make_calls
from tests.clients.telemetry import sending

if __name__ == "__main__":
    with sending("traceloop_openai") as provider_url:
        OpenAIInstrumentor().instrument()
        make_calls(provider_url)
