"""Gemini under OpenInference's instrumentation."""

from openinference.instrumentation import using_attributes
from openinference.instrumentation.google_genai import GoogleGenAIInstrumentor

from tests.clients.google_calls import make_calls
from tests.clients.telemetry import SESSION, USER, sending

if __name__ == "__main__":
    with sending("openinference_google_genai") as provider_url:
        GoogleGenAIInstrumentor().instrument()
        with using_attributes(session_id=SESSION, user_id=USER):
            make_calls(provider_url)
