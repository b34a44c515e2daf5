"""OpenAI under Traceloop's and OpenInference's instrumentation, so each call is told twice."""

from openinference.instrumentation.openai import OpenAIInstrumentor as OpenInferenceInstrumentor
from opentelemetry.instrumentation.openai import OpenAIInstrumentor as TraceloopInstrumentor

from tests.clients.openai_calls import make_calls
from tests.clients.telemetry import sending

if __name__ == "__main__":
    with sending("both_openai") as provider_url:
        TraceloopInstrumentor().instrument()
        OpenInferenceInstrumentor().instrument()
        make_calls(provider_url)
