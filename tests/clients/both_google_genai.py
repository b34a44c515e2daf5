"""Gemini under OpenTelemetry's and OpenInference's instrumentation, so each call is told twice."""

from openinference.instrumentation.google_genai import GoogleGenAIInstrumentor
from opentelemetry.instrumentation.google_genai import GoogleGenAiSdkInstrumentor

from tests.clients.google_calls import make_calls
from tests.clients.telemetry import sending

if __name__ == "__main__":
    with sending("both_google_genai") as provider_url:
        GoogleGenAiSdkInstrumentor().instrument()
        GoogleGenAIInstrumentor().instrument()
        make_calls(provider_url)
