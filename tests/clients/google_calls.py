"""The calls that every Gemini client makes."""

from contextlib import suppress

from google.genai import Client
from google.genai.errors import ClientError
from google.genai.types import HttpOptions, HttpRetryOptions

from tests.clients.telemetry import request

MODEL = "gemini-2.5-flash"


def make_calls(provider_url: str) -> None:
    """Eight calls: plain, part of a request, thinking, two streams, an embedding, two refusals."""
    options = HttpOptions(base_url=provider_url, retry_options=HttpRetryOptions(attempts=1))
    client = Client(api_key="test", vertexai=False, http_options=options)
    models = client.models
    models.generate_content(model=MODEL, contents="hello")
    with request("/ask"):
        models.generate_content(model=MODEL, contents="cached please")
    models.generate_content(model=MODEL, contents="think please")
    for _ in models.generate_content_stream(model=MODEL, contents="cached please"):
        pass
    for _ in models.generate_content_stream(model=MODEL, contents="think please"):
        pass
    models.embed_content(model="gemini-embedding-001", contents="hello")
    for refused in ("fail please", "badreq"):
        with suppress(ClientError):
            models.generate_content(model=MODEL, contents=refused)
