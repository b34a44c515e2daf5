"""Gemini under Traceloop's instrumentation."""

from opentelemetry.instrumentation.google_generativeai import GoogleGenerativeAiInstrumentor

from tests.clients.google_calls import make_calls
from tests.clients.telemetry import sending

if __name__ == "__main__":
    with sending("traceloop_google") as provider_url:
        GoogleGenerativeAiInstrumentor().instrument()  # type: ignore[no-untyped-call]  # the library has no types
        make_calls(provider_url)
