"""OpenAI under OpenInference's instrumentation."""

from openinference.instrumentation import using_attributes
from openinference.instrumentation.openai import OpenAIInstrumentor

from tests.clients.openai_calls import make_calls
from tests.clients.telemetry import SESSION, USER, sending

if __name__ == "__main__":
    with sending("openinference_openai") as provider_url:
        OpenAIInstrumentor().instrument()
        with using_attributes(session_id=SESSION, user_id=USER):
            make_calls(provider_url)
