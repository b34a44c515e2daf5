"""Gemini under OpenTelemetry's instrumentation."""

from opentelemetry.instrumentation.google_genai import GoogleGenAiSdkInstrumentor

from tests.clients.google_calls import make_calls
from tests.clients.telemetry import sending

if __name__ == "__main__":
    with sending("otel_google_genai") as provider_url:
        GoogleGenAiSdkInstrumentor().instrument()
        make_calls(provider_url)
